"""Schemas of rules, toxics, actions, mixes and plans, made from what is declared and installed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from txvaurien.actions import ACTIONS
from txvaurien.clients.vocabulary import COUNTS
from txvaurien.control.schemas import Schema, property_of, schema_of
from txvaurien.options import Declared, Option, options_of, summary
from txvaurien.planning.faults import ToxicFields
from txvaurien.planning.rulefields import NAME_LENGTH, RULE_OPTIONS
from txvaurien.planning.seeds import HIGHEST, LOWEST
from txvaurien.plugins import Registry

#: A name that can stand in a URL and on one line: printable, and without a space at its ends.
NAME: Schema = {"type": "string", "maxLength": NAME_LENGTH, "pattern": "^[^/]*$"}


def ref(name: str) -> Schema:
    """A component by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def fault_schemas(registry: Registry) -> dict[str, Schema]:
    """All of them, by the names of their components."""
    return {
        **_behaviors(registry),
        **toxic_schemas(registry.toxics, "Toxic"),
        "ToxicChange": _toxic_change(),
        **_actions(),
        "RuleText": _short("rule", "error kind=readonly verb=SET times=2"),
        "RuleChange": _rule_change(registry.behaviors),
        "ToxicText": _short("toxic", "latency latency=200 stream=upstream"),
        "ActionText": _short("action", "kill_idle idle=5"),
        "Mix": _mix(),
        "Plan": _plan(),
    }


def _behaviors(registry: Registry) -> dict[str, Schema]:
    rules = {name: _rule(name, each) for name, each in sorted(registry.behaviors.items())}
    shares = {name: _share(name, each) for name, each in sorted(registry.behaviors.items())}
    named = {name: _named(name, each) for name, each in sorted(registry.behaviors.items())}
    return {
        **_union("Rule", "behavior", "A rule: a behavior with its options, and when it fires.", rules),
        **_union("Share", "name", "A part of a mix: of a hundred exchanges so many are its own.", shares),
        **_union("Behavior", "name", "One behavior for all exchanges, with its options.", named),
    }


def _rule(name: str, declared: type[Declared]) -> Schema:
    """Options and fields flat beside each other, as users write them."""
    counts: dict[str, Schema] = {count: {**_count(count), "readOnly": True} for count in COUNTS}
    behavior: Schema = {"const": name}
    properties = {"behavior": behavior, **_options(declared), **_fields(), **counts}
    return _object(summary(declared), properties, required=["behavior"])


def _fields() -> dict[str, Schema]:
    return {option.attribute: _field(option) for option in RULE_OPTIONS}


def _field(option: Option) -> Schema:
    if option.attribute == "name":
        return {**NAME, "description": option.help}
    return property_of(option)


def _count(name: str) -> Schema:
    kinds = {"misfire": "string", "expired": "boolean"}
    return {"type": kinds.get(name, "integer")}


def _share(name: str, declared: type[Declared]) -> Schema:
    percent: Schema = {"type": "number", "minimum": 0, "maximum": 100}
    properties: dict[str, Schema] = {
        "percent": percent,
        "name": {"const": name},
        "options": schema_of(declared),
    }
    return _object(summary(declared), properties, required=["percent", "name"])


def _named(name: str, declared: type[Declared]) -> Schema:
    properties = {"name": {"const": name}, **_options(declared)}
    return _object(summary(declared), properties, required=["name"])


def _rule_change(behaviors: Mapping[str, type[Declared]]) -> Schema:
    behavior: Schema = {"enum": sorted(behaviors)}
    fields: dict[str, Schema] = {
        name: {"anyOf": [each, {"type": "null"}]} for name, each in _fields().items()
    }
    return {
        "type": "object",
        "description": "What is to be otherwise: fields, and options of its behavior; null takes one away.",
        "properties": {"behavior": behavior, **fields},
    }


def toxic_schemas(
    toxics: Mapping[str, type[Declared]], name: str, taken: Callable[[Schema], Schema] | None = None
) -> dict[str, Schema]:
    """A toxic of any type.

    :param name: of the component.
    :param taken: what becomes of the schema of each type.
    """
    outside = {option.attribute: property_of(option) for option in options_of(ToxicFields)}
    found = {}
    for type_, declared in sorted(toxics.items()):
        const: Schema = {"const": type_}
        fields = {"type": const, "name": NAME, **outside, "attributes": schema_of(declared)}
        schema = _object(summary(declared), fields, required=["type"])
        found[type_] = schema if taken is None else taken(schema)
    return _union(name, "type", "A toxic: what is done to the byte stream of one direction.", found)


def _toxic_change() -> Schema:
    toxicity = next(property_of(each) for each in options_of(ToxicFields) if each.attribute == "toxicity")
    return {
        "type": "object",
        "description": "Other attributes, of which those that are not named stay, or another toxicity.",
        "properties": {"attributes": {"type": "object"}, "toxicity": toxicity},
    }


def _actions() -> dict[str, Schema]:
    found = {
        name: _object(
            summary(declared), {"action": {"const": name}, **_options(declared)}, required=["action"]
        )
        for name, declared in sorted(ACTIONS.items())
    }
    options = {"anyOf": [schema_of(ACTIONS[name]) for name in sorted(ACTIONS)]}
    return {
        **_union("Action", "action", "An action: what is done to the listener, or to whole links.", found),
        "ActionOptions": options,
    }


def _mix() -> Schema:
    text = {"type": "string", "examples": ["5:error,10:delay"]}
    return {"anyOf": [{"type": "array", "items": ref("Share")}, text]}


def _plan() -> Schema:
    text = {"type": "string", "description": "the short form"}
    properties = {
        "mix": ref("Mix"),
        "rules": {"type": "array", "items": {"anyOf": [ref("Rule"), text]}},
        "toxics": {"type": "array", "items": {"anyOf": [ref("Toxic"), text]}},
        "seed": {"type": ["integer", "null"], "minimum": LOWEST, "maximum": HIGHEST},
    }
    return _object("All that a proxy does; what is left out is empty, and the seed stays.", properties)


def _short(field: str, example: str) -> Schema:
    text = {"type": "string", "examples": [example]}
    return _object("The short form.", {field: text}, required=[field])


def _options(declared: type[Declared]) -> dict[str, Schema]:
    return {option.attribute: property_of(option) for option in options_of(declared)}


def _object(text: str, properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    schema: Schema = {"type": "object", "description": text, "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return {**schema, "additionalProperties": False}


def _union(name: str, key: str, text: str, members: Mapping[str, Schema]) -> dict[str, Schema]:
    """One of several, told apart by the constant that stands in one of their fields."""
    if not members:
        return {name: {"description": text, "not": {}}}
    named = {each: _component(name, each) for each in members}
    union: dict[str, Any] = {
        "description": text,
        "oneOf": [ref(component) for component in named.values()],
        "discriminator": {
            "propertyName": key,
            "mapping": {each: ref(component)["$ref"] for each, component in named.items()},
        },
    }
    return {name: union, **{named[each]: schema for each, schema in members.items()}}


def _component(kind: str, name: str) -> str:
    return f"{kind}.{re.sub('[^A-Za-z0-9._-]', '-', name)}"
