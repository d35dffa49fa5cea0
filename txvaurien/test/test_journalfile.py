"""The journal on disk: in order, bounded, never in the way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from txvaurien.errors import ConfigError
from txvaurien.journals.journalfile import JournalFile
from txvaurien.journals.rotatingfile import RotatingFile

#: Seconds after which a test that hangs fails.
PATIENCE = 60


class Moody(RotatingFile):
    """A disk that hangs or is full when the test says so."""

    def __init__(self, path: str) -> None:
        super().__init__(path, 0, 0, list)
        self.full = False
        self.failed = threading.Event()
        #: Set when a write has begun; and what lets it go on.
        self.writing = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def write(self, lines: Sequence[bytes]) -> None:
        self.writing.set()
        self.go_on.wait(PATIENCE)
        if self.full:
            self.failed.set()
            raise OSError(28, "No space left on device")
        super().write(lines)


@implementer(ILogObserver)
class Logged(list[LogEvent]):
    """What was logged."""

    def __call__(self, event: LogEvent) -> None:
        self.append(event)


class FileCase(TestCase):
    """A journal's file, and what is found in it."""

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.logged = Logged()
        self.patch(JournalFile, "log", Logger(observer=self.logged))

    def moody(self, **options: Any) -> tuple[JournalFile, Moody]:
        """A file on a disk that has moods."""
        file = JournalFile(self.path, wall=lambda: 0.0, **options)
        disk = Moody(file.path)
        self.patch(file, "_disk", disk)
        self.addCleanup(disk.go_on.set)
        file.start()
        return file, disk

    def hold(self, file: JournalFile, disk: Moody) -> None:
        """Give it a line, on which the disk hangs."""
        disk.go_on.clear()
        disk.writing.clear()
        file.put(b'"held"')
        self.assertTrue(disk.writing.wait(PATIENCE))

    def write(self, text: str) -> None:
        """There is a file already."""
        Path(self.path).write_text(text)

    def text(self) -> str:
        """What is in the file, if there is one."""
        path = Path(self.path)
        return path.read_text() if path.exists() else ""

    def lines(self) -> list[Any]:
        """The values of its lines."""
        return [msgspec.json.decode(line) for line in self.text().splitlines()]


class WritingTests(FileCase):
    """Lines go in and come out."""

    async def test_order(self) -> None:
        """Every line is there, in order, after what was in the file before."""
        for run in range(2):
            file = JournalFile(self.path)
            file.head("", b'"head"')
            file.start()
            for number in range(1000):
                file.put(b"%d" % number)
            self.assertTrue(await file.stop(reactor))
            self.assertEqual((file.dropped, file.errors), (0, 0))
            self.assertEqual(self.lines(), ["head", *range(1000)] * (run + 1))

    async def test_half_a_line(self) -> None:
        """What a crash cut short stays a line of its own."""
        self.write('{"n": 1, "eve')
        file = JournalFile(self.path)
        file.head("", b'"head"')
        file.start()
        self.assertTrue(await file.stop(reactor))
        self.assertEqual(self.text(), '{"n": 1, "eve\n"head"\n')

    async def test_never_started(self) -> None:
        """A file that was not started takes nothing, and can be stopped."""
        file = JournalFile(self.path)
        file.put(b"1")
        self.assertTrue(await file.stop(reactor))
        self.assertEqual(self.text(), "")

    async def test_after_stop(self) -> None:
        """What comes when it is over is counted."""
        file = JournalFile(self.path)
        file.start()
        self.assertTrue(await file.stop(reactor))
        file.put(b"1")
        self.assertEqual((file.dropped, self.lines()), (1, []))

    def test_cannot_open(self) -> None:
        """A file that cannot be opened is named at once, with the reason."""
        path = os.path.join(self.path, "missing", "journal")
        error = self.assertRaises(ConfigError, JournalFile(path).start)
        self.assertIn("cannot be written (No such file or directory)", str(error))
        self.assertTrue(str(error).startswith("--journal: "), error)

    async def test_device(self) -> None:
        """What is no file is neither read nor put aside."""
        file = JournalFile("/dev/null", max_size=10)
        file.start()
        for _ in range(100):
            file.put(b'"something"')
        self.assertTrue(await file.stop(reactor))
        self.assertEqual((file.dropped, file.errors), (0, 0))


