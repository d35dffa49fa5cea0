"""Where RESP messages begin and end, found without looking at what they say.

A reader takes the bytes of one direction in any pieces. It keeps what has not
been given out, and how far that was scanned, so nothing is scanned twice. Facts
are from the RESP2 and RESP3 specifications, and for requests from redis-server
(``networking.c``: processInlineBuffer, processMultibulkBuffer), whose leniency
is copied: what ends a bulk string is skipped, not compared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from txvaurien.errors import FramingError
from txvaurien.protocols.redis.inline import split_inline

#: A message is held until it is complete or until so many bytes of it have come.
HEAD_LIMIT = 64 * 1024

#: A length, with its type byte and its end, takes no more bytes than this.
HEADER_LIMIT = 32

# Small commands and values are the hot case. The first four bytes of a header
# tell how long it is and what follows: one look-up in place of find() and int().
_COUNTS = {b"*%d\r\n" % count: count for count in range(1, 10)}
SIZES = {b"$%d\r\n" % size: size + 6 for size in range(10)}
SIZES.update({b"$%d\r" % size: size + 7 for size in range(10, 100)})
#: The same by the first five bytes, for the next larger ones.
LARGER = {b"$%d\r" % size: size + 8 for size in range(100, 1000)}

#: What was given out and has at most so many bytes may as well be kept until more comes.
_SMALL = 256

#: The bytes of a frame, whether it is the first of its message, whether the last.
Piece = tuple[bytes, bool, bool]


class Reader(ABC):
    """One direction. `data` from `start` on has not been given out; `at` is how far it was scanned."""

    __slots__ = ("at", "cut", "data", "fresh", "start")

    def __init__(self) -> None:
        self.data = b""
        self.start = 0
        #: May lie behind the end of `data`, when a bulk string that is to be skipped does.
        self.at = 0
        #: Nothing of the message at `start` has been scanned.
        self.fresh = True
        #: The head of the message has been given out already.
        self.cut = False

    @property
    def idle(self) -> bool:
        """Whether all that arrived was given out, as whole messages."""
        return self.fresh and self.start == len(self.data)

    def push(self, data: bytes) -> None:
        """Take bytes that arrived."""
        # A header may be half scanned when the bytes before it were cut off as a head.
        base = self.start if self.start < self.at else self.at
        self.data = self.data[base:] + data if base < len(self.data) else data
        self.start -= base
        self.at -= base

    def forget(self) -> None:
        """Keep nothing of what was given out: a link may be idle now, and the last data large."""
        if self.start > _SMALL:
            self.push(b"")

    def rest(self) -> bytes:
        """What arrived and was not given out."""
        return self.data[self.start :]

    def unread(self, size: int) -> None:
        """Take back the first piece of a message, of `size` bytes."""
        self.start -= size
        self.cut = self.fresh = False

    @abstractmethod
    def scan(self) -> bool:
        """Go on scanning; whether the message at `start` is complete, and so ends at `at`.

        :raises FramingError: this is not RESP; `at` is where.
        """

    def piece(self, complete: bool) -> Piece | None:
        """The next frame of the message at `start`.

        That is all of it, or its first `HEAD_LIMIT` bytes, then what has come of
        the rest. None while there is nothing to give out.
        """
        start = self.start
        if self.cut:
            end = min(self.at, len(self.data))
            if end <= start and not complete:
                return None
        elif complete and self.at - start <= HEAD_LIMIT:
            end = self.at
        elif len(self.data) - start < HEAD_LIMIT:
            return None
        else:
            end, complete = start + HEAD_LIMIT, False
        first = not self.cut
        self.cut = not complete
        self.fresh = complete
        self.start = end
        return self.data[start:end], first, complete

    def before_error(self) -> Iterator[Piece]:
        """After an error: what would have been given out before it, had it come in small pieces."""
        while self.at > self.start and (self.cut or self.at - self.start >= HEAD_LIMIT):
            piece = self.piece(False)
            if piece is None:
                return
            yield piece

    def last_piece(self) -> Piece | None:
        """All that is left, although it is no whole message."""
        raw, first = self.rest(), not self.cut
        self.start = len(self.data)
        self.cut = False
        return (raw, first, True) if raw or not first else None

    def _header(self, at: int) -> int:
        """Where the line of the header at `at` ends; -1 if it has not come."""
        end = self.data.find(b"\r\n", at + 1, at + HEADER_LIMIT)
        if end < 0 and len(self.data) - at >= HEADER_LIMIT:
            raise FramingError(f"a length of more than {HEADER_LIMIT} bytes")
        return end


class Requests(Reader):
    """What a client says: arrays of bulk strings, and inline commands."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        super().__init__()
        self.left = 0

    def scan(self) -> bool:
        data, at, left = self.data, self.at, self.left
        if self.fresh:
            count = _COUNTS.get(data[at : at + 4])
            # Behind the beginning of an inline command, which was scanned before, it is a word.
            if count is not None and at == self.start:
                at += 4
                left = count
            elif self._begin():
                at, left = self.at, self.left
            else:
                return False
            self.fresh = False
        while left:
            size = SIZES.get(data[at : at + 4]) or LARGER.get(data[at : at + 5])
            if size is None:
                size = self._bulk(at)
                if not size:
                    break
            at += size
            left -= 1
        self.at, self.left = at, left
        return not left and at <= len(data)

    def _begin(self) -> bool:
        start = self.start
        if start >= len(self.data):
            return False
        if self.data[start] != 42:
            return self._inline()
        end = self._header(start)
        if end < 0:
            return False
        count = number(self.data[start + 1 : end])
        if count > 0x7FFFFFFF:
            raise FramingError(f"invalid multibulk length {count}")
        # A count of zero or less is no command, and is not answered.
        self.at, self.left = end + 2, max(count, 0)
        return True

    def _inline(self) -> bool:
        data, start = self.data, self.start
        end = data.find(b"\n", self.at, start + HEAD_LIMIT)
        if end < 0:
            if len(data) - start >= HEAD_LIMIT:
                raise FramingError("too big inline request")
            if data.find(b"\0", self.at) >= 0:
                raise FramingError("neither RESP nor an inline command (TLS?)")
            self.at = len(data)
            return False
        split_inline(data[start:end])
        self.at, self.left = end + 1, 0
        return True

    def _bulk(self, at: int) -> int:
        """How many bytes the bulk string at `at` takes; 0 if its header has not come."""
        self.at = at
        if at >= len(self.data):
            return 0
        if self.data[at] != 36:
            raise FramingError(f"expected '$', got {chr(self.data[at])!r}")
        end = self._header(at)
        if end < 0:
            return 0
        size = number(self.data[at + 1 : end])
        if size < 0:
            raise FramingError(f"invalid bulk length {size}")
        return end - at + size + 4


def number(field: bytes) -> int:
    """A length, or a count, or -1. int() takes more than RESP does: spaces, underscores, a plus sign."""
    if not (field.isdigit() or (field[:1] == b"-" and field[1:].isdigit())):
        raise FramingError("what stands there is not a length")
    return int(field)
