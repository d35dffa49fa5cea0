"""Streams that do not pass through Python: socket to pipe to socket, in the kernel (splice(2))."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

#: How much a pipe holds where the kernel allows it, in bytes; 64 KiB where not.
PIPE_SIZE = 1 << 20

#: How many pipes are kept for the next stream.
POOL_SIZE = 8

#: Whether this system and this Python can do it.
POSSIBLE = hasattr(os, "splice")


class KernelPipe:
    """A pipe of the kernel, and how many bytes are in it."""

    __slots__ = ("held", "reader", "writer")

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.held = 0
        # What all pipes of a user take together is limited; 64 KiB will do then.
        with suppress(OSError):
            fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)

    def take(self, source: int) -> int:
        """Move what has come at a socket into the pipe; 0 at its end.

        :raises BlockingIOError: nothing has come.
        """
        count = os.splice(source, self.writer, PIPE_SIZE, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)
        self.held += count
        return count

    def give(self, sink: int) -> bool:
        """Move what the pipe holds into a socket; whether that was all.

        :raises OSError: the peer of that socket has reset the connection.
        """
        with suppress(BlockingIOError):
            while self.held:
                flags = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE
                self.held -= os.splice(self.reader, sink, self.held, flags=flags)
        return not self.held

    def close(self) -> None:
        """Throw it away, with what it holds."""
        os.close(self.reader)
        os.close(self.writer)


class PipePool:
    """A few pipes, for many streams one after the other: making one costs more than a splice."""

    def __init__(self) -> None:
        self._free: list[KernelPipe] = []

    def take(self) -> KernelPipe:
        """An empty pipe.

        :raises OSError: there are no descriptors left.
        """
        return self._free.pop() if self._free else KernelPipe()

    def give_back(self, pipe: KernelPipe) -> None:
        """It is needed no more."""
        if pipe.held or len(self._free) >= POOL_SIZE:
            pipe.close()
        else:
            self._free.append(pipe)

    def close(self) -> None:
        """Nobody needs any."""
        while self._free:
            self._free.pop().close()
