"""The actions of one proxy over HTTP: what is done to its listener, or to whole links.

- ``GET``: ``{"actions": [{"action": "slow_accept", "delay": 100}], "available": ["deaf", ...]}``.
- ``POST /{name}``: begin it, with its options as the body; it replaces one of the same name.
- ``POST`` with ``{"action": "slow_accept delay=100"}``: the same in the short form.
- ``GET /{name}``: the one that stands; ``DELETE /{name}``: end it.
"""

from __future__ import annotations

from klein.resource import KleinResource
from twisted.web.iweb import IRequest

from txvaurien.actions import ACTIONS, Action
from txvaurien.control.answers import not_found, short_form
from txvaurien.control.app import OK, body_of, new_app, say
from txvaurien.options import unknown
from txvaurien.planning.faults import FaultReader, describe_action
from txvaurien.proxy import Proxy


class ActionsApi:
    """The resource of the actions of a proxy, wherever it is mounted."""

    app = new_app()

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._proxy = proxy
        self._reader = reader

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    def list_actions(self, request: IRequest) -> bytes:
        """The actions that stand, and the names of all that there are."""
        standing = [describe_action(each) for each in self._proxy.actions.standing.values()]
        return say(request, {"actions": standing, "available": sorted(ACTIONS)})

    @app.route("/", methods=["POST"])
    async def start_words(self, request: IRequest) -> bytes:
        """Begin an action that is in the short form."""
        words = short_form(body_of(request), "action", "slow_accept delay=100")
        action = self._reader.read_only(Action, words, where="action")
        return await self._start(request, action)

    @app.route("/<name>", methods=["GET"])
    def get(self, request: IRequest, name: str) -> bytes:
        """One action that stands."""
        return say(request, describe_action(self._find(name)))

    @app.route("/<name>", methods=["POST"])
    async def start(self, request: IRequest, name: str) -> bytes:
        """Begin an action, with its options."""
        if name not in ACTIONS:
            raise not_found(name, unknown("action", name, ACTIONS))
        said = body_of(request)
        return await self._start(request, self._reader.action({**said, "action": name}, where=""))

    @app.route("/<name>", methods=["DELETE"])
    async def stop(self, request: IRequest, name: str) -> bytes:
        """End an action that stands."""
        self._find(name)
        await self._proxy.actions.stop(name)
        return say(request, OK)

    async def _start(self, request: IRequest, action: Action) -> bytes:
        await self._proxy.actions.start(action)
        return say(request, describe_action(action))

    def _find(self, name: str) -> Action:
        standing = self._proxy.actions.standing
        if name not in standing:
            what = "standing action" if name in ACTIONS else "action"
            raise not_found(name, unknown(what, name, standing if name in ACTIONS else ACTIONS))
        return standing[name]
