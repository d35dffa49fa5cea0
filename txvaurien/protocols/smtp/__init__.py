"""smtp: mail (RFC 5321) and its extensions, and LMTP (RFC 2033).

`messages` says what is seen of it, `session` how it is followed, `catalogue`
what can be said in place of the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from txvaurien.model import ErrorKind
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.protocols.smtp.catalogue import CATALOGUE
from txvaurien.protocols.smtp.session import SmtpSession
from txvaurien.proxy import ProxyFactory, ProxyProtocol

__all__ = ["Smtp", "SmtpFactory", "SmtpProtocol"]


class Smtp(WireProtocol, frozen=True, kw_only=True):
    """Mail: SMTP with its extensions, and LMTP."""

    name: ClassVar[str] = "smtp"
    error_kinds: ClassVar[Sequence[ErrorKind]] = tuple(entry.kind for entry in CATALOGUE.values())
    too_many_kind: ClassVar[str] = "connect-unavailable"
    unreachable_kind: ClassVar[str] = "connect-unavailable"

    starttls: Annotated[
        Literal["passthrough", "strip", "terminate"],
        Meta(
            description="passthrough: after STARTTLS the link is passed through unread; strip: the offer"
            " of STARTTLS is taken out of the server's reply to EHLO, so that clients stay readable;"
            " terminate: after STARTTLS the proxy itself speaks TLS, with the client and with the server, and"
            " reads what is said"
        ),
    ] = "passthrough"

    @property
    def begins_tls(self) -> bool:
        """After STARTTLS, if the proxy is to speak TLS then."""
        return self.starttls == "terminate"

    def session(self) -> Session:
        return SmtpSession(strip=self.starttls == "strip", terminate=self.begins_tls)


class SmtpProtocol(ProxyProtocol):
    """The client's end of a link that speaks SMTP."""


class SmtpFactory(ProxyFactory):
    """Serves a proxy in front of a mail server."""

    protocol = SmtpProtocol
    wire: ClassVar[WireProtocol] = Smtp()
