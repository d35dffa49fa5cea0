"""What happens, over HTTP: as JSON, or as a stream of server-sent events.

``GET /events`` takes the query of ``/journal`` (`txvaurien.control.journal`), and answers as that does;
with ``wait=10`` not before there is a record, or 10 seconds are over.

With ``Accept: text/event-stream`` it goes on telling, see `txvaurien.control.streams`. It begins after
``Last-Event-ID``, where there is none after ``since=``, or with the last few (``last=``).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from klein.resource import KleinResource
from msgspec import Meta
from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from txvaurien.control.answers import Problem, Refused
from txvaurien.control.app import new_app
from txvaurien.control.journal import Since, asked_of, bounded, found, say_records
from txvaurien.control.streams import EventStream
from txvaurien.journal import Journal, Record
from txvaurien.options import DAY, SECONDS

#: How many streams there may be at once.
STREAMS = 32

#: In how many seconds whoever is refused because of that may ask again.
_RETRY_AFTER = b"10"

_STREAM_TYPE = "text/event-stream"
_NO_WEIGHT = re.compile(r"q\s*=\s*0(?:\.0{0,3})?")
_LAST_ID = "Last-Event-ID"


class Asked(Since, frozen=True, kw_only=True):
    """Which records are asked for, and how long they may be waited for."""

    last: (
        Annotated[
            int, Meta(ge=0, le=10_000, description="how many at most, the latest; 0 for those to come only")
        ]
        | None
    ) = None
    wait: Annotated[
        float, SECONDS, Meta(ge=0, le=DAY, description="seconds to wait at most, where there is none yet")
    ] = 0.0


class EventsApi:
    """The resource of the events, wherever it is mounted."""

    app = new_app()

    def __init__(self, journal: Journal, clock: IReactorTime) -> None:
        self._journal = journal
        self._clock = clock
        self._streams: set[EventStream] = set()

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    def stop(self) -> None:
        """End all streams."""
        for stream in list(self._streams):
            stream.end()

    @app.route("/", methods=["GET"])
    async def get(self, request: IRequest) -> bytes:
        """What has happened, and what happens: the records of the journal, as JSON or as a stream.

        With ``Accept: text/event-stream`` it is a stream of server-sent events that goes on until one of
        both sides ends it: ``id`` is the record's ``n``, ``event`` its event, ``data`` its JSON. It begins
        after ``Last-Event-ID``, or ``since``, or with the ``last`` few. Records that are gone from memory
        are told as one event ``lost``, with the first and the last of their numbers as ``from`` and ``to``.
        """
        asked = asked_of(request, Asked)
        request.setHeader(b"vary", b"accept")
        if _wants_stream(request):
            return await self._stream(request, asked)
        records = await self._found(asked)
        return say_records(request, self._journal, records)

    async def _found(self, asked: Asked) -> list[Record]:
        """What there is, or what there is after a while."""
        records = found(self._journal, asked)
        until = self._clock.seconds() + asked.wait
        known = max(asked.since, self._journal.last)
        while not records and (left := until - self._clock.seconds()) > 0:
            try:
                await self._journal.when_beyond(known).addTimeout(left, self._clock)
            except TimeoutError:
                break
            # What is known already was not asked for.
            new = [each for each in self._journal.since(known) if asked.takes(each)]
            records = bounded(new, asked)
            known = self._journal.last
        return records

    async def _stream(self, request: IRequest, asked: Asked) -> bytes:
        _check_stream(asked)
        position = self._position(request, asked)
        if request.method == b"HEAD":
            EventStream.head(request)
            return b""
        if len(self._streams) >= STREAMS:
            why = f"there are {STREAMS} streams already; end one, or ask for JSON"
            raise Refused(503, [Problem("server", "", why)], {b"retry-after": _RETRY_AFTER})
        stream = EventStream(request, self._journal, self._clock, asked, position)
        self._streams.add(stream)
        try:
            await stream.run()
        finally:
            self._streams.discard(stream)
        return b""

    def _position(self, request: IRequest, asked: Asked) -> int:
        """The number of the record after which the stream begins."""
        since = _last_id(request)
        if since is None and asked.last is not None:
            records = found(self._journal, asked)
            return records[0].n - 1 if records else self._journal.last
        position = asked.since if since is None else since
        # A number that has not been reached is of another run of the process: all of this one is new.
        return position if position <= self._journal.last else 0


def _wants_stream(request: Any) -> bool:
    """Whether ``Accept`` names the type of streams (RFC 9110, 12.5.1); ``*/*`` is content with JSON."""
    for header in request.requestHeaders.getRawHeaders("accept", []):
        for part in header.split(","):
            kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
            if kind == _STREAM_TYPE:
                return not any(_NO_WEIGHT.fullmatch(each) for each in parameters)
    return False


def _last_id(request: Any) -> int | None:
    """What a client that was here before has seen last."""
    said: str | None = request.requestHeaders.getRawHeaders(_LAST_ID, [None])[-1]
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and len(said) < 20):
        why = f"{said[:40]!r} is not the id of an event; it is a whole number"
        raise Refused.because(400, "header", _LAST_ID, why)
    return int(said)


def _check_stream(asked: Asked) -> None:
    """:raises Refused: 400; what is asked for is for JSON."""
    for name, value in (("limit", asked.limit), ("wait", asked.wait)):
        if value:
            why = f"a stream has no {name}; it goes on until one of both sides ends it"
            raise Refused.because(400, "querystring", name, why)
