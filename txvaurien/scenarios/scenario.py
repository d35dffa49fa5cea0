"""Scenarios: which faults come and go at which times, read from text.

One step a line, as `docs/scenarios.md` has it in full::

    at 10s: blackout for 5s
    at 20s: delay sleep=2 on 30 %
    every 10s from 2m until 5m: reset_peer timeout=0 for 1s
    at 6m: end
    repeat 3

Here is no clock and no proxy: `txvaurien.scenarios.player` plays what is read here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from txvaurien.errors import ConfigError
from txvaurien.options import unknown
from txvaurien.plan import PlacedToxic
from txvaurien.planning.faults import Fault
from txvaurien.planning.times import TIMES, exact, read_time, time_text
from txvaurien.rules import Rule
from txvaurien.scenarios.steptext import count_of, only, pairs, share_of, without_comment, without_tail

#: How often steps may begin in one round, all together.
MOST_SPANS = 10_000

#: How many rounds `dry_run` shows each on a line of its own.
ROUNDS_SHOWN = 10

_STATEMENTS = ("at", "every", "repeat")
_STEPS = "write for example: at 10s: blackout for 5s"


class ReadFault(Protocol):
    """Reads the short form of a fault: `FaultReader.read`."""

    def __call__(self, words: str, *, where: str, share: float = 1.0) -> Fault:
        """:raises ConfigError: it is not one."""


@dataclass(frozen=True, eq=False)
class Step:
    """A fault, and when it is there within a round.

    :param line: where it stands in the file, from 1.
    :param words: the fault as it was written, with its share.
    :param fault: what `name` names; a new activation is made of it each time.
    :param spans: from when until when, in seconds from the beginning of the round, in order.
    """

    line: int
    words: str
    fault: Fault
    spans: tuple[tuple[float, float], ...]

    @property
    def name(self) -> str:
        """What the fault is called: ``scenario-LINE``, if it was not given a name; an action has its own."""
        return self.fault.name


@dataclass(frozen=True)
class Moment:
    """A step begins or ends.

    :param at: seconds from the beginning of the round.
    """

    at: float
    begins: bool
    step: Step


@dataclass(frozen=True)
class Scenario:
    """Steps, and how often they are played.

    :param length: of one round, in seconds; more than 0, and no step lasts longer.
    :param rounds: None for without end.
    :param where: the file that it was read from.
    """

    steps: tuple[Step, ...]
    length: float
    rounds: int | None = 1
    where: str = ""
    #: What happens in a round, in order; of what happens at one time, ends come first.
    moments: tuple[Moment, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        moments = [
            Moment(span[not begins], begins, step)
            for step in self.steps
            for span in step.spans
            for begins in (False, True)
        ]
        moments.sort(key=lambda moment: (moment.at, moment.begins, moment.step.line))
        object.__setattr__(self, "moments", tuple(moments))


def read_scenario(text: str, where: str, read_fault: ReadFault) -> Scenario:
    """Read a scenario.

    :param where: the name of the file, for errors.
    :param read_fault: what the words after the time mean.
    :raises ConfigError: the place is ``where:line``, and the field if there is one.
    """
    reader = _Reader(where, read_fault)
    for number, line in enumerate(text.splitlines(), 1):
        stripped = without_comment(line).strip()
        if stripped:
            reader.read(number, stripped)
    return reader.scenario()


@dataclass
class _Draft:
    """A step, before the length of the round is known."""

    line: int
    words: str
    fault: Fault
    begin: float
    duration: float | None
    period: float | None = None
    until: float | None = None


@dataclass
class _Reader:
    """Collects what the lines say."""

    file: str
    read_fault: ReadFault
    drafts: list[_Draft] = field(default_factory=list)
    end: float | None = None
    rounds: int | None = 1
    #: In which line what may be said once was said.
    said: dict[str, int] = field(default_factory=dict)

    def _where(self, line: int) -> str:
        return f"{self.file}:{line}"

    def read(self, line: int, text: str) -> None:
        """Take one line that is neither empty nor a comment."""
        where = self._where(line)
        head, colon, rest = (part.strip() for part in text.partition(":"))
        statement, *words = head.split() or [""]
        if statement not in _STATEMENTS:
            raise unknown("statement", statement, _STATEMENTS, where=where)
        if statement == "repeat":
            self._once(statement, line)
            self.rounds = count_of(text, words, where)
        elif not colon or not rest:
            raise ConfigError(where, f"{text!r} has no colon with a fault behind it", _STEPS)
        elif statement == "at":
            self._at(line, only(words, text, where), rest)
        else:
            self._every(line, words, rest)

    def _once(self, what: str, line: int) -> None:
        if what in self.said:
            other = f"the other is in line {self.said[what]}"
            raise ConfigError(self._where(line), f"there are two of {what!r}", other)
        self.said[what] = line

    def _at(self, line: int, time: str, rest: str) -> None:
        begin = read_time(time, self._where(line))
        if rest == "end":
            self._once(rest, line)
            self.end = begin
        else:
            self.drafts.append(self._draft(line, begin, rest))

    def _every(self, line: int, words: list[str], rest: str) -> None:
        where = self._where(line)
        times = {"from": 0.0}
        for key, value in pairs(["every", *words], ("every", "from", "until"), where).items():
            times[key] = read_time(value, where)
        draft = self._draft(line, times["from"], rest)
        draft.period, draft.until = times["every"], times.get("until")
        if not draft.period:
            raise ConfigError(where, "a step cannot come again after no time at all", TIMES)
        if draft.duration is None or draft.duration > draft.period:
            raise ConfigError(
                where,
                "it would begin again before it has ended",
                "say `for` how long, at most the time of `every`",
            )
        self.drafts.append(draft)

    def _draft(self, line: int, begin: float, rest: str) -> _Draft:
        where = self._where(line)
        words, tail = without_tail(rest, where)
        said = pairs(tail, ("for", "on"), where)
        duration = read_time(said["for"], where) if "for" in said else None
        if duration == 0:
            raise ConfigError(where, "a step cannot last for no time at all", TIMES)
        share = share_of(said["on"], where) if "on" in said else 1.0
        fault = _named(self.read_fault(words, where=where, share=share), line, where)
        shown = f"{words} on {share * 100:g} %" if share < 1.0 else words
        return _Draft(line, shown, fault, begin, duration)

    def scenario(self) -> Scenario:
        """All of it, put together."""
        if not self.drafts:
            raise ConfigError(self.file, "there is no step", _STEPS)
        end = self.end if self.end is not None else max(self._last(draft) for draft in self.drafts)
        room = MOST_SPANS
        steps = []
        for draft in self.drafts:
            spans = self._spans(draft, end, room)
            room -= len(spans)
            steps.append(Step(draft.line, draft.words, draft.fault, spans))
        self._check_overlap(steps)
        return Scenario(tuple(steps), end, self.rounds, self.file)

    def _last(self, draft: _Draft) -> float:
        """When a step is over, or begins if it has no end of its own."""
        if draft.period is None or draft.duration is None:
            return exact(draft.begin + (draft.duration or 0.0))
        if draft.until is None:
            raise ConfigError(
                self._where(draft.line),
                "it never ends",
                "say `until` when, or `at TIME: end` in a line of its own",
            )
        count = max(1, math.ceil(exact((draft.until - draft.begin) / draft.period)))
        return exact(draft.begin + (count - 1) * draft.period + draft.duration)

    def _spans(self, draft: _Draft, end: float, room: int) -> tuple[tuple[float, float], ...]:
        where = self._where(draft.line)
        spans = []
        for begin in _begins(draft, end):
            over = end if draft.duration is None else exact(begin + draft.duration)
            if begin >= over or over > end:
                self._refuse_end(draft, begin, end)
            spans.append((begin, over))
            if len(spans) > room:
                raise ConfigError(where, f"steps begin more than {MOST_SPANS} times", "use `repeat` instead")
        if not spans:
            raise ConfigError(where, "it never begins", "let `until` be later than `from`")
        return tuple(spans)

    def _refuse_end(self, draft: _Draft, begin: float, end: float) -> None:
        where = self._where(draft.line)
        if draft.duration is None and self.end is None:
            raise ConfigError(
                where,
                "it would end as soon as it begins",
                "say `for` how long, or `at TIME: end` in a line of its own",
            )
        raise ConfigError(
            where,
            f"what begins at {time_text(begin)} would outlast the round, which ends at {time_text(end)}",
            "let it end before, or move the end",
        )

    def _check_overlap(self, steps: Iterable[Step]) -> None:
        """:raises ConfigError: two faults of one name at one time."""
        latest: dict[str, tuple[float, int]] = {}
        spans = sorted((span, step.line, step.name) for step in steps for span in step.spans)
        for (begin, over), line, name in spans:
            free, other = latest.get(name, (0.0, 0))
            if begin < free:
                raise ConfigError(
                    self._where(line),
                    f"{name!r} is there already at {time_text(begin)}, by line {other}",
                    "let that end before, or give one of them another name",
                )
            latest[name] = (over, line)


def _begins(draft: _Draft, end: float) -> Iterator[float]:
    if draft.period is None:
        yield draft.begin
        return
    until = end if draft.until is None else draft.until
    count = 0
    while (begin := exact(draft.begin + count * draft.period)) < until:
        yield begin
        count += 1


def _named(fault: Fault, line: int, where: str) -> Fault:
    """With a name that tells where it comes from, if it has none of its own."""
    if isinstance(fault, Rule):
        if fault.lifetime is not None:
            raise ConfigError(
                f"{where}: for", "a step does not end with its rule", "write `for 5s`, not for=5"
            )
        return fault if fault.name else replace(fault, name=f"scenario-{line}")
    if isinstance(fault, PlacedToxic) and fault.name == f"{fault.toxic.name}_{fault.stream}":
        return replace(fault, name=f"scenario-{line}")
    return fault


def dry_run(scenario: Scenario) -> str:
    """What would happen, as a table of times: one round, and what becomes of the others."""
    rounds = "" if scenario.rounds is None else f" of {scenario.rounds}"
    names = max(len(step.name) for step in scenario.steps)
    rows = [f"round 1{rounds}, {time_text(scenario.length)} long"]
    for moment in scenario.moments:
        what = "begin" if moment.begins else "end"
        rows.append(f"{_sign(moment.at)}  {what:5}  {moment.step.name:{names}}  {moment.step.words}")
    return "\n".join([*rows, *_rounds_to_come(scenario)]) + "\n"


def _rounds_to_come(scenario: Scenario) -> list[str]:
    length, rounds = scenario.length, scenario.rounds
    if rounds is None:
        return [f"{_sign(length)}  round 2 begins, the same as round 1; it goes on until it is stopped"]
    begins = range(2, min(rounds, ROUNDS_SHOWN) + 1)
    rows = [f"{_sign((n - 1) * length)}  round {n} begins, the same as round 1" for n in begins]
    if rounds > ROUNDS_SHOWN:
        rows.append(f"{'...':>10}  rounds {ROUNDS_SHOWN + 1} to {rounds} follow")
    return [*rows, f"{_sign(rounds * length)}  done, nothing is left"]


def _sign(seconds: float) -> str:
    return f"{'+' + time_text(seconds):>10}"
