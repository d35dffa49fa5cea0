"""Where replies end: any value of RESP2 and RESP3, nested or streamed, without recursion."""

from __future__ import annotations

from txvaurien.errors import FramingError
from txvaurien.protocols.redis.resp import LARGER, SIZES, Reader, number

#: Aggregates may be nested so deep; clients give up long before.
MAX_DEPTH = 512

#: Types that are over at the end of their line.
_LINES = frozenset(b"+-:,#(_")

# The number of values still to come where nobody has said how many: until ``.``
# ends an aggregate, or an empty chunk ends a string. Far from any real count.
_STREAMED = 1 << 62
_CHUNKS = 1 << 70


class Replies(Reader):
    """What a server says: any value of RESP2 and RESP3, nested or streamed."""

    __slots__ = ("left", "line", "outer")

    def __init__(self) -> None:
        super().__init__()
        #: Values still to come at this level, and at the levels around it.
        self.left = 0
        self.outer: list[int] = []
        #: The end of a line is searched for.
        self.line = False

    def scan(self) -> bool:
        if self.fresh:
            self.fresh = False
            self.left = 1
        if self.line and not self._end_of_line():
            return False
        data, at, left = self.data, self.at, self.left
        size = len(data)
        while True:
            while not left:
                if not self.outer:
                    self.at, self.left = at, left
                    return at <= size
                left = self.outer.pop()
            step = SIZES.get(data[at : at + 4]) or LARGER.get(data[at : at + 5])
            if step is not None:
                at += step
                left -= 1
                continue
            self.at, self.left = at, left
            if at >= size:
                return False
            if data[at] not in _LINES:
                if not self._compound(at):
                    return False
                at, left = self.at, self.left
                continue
            end = data.find(b"\r\n", at + 1)
            if end < 0:
                self.line = True
                self.at = at + 1
                return self._end_of_line()
            at = end + 2
            left -= 1

    def _end_of_line(self) -> bool:
        data = self.data
        end = data.find(b"\r\n", self.at)
        if end < 0:
            # Half of the line's end may have come.
            self.at = max(self.at, len(data) - data.endswith(b"\r"))
            return False
        self.line = False
        self.at = end + 2
        self.left -= 1
        return True

    def _compound(self, at: int) -> bool:
        """Take the header of anything that is more than a line; false if it has not come."""
        end = self._header(at)
        if end < 0:
            return False
        self.at = end + 2
        try:
            self._begin(self.data[at], self.data[at + 1 : end])
        except FramingError:
            self.at = at
            raise
        return True

    def _begin(self, kind: int, field: bytes) -> None:
        if kind in b"$!=":
            self._string(kind, field)
        elif kind in b"*~>%":
            self._aggregate(kind, field)
        elif kind == 124:
            # An attribute is not a value of its own: it goes before one.
            self.left += 2 * _length(field)
        elif kind == 59:
            self._chunk(field)
        elif kind == 46 and not field and _STREAMED // 2 < self.left < _CHUNKS // 2:
            self.left = 0
        else:
            raise FramingError(f"what begins with {chr(kind)!r} is not a reply")

    def _string(self, kind: int, field: bytes) -> None:
        if field == b"?" and kind == 36:
            self._open(_CHUNKS)
            return
        size = number(field)
        if size < -1:
            raise FramingError(f"invalid bulk length {size}")
        self.left -= 1
        if size >= 0:
            self.at += size + 2

    def _aggregate(self, kind: int, field: bytes) -> None:
        if field == b"?" and kind != 62:
            self._open(_STREAMED)
            return
        count = number(field)
        if count < -1:
            raise FramingError(f"invalid multibulk length {count}")
        if kind == 62 and self.outer:
            # Redis 7.0 puts a message into the reply to EXEC if that publishes to its own client.
            self.left += 1
        if count > 0:
            self._open(2 * count if kind == 37 else count)
        else:
            self.left -= 1

    def _chunk(self, field: bytes) -> None:
        if self.left < _CHUNKS // 2:
            raise FramingError("a chunk that belongs to no streamed string")
        size = _length(field)
        if size:
            self.at += size + 2
        else:
            self.left = 0

    def _open(self, count: int) -> None:
        if len(self.outer) >= MAX_DEPTH:
            raise FramingError(f"a reply nested deeper than {MAX_DEPTH} levels")
        self.outer.append(self.left - 1)
        self.left = count


def _length(field: bytes) -> int:
    length = number(field)
    if length < 0:
        raise FramingError(f"invalid length {length}")
    return length
