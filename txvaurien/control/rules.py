"""The rules of one proxy over HTTP.

- ``GET``: ``{"rules": [{"name": "error-1", "behavior": "error", ..., "matched": 7, "fired": 2, ...}]}``.
- ``POST``: one more rule, its fields flat (``{"behavior": "error", "kind": "readonly", "verb": "SET"}``)
  or in the short form (``{"rule": "error kind=readonly verb=SET"}``); ``?position=0`` puts it first.
  The counters that GET shows may stand among the fields, and are passed over.
- ``GET /{name}``; with ``?fired=2&timeout=10`` it answers when the rule has fired so often.
- ``PATCH /{name}``: the fields that are to be otherwise; null takes one away. It is a new rule in the
  old one's place: its counters start from zero.
- ``DELETE /{name}``: gone, and what it held has been let go.
- ``DELETE``: all of them are gone; ``{"status": "ok", "removed": 2}``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from klein.resource import KleinResource
from msgspec import Meta
from twisted.web.iweb import IRequest

from txvaurien.control.app import OK, body_of, new_app, query_of, say
from txvaurien.control.faultedits import Rules
from txvaurien.options import DAY, SECONDS, Declared
from txvaurien.planning.faults import FaultReader
from txvaurien.planning.rulefields import MOST
from txvaurien.proxy import Proxy


class Position(Declared, frozen=True, kw_only=True):
    """Where a rule goes."""

    name: ClassVar[str] = "POST"

    position: Annotated[int, Meta(ge=0, le=MOST, description="how many rules come before it")] | None = None


class Awaiting(Declared, frozen=True, kw_only=True):
    """What is waited for."""

    name: ClassVar[str] = "GET"

    fired: Annotated[int, Meta(ge=1, description="answer when it has fired so often")] | None = None
    timeout: Annotated[float, SECONDS, Meta(ge=0, le=DAY, description="seconds to wait at most")] = 10.0


class RulesApi:
    """The resource of the rules of a proxy, wherever it is mounted."""

    app = new_app()

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._rules = Rules(proxy, reader)

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    def list_rules(self, request: IRequest) -> bytes:
        """All rules, in their order."""
        return say(request, {"rules": self._rules.describe()})

    @app.route("/", methods=["POST"])
    async def add(self, request: IRequest) -> bytes:
        """One more rule."""
        position = query_of(request, Position).position
        return say(request, await self._rules.add(body_of(request), position), 201)

    @app.route("/", methods=["DELETE"])
    async def clear(self, request: IRequest) -> bytes:
        """Remove all rules; what they held has been let go."""
        return say(request, {**OK, "removed": await self._rules.clear()})

    @app.route("/<name>", methods=["GET"])
    async def get(self, request: IRequest, name: str) -> bytes:
        """One rule, at once or when it has fired often enough."""
        query = query_of(request, Awaiting)
        return say(request, await self._rules.get(name, query.fired, query.timeout))

    @app.route("/<name>", methods=["PATCH"])
    async def change(self, request: IRequest, name: str) -> bytes:
        """The same rule with other fields, and new counters."""
        return say(request, await self._rules.change(name, body_of(request)))

    @app.route("/<name>", methods=["DELETE"])
    async def remove(self, request: IRequest, name: str) -> bytes:
        """Remove a rule; what it held has been let go."""
        await self._rules.remove(name)
        return say(request, OK)
