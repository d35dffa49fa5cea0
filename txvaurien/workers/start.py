"""From settings to a proxy of several processes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from txvaurien.errors import ConfigError
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.workers.fleet import FleetProxy, FleetService

if TYPE_CHECKING:
    from txvaurien.config import Settings


def fleet_of(settings: Settings) -> tuple[Callable[..., Proxy], Callable[..., ProxyService]]:
    """What makes the proxy that settings describe, from what `Proxy` takes, and what makes its service.

    :raises ConfigError: there is to be no proxy.
    """
    common = settings.common
    if common.no_proxy:
        raise ConfigError(
            settings.place("workers"), "without a proxy they have nothing to do", "leave --no-proxy out"
        )
    make_proxy = partial(
        FleetProxy, registry=settings.registry, workers=common.workers, log_level=common.log_level
    )
    return make_proxy, FleetService
