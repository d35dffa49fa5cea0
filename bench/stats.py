"""The pure part: the order of the samples, medians, ratios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

DIRECT = "direct"


@dataclass(frozen=True)
class Sample:
    """One run of one workload through one proxy."""

    row: str
    proxy: str
    round: int
    #: In the unit of the row.
    value: float
    #: Microseconds of the proxy's processor time per operation; None for direct.
    cpu: float | None = None
    #: MB of memory at the most, above that of the proxy just started; None for direct.
    memory: float | None = None
    #: The load average of the last minute, when the sample was taken.
    load: float = 0.0


@dataclass(frozen=True)
class Line:
    """What all rounds of a row say of one proxy."""

    proxy: str
    rounds: int
    value: float
    low: float
    high: float
    cpu: float | None
    memory: float | None
    #: By the name of the peer (``ours`` for the same mode of the first tree): the median of the ratios
    #: within each round.
    ratios: Mapping[str, float]


def interleaved(rounds: int, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Round and name, in the order of measuring: A B A B, so that a slow minute meets all alike."""
    for number in range(1, rounds + 1):
        for name in names:
            yield number, name


def lines(samples: Iterable[Sample], peers: Sequence[str]) -> list[Line]:
    """One line a proxy, in the order in which they were first measured; the samples are those of one row."""
    by_proxy: dict[str, list[Sample]] = {}
    for sample in samples:
        by_proxy.setdefault(sample.proxy, []).append(sample)
    return [_line(name, mine, by_proxy, peers) for name, mine in by_proxy.items()]


def ratio(mine: Iterable[Sample], theirs: Iterable[Sample]) -> float | None:
    """The median of the ratios of those rounds that both have; None if they share none.

    Two samples of one round were taken right after each other, so what slows the machine for a while
    falls out, which it does not in a ratio of two medians.
    """
    other = {sample.round: sample.value for sample in theirs}
    found = [each.value / other[each.round] for each in mine if other.get(each.round)]
    return median(found) if found else None


def counterpart(name: str) -> str:
    """The same mode of the first tree, for a proxy of a further one (``ours2-tcp``); else ``""``."""
    tree, _, mode = name.partition("-")
    return f"ours-{mode}" if tree.startswith("ours") and tree != "ours" else ""


def _line(name: str, mine: list[Sample], all_: Mapping[str, list[Sample]], peers: Sequence[str]) -> Line:
    values = [sample.value for sample in mine]
    against = {peer: ratio(mine, all_[peer]) for peer in peers if peer in all_ and peer != name}
    if counterpart(name) in all_:
        against["ours"] = ratio(mine, all_[counterpart(name)])
    return Line(
        proxy=name,
        rounds=len(mine),
        value=median(values),
        low=min(values),
        high=max(values),
        cpu=_median(sample.cpu for sample in mine),
        memory=_median(sample.memory for sample in mine),
        ratios={peer: found for peer, found in against.items() if found is not None},
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
