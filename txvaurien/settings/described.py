"""A proxy as files and the command line describe it, and which of them can be at one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Listen
from txvaurien.net.endpoints import Description
from txvaurien.process.definition import Definition

if TYPE_CHECKING:
    from txvaurien.scenarios.scenario import Scenario

#: Every address of this machine.
_EVERYWHERE = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True)
class Described:
    """A proxy as files and the command line describe it, and the scenario that it plays from the start."""

    definition: Definition
    scenario: Scenario | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.definition.name

    @property
    def where(self) -> str:
        """The place that says where it listens."""
        return self.definition.places.get("proxy", "--proxy")


def check_together(described: Sequence[Described]) -> None:
    """See whether all of them can be at one time.

    :raises ConfigError: two have one name, or listen at one fixed port.
    """
    names: dict[str, Described] = {}
    for each in described:
        other = names.setdefault(each.name, each)
        if other is not each:
            what = f"there is a proxy {each.name!r} already; the other is {other.where}"
            raise ConfigError(each.where, what, "call one of them otherwise")
    for number, each in enumerate(described):
        for other in described[:number]:
            if collide(each.definition.listen, other.definition.listen):
                what = f"the proxy {other.name!r} listens there already; the other is {other.where}"
                raise ConfigError(each.where, what, "choose another port")


def collide(one: Listen, other: Listen) -> bool:
    """Whether only one of two proxies can listen."""
    if not (one.host or other.host) and one.text == other.text and not Description.of(one.text).ports:
        return True
    hosts = {host for host, _ in (_place(one), _place(other))}
    ports = _place(one)[1] & _place(other)[1]
    return bool(ports) and (len(hosts) == 1 or bool(hosts & _EVERYWHERE))


def _place(listen: Listen) -> tuple[str, frozenset[int]]:
    """The host, and the ports that are no other's."""
    if listen.host:
        return listen.host, frozenset({listen.port} - {0})
    described = Description.of(listen.text)
    return described.named.get("interface", "") or "0.0.0.0", frozenset({*described.ports} - {0})
