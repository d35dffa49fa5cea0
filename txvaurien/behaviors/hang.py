"""hang: the server takes what is sent and says nothing."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.options import DAY, SECONDS


class Hang(Behavior, frozen=True, kw_only=True):
    """Take what is sent and never answer, until the rule is removed or the client goes.

    When the rule is removed, what was held goes on to the backend.
    """

    name: ClassVar[str] = "hang"

    timeout: Annotated[
        float, SECONDS, Meta(ge=0, le=DAY, description="seconds after which the link is closed; 0 for never")
    ] = 0.0

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        time_is_up = await exchange.sleep(self.timeout or None, leave_on_fin=True)
        if time_is_up:
            exchange.close()
            return False
        return True
