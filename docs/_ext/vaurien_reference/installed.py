"""What there is to describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from txvaurien.options import Declared
from txvaurien.plugins import Registry

DeclaredT = TypeVar("DeclaredT", bound=Declared)


def our_registry() -> Registry:
    """Everything of this package; plug-ins of others that happen to be installed are left out."""
    found = Registry.load()
    return Registry(_ours(found.protocols), _ours(found.behaviors), _ours(found.toxics))


def _ours(group: Mapping[str, type[DeclaredT]]) -> dict[str, type[DeclaredT]]:
    return {name: group[name] for name in sorted(group) if group[name].__module__.startswith("txvaurien.")}
