"""Servers that speak TLS from the first byte on: whether, which version, and with which certificate."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from cryptography import x509

from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.reaching import Way
from txvaurien.process.definition import Definition
from txvaurien.tls.profile import names_of

#: A certificate that ends within so many days is worth a word.
SOON = 7

#: What OpenSSL says of servers that do speak TLS, but not with us; besides there are their alerts.
_TLS_ALL_THE_SAME = frozenset(
    {
        "BAD_SIGNATURE",
        "DH_KEY_TOO_SMALL",
        "EE_KEY_TOO_SMALL",
        "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_CIPHER_RETURNED",
        "WRONG_SIGNATURE_TYPE",
    }
)


@dataclass(frozen=True)
class Certified:
    """What a server shows of itself.

    :param version: the version of TLS, such as ``TLSv1.3``.
    :param names: what its certificate is for.
    :param until: when that ends.
    :param distrust: why the certificate would not be accepted; ``""`` if it would.
    """

    version: str
    names: tuple[str, ...]
    until: datetime
    distrust: str = ""

    @property
    def days(self) -> int:
        """How many days it is good for."""
        return (self.until - datetime.now(timezone.utc)).days


@dataclass(frozen=True)
class Terms:
    """How a proxy speaks TLS with its backend.

    :param name: what the certificate has to be for, and SNI asks for; ``""`` for a server without a name.
    :param verify: whether it insists on a good certificate.
    :param ca: a file or a directory with the authorities that it trusts; None for those of the system.
    :param cert: a file with the certificate that it shows itself, `key` its key.
    """

    name: str = ""
    verify: bool = True
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @classmethod
    def of(cls, definition: Definition) -> Terms:
        """Those of a proxy: what its backend says beats its options."""
        said, ends = definition.backend.tls, definition.ends
        own = (ends.backend_tls_cert, ends.backend_tls_key)
        if said is None:
            return cls(definition.backend.named_host, ends.backend_tls_verify, ends.backend_tls_ca, *own)
        own = (said.cert, said.key) if said.cert else own
        verify = ends.backend_tls_verify if said.verify is None else said.verify
        return cls(said.name, verify, said.ca or ends.backend_tls_ca, *own)

    def with_whomever(self) -> ssl.SSLContext:
        """TLS in which nothing of the server is verified; what is asked then is what it is.

        :raises OSError: one of the files cannot be read, or is of another kind.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return self._showing(context)

    def trusting(self) -> ssl.SSLContext:
        """TLS in which the server has to satisfy.

        :raises OSError: one of the files cannot be read, or is of another kind.
        """
        folder = self.ca is not None and os.path.isdir(self.ca)
        context = ssl.create_default_context(
            cafile=None if folder else self.ca, capath=self.ca if folder else None
        )
        return self._showing(context)

    def _showing(self, context: ssl.SSLContext) -> ssl.SSLContext:
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context


def offers_tls(way: Way, limit: float) -> bool:
    """Whether there is TLS. An alert is TLS as well."""
    del limit
    try:
        replace(way, context=Terms().with_whomever()).connect().close()
    except ssl.SSLError as error:
        reason = error.reason or ""
        return "ALERT" in reason or reason in _TLS_ALL_THE_SAME
    except OSError:
        return False
    return True


def certified(way: Way, terms: Terms) -> Certified:
    """What the server shows.

    :param way: the one to the server, without TLS.
    :raises OSError: TLS does not come about.
    :raises ValueError: what it shows is no certificate.
    """
    way = replace(way, name=terms.name)
    with replace(way, context=terms.with_whomever()).connect() as sock:
        assert isinstance(sock, ssl.SSLSocket)
        version, der = sock.version() or "TLS", sock.getpeercert(binary_form=True) or b""
    certificate = x509.load_der_x509_certificate(der)
    until = certificate.not_valid_after_utc
    return Certified(version, tuple(names_of(certificate)), until, _distrust(way, terms))


def _distrust(way: Way, terms: Terms) -> str:
    try:
        replace(way, context=terms.trusting()).connect().close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message.rstrip(".")
    except OSError as error:
        return str(error)
    return ""


def of_certificate(shown: Certified, *, verified: bool) -> Iterator[Finding]:
    """What there is to say of a certificate.

    :param verified: whether the proxy insists on a good one.
    """
    text = f"{shown.version}, with a certificate for {', '.join(shown.names)}"
    if shown.days < 0:
        level = Level.ERROR if verified else Level.WARNING
        yield Finding(level, "tls", f"{text}, which has expired", "have it renewed")
    elif shown.days < SOON:
        yield Finding(Level.WARNING, "tls", f"{text}, which expires in {shown.days} days", "have it renewed")
    else:
        yield Finding(Level.OK, "tls", f"{text}, for another {shown.days} days")
    if shown.distrust and shown.days >= 0:
        level = Level.ERROR if verified else Level.NOTE
        advice = (
            "name its authority (--backend-tls-ca FILE), or do not verify it (--backend-tls-verify false)"
        )
        yield Finding(level, "tls", f"its certificate is not accepted: {shown.distrust}", advice)
