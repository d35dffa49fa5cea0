"""The state of one HTTP/1 connection: messages in both directions, paired in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from txvaurien.errors import NotLegal
from txvaurien.model import Direction, Exchange, Frame, Refusal, Then
from txvaurien.protocols.base import Session
from txvaurien.protocols.http.half import Half
from txvaurien.protocols.http.messages import Request
from txvaurien.protocols.http.refusals import CLOSING, KINDS, answer
from txvaurien.protocols.http.replies import Replies
from txvaurien.protocols.http.requests import Requests

if TYPE_CHECKING:
    from txvaurien.protocols.http import Http

#: Looked up for each read: a member of an enumeration is slow to find.
_UP = Direction.TO_BACKEND


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
        self._requests = Requests(self)
        self._replies = Replies(self)
        self.edits = options.overwrite_host_header or not options.keep_alive

    @property
    def host(self) -> bytes:
        """What Host is made, ``b""`` to leave it alone."""
        return self.backend.encode() if self.options.overwrite_host_header else b""

    def receive(self, direction: Direction, data: bytes) -> Iterable[Frame]:
        return (self._requests if direction is _UP else self._replies).receive(data)

    def finish(self, direction: Direction) -> Iterator[Frame]:
        return self._half(direction).finish()

    def rest(self, direction: Direction) -> bytes:
        return self._half(direction).take()

    def _half(self, direction: Direction) -> Half:
        return self._requests if direction is _UP else self._replies

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
