"""reset_peer: the connection breaks."""

from __future__ import annotations

import random
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from twisted.internet.interfaces import IReactorTime

from txvaurien.model import Ending
from txvaurien.toxics.alarm import Alarm
from txvaurien.toxics.base import DAY_MILLISECONDS, MILLISECOND, Out, Stage, Toxic


class ResetPeerStage(Stage):
    """Loses what comes, and resets the link some time after the first of it."""

    __slots__ = ("_alarm", "_begun", "_done", "_endings")

    toxic: ResetPeer

    def __init__(self, toxic: ResetPeer, out: Out, clock: IReactorTime, random: random.Random) -> None:
        super().__init__(toxic, out, clock, random)
        self._alarm = Alarm(clock, self._ring)
        #: When the first bytes came, or the end without any.
        self._begun: float | None = None
        #: What is passed on if the reset never comes.
        self._endings: list[Ending] = []
        self._done = False

    @property
    def full(self) -> bool:
        """Nothing is held."""
        return False

    def data(self, data: bytes) -> None:
        self._begin()

    def end(self, ending: Ending) -> None:
        if ending is Ending.RESET:
            self.drop()
            self.out.end(ending)
        else:
            self._endings.append(ending)
            self._begin()

    def update(self, toxic: Any) -> None:
        super().update(toxic)
        self._plan()

    def release(self) -> None:
        endings = self._endings
        self.drop()
        for ending in endings:
            self.out.end(ending)

    def drop(self) -> None:
        self._alarm.stop()
        self._endings = []
        self._done = True

    def _begin(self) -> None:
        if self._begun is None:
            self._begun = self.clock.seconds()
            self._plan()

    def _plan(self) -> None:
        if self._begun is None or self._done:
            return
        due = self._begun + self.toxic.timeout * MILLISECOND
        if due > self.clock.seconds():
            self._alarm.set(due)
        else:
            self._ring()

    def _ring(self) -> None:
        self.drop()
        self.out.reset()


class ResetPeer(Toxic, frozen=True, kw_only=True):
    """Break the link with RST on both sides, some time after something came in this direction.

    Data is lost from the first byte on. FIN starts the time as bytes do; RST is passed on at once.
    """

    name: ClassVar[str] = "reset_peer"
    stages: ClassVar[type[Stage]] = ResetPeerStage

    timeout: Annotated[
        int,
        Meta(ge=0, le=DAY_MILLISECONDS, description="milliseconds from the first bytes to the reset"),
    ] = 0