class TroubleTests(FileCase):
    """Disks that hang, and disks that are full."""

    def gap(self, count: int) -> dict[str, Any]:
        """What stands for lines that are missing."""
        return {"event": "dropped", "time": "1970-01-01T00:00:00.000000Z", "count": count}

    async def test_queue_full(self) -> None:
        """While the disk hangs, `put` returns; what has no room is counted where it is missing."""
        file, disk = self.moody(queue=3)
        self.hold(file, disk)
        for number in range(5):
            file.put(b"%d" % number)
        self.assertEqual(file.dropped, 2)
        disk.go_on.set()
        self.assertTrue(await file.stop(reactor))
        self.assertEqual(self.lines(), ["held", 0, 1, 2, self.gap(2)])
        self.assertEqual(file.errors, 0)

    def test_stop_on_a_disk_that_hangs(self) -> None:
        """Stopping takes a bounded time, and says that something may be missing."""
        file, disk = self.moody()
        self.hold(file, disk)
        clock = Clock()
        stopped = file.stop(clock, timeout=2)
        clock.pump([0.1] * 19)
        self.assertNoResult(stopped)
        clock.pump([0.1] * 3)
        self.assertIs(self.successResultOf(stopped), False)
        [event] = self.logged
        self.assertIn("takes too long", event["log_format"])

    async def test_disk_full(self) -> None:
        """It is said once, everything is counted, and the file says how much is missing."""
        file, disk = self.moody()
        disk.full = True
        for number in range(3):
            disk.failed.clear()
            file.put(b"%d" % number)
            self.assertTrue(disk.failed.wait(PATIENCE))
        disk.full = False
        file.put(b'"room"')
        self.assertTrue(await file.stop(reactor))
        self.assertEqual([event["log_level"].name for event in self.logged], ["error"])
        self.assertEqual((file.errors, file.dropped), (3, 3))
        self.assertEqual(self.lines(), [self.gap(3), "room"])

    async def test_full_to_the_end(self) -> None:
        """A disk that stays full does not keep it from stopping."""
        file = JournalFile("/dev/full")
        file.start()
        file.put(b"1")
        self.assertTrue(await file.stop(reactor))
        self.assertEqual(file.errors, 1)
        self.assertEqual(len(self.logged), 1)


class RotatingTests(SynchronousTestCase):
    """Files that are put aside."""

    def setUp(self) -> None:
        self.path = self.mktemp()

    def opened(self, max_size: int = 40, keep: int = 2) -> RotatingFile:
        """A file whose head is one line of seven bytes."""
        file = RotatingFile(self.path, max_size, keep, lambda: [b'"head"'])
        self.addCleanup(file.close)
        file.open()
        return file

    def found(self) -> list[list[str]]:
        """The lines of each file, the newest file first."""
        names = ["", *(f".{number}" for number in range(1, 9))]
        paths = (Path(self.path + name) for name in names)
        return [path.read_text().splitlines() for path in paths if path.exists()]

    def test_by_size(self) -> None:
        """No file is larger than it may be, each begins with the head, and no line is lost between them."""
        file = self.opened(keep=8)
        for number in range(10):
            file.write([b"line %d %d" % (number, part) for part in range(2)])
        found = self.found()
        for lines in found:
            self.assertEqual(lines[0], '"head"')
            self.assertLessEqual(sum(len(line) + 1 for line in lines), 40)
        lines = [line for each in reversed(found) for line in each[1:]]
        self.assertEqual(lines, [f"line {number} {part}" for number in range(10) for part in range(2)])
        self.assertEqual(file.stored, 20)

    def test_keep(self) -> None:
        """Only so many are kept, the newest."""
        file = self.opened()
        file.write([b"%020d" % number for number in range(9)])
        self.assertEqual([int(lines[1]) for lines in self.found()], [8, 7, 6])

    def test_keep_none(self) -> None:
        """With none to keep, the file begins anew."""
        file = self.opened(keep=0)
        file.write([b"%020d" % number for number in range(9)])
        self.assertEqual(self.found(), [['"head"', f"{8:020}"]])

    def test_long_line(self) -> None:
        """A line that fits in no file has one of its own."""
        file = self.opened(keep=8)
        file.write([b"a", b"x" * 100, b"b"])
        self.assertEqual(self.found(), [['"head"', "b"], ['"head"', "x" * 100], ['"head"', "a"]])

    def test_unbounded(self) -> None:
        """Without a size there is one file."""
        file = self.opened(max_size=0)
        file.write([b"x" * 100] * 5)
        self.assertEqual(len(self.found()), 1)

    def test_cannot_be_put_aside(self) -> None:
        """Where a file cannot be renamed, it goes on growing."""
        os.makedirs(os.path.join(self.path + ".1", "in the way"))
        file = self.opened(keep=1)
        file.write([b"%020d" % number for number in range(5)])
        self.assertEqual(len(Path(self.path).read_text().splitlines()), 6)

    def limit(self, room: int) -> Callable[[int], None]:
        """Let the disk take so many bytes, and no more until the test sets that again."""
        left = [room]
        write = os.write

        def limited(file: int, data: bytes) -> int:
            if not left[0]:
                raise OSError(28, "No space left on device")
            written = write(file, bytes(data)[: left[0]])
            left[0] -= written
            return written

        self.patch(os, "write", limited)
        return lambda room: left.__setitem__(0, room)

    def test_cut_short(self) -> None:
        """A write that the disk cuts short is counted by whole lines; the rest begins a line of its own."""
        file = self.opened(max_size=0)
        give = self.limit(8)
        self.assertRaises(OSError, file.write, [b"one", b"two", b"three"])
        self.assertEqual(file.stored, 2)
        give(4)
        self.assertRaises(OSError, file.write, [b"three"])
        self.assertEqual(file.stored, 2)
        give(100)
        file.write([b"three"])
        self.assertEqual(file.stored, 3)
        self.assertEqual(self.found(), [['"head"', "one", "two", "thre", "three"]])

    def test_no_room_for_the_head(self) -> None:
        """A file that got no head gets it as soon as there is room."""
        file = self.opened(keep=1)
        file.write([b"a" * 32])
        give = self.limit(3)
        self.assertRaises(OSError, file.write, [b"b"])
        self.assertEqual(file.stored, 1)
        give(100)
        file.write([b"b"])
        self.assertEqual(self.found(), [['"he', '"head"', "b"], ['"head"', "a" * 32]])
