"""corrupt: some bytes are changed."""

from __future__ import annotations

import math
import random
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from twisted.internet.interfaces import IReactorTime

from txvaurien.toxics.base import Out, Stage, Toxic

#: A gap that no stream is long enough for.
_ENDLESS = 2**62


class CorruptStage(Stage):
    """Changes bytes, so many in the mean, at random places.

    Drawn is how many bytes stay whole until the next one is hit (a geometric distribution),
    not each byte's fate: what is hit costs, the rest does not. The count goes on from piece to
    piece, so that how a stream is split has no effect on where it is hit.
    """

    __slots__ = ("_gap",)

    toxic: Corrupt

    def __init__(self, toxic: Corrupt, out: Out, clock: IReactorTime, random: random.Random) -> None:
        super().__init__(toxic, out, clock, random)
        self._gap = self._draw()

    def data(self, data: bytes) -> None:
        size = len(data)
        if self._gap < size:
            data = self._changed(data)
        self._gap -= size
        self.out.data(data)

    def update(self, toxic: Any) -> None:
        super().update(toxic)
        # The rate has no memory, so the way to the next hit can be drawn anew at any byte.
        self._gap = self._draw()

    def _changed(self, data: bytes) -> bytes:
        changed = bytearray(data)
        while self._gap < len(data):
            changed[self._gap] ^= self.random.randint(1, 255)
            self._gap += 1 + self._draw()
        return bytes(changed)

    def _draw(self) -> int:
        """How many bytes stay whole until the next hit."""
        rate = self.toxic.rate
        if rate in (0.0, 1.0):
            return 0 if rate else _ENDLESS
        gap = math.log(1.0 - self.random.random()) / math.log1p(-rate)
        return int(min(gap, _ENDLESS))


class Corrupt(Toxic, frozen=True, kw_only=True):
    """Change bytes at random places: each that is hit becomes another one. The length stays."""

    name: ClassVar[str] = "corrupt"
    stages: ClassVar[type[Stage]] = CorruptStage

    rate: Annotated[
        float, Meta(ge=0, le=1, description="the share of bytes that are changed, from 0 to 1")
    ] = 0.001
