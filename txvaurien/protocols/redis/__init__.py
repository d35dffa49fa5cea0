"""redis: RESP2 and RESP3, framed in both directions, with the errors of redis-server.

``resp`` finds where messages end (``runs`` where many small ones do), ``messages`` tells what they say,
``commands`` what the server knows of a command, ``forecast`` and ``matching`` which reply is whose,
``catalogue`` what can be refused where, ``refusing`` how both sides go on in step, ``session`` puts
them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from txvaurien.model import ErrorKind
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.protocols.redis.catalogue import KINDS
from txvaurien.protocols.redis.session import RedisSession
from txvaurien.proxy import ProxyFactory, ProxyProtocol


class Redis(WireProtocol, frozen=True, kw_only=True):
    """Redis and its kin (Valkey, KeyDB, Dragonfly): any version, RESP2 and RESP3."""

    name: ClassVar[str] = "redis"
    error_kinds: ClassVar[Sequence[ErrorKind]] = KINDS
    too_many_kind: ClassVar[str] = "max-clients"

    def session(self) -> Session:
        return RedisSession()


class RedisProtocol(ProxyProtocol):
    """The client's end of a link that speaks Redis."""


class RedisFactory(ProxyFactory):
    """Serves a proxy for Redis: ``endpoint.listen(RedisFactory("localhost:6379", plan))``."""

    protocol = RedisProtocol
    wire = Redis()
