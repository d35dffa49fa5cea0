"""One proxy over HTTP: what goes wrong, which backend, what has happened to its links.

Paths below ``/proxies/{name}``; for the main proxy they stand at the root, too, where Vaurien's clients
know the first of them:

- ``GET /behavior``: ``{"behavior": "delay", "options": {...}, "mix": [...], "seed": 7}``.
- ``PUT /behavior``: ``{"name": "delay", "sleep": 2}``, ``{"name": "5:error,10:delay"}`` or
  ``{"mix": [{"percent": 5, "name": "error", "options": {...}}]}``. POST does the same.
- ``GET /backend``, ``PUT /backend``: ``{"backend": "localhost:6379"}``; ``"cut": true`` ends standing links.
- ``GET /plan``, ``PUT /plan``: ``{"mix": [...], "rules": [...], "toxics": [...], "seed": 7}``, at once.
- ``POST /passed``: note from now on which requests come. ``GET /passed?verb=SET&target=user:*``: how many
  of them came, ``{"count": 3, "missed": 0}``.
- ``POST /reset``: the panic stop of this proxy (that of the root is for all).
- ``/rules``, ``/toxics``, ``/actions``, ``/links``, ``/scenario``: see their modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from klein.resource import KleinResource
from msgspec import Meta
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from txvaurien.control.actions import ActionsApi
from txvaurien.control.answers import Problem, Refused
from txvaurien.control.app import OK, body_of, mounted, new_app, query_of, say
from txvaurien.control.links import LinksApi
from txvaurien.control.plans import describe_mix
from txvaurien.control.rules import RulesApi
from txvaurien.control.scenario import ScenarioApi
from txvaurien.control.toxics import ToxicsApi
from txvaurien.errors import ConfigError
from txvaurien.journals.passed import note_passed, passed_of
from txvaurien.net.addresses import parse_backend
from txvaurien.net.allowed import check_asked
from txvaurien.options import Declared
from txvaurien.planning.faults import describe_plan
from txvaurien.planning.planreader import PlanReader
from txvaurien.process.member import Member
from txvaurien.process.proxies import Proxies

_BACKEND_FIELDS = ("backend", "cut")


class RequestKind(Declared, frozen=True, kw_only=True):
    """Which requests are counted."""

    name: ClassVar[str] = "GET"

    verb: Annotated[str, Meta(description="only this verb")] = ""
    target: Annotated[str, Meta(description="only what is asked of such targets, a glob")] = ""


class ProxyApi:
    """The resource of one proxy, wherever it is mounted."""

    app = new_app()
    log = Logger()

    def __init__(self, proxies: Proxies, member: Member) -> None:
        self._proxies = proxies
        self._member = member
        self._proxy = member.proxy
        self._reader = PlanReader(member.reader)

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/behavior", methods=["GET"])
    def get_behavior(self, request: IRequest) -> bytes:
        """The mix: the behaviors that the proxy has now."""
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

    @app.route("/backend", methods=["GET"])
    def get_backend(self, request: IRequest) -> bytes:
        """Where the proxy connects to."""
        return say(request, {"backend": self._proxy.backend.text})

    @app.route("/backend", methods=["PUT"])
    async def set_backend(self, request: IRequest) -> bytes:
        """Connect elsewhere from now on. Standing links stay where they are, unless ``cut`` is true."""
        said = body_of(request)
        address, cut = _backend_fields(said)
        check_asked(address, "backend")
        backend = parse_backend(address, "backend")
        await backend.look_up(self._proxy.reactor, "backend")
        # It waits for its turn: the proxy may be about to move, or to be removed.
        await self._proxies.set_backend(self._member.name, backend, cut=cut)
        self.log.info("backend {backend!r}", backend=address)
        return say(request, OK)

    @app.route("/plan", methods=["GET"])
    def get_plan(self, request: IRequest) -> bytes:
        """The whole plan."""
        return say(request, {**describe_plan(self._proxy.plan), "seed": self._proxy.seed})

    @app.route("/plan", methods=["PUT"])
    async def set_plan(self, request: IRequest) -> bytes:
        """Another plan, whole; where something is wrong, nothing has changed."""
        self._proxy.set_plan(self._reader.plan(body_of(request, empty=False), self._proxy.plan))
        await self._proxy.settled()
        return say(request, OK)

    @app.route("/passed", methods=["POST"])
    def note_passed(self, request: IRequest) -> bytes:
        """Begin to note which requests come."""
        note_passed(self._proxy)
        return say(request, OK)

    @app.route("/passed", methods=["GET"])
    def count_passed(self, request: IRequest) -> bytes:
        """How many came of a kind, and how many could not be remembered."""
        asked, passed = query_of(request, RequestKind), passed_of(self._proxy)
        return say(request, {"count": passed.count(asked.verb, asked.target), "missed": passed.missed})

    @app.route("/reset", methods=["POST"])
    async def reset(self, request: IRequest) -> bytes:
        """Remove every fault of this proxy: mix, rules, toxics, actions, and the scenario."""
        await self._member.playing.panic()
        return say(request, OK)

    @app.route("/rules", branch=True)
    def rules(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.rules`."""
        return mounted(request, RulesApi(self._proxy, self._member.reader).resource())

    @app.route("/toxics", branch=True)
    def toxics(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.toxics`."""
        return mounted(request, ToxicsApi(self._proxy, self._member.reader).resource())

    @app.route("/actions", branch=True)
    def actions(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.actions`."""
        return mounted(request, ActionsApi(self._proxy, self._member.reader).resource())

    @app.route("/links", branch=True)
    def links(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.links`."""
        return mounted(request, LinksApi(self._proxy).resource())

    @app.route("/scenario", branch=True)
    def scenario(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.scenario`."""
        return mounted(request, ScenarioApi(self._member.playing, self._member.reader).resource())


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
