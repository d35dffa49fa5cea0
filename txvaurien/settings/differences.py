"""What differs between two descriptions of the proxies of a process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.faults import describe_action, describe_plan, describe_rule
from txvaurien.planning.planreader import kept
from txvaurien.rules import Rule
from txvaurien.settings.described import Described, collide

if TYPE_CHECKING:
    from txvaurien.planning.faults import Fault
    from txvaurien.scenarios.scenario import Scenario

#: What cannot change without another proxy in place of the one that there is.
_MAKING = ("protocol", "limits", "ends", "backlog", "workers")


@dataclass(frozen=True)
class Change:
    """What differs in one proxy; `parts` are the words for it."""

    before: Described
    after: Described
    parts: tuple[str, ...]

    @property
    def replaces(self) -> bool:
        """Whether it takes another proxy in place of the one that there is."""
        workers = self.after.definition.workers > 1
        return any(part in _MAKING or (part == "listen" and workers) for part in self.parts)

    @property
    def moves(self) -> bool:
        """Whether it listens elsewhere."""
        return "listen" in self.parts


@dataclass(frozen=True)
class Differences:
    """What is new, what is gone, and what is not as it was."""

    added: tuple[Described, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()

    @property
    def crossing(self) -> tuple[Change, ...]:
        """Those that listen where another one listened that goes elsewhere: that has to go first."""
        moving = [each for each in self.changed if each.moves]
        return tuple(each for each in moving if any(_crosses(each, other) for other in moving))

    def told(self, failed: Collection[str] = ()) -> str:
        """All of it, in a line for the log.

        :param failed: the names of those that are not as they should be.
        """
        added = [each.name for each in self.added if each.name not in failed]
        changed = [
            f"{each.after.name} ({', '.join(each.parts)})"
            for each in self.changed
            if each.after.name not in failed
        ]
        named = {"added": added, "removed": self.gone, "changed": changed, "failed": failed}
        said = [f"{what} {', '.join(names)}" for what, names in named.items() if names]
        return "; ".join(said) or "nothing differs"


def _crosses(one: Change, other: Change) -> bool:
    return one is not other and collide(one.after.definition.listen, other.before.definition.listen)


def differences(before: Mapping[str, Described], after: Sequence[Described]) -> Differences:
    """What differs.

    :param before: by name.
    """
    names = {each.name for each in after}
    changes = [
        Change(before[each.name], each, parts)
        for each in after
        if each.name in before and (parts := _parts(before[each.name], each))
    ]
    return Differences(
        tuple(each for each in after if each.name not in before),
        tuple(name for name in before if name not in names),
        tuple(changes),
    )


def _parts(before: Described, after: Described) -> tuple[str, ...]:
    old, new = _by_part(before), _by_part(after)
    return tuple(part for part in new if old[part] != new[part])


def _by_part(described: Described) -> Mapping[str, object]:
    definition = described.definition
    listen, backend = definition.listen, definition.backend
    return {
        "listen": (listen.host, listen.port) if listen.host else listen.text,
        "backend": (backend.host, backend.port) if backend.host else backend.text,
        "protocol": (type(definition.protocol), definition.protocol),
        "limits": definition.limits,
        "ends": definition.ends,
        "backlog": definition.backlog,
        "workers": definition.workers,
        "plan": (describe_plan(definition.plan), definition.plan.seed),
        "scenario": _of_scenario(described.scenario),
        "enabled": definition.enabled,
    }


def _of_scenario(scenario: Scenario | None) -> object:
    if scenario is None:
        return None
    steps = [(step.line, step.words, step.spans, _of_fault(step.fault)) for step in scenario.steps]
    return scenario.where, scenario.length, scenario.rounds, steps


def _of_fault(fault: Fault) -> Mapping[str, Any]:
    if isinstance(fault, Rule):
        return describe_rule(fault)
    return fault.describe() if isinstance(fault, PlacedToxic) else describe_action(fault)


def going_on(plan: Plan, now: Plan, steps: Iterable[str] = ()) -> Plan:
    """The plan; what `now` has just so are the same objects, so that they go on as they are.

    :param steps: the names of what a scenario may have added to `now`: it stays, before all others.
    """
    played = set(steps) - {rule.name for rule in plan.rules} - {placed.name for placed in plan.toxics}
    return replace(
        plan,
        mix=now.mix if describe_plan(now)["mix"] == describe_plan(plan)["mix"] else plan.mix,
        rules=(
            *(rule for rule in now.rules if rule.name in played),
            *kept(plan.rules, now.rules, describe_rule),
        ),
        toxics=(
            *kept(plan.toxics, now.toxics, PlacedToxic.describe),
            *(placed for placed in now.toxics if placed.name in played),
        ),
    )
