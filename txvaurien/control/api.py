"""The root of the control API: the proxies of a process, and what concerns them all.

- ``/proxies``, ``/populate``, ``/version``: `txvaurien.control.toxiproxy`, as Toxiproxy has them; below
  ``/proxies/{name}`` everything of `txvaurien.control.proxy`.
- ``/behavior``, ``/backend``, ``/plan``, ``/rules``, ``/actions``, ``/links``, ``/scenario``: the same
  for the main proxy, the one that the process was started for, or the only one.
- ``GET /behaviors``: ``{"behaviors": ["abort", ...], "options": {...}, "help": {...}, "kinds": [...]}``.
- ``POST /reset``: the panic stop; every fault is gone, and every proxy enabled, when it answers.
- ``/journal``: `txvaurien.control.journal`.
"""

from __future__ import annotations

from typing import Any

from klein.resource import KleinResource
from twisted.web.iweb import IRequest

from txvaurien.actions import ACTIONS
from txvaurien.control.app import OK, mounted, new_app, say
from txvaurien.control.journal import JournalApi
from txvaurien.control.plans import describe_kinds, describe_options
from txvaurien.control.proxy import ProxyApi
from txvaurien.journal import Journal
from txvaurien.proxies import NoProxy, Proxies


class ControlApi:
    """The resource that controls the proxies of a process.

    :param proxies: what can be named is in their registry; nothing is ever loaded for a request.
    :param journal: what is recorded of them.
    """

    app = new_app()

    def __init__(self, proxies: Proxies, journal: Journal) -> None:
        self._proxies = proxies
        self._registry = proxies.registry
        self._journal = JournalApi(journal).resource()

    def resource(self) -> KleinResource:
        """The root of its resource tree, which has to stand behind a `Guard`."""
        return self.app.resource()

    @app.route("/actions", branch=True)
    @app.route("/backend", branch=True)
    @app.route("/behavior", branch=True)
    @app.route("/links", branch=True)
    @app.route("/plan", branch=True)
    @app.route("/rules", branch=True)
    @app.route("/scenario", branch=True)
    @app.route("/toxics", branch=True)
    def of_main(self, request: Any) -> KleinResource:
        """What concerns the main proxy; see `txvaurien.control.proxy`."""
        request.postpath.insert(0, request.prepath.pop())
        return ProxyApi(self._proxies.main).resource()

    @app.route("/proxies/<name>", branch=True)
    def of_proxy(self, request: IRequest, name: str) -> KleinResource:
        """What concerns one proxy; see `txvaurien.control.proxy`."""
        return mounted(request, ProxyApi(self._proxies.get(name)).resource())

    @app.route("/behaviors", methods=["GET"])
    def list_behaviors(self, request: IRequest) -> bytes:
        """What can be set, and with which options: behaviors, toxics, actions, and kinds of errors."""
        try:
            kinds = describe_kinds(self._proxies.main.proxy.protocol)
        except NoProxy:
            kinds = []
        return say(
            request,
            {
                "behaviors": sorted(self._registry.behaviors),
                **describe_options(self._registry.behaviors),
                "kinds": kinds,
                "toxics": describe_options(self._registry.toxics),
                "actions": describe_options(ACTIONS),
            },
        )

    @app.route("/reset", methods=["POST"])
    async def reset(self, request: IRequest) -> bytes:
        """Remove every fault: mixes, rules, toxics, actions and scenarios."""
        await self._proxies.reset()
        return say(request, OK)

    @app.route("/journal", branch=True)
    def journal(self, request: IRequest) -> KleinResource:
        """See `txvaurien.control.journal`."""
        return mounted(request, self._journal)
