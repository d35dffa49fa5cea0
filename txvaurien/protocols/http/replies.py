"""What the server says on an HTTP/1 connection, and which request it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txvaurien.model import Exchange, Frame, Then
from txvaurien.protocols.http.bodies import Buffer
from txvaurien.protocols.http.framing import ResponseHeads, response_body
from txvaurien.protocols.http.half import Half
from txvaurien.protocols.http.messages import BARING, Request, Response, with_only_field, without_field
from txvaurien.protocols.http.plain import CHUNKED, Plain, plain_response

if TYPE_CHECKING:
    from txvaurien.protocols.http.session import HttpSession


class Replies(Half):
    """What the server says."""

    __slots__ = ("_hidden", "_status")

    def __init__(self, session: HttpSession) -> None:
        super().__init__(session, ResponseHeads())
        self._status = b""
        #: The client must not see this message.
        self._hidden = False

    def _plain(self, data: Buffer, at: int) -> Plain | None:
        pending = self._pending
        request = pending[0].request if pending else None
        if not isinstance(request, Request) or request.head.startswith(BARING):
            return None
        return super()._plain(data, at)

    def _read_plain(self, data: Buffer, at: int) -> Plain | None:
        return plain_response(data, at)

    def _whole(self, data: bytes, plain: Plain) -> Frame:
        exchange = self._pending.pop(0)
        exchange.response = Response(*plain)
        if exchange.prompt:
            self.session.answered(exchange)
        return Frame(data, exchange)

    def _begin_plain(self, head: bytes, size: int) -> None:
        exchange = self.exchange = self._pending.pop(0)
        exchange.response = Response(head, None if size == CHUNKED else size)
        # Its digits are where they always are in a plain head.
        self._status = head[9:12]
        self.session.answered(exchange)

    def _begin(self, head: bytes) -> None:
        response = Response(head)
        self._status = head.split(None, 2)[1][:3]
        if self._is_interim():
            self._begin_interim(response)
            return
        pending = self._pending
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
        pending = self._pending
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
            return Frame(frame.raw, None, edited=b"")
        if not (self.session.options.keep_alive or self.fault or self._is_interim()):
            self._say_close(frame, size)
        return frame

    @staticmethod
    def _say_close(frame: Frame, size: int) -> None:
        if frame.first:
            head = without_field(frame.raw[:size], b"Keep-Alive")
            frame.edited = with_only_field(head, b"Connection", b"close") + frame.raw[size:]
        if frame.last:
            frame.then = Then.CLOSE

    def _broken_off(self, head: bytes) -> Exchange:
        pending = self._pending
        exchange = pending.pop(0) if pending else Exchange()
        exchange.response = Response(head, whole=False)
        return exchange
