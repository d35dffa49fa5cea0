"""The rules and the toxics of a proxy, as requests read and change them.

The control server asks for them, and `chaos_proxy`, which has none: so nothing of Klein is here, for to
import that is to install a reactor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.defer import TimeoutError
from twisted.python.failure import Failure

from txvaurien.control.answers import Problem, Refused, not_found, short_form
from txvaurien.errors import ConfigError, RuleGone
from txvaurien.options import unknown
from txvaurien.plan import PlacedToxic
from txvaurien.planning.faults import FaultReader, describe_rule
from txvaurien.planning.planreader import without_counts
from txvaurien.planning.rulefields import RULE_FIELDS
from txvaurien.proxy import Proxy
from txvaurien.rules import Activation, Rule

#: What of a toxic stays as it is.
_FIXED = ("name", "type", "stream")


class NoToxic(Refused):
    """404: there is no toxic of this name."""


class ToxicExists(Refused):
    """409: there is a toxic of this name already."""


class Rules:
    """The rules of a proxy, as requests read and change them."""

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._proxy = proxy
        self._reader = reader

    def describe(self) -> list[dict[str, Any]]:
        """All rules, in their order, with what they have counted."""
        return [_report(each) for each in self._proxy.active.rules]

    async def add(self, said: Mapping[str, Any], position: int | None) -> dict[str, Any]:
        """One more rule.

        :param position: how many rules come before it; None for all.
        :raises Refused: 409; there is one of this name.
        """
        rule = self._read(said)
        if rule.name and rule.name in {each.name for each in self._proxy.plan.rules}:
            why = f"there is a rule {rule.name!r} already; PATCH or DELETE it"
            raise Refused.because(409, "body", "name", why)
        added = self._proxy.add_rule(rule, position)
        await self._proxy.settled()
        return _report(added)

    def _read(self, said: Mapping[str, Any]) -> Rule:
        if "rule" not in said:
            return self._reader.rule(without_counts(said), where="")
        words = short_form(said, "rule", "error kind=readonly verb=SET")
        return self._reader.read_only(Rule, words, where="rule")

    async def get(self, name: str, fired: int | None, seconds: float) -> dict[str, Any]:
        """One rule; as soon as it has fired so often, if that is said.

        :param seconds: how long it may take at most.
        :raises Refused: there is none of this name (404), or it has not fired so often (408).
        """
        activation = self._find(name)
        if fired is not None:
            await self._wait(activation, fired, seconds)
        return _report(activation)

    async def change(self, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """The same rule with other fields, and new counters.

        :raises Refused: 404; there is none of this name.
        """
        old = self._find(name).rule
        new = self._reader.rule(_changed_rule(old, said), where="")
        rules = tuple(new if each is old else each for each in self._proxy.plan.rules)
        self._proxy.set_plan(replace(self._proxy.plan, rules=rules))
        changed = self._proxy.rule(name)
        await self._proxy.settled()
        return _report(changed)

    async def remove(self, name: str) -> None:
        """Away with it; what it held has been let go.

        :raises Refused: 404; there is none of this name.
        """
        self._find(name)
        self._proxy.remove_rule(name)
        await self._proxy.settled()

    async def clear(self) -> int:
        """Away with all; how many there were."""
        plan = self._proxy.plan
        self._proxy.set_plan(replace(plan, rules=()))
        await self._proxy.settled()
        return len(plan.rules)

    def _find(self, name: str) -> Activation:
        try:
            return self._proxy.rule(name)
        except ConfigError as error:
            raise not_found(name, error) from error

    async def _wait(self, activation: Activation, count: int, seconds: float) -> None:
        """Return when the rule has fired so often.

        :raises Refused: the time is up (408), it can fire no more (408), or it is gone (404).
        """
        try:
            await activation.when_fired(count).addTimeout(seconds, self._proxy.clock, _time_is_up)
        except TimeoutError:
            raise _in_vain(activation, f"in {seconds:g} seconds, not {count}") from None
        except RuleGone:
            if activation.expired:
                raise _in_vain(activation, f"and expired; it will not fire {count} times") from None
            raise not_found(activation.rule.name, "the rule has been removed meanwhile") from None


class Toxics:
    """The toxics of a proxy, as requests read and change them."""

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._proxy = proxy
        self._reader = reader

    def describe(self) -> list[dict[str, Any]]:
        """All toxics, in their order."""
        return [each.describe() for each in self._proxy.plan.toxics]

    def find(self, name: str) -> dict[str, Any]:
        """One toxic.

        :raises NoToxic: there is none of this name.
        """
        for placed in self._proxy.plan.toxics:
            if placed.name == name:
                return placed.describe()
        names = [each.name for each in self._proxy.plan.toxics]
        raise NoToxic(404, not_found(name, unknown("toxic", name, names)).problems)

    async def add(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """One more toxic.

        :raises ToxicExists: there is one of this name.
        """
        placed = self._read(said)
        if placed.name in {each.name for each in self._proxy.plan.toxics}:
            why = (
                f"there is a toxic {placed.name!r} already; PATCH or DELETE it, or give this one another name"
            )
            raise ToxicExists(409, [Problem("body", "name", why)])
        self._proxy.add_toxic(placed)
        await self._proxy.settled()
        return placed.describe()

    def _read(self, said: Mapping[str, Any]) -> PlacedToxic:
        if "toxic" not in said:
            return self._reader.toxic(said, where="")
        words = short_form(dict(said), "toxic", "latency latency=200")
        return self._reader.read_only(PlacedToxic, words, where="toxic")

    async def change(self, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """The same toxic with other attributes, or for another share of links.

        :raises NoToxic: there is none of this name.
        """
        old = self.find(name)
        _check_fixed(old, said)
        new = self._reader.toxic(_changed_toxic(old, said), where="")
        self._proxy.replace_toxic(new)
        await self._proxy.settled()
        return new.describe()

    async def remove(self, name: str) -> None:
        """Away with it; what it held has been let go.

        :raises NoToxic: there is none of this name.
        """
        self.find(name)
        self._proxy.remove_toxic(name)
        await self._proxy.settled()


def _check_fixed(old: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    problems = [
        Problem("body", name, f"the {name} of a toxic stays {old[name]!r}; DELETE this one and POST another")
        for name in _FIXED
        if said.get(name, old[name]) != old[name]
    ]
    if problems:
        raise Refused(400, problems)


def _changed_toxic(old: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """A toxic with some of its attributes changed; where they are flat, they stay so for errors."""
    attributes = said.get("attributes", {})
    if not isinstance(attributes, dict):
        raise Refused.because(400, "body", "attributes", "it must be an object")
    flat = {name.replace("-", "_") for name in (*attributes, *said)}
    kept = {name: value for name, value in old["attributes"].items() if name not in flat}
    return {**old, **said, "attributes": {**kept, **attributes}}


def _in_vain(activation: Activation, why: str) -> Refused:
    """408: the rule has not fired often enough; the body also says how often it has."""
    tally = activation.tally
    fired = tally.fired
    times = "once" if fired == 1 else f"{fired} times"
    words = f"{activation.rule.name!r} has fired {times} {why}"
    if tally.misfired:
        words += f"; it has misfired {tally.misfired} times, last because {activation.misfire}"
    more = {"fired": fired, "matched": tally.matched, "misfired": tally.misfired}
    return Refused(408, [Problem("querystring", "fired", words)], more=more)


def _time_is_up(result: object, seconds: float) -> Failure:
    del result
    return Failure(TimeoutError(f"{seconds:g} seconds are over"))


def _changed_rule(old: Rule, said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a rule, some of them changed (RFC 7396: null takes one away)."""
    changes = {name.replace("-", "_"): value for name, value in without_counts(said).items()}
    if changes.get("name", old.name) != old.name:
        raise Refused.because(
            400, "body", "name", "the name of a rule stays; DELETE this one and POST another"
        )
    fields = describe_rule(old)
    if changes.get("behavior", old.behavior.name) != old.behavior.name:
        # The options were those of another behavior.
        fields = {name: fields[name] for name in fields if name.replace("_", "-") in RULE_FIELDS}
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def _report(activation: Activation) -> dict[str, Any]:
    """A rule and what it has counted."""
    tally = activation.tally
    return {
        **describe_rule(activation.rule),
        "matched": tally.matched,
        "fired": tally.fired,
        "capped": tally.capped,
        "misfired": tally.misfired,
        "misfire": activation.misfire,
        "expired": activation.expired,
    }
