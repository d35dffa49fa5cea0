"""What a proxy of a test is made of, read and checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from txvaurien.embedded.proxyurl import TLS_SCHEMES, Target
from txvaurien.errors import ConfigError
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


def read_setting(
    said: Mapping[str, object],
    target: Target,
    behavior: Part,
    rules: Sequence[Part],
    toxics: Sequence[Part],
    seed: int | None,
) -> Setting:
    """Read what a call of `chaos_proxy` says.

    :param said: the fields of the proxy, without its faults.
    :raises ConfigError: something of it cannot be.
    """
    if target.scheme in TLS_SCHEMES and said["protocol"] != "tcp":
        raise ConfigError(
            "protocol",
            f"{target.scheme} is encrypted from its first byte on, and {said['protocol']!r} cannot be read",
            'leave it at "tcp"; or let the proxy speak TLS: backend="tls:host:port", and clients without it',
        )
    drawn = new_seed() if seed is None else seed
    mix, more = _mix(behavior)
    plan = {"mix": mix, "rules": [*_plain(rules), *more], "toxics": _plain(toxics), "seed": drawn}
    fields = {**said, "plan": plan}
    registry = Registry.load()
    try:
        definition = DefinitionReader(registry).read(fields)
    except ConfigError as error:
        raise error.at(_place(error.where)) from error
    return Setting(fields, definition, registry, drawn)


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
