"""The form of the log."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.process.logs import format_event, log_observer


class FormatTests(SynchronousTestCase):
    """`format_event`."""

    def test_line(self) -> None:
        """Time, level, who speaks and what it says, in one line."""
        event = {
            "log_format": "{count} links\nopen",
            "count": 3,
            "log_level": LogLevel.warn,
            "log_namespace": "txvaurien.x",
            "log_time": 0.0,
        }
        line = format_event(event)
        self.assertRegex(line, r"^19\d\d-\d\d-\d\dT\S+ warning txvaurien\.x: 3 links\n    open\n$")

    def test_traceback(self) -> None:
        """A failure is shown with its traceback, indented below the line."""
        event = {"log_format": "it broke", "log_failure": Failure(ZeroDivisionError("by zero"))}
        head, *rest = format_event(event).splitlines()
        self.assertTrue(head.endswith(": it broke"))
        self.assertTrue(all(line.startswith("    ") for line in rest))
        self.assertIn("ZeroDivisionError: by zero", rest[-1])


class ObserverTests(SynchronousTestCase):
    """`log_observer`."""

    def logged(self, level: str, namespace: str = "txvaurien") -> str:
        """The levels that come through."""
        stream = io.StringIO()
        self.patch(sys, "stderr", stream)
        log = Logger(namespace=namespace, observer=log_observer(level, "-"))
        for each in ("debug", "info", "warn", "error", "critical"):
            log.emit(LogLevel.levelWithName(each), each[0])
        return "".join(line[-1] for line in stream.getvalue().splitlines())

    def test_levels(self) -> None:
        """What is less grave than the level is left out."""
        levels = ("debug", "info", "warning", "error", "critical")
        self.assertEqual([self.logged(level) for level in levels], ["diwec", "iwec", "wec", "ec", "c"])

    def test_twisted_is_quiet(self) -> None:
        """Twisted's own news is for those who debug."""
        self.assertEqual(self.logged("info", "twisted.internet.tcp"), "wec")
        self.assertEqual(self.logged("debug", "twisted.internet.tcp"), "diwec")

    def test_file(self) -> None:
        """A file is appended to, and each line is there at once."""
        path = self.mktemp()
        Path(path).write_text("before\n")
        Logger(namespace="a", observer=log_observer("info", path)).info("after")
        before, after = Path(path).read_text().splitlines()
        self.assertEqual(before, "before")
        self.assertTrue(after.endswith(" info a: after"))

    def test_file_cannot_be_opened(self) -> None:
        """A file that cannot be written to is an error of the option."""
        path = f"{self.mktemp()}/log"
        error = self.assertRaises(ConfigError, log_observer, "info", path, "a.ini:1: log_output")
        self.assertIn(f"a.ini:1: log_output: {path!r} cannot be opened (No such file", str(error))
