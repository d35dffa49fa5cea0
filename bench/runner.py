"""Takes the samples: starts what a row needs, loads the proxies in turn, and looks at what they used."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.backends import BACKENDS
from bench.links import kilobytes_per_link, most_links
from bench.process import Failed, Missing, Process
from bench.proxies import Setting, proxy
from bench.rows import Row
from bench.stats import DIRECT, Sample, interleaved
from bench.usage import cpu_seconds, usage
from bench.workloads import Outcome, Target, Workload

#: Seconds of the run before the first round, which is thrown away but for its rate.
WARM_UP = 0.1


@dataclass
class Run:
    """How to measure, and what came of it."""

    setting: Setting
    rounds: int
    seconds: float
    #: Is told what is going on, a line at a time.
    say: Callable[[str], None]
    samples: list[Sample] = field(default_factory=list)
    #: What was left out and what else is to be known: where, by the words.
    remarks: dict[str, list[str]] = field(default_factory=dict)

    def measure(self, row: Row, names: Sequence[str]) -> None:
        """Take all samples of one row. What cannot be had is told and left out."""
        try:
            with BACKENDS[row.backend]() as backend:
                (_Idle if row.work is None else _Loaded)(self, row, backend.port).take(names)
        except (Missing, Failed) as error:
            self.leave_out(row.name, str(error))

    def leave_out(self, what: str, why: str) -> None:
        """Something is not measured; said now and again in the report."""
        self.remark(what, f"left out: {why}")

    def remark(self, where: str, words: str) -> None:
        """Something is to be known beside the figures."""
        self.remarks.setdefault(words, []).append(where)
        self.say(f"  {where}: {words}")

    def add(self, sample: Sample, unit: str) -> None:
        """A sample was taken."""
        self.samples.append(sample)
        cpu = "" if sample.cpu is None else f"  {sample.cpu:9.2f} us CPU each"
        round_ = f"round {sample.round}/{self.rounds}"
        self.say(f"  {round_}  {sample.proxy:20} {sample.value:12,.1f} {unit}{cpu}")


class _Idle:
    """Weighs idle links. Each sample has a new process, because memory is seldom given back."""

    def __init__(self, run: Run, row: Row, backend: int) -> None:
        self._run, self._row, self._backend = run, row, backend
        self._count = most_links(row.links)

    def take(self, names: Sequence[str]) -> None:
        if self._count < self._row.links:
            few = f"{self._count} links only: more would need more descriptors (ulimit -n)"
            self._run.remark(self._row.name, few)
        lost: set[str] = set()
        for number, name in interleaved(self._run.rounds, [name for name in names if name != DIRECT]):
            if name not in lost:
                try:
                    self._one(number, name)
                except (Missing, Failed) as error:
                    lost.add(name)
                    self._run.leave_out(f"{self._row.name} {name}", str(error))

    def _one(self, number: int, name: str) -> None:
        with proxy(name, self._backend, self._row.protocol, self._run.setting) as process:
            value = kilobytes_per_link(process.pid, process.port, self._count)
        self._run.add(Sample(self._row.name, name, number, value, load=os.getloadavg()[0]), self._row.unit)


@dataclass
class _Running:
    """A proxy that is measured, or none where the backend is talked to directly."""

    target: Target
    process: Process | None = None
    #: MB that it used when it had just started.
    memory: float = 0.0
    ours: bool = False

    def cpu(self) -> float:
        return cpu_seconds(self.process.pid) if self.process else 0.0

    def said(self) -> str:
        """What ours warns of, such as a link that is no longer framed; nothing is what it should say."""
        return self.process.said() if self.process and self.ours else ""

    def sample(self, row: Row, name: str, number: int, outcome: Outcome, cpu: float) -> Sample:
        load = os.getloadavg()[0]
        if self.process is None:
            return Sample(row.name, name, number, outcome.value, load=load)
        each = cpu * 1e6 / outcome.operations
        memory = usage(self.process.pid).peak / 1024 - self.memory if row.memory else None
        return Sample(row.name, name, number, outcome.value, each, memory, load)


class _Loaded:
    """Loads proxies that stay there for all rounds."""

    def __init__(self, run: Run, row: Row, backend: int) -> None:
        assert row.work is not None
        self._run, self._row, self._backend = run, row, backend
        self._work: Workload = row.work

    def take(self, names: Sequence[str]) -> None:
        with ExitStack() as stack:
            running = self._start(names, stack)
            for number, name in interleaved(self._run.rounds, list(running)):
                if name in running:
                    self._one(number, name, running)
            for name, one in running.items():
                if one.said():
                    self._run.remark(f"{self._row.name} {name}", f"it said: {one.said()}")

    def _start(self, names: Sequence[str], stack: ExitStack) -> dict[str, _Running]:
        """Start what can be started, and load each a little."""
        running: dict[str, _Running] = {}
        for name in names:
            try:
                one = self._started(name, stack)
                self._work(one.target)
            except (Missing, Failed, OSError) as error:
                self._run.leave_out(f"{self._row.name} {name}", str(error))
            else:
                one.target.seconds, one.target.warming = self._run.seconds, False
                running[name] = one
        return running

    def _started(self, name: str, stack: ExitStack) -> _Running:
        if name == DIRECT:
            return _Running(Target(self._backend, WARM_UP, warming=True))
        process = stack.enter_context(proxy(name, self._backend, self._row.protocol, self._run.setting))
        return _Running(
            Target(process.port, WARM_UP, warming=True),
            process,
            usage(process.pid).peak / 1024,
            name.startswith("ours"),
        )

    def _one(self, number: int, name: str, running: dict[str, _Running]) -> None:
        one = running[name]
        before = one.cpu()
        try:
            outcome = self._work(one.target)
        except (Failed, OSError) as error:
            del running[name]
            self._run.leave_out(f"{self._row.name} {name} from round {number} on", str(error))
            return
        sample = one.sample(self._row, name, number, outcome, one.cpu() - before)
        self._run.add(sample, self._row.unit)
