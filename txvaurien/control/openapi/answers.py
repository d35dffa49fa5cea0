"""Schemas of what is answered, and of the bodies that are not made from what is declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from txvaurien.actions import ACTIONS
from txvaurien.control.openapi.faults import ref
from txvaurien.control.schemas import Schema
from txvaurien.journal import EVENTS
from txvaurien.model import Where
from txvaurien.scenarios.player import State

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SECONDS: Schema = {"type": "number", "description": "seconds"}
_TRUTH: Schema = {"type": "boolean"}
_ANYTHING: Schema = {"type": "object"}
ADDRESS: Schema = {
    "type": "string",
    "description": "host:port, or unix:/path",
    "examples": ["localhost:6379"],
}


def answer_schemas() -> dict[str, Schema]:
    """All of them, by the names of their components."""
    return {**_general(), **_listings(), **_of_a_proxy(), **_records()}


def exact(properties: Mapping[str, Schema], optional: Iterable[str] = (), text: str = "") -> Schema:
    """An object that has these, all but the optional ones for certain, and no others."""
    left_out = set(optional)
    schema: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    required = [name for name in properties if name not in left_out]
    if required:
        schema["required"] = required
    return {"description": text, **schema} if text else schema


def list_of(schema: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": schema}


def map_of(schema: Schema) -> Schema:
    """An object with whatever names."""
    return {"type": "object", "additionalProperties": schema}


def _general() -> dict[str, Schema]:
    location = {"enum": ["body", "querystring", "path", "method", "header", "server"]}
    problem = exact({"location": location, "name": _TEXT, "description": _TEXT})
    return {
        "Done": exact({"status": {"const": "ok"}}, text="It has been done."),
        "Problem": problem,
        "Error": exact(
            {"status": {"const": "error"}, "errors": list_of(ref("Problem"))},
            text="It has not been done, and nothing has changed.",
        ),
        "Timeout": exact(
            {
                "status": {"const": "error"},
                "errors": list_of(ref("Problem")),
                "fired": _COUNT,
                "matched": _COUNT,
                "misfired": _COUNT,
            },
            text="What was waited for has not happened.",
        ),
        "Anything": {"type": "object"},
        "Health": exact({"status": {"const": "ok"}, "version": _TEXT, "proxies": _COUNT, "uptime": _SECONDS}),
        "Passed": exact({"count": _COUNT, "missed": _COUNT}),
    }


def _listings() -> dict[str, Schema]:
    option = exact(
        {
            "name": _TEXT,
            "type": {"enum": ["bool", "int", "float", "str", "dict"]},
            "default": {},
            "help": _TEXT,
            "choices": list_of(_TEXT),
            "minimum": {"type": ["number", "null"]},
            "maximum": {"type": ["number", "null"]},
            "unit": {"enum": ["", "seconds"]},
        },
        text="One option, as a form or a table needs it.",
    )
    kind = exact(
        {"name": _TEXT, "where": {"enum": [each.value for each in Where]}, "help": _TEXT, "drawn": _TRUTH},
        text="An error that a protocol can say.",
    )
    options, kinds = map_of(list_of(ref("Option"))), list_of(ref("Kind"))
    described = {"help": _TEXT, "options": list_of(ref("Option")), "schema": _ANYTHING}
    table = exact({"options": options, "help": map_of(_TEXT)})
    return {
        "Option": option,
        "Kind": kind,
        "Protocols": exact({"protocols": map_of(exact({**described, "kinds": kinds}))}),
        "Behaviors": exact(
            {
                "behaviors": list_of(_TEXT),
                "options": options,
                "help": map_of(_TEXT),
                "schemas": map_of(_ANYTHING),
                "kinds": kinds,
                "toxics": table,
                "actions": table,
            }
        ),
        "ToxicsAndTypes": exact({"toxics": list_of(ref("Toxic")), "available": map_of(exact(described))}),
    }


def _of_a_proxy() -> dict[str, Schema]:
    seed: Schema = {"type": "integer"}
    link = {
        "id": _COUNT,
        "client": _TEXT,
        "seconds": _SECONDS,
        "idle": _SECONDS,
        "exchanges": _COUNT,
        "bytes_to_backend": _COUNT,
        "bytes_to_client": _COUNT,
        "opaque": _TEXT,
    }
    return {
        "BehaviorNow": exact(
            {"behavior": _TEXT, "options": _ANYTHING, "mix": list_of(ref("Share")), "seed": seed}
        ),
        "BehaviorChange": {
            "anyOf": [
                ref("Behavior"),
                exact({"name": {"type": "string", "pattern": ":", "examples": ["5:error,10:delay"]}}),
                exact({"mix": ref("Mix")}),
            ]
        },
        "Backend": exact({"backend": ADDRESS}),
        "BackendChange": exact({"backend": ADDRESS, "cut": _TRUTH}, optional=["cut"]),
        "PlanNow": exact(
            {
                "mix": list_of(ref("Share")),
                "rules": list_of(ref("Rule")),
                "toxics": list_of(ref("Toxic")),
                "seed": seed,
            }
        ),
        "Rules": exact({"rules": list_of(ref("Rule"))}),
        "NewRule": {"anyOf": [ref("Rule"), ref("RuleText")]},
        "Toxics": list_of(ref("Toxic")),
        "NewToxic": {"anyOf": [ref("Toxic"), ref("ToxicText")]},
        "Actions": exact(
            {"actions": list_of(ref("Action")), "available": list_of({"enum": sorted(ACTIONS)})}
        ),
        "Link": exact(link),
        "Links": exact({"links": list_of(ref("Link"))}),
        "Removed": exact({"status": {"const": "ok"}, "removed": _COUNT}),
        "Killed": exact({"status": {"const": "ok"}, "killed": _COUNT}),
        "Scenario": _scenario(),
        "NewScenario": exact({"scenario": {"type": "string", "examples": ["at 10s: blackout for 5s"]}}),
    }


def _scenario() -> Schema:
    step = {"step": _TEXT, "line": _COUNT, "fault": _TEXT}
    coming = exact({**step, "what": {"enum": ["begin", "end"]}, "in": _SECONDS})
    playing = exact(
        {
            "state": {"enum": [each.value for each in State]},
            "scenario": _TEXT,
            "round": _COUNT,
            "rounds": {"type": ["integer", "null"]},
            "elapsed": _SECONDS,
            "length": _SECONDS,
            "active": list_of(exact(step)),
            "next": {"anyOf": [coming, {"type": "null"}]},
            "failed": list_of(_TEXT),
        }
    )
    return {"anyOf": [exact({"state": {"const": "none"}}), playing]}


def _records() -> dict[str, Schema]:
    record: Schema = {
        "type": "object",
        "description": "One event; besides these it has the fields of its kind (docs/journal.md).",
        "properties": {
            "n": {"type": "integer", "minimum": 1},
            "time": {"type": "string", "format": "date-time"},
            "clock": {"type": "number"},
            "proxy": _TEXT,
            "event": {"enum": list(EVENTS)},
            "link": {"type": "integer", "minimum": 1},
        },
        "required": ["n", "time", "clock", "proxy", "event"],
    }
    return {
        "Record": record,
        "Records": exact({"records": list_of(ref("Record")), "first": _COUNT, "last": _COUNT}),
    }
