"""What a proxy of a test is made of, read and checked before anything runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from txvaurien.embedded.proxyurl import Talk
from txvaurien.errors import ConfigError
from txvaurien.net.addresses import parse_backend
from txvaurien.net.ends import AUTO, FILES
from txvaurien.planning.seeds import new_seed
from txvaurien.plugins import Registry
from txvaurien.process.definition import Definition
from txvaurien.process.definitionreader import DefinitionReader

Part = str | Mapping[str, object]

#: How the reader's places are called in a call of `chaos_proxy`.
_PLACES = {"upstream": "backend", "plan.mix": "behavior", "plan.": ""}


@dataclass(frozen=True)
class Setting:
    """A proxy, as an object of JSON (`txvaurien.process.definitionreader`), and read.

    :param registry: what can be named.
    """

    fields: Mapping[str, object]
    definition: Definition
    registry: Registry
    seed: int

    @property
    def name(self) -> str:
        """What it is called."""
        return self.definition.name

    @property
    def protocol(self) -> str:
        """What is spoken there."""
        return self.definition.protocol.name

    @property
    def issues(self) -> bool:
        """Whether clients are shown certificates of an authority of the proxy's own, at first or later."""
        definition = self.definition
        if definition.listen.tls is not None:
            return False
        return definition.ends.tls == AUTO or (definition.ends.tls is None and definition.protocol.begins_tls)

    def talk(self, address: str) -> Talk:
        """How clients speak with it.

        :param address: where it connects to.
        """
        definition = self.definition
        certified = definition.ends.tls is not None or definition.listen.tls is not None
        if certified and not definition.protocol.begins_tls:
            return Talk.TLS
        return Talk.SAME if parse_backend(address).tls is None else Talk.PLAIN


def read_setting(
    said: Mapping[str, object],
    behavior: Part,
    rules: Sequence[Part],
    toxics: Sequence[Part],
    seed: int | None,
) -> Setting:
    """Read what a call of `chaos_proxy` says.

    :param said: the fields of the proxy, without its faults.
    :raises ConfigError: something of it cannot be.
    """
    drawn = new_seed() if seed is None else seed
    mix, more = _mix(behavior)
    plan = {"mix": mix, "rules": [*_plain(rules), *more], "toxics": _plain(toxics), "seed": drawn}
    fields = {**_with_whole_paths(said), "plan": plan}
    registry = Registry.load()
    try:
        definition = DefinitionReader(registry).read(fields, files=True)
    except ConfigError as error:
        raise error.at(_place(error.where)) from error
    return Setting(fields, definition, registry, drawn)


def _with_whole_paths(said: Mapping[str, object]) -> dict[str, object]:
    """The same, for a process that may be elsewhere."""
    found = dict(said)
    for name in FILES:
        value = found.get(name)
        if isinstance(value, (str, os.PathLike)) and value != AUTO:
            found[name] = os.path.abspath(os.fspath(value))
    return found


def _plain(parts: Sequence[Part]) -> list[Part]:
    # One alone is a sequence of characters.
    listed = [parts] if isinstance(parts, str) else parts
    return [part if isinstance(part, str) else dict(part) for part in listed]


def _mix(behavior: Part) -> tuple[object, list[Part]]:
    """The mix, and a rule for what only rules can say."""
    if isinstance(behavior, Mapping):
        options = {name: value for name, value in behavior.items() if name != "name"}
        return [{"percent": 100, "name": behavior.get("name", ""), "options": options}], []
    if ":" in behavior and "=" not in behavior:
        return behavior, []
    if len(behavior.split()) > 1:
        return [], [behavior]
    return ([{"percent": 100, "name": behavior}] if behavior else []), []


def _place(where: str) -> str:
    for reader, call in _PLACES.items():
        if where.startswith(reader):
            return call + where.removeprefix(reader)
    return where
