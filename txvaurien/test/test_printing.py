"""Standard output that is closed early, and its colours."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

import txvaurien
from txvaurien.process.printing import coloured

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


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


class ColouredTests(SynchronousTestCase):
    """`coloured`."""

    def is_coloured(self, out: io.StringIO, **environment: str) -> bool:
        """With this standard output, and these variables alone."""
        with patch.dict(os.environ, environment, clear=True), patch.object(sys, "stdout", out):
            return coloured()

    def test_terminal(self) -> None:
        """Colours are for terminals."""
        self.assertTrue(self.is_coloured(Terminal(), TERM="xterm", NO_COLOR=""))
        self.assertFalse(self.is_coloured(io.StringIO(), TERM="xterm"))

    def test_unwanted(self) -> None:
        """There are none where somebody does not want them, or the terminal has none."""
        self.assertFalse(self.is_coloured(Terminal(), TERM="xterm", NO_COLOR="1"))
        self.assertFalse(self.is_coloured(Terminal(), TERM="dumb"))
