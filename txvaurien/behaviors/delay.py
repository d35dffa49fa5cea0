"""delay: the answer comes late."""

from __future__ import annotations

import random
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.model import Hook
from txvaurien.options import DAY
from txvaurien.protocols.base import WireProtocol

#: The exponent of the Pareto distribution: most waits short, a few very long ones.
PARETO_SHAPE = 3.0


class Delay(Behavior, frozen=True, kw_only=True):
    """Wait, before or after the backend is called. Other links are not held up."""

    name: ClassVar[str] = "delay"

    sleep: Annotated[float, Meta(ge=0, le=DAY, description="seconds to wait")] = 1.0
    before: Annotated[
        bool,
        Meta(
            description="true: wait before the backend is called; false: after it has answered,"
            " before the client gets the reply"
        ),
    ] = True
    jitter: Annotated[
        float, Meta(ge=0, le=DAY, description="seconds by which the wait may differ from sleep")
    ] = 0.0
    distribution: Annotated[
        Literal["uniform", "normal", "pareto"],
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
        if not self.jitter:
            return self.sleep
        if self.distribution == "uniform":
            drawn = self.sleep + draws.uniform(-self.jitter, self.jitter)
        elif self.distribution == "normal":
            drawn = draws.normalvariate(self.sleep, self.jitter)
        else:
            # paretovariate is 1 and more, with mean shape / (shape - 1).
            drawn = self.sleep + self.jitter * (draws.paretovariate(PARETO_SHAPE) - 1) * (PARETO_SHAPE - 1)
        return min(max(drawn, 0.0), DAY)
