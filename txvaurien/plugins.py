"""Protocols and behaviors by name.

They are found in one way: the entry points ``txvaurien.protocols`` and
``txvaurien.behaviors``, where ours are listed as well. A class that an INI
section names with ``callable`` is added to the registry that is made for that
configuration, and to no other.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from twisted.logger import Logger
from zope.interface.verify import verifyClass

from txvaurien.behaviors.base import Behavior
from txvaurien.errors import ConfigError
from txvaurien.interfaces import IBehavior, IWireProtocol
from txvaurien.options import Declared, build, unknown
from txvaurien.protocols.base import WireProtocol

log = Logger()


@dataclass
class Registry:
    """What can be named in one configuration."""

    protocols: dict[str, type[WireProtocol]] = field(default_factory=dict)
    behaviors: dict[str, type[Behavior]] = field(default_factory=dict)

    @classmethod
    def load(cls) -> Registry:
        """A registry of everything that is installed."""
        return cls(protocols=_installed("protocols"), behaviors=_installed("behaviors"))

    def protocol(
        self, name: str, values: Mapping[str, object] | None = None, *, where: str = "", text: bool = False
    ) -> WireProtocol:
        """An instance of the protocol called `name`, with these options."""
        if name not in self.protocols:
            raise unknown("protocol", name, self.protocols, where=where)
        return build(self.protocols[name], values or {}, where=where, text=text)

    def behavior(
        self, name: str, values: Mapping[str, object] | None = None, *, where: str = "", text: bool = False
    ) -> Behavior:
        """An instance of the behavior called `name`, with these options."""
        if name not in self.behaviors:
            raise unknown("behavior", name, self.behaviors, where=where)
        return build(self.behaviors[name], values or {}, where=where, text=text)

    def add(self, group: str, name: str, path: str, *, where: str) -> None:
        """Register the class at the dotted `path` as `name`.

        :param group: ``protocols`` or ``behaviors``.
        :raises ConfigError: there is no such class, or it is not of that kind.
        """
        getattr(self, group)[name] = _import(group, path, where=where)


_KINDS: dict[str, tuple[type[Declared], Any]] = {
    "protocols": (WireProtocol, IWireProtocol),
    "behaviors": (Behavior, IBehavior),
}


def _installed(group: str) -> dict[str, Any]:
    found = {}
    for point in entry_points(group=f"txvaurien.{group}"):
        try:
            found[point.name] = point.load()
        except Exception as error:
            # Somebody else's broken plug-in must not keep the proxy from running without it.
            log.warn(
                "the plug-in {name} ({path}) cannot be loaded: {error}",
                name=point.name,
                path=point.value,
                error=error,
            )
    return found


def _import(group: str, path: str, *, where: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            where, f"{path!r} cannot be imported ({error})", "write package.module.Class"
        ) from error
    base, interface = _KINDS[group]
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(where, f"{path!r} is not a subclass of {base.__module__}.{base.__name__}")
    verifyClass(interface, found)
    return found
