"""blackhole: what passes is lost."""

from __future__ import annotations

import random
from typing import Any, ClassVar

from twisted.internet.interfaces import IReactorTime

from txvaurien.model import Ending
from txvaurien.toxics.base import Out, Stage, Toxic


class BlackholeStage(Stage):
    """Loses bytes, and holds the end."""

    __slots__ = ("_endings",)

    def __init__(self, toxic: Any, out: Out, clock: IReactorTime, random: random.Random) -> None:
        super().__init__(toxic, out, clock, random)
        self._endings: list[Ending] = []

    @property
    def full(self) -> bool:
        """Nothing is held."""
        return False

    def data(self, data: bytes) -> None:
        """It is lost."""

    def end(self, ending: Ending) -> None:
        self._endings.append(ending)

    def release(self) -> None:
        endings = self._endings
        self.drop()
        for ending in endings:
            self.out.end(ending)

    def drop(self) -> None:
        self._endings = []


class Blackhole(Toxic, frozen=True, kw_only=True):
    """Lose what passes while the toxic is there; the end of the stream is passed on when it is taken away."""

    name: ClassVar[str] = "blackhole"
    stages: ClassVar[type[Stage]] = BlackholeStage
