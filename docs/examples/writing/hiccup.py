"""A toxic that holds bytes: now and then nothing comes for a while."""

from __future__ import annotations

import random
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from twisted.internet.interfaces import IReactorTime

from txvaurien.toxics.base import DAY_MILLISECONDS, MILLISECOND, HoldingStage, Out, Stage, Toxic


class HiccupStage(HoldingStage):
    """Says when each piece may go. To keep the pieces, and their order, is what it has inherited."""

    __slots__ = ("_wait",)

    toxic: Hiccup

    def __init__(self, toxic: Hiccup, out: Out, clock: IReactorTime, random: random.Random) -> None:
        super().__init__(toxic, out, clock, random)
        #: How long the first piece waits, in seconds; None until that is drawn.
        self._wait: float | None = None

    def due(self, came: float, left: int) -> float:
        if self._wait is None:
            hit = self.random.random() < self.toxic.share
            self._wait = self.toxic.pause * MILLISECOND if hit else 0.0
        return came + self._wait

    def portion(self, left: int) -> int:
        self._wait = None
        return left

    def update(self, toxic: Any) -> None:
        self._wait = None
        super().update(toxic)


class Hiccup(Toxic, frozen=True, kw_only=True):
    """Hold some pieces for a while, and all that come after them."""

    name: ClassVar[str] = "hiccup"
    stages: ClassVar[type[Stage]] = HiccupStage

    share: Annotated[float, Meta(ge=0, le=1, description="the share of pieces, from 0 to 1")] = 0.1
    pause: Annotated[
        int, Meta(ge=0, le=DAY_MILLISECONDS, description="milliseconds that such a piece is held")
    ] = 500
