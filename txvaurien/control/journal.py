"""The journal over HTTP.

``GET /journal?since=N&limit=100`` answers with the records after number N, the oldest first:
``{"records": [...], "first": 1, "last": 250}``. `first` and `last` are the numbers of all that are still
in memory: where `first` is more than N + 1, the ones between are gone. ``event=``, ``link=`` and
``proxy=`` leave out all others. ``last=100`` instead of ``limit=`` asks for the last 100 of them.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from klein.resource import KleinResource
from msgspec import Meta
from twisted.web.iweb import IRequest

from txvaurien.control.answers import Refused
from txvaurien.control.app import new_app, query_of, say
from txvaurien.journal import EVENTS, Journal
from txvaurien.options import Declared, unknown

#: How many records are told of where nobody says how many.
_LIMIT = 1000


class Since(Declared, frozen=True, kw_only=True):
    """Which records are asked for."""

    name: ClassVar[str] = "GET"

    since: Annotated[int, Meta(ge=0, description="only the records after this number")] = 0
    limit: (
        Annotated[int, Meta(ge=1, le=10_000, description="how many at most, the oldest (default: 1000)")]
        | None
    ) = None
    last: Annotated[int, Meta(ge=1, le=10_000, description="how many at most, the latest")] | None = None
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
        _check(asked)
        found = self._journal.since(asked.since, proxy=asked.proxy, event=asked.event, link=asked.link)
        records = found[: asked.limit or _LIMIT] if asked.last is None else found[-asked.last :]
        return say(
            request,
            {
                "records": [record.as_json() for record in records],
                "first": self._journal.first,
                "last": self._journal.last,
            },
        )


def _check(asked: Since) -> None:
    """:raises Refused: 400; there is no such event, or two ends are asked for."""
    if asked.event and asked.event not in EVENTS:
        raise Refused.because(400, "querystring", "event", str(unknown("event", asked.event, EVENTS)))
    if asked.last is not None and asked.limit is not None:
        why = "this cannot be said beside 'limit'; last counts from the end, limit from the beginning"
        raise Refused.because(400, "querystring", "last", why)
