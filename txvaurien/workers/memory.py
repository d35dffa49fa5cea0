"""The memory that all processes share: what rules and proxies count, and how many faults stand.

A verdict cannot wait for a message, so what it depends on is in a file without a name
that every process has mapped. Whoever counts for a rule holds a lock on its slot, a
record lock of fcntl(2): the kernel takes it away from a process that dies.

The file is an array of signed 64-bit numbers. Each worker has a row of its own, which
only it writes: the numbers of `Stats`, and the faults that stand on its links. Behind
the rows are the slots, one for each rule at work: matched, fired, capped, misfired.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from dataclasses import fields
from types import TracebackType

from txvaurien.journals.reports import Stats

#: How many workers there may be.
MOST_WORKERS = 64

#: How many rules there may be at one time. Nothing of the file takes room before it is used.
MOST_RULES = 65536

STATS = {field.name: number for number, field in enumerate(fields(Stats))}
ROW = 16
FAULTS = ROW - 1
SLOT = 4
SLOTS = MOST_WORKERS * ROW
WORD = 8

#: Locked for the number of faults. It lies behind everything else.
FAULTS_LOCK = (SLOTS + MOST_RULES * SLOT) * WORD
_SIZE = FAULTS_LOCK + WORD


class Memory:
    """The mapped file.

    :param descriptor: of the file, as `Memory.create` has made it.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = mmap.mmap(descriptor, _SIZE)
        self.words = memoryview(self._map).cast("q")

    @classmethod
    def create(cls) -> Memory:
        """A new file, all zero."""
        made = getattr(os, "memfd_create", None)
        if made is not None:
            descriptor: int = made("txvaurien")
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, _SIZE)
        return cls(descriptor)

    def close(self) -> None:
        """Close the descriptor. What was mapped can still be read."""
        os.close(self.descriptor)

    def stats(self, workers: int) -> Stats:
        """What all workers have counted together."""
        rows = range(0, workers * ROW, ROW)
        return Stats(**{name: sum(self.words[row + at] for row in rows) for name, at in STATS.items()})

    def stats_of(self, worker: int) -> dict[str, int]:
        """What one worker has counted of links that have ended, and its predecessors."""
        row = self.row(worker)
        return {name: self.words[row + at] for name, at in STATS.items()}

    def row(self, worker: int) -> int:
        """Where the row of a worker begins."""
        return worker * ROW

    def faults(self) -> int:
        """How many faults stand at this moment."""
        return sum(self.words[FAULTS:SLOTS:ROW])

    def forget_faults(self, worker: int) -> None:
        """This worker is dead, and its faults with it."""
        self.words[self.row(worker) + FAULTS] = 0


class Lock:
    """A lock on a part of the file. It may be taken again by who has it."""

    __slots__ = ("_depth", "_descriptor", "_length", "_start")

    def __init__(self, memory: Memory, start: int, length: int) -> None:
        self._descriptor = memory.descriptor
        self._start = start
        self._length = length
        self._depth = 0

    def __enter__(self) -> None:
        if not self._depth:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, self._length, self._start)
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, self._length, self._start)
