"""Faults as text and JSON: rules, toxics and actions, there and back.

The short form is what a shell would make words of: the name of a behavior, a
toxic or an action, then its fields::

    error kind=readonly verb=SET target=user:* times=2
    latency latency=200 stream=upstream toxicity=0.5
    deaf

What `describe_rule` and its like give out, `FaultReader` takes in again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta

from txvaurien.actions import ACTIONS, Action
from txvaurien.errors import ConfigError
from txvaurien.model import Hook
from txvaurien.options import Declared, build, options_of, plain_values, unknown
from txvaurien.plan import STREAMS, PlacedToxic, Plan
from txvaurien.planning.rulefields import RULE_FIELDS, RULE_OPTIONS, describe_fields, read_fields, read_name
from txvaurien.rules import Activation, Rule

if TYPE_CHECKING:
    from txvaurien.behaviors.base import Behavior
    from txvaurien.plugins import Registry
    from txvaurien.protocols.base import WireProtocol

Fault = Rule | PlacedToxic | Action
FaultT = TypeVar("FaultT", Rule, PlacedToxic, Action)

#: For each kind of fault, what its first word is the name of, and an example.
_KINDS: Mapping[type, tuple[str, str]] = MappingProxyType(
    {
        Rule: ("behavior", "error kind=readonly verb=SET"),
        PlacedToxic: ("toxic", "latency latency=200"),
        Action: ("action", "slow_accept delay=100"),
    }
)
_ANY = ("fault", "error kind=readonly verb=SET")

_CONNECT = frozenset({Hook.CONNECT})
_DIRECTIONS = {stream: direction for direction, stream in STREAMS.items()}


class ToxicFields(Declared, frozen=True, kw_only=True):
    """The fields of a toxic that are not attributes of its type."""

    name: ClassVar[str] = "toxic"

    stream: Annotated[
        Literal["upstream", "downstream"],
        Meta(description="which way: upstream is to the backend, downstream to the client"),
    ] = "downstream"
    toxicity: Annotated[float, Meta(ge=0, le=1, description="the share of links, from 0 to 1")] = 1.0


@dataclass(frozen=True)
class FaultReader:
    """Makes faults of what a user said.

    An error's place is ``where: field``, or the field alone where `where` is empty.

    :param protocol: what rules are checked against.
    :param defaults: option values of behaviors, by attribute name, where nothing is said.
    """

    registry: Registry
    protocol: WireProtocol
    defaults: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def rule(self, fields: Mapping[str, object], *, where: str, text: bool = False) -> Rule:
        """A rule from ``behavior``, its options, and the rule's own fields, all flat.

        :param text: values are texts to be converted.
        :raises ConfigError: an unknown name, a value that will not do, or a rule that could never fire.
        """
        prefix = _prefix(where)
        given = _by_attribute(fields, prefix)
        name = _taken(given, "behavior", "behavior", self.registry.behaviors, prefix)
        declared = self.registry.behaviors[name]
        own = {each: given.pop(each) for each in list(given) if each.replace("_", "-") in RULE_FIELDS}
        names = [option.name for option in (*options_of(declared), *RULE_OPTIONS)]
        _check_names("field", given, names, prefix, f"a rule with {name!r}")
        behavior = self._behavior(declared, given, prefix, text)
        rule = Rule(behavior, **read_fields(own, where=prefix, text=text))
        self._check_fit(rule, prefix, where)
        return rule

    def _behavior(
        self, declared: type[Behavior], given: Mapping[str, object], prefix: str, text: bool
    ) -> Behavior:
        default = self.defaults.get(declared.name)
        said = build(declared, given, where=prefix, text=text)
        if not default:
            return said
        values = {**default, **{name: getattr(said, name) for name in given}}
        return build(declared, values, where=prefix)

    def _check_fit(self, rule: Rule, prefix: str, where: str) -> None:
        try:
            acts = Activation(rule, rule.name, self.protocol).acts
        except ConfigError as error:
            place = f"{prefix}{error.where.replace('_', '-')}" if error.where else where
            raise error.at(place) from error
        unmet = "verb" if rule.verbs and "CONNECT" not in rule.verbs else "target" if rule.target else ""
        if acts == _CONNECT and unmet:
            raise ConfigError(
                f"{prefix}{unmet}",
                f"{rule.behavior.name!r} acts here when a client connects, before anything is asked",
                f"leave {unmet} out",
            )

    def toxic(self, fields: Mapping[str, object], *, where: str, text: bool = False) -> PlacedToxic:
        """A toxic from ``type``, ``name``, ``stream``, ``toxicity`` and the attributes of its type.

        The attributes are flat, or in ``attributes`` as Toxiproxy has them.

        :raises ConfigError: an unknown name, or a value that will not do.
        """
        prefix = _prefix(where)
        given = _by_attribute(fields, prefix)
        type_ = _taken(given, "type", "toxic", self.registry.toxics, prefix)
        name = read_name(_text(given.pop("name", ""), f"{prefix}name"), f"{prefix}name")
        own: dict[str, object] = {
            each.name: given.pop(each.name) for each in options_of(ToxicFields) if each.name in given
        }
        placed = build(ToxicFields, own, where=prefix, text=text)
        attributes = _attributes(given, prefix)
        declared = self.registry.toxics[type_]
        names = [option.name for option in options_of(declared)]
        outside = ["name", *(option.name for option in options_of(ToxicFields))]
        _check_names("attribute", attributes, [*names, *outside], prefix, f"{type_!r}")
        return PlacedToxic(
            build(declared, attributes, where=prefix, text=text),
            _DIRECTIONS[placed.stream],
            name,
            placed.toxicity,
        )

    def action(self, fields: Mapping[str, object], *, where: str, text: bool = False) -> Action:
        """An action of the proxy from ``action``, its name, and its options.

        :raises ConfigError: an unknown name, or a value that will not do.
        """
        prefix = _prefix(where)
        given = _by_attribute(fields, prefix)
        name = _taken(given, "action", "action", ACTIONS, prefix)
        return build(ACTIONS[name], given, where=prefix, text=text)

    def read_only(self, kind: type[FaultT], words: str, *, where: str) -> FaultT:
        """Read the short form of one kind of fault.

        :raises ConfigError: as `read`, or it is of another kind.
        """
        fault = self.read(words, where=where, kind=kind)
        if not isinstance(fault, kind):
            what, _ = _KINDS[kind]
            names = f"the {what}s are: {', '.join(sorted(self._names(what)))}"
            raise ConfigError(where, f"its first word names no {what}", names)
        return fault

    def read(self, words: str, *, where: str, share: float = 1.0, kind: type[Fault] | None = None) -> Fault:
        """Read the short form; its first word says what it is.

        :param share: the probability of a rule, the toxicity of a toxic; actions have none.
        :param kind: what is expected, for what is said of an unknown name; others are read all the same.
        :raises ConfigError: as `rule`, `toxic` and `action`, or not of that form.
        """
        what, example = _ANY if kind is None else _KINDS[kind]
        name, fields = _short_form(words, where, example)
        if name in self.registry.behaviors:
            _add_share(fields, "probability", share, where)
            return self.rule({"behavior": name, **fields}, where=where, text=True)
        if name in self.registry.toxics:
            _add_share(fields, "toxicity", share, where)
            return self.toxic({"type": name, **fields}, where=where, text=True)
        if name not in ACTIONS:
            raise unknown(what, name, self._names(what), where=where)
        if share < 1.0:
            raise ConfigError(
                where, f"{name!r} is done to the whole proxy, not to a share", "leave the share out"
            )
        return self.action({"action": name, **fields}, where=where, text=True)

    def _names(self, what: str) -> list[str]:
        known: dict[str, Iterable[str]] = {
            "behavior": self.registry.behaviors,
            "toxic": self.registry.toxics,
            "action": ACTIONS,
        }
        return [name for each in known for name in known[each] if what in {each, "fault"}]


def describe_rule(rule: Rule) -> dict[str, Any]:
    """A rule as JSON has it: all options of its behavior, and the fields that it was given."""
    return {"behavior": rule.behavior.name, **plain_values(rule.behavior), **describe_fields(rule)}


def describe_action(action: Action) -> dict[str, Any]:
    """An action as JSON has it, with all of its options."""
    return {"action": action.name, **plain_values(action)}


def _prefix(where: str) -> str:
    return f"{where}: " if where else ""


def _by_attribute(fields: Mapping[str, object], prefix: str) -> dict[str, object]:
    """:raises ConfigError: one stands twice, with - and with _."""
    found: dict[str, object] = {}
    for name, value in fields.items():
        attribute = name.replace("-", "_")
        if attribute in found:
            raise ConfigError(f"{prefix}{name}", "it stands twice, with - and with _", "say it once")
        found[attribute] = value
    return found


def _taken(given: dict[str, object], key: str, what: str, choices: Mapping[str, object], prefix: str) -> str:
    """Take out the field that names the fault."""
    place = f"{prefix}{key}"
    if key not in given:
        raise ConfigError(place, "it is missing", f"the {what}s are: {', '.join(sorted(choices))}")
    name = _text(given.pop(key), place)
    if name not in choices:
        raise unknown(what, name, choices, where=place)
    return name


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(where, f"{msgspec.json.encode(value).decode()} will not do", "it must be a text")
    return value


def _attributes(given: dict[str, object], prefix: str) -> dict[str, object]:
    inner = given.pop("attributes", {})
    if not isinstance(inner, Mapping):
        raise ConfigError(f"{prefix}attributes", f"{inner!r} will not do", "it must be an object")
    attributes = _by_attribute(inner, prefix)
    for name in attributes.keys() & given.keys():
        raise ConfigError(f"{prefix}{name}", "it stands twice, in attributes and beside them", "say it once")
    return {**given, **attributes}


def _check_names(what: str, given: Iterable[str], names: Iterable[str], prefix: str, of: str) -> None:
    known = list(names)
    for attribute in given:
        name = attribute.replace("_", "-")
        if name not in known:
            raise unknown(what, name, known, where=f"{prefix}{name}", of=of)


def _short_form(words: str, where: str, example: str) -> tuple[str, dict[str, object]]:
    try:
        name, *pairs = shlex.split(words)
    except ValueError as error:
        what = f"{words!r} cannot be read ({error})" if words.strip() else "there is no fault"
        raise ConfigError(where, what, f"write for example: {example}") from None
    fields: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigError(where, f"{pair!r} is not FIELD=VALUE", f"write for example: {example}")
        if key in fields:
            raise ConfigError(f"{_prefix(where)}{key}", "it stands twice", "say it once")
        fields[key] = value
    return name, fields


def _add_share(fields: dict[str, object], name: str, share: float, where: str) -> None:
    if share < 1.0:
        if name in fields:
            raise ConfigError(f"{_prefix(where)}{name}", "the share has been given already", "say it once")
        fields[name] = repr(share)


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The mix, the rules and the toxics of a plan."""
    return {
        "mix": [
            {
                "percent": share.percent,
                "name": share.rule.behavior.name,
                "options": plain_values(share.rule.behavior),
            }
            for share in plan.mix
        ],
        "rules": [describe_rule(rule) for rule in plan.rules],
        "toxics": [placed.describe() for placed in plan.toxics],
    }
