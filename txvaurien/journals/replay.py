"""Replay: out of a journal, a plan that fires the same faults on the same exchanges.

Each rule of such a plan is for the exchanges that the journal names, by link and
number, and for no others. It has the name of the rule that fired there, and the
plan has its seed, so that what the behavior drew is drawn again. That holds as
long as clients come in the same order and say the same things; how links
interleave does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from txvaurien.errors import ConfigError
from txvaurien.journal import FORMAT
from txvaurien.journals.journallines import JournalLines, Line, PlanLine
from txvaurien.plan import Plan
from txvaurien.planning.faults import FaultReader
from txvaurien.rules import Rule

#: Makes what reads faults, for the name and the options of a protocol.
#: :raises ConfigError: there is no such protocol.
ReaderFor = Callable[[str, Mapping[str, object]], FaultReader]


@dataclass(frozen=True)
class Replay:
    """What `read_replay` found.

    :param path: the journal.
    :param proxy: the name that the proxy has to have, because draws depend on it.
    :param options: those of the protocol.
    :param warnings: what will not be as it was.
    """

    path: str
    proxy: str
    listen: str
    backend: str
    protocol: str
    options: Mapping[str, object]
    seed: int
    plan: Plan
    warnings: tuple[str, ...]


def read_replay(path: str, reader_for: ReaderFor, proxy: str = "") -> Replay:
    """Read a journal, with the files that were put aside (``path.1`` and so on); its last run counts.

    :param proxy: which one, where the journal tells of several.
    :raises ConfigError: it cannot be read, it is no journal, or it names what is not installed.
    """
    run = _last_run(path)
    told = _chosen(run, path, proxy)
    reader = reader_for(told.protocol, told.options)
    rules = tuple(_rules(told, reader))
    toxics = tuple(reader.toxic(each, where=where) for each, where in told.toxics.values())
    return Replay(
        path=path,
        proxy=told.name,
        listen=told.listen,
        backend=told.backend,
        protocol=told.protocol,
        options=told.options,
        seed=told.seed,
        plan=Plan(rules=rules, toxics=toxics, seed=told.seed),
        warnings=(*run.warnings(), *told.warnings),
    )


@dataclass(frozen=True)
class _Fault:
    """What fired: the rule by its key, the behavior, and what says when the rule is decided."""

    key: str
    #: The fields that a `FaultReader` makes a rule of, as JSON.
    fields: bytes


@dataclass
class _Told:
    """What the journal tells of one proxy."""

    name: str
    listen: str
    backend: str
    protocol: str
    options: Mapping[str, object]
    seed: int
    #: The fields of the rules of the plans that there were, by their keys.
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Toxics by name, and where they stand.
    toxics: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)
    #: Where a fault fired: (link, label) and whether anything came of it; and where it stands first.
    fired: dict[_Fault, tuple[dict[tuple[int, str], bool], str]] = field(default_factory=dict)
    last: dict[tuple[int, str, str], _Fault] = field(default_factory=dict)
    began: bool = False
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def take_plan(self, rules: list[dict[str, Any]], toxics: list[dict[str, Any]], where: str) -> None:
        """A plan was set."""
        self.learn(rules)
        if not self.began:
            self.toxics.clear()
        elif [each for each, _ in self.toxics.values()] != toxics:
            self.warn("toxics were set, changed or removed on the way: they are there from the beginning")
        for toxic in toxics:
            self.toxics.setdefault(str(toxic.get("name")), (toxic, where))

    def learn(self, rules: list[dict[str, Any]]) -> None:
        """Keep what rules say of themselves, by the keys that they have in a plan."""
        for number, rule in enumerate(rules):
            self.rules[str(rule.get("name") or f"rule {number} {rule.get('behavior')}")] = rule

    def changed(self, line: Line, where: str) -> None:
        """The plan was changed, perhaps before the first link came."""
        if self.began:
            self.warn(
                "the plan was changed on the way: what rules held then was let go, which is not replayed"
            )
            if line.seed != self.seed:
                self.warn("the seed was changed on the way: what was drawn after that is drawn otherwise")
        else:
            self.seed = line.seed
        self.take_plan(line.rules, line.toxics, where)

    def fire(self, line: Line, where: str) -> None:
        """A rule fired."""
        said = self.rules.get(line.rule, {})
        fields = {"behavior": line.behavior, **line.options}
        # Without its verbs a rule is not for greetings and log-ins; by its status it is decided late.
        fields.update((name, said[name]) for name in ("verb", "status") if name in said)
        fault = _Fault(line.rule, msgspec.json.encode(fields))
        label = str(line.exchange)
        places, _ = self.fired.setdefault(fault, ({}, where))
        places[line.link, label] = any(not each.startswith("edit ") for each in line.did)
        self.last[line.link, label, line.rule] = fault

    def misfire(self, line: Line) -> None:
        """It did not fire after all. What it had done before that it does again, and misfires again."""
        label = str(line.exchange)
        fault = self.last.get((line.link, label, line.rule))
        if fault is not None and not self.fired[fault][0][line.link, label]:
            del self.fired[fault][0][line.link, label]


#: What a replay cannot do again, and what is said of it.
_LOST = {
    "action": "actions of the proxy (such as deaf or disable) are not replayed",
    "killed": "links were killed, which is not replayed",
    "backend": "the backend was changed on the way, which is not replayed",
    "expired": "the time of a rule was over: what it held then was let go, which is not replayed",
    "capped": "a toxic was kept from links by the cap on faults, and will be on them now",
}


class _Run:
    """What the journal tells of one run of a process."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.proxies: dict[str, _Told] = {}
        self.last = 0
        self.missing = 0
        self.cut = False
        self.earlier = 0

    def take(self, line: Line, where: str) -> None:
        """Learn from a line."""
        if line.n:
            self.missing += max(0, line.n - self.last - 1)
            self.last = line.n
        if line.event == "proxy":
            self._proxy(line, where)
        elif line.proxy in self.proxies:
            self._event(self.proxies[line.proxy], line, where)

    def _proxy(self, line: Line, where: str) -> None:
        plan = line.plan or PlanLine()
        if line.proxy not in self.proxies:
            told = _Told(line.proxy, line.listen, line.backend, line.protocol, line.options, line.seed)
            self.proxies[line.proxy] = told
            told.take_plan(plan.rules, plan.toxics, where)
        else:
            # The head of the next file, which may know of a plan that was dropped.
            self.proxies[line.proxy].learn(plan.rules)

    @staticmethod
    def _event(told: _Told, line: Line, where: str) -> None:
        if line.event == "link-opened":
            told.began = True
        elif line.event == "plan":
            told.changed(line, where)
        elif line.event == "fired":
            told.fire(line, where)
        elif line.event == "misfired":
            told.misfire(line)
        elif line.event in _LOST:
            told.warn(_LOST[line.event])

    def warnings(self) -> Iterator[str]:
        """What is wrong with the whole of it."""
        if self.earlier:
            yield f"there are {self.earlier} earlier runs in the journal; only the last one is replayed"
        if self.missing:
            yield (
                f"{self.missing} records of the run are not in the journal (dropped, or put aside too long"
                " ago): what fired then is not replayed"
            )
        if self.cut:
            yield "the last line of the journal is cut off, and was left out"


