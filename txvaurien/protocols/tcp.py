"""tcp: any service. An exchange is a turn (`txvaurien.protocols.opaque`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from txvaurien.errors import NotLegal
from txvaurien.model import Connect, ErrorKind, Exchange, Refusal, Then, Where
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.protocols.opaque import OpaqueSession
from txvaurien.proxy import ProxyFactory, ProxyProtocol


class TcpSession(OpaqueSession):
    """Turns, and the errors of the network."""

    def legal(self, exchange: Exchange) -> Sequence[str]:
        if isinstance(exchange.request, Connect):
            return ()
        return [kind.name for kind in Tcp.error_kinds]

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        if kind not in self.legal(exchange):
            raise NotLegal(f"tcp has no error {kind!r}")
        if not exchange.sent:
            self.withdraw(exchange)
        return Refusal(b"", then=Then.RESET if kind == "reset" else Then.CLOSE)


class Tcp(WireProtocol, frozen=True, kw_only=True):
    """Any TCP service: bytes are passed on as they are."""

    name: ClassVar[str] = "tcp"
    verbs: ClassVar[Sequence[str]] = ("CONNECT", "GREET", "SAY")
    error_kinds: ClassVar[Sequence[ErrorKind]] = (
        ErrorKind("reset", Where.COMMAND, "the connection is reset (RST)"),
        ErrorKind("closed", Where.COMMAND, "the connection is closed (FIN)"),
    )

    def session(self) -> Session:
        return TcpSession()


class TcpProtocol(ProxyProtocol):
    """The client's end of a link that carries any protocol."""


class TcpFactory(ProxyFactory):
    """A proxy for any protocol, for any endpoint."""

    protocol = TcpProtocol
    wire = Tcp()
