"""truncate: the reply stops short, and the connection ends there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.model import Cut, Message, Then


class Truncate(Behavior, frozen=True, kw_only=True):
    """Let the backend answer, cut the reply after a part of it, and end the connection.

    Where the reply announces its size (Content-Length), `share` is of its content, and the
    head comes whole. Where it does not (chunks, protocols without heads), `share` is of the
    first piece of content that the backend sends. At least one byte is missing then. `keep`
    goes before `share`, and leaves replies alone that are not longer.

    A reply that lasts until the connection ends (in http, one with neither a length nor
    chunks) looks complete after a FIN, only shorter: `reset` is what a client can tell from its end.
    """

    name: ClassVar[str] = "truncate"

    share: Annotated[
        float,
        Meta(ge=0, le=1, description="the part of the content that the client gets, from 0 to 1"),
    ] = 0.5
    keep: Annotated[
        int,
        Meta(ge=0, le=2**53, description="bytes that the client gets, the head included; 0 to go by share"),
    ] = 0
    reset: Annotated[
        bool,
        Meta(description="end with RST, which no client takes for the end of the reply, rather than FIN"),
    ] = False

    def on_between_handle(self, exchange: LiveExchange) -> bool:
        exchange.edit_response(Shears(self, exchange))
        return True


class Shears:
    """Cuts one reply. An edit, as `IExchange.edit_response` takes it."""

    def __init__(self, options: Truncate, exchange: LiveExchange) -> None:
        self._share = options.share
        self._then = Then.RESET if options.reset else Then.CLOSE
        self._exchange = exchange
        self._passed = 0
        #: How many bytes of the reply may pass; None as long as that cannot be told.
        self._keep = options.keep or None

    def __call__(self, frame: bytes) -> bytes | Cut:
        before = self._passed
        self._passed += len(frame)
        if self._keep is None:
            self._keep = self._measure(self._exchange.response or Message())
        if self._keep is None or self._passed < self._keep:
            return frame
        return Cut(frame[: self._keep - before], self._then)

    def _measure(self, reply: Message) -> int | None:
        """How many bytes of this reply may pass, None if its content has not begun."""
        head, body = reply.head_size, reply.body_size
        if body == 0:
            # There is nothing but a head to cut.
            return self._part_of(head)
        if body is not None:
            return head + self._part_of(body)
        begun = self._passed - head
        return head + self._part_of(begun) if begun > 0 else None

    def _part_of(self, size: int) -> int:
        return min(int(self._share * size), size - 1)
