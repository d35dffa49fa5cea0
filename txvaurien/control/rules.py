"""The rules of one proxy over HTTP.

- ``GET``: ``{"rules": [{"name": "error-1", "behavior": "error", ..., "matched": 7, "fired": 2, ...}]}``.
- ``POST``: one more rule, its fields flat (``{"behavior": "error", "kind": "readonly", "verb": "SET"}``)
  or in the short form (``{"rule": "error kind=readonly verb=SET"}``); ``?position=0`` puts it first.
  The counters that GET shows may stand among the fields, and are passed over.
- ``GET /{name}``; with ``?fired=2&timeout=10`` it answers when the rule has fired so often.
- ``PATCH /{name}``: the fields that are to be otherwise; null takes one away. It is a new rule in the
  old one's place: its counters start from zero.
- ``DELETE /{name}``: gone, and what it held has been let go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from klein.resource import KleinResource
from msgspec import Meta
from twisted.internet.defer import TimeoutError
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from txvaurien.control.answers import Problem, Refused
from txvaurien.control.app import OK, body_of, new_app, not_found, query_of, say, short_form
from txvaurien.control.plans import without_counts
from txvaurien.errors import ConfigError, RuleGone
from txvaurien.faults import FaultReader, describe_rule
from txvaurien.options import DAY, SECONDS, Declared
from txvaurien.proxy import Proxy
from txvaurien.rulefields import MOST, RULE_FIELDS
from txvaurien.rules import Activation, Rule


class Position(Declared, frozen=True, kw_only=True):
    """Where a rule goes."""

    name: ClassVar[str] = "POST"

    position: Annotated[int, Meta(ge=0, le=MOST, description="how many rules come before it")] | None = None


class Awaiting(Declared, frozen=True, kw_only=True):
    """What is waited for."""

    name: ClassVar[str] = "GET"

    fired: Annotated[int, Meta(ge=1, description="answer when it has fired so often")] | None = None
    timeout: Annotated[float, SECONDS, Meta(ge=0, le=DAY, description="seconds to wait at most")] = 10.0


class RulesApi:
    """The resource of the rules of a proxy, wherever it is mounted."""

    app = new_app()

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._proxy = proxy
        self._reader = reader

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    def list_rules(self, request: IRequest) -> bytes:
        """All rules, in their order."""
        return say(request, {"rules": [report(each) for each in self._proxy.active.rules]})

    @app.route("/", methods=["POST"])
    async def add(self, request: IRequest) -> bytes:
        """One more rule."""
        position = query_of(request, Position).position
        rule = self._read(body_of(request))
        if rule.name and rule.name in {each.name for each in self._proxy.plan.rules}:
            raise Refused.because(
                409, "body", "name", f"there is a rule {rule.name!r} already; PATCH or DELETE it"
            )
        added = self._proxy.add_rule(rule, position)
        await self._proxy.settled()
        return say(request, report(added), 201)

    @app.route("/<name>", methods=["GET"])
    async def get(self, request: IRequest, name: str) -> bytes:
        """One rule, at once or when it has fired often enough."""
        activation = self._find(name)
        query = query_of(request, Awaiting)
        if query.fired is not None:
            await self._wait(activation, query.fired, query.timeout)
        return say(request, report(activation))

    @app.route("/<name>", methods=["PATCH"])
    async def change(self, request: IRequest, name: str) -> bytes:
        """The same rule with other fields, and new counters."""
        old = self._find(name).rule
        new = self._reader.rule(_merged(old, body_of(request)), where="")
        rules = tuple(new if each is old else each for each in self._proxy.plan.rules)
        self._proxy.set_plan(replace(self._proxy.plan, rules=rules))
        changed = self._proxy.rule(name)
        await self._proxy.settled()
        return say(request, report(changed))

    @app.route("/<name>", methods=["DELETE"])
    async def remove(self, request: IRequest, name: str) -> bytes:
        """Remove a rule; what it held has been let go."""
        self._find(name)
        self._proxy.remove_rule(name)
        await self._proxy.settled()
        return say(request, OK)

    def _find(self, name: str) -> Activation:
        try:
            return self._proxy.rule(name)
        except ConfigError as error:
            raise not_found(name, error) from error

    def _read(self, said: dict[str, Any]) -> Rule:
        if "rule" not in said:
            return self._reader.rule(without_counts(said), where="")
        words = short_form(said, "rule", "error kind=readonly verb=SET")
        return self._reader.read_only(Rule, words, where="rule")

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


def _merged(old: Rule, said: dict[str, Any]) -> dict[str, Any]:
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


def report(activation: Activation) -> dict[str, Any]:
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
