"""Live control over HTTP: which behavior, which backend.

The paths and bodies are those that Vaurien's clients know; more is said in further keys.

- ``GET /behavior``: ``{"behavior": "delay", "options": {...}, "mix": [...], "seed": 7}``.
- ``PUT /behavior``: ``{"name": "delay", "sleep": 2}``, ``{"name": "5:error,10:delay"}`` or
  ``{"mix": [{"percent": 5, "name": "error", "options": {...}}]}``. POST does the same.
- ``GET /behaviors``: ``{"behaviors": ["abort", ...], "options": {...}, "help": {...}}``.
- ``GET /backend``, ``PUT /backend``: ``{"backend": "localhost:6379"}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from klein import Klein
from klein.resource import KleinResource
from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from txvaurien.addresses import Backend, parse_backend, parse_listen
from txvaurien.control.answers import Problem, Refused, answer_with, encode
from txvaurien.control.bodies import read_object
from txvaurien.control.plans import PlanReader, describe_options, describe_plan
from txvaurien.control.security import AllowedHosts, Guard
from txvaurien.control.site import ClosingFactory, ControlSite
from txvaurien.errors import ConfigError
from txvaurien.plan import Plan
from txvaurien.plugins import Registry
from txvaurien.protocols.base import WireProtocol
from txvaurien.service import Listener

#: How many connections the kernel queues for us.
BACKLOG = 50

_OK = {"status": "ok"}


class Controlled(Protocol):
    """What is needed of a `txvaurien.proxy.Proxy`."""

    protocol: WireProtocol
    backend: Backend

    @property
    def plan(self) -> Plan:
        """What the proxy does now."""

    @property
    def seed(self) -> int:
        """What all draws depend on."""

    def set_plan(self, plan: Plan) -> None:
        """Follow another plan from now on; ConfigError if it does not fit."""

    def set_backend(self, backend: Backend) -> None:
        """Connect new links to another backend."""


class ControlApi:
    """The resource that controls one proxy.

    :param registry: what can be named; nothing is ever loaded for a request.
    :param behavior_defaults: what was set for behaviors at start, by attribute name.
    """

    app = Klein()
    log = Logger()

    def __init__(
        self,
        proxy: Controlled,
        registry: Registry,
        behavior_defaults: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        self._proxy = proxy
        self._behaviors = registry.behaviors
        self._reader = PlanReader(registry, proxy.protocol, behavior_defaults or {})

    def resource(self) -> KleinResource:
        """The root of its resource tree, which has to stand behind a `Guard`."""
        return self.app.resource()

    @app.route("/behavior", methods=["GET"])
    def get_behavior(self, request: IRequest) -> bytes:
        """What the proxy does now."""
        return _say(request, {**describe_plan(self._proxy.plan), "seed": self._proxy.seed})

    @app.route("/behavior", methods=["PUT", "POST"])
    def set_behavior(self, request: IRequest) -> bytes:
        """Set the mix. It is done, on standing links too, when this answers.

        Each time it is a new activation, with counters that start from zero. What
        else the plan has, its rules and its seed, stays as it is.
        """
        mix = self._reader.read(_body(request))
        try:
            self._proxy.set_plan(replace(self._proxy.plan, mix=mix))
        except ConfigError as error:
            raise Refused(400, [Problem.of(error, "name")]) from error
        return _say(request, _OK)

    @app.route("/behaviors", methods=["GET"])
    def list_behaviors(self, request: IRequest) -> bytes:
        """What can be set, and with which options."""
        return _say(request, describe_options(self._behaviors))

    @app.route("/backend", methods=["GET"])
    def get_backend(self, request: IRequest) -> bytes:
        """Where the proxy connects to."""
        return _say(request, {"backend": self._proxy.backend.text})

    @app.route("/backend", methods=["PUT"])
    def set_backend(self, request: IRequest) -> bytes:
        """Connect elsewhere from now on. Standing links stay where they are."""
        said = _body(request)
        others = [name for name in said if name != "backend"]
        if others:
            raise Refused(400, [Problem("body", name, "only backend can be set here") for name in others])
        address = said.get("backend")
        if not isinstance(address, str):
            raise Refused.because(400, "body", "backend", 'give an address, such as "localhost:6379"')
        try:
            self._proxy.set_backend(parse_backend(address))
        except ConfigError as error:
            raise Refused(400, [Problem.of(error, "backend")]) from error
        self.log.info("backend {backend!r}", backend=address)
        return _say(request, _OK)

    @app.handle_errors(Refused)
    def refused(self, request: IRequest, failure: Failure) -> bytes:
        """A request that cannot be done."""
        refused = failure.value
        assert isinstance(refused, Refused)
        return refused.answer(request)

    @app.handle_errors(MethodNotAllowed)
    def no_such_method(self, request: IRequest, failure: Failure) -> bytes:
        """405, with the methods that there are."""
        error = failure.value
        assert isinstance(error, MethodNotAllowed)
        allowed = ", ".join(sorted(error.valid_methods or ()))
        method, path = _text(request.method), _text(request.path)
        why = f"{method} cannot be used on {path}; the methods are: {allowed}"
        problem = Problem("method", method, why)
        return Refused(405, [problem], {b"allow": allowed.encode("ascii")}).answer(request)

    @app.handle_errors(HTTPException)
    def no_such_path(self, request: IRequest, failure: Failure) -> bytes:
        """404, with the paths that there are."""
        del failure
        paths = ", ".join(sorted({rule.rule for rule in self.app.url_map.iter_rules()}))
        path = _text(request.path)
        why = f"there is no {path}; the paths are: {paths}"
        return Refused.because(404, "path", path, why).answer(request)

    @app.handle_errors(Exception)
    def broken(self, request: IRequest, failure: Failure) -> bytes:
        """500: a mistake of ours, or of a plug-in. The traceback is for the log."""
        self.log.failure("{method} {path} failed", failure, method=request.method, path=request.path)
        why = f"{type(failure.value).__name__} in the control server; its log says more"
        return Refused.because(500, "server", "", why).answer(request)


class ControlService(Service):
    """Serves the control of one proxy over HTTP.

    :param host: where to listen; ``localhost`` is 127.0.0.1.
    :param port: 0 for any port that is free.
    :param reactor: provides IReactorTCP and IReactorTime.
    :param behavior_defaults: what was set for behaviors at start, by attribute name.
    :param hosts: further names under which the server may be asked.
    :raises ConfigError: `host` and `port` are no address.
    """

    def __init__(
        self,
        proxy: Controlled,
        registry: Registry,
        host: str = "localhost",
        port: int = 8080,
        *,
        reactor: Any,
        behavior_defaults: Mapping[str, Mapping[str, object]] | None = None,
        hosts: Iterable[str] = (),
    ) -> None:
        self._wanted = port
        self._reactor = reactor
        text = f"[{host}]:{port}" if ":" in host and "[" not in host else f"{host}:{port}"
        self._listener = Listener(
            parse_listen(text, "--http-host").endpoint(reactor, BACKLOG), text, "--http-port"
        )
        self._api = ControlApi(proxy, registry, behavior_defaults)
        root = Guard(self._api.resource(), AllowedHosts(host, hosts))
        self._factory = ClosingFactory(ControlSite(root, reactor))

    @property
    def port(self) -> int:
        """The port that was asked for; once it listens, the real one."""
        return self._listener.port or self._wanted

    def startService(self) -> None:
        """Listen.

        :raises ListenError: the port is taken, or nothing can listen there.
        """
        self._listener.start(self._factory)
        Service.startService(self)

    def stopService(self) -> Deferred[None]:
        """Stop listening and end all connections; fires when both is done."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        await self._listener.stop()
        await self._factory.close(self._reactor)


def _body(request: IRequest) -> dict[str, Any]:
    content: Any = request.content
    return read_object(content.read())


def _say(request: IRequest, said: Mapping[str, object]) -> bytes:
    return answer_with(request, encode(said))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
