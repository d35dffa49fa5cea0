"""Schemas of whole proxies, and of what Toxiproxy's paths take."""

from __future__ import annotations

from typing import Any

from txvaurien.control.openapi.answers import ADDRESS, exact, list_of, map_of
from txvaurien.control.openapi.faults import NAME, ref, toxic_schemas
from txvaurien.control.proxyjson import FILE
from txvaurien.control.schemas import Schema, property_of
from txvaurien.net.ends import AUTO, FILES, Ends
from txvaurien.options import options_of
from txvaurien.planning.seeds import HIGHEST, LOWEST
from txvaurien.plugins import Registry
from txvaurien.process.limits import Limits

_NULL: Schema = {"type": "null"}


def proxy_schemas(registry: Registry) -> dict[str, Schema]:
    """All of them, by the names of their components."""
    return {
        **toxic_schemas(registry.toxics, "AnyToxic", loosened),
        "Limits": exact(_limits(), optional=_limits()),
        "Proxy": _proxy(registry),
        "Proxies": map_of(ref("Proxy")),
        "Populated": exact({"proxies": list_of(ref("Proxy"))}),
        "NewProxy": _new_proxy(registry),
        "NewProxies": list_of(ref("NewProxy")),
        "ProxyChange": loosened(exact(_addresses(), optional=_addresses())),
        "AnyNewToxic": {"anyOf": [ref("AnyToxic"), ref("ToxicText")]},
        "AnyToxicChange": {"type": "object"},
        "Version": exact({"version": {"type": "string"}, "txvaurien": {"type": "string"}}),
        "ToxiproxyError": _error(),
        "ToxiproxyRefusal": {"anyOf": [ref("ToxiproxyError"), ref("Error")]},
    }


def loosened(schema: Schema) -> Schema:
    """The same as Toxiproxy's paths take it: an unknown field passes, null is as if nothing were said."""
    if "properties" not in schema:
        return schema
    required = schema.get("required", [])
    loose: dict[str, Any] = {
        name: loosened(each) if name in required else {"anyOf": [loosened(each), _NULL]}
        for name, each in schema["properties"].items()
    }
    rest = {name: each for name, each in schema.items() if name != "additionalProperties"}
    return {**rest, "properties": loose}


def _limits() -> dict[str, Schema]:
    return {option.attribute: property_of(option) for option in options_of(Limits)}


def _ends(*tls: str) -> dict[str, Schema]:
    """:param tls: what may be said of TLS with clients, if it is spoken."""
    options = {option.attribute: option for option in options_of(Ends)}
    of_tls: Schema = {"enum": [*tls, None], "description": options["tls"].help}
    rest = {name: property_of(option) for name, option in options.items() if name not in FILES}
    return {"tls": of_tls, **rest}


def _addresses() -> dict[str, Schema]:
    return {"listen": {"type": "string"}, "upstream": ADDRESS, "enabled": {"type": "boolean"}}


def _proxy(registry: Registry) -> Schema:
    protocol: Schema = {"type": "string", "examples": registry.names("protocols")[:1]}
    return exact(
        {
            "name": {"type": "string"},
            **_addresses(),
            "toxics": ref("Toxics"),
            "protocol": protocol,
            "options": {"type": "object"},
            "plan": ref("PlanNow"),
            "links": {"type": "integer", "minimum": 0},
            "limits": ref("Limits"),
            **_ends(AUTO, FILE),
            "main": {"type": "boolean"},
        },
        text="A proxy as Toxiproxy has it, and what is ours: from protocol on.",
    )


def _new_proxy(registry: Registry) -> Schema:
    fields = {
        "name": {**NAME, "minLength": 1},
        **_addresses(),
        "toxics": list_of(ref("AnyToxic")),
        "protocol": {"enum": registry.names("protocols")},
        "options": {"type": "object"},
        "plan": ref("Plan"),
        "seed": {"type": "integer", "minimum": LOWEST, "maximum": HIGHEST},
        "limits": ref("Limits"),
        **_limits(),
        **_ends(AUTO),
    }
    return loosened(exact(fields, optional=fields.keys() - {"name", "upstream"}))


def _error() -> Schema:
    said: dict[str, Schema] = {
        "error": {"type": "string", "description": "as Toxiproxy says it"},
        "status": {"type": "integer"},
        "errors": list_of(ref("Problem")),
        "proxies": list_of(ref("Proxy")),
    }
    return exact(said, optional=["proxies"], text="It has not been done, as Toxiproxy says it.")
