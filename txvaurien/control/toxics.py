"""The toxics of one proxy over HTTP, in Toxiproxy's shape.

A toxic is ``{"name": "latency_downstream", "type": "latency", "stream": "downstream",
"toxicity": 1.0, "attributes": {"latency": 200, "jitter": 0}}``.

- ``GET``: a list of all; at the root it stands in an object (`txvaurien.control.listings`).
- ``POST``: one more; also in the short form (``{"toxic": "latency latency=200"}``).
- ``GET /{name}``, ``PATCH /{name}`` (or POST: other attributes, another toxicity), ``DELETE /{name}``.

Each holds on standing links, too, when the answer comes. What cannot be is refused; for Toxiproxy's
own paths, which take more, see `txvaurien.control.toxiproxy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from klein.resource import KleinResource
from twisted.web.iweb import IRequest

from txvaurien.control.answers import Problem, Refused
from txvaurien.control.app import body_of, new_app, not_found, say, short_form
from txvaurien.faults import FaultReader
from txvaurien.options import unknown
from txvaurien.plan import PlacedToxic
from txvaurien.proxy import Proxy

#: What of a toxic stays as it is.
_FIXED = ("name", "type", "stream")


class NoToxic(Refused):
    """404: there is no toxic of this name."""


class ToxicExists(Refused):
    """409: there is a toxic of this name already."""


class Toxics:
    """The toxics of a proxy, as requests read and change them."""

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._proxy = proxy
        self._reader = reader

    def describe(self) -> list[dict[str, Any]]:
        """All toxics, in their order."""
        return [each.describe() for each in self._proxy.plan.toxics]

    def find(self, name: str) -> dict[str, Any]:
        """One toxic.

        :raises NoToxic: there is none of this name.
        """
        for placed in self._proxy.plan.toxics:
            if placed.name == name:
                return placed.describe()
        names = [each.name for each in self._proxy.plan.toxics]
        raise NoToxic(404, not_found(name, unknown("toxic", name, names)).problems)

    async def add(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """One more toxic.

        :raises ToxicExists: there is one of this name.
        """
        placed = self._read(said)
        if placed.name in {each.name for each in self._proxy.plan.toxics}:
            why = (
                f"there is a toxic {placed.name!r} already; PATCH or DELETE it, or give this one another name"
            )
            raise ToxicExists(409, [Problem("body", "name", why)])
        self._proxy.add_toxic(placed)
        await self._proxy.settled()
        return placed.describe()

    def _read(self, said: Mapping[str, Any]) -> PlacedToxic:
        if "toxic" not in said:
            return self._reader.toxic(said, where="")
        words = short_form(dict(said), "toxic", "latency latency=200")
        return self._reader.read_only(PlacedToxic, words, where="toxic")

    async def change(self, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """The same toxic with other attributes, or for another share of links.

        :raises NoToxic: there is none of this name.
        """
        old = self.find(name)
        _check_fixed(old, said)
        new = self._reader.toxic(_merged(old, said), where="")
        self._proxy.replace_toxic(new)
        await self._proxy.settled()
        return new.describe()

    async def remove(self, name: str) -> None:
        """Away with it; what it held has been let go.

        :raises NoToxic: there is none of this name.
        """
        self.find(name)
        self._proxy.remove_toxic(name)
        await self._proxy.settled()


class ToxicsApi:
    """The resource of the toxics of a proxy, wherever it is mounted."""

    app = new_app()

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._toxics = Toxics(proxy, reader)

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    def list_toxics(self, request: IRequest) -> bytes:
        """All toxics, in their order."""
        return say(request, self._toxics.describe())

    @app.route("/", methods=["POST"])
    async def add(self, request: IRequest) -> bytes:
        """One more toxic."""
        return say(request, await self._toxics.add(body_of(request)))

    @app.route("/<name>", methods=["GET"])
    def get(self, request: IRequest, name: str) -> bytes:
        """One toxic."""
        return say(request, self._toxics.find(name))

    @app.route("/<name>", methods=["PATCH", "POST"])
    async def change(self, request: IRequest, name: str) -> bytes:
        """The same toxic with other attributes, or for another share of links."""
        return say(request, await self._toxics.change(name, body_of(request)))

    @app.route("/<name>", methods=["DELETE"])
    async def remove(self, request: IRequest, name: str) -> bytes:
        """Remove a toxic; what it held has been let go. 204, as Toxiproxy answers."""
        await self._toxics.remove(name)
        request.setResponseCode(204)
        return b""


def _check_fixed(old: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    problems = [
        Problem("body", name, f"the {name} of a toxic stays {old[name]!r}; DELETE this one and POST another")
        for name in _FIXED
        if said.get(name, old[name]) != old[name]
    ]
    if problems:
        raise Refused(400, problems)


def _merged(old: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """A toxic with some of its attributes changed; where they are flat, they stay so for errors."""
    attributes = said.get("attributes", {})
    if not isinstance(attributes, dict):
        raise Refused.because(400, "body", "attributes", "it must be an object")
    flat = {name.replace("-", "_") for name in (*attributes, *said)}
    kept = {name: value for name, value in old["attributes"].items() if name not in flat}
    return {**old, **said, "attributes": {**kept, **attributes}}
