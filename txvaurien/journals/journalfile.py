"""The journal on disk: lines in, a set of files out, in a thread of its own.

Nothing here ever waits for the disk in the reactor's thread, apart from opening
the file at the start. Lines that there is no room for are counted, and the file
says how many are missing, where they are missing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txvaurien.errors import ConfigError
from txvaurien.journal import encode, iso_time
from txvaurien.journals.rotatingfile import RotatingFile

#: Bytes after which a file is put aside, and how many of those are kept.
MAX_SIZE = 100 * 1024 * 1024
KEEP = 5

#: How many lines may wait for the disk; a line has some 300 bytes.
QUEUE = 20_000

#: How long the thread waits for more lines after the first one, in seconds: few large
#: writes disturb the traffic less than many small ones.
GATHER = 0.02

#: How long stopping may take, in seconds, and how often it looks.
STOP_TIME = 2.0
_LOOK = 0.01


class JournalFile:
    """Takes lines in one thread, and writes them in another.

    :param path: rotated files are called ``path.1`` (the newest) and so on.
    :param max_size: bytes after which the next file begins; 0 for never.
    :param keep: how many files are kept besides the one that is written.
    :param queue: how many lines may wait for the disk.
    :ivar dropped: how many lines are not in the file, because the queue was full or the disk.
    :ivar errors: how often the file could not be written.
    """

    log = Logger()

    def __init__(
        self,
        path: str,
        max_size: int = MAX_SIZE,
        keep: int = KEEP,
        *,
        queue: int = QUEUE,
        wall: Callable[[], float] = time.time,
    ) -> None:
        # A daemon changes its directory.
        self.path = os.path.abspath(path)
        self.dropped = 0
        self.errors = 0
        self._disk = RotatingFile(self.path, max_size, keep, self._heads)
        self._most = queue
        self._wall = wall
        self._lock = threading.Condition()
        self._lines: list[bytes] = []
        self._head: dict[str, bytes] = {}
        #: Lines that the queue had no room for, since it was last emptied.
        self._missing = 0
        #: Lines that the disk had no room for, since it last had.
        self._lost = 0
        self._failing = False
        self._idle = False
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Open the file and start the thread.

        :raises ConfigError: it cannot be opened.
        """
        try:
            self._disk.open()
        except OSError as error:
            raise ConfigError(
                "--journal",
                f"{self.path!r} cannot be written ({error.strerror})",
                "name a file in a folder that is there and may be written to",
            ) from error
        # Not waited for at exit: a disk that hangs must not keep the process.
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def head(self, key: str, line: bytes) -> None:
        """What each file begins with, from the next one on. One line for each key, none if it is empty."""
        with self._lock:
            if line:
                self._head[key] = line
            else:
                self._head.pop(key, None)

    def put(self, line: bytes) -> None:
        """Take one line, without its end; returns at once. Before `start` it is not kept."""
        with self._lock:
            if self._thread is None:
                return
            if self._stopping or len(self._lines) >= self._most:
                self.dropped += 1
                self._missing += 1
                return
            self._lines.append(line)
            if self._idle:
                self._idle = False
                self._lock.notify()

    def stop(self, clock: IReactorTime, timeout: float = STOP_TIME) -> Deferred[bool]:
        """Write what waits, and close the file.

        :return: a Deferred of whether that was done, within `timeout` seconds.
        """
        with self._lock:
            self._stopping = True
            self._lock.notify()
        stopped: Deferred[bool] = Deferred()
        self._look(clock, clock.seconds() + timeout, stopped)
        return stopped

    def _look(self, clock: IReactorTime, until: float, stopped: Deferred[bool]) -> None:
        if self._thread is None or not self._thread.is_alive():
            stopped.callback(True)
        elif clock.seconds() < until:
            clock.callLater(_LOOK, self._look, clock, until, stopped)
        else:
            self.log.warn("the journal {path} takes too long; its last lines may be missing", path=self.path)
            stopped.callback(False)

    # In the thread.

    def _heads(self) -> list[bytes]:
        with self._lock:
            return list(self._head.values())

    def _run(self) -> None:
        over = False
        while not over:
            lines, missing, over = self._take()
            # Each line, and of how many missing ones it tells.
            items = [(line, 0) for line in lines]
            if self._lost:
                items.insert(0, (self._gap(self._lost), self._lost))
                self._lost = 0
            if missing:
                items.append((self._gap(missing), missing))
            self._store(items)
        try:
            self._disk.close()
        except OSError as error:
            self._failed(error, ())

    def _take(self) -> tuple[list[bytes], int, bool]:
        """Wait for lines; what there is, how many there was no room for after these, whether that is all."""
        with self._lock:
            self._idle = not (self._lines or self._missing or self._stopping)
            while self._idle and not self._stopping:
                self._lock.wait()
            if not self._stopping:
                self._lock.wait(GATHER)
            lines, self._lines = self._lines, []
            missing, self._missing = self._missing, 0
            return lines, missing, self._stopping

    def _gap(self, count: int) -> bytes:
        return encode({"event": "dropped", "time": iso_time(self._wall()), "count": count})

    def _store(self, items: Sequence[tuple[bytes, int]]) -> None:
        before = self._disk.stored
        try:
            self._disk.write([line for line, _ in items])
        except OSError as error:
            self._failed(error, items[self._disk.stored - before :])
        else:
            self._failing = False

    def _failed(self, error: OSError, items: Iterable[tuple[bytes, int]]) -> None:
        """Tell it once, and go on trying with what comes."""
        self.errors += 1
        for _, missing in items:
            self._lost += missing or 1
            with self._lock:
                self.dropped += not missing
        if not self._failing:
            self._failing = True
            self.log.error(
                "the journal {path} cannot be written ({why}); lines are lost until it can",
                path=self.path,
                why=error.strerror,
            )
