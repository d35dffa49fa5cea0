"""The state of one HTTP/1 connection: messages in both directions, paired in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from txvaurien.errors import FramingError, NotLegal
from txvaurien.model import Direction, Exchange, Frame, Refusal, Then
from txvaurien.protocols.base import Session
from txvaurien.protocols.http.bodies import Body, Buffer
from txvaurien.protocols.http.framing import (
    HeadFinder,
    RequestHeads,
    ResponseHeads,
    request_body,
    response_body,
)
from txvaurien.protocols.http.messages import Request, Response, with_host, with_only_field, without_field
from txvaurien.protocols.http.refusals import CLOSING, KINDS, answer

if TYPE_CHECKING:
    from txvaurien.protocols.http import Http


class _Half(ABC):
    """One direction: what has arrived and was not given out, and the message that it is in."""

    __slots__ = ("_at", "_body", "_data", "_heads", "exchange", "fault", "session")

    def __init__(self, session: HttpSession, heads: HeadFinder) -> None:
        self.session = session
        self._heads = heads
        self._data: Buffer = b""
        self._at = 0
        #: The message that is not complete, and what is left of its body.
        self.exchange: Exchange | None = None
        self._body: Body | None = None
        #: Why what comes after this cannot be followed.
        self.fault = ""

    def feed(self, data: bytes) -> None:
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

    def frames(self) -> Iterator[Frame]:
        """Give out what can be given out. A frame is a head with what is there of its body."""
        while self._at < len(self._data) and not self.fault:
            size = 0
            if first := self.exchange is None:
                end = self._heads.find(self._data, self._at)
                if end < 0:
                    return
                size = end - self._at
                self._begin(bytes(self._data[self._at : end]))
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
    def _begin(self, head: bytes) -> None:
        """A head is complete: set the exchange and the body."""

    @abstractmethod
    def _broken_off(self, head: bytes) -> Exchange:
        """The exchange of a head that will never be complete."""


class _Requests(_Half):
    """What the client says."""

    __slots__ = ()

    def _begin(self, head: bytes) -> None:
        request = Request(head)
        self._body = request_body(request.head)
        request.has_content = self._body is not None
        self.exchange = Exchange(request, prompt=request.has_content and request.expects_continue)
        self.session.pending.append(self.exchange)

    def _next(self, end: int, size: int, first: bool) -> Frame:
        frame = super()._next(end, size, first)
        if frame.exchange is not None and len(frame.raw) > size:
            # The body comes, whatever the client was told.
            frame.exchange.prompt = False
        if first and self.session.host:
            frame.forward = with_host(frame.raw[:size], self.session.host) + frame.raw[size:]
        return frame

    def _broken_off(self, head: bytes) -> Exchange:
        exchange = Exchange(Request(head, whole=False), replies=bool(head.strip()), handshake=True)
        if exchange.replies:
            self.session.pending.append(exchange)
        return exchange


class _Replies(_Half):
    """What the server says."""

    __slots__ = ("_hidden", "_status")

    def __init__(self, session: HttpSession) -> None:
        super().__init__(session, ResponseHeads())
        self._status = b""
        #: The client must not see this message.
        self._hidden = False

    def _begin(self, head: bytes) -> None:
        response = Response(head)
        self._status = head.split(None, 2)[1][:3]
        if self._is_interim():
            self._begin_interim(response)
            return
        pending = self.session.pending
        exchange = self.exchange = pending.pop(0) if pending else Exchange()
        request = exchange.request
        method = request.method if isinstance(request, Request) else b""
        self._body, response.body_size = response_body(head, self._status, method)
        exchange.response = response
        self.session.answered(exchange)
        self.fault = self._switches_to(response, method)

    def _is_interim(self) -> bool:
        return self._status.startswith(b"1") and self._status != b"101"

    def _begin_interim(self, response: Response) -> None:
        """An interim response is no answer: it stands for itself (RFC 9110 section 15.2)."""
        pending = self.session.pending
        request = pending[0].request if pending else None
        self._hidden = isinstance(request, Request) and request.refused
        if self._status == b"100" and not self._hidden and pending:
            # Told so, the client sends its body: it waits for nothing any more.
            pending[0].prompt = False
        response.body_size = 0
        self.exchange = Exchange(response=response)

    def _switches_to(self, response: Response, method: bytes) -> str:
        """In which protocol the server goes on, in words; ``""`` if it is this one."""
        if self._status == b"101":
            return f"the connection was upgraded to {response.headers.get('upgrade', 'another protocol')}"
        if method == b"CONNECT" and self._status.startswith(b"2"):
            return "the connection was made a tunnel by CONNECT"
        return ""

    def _next(self, end: int, size: int, first: bool) -> Frame:
        frame = super()._next(end, size, first)
        if self._hidden:
            self._hidden = False
            return Frame(frame.raw, None, forward=b"")
        if not (self.session.options.keep_alive or self.fault or self._is_interim()):
            self._say_close(frame, size)
        return frame

    @staticmethod
    def _say_close(frame: Frame, size: int) -> None:
        if frame.first:
            head = without_field(frame.raw[:size], b"Keep-Alive")
            frame.forward = with_only_field(head, b"Connection", b"close") + frame.raw[size:]
        if frame.last:
            frame.then = Then.CLOSE

    def _broken_off(self, head: bytes) -> Exchange:
        pending = self.session.pending
        exchange = pending.pop(0) if pending else Exchange()
        exchange.response = Response(head, whole=False)
        return exchange


class HttpSession(Session):
    """One connection.

    An interim response (100 to 199 without 101) is an exchange without a request, as is
    what a server says before it was asked, such as 408 to an idle connection.
    """

    def __init__(self, options: Http) -> None:
        self.options = options
        #: Requests that have no final response yet, in their order. An empty deque would take
        #: 760 bytes, in every idle link; there are never many of them here.
        self.pending: list[Exchange] = []
        self._requests = _Requests(self, RequestHeads())
        self._replies = _Replies(self)
        self.edits = options.overwrite_host_header or not options.keep_alive

    @property
    def host(self) -> bytes:
        """What Host is made, ``b""`` to leave it alone."""
        return self.backend.encode() if self.options.overwrite_host_header else b""

    def receive(self, direction: Direction, data: bytes) -> Iterator[Frame]:
        half = self._half(direction)
        half.feed(data)
        return half.frames()

    def finish(self, direction: Direction) -> Iterator[Frame]:
        return self._half(direction).finish()

    def rest(self, direction: Direction) -> bytes:
        return self._half(direction).take()

    def _half(self, direction: Direction) -> _Half:
        return self._requests if direction is Direction.TO_BACKEND else self._replies

    def answered(self, exchange: Exchange) -> None:
        """The final response has come.

        If the client waits for 100 Continue with its body, nobody can tell whether it
        sends that now or its next request (RFC 9110 section 10.1.1): clients do both.
        """
        if exchange is self._requests.exchange and exchange.prompt:
            self._requests.fault = "the server answered in place of 100 Continue; what follows is not clear"

    def legal(self, exchange: Exchange) -> Sequence[str]:
        request = exchange.request
        if not isinstance(request, Request) or not request.whole:
            return ()
        return [kind.name for kind in KINDS if kind.name != "413" or request.has_content]

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        request = exchange.request
        if kind not in self.legal(exchange) or not isinstance(request, Request):
            raise NotLegal(f"{kind} cannot be said here")
        close = kind in CLOSING or self._must_close(exchange, request)
        if exchange.sent:
            request.refused = True
        else:
            self.withdraw(exchange)
        said = answer(request, kind, text, close=close, retry_after=self.options.retry_after)
        return Refusal(said, then=Then.CLOSE if close else Then.KEEP)

    def _must_close(self, exchange: Exchange, request: Request) -> bool:
        """Whether the connection cannot be kept after a refusal."""
        if self.closing or not self.options.keep_alive or not request.persistent:
            return True
        # The client will send its body or its next request, and does not say which.
        undecided = exchange.prompt and exchange is self._requests.exchange
        # The backend may speak another protocol from now on.
        return undecided or (exchange.sent and request.switches)

    def withdraw(self, exchange: Exchange) -> None:
        if self.pending and self.pending[-1] is exchange:
            self.pending.pop()
        elif exchange in self.pending:
            self.pending.remove(exchange)
