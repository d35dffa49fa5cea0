"""A file of lines that is put aside when it is full."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence

#: Rights of a new file. Journals have no secrets, but names of keys and mailboxes.
_MODE = 0o640

_NEWLINE = 0x0A


class RotatingFile:
    """A file of lines that is put aside when it is full.

    Twisted's LogFile does not know of lines that each file has to begin with, and takes a write
    that a full disk cut short for a whole one.

    :param head: gives the lines that each file begins with.
    :ivar stored: how many lines have been written, those of heads not counted.
    """

    def __init__(self, path: str, max_size: int, keep: int, head: Callable[[], list[bytes]]) -> None:
        self._path = path
        self._max_size = max_size
        self._keep = keep
        self._head = head
        self._file: int | None = None
        self._size = 0
        #: At this size the next file begins; None for never.
        self._full: int | None = None
        #: The file has nothing yet but its head.
        self._fresh = True
        #: A line was cut short.
        self._torn = False
        self.stored = 0

    def open(self) -> None:
        """Open the file, at its end, and write the head.

        :raises OSError: it cannot be done.
        """
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)
        status = os.fstat(self._file)
        regular = stat.S_ISREG(status.st_mode)
        self._size = status.st_size if regular else 0
        self._full = self._max_size if self._max_size and regular else None
        # What crashed may have left half a line.
        self._torn = self._size > 0 and self._last_byte() != b"\n"
        self._fresh = status.st_size == 0
        self._begin()

    def _begin(self) -> None:
        stored = self.stored
        try:
            self._append(self._head())
        except OSError:
            # The next attempt begins with the head again.
            self.close()
            raise
        finally:
            self.stored = stored

    def write(self, lines: Sequence[bytes]) -> None:
        """Write lines, in as many files as it takes.

        :raises OSError: not all of them could be written; `stored` counts those that were.
        """
        done = 0
        while done < len(lines):
            if self._file is None:
                self.open()
            count = self._fitting(lines, done)
            if count:
                self._append(lines[done : done + count])
                self._fresh = False
                done += count
            else:
                self._rotate()

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _fitting(self, lines: Sequence[bytes], done: int) -> int:
        """How many lines go into this file; a line goes into a file of its own if need be."""
        if self._full is None:
            return len(lines) - done
        size = self._size
        for number in range(done, len(lines)):
            size += len(lines[number]) + 1
            if size > self._full:
                return max(number - done, int(self._fresh))
        return len(lines) - done

    def _append(self, lines: Sequence[bytes]) -> None:
        assert self._file is not None
        if self._torn:
            self._size += os.write(self._file, b"\n")
            self._torn = False
        data = memoryview(b"\n".join([*lines, b""]))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        finally:
            self._size += written
            self._torn = written > 0 and data[written - 1] != _NEWLINE
            self.stored += len(lines) if written == len(data) else bytes(data[:written]).count(b"\n")

    def _rotate(self) -> None:
        """Put this file aside, and begin the next."""
        try:
            for number in range(self._keep, 1, -1):
                _rename(f"{self._path}.{number - 1}", f"{self._path}.{number}")
            if self._keep:
                _rename(self._path, f"{self._path}.1")
            else:
                os.unlink(self._path)
        except OSError:
            # Somebody has taken the right to; better a file that is too long than none.
            self._full = self._size + self._max_size
            return
        self.close()
        self.open()

    def _last_byte(self) -> bytes:
        with open(self._path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1)


def _rename(old: str, new: str) -> None:
    if os.path.exists(old):
        os.replace(old, new)
