"""The certificate that clients of a proxy are shown, and how they come to trust it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from txvaurien.config import Settings
from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.tlsprobe import SOON
from txvaurien.errors import ConfigError
from txvaurien.net.ends import AUTO
from txvaurien.process.definition import Definition
from txvaurien.tls.certificates import Credentials
from txvaurien.tls.profile import names_of

_RENEW = "have it renewed"


def of_listener(definition: Definition, settings: Settings) -> Iterator[Finding]:
    """What there is to say of TLS with the clients of a proxy; nothing where none is spoken."""
    ends, listen = definition.ends, definition.listen.tls
    if listen is not None:
        yield from _of_files(listen.cert, listen.key, definition.places.get("proxy", "--proxy"))
    elif ends.tls not in (None, AUTO):
        yield from _of_files(ends.tls, ends.tls_key or ends.tls, definition.places.get("tls", "--tls"))
    elif ends.tls == AUTO or definition.protocol.begins_tls:
        yield from _of_authority(settings)


def _of_authority(settings: Settings) -> Iterator[Finding]:
    """Of a throw-away authority clients know nothing, unless it is handed out (`GET /ca.pem`, or a file)."""
    if settings.tls_ca is None and settings.tls_ca_out is None and not settings.control:
        text = "clients have to trust an authority that is made at each start, and nobody hands it out"
        yield Finding(Level.NOTE, "tls", text, "have it written for them with --tls-ca-out FILE")


def _of_files(cert: str | None, key: str | None, place: str) -> Iterator[Finding]:
    try:
        credentials = Credentials.read_pair(cert, key, place)
    except ConfigError as error:
        yield Finding(Level.ERROR, "tls", f"{error.where}: {error.what}", error.allowed)
        return
    certificates = (credentials.certificate, *credentials.chain)
    text = f"clients are shown a certificate for {', '.join(names_of(certificates[0]))}"
    text += f", {_vouched(certificates)}"
    yield _dated(text, certificates[0])
    yield from (_dated_authority(each) for each in certificates[1:] if _spell(each))
    yield from _without_names(certificates[0])
    yield from _broken_chain(certificates)


def _dated(text: str, certificate: x509.Certificate) -> Finding:
    spell = _spell(certificate)
    if not spell:
        return Finding(Level.OK, "tls", f"{text}, for another {_left(certificate).days} days")
    return Finding(Level.WARNING, "tls", f"{text}, which {spell}", _RENEW)


def _dated_authority(certificate: x509.Certificate) -> Finding:
    text = f"in its chain, the certificate of {_name(certificate.subject)} {_spell(certificate)}"
    return Finding(Level.WARNING, "tls", text, _RENEW)


def _spell(certificate: x509.Certificate) -> str:
    """What is wrong with the time of a certificate, or soon will be; ``""`` if nothing is."""
    left = _left(certificate)
    if left < timedelta(0):
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if certificate.not_valid_before_utc > _now():
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    return f"expires in {left.days} days" if left.days < SOON else ""


def _left(certificate: x509.Certificate) -> timedelta:
    return certificate.not_valid_after_utc - _now()


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _vouched(certificates: Sequence[x509.Certificate]) -> str:
    """Who vouches for the first one, and what of its chain is shown."""
    first, last = certificates[0], certificates[-1]
    if _signs(first, first):
        return "which is signed with its own key"
    more = len(certificates) - 1
    shown = "alone" if not more else f"with {more} further one{'s' if more > 1 else ''}"
    return f"{shown}, under the authority {_name(last.issuer)}"


def _broken_chain(certificates: Sequence[x509.Certificate]) -> Iterator[Finding]:
    """Each certificate has to be signed by the next (RFC 5246, 7.4.2)."""
    for number, (one, other) in enumerate(pairwise(certificates), 2):
        if not _signs(other, one):
            text = f"certificate {number} of its chain, {_name(other.subject)}, is not the one that has"
            text += f" signed the one before it: that is {_name(one.issuer)}"
            yield Finding(Level.WARNING, "tls", text, "put them in order, each behind the one that it signs")


def _signs(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _without_names(certificate: x509.Certificate) -> Iterator[Finding]:
    try:
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        text = "its certificate has no subjectAltName, and most clients look for names nowhere else"
        yield Finding(Level.WARNING, "tls", text, "have one made that does")
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return


def _name(name: x509.Name) -> str:
    return name.rfc4514_string() or "without a name"
