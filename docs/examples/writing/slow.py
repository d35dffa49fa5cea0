"""The smallest behavior that can be used."""

from __future__ import annotations

from typing import ClassVar

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange


class Slow(Behavior, frozen=True, kw_only=True):
    """Wait half a second before the backend is asked."""

    name: ClassVar[str] = "slow"

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        await exchange.sleep(0.5)
        return True
