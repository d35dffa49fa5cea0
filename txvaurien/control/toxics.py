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

from klein.resource import KleinResource
from twisted.web.iweb import IRequest

from txvaurien.control.app import body_of, new_app, say
from txvaurien.control.faultedits import Toxics
from txvaurien.planning.faults import FaultReader
from txvaurien.proxy import Proxy


class ToxicsApi:
    """The resource of the toxics of a proxy, wherever it is mounted."""

    app = new_app()

    def __init__(self, proxy: Proxy, reader: FaultReader) -> None:
        self._toxics = Toxics(proxy, reader)

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    # The root answers this itself, and Toxiproxy's paths do; but it belongs to the methods that a 405 names.
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
