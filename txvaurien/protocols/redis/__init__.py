"""redis: RESP2 and RESP3, framed in both directions, with the errors of redis-server.

``resp`` finds where messages end (``runs`` where many small ones do), ``messages`` tells what they say,
``commands`` what the server knows of a command, ``forecast`` and ``matching`` which reply is whose,
``catalogue`` what can be refused where, ``refusing`` how both sides go on in step, ``session`` puts
them together.

With the option ``remap`` clients are told other addresses than the server announces: ``remap`` is the table,
``announced`` knows where addresses stand, ``values`` how to replace them, ``remapping`` is the session.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from txvaurien.model import ErrorKind
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.protocols.redis.catalogue import KINDS
from txvaurien.protocols.redis.remap import Remap
from txvaurien.protocols.redis.remapping import RemappingSession
from txvaurien.protocols.redis.session import RedisSession
from txvaurien.proxy import ProxyFactory, ProxyProtocol


class Redis(WireProtocol, frozen=True, kw_only=True, dict=True):
    """Redis and its kin (Valkey, KeyDB, Dragonfly): any version, RESP2 and RESP3."""

    name: ClassVar[str] = "redis"
    error_kinds: ClassVar[Sequence[ErrorKind]] = KINDS
    too_many_kind: ClassVar[str] = "max-clients"

    remap: Annotated[
        dict[str, str],
        Meta(
            description="what clients are told in place of addresses that a cluster or a sentinel announces:"
            " 10.0.0.1:7000=127.0.0.1:17000,10.0.0.2:7000=127.0.0.1:17001",
            extra={"check": Remap},
        ),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """:raises ConfigError: an address of `remap` is none."""
        _ = self._table

    @functools.cached_property
    def _table(self) -> Remap:
        # One for all links: what it has warned of, it has.
        return Remap(self.remap)

    def session(self) -> Session:
        return RemappingSession(self._table) if self.remap else RedisSession()


class RedisProtocol(ProxyProtocol):
    """The client's end of a link that speaks Redis."""


class RedisFactory(ProxyFactory):
    """Serves a proxy for Redis: ``endpoint.listen(RedisFactory("localhost:6379", plan))``."""

    protocol = RedisProtocol
    wire = Redis()
