"""What clients ask of the control server about its proxies. No I/O, standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from txvaurien.vocabulary import Call, Fields

PROXIES = "/proxies"
POPULATE = "/populate"
PROTOCOLS = "/protocols"
TOXICS = "/toxics"
HEALTH = "/health"
METRICS = "/metrics"

Answer = TypeVar("Answer")


def list_proxies() -> Call[list[Fields]]:
    """All proxies, by name."""
    return Call("GET", PROXIES, lambda said: [dict(said[name]) for name in sorted(said)])


def get_proxy(name: str) -> Call[Fields]:
    """One proxy."""
    return Call("GET", _path(name), dict)


def create_proxy(name: str, backend: str, listen: str, fields: Mapping[str, object]) -> Call[Fields]:
    """One more proxy, as it is then."""
    return _send("POST", PROXIES, {**fields, "name": name, "upstream": backend, "listen": listen})


def change_proxy(name: str, fields: Mapping[str, object]) -> Call[Fields]:
    """The same proxy elsewhere, or for another backend, enabled or not."""
    said = {{"backend": "upstream"}.get(field, field): value for field, value in fields.items()}
    return _send("PATCH", _path(name), said)


def remove_proxy(name: str) -> Call[None]:
    """A proxy less."""
    return Call("DELETE", _path(name), lambda said: None)


def populate(proxies: Sequence[Mapping[str, object]]) -> Call[list[Fields]]:
    """Several proxies; those that are just so stay."""
    return Call("POST", POPULATE, lambda said: list(said["proxies"]), json.dumps(list(proxies)).encode())


def list_protocols() -> Call[dict[str, Fields]]:
    """The protocols, with their options and kinds of errors."""
    return Call("GET", PROTOCOLS, lambda said: dict(said["protocols"]))


def list_toxic_types() -> Call[dict[str, Fields]]:
    """The types of toxics, with their attributes."""
    return Call("GET", TOXICS, lambda said: dict(said["available"]))


def get_health() -> Call[Fields]:
    """Whether the server is there, and which version it is."""
    return Call("GET", HEALTH, dict)


def below(name: str, call: Call[Answer]) -> Call[Answer]:
    """What a call asks of the main proxy, asked of this one."""
    return replace(call, path=f"{_path(name)}{call.path}")


def _path(name: str) -> str:
    return f"{PROXIES}/{quote(name, safe='')}"


def _send(method: str, path: str, fields: Mapping[str, Any]) -> Call[Fields]:
    return Call(method, path, dict, json.dumps(fields, allow_nan=False).encode())
