"""bandwidth: so many bytes a second, and no more."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from txvaurien.toxics.alarm import NEVER
from txvaurien.toxics.base import HoldingStage, Stage, Toxic

#: A KB of the option ``rate``, in bytes: Toxiproxy reckons in bytes a millisecond.
KILOBYTE = 1000

#: How many milliseconds' worth goes in one piece. Toxiproxy takes 100, which is a jerky line.
PORTION_MILLISECONDS = 20

#: What is held at least before it pushes back, in bytes: about what a socket's buffer holds.
LEAST_LIMIT = 64 * 1024


class BandwidthStage(HoldingStage):
    """A line that takes its time for every byte.

    A portion goes when its last byte would have crossed the line. Times are reckoned from
    when portions were due, not from when a timer came, so that late timers do not slow it down.
    """

    __slots__ = ()

    toxic: Bandwidth

    @property
    def limit(self) -> int:
        # Two portions, or a fast line would run dry between two readings.
        return max(LEAST_LIMIT, 2 * self.toxic.rate * PORTION_MILLISECONDS)

    def due(self, came: float, left: int) -> float:
        if not left:
            return came
        rate = self.toxic.rate * KILOBYTE
        return max(came, self.last) + self.portion(left) / rate if rate else NEVER

    def portion(self, left: int) -> int:
        return min(left, max(1, self.toxic.rate * PORTION_MILLISECONDS))

    def update(self, toxic: Any) -> None:
        if self._pieces:
            self._carry_over(self.toxic.rate * KILOBYTE, toxic.rate * KILOBYTE)
        super().update(toxic)

    def _carry_over(self, rate: int, new: int) -> None:
        """What of a portion has crossed the line at the old rate need not cross it again."""
        came, piece = self._pieces[0]
        now = self.clock.seconds()
        crossed = min(self.portion(self._left), (now - max(came, self.last)) * rate)
        begun = now - crossed / new if new else now
        self._pieces[0] = (begun, piece)
        self.last = begun


class Bandwidth(Toxic, frozen=True, kw_only=True):
    """Limit the rate, in each direction of each link by itself.

    With 0 nothing passes until it is changed or taken away. At most 64 KiB are held, or 40
    milliseconds' worth if that is more; then the sender is read no further.
    """

    name: ClassVar[str] = "bandwidth"
    stages: ClassVar[type[Stage]] = BandwidthStage

    rate: Annotated[
        int, Meta(ge=0, le=10**9, description="KB (1,000 bytes) per second; 0 stops everything")
    ] = 0
