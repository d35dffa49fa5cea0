"""JSON Schemas (2020-12) in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vaurien_reference.markdown import code, codes, escaped, table

Schema = Mapping[str, Any]

_REF = "#/components/schemas/"
_NULL: Schema = {"type": "null"}


def anchor_of(name: str) -> str:
    """Where a component is described."""
    return f"schema-{name.lower()}"


def name_of(schema: Schema) -> str:
    """The component that a reference leads to."""
    return str(schema["$ref"]).removeprefix(_REF)


def words(schema: Schema) -> str:
    """What a value must be, as Markdown; references are links."""
    if "$ref" in schema:
        return f"[{name_of(schema)}](#{anchor_of(name_of(schema))})"
    if "const" in schema:
        return _json(schema["const"])
    if "enum" in schema:
        return f"one of {codes(json.dumps(each) for each in schema['enum'])}"
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return " or ".join(dict.fromkeys(words(each) for each in schema[either]))
    return _of_type(schema)


def _of_type(schema: Schema) -> str:
    kind = schema.get("type", "anything")
    if not isinstance(kind, str):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {words(schema['items'])}" if "items" in schema else "list"
    if kind == "object":
        return _of_object(schema)
    return f"{kind}{_bounds(schema)}"


def _of_object(schema: Schema) -> str:
    if schema.get("properties"):
        inner = ", ".join(f"{code(name)}: {words(each)}" for name, each in schema["properties"].items())
        return f"object with {inner}"
    rest = schema.get("additionalProperties")
    return f"object, by name: {words(rest)}" if isinstance(rest, Mapping) and rest else "object"


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    said = [
        f"of at least {_number(low)}" if low is not None else "",
        f"above {_number(above)}" if above is not None else "",
        f"up to {_number(high)}" if high is not None else "",
        f"in {schema['unit']}" if schema.get("unit") else "",
        f"of at most {schema['maxLength']} characters" if "maxLength" in schema else "",
    ]
    return "".join(f" {each}" for each in said if each)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _json(value: object) -> str:
    return code(json.dumps(value))


def described(schema: Schema) -> str:
    """What is said of it; of what may be null, what is said of the rest."""
    if schema.get("description"):
        return escaped(" ".join(str(schema["description"]).split()))
    arms = [each for each in schema.get("anyOf", ()) if each != _NULL]
    return described(arms[0]) if len(arms) == 1 else ""


def default_of(schema: Schema) -> str:
    """The default; nothing where there is none, or where it is null or empty."""
    value = schema.get("default")
    if value in (None, "") or isinstance(value, dict | list):
        return ""
    return _json(value)


def property_rows(schema: Schema) -> Iterator[Sequence[str]]:
    """A row for each property of an object."""
    required = set(schema.get("required", ()))
    for name, each in schema.get("properties", {}).items():
        notes = [described(each)]
        notes += ["required"] if name in required else []
        notes += ["only in answers"] if each.get("readOnly") else []
        yield code(name), words(each), default_of(each), "; ".join(note for note in notes if note)


def property_table(schema: Schema) -> str:
    """The properties of an object; empty where there are none."""
    return table(("field", "type", "default", ""), property_rows(schema))
