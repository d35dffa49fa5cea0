"""A behavior that somebody had for Vaurien."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.options import DAY, SECONDS


class Lazy(Behavior, frozen=True, kw_only=True):
    """Rest before the backend is asked."""

    name: ClassVar[str] = "lazy"

    pause: Annotated[float, SECONDS, Meta(ge=0, le=DAY, description="seconds to rest")] = 1.0

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        await exchange.sleep(self.pause)
        return True
