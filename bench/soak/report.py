"""What a run has found, as a table for people and as JSON."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.soak.accounts import Accounts
from bench.soak.gauge import WARM_UP, Sample, Spread, trend, unsteady, warm
from bench.soak.judge import Deviation
from bench.soak.run import Outcome, Times
from bench.soak.telling import shown, told

#: How many deviations are printed in full; the JSON file has all.
_SHOWN = 15


class Report:
    """All of it, once the run is over."""

    def __init__(self, seed: int, times: Times, outcome: Outcome, accounts: Accounts) -> None:
        self.seed = seed
        self._times = times
        self._outcome = outcome
        self._accounts = accounts
        self.deviations = [*accounts.deviations, *self._of_the_process()]

    def _of_the_process(self) -> list[Deviation]:
        first = self._outcome.first
        if first is None:
            return []
        found = unsteady(self._outcome.quiet, first)
        found += [f"the control API: {text}" for text in self._outcome.told.strange]
        return [Deviation("", 0, what) for what in found]

    @property
    def growth(self) -> float | None:
        """Of resident memory in quiet moments after the warm-up: MB in ten minutes."""
        quiet = warm(self._outcome.quiet)
        return trend([(sample.at, sample.rss) for sample in quiet])

    def never(self) -> dict[str, list[str]]:
        """Faults that there are, and that were never done to any proxy."""
        done = self._outcome.told.done
        found: dict[str, list[str]] = {}
        for offer in self._outcome.offers.values():
            names = [f"rule {name}" for name in offer.behaviors] + [f"mix {name}" for name in offer.behaviors]
            names += [f"toxic {name}" for name in offer.toxics] + [f"action {name}" for name in offer.actions]
            missing = [name for name in names if not done[name]]
            if missing:
                found["any proxy"] = missing
        return found

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        outcome, accounts = self._outcome, self._accounts
        return {
            "seed": self.seed,
            "times": asdict(self._times),
            "deviations": [_plain(each) for each in self.deviations],
            "links": {
                "judged": accounts.court.judged,
                "without a fault": accounts.court.clean,
                "unclaimed": accounts.unclaimed,
            },
            "mails": accounts.mails,
            "proxies": {
                name: {**vars(tally), "seen": dict(tally.seen)}
                for name, tally in accounts.ledger.tallies.items()
            },
            "faults": dict(outcome.told.done),
            "refused": dict(outcome.told.refused),
            "never done": self.never(),
            "journal": accounts.chronicle.counts,
            "growth": self.growth,
            "first": None if outcome.first is None else asdict(outcome.first),
            "quiet": [asdict(sample) for sample in outcome.quiet],
            "samples": [asdict(sample) for sample in outcome.samples],
            "descriptors": outcome.descriptors,
        }

    def lines(self) -> list[str]:
        """For people."""
        return [
            *self._traffic(),
            "",
            *self._process(),
            "",
            *self._faults(),
            "",
            *self._deviations(),
        ]

    def _traffic(self) -> list[str]:
        spent = max(1.0, sum(_durations(self._outcome.samples).values()))
        rows = [f"{'proxy':<10}{'links':>8}{'requests':>11}{'per s':>9}{'MB':>9}  what clients have met"]
        for name, tally in sorted(self._accounts.ledger.tallies.items()):
            seen = ", ".join(f"{kind} {count}" for kind, count in tally.seen.most_common())
            rate, size = tally.requests / spent, tally.bytes / 1e6
            rows.append(f"{name:<10}{tally.links:>8,}{tally.requests:>11,}{rate:>9,.0f}{size:>9,.0f}  {seen}")
        court = self._accounts.court
        rows.append(
            f"{court.judged:,} links judged, {court.clean:,} of them without any fault;"
            f" {self._accounts.unclaimed} that no client came to know; {self._accounts.mails:,} mails"
        )
        return rows

    def _process(self) -> list[str]:
        outcome = self._outcome
        rows = [
            f"{'phase':<8}{'seconds':>9}{'processor':>10}  MB resident (low / median / high)"
            "      descriptors              threads            links"
        ]
        durations = _durations(outcome.samples)
        for phase in ("calm", "chaos", "ending", "quiet"):
            samples = outcome.quiet if phase == "quiet" else [s for s in outcome.samples if s.phase == phase]
            if samples:
                rows.append(_phase_row(phase, samples, durations.get(phase, 0.0), outcome.samples))
        if outcome.first is not None:
            rows.append(
                f"at the start: {outcome.first.rss:.1f} MB, {outcome.first.descriptors} descriptors,"
                f" {outcome.first.threads} threads; quiet: "
                + ", ".join(f"{s.rss:.1f} MB/{s.descriptors}" for s in outcome.quiet)
            )
        growth = self.growth
        said = "the run is too short to tell" if growth is None else f"{growth:+.2f} MB in ten minutes"
        rows.append(f"resident memory in quiet moments, after {WARM_UP:.0f} s: {said}")
        return rows

    def _faults(self) -> list[str]:
        told = self._outcome.told
        rows = ["faults: " + ", ".join(f"{name} {count}" for name, count in sorted(told.done.items()))]
        if told.refused:
            rows.append(
                "refused: " + ", ".join(f"{name} {count}" for name, count in sorted(told.refused.items()))
            )
        rows += [f"never done: {', '.join(names)}" for names in self.never().values()]
        counts = self._accounts.chronicle.counts
        rows.append("journal: " + ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())))
        return rows

    def _deviations(self) -> list[str]:
        rows = []
        for each in self.deviations[:_SHOWN]:
            rows += told(each)
        rows.append(
            f"seed {self.seed}: {len(self.deviations)} deviations"
            if self.deviations
            else f"seed {self.seed}: all well"
        )
        return rows


def _plain(deviation: Deviation) -> dict[str, Any]:
    return {
        "proxy": deviation.proxy,
        "link": deviation.link,
        "what": deviation.what,
        "effects": deviation.effects,
        "client": None if deviation.record is None else shown(deviation),
        "journal": [dict(line) for line in deviation.lines],
    }


def _durations(samples: Sequence[Sample]) -> dict[str, float]:
    """Seconds by phase, as the samples tell."""
    found: dict[str, float] = {}
    for before, after in itertools.pairwise(samples):
        found[after.phase] = found.get(after.phase, 0.0) + after.at - before.at
    return found


def _phase_row(phase: str, samples: Sequence[Sample], seconds: float, every: Sequence[Sample]) -> str:
    cpu = sum(b.cpu - a.cpu for a, b in itertools.pairwise(every) if b.phase == phase)
    busy = f"{cpu / seconds * 100:.0f} %" if seconds else ""
    spreads = [
        Spread.of([getattr(sample, name) for sample in samples])
        for name in ("rss", "descriptors", "threads", "links")
    ]
    return f"{phase:<8}{seconds:>9,.0f}{busy:>10}  " + "  ".join(f"{spread!s:<22}" for spread in spreads)
