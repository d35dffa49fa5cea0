"""The journal over HTTP.

``GET /journal?since=N&limit=100`` answers with the records after number N, the oldest first:
``{"records": [...], "first": 1, "last": 250}``. `first` and `last` are the numbers of all that are still
in memory: where `first` is more than N + 1, the ones between are gone. ``event=``, ``link=`` and
``proxy=`` leave out all others.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from klein.resource import KleinResource
from msgspec import Meta
from twisted.web.iweb import IRequest

from txvaurien.control.app import new_app, query_of, say
from txvaurien.journal import Journal
from txvaurien.options import Declared


class Since(Declared, frozen=True, kw_only=True):
    """Which records are asked for."""

    name: ClassVar[str] = "GET"

    since: Annotated[int, Meta(ge=0, description="only the records after this number")] = 0
    limit: Annotated[int, Meta(ge=1, le=10_000, description="how many at most")] = 1000
    proxy: Annotated[str, Meta(description="only this proxy")] = ""
    event: Annotated[str, Meta(description="only this event, such as fired")] = ""
    link: Annotated[int, Meta(ge=0, description="only this link")] = 0


class JournalApi:
    """The resource of the journal, wherever it is mounted."""

    app = new_app()

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    def get(self, request: IRequest) -> bytes:
        """The records."""
        asked = query_of(request, Since)
        records = self._journal.since(
            asked.since, proxy=asked.proxy, event=asked.event, link=asked.link, limit=asked.limit
        )
        return say(
            request,
            {
                "records": [record.as_json() for record in records],
                "first": self._journal.first,
                "last": self._journal.last,
            },
        )
