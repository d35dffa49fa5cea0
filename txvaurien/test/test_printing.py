"""Standard output that is closed early."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import txvaurien

_CODE = "from txvaurien.process.printing import show; show('said')"


class ShowTests(SynchronousTestCase):
    """`show`, in a process of its own, as the interpreter's last words count as well."""

    def run_into(self, output: int) -> subprocess.CompletedProcess[bytes]:
        """A process with this standard output."""
        environ = {**os.environ, "PYTHONPATH": str(Path(txvaurien.__file__).parent.parent)}
        command = [sys.executable, "-c", _CODE]
        return subprocess.run(command, env=environ, stdout=output, stderr=subprocess.PIPE, check=False)

    def test_closed(self) -> None:
        """Whoever reads only the first lines gets them, without a traceback."""
        reading, writing = os.pipe()
        os.close(reading)
        done = self.run_into(writing)
        os.close(writing)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_open(self) -> None:
        """It is printed."""
        done = self.run_into(subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"said\n", b""))
