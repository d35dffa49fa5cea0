"""What is in the certificates that the proxy makes: a profile of RFC 5280.

Clients that are strict (Python's from 3.13 on, browsers, Go) look for names in subjectAltName alone,
and want critical basicConstraints and key identifiers that fit. Older ones look for the name in
the subject, so the first name is there, too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from txvaurien.tls.certificates import Key

#: From when until when a certificate is valid, with time zones.
Period = tuple[datetime, datetime]

#: ub-common-name of RFC 5280, appendix A.
_LONGEST_COMMON_NAME = 64

#: RFC 1123, section 2.1, and the underscore that the names of containers often have.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LONGEST_NAME = 253

_UNREADABLE = (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError)

ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)


def normal_name(name: str) -> str | None:
    """A host name or address as a certificate has it, or None if it is neither.

    Host names are in lower case, of A-labels (RFC 5890), with no dot at the end; addresses without a zone.
    """
    address = _address(name.partition("%")[0])
    if address is not None:
        return str(address)
    try:
        name = _a_labels(name.removesuffix(".")).lower()
    except UnicodeError:
        return None
    fits = len(name) <= _LONGEST_NAME and all(map(_LABEL.fullmatch, name.split(".")))
    return name if fits else None


def names_of(certificate: x509.Certificate) -> list[str]:
    """Host names and addresses of a certificate; older ones have their one name in the subject."""
    found = _extension(certificate, x509.SubjectAlternativeName)
    if found is None:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(each.value) for each in common]
    else:
        names = [*found.get_values_for_type(x509.DNSName)]
        names += [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return [name for name in names if name and name.isascii()] or ["localhost"]


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether it is that of an authority (RFC 5280, sections 4.2.1.3 and 4.2.1.9)."""
    basic = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    return basic is not None and basic.ca and (usage is None or usage.key_cert_sign)


def root(common_name: str, key: Key, period: Period) -> x509.Certificate:
    """The certificate of an authority of our own, which signs those of servers only."""
    subject = _subject(common_name)
    builder = _builder(subject, key, period).issuer_name(subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return builder.sign(key, _hash_for(key))


def leaf(names: Sequence[str], key: Key, period: Period) -> x509.CertificateBuilder:
    """All of a server's certificate but what `signed` or `self_signed` add.

    :raises ValueError: one of the names cannot be in a certificate.
    """
    return (
        _builder(_leaf_subject(names), key, period)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )


def signed(
    builder: x509.CertificateBuilder, authority: x509.Certificate, authority_key: Key
) -> x509.Certificate:
    """A `leaf` that the authority vouches for."""
    builder = builder.issuer_name(authority.subject)
    builder = builder.add_extension(_authority_key_identifier(authority), critical=False)
    builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
    return builder.sign(authority_key, _hash_for(authority_key))


def self_signed(builder: x509.CertificateBuilder, names: Sequence[str], key: Key) -> x509.Certificate:
    """A `leaf` for these names that nobody vouches for but itself."""
    # No keyUsage: one without keyCertSign keeps OpenSSL 1.1 from taking it for self-signed.
    return builder.issuer_name(_leaf_subject(names)).sign(key, _hash_for(key))


def _extension(certificate: x509.Certificate, kind: type[ExtensionT]) -> ExtensionT | None:
    """None, too, where OpenSSL takes what this library cannot read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _a_labels(name: str) -> str:
    return name if name.isascii() else name.encode("idna").decode("ascii")


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(_a_labels(name)) if address is None else x509.IPAddress(address)


def _subject(common_name: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "txvaurien")]
    if len(common_name) <= _LONGEST_COMMON_NAME:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(attributes)


def _leaf_subject(names: Sequence[str]) -> x509.Name:
    return _subject(_a_labels(names[0]))


def _builder(subject: x509.Name, key: Key, period: Period) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(period[0])
        .not_valid_after(period[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _authority_key_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """What the authority calls its key, where it says so; else as RFC 5280, section 4.2.1.2 would."""
    said = _extension(authority, x509.SubjectKeyIdentifier)
    if said is None:
        said = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    return x509.AuthorityKeyIdentifier(said.digest, None, None)


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _hash_for(key: Key) -> hashes.SHA256 | None:
    """EdDSA has its own."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
