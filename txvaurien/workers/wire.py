"""What the master process and a worker say to each other: JSON objects, one a line.

The first thing that a worker is told is `Begin`. All that it is told is done in its
order, so what has been answered after it (`Sync`, `Done`) has taken effect.
"""

from __future__ import annotations

import struct
from typing import Any, Literal

import msgspec

from txvaurien import journal
from txvaurien.metrics.figures import Figures
from txvaurien.net.reach import Said

#: Nothing; connects to the backend; exchanges, too.
Noting = Literal["nothing", "connects", "exchanges"]


#: The events after which a link is no more: the master counts those that are left.
ENDS = frozenset({"link-closed", "turned-away"})


class Begin(msgspec.Struct, tag="begin"):
    """All that a worker has to know.

    :param worker: its number, from 0.
    :param classes: for each group of plug-ins, the place of each class (``module:Class``) by its name.
    :param protocol: its name; `protocol_options` are by attribute name.
    :param options: what `txvaurien.proxy.Proxy` takes by keyword.
    :param ends: what `txvaurien.net.ends.Ends` has, by attribute name.
    :param authority: the certificate and the key of the authority of ``--tls auto``, where TLS is spoken.
    :param log_level: the name of the least level that is passed on, as Twisted has it.
    """

    worker: int
    name: str
    classes: dict[str, dict[str, str]]
    protocol: str
    protocol_options: dict[str, Any]
    backend: str
    options: dict[str, Any]
    log_level: str
    plan: SetPlan
    actions: list[dict[str, Any]]
    reach: Said | None = None
    ends: dict[str, Any] = {}
    authority: bytes | None = None
    #: What the metrics want to be noted.
    noting: Noting = "nothing"


class Placed(msgspec.Struct):
    """A rule or a toxic: `said` is its JSON. What has the same `number` as before is the same object."""

    number: int
    said: dict[str, Any]
    expired: bool = False


class Part(msgspec.Struct):
    """A share of the mix, its rule in the same form."""

    percent: float
    rule: Placed


class SetPlan(msgspec.Struct, tag="plan"):
    """Follow this plan. The number of a rule is its slot in the shared memory."""

    seed: int
    mix: list[Part]
    rules: list[Placed]
    toxics: list[Placed]


class Expire(msgspec.Struct, tag="expire"):
    """The time of a rule is over."""

    number: int


class SetBackend(msgspec.Struct, tag="backend"):
    """Connect new links to another backend.

    :param reach: what that may lead to; None for anything.
    """

    backend: str
    reach: Said | None = None


class Kill(msgspec.Struct, tag="kill"):
    """End one link, or all, as `txvaurien.proxy.Proxy.kill` does."""

    how: str
    link: int | None = None


class Act(msgspec.Struct, tag="act"):
    """Begin an action that is about links, or end it."""

    action: dict[str, Any]
    on: bool


class Sync(msgspec.Struct, tag="sync"):
    """Answer with `Done`.

    :param links: whether to say which links there are.
    :param link: only this one; None for all.
    :param figures: whether to say what the metrics want to know.
    """

    number: int
    links: bool = False
    link: int | None = None
    figures: bool = False


class Stop(msgspec.Struct, tag="stop"):
    """End all links, then the process."""


Order = Begin | SetPlan | Expire | SetBackend | Kill | Act | Sync | Stop


class Ready(msgspec.Struct, tag="ready"):
    """The worker can serve links."""


class Done(msgspec.Struct, tag="done"):
    """All that was said before `Sync` has taken effect."""

    number: int
    links: list[dict[str, Any]] = []
    figures: Figures | None = None


class Event(msgspec.Struct, tag="event"):
    """Something happened to a link that the journal tells of."""

    event: str
    link: int
    fields: dict[str, Any]


class Gone(msgspec.Struct, tag="gone"):
    """A client had left before it could be served."""

    link: int


class Dropped(msgspec.Struct, tag="dropped"):
    """So many events could not be told of: the master did not take them fast enough."""

    count: int


class Logged(msgspec.Struct, tag="log"):
    """A line for the log."""

    level: str
    namespace: str
    text: str


Report = Ready | Done | Event | Gone | Dropped | Logged

#: The datagram that comes with the socket of a client: the number of its link, its address family.
CLIENT = struct.Struct("!QB")

#: The descriptors of a worker: orders, reports, sockets of clients, the shared memory.
ORDERS, REPORTS, CLIENTS, MEMORY = range(3, 7)

_encoder = msgspec.json.Encoder()
_orders = msgspec.json.Decoder(Order)
_reports = msgspec.json.Decoder(Report)


def encode(said: Order | Report) -> bytes:
    """One line."""
    return _encoder.encode(said) + b"\n"


def encode_event(event: str, link: int, fields: dict[str, Any]) -> bytes:
    """An `Event`, whatever is in its fields: it is told to a journal, which takes everything."""
    try:
        return encode(Event(event, link, fields))
    except Exception:  # of msgspec, or of what a behavior has put there
        return encode(Event(event, link, msgspec.json.decode(journal.encode(fields))))


def order(line: bytes) -> Order:
    """What the master said."""
    decoded: Order = _orders.decode(line)
    return decoded


def report(line: bytes) -> Report:
    """What a worker said."""
    decoded: Report = _reports.decode(line)
    return decoded


class Lines:
    """Puts lines together from pieces of any size."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`, without their ends."""
        *ended, rest = data.split(b"\n")
        if ended:
            ended[0] = b"".join((*self._pieces, ended[0]))
            self._pieces.clear()
        if rest:
            self._pieces.append(rest)
        return ended
