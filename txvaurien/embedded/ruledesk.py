"""The rules and the toxics of a proxy, as calls ask for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import TimeoutError
from twisted.python.failure import Failure

from txvaurien.control.answers import Problem, Refused
from txvaurien.control.plans import without_counts
from txvaurien.embedded.asked import Asked, Handlers, Said, no_such, read_words
from txvaurien.errors import ConfigError, RuleGone
from txvaurien.faults import FaultReader, describe_rule
from txvaurien.plan import PlacedToxic
from txvaurien.proxy import Proxy
from txvaurien.rulefields import RULE_FIELDS
from txvaurien.rules import Activation, Rule
from txvaurien.vocabulary import RULES, TOXICS


class RuleDesk:
    """Answers about rules."""

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._proxy = proxy
        self._reader = reader
        self.handlers: Handlers = {
            ("GET", RULES, False): self._list,
            ("POST", RULES, False): self._add,
            ("GET", RULES, True): self._get,
            ("PATCH", RULES, True): self._change,
            ("DELETE", RULES, True): self._remove,
        }

    async def _list(self, asked: Asked) -> Said:
        return {"rules": [_report(each) for each in self._proxy.active.rules]}

    async def _add(self, asked: Asked) -> Said:
        rule = self._read(asked.body)
        if rule.name and rule.name in {each.name for each in self._proxy.plan.rules}:
            raise Refused.because(
                409, "body", "name", f"there is a rule {rule.name!r} already; PATCH or DELETE it"
            )
        return _report(self._proxy.add_rule(rule, asked.settled().position))

    def _read(self, body: dict[str, Any]) -> Rule:
        if "rule" in body:
            return read_words(self._reader, Rule, body, "rule")
        return self._reader.rule(without_counts(body), where="")

    async def _get(self, asked: Asked) -> Said:
        activation = self._find(asked.name)
        query = asked.settled()
        if query.fired is not None:
            await self._wait(activation, query.fired, query.timeout)
        return _report(activation)

    async def _wait(self, activation: Activation, count: int, seconds: float) -> None:
        try:
            await activation.when_fired(count).addTimeout(seconds, self._proxy.clock, _time_is_up)
        except TimeoutError:
            raise _in_vain(activation, f"in {seconds:g} seconds, not {count}") from None
        except RuleGone:
            if activation.expired:
                raise _in_vain(activation, f"and expired; it will not fire {count} times") from None
            name = activation.rule.name
            raise Refused.because(404, "path", name, "the rule has been removed meanwhile") from None

    async def _change(self, asked: Asked) -> None:
        old = self._find(asked.name).rule
        new = self._reader.rule(_changed_rule(old, asked.body), where="")
        rules = tuple(new if each is old else each for each in self._proxy.plan.rules)
        self._proxy.set_plan(replace(self._proxy.plan, rules=rules))

    async def _remove(self, asked: Asked) -> None:
        self._find(asked.name)
        self._proxy.remove_rule(asked.name)

    def _find(self, name: str) -> Activation:
        try:
            return self._proxy.rule(name)
        except ConfigError as error:
            raise no_such("rule", name, [each.name for each in self._proxy.plan.rules]) from error


class ToxicDesk:
    """Answers about toxics."""

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._proxy = proxy
        self._reader = reader
        self.handlers: Handlers = {
            ("GET", TOXICS, False): self._list,
            ("POST", TOXICS, False): self._add,
            ("PATCH", TOXICS, True): self._change,
            ("DELETE", TOXICS, True): self._remove,
        }

    async def _list(self, asked: Asked) -> Said:
        return {"toxics": [each.describe() for each in self._proxy.plan.toxics]}

    async def _add(self, asked: Asked) -> Said:
        placed = self._read(asked.body)
        if placed.name in {each.name for each in self._proxy.plan.toxics}:
            why = (
                f"there is a toxic {placed.name!r} already; PATCH or DELETE it, or give this one another name"
            )
            raise Refused.because(409, "body", "name", why)
        self._proxy.add_toxic(placed)
        return placed.describe()

    def _read(self, body: dict[str, Any]) -> PlacedToxic:
        if "toxic" in body:
            return read_words(self._reader, PlacedToxic, body, "toxic")
        return self._reader.toxic(body, where="")

    async def _change(self, asked: Asked) -> None:
        old = self._find(asked.name).describe()
        self._proxy.replace_toxic(self._reader.toxic(_changed_toxic(old, asked.body), where=""))

    async def _remove(self, asked: Asked) -> None:
        self._find(asked.name)
        self._proxy.remove_toxic(asked.name)

    def _find(self, name: str) -> PlacedToxic:
        try:
            return self._proxy.toxic(name)
        except ConfigError as error:
            raise no_such("toxic", name, [each.name for each in self._proxy.plan.toxics]) from error


def _changed_rule(old: Rule, said: Said) -> dict[str, Any]:
    """The fields of a rule, some of them changed; None takes one away."""
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


def _changed_toxic(old: Said, said: Said) -> dict[str, Any]:
    """A toxic, some of its attributes changed, which are flat or not."""
    problems = [
        Problem("body", name, f"the {name} of a toxic stays {old[name]!r}; DELETE this one and POST another")
        for name in ("name", "type", "stream")
        if said.get(name, old[name]) != old[name]
    ]
    if problems:
        raise Refused(400, problems)
    attributes = said.get("attributes", {})
    flat = {name.replace("-", "_") for name in (*attributes, *said)}
    kept = {name: value for name, value in old["attributes"].items() if name not in flat}
    return {**old, **said, "attributes": {**kept, **attributes}}


def _report(activation: Activation) -> dict[str, Any]:
    """A rule, and what it has counted."""
    tally = activation.tally
    counted = {name: getattr(tally, name) for name in ("matched", "fired", "capped", "misfired")}
    more = {"misfire": activation.misfire, "expired": activation.expired}
    return {**describe_rule(activation.rule), **counted, **more}


def _in_vain(activation: Activation, why: str) -> Refused:
    """408: the rule has not fired often enough."""
    tally = activation.tally
    times = "once" if tally.fired == 1 else f"{tally.fired} times"
    words = f"{activation.rule.name!r} has fired {times} {why}"
    if tally.misfired:
        words += f"; it has misfired {tally.misfired} times, last because {activation.misfire}"
    return Refused(408, [Problem("querystring", "fired", words)], more={"fired": tally.fired})


def _time_is_up(result: object, seconds: float) -> Failure:
    del result
    return Failure(TimeoutError(f"{seconds:g} seconds are over"))
