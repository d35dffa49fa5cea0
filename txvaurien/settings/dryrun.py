"""``--dry-run``: what would happen, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from txvaurien.options import Declared, options_of
from txvaurien.planning.faults import describe_rule
from txvaurien.rules import Rule
from txvaurien.scenarios.scenario import dry_run

if TYPE_CHECKING:
    from txvaurien.config import Settings
    from txvaurien.plan import PlacedToxic, Plan
    from txvaurien.settings.described import Described

#: The options that bound something; times are in seconds.
_LIMITS = ("timeout", "idle_timeout", "pool_max_size", "pool_timeout", "max_active_faults")


def dry_run_text(settings: Settings) -> str:
    """What listens where, plans in the order in which they are asked, and the times of scenarios."""
    main, others = settings.described[: settings.has_main], settings.others
    lines = [*(_proxy_words(each, "proxy") for each in main), *_process_lines(settings)]
    for each in main:
        lines += _lines_of(each)
    for each in others:
        lines += [_proxy_words(each, f"proxy {each.name}"), *_lines_of(each)]
    return "\n".join([*lines, *(f"warning: {each}" for each in settings.warnings)])


def _proxy_words(described: Described, what: str) -> str:
    definition = described.definition
    seed = "drawn at the start" if definition.plan.seed is None else str(definition.plan.seed)
    shared = f" in {definition.workers} processes" if definition.workers > 1 else ""
    where = f"{what} on {definition.listen.text} for {definition.backend.text}{shared}"
    off = "" if definition.enabled else ", disabled"
    return f"{where}: protocol {definition.protocol.name}, seed {seed}{off}"


def _process_lines(settings: Settings) -> Iterator[str]:
    """A line each for the control server, StatsD and the journal, and for a proxy that there is not."""
    common = settings.common
    if not settings.described:
        yield "no proxy"
    yield from _control_lines(settings)
    if common.statsd is not None:
        yield f"metrics to StatsD at {common.statsd}, as {common.statsd_prefix}.*"
    if common.journal is None:
        yield "no journal file"
    else:
        size = f"a new file after {common.journal_size} bytes" if common.journal_size else "one file"
        yield f"journal {common.journal}: {size}, {common.journal_keep} older ones kept"


def _control_lines(settings: Settings) -> Iterator[str]:
    access = settings.access
    if access is None:
        yield "no control server"
        return
    token = ", with a token" if access.token else ""
    yield f"control on {access.url(access.port)}{token}"
    if settings.allow_backend:
        allowed = ", ".join(pattern.text for pattern in settings.allow_backend)
        yield f"backends that it may set: {allowed}"


def _lines_of(described: Described) -> Iterator[str]:
    """The limits of a proxy, its plan and its scenario."""
    limits = described.definition.limits
    said = (f"{name.replace('_', '-')} {_limit(getattr(limits, name))}" for name in _LIMITS)
    yield f"limits: {', '.join(said)}"
    ends = _said(described.definition.ends)
    if ends:
        yield f"ends: {_words('', ends).strip()}"
    yield from plan_lines(described.definition.plan)
    if described.scenario is not None:
        yield f"scenario {described.scenario.where}:"
        yield dry_run(described.scenario).rstrip()


def _limit(value: float | None) -> str:
    return "off" if value is None else f"{value:g}"


def plan_lines(plan: Plan) -> Iterator[str]:
    """A line for each part of a plan."""
    for rule in plan.rules:
        if rule.at:
            yield from _places(rule)
        else:
            yield f"rule {rule.name}: {rule_words(rule)}"
    yield from (f"{share.percent:g} %: {rule_words(share.rule)}" for share in plan.mix)
    yield from (f"toxic {placed.name}: {toxic_words(placed)}" for placed in plan.toxics)


def _places(rule: Rule) -> Iterator[str]:
    words = _words(rule.behavior.name, _said(rule.behavior))
    for link, label in sorted(rule.at, key=lambda at: (at[0], at[1][0] == "u", int(at[1].lstrip("u")))):
        yield f"link {link}, exchange {label}: {words} (rule {rule.name})"


def rule_words(rule: Rule) -> str:
    """A rule in the short form, without what is so by default."""
    fields = describe_rule(rule)
    options = {option.attribute for option in options_of(type(rule.behavior))}
    own = {name: fields[name] for name in fields if name not in {*options, "behavior", "name"}}
    return _words(rule.behavior.name, {**_said(rule.behavior), **own})


def toxic_words(placed: PlacedToxic) -> str:
    """A toxic in the short form, without the attributes that are so by default."""
    fields = placed.describe()
    own: dict[str, Any] = {"stream": fields["stream"]}
    if placed.toxicity < 1.0:
        own["toxicity"] = placed.toxicity
    return _words(placed.toxic.name, {**_said(placed.toxic), **own})


def _said(declared: Declared) -> dict[str, Any]:
    return {
        option.name: getattr(declared, option.attribute)
        for option in options_of(type(declared))
        if getattr(declared, option.attribute) != option.default
    }


def _words(name: str, fields: Mapping[str, Any]) -> str:
    return " ".join([name, *(f"{key.replace('_', '-')}={_value(fields[key])}" for key in fields)])


def _value(value: Any) -> str:
    if isinstance(value, list):
        value = ",".join(map(str, value))
    return shlex.quote(str(value).lower() if isinstance(value, bool) else str(value))
