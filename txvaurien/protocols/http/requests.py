"""What the client says on an HTTP/1 connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txvaurien.model import Exchange, Frame
from txvaurien.protocols.http.bodies import Buffer
from txvaurien.protocols.http.framing import RequestHeads, request_body
from txvaurien.protocols.http.half import Half
from txvaurien.protocols.http.messages import Request, with_host
from txvaurien.protocols.http.plain import Plain, plain_request

if TYPE_CHECKING:
    from txvaurien.protocols.http.session import HttpSession


class Requests(Half):
    """What the client says."""

    __slots__ = ()

    def __init__(self, session: HttpSession) -> None:
        super().__init__(session, RequestHeads())

    def _read_plain(self, data: Buffer, at: int) -> Plain | None:
        return plain_request(data, at)

    def _whole(self, data: bytes, plain: Plain) -> Frame:
        head, size = plain
        exchange = Exchange(Request(head, True, size > 0))
        self._pending.append(exchange)
        return Frame(data, exchange)

    def _piece(self, data: bytes) -> Frame | None:
        frame = super()._piece(data)
        if frame is not None and frame.exchange is not None:
            frame.exchange.prompt = False
        return frame

    def _begin_plain(self, head: bytes, size: int) -> None:
        self.exchange = Exchange(Request(head, True, size != 0))
        self._pending.append(self.exchange)

    def _begin(self, head: bytes) -> None:
        request = Request(head)
        self._body = request_body(request.head)
        request.has_content = self._body is not None
        self.exchange = Exchange(request, prompt=request.has_content and request.expects_continue)
        self._pending.append(self.exchange)

    def _next(self, end: int, size: int, first: bool) -> Frame:
        frame = super()._next(end, size, first)
        if frame.exchange is not None and len(frame.raw) > size:
            # The body comes, whatever the client was told.
            frame.exchange.prompt = False
        if first and self.session.host:
            frame.edited = with_host(frame.raw[:size], self.session.host) + frame.raw[size:]
        return frame

    def _broken_off(self, head: bytes) -> Exchange:
        exchange = Exchange(Request(head, whole=False), replies=bool(head.strip()), handshake=True)
        if exchange.replies:
            self._pending.append(exchange)
        return exchange
