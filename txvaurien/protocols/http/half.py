"""One direction of an HTTP/1 connection: bytes to frames.

A message that arrives whole, with a plain head, as most do, is given out without a generator; the head
that came last is remembered, because on a kept connection the next is often the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from txvaurien.errors import FramingError
from txvaurien.model import Exchange, Frame
from txvaurien.protocols.http.bodies import Body, Buffer, ChunkedBody, SizedBody
from txvaurien.protocols.http.framing import HeadFinder
from txvaurien.protocols.http.plain import CHUNKED, Plain

if TYPE_CHECKING:
    from txvaurien.protocols.http.session import HttpSession

#: No head that is longer is remembered: idle links have it, too.
REMEMBERED = 1024


class Half(ABC):
    """One direction: what has arrived and was not given out, and the message that it is in."""

    __slots__ = ("_at", "_body", "_data", "_heads", "_last", "_pending", "exchange", "fault", "session")

    def __init__(self, session: HttpSession, heads: HeadFinder) -> None:
        self.session = session
        self._pending = session.pending
        self._heads = heads
        #: The plain head that came last, and the size of its body.
        self._last: Plain | None = None
        self._data: Buffer = b""
        self._at = 0
        #: The message that is not complete, and what is left of its body.
        self.exchange: Exchange | None = None
        self._body: Body | None = None
        #: Why what comes after this cannot be followed.
        self.fault = ""

    def receive(self, data: bytes) -> Iterable[Frame]:
        """Take bytes, give frames."""
        if self._data or self.fault:
            self._feed(data)
            return self._frames()
        if self.exchange is not None:
            piece = self._piece(data)
            if piece is not None:
                return (piece,)
            self._feed(data)
            return self._frames()
        plain = self._plain(data, 0)
        if plain is not None and len(data) == len(plain[0]) + plain[1] and not self.session.edits:
            return (self._whole(data, plain),)
        self._feed(data)
        return self._frames(plain, True)

    def _plain(self, data: Buffer, at: int) -> Plain | None:
        """The plain head at ``data[at]``, with the size of its body; None if it has to be looked for."""
        last = self._last
        if last is not None and data.startswith(last[0], at):
            return last
        plain = self._read_plain(data, at)
        if plain is not None and len(plain[0]) <= REMEMBERED:
            self._last = plain
        return plain

    def _piece(self, data: bytes) -> Frame | None:
        """What came is a piece of a body, and nothing else; None if that is not plain to see."""
        body, exchange = self._body, self.exchange
        if not isinstance(body, SizedBody) or not 0 < len(data) <= body.left or self.session.edits:
            return None
        body.take(data, 0)
        if body.done:
            self.exchange = self._body = None
        return Frame(data, exchange, False, body.done)

    def _feed(self, data: bytes) -> None:
        """Put new bytes behind those that wait. What flows on at once is never copied."""
        if self._at == len(self._data):
            self._data, self._at = data, 0
            return
        if not isinstance(self._data, bytearray):
            self._data = bytearray(self._data)
        del self._data[: self._at]
        self._data += data
        self._at = 0

    def take(self, end: int | None = None) -> bytes:
        """Hand out the bytes up to `end`, or all of them."""
        end = len(self._data) if end is None else end
        at, self._at = self._at, end
        return bytes(self._data[at:end])

    def _frames(self, plain: Plain | None = None, looked: bool = False) -> Iterator[Frame]:
        """Give out what can be given out. A frame is a head with what is there of its body.

        :param plain: the head that comes next, if it is plain.
        :param looked: whether it was seen if it is.
        """
        while self._at < len(self._data) and not self.fault:
            size = 0
            if first := self.exchange is None:
                if not (looked or self._heads.begun):
                    plain = self._plain(self._data, self._at)
                size = self._open(plain)
                if not size:
                    return
                plain, looked = None, False
            end = self._at + size
            if self._body is not None:
                end = self._body.take(self._data, end)
                self.fault = self.fault or self._body.fault
            if end > self._at:
                yield self._next(end, size, first)
            elif not self.fault:
                return
        if self._at == len(self._data):
            # An idle link does not keep what came last, which may have been large.
            self._data, self._at = b"", 0
        if self.fault:
            raise FramingError(self.fault)

    def _open(self, plain: Plain | None) -> int:
        """Begin a message: the size of its head, 0 if that is not complete."""
        if plain is not None:
            head, size = plain
            self._begin_plain(head, size)
            self._body = ChunkedBody() if size == CHUNKED else SizedBody(size) if size else None
            return len(head)
        end = self._heads.find(self._data, self._at)
        if end < 0:
            return 0
        self._begin(bytes(self._data[self._at : end]))
        return end - self._at

    def _next(self, end: int, size: int, first: bool) -> Frame:
        """The frame up to `end`, of which `size` bytes are a head."""
        exchange = self.exchange
        last = self._body is None or self._body.done
        if last:
            self.exchange = self._body = None
        raw = self.take(end)
        return Frame(raw, exchange, first, last)

    def finish(self) -> Iterator[Frame]:
        """The connection ends: what has begun is over."""
        exchange, self.exchange, self._body = self.exchange, None, None
        if exchange is not None:
            yield Frame(self.take(), exchange, first=False)
        elif self._at < len(self._data):
            raw = self.take()
            yield Frame(raw, self._broken_off(raw))

    @abstractmethod
    def _read_plain(self, data: Buffer, at: int) -> Plain | None:
        """The plain head at ``data[at]``, read anew."""

    @abstractmethod
    def _whole(self, data: bytes, plain: Plain) -> Frame:
        """The frame of a message with a plain head that is complete."""

    @abstractmethod
    def _begin_plain(self, head: bytes, size: int) -> None:
        """A plain head is there: set the exchange."""

    @abstractmethod
    def _begin(self, head: bytes) -> None:
        """A head is complete: set the exchange and the body."""

    @abstractmethod
    def _broken_off(self, head: bytes) -> Exchange:
        """The exchange of a head that will never be complete."""
