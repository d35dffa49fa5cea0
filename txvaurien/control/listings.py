"""What can be named: the protocols, behaviors, toxics and actions that there are, with their options.

For each the options stand there twice: as ``options``, a list with all that a form or a table needs, and as
``schema``, the JSON Schema that a value is checked against.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from txvaurien import __version__
from txvaurien.actions import ACTIONS
from txvaurien.control.plans import describe_kinds, describe_option, describe_options
from txvaurien.control.schemas import schema_of, schemas_of
from txvaurien.options import Declared, options_of, summary
from txvaurien.plugins import Registry
from txvaurien.process.proxies import NoProxy, Proxies
from txvaurien.protocols.base import WireProtocol


def list_protocols(registry: Registry) -> dict[str, Any]:
    """``{"protocols": {name: {"help", "options", "schema", "kinds"}}}``."""
    described = {
        name: {**each, "kinds": _kinds_of(registry.protocols[name])}
        for name, each in _described(registry.protocols).items()
    }
    return {"protocols": described}


def list_behaviors(proxies: Proxies) -> dict[str, Any]:
    """The names, their ``options``, ``help`` and ``schemas``, and the ``kinds`` of the main proxy.

    Besides ``toxics`` and ``actions``, each with its own ``options`` and ``help``.
    """
    registry = proxies.registry
    return {
        "behaviors": sorted(registry.behaviors),
        **describe_options(registry.behaviors),
        "schemas": schemas_of(registry.behaviors),
        "kinds": _kinds_of_main(proxies),
        "toxics": describe_options(registry.toxics),
        "actions": describe_options(ACTIONS),
    }


def list_toxics(proxies: Proxies) -> dict[str, Any]:
    """``{"toxics": those of the main proxy, "available": {type: {"help", "options", "schema"}}}``."""
    try:
        toxics = [each.describe() for each in proxies.main.proxy.plan.toxics]
    except NoProxy:
        toxics = []
    return {"toxics": toxics, "available": _described(proxies.registry.toxics)}


def health(proxies: Proxies, uptime: float) -> dict[str, Any]:
    """:param uptime: seconds since the control server was made."""
    return {"status": "ok", "version": __version__, "proxies": len(proxies), "uptime": round(uptime, 3)}


def _described(declared: Mapping[str, type[Declared]]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "help": summary(declared[name]),
            "options": [describe_option(each) for each in options_of(declared[name])],
            "schema": schema_of(declared[name]),
        }
        for name in sorted(declared)
    }


def _kinds_of(protocol: type[WireProtocol]) -> list[dict[str, Any]]:
    """The errors that it can say."""
    return describe_kinds(protocol.error_kinds)


def _kinds_of_main(proxies: Proxies) -> list[dict[str, Any]]:
    try:
        return describe_kinds(proxies.main.proxy.protocol.error_kinds)
    except NoProxy:
        return []
