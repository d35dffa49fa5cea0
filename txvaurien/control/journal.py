"""The journal over HTTP.

``GET /journal?since=N&limit=100`` answers with the records after number N, the oldest first:
``{"records": [...], "first": 1, "last": 250}``. `first` and `last` are the numbers of all that are still
in memory: where `first` is more than N + 1, the ones between are gone. ``event=``, ``link=`` and
``proxy=`` leave out all others. ``last=100`` instead of ``limit=`` asks for the last 100 of them.

``GET /events`` (`txvaurien.control.events`) answers the same, and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, TypeVar

from klein.resource import KleinResource
from msgspec import Meta
from twisted.web.iweb import IRequest

from txvaurien.control.answers import Refused, answer_with
from txvaurien.control.app import new_app, query_of
from txvaurien.journal import EVENTS, Journal, Record, encode
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

    def takes(self, record: Record) -> bool:
        """Whether it is of the proxy, the event and the link that are asked for."""
        return record.is_about(self.proxy, self.event, self.link)


SinceT = TypeVar("SinceT", bound=Since)


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
        """What has happened: the records that are in memory, the oldest first."""
        asked = asked_of(request, Since)
        return say_records(request, self._journal, found(self._journal, asked))


def asked_of(request: IRequest, declared: type[SinceT]) -> SinceT:
    """Which records a request is for.

    :raises Refused: 400; there is no such event, or two ends are asked for.
    """
    asked = query_of(request, declared)
    if asked.event and asked.event not in EVENTS:
        raise Refused.because(400, "querystring", "event", str(unknown("event", asked.event, EVENTS)))
    if asked.last is not None and asked.limit is not None:
        why = "this cannot be said beside 'limit'; last counts from the end, limit from the beginning"
        raise Refused.because(400, "querystring", "last", why)
    return asked


def found(journal: Journal, asked: Since) -> list[Record]:
    """The records that are asked for, the oldest first."""
    records = journal.since(asked.since, proxy=asked.proxy, event=asked.event, link=asked.link)
    return [] if asked.last == 0 else bounded(records, asked)


def bounded(records: list[Record], asked: Since) -> list[Record]:
    """No more than are asked for: the first of them, or the last."""
    return records[-asked.last :] if asked.last else records[: asked.limit or _LIMIT]


def say_records(request: IRequest, journal: Journal, records: Sequence[Record]) -> bytes:
    """Answer with records, and with the numbers of all that there are."""
    request.setResponseCode(200)
    lines = b",".join(encode(each.as_json()) for each in records)
    body = b'{"records": [%s], "first": %d, "last": %d}\n' % (lines, journal.first, journal.last)
    return answer_with(request, body)
