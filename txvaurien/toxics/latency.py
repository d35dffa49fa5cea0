"""latency: everything takes longer, and the rate stays."""

from __future__ import annotations

import random
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from twisted.internet.interfaces import IReactorTime

from txvaurien.planning.distributions import Distribution, draw_wait
from txvaurien.toxics.base import DAY_MILLISECONDS, MILLISECOND, HoldingStage, Out, Stage, Toxic


class LatencyStage(HoldingStage):
    """Passes each piece on so much later than it came."""

    __slots__ = ("_wait",)

    toxic: Latency

    def __init__(self, toxic: Latency, out: Out, clock: IReactorTime, random: random.Random) -> None:
        super().__init__(toxic, out, clock, random)
        #: The wait of the first piece, once it is drawn.
        self._wait: float | None = None

    def due(self, came: float, left: int) -> float:
        if self._wait is None:
            self._wait = self.toxic.wait(self.random)
        return came + self._wait

    def portion(self, left: int) -> int:
        self._wait = None
        return left

    def update(self, toxic: Any) -> None:
        self._wait = None
        super().update(toxic)


class Latency(Toxic, frozen=True, kw_only=True):
    """Delay everything, the end of the stream too. The rate is not limited, and the order is kept.

    Each piece is due at its arrival and the wait that is drawn for it. One with a shorter wait
    than that before it goes with that. At most 16 MiB are held in each direction of each link;
    beyond that the sender is read no further, so that the rate is then 16 MiB in a latency.
    """

    name: ClassVar[str] = "latency"
    stages: ClassVar[type[Stage]] = LatencyStage

    latency: Annotated[int, Meta(ge=0, le=DAY_MILLISECONDS, description="milliseconds to wait")] = 0
    jitter: Annotated[
        int,
        Meta(ge=0, le=DAY_MILLISECONDS, description="milliseconds by which the wait may differ from latency"),
    ] = 0
    distribution: Annotated[
        Distribution,
        Meta(
            description="how the jitter is drawn: uniform (latency - jitter to latency + jitter), normal"
            " (jitter is the standard deviation), pareto (latency plus a long tail with mean jitter)"
        ),
    ] = "uniform"

    def wait(self, draws: random.Random) -> float:
        """How long a piece waits, in seconds."""
        return draw_wait(draws, self.latency * MILLISECOND, self.jitter * MILLISECOND, self.distribution)
