"""The root of the control API: the proxies of a process, and what concerns them all.

- ``/proxies``, ``/populate``, ``/version``: `txvaurien.control.toxiproxy`, as Toxiproxy has them; below
  ``/proxies/{name}`` everything of `txvaurien.control.proxy`.
- ``/behavior``, ``/backend``, ``/plan``, ``/rules``, ``/actions``, ``/links``, ``/scenario``: the same
  for the main proxy, the one that the process was started for, or the only one.
- ``GET /behaviors``, ``/protocols``, ``/toxics``, ``/health``: see `txvaurien.control.listings`.
- ``GET /openapi.json``: see `txvaurien.control.openapi`.
- ``POST /reset``: the panic stop; every fault is gone, and every proxy enabled, when it answers (204).
- ``GET /metrics``: `txvaurien.control.metrics`.
- ``GET /ca.pem``: the certificate that clients of proxies with ``tls = auto`` have to trust.
- ``/journal``, ``/events``: `txvaurien.control.journal`, `txvaurien.control.events`.
"""

from __future__ import annotations

from typing import Any

from klein.resource import KleinResource
from twisted.web.iweb import IRequest

from txvaurien.control import listings
from txvaurien.control.answers import Refused
from txvaurien.control.app import mounted, new_app, say
from txvaurien.control.events import EventsApi
from txvaurien.control.journal import JournalApi
from txvaurien.control.metrics import MetricsApi
from txvaurien.errors import ConfigError
from txvaurien.journal import Journal
from txvaurien.metrics.watcher import Metrics
from txvaurien.process.proxies import Proxies

#: The usual type of one certificate in PEM; what RFC 8555 (section 9.1) has registered is for chains.
PEM_TYPE = b"application/x-pem-file"

# What stands below a branch is imported by the first request that goes there: to compile its routes is
# a large part of a start, and most who start a proxy for a test use few of them.


class ControlApi:
    """The resource that controls the proxies of a process.

    :param proxies: what can be named is in their registry; nothing is ever loaded for a request.
    :param journal: what is recorded of them.
    :param secured: whether every request has to show a token.
    :param metrics: what is measured of them; by default that is begun now.
    """

    app = new_app()

    def __init__(
        self, proxies: Proxies, journal: Journal, *, secured: bool = False, metrics: Metrics | None = None
    ) -> None:
        self._proxies = proxies
        self._journal = JournalApi(journal).resource()
        self._events = EventsApi(journal, proxies.reactor)
        self._metrics = MetricsApi(metrics or Metrics.of(proxies, journal))
        self._secured = secured
        self._began = proxies.reactor.seconds()

    def resource(self) -> KleinResource:
        """The root of its resource tree, which has to stand behind a `Guard`."""
        return self.app.resource()

    def stop(self) -> None:
        """End what goes on until somebody ends it: the streams of events."""
        self._events.stop()

    @app.route("/actions", branch=True)
    @app.route("/backend", branch=True)
    @app.route("/behavior", branch=True)
    @app.route("/links", branch=True)
    @app.route("/plan", branch=True)
    @app.route("/rules", branch=True)
    @app.route("/scenario", branch=True)
    def of_main(self, request: Any) -> KleinResource:
        """What concerns the main proxy; see `txvaurien.control.proxy`."""
        from txvaurien.control.proxy import ProxyApi

        request.postpath.insert(0, request.prepath.pop())
        return ProxyApi(self._proxies, self._proxies.main).resource()

    @app.route("/populate", branch=True)
    @app.route("/proxies", branch=True)
    @app.route("/version", branch=True)
    def toxiproxy(self, request: Any) -> KleinResource:
        """What concerns no single proxy, as in Toxiproxy; see `txvaurien.control.toxiproxy`."""
        from txvaurien.control.toxiproxy import ToxiproxyApi

        request.postpath.insert(0, request.prepath.pop())
        return ToxiproxyApi(self._proxies).resource()

    @app.route("/proxies/<name>", branch=True)
    def of_proxy(self, request: Any, name: str) -> KleinResource:
        """What concerns one proxy; see `txvaurien.control.toxiproxy` and `txvaurien.control.proxy`."""
        from txvaurien.control.proxy import ProxyApi
        from txvaurien.control.toxiproxy import OneProxyApi, is_toxiproxys

        # For Klein a name ends at its %2F.
        name = request.prepath[-1].decode()
        if is_toxiproxys(request):
            return mounted(request, OneProxyApi(self._proxies, name).resource())
        return mounted(request, ProxyApi(self._proxies, self._proxies.get(name)).resource())

    @app.route("/toxics", branch=True)
    def toxics(self, request: Any) -> bytes | KleinResource:
        """The toxics of the main proxy, and all types that there are, with their attributes.

        Below it they are as in Toxiproxy; see `txvaurien.control.toxics`.
        """
        if request.method in (b"GET", b"HEAD") and not any(request.postpath):
            return say(request, listings.list_toxics(self._proxies))
        return self.of_main(request)

    @app.route("/behaviors", methods=["GET"])
    def list_behaviors(self, request: IRequest) -> bytes:
        """What can be set, and with which options: behaviors, toxics, actions, and kinds of errors."""
        return say(request, listings.list_behaviors(self._proxies))

    @app.route("/protocols", methods=["GET"])
    def list_protocols(self, request: IRequest) -> bytes:
        """The protocols that there are, their options, and the errors that each can say."""
        return say(request, listings.list_protocols(self._proxies.registry))

    @app.route("/openapi.json", methods=["GET"])
    def openapi(self, request: IRequest) -> bytes:
        """This API as an OpenAPI 3.1 document, with all that can be named here and its options."""
        # Few ask for it, and it takes a moment to import.
        from txvaurien.control.openapi import document

        return say(request, document(self._proxies.registry, secured=self._secured))

    @app.route("/ca.pem", methods=["GET"])
    def ca(self, request: IRequest) -> bytes:
        """The certificate of the authority whose certificates proxies show with `--tls auto`.

        It is the same for all proxies of the process, as long as that runs. Where none has needed an
        authority yet, one is made: who is to trust it can do so first.
        """
        try:
            pem = self._proxies.keeper.authority.pem
        except ConfigError as error:
            # Of --tls-ca, which nobody has looked at before; a request cannot mend it.
            raise Refused.because(409, "server", "", str(error)) from error
        request.setHeader(b"content-type", PEM_TYPE)
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        request.setHeader(b"content-length", b"%d" % len(pem))
        return pem

    @app.route("/health", methods=["GET"])
    def health(self, request: IRequest) -> bytes:
        """Whether the control server works, its version, how many proxies there are, and since when."""
        return say(request, listings.health(self._proxies, self._proxies.reactor.seconds() - self._began))

    @app.route("/reset", methods=["POST"])
    async def reset(self, request: IRequest) -> bytes:
        """Remove every fault: mixes, rules, toxics, actions and scenarios; enable every proxy. 204."""
        await self._proxies.reset()
        request.setResponseCode(204)
        return b""

    @app.route("/metrics", branch=True)
    def metrics(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.metrics`."""
        return mounted(request, self._metrics.resource())

    @app.route("/journal", branch=True)
    def journal(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.journal`."""
        return mounted(request, self._journal)

    @app.route("/events", branch=True)
    def events(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.events`."""
        return mounted(request, self._events.resource())
