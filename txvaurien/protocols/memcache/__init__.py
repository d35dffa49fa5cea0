"""memcache: the text protocol with its meta commands, and the binary protocol.

Which of the two a client speaks is seen from its first byte, as memcached itself does it:
0x80 begins a binary request, anything else is text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.errors import NotLegal
from txvaurien.model import Connect, Direction, ErrorKind, Exchange, Frame, Refusal, Then
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.protocols.memcache.binary import REQUEST, STATUSES, BinaryDialect
from txvaurien.protocols.memcache.catalogue import (
    ERROR_KINDS,
    TOO_MANY,
    TOO_MANY_LINE,
    answer,
    closes,
    sayable,
)
from txvaurien.protocols.memcache.dialect import Dialect
from txvaurien.protocols.memcache.text import TextDialect
from txvaurien.protocols.memcache.words import Unsayable
from txvaurien.proxy import ProxyFactory, ProxyProtocol

#: What a reply begins with when there is no such item, or it is not as the request wants it.
_MISSES = frozenset({"NOT_FOUND", "NOT_STORED", "EXISTS", "END", "EN", "NF", "NS", "EX"})

#: The first words of errors in text, and the statuses of the binary protocol that are errors.
_ERRORS = frozenset(
    {"ERROR", "CLIENT_ERROR", "SERVER_ERROR", "BUSY", "BADCLASS", "NOSPARE", "NOTFULL", "UNSAFE", "SAME"}
    | {name for code, name in STATUSES.items() if code >= 0x80}
    | {"TOO_LARGE", "INVALID", "NON_NUMERIC", "AUTH_ERROR"}
)


class MemcacheSession(Session):
    """The state of one link. Until the client has spoken, what the server says is text.

    :param login: see `Memcache.login`.
    """

    def __init__(self, *, login: bool = False) -> None:
        self._dialect: Dialect = TextDialect(login=login)
        self._detected = False

    def receive(self, direction: Direction, data: bytes) -> Iterable[Frame]:
        if not self._detected and direction is Direction.TO_BACKEND and data:
            self._detect(data)
        if self.edits:
            self.edits = self._dialect.nudged > 0
        return self._dialect.receive(direction, data)

    def _detect(self, data: bytes) -> None:
        self._detected = True
        if data[0] == REQUEST:
            said = self._dialect.rest(Direction.TO_CLIENT)
            self._dialect = BinaryDialect()
            self._dialect.said.feed(said)

    def finish(self, direction: Direction) -> Iterator[Frame]:
        return self._dialect.finish(direction)

    def rest(self, direction: Direction) -> bytes:
        return self._dialect.rest(direction)

    def legal(self, exchange: Exchange) -> Sequence[str]:
        if isinstance(exchange.request, Connect):
            return [TOO_MANY]
        return sayable(exchange)

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        if isinstance(exchange.request, Connect):
            if kind != TOO_MANY:
                raise NotLegal(f"memcached does not say {kind} on connect")
            return Refusal(TOO_MANY_LINE, then=Then.CLOSE)
        try:
            said = answer(exchange, kind, text)
        except Unsayable:
            raise NotLegal(f"memcached does not say {kind} to {exchange.message.verb}") from None
        if not exchange.sent:
            self._dialect.withdraw(exchange)
        told = self._nudge(exchange) if said else b""
        return Refusal(said, told, Then.CLOSE if closes(exchange, kind) else Then.KEEP)

    def withdraw(self, exchange: Exchange) -> bytes | None:
        self._dialect.withdraw(exchange)
        return self._nudge(exchange) or None

    def _nudge(self, exchange: Exchange) -> bytes:
        told = self._dialect.nudge(exchange)
        # The answer to it must not get to the client, so nothing may be sent on unframed.
        self.edits = self.edits or bool(told)
        return told


class Memcache(WireProtocol, frozen=True, kw_only=True):
    """memcached: the text protocol with its meta commands, and the binary protocol."""

    name: ClassVar[str] = "memcache"
    error_kinds: ClassVar[Sequence[ErrorKind]] = ERROR_KINDS
    too_many_kind: ClassVar[str] = TOO_MANY

    login: Annotated[
        bool, Meta(description="the server wants a name and a password as the first set (memcached -Y)")
    ] = False

    def status_class(self, status: str) -> str:
        """``miss`` where there is no such item, or not as the request wants it; else ``ok`` or ``error``."""
        if status in _MISSES:
            return "miss"
        return "error" if status in _ERRORS or status.startswith("0x") else "ok"

    def session(self) -> MemcacheSession:
        """A new session."""
        return MemcacheSession(login=self.login)


class MemcacheProtocol(ProxyProtocol):
    """The client's end of a link that speaks memcache."""


class MemcacheFactory(ProxyFactory):
    """Listen with this to have a memcache proxy in a service of your own."""

    protocol = MemcacheProtocol
    wire: ClassVar[WireProtocol] = Memcache()
