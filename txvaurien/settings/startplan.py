"""The plan that a process starts with: the mix, the rules and the toxics of a file and a command line.

A section ``[rule:NAME]`` or ``[toxic:NAME]`` has a line for each field, ``--rule`` and
``--toxic`` have the short form. They stand in the plan as they were given, those of the
file first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from txvaurien.actions import ACTIONS
from txvaurien.behaviors.base import Behavior
from txvaurien.errors import ConfigError
from txvaurien.options import nearest
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.faults import FaultReader
from txvaurien.planning.mix import Share, parse_mix
from txvaurien.planning.seeds import FORM, is_seed
from txvaurien.rules import Rule
from txvaurien.settings.flags import REPEATABLE, Given, normal, prefix_of

if TYPE_CHECKING:
    from txvaurien.settings.inifile import Contents, Line, Section

_KINDS: Mapping[str, type[Rule] | type[PlacedToxic]] = {"rule": Rule, "toxic": PlacedToxic}

#: What each kind cannot do without: what it is.
_FIRST: Mapping[str, str] = MappingProxyType({"rule": "behavior", "toxic": "type"})

NamedT = TypeVar("NamedT", Rule, PlacedToxic)


@dataclass(frozen=True)
class FaultSection:
    """``[rule:NAME]`` or ``[toxic:NAME]``: its `kind` is what stands before the colon."""

    kind: str
    name: str
    where: str
    lines: tuple[Line, ...]
    #: Which proxies it is for; None where it does not say.
    proxies: Line | None = None


def fault_sections(contents: Contents) -> tuple[FaultSection, ...]:
    """The rules and toxics of a file, and of those that it extends; a section that comes again adds to it.

    :raises ConfigError: one has no name, or says what is not said there.
    """
    found: dict[str, FaultSection] = {}
    for section in contents.sections:
        kind, _, name = section.name.partition(":")
        if kind not in _KINDS or section.name in found:
            continue
        if not name.strip():
            raise ConfigError(section.where, f"[{section.name}] has no name", f"write [{kind}:NAME]")
        lines = {line.name: line for line in contents.lines if line.section == section.name}
        if kind == "toxic" and "callable" in lines:
            _check_class_only(section, lines)
        else:
            proxies = lines.pop("proxy", None)
            found[section.name] = FaultSection(kind, name, section.where, tuple(lines.values()), proxies)
    return tuple(found.values())


def meant_section(name: str) -> str:
    """``rule:NAME`` and the like, if a section that there is not may be meant for that, else ``""``."""
    written, *rest = re.split(r"[\s:._-]+", name.strip(), maxsplit=1)
    near = nearest(written.lower(), (*_KINDS, "proxy"))
    return f"{near}:{rest[0]}" if near and rest and rest[0] else ""


def _check_class_only(section: Section, lines: Mapping[str, Line]) -> None:
    others = [line for name, line in lines.items() if name != "callable"]
    if others:
        raise ConfigError(
            others[0].where,
            f"[{section.name}] names a class, which is only made known by that",
            f"put the toxic into a section of its own, with type = {section.name.partition(':')[2]}",
        )


def start_plan(
    mix: str,
    seed: int | None,
    reader: FaultReader,
    sections: Sequence[FaultSection],
    given: Sequence[Given],
    places: Mapping[str, str],
) -> Plan:
    """The plan.

    :param mix: what ``--behavior`` says.
    :param given: what the command line says, `REPEATABLE` flags and others.
    :param places: where each other option that was given stands, by the name of its flag.
    :raises ConfigError: anything that cannot be.
    """
    if seed is not None and not is_seed(seed):
        raise ConfigError(places.get("seed", "--seed"), f"{str(seed)[:40]!r} will not do", FORM)
    faults = [(_of_section(each, reader), each.where) for each in sections]
    faults += [(_of_flag(each, reader), each.where) for each in given if each.flag.name in REPEATABLE]
    rules = [(each, where) for each, where in faults if isinstance(each, Rule)]
    toxics = [(each, where) for each, where in faults if isinstance(each, PlacedToxic)]
    _check_distinct("rule", rules)
    _check_distinct("toxic", toxics)
    plan = Plan(_mix(mix, reader, places), toxics=tuple(each for each, _ in toxics), seed=seed)
    return _with_rules(plan, [each for each, _ in rules])


def _with_rules(plan: Plan, rules: Sequence[Rule]) -> Plan:
    """With these rules. Names are made up last, so that they are not those of later rules."""
    for rule in rules:
        if rule.name:
            plan = plan.with_rule(rule)
    for position, rule in enumerate(rules):
        if not rule.name:
            plan = plan.with_rule(rule, position)
    return plan


def _of_section(section: FaultSection, reader: FaultReader) -> Rule | PlacedToxic:
    places = {line.name: line.where for line in section.lines}
    if "name" in places:
        what = f"the name of this {section.kind} is that of its section, {section.name!r}"
        raise ConfigError(places["name"], what, "leave this line out")
    _check_first(section, places)
    fields: dict[str, object] = {line.name: line.value for line in section.lines}
    fields["name"] = section.name
    try:
        if section.kind == "rule":
            return reader.rule(fields, where="", text=True)
        return reader.toxic(fields, where="", text=True)
    except ConfigError as error:
        field = normal(error.where)
        place = places.get(field) or f"{section.where}: {field}".rstrip(": ")
        raise error.at(place) from error


def _check_first(section: FaultSection, places: Mapping[str, str]) -> None:
    """:raises ConfigError: what it is is not said, but another line may be meant for that."""
    first = _FIRST[section.kind]
    if first in places:
        return
    # What says it in the other kind of section is as good a guess as what is misspelt.
    near = next((name for name in _FIRST.values() if name in places), nearest(first, places))
    if near:
        what = f"there is no field {near!r} (did you mean {first!r}?)"
        raise ConfigError(places[near], what, f"a {section.kind} needs a line {first} = NAME")


def _of_flag(given: Given, reader: FaultReader) -> Rule | PlacedToxic:
    kind = given.flag.name
    fault = reader.read(given.text, where=given.where, kind=_KINDS[kind])
    if isinstance(fault, _KINDS[kind]) and isinstance(fault, (Rule, PlacedToxic)):
        return fault
    raise _of_another_kind(given.text.split()[0], reader, given.where)


def _of_another_kind(name: str, reader: FaultReader, where: str) -> ConfigError:
    """The error for the name of a fault where it does not belong."""
    what, instead = "an action of the proxy", "start it with vaurienctl, or in a scenario"
    if name in reader.registry.behaviors:
        what, instead = "a behavior", "use --rule"
    elif name in reader.registry.toxics:
        what, instead = "a toxic", "use --toxic"
    return ConfigError(where, f"{name!r} is {what}", instead)


def _check_distinct(what: str, named: Iterable[tuple[NamedT, str]]) -> None:
    seen: dict[str, str] = {}
    for each, where in named:
        if each.name and each.name in seen:
            other = f"the other is {seen[each.name]}"
            raise ConfigError(where, f"there are two {what}s called {each.name!r}; {other}", "give it a name")
        seen[each.name] = where


def _mix(text: str, reader: FaultReader, places: Mapping[str, str]) -> tuple[Share, ...]:
    where = places.get("behavior", "--behavior")
    mix = []
    for percent, name in parse_mix(text, where):
        if name not in reader.registry.behaviors and (name in reader.registry.toxics or name in ACTIONS):
            raise _of_another_kind(name, reader, where)
        behavior = reader.registry.behavior(name, reader.defaults.get(name, {}), where=where)
        misfit = _misfit(behavior, reader, places, where)
        if misfit is not None:
            raise misfit
        mix.append(Share(percent, Rule(behavior)))
    return tuple(mix)


def check_defaults(readers: Sequence[FaultReader], places: Mapping[str, str]) -> None:
    """Options of a behavior that is not used yet must do as well, or they would fail when it is.

    :param readers: of each proxy; what was set for a behavior need not be for all of them.
    :raises ConfigError: they do not fit each other, or the protocol of any proxy.
    """
    for name, values in readers[0].defaults.items():
        given = next(
            (place for flag, place in places.items() if flag.startswith(prefix_of("behaviors", name))), ""
        )
        behavior = readers[0].registry.behavior(name, values)
        errors = [each for reader in readers if (each := _misfit(behavior, reader, places, given))]
        if len(errors) == len(readers):
            raise errors[0]


def _misfit(
    behavior: Behavior, reader: FaultReader, places: Mapping[str, str], where: str
) -> ConfigError | None:
    """Find out now what a behavior has against the protocol, while the place is known."""
    try:
        behavior.acts(reader.protocol)
    except ConfigError as error:
        option = f"{prefix_of('behaviors', behavior.name)}{normal(error.where)}"
        return error.at(places.get(option, where))
    return None
