"""What the proxy's process takes, and whether that stays as it is (proc_pid_status(5))."""

from __future__ import annotations

import itertools
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.usage import cpu_of

#: Where what grows stays below this it counts as flat: MB of resident memory in ten minutes.
GROWTH = 1.0
TEN_MINUTES = 600.0
#: Until then memory grows, in seconds: the 10,000 records that the journal keeps fill, and what is freed and
#: taken again finds its place. In a run of 21 minutes it rose for 13, and fell after that.
WARM_UP = 900.0
#: So many quiet moments are needed to tell a trend.
NEEDED = 4


@dataclass(frozen=True)
class Sample:
    """One look at a process.

    :ivar at: seconds since the run began.
    :ivar rss: MB of resident memory.
    :ivar cpu: seconds of processor time that it has used until now.
    """

    at: float
    phase: str
    rss: float
    descriptors: int
    threads: int
    links: int
    cpu: float


def look(pid: int, at: float, phase: str, links: int) -> Sample:
    """:raises OSError: the process has ended."""
    root = Path(f"/proc/{pid}")
    status = {
        name: value.split() for name, _, value in map(_parted, (root / "status").read_text().splitlines())
    }
    return Sample(
        at=at,
        phase=phase,
        rss=int(status["VmRSS"][0]) / 1024,
        descriptors=len(os.listdir(root / "fd")),
        threads=int(status["Threads"][0]),
        links=links,
        cpu=cpu_of((root / "stat").read_text()),
    )


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def descriptors_of(pid: int) -> dict[str, str]:
    """What each descriptor of a process is."""
    found = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[path.name] = str(path.readlink())
        except OSError:
            continue
    return found


def trend(points: Sequence[tuple[float, float]]) -> float | None:
    """How much the second number grows in ten minutes: the median of the slopes between any two points.

    One point that stands out has no effect on it, as it has on a line of least squares.

    :param points: seconds, and what was measured then.
    :return: None if there are too few to tell.
    """
    if len({at for at, _ in points}) < NEEDED:
        return None
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(points, 2) if b[0] > a[0]]
    return statistics.median(slopes) * TEN_MINUTES


def warm(quiet: Sequence[Sample], warm_up: float = WARM_UP) -> list[Sample]:
    """The quiet moments after the warm-up."""
    return [sample for sample in quiet if sample.at >= warm_up]


def unsteady(
    quiet: Sequence[Sample], first: Sample, warm_up: float = WARM_UP, growth: float = GROWTH
) -> list[str]:
    """What is not as it was at the start, of quiet moments.

    :param first: before any traffic.
    """
    found = []
    for sample in quiet:
        if sample.descriptors != first.descriptors:
            found.append(
                f"after {sample.at:.0f} s the process has {sample.descriptors} descriptors"
                f" in place of {first.descriptors}"
            )
        if sample.links:
            found.append(f"after {sample.at:.0f} s there are {sample.links} links that should have ended")
    slope = trend([(sample.at, sample.rss) for sample in warm(quiet, warm_up)])
    if slope is not None and slope > growth:
        found.append(f"resident memory grows by {slope:.2f} MB in ten minutes; {growth:.2f} is the bound")
    return found


@dataclass(frozen=True)
class Spread:
    """The least, the middle and the most of something."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(min(values), statistics.median(values), max(values))

    def __str__(self) -> str:
        return f"{self.low:,.1f} / {self.median:,.1f} / {self.high:,.1f}"
