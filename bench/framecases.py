"""What `bench.framers` feeds to the sessions: the samples of the tests, one message a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.http import Http
from txvaurien.protocols.memcache import Memcache
from txvaurien.protocols.mysql import MySQL
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.tcp import Tcp
from txvaurien.test import http_samples, memcache_samples, mysql_samples, redis_samples, smtp_samples
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Step

#: Bytes of one read of a busy link, and how many of them make a large body.
PIECE = 65536
PIECES = 256


@dataclass(frozen=True)
class Case:
    """A conversation that is had over and over on one link, after `start`."""

    protocol: WireProtocol
    what: str
    repeated: Conversation
    start: Conversation = ()

    @property
    def size(self) -> int:
        """Bytes of a step, on average."""
        return sum(len(data) for _, data in self.repeated) // len(self.repeated)


def cases() -> Iterator[Case]:
    """Small messages of every protocol, a large reply of some, and pipelining."""
    yield Case(Tcp(), "PING", redis_samples.PROBE)
    yield from _redis()
    yield Case(Http(), "GET", http_samples.PROBE)
    yield Case(Http(), "GET, other heads each time", list(_other_heads()))
    yield Case(Http(), "body", _large(http_samples.GET, http_samples.sized("200 OK", b"x" * PIECE * PIECES)))
    yield Case(Memcache(), "get", memcache_samples.TEXT["get"])
    yield Case(Memcache(), "set", memcache_samples.TEXT["set"])
    yield Case(Memcache(), "binary no-op", memcache_samples.BINARY_PROBE)
    logged_in = mysql_samples.opened()
    yield Case(MySQL(), "ping", mysql_samples.PING, logged_in)
    yield Case(MySQL(), "SELECT of three rows", mysql_samples.QUERIES[:2], logged_in)
    mail = (TO_BACKEND, smtp_samples.STUFFED), smtp_samples.QUEUED
    envelope = (*smtp_samples.ENVELOPE, smtp_samples.DATA, smtp_samples.GO_AHEAD)
    yield Case(Smtp(), "mail", (*envelope, *mail), smtp_samples.START)


def _redis() -> Iterator[Case]:
    get, value = redis_samples.cmd("GET key"), redis_samples.bulk("value")
    yield Case(Redis(), "GET", [(TO_BACKEND, get), (TO_CLIENT, value)])
    yield Case(Redis(), "16 GET in one", [(TO_BACKEND, get * 16), (TO_CLIENT, value * 16)])
    yield Case(Redis(), "large value", _large(get, redis_samples.bulk(b"x" * PIECE * PIECES)))


def _other_heads() -> Iterator[Step]:
    """Requests and replies none of which has the head of the one before."""
    for number in range(10):
        yield TO_BACKEND, http_samples.request(f"GET /items/{number}", "Accept: */*", "Cookie: a=b")
        yield TO_CLIENT, http_samples.sized("200 OK", b"x" * (600 + number), "Content-Type: text/html")


def _large(request: bytes, reply: bytes) -> Conversation:
    """The reply in pieces, as a busy link reads them."""
    pieces = [reply[begin : begin + PIECE] for begin in range(0, len(reply), PIECE)]
    return [(TO_BACKEND, request), *((TO_CLIENT, piece) for piece in pieces)]
