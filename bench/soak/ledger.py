"""What one client has seen of one link, in words that a judge understands."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.soak.content import Received, Sent


@dataclass(frozen=True)
class Oddity:
    """Something that does not happen where nothing goes wrong.

    :ivar kind: ``cut``, ``gave up``, ``error``, ``garbled``, ``foreign``, ``short`` or ``stale``.
    :ivar exchange: which exchange of the link, from 1; 0 where that cannot be told.
    """

    kind: str
    exchange: int
    text: str


@dataclass
class Stream:
    """One direction of a link between two ends of ours.

    :ivar upstream: towards the backend.
    :ivar wanted: how it has to end where nothing goes wrong; "" where nobody can tell.
    :ivar ending: how the receiving end saw it end.
    :ivar over: whether the receiving end is done with it.
    """

    upstream: bool
    sent: Sent = field(default_factory=Sent)
    received: Received = field(default_factory=Received)
    wanted: str = ""
    ending: str = ""
    over: bool = False


@dataclass
class Record:
    """One connection of a client.

    :ivar client: host and port that the proxy sees, "" where there was no connection.
    :ivar begun: seconds of the monotonic clock, which is that of the journal as well.
    :ivar sent: bytes given to the socket.
    :ivar whole: whether the client has come to the end of what it had meant to do.
    :ivar rude: the client has cut the link itself, in the middle.
    :ivar answered: the last exchange that has had an answer; 0 where the proxy counts otherwise.
    :ivar refused: those that were answered with an error.
    """

    proxy: str
    token: str
    client: str = ""
    begun: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    sent: int = 0
    received: int = 0
    ending: str = ""
    whole: bool = False
    rude: bool = False
    oddities: list[Oddity] = field(default_factory=list)
    answered: int = 0
    refused: set[int] = field(default_factory=set)
    streams: tuple[Stream, ...] = ()
    #: The server knows whose link it has: until then nothing is to be expected of it.
    known: bool = False

    @property
    def settled(self) -> bool:
        """Whether all ends are done."""
        return not self.known or all(stream.over for stream in self.streams)

    def odd(self, kind: str, text: str, exchange: int = 0) -> None:
        """Note something."""
        self.oddities.append(Oddity(kind, exchange, text))


@dataclass
class Tally:
    """What was done on one proxy: for rates, and for the table at the end."""

    links: int = 0
    requests: int = 0
    bytes: int = 0
    seen: Counter[str] = field(default_factory=Counter)


class Ledger:
    """The records of all clients: those that wait for the journal, and figures of all."""

    def __init__(self) -> None:
        self.waiting: list[Record] = []
        self.tallies: dict[str, Tally] = {}
        self._tokens = itertools.count(1)

    def open(self, proxy: str, token: str = "") -> Record:
        """A client begins."""
        self.tally(proxy).links += 1
        return Record(proxy, token or f"{next(self._tokens):08x}")

    def close(self, record: Record) -> None:
        """The client is done."""
        record.ended = time.monotonic()
        tally = self.tally(record.proxy)
        tally.bytes += record.sent + record.received
        tally.seen.update(each.kind for each in record.oddities)
        self.waiting.append(record)

    def tally(self, proxy: str) -> Tally:
        """The figures of one proxy."""
        return self.tallies.setdefault(proxy, Tally())
