"""abort: the work is done, and nobody learns of it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.model import Side
from txvaurien.options import DAY, SECONDS


class Abort(Behavior, frozen=True, kw_only=True):
    """Give the backend the whole request and cut the client's connection before the reply.

    The backend's connection is kept until it has answered, so that the work is really done.
    """

    name: ClassVar[str] = "abort"

    reset: Annotated[bool, Meta(description="cut with RST rather than FIN")] = False
    wait: Annotated[bool, Meta(description="cut only when the backend has answered in full")] = False
    linger: Annotated[
        float,
        SECONDS,
        Meta(gt=0, le=DAY, description="seconds that the backend's connection is kept at most"),
    ] = 30.0

    async def on_between_handle(self, exchange: LiveExchange) -> bool:
        if self.wait:
            exchange.swallow()
            finished = exchange.response_finished()
            if finished is not None:
                await finished
        (exchange.reset if self.reset else exchange.close)(Side.CLIENT, self.linger)
        return False
