"""Live control over HTTP: what goes wrong, which backend, what has happened.

The paths and bodies of the first three are those that Vaurien's clients know; more is said in further keys.

- ``GET /behavior``: ``{"behavior": "delay", "options": {...}, "mix": [...], "seed": 7}``.
- ``PUT /behavior``: ``{"name": "delay", "sleep": 2}``, ``{"name": "5:error,10:delay"}`` or
  ``{"mix": [{"percent": 5, "name": "error", "options": {...}}]}``. POST does the same.
- ``GET /behaviors``: ``{"behaviors": ["abort", ...], "options": {...}, "help": {...}, "kinds": [...]}``.
- ``GET /backend``, ``PUT /backend``: ``{"backend": "localhost:6379"}``; ``"cut": true`` ends standing links.
- ``GET /plan``, ``PUT /plan``: ``{"mix": [...], "rules": [...], "toxics": [...], "seed": 7}``, at once.
- ``POST /reset``: the panic stop; every fault is gone when it answers.
- ``/rules``, ``/toxics``, ``/actions``, ``/links``, ``/scenario``, ``/journal``: see their modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from klein.resource import KleinResource
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from txvaurien.actions import ACTIONS
from txvaurien.addresses import parse_backend
from txvaurien.control.actions import ActionsApi
from txvaurien.control.answers import Problem, Refused
from txvaurien.control.app import OK, body_of, mounted, new_app, say
from txvaurien.control.journal import JournalApi
from txvaurien.control.links import LinksApi
from txvaurien.control.plans import PlanReader, describe_kinds, describe_mix, describe_options
from txvaurien.control.rules import RulesApi
from txvaurien.control.scenario import ScenarioApi
from txvaurien.control.toxics import ToxicsApi
from txvaurien.errors import ConfigError
from txvaurien.faults import FaultReader, describe_plan
from txvaurien.journal import Journal
from txvaurien.playing import Playing
from txvaurien.plugins import Registry
from txvaurien.proxy import Proxy

_BACKEND_FIELDS = ("backend", "cut")


class ControlApi:
    """The resource that controls one proxy.

    :param registry: what can be named; nothing is ever loaded for a request.
    :param behavior_defaults: what was set for behaviors at start, by attribute name.
    :param journal: what is recorded of the proxy.
    :param playing: its scenario.
    """

    app = new_app()
    log = Logger()

    def __init__(
        self,
        proxy: Proxy,
        registry: Registry,
        behavior_defaults: Mapping[str, Mapping[str, object]] | None = None,
        *,
        journal: Journal,
        playing: Playing,
    ) -> None:
        faults = FaultReader(registry, proxy.protocol, behavior_defaults or {})
        self._proxy = proxy
        self._registry = registry
        self._playing = playing
        self._reader = PlanReader(faults)
        self._rules = RulesApi(proxy, faults).resource()
        self._toxics = ToxicsApi(proxy, faults).resource()
        self._actions = ActionsApi(proxy, faults).resource()
        self._links = LinksApi(proxy).resource()
        self._scenario = ScenarioApi(playing, faults).resource()
        self._journal = JournalApi(journal).resource()

    def resource(self) -> KleinResource:
        """The root of its resource tree, which has to stand behind a `Guard`."""
        return self.app.resource()

    @app.route("/behavior", methods=["GET"])
    def get_behavior(self, request: IRequest) -> bytes:
        """What the proxy does now."""
        return say(request, {**describe_mix(self._proxy.plan), "seed": self._proxy.seed})

    @app.route("/behavior", methods=["PUT", "POST"])
    async def set_behavior(self, request: IRequest) -> bytes:
        """Set the mix. It is done, on standing links too, when this answers.

        Each time it is a new activation, with counters that start from zero. What
        else the plan has, its rules and its seed, stays as it is.
        """
        mix = self._reader.read(body_of(request))
        try:
            self._proxy.set_plan(replace(self._proxy.plan, mix=mix))
        except ConfigError as error:
            raise Refused(400, [Problem.of(error, "name")]) from error
        await self._proxy.settled()
        return say(request, OK)

    @app.route("/behaviors", methods=["GET"])
    def list_behaviors(self, request: IRequest) -> bytes:
        """What can be set, and with which options: behaviors, toxics, actions, and kinds of errors."""
        return say(
            request,
            {
                "behaviors": sorted(self._registry.behaviors),
                **describe_options(self._registry.behaviors),
                "kinds": describe_kinds(self._proxy.protocol),
                "toxics": describe_options(self._registry.toxics),
                "actions": describe_options(ACTIONS),
            },
        )

    @app.route("/backend", methods=["GET"])
    def get_backend(self, request: IRequest) -> bytes:
        """Where the proxy connects to."""
        return say(request, {"backend": self._proxy.backend.text})

    @app.route("/backend", methods=["PUT"])
    async def set_backend(self, request: IRequest) -> bytes:
        """Connect elsewhere from now on. Standing links stay where they are, unless ``cut`` is true."""
        said = body_of(request)
        address, cut = _backend_fields(said)
        backend = parse_backend(address, "backend")
        await backend.look_up(self._proxy.reactor, "backend")
        self._proxy.set_backend(backend, cut=cut)
        await self._proxy.settled()
        self.log.info("backend {backend!r}", backend=address)
        return say(request, OK)

    @app.route("/plan", methods=["GET"])
    def get_plan(self, request: IRequest) -> bytes:
        """The whole plan."""
        return say(request, {**describe_plan(self._proxy.plan), "seed": self._proxy.seed})

    @app.route("/plan", methods=["PUT"])
    async def set_plan(self, request: IRequest) -> bytes:
        """Another plan, whole; where something is wrong, nothing has changed."""
        self._proxy.set_plan(self._reader.plan(body_of(request), self._proxy.plan))
        await self._proxy.settled()
        return say(request, OK)

    @app.route("/reset", methods=["POST"])
    async def reset(self, request: IRequest) -> bytes:
        """Remove every fault: mix, rules, toxics, actions, and the scenario."""
        await self._playing.panic()
        return say(request, OK)

    @app.route("/rules", branch=True)
    def rules(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.rules`."""
        return mounted(request, self._rules)

    @app.route("/toxics", branch=True)
    def toxics(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.toxics`."""
        return mounted(request, self._toxics)

    @app.route("/actions", branch=True)
    def actions(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.actions`."""
        return mounted(request, self._actions)

    @app.route("/links", branch=True)
    def links(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.links`."""
        return mounted(request, self._links)

    @app.route("/scenario", branch=True)
    def scenario(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.scenario`."""
        return mounted(request, self._scenario)

    @app.route("/journal", branch=True)
    def journal(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.journal`."""
        return mounted(request, self._journal)


def _backend_fields(said: Mapping[str, Any]) -> tuple[str, bool]:
    others = [name for name in said if name not in _BACKEND_FIELDS]
    if others:
        why = "only backend and cut can be set here"
        raise Refused(400, [Problem("body", name, why) for name in others])
    address, cut = said.get("backend"), said.get("cut", False)
    if not isinstance(address, str):
        raise Refused.because(400, "body", "backend", 'give an address, such as "localhost:6379"')
    if not isinstance(cut, bool):
        raise Refused.because(400, "body", "cut", "it must be true or false")
    return address, cut
