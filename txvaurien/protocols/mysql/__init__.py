"""mysql: the client/server protocol of MySQL and MariaDB.

Where to look: `session` (whose turn it is), `answers` (how replies go on), `stream` and
`compressed` (packets), `messages` (what rules see), `catalogue` and `refusals` (errors),
`statements` (prepared statements).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from txvaurien.model import ErrorKind
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.protocols.mysql.catalogue import KINDS
from txvaurien.protocols.mysql.session import MySQLSession
from txvaurien.proxy import ProxyFactory, ProxyProtocol


class MySQL(WireProtocol, frozen=True, kw_only=True):
    """MySQL and MariaDB: statements, prepared statements, transactions."""

    name: ClassVar[str] = "mysql"
    error_kinds: ClassVar[Sequence[ErrorKind]] = KINDS
    too_many_kind: ClassVar[str] = "too-many-connections"
    tls_advice: ClassVar[str] = (
        "clients of MySQL wait for the server's greeting before they begin TLS:"
        " add --protocol-mysql-tls terminate"
    )

    tls: Annotated[
        Literal["passthrough", "strip", "terminate"],
        Meta(
            description="passthrough: once the client asks for TLS the link is passed on unread;"
            " strip: the server's offer of TLS is taken out of its greeting;"
            " terminate: the proxy itself speaks TLS, with the client and with the server, and reads what"
            " is said"
        ),
    ] = "passthrough"
    compression: Annotated[
        Literal["framed", "strip"],
        Meta(
            description="framed: the compressed protocol is read as well;"
            " strip: the server's offer of it is taken out of its greeting"
        ),
    ] = "framed"

    @property
    def begins_tls(self) -> bool:
        """Where the client asks for TLS, if the proxy is to speak it."""
        return self.tls == "terminate"

    def status_class(self, status: str) -> str:
        """``error`` for the number of one; ``ok`` for OK and for what a server asks."""
        return "error" if status.isdecimal() else "ok"

    def session(self) -> Session:
        return MySQLSession(self)


class MySQLProtocol(ProxyProtocol):
    """The client's end of a link that speaks MySQL."""


class MySQLFactory(ProxyFactory):
    """Serves a proxy for MySQL: ``endpoint.listen(MySQLFactory("localhost:3306", plan))``."""

    protocol = MySQLProtocol
    wire = MySQL()
