"""What one process knows of one proxy, as plain values: they go through pipes, and are added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING

import msgspec

from txvaurien.journals.reports import Stats, counted_by

if TYPE_CHECKING:
    from txvaurien.proxy import Proxy

#: The upper ends of the classes of a `Spread`, in seconds. Longer ones are in a class of their own.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Spread(msgspec.Struct):
    """How many times were how long: for each class (`BOUNDS`) their number, and their sum in seconds."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sums: list[float] = msgspec.field(default_factory=lambda: [0.0] * (len(BOUNDS) + 1))

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    @property
    def sum(self) -> float:
        """All of them together, in seconds."""
        return sum(self.sums)

    def add(self, other: Spread) -> None:
        """Those of `other`, too."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.sums = [a + b for a, b in zip(self.sums, other.sums, strict=True)]

    def copy(self) -> Spread:
        """As it is now."""
        return Spread(list(self.counts), list(self.sums))


class Noted(msgspec.Struct):
    """What was noted while traffic flowed.

    :param errors: links without a backend, by the reason.
    :param answers: for each verb, exchanges by class of status.
    """

    connects: Spread = msgspec.field(default_factory=Spread)
    errors: dict[str, int] = {}
    answers: dict[str, dict[str, int]] = {}
    backend: Spread = msgspec.field(default_factory=Spread)
    proxy: Spread = msgspec.field(default_factory=Spread)

    def add(self, other: Noted) -> None:
        """What `other` has, too."""
        for mine, more in ((self.connects, other.connects), (self.backend, other.backend)):
            mine.add(more)
        self.proxy.add(other.proxy)
        _add(self.errors, other.errors)
        for verb, answers in other.answers.items():
            _add(self.answers.setdefault(verb, {}), answers)


class Figures(msgspec.Struct):
    """What one process knows of one proxy.

    :param stats: the fields of `Stats`; what standing links have counted so far is in them.
    :param worker: which of the workers of a proxy says so.
    :param workers: how many of them run.
    :param open: links that stand.
    :param toxic: those of them that are under a toxic.
    """

    stats: dict[str, int] = {}
    worker: int = 0
    workers: int = 0
    open: int = 0
    toxic: int = 0
    noted: Noted = msgspec.field(default_factory=Noted)

    def add(self, other: Figures) -> None:
        """What `other` has, too."""
        _add(self.stats, other.stats)
        self.workers += other.workers
        self.open += other.open
        self.toxic += other.toxic
        self.noted.add(other.noted)


def _add(mine: dict[str, int], more: dict[str, int]) -> None:
    for name, number in more.items():
        mine[name] = mine.get(name, 0) + number


def stats_of(stats: Stats) -> dict[str, int]:
    """The fields by name."""
    return {field.name: getattr(stats, field.name) for field in fields(stats)}


def figures_of(proxy: Proxy) -> Figures:
    """What this process knows of a proxy now."""
    stats = stats_of(proxy.stats)
    for link in proxy.links.values():
        _add(stats, counted_by(link))
    noted = proxy.meter.noted() if proxy.meter is not None else Noted()
    return Figures(stats, open=len(proxy.links), toxic=len(proxy.active.cap.links), noted=noted)


def total(all_figures: Iterable[Figures]) -> Figures:
    """The sum."""
    added = Figures()
    for figures in all_figures:
        added.add(figures)
    return added
