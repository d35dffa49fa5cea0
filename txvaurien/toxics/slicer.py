"""slicer: data comes in small pieces."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.toxics.base import DAY_MILLISECONDS, MOST_BYTES, HoldingStage, Stage, Toxic

#: The unit of the option ``delay``.
MICROSECOND = 0.000_001

#: What is held before it pushes back, in bytes: about what a socket's buffer holds.
SLICER_LIMIT = 64 * 1024


class SlicerStage(HoldingStage):
    """Passes on a slice at a time, the first at once, each other so much later than that before it."""

    __slots__ = ()

    toxic: Slicer

    @property
    def limit(self) -> int:
        return SLICER_LIMIT

    def due(self, came: float, left: int) -> float:
        return max(came, self.last + self.toxic.delay * MICROSECOND)

    def portion(self, left: int) -> int:
        average = max(1, self.toxic.average_size)
        variation = min(self.toxic.size_variation, average - 1)
        size = self.random.randint(average - variation, average + variation) if variation else average
        return min(left, size)


class Slicer(Toxic, frozen=True, kw_only=True):
    """Cut data into small pieces, with a pause after each if that is asked for.

    Sizes are drawn evenly from average_size - size_variation to average_size + size_variation.
    As Toxiproxy does, it takes any two numbers, because clients send zeros for what is not
    given: an average of 0 counts as 1, and a variation as at most one less than the average,
    which keeps the average what it says and no piece empty. At most 64 KiB are held.
    """

    name: ClassVar[str] = "slicer"
    stages: ClassVar[type[Stage]] = SlicerStage

    average_size: Annotated[
        int, Meta(ge=0, le=MOST_BYTES, description="bytes of an average piece; 0 is taken as 1")
    ] = 0
    size_variation: Annotated[
        int,
        Meta(
            ge=0,
            le=MOST_BYTES,
            description="bytes by which a piece may be smaller or larger; counts up to average_size - 1",
        ),
    ] = 0
    delay: Annotated[
        int,
        Meta(
            ge=0, le=DAY_MILLISECONDS * 1000, description="microseconds (not milliseconds) after each piece"
        ),
    ] = 0
