"""A file of proxies in JSON, as Toxiproxy reads it with ``-config``: a list of objects.

It is told from an INI file by what it says, not by its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from txvaurien.errors import ConfigError

#: Neither begins a section or a line of an INI file.
_JSON = re.compile(r"\s*(?:\{|\[\s*[\]{])")
_SPACE = re.compile(r"\s*")
_FORM = 'write [{"name": "redis", "listen": "localhost:26379", "upstream": "localhost:6379"}]'


@dataclass(frozen=True)
class ProxyObject:
    """One of the objects; ``where`` is ``proxies.json:3``."""

    fields: Mapping[str, object]
    where: str


def is_json(text: str) -> bool:
    """Whether a file that says this is JSON, or meant to be."""
    return _JSON.match(text) is not None


def read_objects(text: str, path: str) -> tuple[ProxyObject, ...]:
    """The objects of such a file.

    :param path: what the file is called, for errors.
    :raises ConfigError: it is not JSON, or no list of objects, or one has a field twice.
    """
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise _not_json(path, error) from error
    except RecursionError as error:
        raise ConfigError(path, "its lists and objects lie too deep in one another", _FORM) from error
    if not isinstance(whole, list):
        raise ConfigError(f"{path}:{_line(text, 0)}", "this is no list of proxies", _FORM)
    return tuple(_objects(text, path, len(whole)))


def _objects(text: str, path: str, count: int) -> list[ProxyObject]:
    """They are read one by one, because only so it is known where each of them begins."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_doubles)
    position = text.index("[") + 1
    found = []
    for _ in range(count):
        position = _after_space(text, position)
        where = f"{path}:{_line(text, position)}"
        try:
            fields, position = decoder.raw_decode(text, position)
        except _Double as error:
            raise ConfigError(f"{where}: {error}", "it is set twice in one object", "say it once") from error
        if not isinstance(fields, dict):
            raise ConfigError(where, f"{json.dumps(fields)} is no proxy", _FORM)
        found.append(ProxyObject(fields, where))
        # The comma, or the end.
        position = _after_space(text, position) + 1
    return found


class _Double(Exception):
    """The name of a field that an object has twice."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Double(name)
        found[name] = value
    return found


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return position if match is None else match.end()


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, _after_space(text, position)) + 1


def _not_json(path: str, error: ValueError) -> ConfigError:
    line = getattr(error, "lineno", 1)
    said = getattr(error, "msg", str(error))
    return ConfigError(f"{path}:{line}", f"this is not JSON ({said[:1].lower()}{said[1:]})", _FORM)
