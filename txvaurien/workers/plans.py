"""A plan on its way to the workers, who know its rules and toxics by numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any

from txvaurien.errors import ConfigError
from txvaurien.plan import ActivePlan, PlacedToxic, Plan
from txvaurien.planning.faults import FaultReader, describe_rule
from txvaurien.planning.mix import Share
from txvaurien.plugins import Registry
from txvaurien.protocols.base import WireProtocol
from txvaurien.rules import Activation, Rule
from txvaurien.workers.counters import SharedTally, Slots
from txvaurien.workers.memory import Memory
from txvaurien.workers.wire import Part, Placed, SetPlan


class Ledger:
    """The numbers that the master has given to the rules and toxics of its plan."""

    def __init__(self, memory: Memory) -> None:
        self._slots = Slots(memory)
        self._tallies: dict[Rule, SharedTally] = {}
        self._toxics: dict[PlacedToxic, int] = {}
        self._last = 0

    def tally_of(self, rule: Rule) -> SharedTally:
        """The counters of a rule, new ones if it has none.

        :raises ConfigError: there are too many rules.
        """
        if rule not in self._tallies:
            self._tallies[rule] = self._slots.take()
        return self._tallies[rule]

    def keep(self, plan: Plan) -> list[SharedTally]:
        """Forget what is not in this plan.

        :return: the counters of those rules, to be given back when no worker counts in them.
        """
        rules = {*plan.rules, *(share.rule for share in plan.mix)}
        gone = [rule for rule in self._tallies if rule not in rules]
        self._toxics = {each: self._toxics[each] for each in plan.toxics if each in self._toxics}
        return [self._tallies.pop(rule) for rule in gone]

    def give_back(self, tallies: Iterable[SharedTally]) -> None:
        """No worker counts in these any more."""
        for each in tallies:
            self._slots.give_back(each)

    def write(self, active: ActivePlan) -> SetPlan:
        """A plan at work, for the workers."""
        shares = [share.percent for share in active.plan.mix]
        parts = [self._rule(activation) for _, activation in active.mix]
        return SetPlan(
            active.seed,
            [Part(percent, rule) for percent, rule in zip(shares, parts, strict=True)],
            [self._rule(activation) for activation in active.rules],
            [Placed(self._number(placed), placed.describe()) for placed in active.plan.toxics],
        )

    def _rule(self, activation: Activation) -> Placed:
        rule = activation.rule
        return Placed(self.tally_of(rule).slot, describe_rule(rule), activation.expired)

    def _number(self, placed: PlacedToxic) -> int:
        if placed not in self._toxics:
            self._last += 1
            self._toxics[placed] = self._last
        return self._toxics[placed]


class PlanReader:
    """Makes the plans of a worker. What has the same number as before is the same object."""

    def __init__(self, faults: FaultReader, memory: Memory) -> None:
        self._faults = faults
        self._memory = memory
        self._rules: dict[int, Rule] = {}
        self._toxics: dict[int, PlacedToxic] = {}
        self._tallies: dict[Rule, SharedTally] = {}

    def tally_of(self, rule: Rule) -> SharedTally:
        """The counters of a rule that has been read."""
        return self._tallies[rule]

    def rule(self, number: int) -> Rule:
        """The rule of this number."""
        return self._rules[number]

    def read(self, said: SetPlan) -> Plan:
        """A plan; what is not in it is forgotten."""
        placed = [*(part.rule for part in said.mix), *said.rules]
        self._rules = {each.number: self._rule(each) for each in placed}
        self._tallies = {
            rule: self._tallies.get(rule) or SharedTally(self._memory, number)
            for number, rule in self._rules.items()
        }
        self._toxics = {each.number: self._toxic(each) for each in said.toxics}
        return Plan(
            mix=tuple(Share(part.percent, self._rules[part.rule.number]) for part in said.mix),
            rules=tuple(self._rules[each.number] for each in said.rules),
            toxics=tuple(self._toxics.values()),
            seed=said.seed,
        )

    def _rule(self, placed: Placed) -> Rule:
        return self._rules.get(placed.number) or self._faults.rule(placed.said, where="rule")

    def _toxic(self, placed: Placed) -> PlacedToxic:
        return self._toxics.get(placed.number) or self._faults.toxic(placed.said, where="toxic")


def places_of(registry: Registry, protocol: WireProtocol) -> dict[str, dict[str, str]]:
    """Where the classes of a registry are; of protocols, only the one that is used.

    :raises ConfigError: one cannot be imported by another process.
    """
    groups: Mapping[str, Mapping[str, type]] = {
        "protocols": {protocol.name: type(protocol)},
        "behaviors": registry.behaviors,
        "toxics": registry.toxics,
    }
    return {
        group: {name: _place(found) for name, found in classes.items()} for group, classes in groups.items()
    }


def _place(found: type) -> str:
    if found.__module__ == "__main__" or "<locals>" in found.__qualname__:
        raise ConfigError(
            "--workers",
            f"{found.__qualname__!r} cannot be imported by the workers",
            "define the class in a module of its own, outside of functions",
        )
    return f"{found.__module__}:{found.__qualname__}"


def registry_at(places: Mapping[str, Mapping[str, str]]) -> Registry:
    """A registry of the classes at these places (`places_of`)."""
    return Registry(
        **{group: {name: _import(each) for name, each in named.items()} for group, named in places.items()}
    )


def _import(place: str) -> Any:
    module, _, name = place.partition(":")
    return attrgetter(name)(import_module(module))
