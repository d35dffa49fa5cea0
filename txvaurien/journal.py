"""The journal: what proxies did, to which exchange of which link, and why.

A `Journal` observes proxies. It keeps the last records in memory, for the API,
and gives every record to a `txvaurien.journals.journalfile.JournalFile`, if it has one.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txvaurien import __version__
from txvaurien.options import plain_values
from txvaurien.planning.faults import describe_plan
from txvaurien.planning.seeds import new_seed

if TYPE_CHECKING:
    from txvaurien.journals.journalfile import JournalFile
    from txvaurien.proxy import Proxy

#: The version of the format, which the first line of each file says.
FORMAT = 1

#: What records can be of; docs/journal.md tells of each. What stands only in files is not among them.
EVENTS = (
    "created",
    "removed",
    "listen",
    "link-opened",
    "turned-away",
    "link-closed",
    "plan",
    "fired",
    "acted",
    "misfired",
    "broken",
    "expired",
    "toxic",
    "capped",
    "opaque",
    "handshake-failed",
    "backend-refused",
    "silent",
    "idle",
    "action",
    "scenario",
    "backend",
    "worker-died",
    "events-lost",
    "killed",
)

_EPOCH = datetime(1970, 1, 1)

_Observer = Callable[[str, int, dict[str, Any]], None]


class Record:
    """One event. `fields` are plain JSON values, by the names that docs/journal.md lists.

    :param n: counts from 1, over all proxies of the process.
    :param wall: seconds since the epoch.
    :param clock: seconds of a monotonic clock, for differences.
    :param link: the number of the link, 0 for what concerns none or all.
    """

    __slots__ = ("clock", "event", "fields", "link", "n", "proxy", "wall")

    def __init__(
        self, n: int, wall: float, clock: float, proxy: str, event: str, link: int, fields: dict[str, Any]
    ) -> None:
        self.n = n
        self.wall = wall
        self.clock = clock
        self.proxy = proxy
        self.event = event
        self.link = link
        self.fields = fields

    def as_json(self) -> dict[str, Any]:
        """A flat object: ``n``, ``time``, ``clock``, ``proxy``, ``event``, ``link`` (if any), the fields."""
        head = {
            "n": self.n,
            "time": iso_time(self.wall),
            "clock": round(self.clock, 6),
            "proxy": self.proxy,
            "event": self.event,
        }
        if self.link:
            head["link"] = self.link
        return head | self.fields

    def is_about(self, proxy: str, event: str, link: int) -> bool:
        """Whether it is of this proxy, event and link, of which any may be left open (empty, 0)."""
        return (
            (not proxy or self.proxy == proxy)
            and (not event or self.event == event)
            and (not link or self.link == link)
        )


class Journal:
    """Keeps the last records of all proxies that it is attached to.

    :param clock: tells those who wait for new records, in a turn of their own.
    :param size: how many records are kept in memory.
    :param wall: seconds since the epoch.
    :param monotonic: seconds that never go back.
    :param file: gets every record, too. Whoever made it starts and stops it.
    """

    def __init__(
        self,
        clock: IReactorTime,
        size: int = 10_000,
        wall: Callable[[], float] = time.time,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        file: JournalFile | None = None,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._monotonic = monotonic
        self._file = file
        self._records: deque[Record] = deque(maxlen=size)
        self._observers: dict[Proxy, _Observer] = {}
        #: The number of the last record, 0 before the first.
        self.last = 0
        self._waiting: list[tuple[int, Deferred[int]]] = []
        self._telling: IDelayedCall | None = None
        if file is not None:
            file.head("", encode(self._first_line()))

    def attach(self, proxy: Proxy, listen: str = "") -> None:
        """Record what this proxy does, from now on.

        :param listen: where it listens, as users write it; for the file.
        """

        def observe(event: str, link: int, fields: dict[str, Any]) -> None:
            self.record(proxy.name, event, link, fields)
            if self._file is not None and event in ("plan", "backend"):
                self._file.head(proxy.name, encode(self._proxy_line(proxy, listen)))

        self._observers[proxy] = observe
        proxy.observers.append(observe)
        if self._file is not None:
            line = encode(self._proxy_line(proxy, listen))
            self._file.head(proxy.name, line)
            self._file.put(line)

    def detach(self, proxy: Proxy) -> None:
        """Record nothing more of this proxy."""
        proxy.observers.remove(self._observers.pop(proxy))
        if self._file is not None:
            self._file.head(proxy.name, b"")

    def record(self, proxy: str, event: str, link: int, fields: dict[str, Any]) -> None:
        """Keep one event. Never raises, whatever is in the fields."""
        self.last += 1
        record = Record(self.last, self._wall(), self._monotonic(), proxy, event, link, fields)
        self._records.append(record)
        if self._file is not None:
            # Here rather than in the file's thread: that was measured, and costs the reactor less.
            self._file.put(encode(record.as_json()))
        if self._waiting and self._telling is None:
            self._telling = self._clock.callLater(0, self._tell)

    @property
    def first(self) -> int:
        """The number of the oldest record that is still here; `last` + 1 if there is none."""
        return self._records[0].n if self._records else self.last + 1

    def since(
        self, last: int = 0, *, proxy: str = "", event: str = "", link: int = 0, limit: int | None = None
    ) -> list[Record]:
        """The records after number `last`, oldest first; filters that are empty or 0 let all pass.

        :param limit: how many at most, the oldest of them.
        """
        found: list[Record] = []
        for record in reversed(self._records):
            if record.n <= last:
                break
            if record.is_about(proxy, event, link):
                found.append(record)
        found.reverse()
        return found[:limit]

    def after(self, last: int, count: int) -> list[Record]:
        """The next `count` records after number `last`, as far as they are here, of every kind.

        It takes no longer where many records are here.
        """
        start = max(0, last + 1 - self.first)
        records = self._records
        return [records[place] for place in range(start, min(start + count, len(records)))]

    def when_beyond(self, last: int) -> Deferred[int]:
        """Fires with the number of the last record as soon as that is beyond `last`. May be cancelled.

        It fires in a turn of the reactor's own, never in the middle of traffic.
        """
        waiting: Deferred[int] = Deferred(lambda deferred: self._waiting.remove((last, deferred)))
        self._waiting.append((last, waiting))
        if self.last > last and self._telling is None:
            self._telling = self._clock.callLater(0, self._tell)
        return waiting

    def _tell(self) -> None:
        self._telling = None
        for each in [each for each in self._waiting if each[0] < self.last]:
            # One of those told before may have cancelled it.
            if each in self._waiting:
                self._waiting.remove(each)
                each[1].callback(self.last)

    # The head of a file.

    def _first_line(self) -> dict[str, Any]:
        return {
            "event": "journal",
            "format": FORMAT,
            "txvaurien": __version__,
            "run": f"{new_seed():08x}",
            "time": iso_time(self._wall()),
            "clock": round(self._monotonic(), 6),
        }

    def _proxy_line(self, proxy: Proxy, listen: str) -> dict[str, Any]:
        """Everything that a replay has to know of a proxy."""
        return {
            "event": "proxy",
            "proxy": proxy.name,
            "listen": listen,
            "backend": proxy.backend.text,
            "protocol": proxy.protocol.name,
            "options": plain_values(proxy.protocol),
            "seed": proxy.seed,
            "plan": describe_plan(proxy.plan),
        }


def iso_time(wall: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, with microseconds."""
    # Half of what a record costs; without a time zone it costs the least.
    return (_EPOCH + timedelta(seconds=wall)).isoformat("T", "microseconds") + "Z"


def encode(value: dict[str, Any]) -> bytes:
    """A line of JSON without its end. What JSON has no form for is replaced, and nothing is raised."""
    try:
        return msgspec.json.encode(value)
    except Exception:
        return json.dumps(_sayable(value, 0)).encode()


#: How deep values are followed that msgspec would not take.
_DEPTH = 20


def _sayable(value: Any, depth: int) -> Any:
    """A value that JSON has a form for. Of anything else only its type is shown: it may hold a secret."""
    try:
        return _said(value, depth)
    except Exception:
        return f"({type(value).__name__})"


def _said(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if depth < _DEPTH and isinstance(value, dict):
        return {str(name): _sayable(each, depth + 1) for name, each in value.items()}
    if depth < _DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_sayable(each, depth + 1) for each in value]
    raise TypeError
