"""The HTTP API, from the OpenAPI document that the control server answers.

The extensions for OpenAPI that there are do not know version 3.1, or fetch scripts when a page is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from txvaurien.control.openapi import document
from vaurien_reference.installed import our_registry
from vaurien_reference.jsonschemas import (
    Schema,
    anchor_of,
    default_of,
    described,
    name_of,
    property_table,
    words,
)
from vaurien_reference.markdown import code, codes, escaped, paragraphs, table

#: What stands before the paths that are about a proxy that is named.
_NAMED = "/proxies/{proxy}"

#: Where the options of what has a variant for each fault are told, by the component.
_VARIANTS: Mapping[str, str] = {
    "Rule": "[behaviors](behaviors.md#behaviors)",
    "Share": "[behaviors](behaviors.md#behaviors)",
    "Behavior": "[behaviors](behaviors.md#behaviors)",
    "Toxic": "[toxics](../toxics.md)",
    "AnyToxic": "[toxics](../toxics.md)",
    "Action": "[actions](behaviors.md#actions)",
    "ActionOptions": "[actions](behaviors.md#actions)",
}

Operation = Mapping[str, Any]


def http_api() -> str:
    """A section for each group of paths, then one for each shape of a body."""
    api = document(our_registry())
    groups = [_group(tag, api["paths"]) for tag in api["tags"]]
    schemas = api["components"]["schemas"]
    shapes = [_shape(name, schemas) for name in schemas if "." not in name]
    return paragraphs(*groups, "## Bodies", *shapes)


def _group(tag: Mapping[str, str], paths: Mapping[str, Any]) -> str:
    sections = [
        _operation(path, method, operation, paths)
        for path, method, operation in _operations(paths)
        if tag["name"] in operation["tags"] and not _is_variant(path, method, paths)
    ]
    return paragraphs(f"## {tag['name'].capitalize()}", escaped(tag["description"]), *sections)


def _operations(paths: Mapping[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield path, method, operation


def _is_variant(path: str, method: str, paths: Mapping[str, Any]) -> bool:
    """Whether it does for a proxy that is named what another path does for the main one."""
    of_main = path.removeprefix(_NAMED)
    mine = paths[path][method]
    return of_main != path and mine["tags"] == paths.get(of_main, {}).get(method, {}).get("tags")


def _operation(path: str, method: str, operation: Operation, paths: Mapping[str, Any]) -> str:
    return paragraphs(
        f"### {method.upper()} {path}",
        f"{escaped(operation['summary'])}.",
        escaped(operation.get("description", "")),
        table(("parameter", "in", "type", "default", ""), _parameters(operation)),
        "".join(f"- {each}.\n" for each in _facts(path, method, operation, paths)),
    )


def _parameters(operation: Operation) -> Iterator[Sequence[str]]:
    """A row for each parameter that does not stand in the path."""
    for each in operation["parameters"]:
        schema, text = each["schema"], escaped(each.get("description", ""))
        if each["in"] != "path":
            yield code(each["name"]), each["in"], words(schema), default_of(schema), text


def _facts(path: str, method: str, operation: Operation, paths: Mapping[str, Any]) -> Iterator[str]:
    """What it takes, what it answers, and by which statuses it refuses."""
    also = f"{_NAMED}{path}"
    if method in paths.get(also, {}) and _is_variant(also, method, paths):
        yield f"For a proxy that is named: {code(f'{method.upper()} {also}')}"
    if "requestBody" in operation:
        optional = "" if operation["requestBody"]["required"] else ", which may be left out"
        yield f"Body: {_content(operation['requestBody']['content'])}{optional}"
    refused: dict[str, list[str]] = {}
    for status, answer in operation["responses"].items():
        content = _content(answer.get("content", {})) or "without a body"
        if int(status) < 400:
            yield f"Answer: {status}, {content}"
        else:
            refused.setdefault(content, []).append(status)
    yield "Refused with " + "; ".join(f"{', '.join(each)} ({content})" for content, each in refused.items())


def _content(content: Mapping[str, Any]) -> str:
    return " or ".join(
        words(each["schema"]) if "json" in media else code(media) for media, each in content.items()
    )


def _shape(name: str, schemas: Mapping[str, Schema]) -> str:
    schema = schemas[name]
    return paragraphs(
        f"({anchor_of(name)})=\n### {name}",
        described(schema),
        _variants(name, schemas) if name in _VARIANTS else _plain(schema),
    )


def _plain(schema: Schema) -> str:
    return property_table(schema) or f"{words(schema)}."


def _variants(name: str, schemas: Mapping[str, Schema]) -> str:
    """One variant for each fault: what all have, and where the rest is told."""
    variants = _variants_of(schemas[name], schemas)
    shared = {
        field: each
        for field, each in variants[0].get("properties", {}).items()
        if all(field in other.get("properties", {}) for other in variants)
    }
    choices = codes(map(_fault_of, variants))
    return paragraphs(
        f"One of {choices}; the options of each: {_VARIANTS[name]}.",
        property_table(_chosen(shared, variants)),
    )


def _fault_of(variant: Schema) -> str:
    """For which behavior, toxic or action it is: one of its fields can only be that name."""
    constants = [each["const"] for each in variant.get("properties", {}).values() if "const" in each]
    return str(constants[0] if constants else variant["title"])


def _variants_of(schema: Schema, schemas: Mapping[str, Schema]) -> list[Schema]:
    arms = schema.get("oneOf") or schema["anyOf"]
    return [schemas[name_of(each)] if "$ref" in each else each for each in arms]


def _chosen(shared: Mapping[str, Schema], variants: list[Schema]) -> Schema:
    """The properties that all have; where they differ, as in the name, each of them will do."""
    properties = {name: _united([each["properties"][name] for each in variants]) for name in shared}
    return {"properties": properties, "required": variants[0].get("required", ())}


def _united(schemas: list[Schema]) -> Schema:
    if all("const" in each for each in schemas):
        return {"enum": [each["const"] for each in schemas]}
    return schemas[0] if all(each == schemas[0] for each in schemas) else {"type": "object"}
