"""timeout: nothing comes any more, and then the connection is closed."""

from __future__ import annotations

import random
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from twisted.internet.interfaces import IReactorTime

from txvaurien.model import Ending
from txvaurien.toxics.alarm import Alarm
from txvaurien.toxics.base import DAY_MILLISECONDS, MILLISECOND, Out, Stage, Toxic


class TimeoutStage(Stage):
    """Loses what comes, and closes the link when the time is up."""

    __slots__ = ("_alarm",)

    toxic: Timeout

    def __init__(self, toxic: Timeout, out: Out, clock: IReactorTime, random: random.Random) -> None:
        super().__init__(toxic, out, clock, random)
        self._alarm = Alarm(clock, self._ring)
        self._begin()

    @property
    def full(self) -> bool:
        """Nothing is held."""
        return False

    def data(self, data: bytes) -> None:
        """It is lost."""

    def end(self, ending: Ending) -> None:
        if ending is not Ending.FIN:
            self._alarm.stop()
        self.out.end(ending)

    def update(self, toxic: Any) -> None:
        super().update(toxic)
        self._alarm.stop()
        self._begin()

    def release(self) -> None:
        self._alarm.stop()
        # Bytes are missing by now: what would come after them is no stream that anybody understands.
        self.out.close()

    def drop(self) -> None:
        self._alarm.stop()

    def _begin(self) -> None:
        if self.toxic.timeout:
            self._alarm.set(self.clock.seconds() + self.toxic.timeout * MILLISECOND)

    def _ring(self) -> None:
        self.out.close()


class Timeout(Toxic, frozen=True, kw_only=True):
    """Lose all data, and close the link some time after the toxic came to it.

    The time runs from then on, whatever comes meanwhile, and begins anew when it is changed. A
    peer that ends its side is let go at once. Taking the toxic away closes the link.
    """

    name: ClassVar[str] = "timeout"
    stages: ClassVar[type[Stage]] = TimeoutStage

    timeout: Annotated[
        int,
        Meta(
            ge=0,
            le=DAY_MILLISECONDS,
            description="milliseconds after which the link is closed; 0 for never",
        ),
    ] = 0
