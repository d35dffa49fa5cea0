"""The links of one proxy over HTTP.

- ``GET``: ``{"links": [{"id": 3, "client": "127.0.0.1:50000", "seconds": 1.5, ...}]}``.
- ``GET /{id}``; ``DELETE /{id}?how=rst`` (or ``fin``) ends one, ``DELETE ?how=`` all of them, at once,
  whatever holds their bytes.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from klein.resource import KleinResource
from msgspec import Meta
from twisted.web.iweb import IRequest

from txvaurien.control.answers import not_found
from txvaurien.control.app import new_app, query_of, say
from txvaurien.model import Then
from txvaurien.options import Declared
from txvaurien.proxy import Proxy

#: More digits than the number of any link has.
_MOST_DIGITS = 18

_ENDS = {"fin": Then.CLOSE, "rst": Then.RESET}


class Kill(Declared, frozen=True, kw_only=True):
    """How a link is ended."""

    name: ClassVar[str] = "DELETE"

    how: Annotated[Literal["rst", "fin"], Meta(description="with a reset, or in order")] = "rst"


class LinksApi:
    """The resource of the links of a proxy, wherever it is mounted."""

    app = new_app()

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    async def list_links(self, request: IRequest) -> bytes:
        """All links, the oldest first."""
        return say(request, {"links": await self._proxy.describe_links()})

    @app.route("/", methods=["DELETE"])
    async def kill_all(self, request: IRequest) -> bytes:
        """End all links."""
        how = _ENDS[query_of(request, Kill).how]
        killed = len(await self._proxy.describe_links())
        self._proxy.kill(how)
        await self._proxy.settled()
        return say(request, {"status": "ok", "killed": killed})

    @app.route("/<number>", methods=["GET"])
    async def get(self, request: IRequest, number: str) -> bytes:
        """One link."""
        return say(request, await self._find(number))

    @app.route("/<number>", methods=["DELETE"])
    async def kill(self, request: IRequest, number: str) -> bytes:
        """End one link."""
        how = _ENDS[query_of(request, Kill).how]
        self._proxy.kill(how, (await self._find(number))["id"])
        await self._proxy.settled()
        return say(request, {"status": "ok", "killed": 1})

    async def _find(self, number: str) -> dict[str, Any]:
        is_number = number.isdecimal() and number.isascii() and len(number) <= _MOST_DIGITS
        found = await self._proxy.describe_links(int(number)) if is_number else []
        if not found:
            raise not_found(number, f"there is no link {number!r}; GET /links shows those that there are")
        return found[0]
