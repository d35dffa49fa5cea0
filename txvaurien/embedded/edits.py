"""Plain functions as behaviors."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.model import Hook
from txvaurien.protocols.base import WireProtocol


class Edited(Behavior, frozen=True, kw_only=True):
    """Pass requests, or replies, through a function."""

    name: ClassVar[str] = "edited"

    edit: Annotated[Any, Meta(description="from bytes to bytes")]
    side: Annotated[Literal["request", "response"], Meta(description="what is passed through it")]

    def acts(self, protocol: WireProtocol) -> frozenset[Hook]:
        """Before the backend, or between its work and the client."""
        del protocol
        return frozenset({Hook.BEFORE if self.side == "request" else Hook.BETWEEN})

    def on_before_handle(self, exchange: LiveExchange) -> bool:
        exchange.edit_request(self.edit)
        return True

    def on_between_handle(self, exchange: LiveExchange) -> bool:
        exchange.edit_response(self.edit)
        return True
