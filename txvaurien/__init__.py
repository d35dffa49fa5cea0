"""txvaurien, a chaos proxy for TCP services.

What tests need is here: `chaos_proxy`; and `Client`, `start_proxy` and `stop_proxy`, without Twisted.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from txvaurien.clients.blocking import Client
    from txvaurien.clients.processes import start_proxy, stop_proxy
    from txvaurien.clients.vocabulary import NotFired, VaurienError
    from txvaurien.embed import ChaosProxy, chaos_proxy
    from txvaurien.embedded.awaiting import AsyncChaosProxy
    from txvaurien.embedded.factory import ChaosFactory
    from txvaurien.embedded.links import LinksDiffer
    from txvaurien.errors import ConfigError, ListenError
    from txvaurien.trialmixin import ChaosMixin

    __version__: str

__all__ = [
    "AsyncChaosProxy",
    "ChaosFactory",
    "ChaosMixin",
    "ChaosProxy",
    "Client",
    "ConfigError",
    "LinksDiffer",
    "ListenError",
    "NotFired",
    "VaurienError",
    "__version__",
    "chaos_proxy",
    "start_proxy",
    "stop_proxy",
]


def __getattr__(name: str) -> Any:
    # Every module of the package imports this one first, so it imports nothing before it is asked.
    homes = {
        "AsyncChaosProxy": "txvaurien.embedded.awaiting",
        "ChaosFactory": "txvaurien.embedded.factory",
        "ChaosMixin": "txvaurien.trialmixin",
        "ChaosProxy": "txvaurien.embed",
        "Client": "txvaurien.clients.blocking",
        "ConfigError": "txvaurien.errors",
        "LinksDiffer": "txvaurien.embedded.links",
        "ListenError": "txvaurien.errors",
        "NotFired": "txvaurien.clients.vocabulary",
        "VaurienError": "txvaurien.clients.vocabulary",
        "chaos_proxy": "txvaurien.embed",
        "start_proxy": "txvaurien.clients.processes",
        "stop_proxy": "txvaurien.clients.processes",
    }
    if name == "__version__":
        return import_module("importlib.metadata").version("txvaurien")
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(homes[name]), name)
