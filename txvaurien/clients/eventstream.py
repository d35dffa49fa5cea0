"""Server-sent events, as the control server sends them: reading them, and a blocking stream of them.

The form is that of the WHATWG's HTML standard, section 9.2 "Server-sent events". Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlencode

from txvaurien.clients.vocabulary import Call, Fields, VaurienError

EVENTS = "/events"

#: How many records are asked for at once, where there is no stream.
PAGE = 1000

#: After how many seconds without a word a stream is taken for dead: the server's heartbeat, three times.
SILENCE = 45.0

#: What is sent to get a stream.
STREAM_HEADERS: Mapping[str, str] = {"Accept": "text/event-stream", "Cache-Control": "no-store"}

_CHUNK = 65536


class EventParser:
    """Makes records of the bytes of a stream, whichever way they are split.

    :ivar last: the number of the last record that the server has come to.
    """

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self._line: list[bytes] = []
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> list[Fields]:
        """The records that these bytes complete.

        :raises ValueError: the data is no JSON object.
        """
        first, *others = received.replace(b"\r", b"").split(b"\n")
        self._line.append(first)
        records: list[Fields] = []
        for piece in others:
            line, self._line = b"".join(self._line), [piece]
            if line:
                self._field(line)
            elif self._data:
                records.append(self._record())
        return records

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id" and value.isdigit():
            self.last = int(value)

    def _record(self) -> Fields:
        text, self._data = b"\n".join(self._data), []
        record = json.loads(text)
        if not isinstance(record, dict):
            raise ValueError("not an object")
        return record


class Events(Iterator[Fields]):
    """Records, one by one. To be closed, or used in a ``with`` block, if it is left before its end."""

    def __init__(self, records: Iterator[Fields], close: Callable[[], None]) -> None:
        self._records = records
        self._close = close

    def __next__(self) -> Fields:
        return next(self._records)

    def close(self) -> None:
        """Ask for no more."""
        self._close()
        self._records = iter(())

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def get_events(since: int, filters: Mapping[str, object]) -> Call[list[Fields]]:
    """The records after number `since`; without ``last`` and ``limit`` the first `PAGE` of them."""
    return Call("GET", events_path(since, filters), lambda said: list(said["records"]))


def events_path(since: int, filters: Mapping[str, object]) -> str:
    """The path, with what is asked for."""
    return f"{EVENTS}?{urlencode({'since': since, **filters})}"


def pages(
    carry: Callable[[Call[list[Fields]]], list[Fields]], since: int, filters: Mapping[str, object]
) -> Iterator[Fields]:
    """All records that are there."""
    while True:
        page = carry(get_events(since, filters))
        yield from page
        if is_last_page(page, filters):
            return
        since = int(page[-1]["n"])


def is_last_page(page: list[Fields], filters: Mapping[str, object]) -> bool:
    """Whether there is no more to be asked for."""
    return len(page) < PAGE or "last" in filters or "limit" in filters


def open_stream(connection: HTTPConnection, path: str, headers: Mapping[str, str], server: str) -> Events:
    """Begin to follow.

    :param connection: has a timeout of at least `SILENCE`.
    :param server: its URL, for errors.
    :raises VaurienError: the server refuses.
    :raises OSError: it cannot be reached.
    :raises HTTPException: it speaks something else.
    """
    try:
        connection.request("GET", path, headers={**headers, **STREAM_HEADERS})
        response = connection.getresponse()
        if not is_stream(response.status, response.getheader("Content-Type", "")):
            refuse(path, response.status, response.read(), server)
    except BaseException:
        connection.close()
        raise
    return Events(_following(connection, response, server), connection.close)


def is_stream(status: int, kind: str) -> bool:
    """Whether an answer of this status and content type is a stream."""
    return status == 200 and kind.startswith("text/event-stream")


def refuse(path: str, status: int, body: bytes, server: str) -> None:
    """:raises VaurienError: with the reason for which the server refused; or it is no control server."""
    Call("GET", path, _no_stream).answer(status, body, server)


def _no_stream(said: object) -> None:
    raise TypeError


def _following(connection: HTTPConnection, response: HTTPResponse, server: str) -> Iterator[Fields]:
    parser = EventParser()
    try:
        for received in _chunks(response):
            yield from parser.feed(received)
    except (OSError, HTTPException, ValueError) as error:
        raise broken_off(server, parser.last, error) from error
    finally:
        connection.close()


def _chunks(response: HTTPResponse) -> Iterable[bytes]:
    return iter(lambda: response.read1(_CHUNK), b"")


def broken_off(server: str, last: int, error: object) -> VaurienError:
    """The error for a stream that ended out of turn.

    :param last: the number of the last record that is known.
    """
    why = str(error).rstrip(".") or type(error).__name__
    return VaurienError(f"the events of {server} broke off ({why}); go on with since={last}")
