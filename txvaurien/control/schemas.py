"""JSON Schemas of what is declared: msgspec makes them from the typed fields (`txvaurien.options`)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from txvaurien.control.plans import default_of
from txvaurien.options import Declared, Option, options_of

Schema = dict[str, Any]

_KINDS = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}


def schema_of(declared: type[Declared]) -> Schema:
    """The options of a class as a JSON Schema (2020-12) that stands for itself.

    Times are numbers of seconds there, with ``unit``; where a value is taken, a text such as ``500ms``
    is as well.
    """
    doc = inspect.getdoc(declared) or ""
    required = [field.name for field in msgspec.structs.fields(declared) if field.required]
    return {
        "type": "object",
        "title": declared.name,
        "description": doc,
        "properties": {option.attribute: property_of(option) for option in options_of(declared)},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def schemas_of(declared: Mapping[str, type[Declared]]) -> dict[str, Schema]:
    """The schema of each, by name."""
    return {name: schema_of(declared[name]) for name in sorted(declared)}


def property_of(option: Option) -> Schema:
    """What one option takes."""
    schema = _of_type(option.type) or _of_option(option)
    if option.default is not msgspec.NODEFAULT:
        schema["default"] = default_of(option)
    return schema


def _of_type(type_: Any) -> Schema:
    """What msgspec says of a type; empty where it has no words for it, or needs more than one schema."""
    try:
        schema = msgspec.json.schema(type_)
    except TypeError:
        # An option of somebody's plug-in, of a type that only its own hook understands.
        return {}
    return {} if "$defs" in schema else dict(schema)


def _of_option(option: Option) -> Schema:
    said = {"type": _KINDS.get(option.kind), "description": option.help}
    return {name: value for name, value in said.items() if value}
