"""The toxics of one proxy over HTTP, as Toxiproxy has them.

A toxic is ``{"name": "latency_downstream", "type": "latency", "stream": "downstream",
"toxicity": 1.0, "attributes": {"latency": 200, "jitter": 0}}``.

- ``GET``: a list of all.
- ``POST``: one more; also in the short form (``{"toxic": "latency latency=200"}``).
- ``GET /{name}``, ``PATCH /{name}`` (or POST: other attributes, another toxicity), ``DELETE /{name}``.

Each holds on standing links, too, when the answer comes.
"""

from __future__ import annotations

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


class ToxicsApi:
    """The resource of the toxics of a proxy, wherever it is mounted."""

    app = new_app()

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._proxy = proxy
        self._reader = reader

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    def list_toxics(self, request: IRequest) -> bytes:
        """All toxics, in their order."""
        return say(request, [each.describe() for each in self._proxy.plan.toxics])

    @app.route("/", methods=["POST"])
    async def add(self, request: IRequest) -> bytes:
        """One more toxic."""
        placed = self._read(body_of(request))
        if placed.name in {each.name for each in self._proxy.plan.toxics}:
            why = (
                f"there is a toxic {placed.name!r} already; PATCH or DELETE it, or give this one another name"
            )
            raise Refused.because(409, "body", "name", why)
        self._proxy.add_toxic(placed)
        await self._proxy.settled()
        return say(request, placed.describe())

    @app.route("/<name>", methods=["GET"])
    def get(self, request: IRequest, name: str) -> bytes:
        """One toxic."""
        return say(request, self._find(name).describe())

    @app.route("/<name>", methods=["PATCH", "POST"])
    async def change(self, request: IRequest, name: str) -> bytes:
        """The same toxic with other attributes, or for another share of links."""
        old = self._find(name).describe()
        said = body_of(request)
        _check_fixed(old, said)
        new = self._reader.toxic(_merged(old, said), where="")
        self._proxy.replace_toxic(new)
        await self._proxy.settled()
        return say(request, new.describe())

    @app.route("/<name>", methods=["DELETE"])
    async def remove(self, request: IRequest, name: str) -> bytes:
        """Away with it; what it held has been let go. 204, as Toxiproxy answers."""
        self._find(name)
        self._proxy.remove_toxic(name)
        await self._proxy.settled()
        request.setResponseCode(204)
        return b""

    def _find(self, name: str) -> PlacedToxic:
        found = next((each for each in self._proxy.plan.toxics if each.name == name), None)
        if found is None:
            raise not_found(name, unknown("toxic", name, [each.name for each in self._proxy.plan.toxics]))
        return found

    def _read(self, said: dict[str, Any]) -> PlacedToxic:
        if "toxic" not in said:
            return self._reader.toxic(said, where="")
        words = short_form(said, "toxic", "latency latency=200")
        return self._reader.read_only(PlacedToxic, words, where="toxic")


def _check_fixed(old: dict[str, Any], said: dict[str, Any]) -> None:
    problems = [
        Problem("body", name, f"the {name} of a toxic stays {old[name]!r}; DELETE this one and POST another")
        for name in _FIXED
        if said.get(name, old[name]) != old[name]
    ]
    if problems:
        raise Refused(400, problems)


def _merged(old: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """A toxic with some of its attributes changed; where they are flat, they stay so for errors."""
    attributes = said.get("attributes", {})
    if not isinstance(attributes, dict):
        raise Refused.because(400, "body", "attributes", "it must be an object")
    flat = {name.replace("-", "_") for name in (*attributes, *said)}
    kept = {name: value for name, value in old["attributes"].items() if name not in flat}
    return {**old, **said, "attributes": {**kept, **attributes}}
