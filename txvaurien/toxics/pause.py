"""pause: a cable that is pulled, and put back."""

from __future__ import annotations

from typing import ClassVar

from txvaurien.toxics.alarm import NEVER
from txvaurien.toxics.base import HoldingStage, Stage, Toxic


class PauseStage(HoldingStage):
    """Holds everything until it is taken away."""

    __slots__ = ()

    def due(self, came: float, left: int) -> float:
        return NEVER


class Pause(Toxic, frozen=True, kw_only=True):
    """Hold everything and lose nothing; let go of it in order when the toxic is taken away.

    At most 16 MiB are held in each direction of each link; then the sender is read no further.
    """

    name: ClassVar[str] = "pause"
    stages: ClassVar[type[Stage]] = PauseStage
