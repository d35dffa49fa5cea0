"""slow_close: the connection stays open for a while after it was ended."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.toxics.base import DAY_MILLISECONDS, MILLISECOND, HoldingStage, Stage, Toxic


class SlowCloseStage(HoldingStage):
    """Passes bytes on at once, and the end later."""

    __slots__ = ()

    toxic: SlowClose

    def due(self, came: float, left: int) -> float:
        return came if left else came + self.toxic.delay * MILLISECOND


class SlowClose(Toxic, frozen=True, kw_only=True):
    """Pass the end of the stream on later than it came: FIN, the closing of the link, and RST alike."""

    name: ClassVar[str] = "slow_close"
    stages: ClassVar[type[Stage]] = SlowCloseStage

    delay: Annotated[
        int, Meta(ge=0, le=DAY_MILLISECONDS, description="milliseconds that the end is held back")
    ] = 0
