"""``--dry-run``: what would happen, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from txvaurien.faults import describe_rule
from txvaurien.options import Declared, options_of
from txvaurien.rules import Rule
from txvaurien.scenario import dry_run

if TYPE_CHECKING:
    from txvaurien.config import Settings
    from txvaurien.plan import PlacedToxic, Plan

#: The options that bound something; times are in seconds.
_LIMITS = ("timeout", "idle_timeout", "pool_max_size", "pool_timeout", "max_active_faults")


def dry_run_text(settings: Settings) -> str:
    """What listens where, the plan in the order in which it is asked, and the times of the scenario."""
    seed = "drawn at the start" if settings.plan.seed is None else str(settings.plan.seed)
    lines = [
        f"{_proxy_words(settings)}: protocol {settings.protocol.name}, seed {seed}",
        *_process_lines(settings),
        *plan_lines(settings.plan),
    ]
    if settings.scenario is not None:
        lines += [f"scenario {settings.scenario.where}:", dry_run(settings.scenario).rstrip()]
    return "\n".join([*lines, *(f"warning: {each}" for each in settings.warnings)])


def _proxy_words(settings: Settings) -> str:
    if settings.common.no_proxy:
        return "no proxy"
    workers = settings.common.workers
    shared = f" in {workers} processes" if workers > 1 else ""
    return f"proxy on {settings.listen.text} for {settings.backend.text}{shared}"


def _process_lines(settings: Settings) -> Iterator[str]:
    """A line each for the control server, the journal and the limits."""
    common = settings.common
    host = f"[{common.http_host}]" if ":" in common.http_host else common.http_host
    yield f"control on http://{host}:{common.http_port}/" if settings.control else "no control server"
    if common.journal is None:
        yield "no journal file"
    else:
        size = f"a new file after {common.journal_size} bytes" if common.journal_size else "one file"
        yield f"journal {common.journal}: {size}, {common.journal_keep} older ones kept"
    limits = (f"{name.replace('_', '-')} {_limit(getattr(common, name))}" for name in _LIMITS)
    yield f"limits: {', '.join(limits)}"


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
