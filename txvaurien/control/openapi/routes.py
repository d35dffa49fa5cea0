"""Every route of the control server, found by walking the URL maps of its resources."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from txvaurien.control.actions import ActionsApi
from txvaurien.control.api import ControlApi
from txvaurien.control.events import EventsApi
from txvaurien.control.journal import JournalApi
from txvaurien.control.links import LinksApi
from txvaurien.control.metrics import MetricsApi
from txvaurien.control.proxy import ProxyApi
from txvaurien.control.rules import RulesApi
from txvaurien.control.scenario import ScenarioApi
from txvaurien.control.toxics import ToxicsApi
from txvaurien.control.toxiproxy import OneProxyApi, ToxicsOfProxy, ToxiproxyApi

#: Answered by every route that answers GET.
_IMPLIED = frozenset({"HEAD", "OPTIONS"})

#: How Klein names what stands below a mounted resource.
_REST = "<path:__rest__>"
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Mount:
    """A resource below a path.

    :param below: whether its paths stand below that path; else its own begin with it.
    :param own: methods that are answered before that resource is asked.
    """

    api: type
    below: bool = True
    own: tuple[str, ...] = ()


#: What the routes with ``branch=True`` lead to; where there are several, the first that has the path.
MOUNTS: Mapping[str, Sequence[Mount]] = MappingProxyType(
    {
        "ControlApi.of_main": [Mount(ProxyApi, below=False)],
        "ControlApi.toxics": [Mount(ProxyApi, below=False, own=("GET",))],
        "ControlApi.toxiproxy": [Mount(ToxiproxyApi, below=False)],
        "ControlApi.of_proxy": [Mount(OneProxyApi), Mount(ProxyApi)],
        "ControlApi.metrics": [Mount(MetricsApi)],
        "ControlApi.journal": [Mount(JournalApi)],
        "ControlApi.events": [Mount(EventsApi)],
        "OneProxyApi.toxics": [Mount(ToxicsOfProxy)],
        "ProxyApi.rules": [Mount(RulesApi)],
        "ProxyApi.toxics": [Mount(ToxicsApi)],
        "ProxyApi.actions": [Mount(ActionsApi)],
        "ProxyApi.links": [Mount(LinksApi)],
        "ProxyApi.scenario": [Mount(ScenarioApi)],
    }
)


@dataclass(frozen=True)
class Route:
    """One method of one path.

    :param path: as OpenAPI writes it: ``/proxies/{proxy}/rules/{name}``.
    :param handler: ``RulesApi.remove``, in which the description stands.
    """

    method: str
    path: str
    api: type
    handler: str

    @property
    def key(self) -> str:
        """What `txvaurien.control.openapi.operations` knows it by."""
        return f"{self.api.__name__}.{self.handler}"

    @property
    def doc(self) -> tuple[str, str]:
        """The first line of what is said of it, without its full stop, and all the rest, as Markdown."""
        doc = (inspect.getdoc(getattr(self.api, self.handler)) or "").replace("``", "`")
        first, _, rest = doc.partition("\n")
        return first.rstrip("."), rest.strip()

    @property
    def parameters(self) -> list[str]:
        """The names of what varies in the path."""
        return re.findall(r"\{(\w+)\}", self.path)


def all_routes() -> list[Route]:
    """Every route, by path and method; where two would answer, the first one does.

    :raises KeyError: a resource is mounted that `MOUNTS` does not know.
    """
    found: dict[tuple[str, str], Route] = {}
    for route in _routes(ControlApi, ""):
        found.setdefault((route.path, route.method), route)
    return [found[each] for each in sorted(found)]


def _routes(api: Any, above: str) -> Iterator[Route]:
    for rule in api.app.url_map.iter_rules():
        if _REST in rule.rule:
            continue
        key = f"{api.__name__}.{rule.endpoint}"
        path = f"{above}{_braced(rule.rule)}".rstrip("/")
        if f"{rule.endpoint}_branch" not in api.app.endpoints:
            yield from _own(api, rule.endpoint, path, rule.methods - _IMPLIED)
            continue
        for mount in MOUNTS[key]:
            yield from _own(api, rule.endpoint, path, mount.own)
            yield from _mounted(mount, above, path)


def _mounted(mount: Mount, above: str, path: str) -> Iterator[Route]:
    if mount.below:
        return _routes(mount.api, _renamed(path))
    return (each for each in _routes(mount.api, above) if _is_below(each.path, path))


def _own(api: type, endpoint: str, path: str, methods: Any) -> Iterator[Route]:
    return (Route(method, path, api, endpoint) for method in sorted(methods))


def _braced(rule: str) -> str:
    return _PARAMETER.sub(r"{\1}", rule)


def _renamed(path: str) -> str:
    """Below a proxy there are names of other things."""
    return path.replace("{name}", "{proxy}")


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")
