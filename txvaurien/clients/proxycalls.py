"""What clients ask of the control server about its proxies. No I/O, standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from txvaurien.clients.vocabulary import Call, Fields

PROXIES = "/proxies"
POPULATE = "/populate"
PROTOCOLS = "/protocols"
TOXICS = "/toxics"
HEALTH = "/health"
METRICS = "/metrics"
VERSION = "/version"
OPENAPI = "/openapi.json"

Answer = TypeVar("Answer")


def list_proxies() -> Call[list[Fields]]:
    """All proxies, by name."""
    return Call("GET", PROXIES, lambda said: [dict(said[name]) for name in sorted(said)])


def get_proxy(name: str) -> Call[Fields]:
    """One proxy."""
    return Call("GET", _path(name), dict)


def create_proxy(name: str, backend: str, listen: str, fields: Mapping[str, object]) -> Call[Fields]:
    """One more proxy, as it is then."""
    return _send("POST", _strictly(PROXIES), {**fields, "name": name, "upstream": backend, "listen": listen})


def change_proxy(name: str, fields: Mapping[str, object]) -> Call[Fields]:
    """The same proxy elsewhere, or for another backend, enabled or not."""
    said = {{"backend": "upstream"}.get(field, field): value for field, value in fields.items()}
    return _send("PATCH", _strictly(_path(name)), said)


def remove_proxy(name: str) -> Call[None]:
    """A proxy less."""
    return Call("DELETE", _path(name), lambda said: None)


def populate(proxies: Sequence[Mapping[str, object]]) -> Call[list[Fields]]:
    """Several proxies; those that are just so stay."""
    body = json.dumps(list(proxies)).encode()
    return Call("POST", _strictly(POPULATE), lambda said: list(said["proxies"]), body)


def list_protocols() -> Call[dict[str, Fields]]:
    """The protocols, with their options and kinds of errors."""
    return Call("GET", PROTOCOLS, lambda said: dict(said["protocols"]))


def list_toxic_types() -> Call[dict[str, Fields]]:
    """The types of toxics, with their attributes."""
    return Call("GET", TOXICS, lambda said: dict(said["available"]))


def get_health() -> Call[Fields]:
    """Whether the server is there, and which version it is."""
    return Call("GET", HEALTH, dict)


def get_version() -> Call[Fields]:
    """Which version it is, and which one of Toxiproxy it does as."""
    return Call("GET", VERSION, dict)


def get_metrics() -> Call[str]:
    """What is measured."""
    return Call("GET", METRICS, str, is_text=True)


def get_openapi() -> Call[Fields]:
    """The description of the API."""
    return Call("GET", OPENAPI, dict)


def below(name: str, call: Call[Answer]) -> Call[Answer]:
    """What a call asks of the main proxy, asked of this one."""
    path = f"{_path(name)}{call.path}"
    is_toxiproxys = call.path == TOXICS or call.path.startswith(f"{TOXICS}/")
    return replace(call, path=_strictly(path) if is_toxiproxys and call.body else path)


def _strictly(path: str) -> str:
    """On the paths that are Toxiproxy's, too, a field that there is not is an error."""
    return f"{path}?strict=true"


def _path(name: str) -> str:
    return f"{PROXIES}/{quote(name, safe='')}"


def _send(method: str, path: str, fields: Mapping[str, Any]) -> Call[Fields]:
    return Call(method, path, dict, json.dumps(fields, allow_nan=False).encode())
