"""A test suite written for Vaurien runs unchanged, but for the name of the import."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase


class CompatibilityTests(SynchronousTestCase):
    """`vaurien_style` in a process of its own."""

    def test_vaurien_style(self) -> None:
        """All of its tests pass, and nothing is left open or running that Python would warn of."""
        command = [sys.executable, "-W", "error", "-m", "unittest", "txvaurien.test.vaurien_style"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Ran 3 tests", done.stderr)
        self.assertNotIn("Warning", done.stderr)