def _last_run(path: str) -> _Run:
    run = _Run()
    lines = JournalLines(path)
    for where, line in lines:
        if line.event == "journal":
            run = _next_run(run, line, where)
        elif not run.name:
            raise ConfigError(where, "this is not the beginning of a journal", "name a file of --journal")
        else:
            run.take(line, where)
    run.cut = bool(lines.cut)
    if not run.name:
        what = (
            "its first line is cut off, or none of a journal"
            if lines.cut
            else "there is nothing in this journal"
        )
        raise ConfigError(path, what, "name a file of --journal")
    return run


def _next_run(run: _Run, line: Line, where: str) -> _Run:
    """What a first line begins: the next file of this run, or another run."""
    if line.format != FORMAT:
        raise ConfigError(
            where,
            f"the journal has format {line.format}",
            f"this version of txvaurien reads format {FORMAT}",
        )
    name = line.run or where
    if name == run.name:
        return run
    begun = _Run(name)
    begun.earlier = run.earlier + bool(run.name)
    return begun


# What is made of it.


def _chosen(run: _Run, path: str, proxy: str) -> _Told:
    if not run.proxies:
        raise ConfigError(path, "its last run tells of no proxy", "name another journal")
    names = ", ".join(sorted(run.proxies))
    if proxy and proxy not in run.proxies:
        raise ConfigError(path, f"it tells of no proxy {proxy!r}", f"those it tells of: {names}")
    if not proxy and len(run.proxies) != 1:
        raise ConfigError(path, f"it tells of {len(run.proxies)} proxies", f"choose one of: {names}")
    return run.proxies[proxy or next(iter(run.proxies))]


def _rules(told: _Told, reader: FaultReader) -> Iterator[Rule]:
    names: set[str] = set()
    for fault, (places, where) in told.fired.items():
        if not places:
            continue
        rule = reader.rule(msgspec.json.decode(fault.fields), where=where)
        name = fault.key
        if name in names:
            name = next(each for n in range(2, len(names) + 3) if (each := f"{fault.key} ({n})") not in names)
            told.warn(f"rule {fault.key!r} had other options later: what it drew then is drawn otherwise")
        names.add(name)
        # Explicit counts, because options (warmup, agitate) count as well.
        yield replace(rule, name=name, at=frozenset(places), after=0, times=len(places))
