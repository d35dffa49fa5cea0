"""Protocols, behaviors and toxics by name.

They are found in one way: the entry points ``txvaurien.protocols``,
``txvaurien.behaviors`` and ``txvaurien.toxics``, where ours are listed as well. A
class that an INI section names with ``callable`` is added to the registry that is
made for that configuration, and to no other. What nobody asks for is not imported:
a proxy is started for a single test, and reads one protocol out of many.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from twisted.logger import Logger
from zope.interface.verify import verifyClass

from txvaurien.actions import ACTIONS
from txvaurien.behaviors.base import Behavior
from txvaurien.clients.vocabulary import COUNTS
from txvaurien.errors import ConfigError
from txvaurien.interfaces import IBehavior, IToxic, IWireProtocol
from txvaurien.options import Declared, build, options_of, unknown
from txvaurien.planning.rulefields import RULE_FIELDS
from txvaurien.protocols.base import WireProtocol
from txvaurien.toxics.base import Toxic

log = Logger()

#: What the section of a rule or of a toxic has beside its fields: whose it is.
_PROXY = "proxy"

#: What a toxic has beside its attributes.
TOXIC_FIELDS = frozenset({"type", "name", "stream", "toxicity", "attributes"})


DeclaredT = TypeVar("DeclaredT", bound=Declared)


class Installed(MutableMapping[str, type[DeclaredT]]):
    """The plug-ins of one group by name, each imported when it is looked up.

    Whoever goes through the names gets those that can be imported, so that imports all.

    :param group: ``protocols``, ``behaviors`` or ``toxics``.
    :param points: the entry points of that group.
    """

    def __init__(self, group: str, points: Iterable[EntryPoint]) -> None:
        self._group = group
        self._points = {point.name: point for point in points}
        self._loaded: dict[str, type[DeclaredT]] = {}

    def names(self) -> set[str]:
        """All names, also of what turns out not to be importable. Nothing is imported for that."""
        return {*self._points, *self._loaded}

    def __getitem__(self, name: str) -> type[DeclaredT]:
        # Taken out at once: what cannot be imported is warned of once.
        point = self._points.pop(name, None)
        if point is not None:
            self._load(point)
        return self._loaded[name]

    def __setitem__(self, name: str, declared: type[DeclaredT]) -> None:
        self._points.pop(name, None)
        self._loaded[name] = declared

    def __delitem__(self, name: str) -> None:
        if self._points.pop(name, None) is None:
            del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in sorted(self.names()) if name in self])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _load(self, point: EntryPoint) -> None:
        try:
            loaded = point.load()
            _check_options(self._group, loaded, point.value)
        except Exception as error:
            # Somebody else's broken plug-in must not keep the proxy from running without it.
            log.warn(
                "the plug-in {name} ({path}) cannot be loaded: {error}",
                name=point.name,
                path=point.value,
                error=error,
            )
        else:
            self._loaded[point.name] = loaded


@dataclass
class Registry:
    """What can be named in one configuration."""

    protocols: MutableMapping[str, type[WireProtocol]] = field(default_factory=dict)
    behaviors: MutableMapping[str, type[Behavior]] = field(default_factory=dict)
    toxics: MutableMapping[str, type[Toxic]] = field(default_factory=dict)

    @classmethod
    def load(cls) -> Registry:
        """A registry of everything that is installed."""
        # Once for all groups: to find them, every distribution that is installed is looked at.
        points = entry_points()
        return cls(
            Installed("protocols", points.select(group="txvaurien.protocols")),
            Installed("behaviors", points.select(group="txvaurien.behaviors")),
            Installed("toxics", points.select(group="txvaurien.toxics")),
        )

    def names(self, group: str) -> list[str]:
        """What may be named in a group; other than going through it this imports nothing."""
        found = getattr(self, group)
        return sorted(found.names() if isinstance(found, Installed) else found)

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

    def toxic(
        self, name: str, values: Mapping[str, object] | None = None, *, where: str = "", text: bool = False
    ) -> Toxic:
        """An instance of the toxic called `name`, with these attributes."""
        if name not in self.toxics:
            raise unknown("toxic", name, self.toxics, where=where)
        return build(self.toxics[name], values or {}, where=where, text=text)

    def add(self, group: str, name: str, path: str, *, where: str) -> None:
        """Register the class at the dotted `path` as `name`.

        :param group: ``protocols``, ``behaviors`` or ``toxics``.
        :raises ConfigError: there is no such class, it is not of that kind, or its name or that of one
            of its options means something else already.
        """
        found = _import(group, path, where=where)
        self._check_name(group, name, where)
        _check_options(group, found, where)
        getattr(self, group)[name] = found

    def _check_name(self, group: str, name: str, where: str) -> None:
        """:raises ConfigError: another kind of fault is called so: the first word says what is meant."""
        faults: dict[str, Iterable[str]] = {
            "behavior": self.behaviors,
            "toxic": self.toxics,
            "action": ACTIONS,
        }
        own = group.removesuffix("s")
        for other, names in faults.items():
            if own in faults and other != own and name in names:
                raise ConfigError(where, f"{other} {name!r} is there already", "choose another name")


@dataclass(frozen=True)
class _Kind:
    """What one group of plug-ins has in common."""

    base: type[Declared]
    interface: Any
    reserved: Iterable[str] = ()


_KINDS: Mapping[str, _Kind] = {
    "protocols": _Kind(WireProtocol, IWireProtocol),
    "behaviors": _Kind(Behavior, IBehavior, RULE_FIELDS | set(COUNTS) | {_PROXY}),
    "toxics": _Kind(Toxic, IToxic, TOXIC_FIELDS | {_PROXY}),
}


def _check_options(group: str, found: type[Declared], where: str) -> None:
    """:raises ConfigError: one of the options could not be told from what a rule or a toxic has itself."""
    taken = [option.name for option in options_of(found) if option.name in _KINDS[group].reserved]
    if taken:
        one = {"behaviors": "rule", "toxics": "toxic"}[group]
        raise ConfigError(
            where, f"{taken[0]!r} cannot be an option: every {one} has it", "give it another name"
        )


def _import(group: str, path: str, *, where: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            where, f"{path!r} cannot be imported ({error})", "write package.module.Class"
        ) from error
    kind = _KINDS[group]
    if not (isinstance(found, type) and issubclass(found, kind.base)):
        raise ConfigError(where, f"{path!r} is not a subclass of {kind.base.__module__}.{kind.base.__name__}")
    verifyClass(kind.interface, found)
    return found
