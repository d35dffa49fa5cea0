"""blackout: nobody is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta
from zope.interface import implementer

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.interfaces import IStanding
from txvaurien.model import Side

if TYPE_CHECKING:
    from txvaurien.link import Link


@implementer(IStanding)
class Blackout(Behavior, frozen=True, kw_only=True):
    """Close the client's connection at once: when it connects, and at its next message."""

    name: ClassVar[str] = "blackout"

    reset: Annotated[bool, Meta(description="close with RST rather than FIN")] = False
    existing: Annotated[
        bool,
        Meta(description="close the links that stand when it is set, too, without waiting for a message"),
    ] = False

    def on_connect(self, exchange: LiveExchange) -> bool:
        return self._cut(exchange)

    def on_before_handle(self, exchange: LiveExchange) -> bool:
        return self._cut(exchange)

    def on_activate(self, link: Link) -> None:
        """Close a link that was there before, if so wanted."""
        if self.existing:
            (link.reset if self.reset else link.close)()

    def _cut(self, exchange: LiveExchange) -> bool:
        (exchange.reset if self.reset else exchange.close)(Side.CLIENT)
        return False
