"""How far a body reaches: by its length, in chunks, or until the connection ends.

A body reader looks at bytes and says how many of them belong to the body. It
keeps nothing of what it has seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

#: What a reader looks at: bytes as they came, or what was kept of them.
Buffer = bytes | bytearray

#: The longest chunk-size line (extensions included) and the longest trailer field, in bytes.
LINE_LIMIT = 16 * 1024

#: The largest trailer section, in bytes.
TRAILER_LIMIT = 64 * 1024

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?\r?", re.DOTALL)


class Body(Protocol):
    """What follows a head, as long as it lasts."""

    #: The body is complete.
    done: bool
    #: Why it cannot be followed, in words for the log; ``""`` as long as it can.
    fault: str

    def take(self, data: Buffer, at: int) -> int:
        """Look at ``data[at:]`` and return up to where it is of this body and may go on.

        What lies beyond that is a line that is not complete yet, if the body is
        neither done nor faulty; it is to be shown again when there is more.
        """


class SizedBody:
    """A body whose length is known (RFC 9112 section 6.2)."""

    __slots__ = ("done", "fault", "left")

    def __init__(self, size: int) -> None:
        #: How many bytes of it have not come.
        self.left = size
        self.done = False
        self.fault = ""

    def take(self, data: Buffer, at: int) -> int:
        step = min(self.left, len(data) - at)
        self.left -= step
        self.done = not self.left
        return at + step


class EndlessBody:
    """A body that lasts until the server closes (RFC 9112 section 6.3, case 8)."""

    __slots__ = ("done", "fault")

    def __init__(self) -> None:
        self.done = False
        self.fault = ""

    def take(self, data: Buffer, at: int) -> int:
        return len(data)


class ChunkedBody:
    """A body in chunks, with extensions and trailers (RFC 9112 section 7.1).

    Lines may end with a bare LF, as lenient servers take them.
    """

    __slots__ = ("_left", "_line", "_trailers", "done", "fault")

    def __init__(self) -> None:
        self._left = 0
        self._trailers = 0
        self._line: Callable[[bytes], None] = self._size_line
        self.done = False
        self.fault = ""

    def take(self, data: Buffer, at: int) -> int:
        while not (self.done or self.fault):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                if self._left:
                    break
            newline = data.find(b"\n", at, at + LINE_LIMIT)
            if newline < 0:
                if len(data) - at >= LINE_LIMIT:
                    self.fault = f"a line of a chunked body is longer than {LINE_LIMIT} bytes"
                break
            self._line(bytes(data[at:newline]))
            if not self.fault:
                at = newline + 1
        return at

    def _size_line(self, line: bytes) -> None:
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            self.fault = "a chunk does not begin with its size"
            return
        self._left = int(match[1], 16)
        self._line = self._data_end if self._left else self._trailer_line

    def _data_end(self, line: bytes) -> None:
        if line not in {b"", b"\r"}:
            self.fault = "a chunk is longer than its size"
        self._line = self._size_line

    def _trailer_line(self, line: bytes) -> None:
        self._trailers += len(line) + 1
        if line in {b"", b"\r"}:
            self.done = True
        elif self._trailers > TRAILER_LIMIT:
            self.fault = f"the trailers are longer than {TRAILER_LIMIT} bytes"
