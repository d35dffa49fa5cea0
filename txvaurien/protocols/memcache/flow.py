"""The bytes of one direction: what has arrived, and how far it was given out."""

from __future__ import annotations

from txvaurien.model import Exchange

#: How many bytes of a text line are held until its end has come. memcached itself
#: gives up after 2 KB, except for a ``get`` of many keys, which it takes at any length.
LINE_LIMIT = 65_536

#: For `Flow.left`: the message ends with the next newline, wherever that is.
UNTIL_NEWLINE = -1


class Flow:
    """Holds the head of a message until it is complete, and nothing of its body.

    A head that is still short is put away in pieces, which are joined only when it
    can be complete: with the next newline (if `lines`), or at `need` bytes.
    """

    __slots__ = ("_held", "_lines", "_size", "at", "buffer", "exchange", "left", "need")

    def __init__(self, *, lines: bool) -> None:
        self._lines = lines
        self._held: list[bytes] = []
        self._size = 0
        #: What can be looked at now, from `at` on.
        self.buffer = b""
        self.at = 0
        #: How many bytes must be there before it makes sense to look again.
        self.need = LINE_LIMIT
        #: The exchange whose message is half way, and how many bytes of it (or of
        #: the part of it that has begun) are still to come.
        self.exchange: Exchange | None = None
        self.left = 0

    @property
    def idle(self) -> bool:
        """Whether the next byte begins a message."""
        return self.exchange is None and not self._held and not self.buffer

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived."""
        if self._held:
            self._held.append(data)
            self._size += len(data)
            if self._size < self.need and not (self._lines and b"\n" in data):
                return
            data = self._unhold()
        elif self.at < len(self.buffer):
            data = self.buffer[self.at :] + data
        self.buffer, self.at = data, 0

    def hold(self) -> None:
        """Put away what is not enough; to be called when everything else was given out."""
        if self.at < len(self.buffer):
            rest = self.buffer[self.at :]
            self._held.append(rest)
            self._size = len(rest)
        self.buffer, self.at = b"", 0

    def rest(self) -> bytes:
        """Hand over what was not given out."""
        held = self._unhold() + self.buffer[self.at :]
        self.buffer, self.at = b"", 0
        return held

    def line(self) -> bytes | None:
        """The line that begins here, newline included; None if it does not end within the limit."""
        end = self.buffer.find(b"\n", self.at, self.at + LINE_LIMIT)
        return None if end < 0 else self.buffer[self.at : end + 1]

    def size(self) -> int:
        """How many bytes can be looked at."""
        return len(self.buffer) - self.at

    def advance(self) -> None:
        """Go over as much of the message as is here."""
        if self.left == UNTIL_NEWLINE:
            end = self.buffer.find(b"\n", self.at)
            self.left = 0 if end >= 0 else UNTIL_NEWLINE
            self.at = end + 1 if end >= 0 else len(self.buffer)
        else:
            here = min(self.left, len(self.buffer) - self.at)
            self.at += here
            self.left -= here

    def since(self, start: int) -> bytes:
        """What `advance` went over; the same object that arrived, if it was all of it."""
        if start == 0 and self.at == len(self.buffer):
            return self.buffer
        return self.buffer[start : self.at]

    def _unhold(self) -> bytes:
        held = b"".join(self._held)
        self._held.clear()
        return held
