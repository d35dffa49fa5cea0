"""limit_data: so many bytes, and the connection is closed."""

from __future__ import annotations

import random
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from twisted.internet.interfaces import IReactorTime

from txvaurien.model import Ending
from txvaurien.toxics.base import MOST_BYTES, Out, Stage, Toxic


class LimitDataStage(Stage):
    """Passes on so many bytes, and closes the link at the last of them."""

    __slots__ = ("_closed", "passed")

    toxic: LimitData

    def __init__(self, toxic: LimitData, out: Out, clock: IReactorTime, random: random.Random) -> None:
        super().__init__(toxic, out, clock, random)
        #: How many bytes of this link have been passed on.
        self.passed = 0
        self._closed = False

    def data(self, data: bytes) -> None:
        if self._closed:
            return
        allowed = max(0, self.toxic.bytes - self.passed)
        piece = data[:allowed]
        self.passed += len(piece)
        if piece:
            self.out.data(piece)
        if len(data) >= allowed:
            self._close()

    def end(self, ending: Ending) -> None:
        if not self._closed:
            self.out.end(ending)

    def update(self, toxic: Any) -> None:
        super().update(toxic)
        if self.passed and self.passed >= self.toxic.bytes:
            self._close()

    def _close(self) -> None:
        # Passing on may have ended the link, and that may have come back here.
        if not self._closed:
            self._closed = True
            self.out.close()


class LimitData(Toxic, frozen=True, kw_only=True):
    """Pass on so many bytes, then close the link; with 0, at the first bytes that come.

    Counted for each link by itself, from when the toxic came to it. What has passed stays
    counted when the limit is changed: one that is reached already closes the link then.
    """

    name: ClassVar[str] = "limit_data"
    stages: ClassVar[type[Stage]] = LimitDataStage

    bytes: Annotated[
        int, Meta(ge=0, le=MOST_BYTES, description="how many bytes pass before the link is closed")
    ] = 0
