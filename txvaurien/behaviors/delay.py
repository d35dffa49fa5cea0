"""delay: the answer comes late."""

from __future__ import annotations

import random
from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.model import Hook
from txvaurien.options import DAY, SECONDS
from txvaurien.planning.distributions import Distribution, draw_wait
from txvaurien.protocols.base import WireProtocol


class Delay(Behavior, frozen=True, kw_only=True):
    """Wait, before or after the backend is called. Other links are not held up."""

    name: ClassVar[str] = "delay"

    sleep: Annotated[float, SECONDS, Meta(ge=0, le=DAY, description="seconds to wait")] = 1.0
    before: Annotated[
        bool,
        Meta(
            description="true: wait before the backend is called; false: after it has answered,"
            " before the client gets the reply"
        ),
    ] = True
    jitter: Annotated[
        float, SECONDS, Meta(ge=0, le=DAY, description="seconds by which the wait may differ from sleep")
    ] = 0.0
    distribution: Annotated[
        Distribution,
        Meta(
            description="how the jitter is drawn: uniform (sleep - jitter to sleep + jitter), normal"
            " (jitter is the standard deviation), pareto (sleep plus a long tail with mean jitter)"
        ),
    ] = "uniform"

    def acts(self, protocol: WireProtocol) -> frozenset[Hook]:
        return frozenset({Hook.BEFORE if self.before else Hook.BETWEEN})

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        await exchange.sleep(self.wait(exchange.random))
        return True

    async def on_between_handle(self, exchange: LiveExchange) -> bool:
        started = exchange.response_started()
        if started is not None:
            await started
        await exchange.sleep(self.wait(exchange.random))
        return True

    def wait(self, draws: random.Random) -> float:
        """How long to wait this time, in seconds; never less than 0."""
        return draw_wait(draws, self.sleep, self.jitter, self.distribution)
