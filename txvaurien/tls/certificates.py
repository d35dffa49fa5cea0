"""Certificates with their keys: how users hand them over, and how a server shows them.

A file is PEM (RFC 7468): a certificate, those that lead from it to its authority, and the private
key of the first (PKCS #8, PKCS #1 or SEC 1), in any order. `server_context` makes of them what
OpenSSL needs for a handshake.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL import SSL

from txvaurien.errors import ConfigError

#: The private keys that certificates of TLS have.
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

#: The file that an ``ssl:`` endpoint of Twisted reads when it names none.
DEFAULT_KEY_FILE = "server.pem"

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATES = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})
_KEY = b"PRIVATE KEY"

_WHOLE_FILE = "write the path of a PEM file with a certificate and its private key"


class Spoil(enum.Enum):
    """What is wrong with a certificate, on purpose."""

    NONE = ""
    EXPIRED = "expired"
    NOT_YET = "not-yet-valid"
    WRONG_NAME = "wrong-name"
    UNKNOWN_AUTHORITY = "unknown-authority"
    SELF_SIGNED = "self-signed"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate, its private key, and the certificates between it and its authority."""

    key: Key = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def read(cls, path: str, where: str = "") -> Credentials:
        """From one PEM file that holds it all; the certificate of the key comes before the others.

        :raises ConfigError: it cannot be read, something is missing, or does not fit the rest.
        """
        return cls.load(_content(path, where), path, where)

    @classmethod
    def load(cls, data: bytes, path: str = "", where: str = "") -> Credentials:
        """From PEM, such as `pem` gives.

        :param path: the file that an error names.
        :raises ConfigError: something is missing, or does not fit the rest.
        """
        pem = _Pem(data, path, where)
        return _checked(pem, pem, pem.certificates())

    @classmethod
    def read_pair(
        cls, cert_path: str | None, key_path: str | None, where: str = "", chain_path: str | None = None
    ) -> Credentials:
        """From the files of an ``ssl:`` endpoint: its ``certKey``, ``privateKey`` and ``extraCertChain``.

        As with Twisted, the key is in ``server.pem`` if nothing else is said, the certificate
        in the file of the key, and a key in the file of the certificate counts, too. Other than with
        Twisted, further certificates in that file are shown to clients.

        :raises ConfigError: as `read`.
        """
        key_path = key_path or DEFAULT_KEY_FILE
        cert_path = cert_path or key_path
        certificate = _Pem(_content(cert_path, where), cert_path, where)
        key = certificate if key_path == cert_path else _Pem(_content(key_path, where), key_path, where)
        certificates = certificate.certificates()
        if chain_path:
            certificates += _Pem(_content(chain_path, where), chain_path, where).certificates()
        return _checked(certificate, key if key.has_key else certificate, certificates)

    def pem(self) -> bytes:
        """All of it, the secret key included, as `load` takes it."""
        encoding = serialization.Encoding.PEM
        key = self.key.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return b"".join(each.public_bytes(encoding) for each in (self.certificate, *self.chain)) + key


def server_context(credentials: Credentials, alpn: Sequence[bytes] = ()) -> SSL.Context:
    """What a server that shows `credentials` needs: TLS 1.2 and 1.3, and OpenSSL's own choice of ciphers.

    A client that resumes a session looks at no certificate, and a session belongs to the context that
    its connection began with. So a connection that should show a bad certificate may not begin with
    the context of a good one, to change over when the client has said which name it wants.

    :param alpn: protocols of the server (RFC 7301), the best first. Where the client offers none of
        them none is agreed on, and the handshake goes on.
    :raises SSL.Error: OpenSSL does not take them, for a key that is too short, or does not fit.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # Tickets need no memory of the server's.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"txvaurien")
    context.use_certificate(credentials.certificate)
    context.use_privatekey(credentials.key)
    context.check_privatekey()
    for certificate in credentials.chain:
        context.add_extra_chain_cert(certificate)
    if alpn:
        context.set_alpn_select_callback(_Alpn(alpn))
    return context


class _Alpn:
    """Selects the first of the server's protocols that the client has offered."""

    __slots__ = ("_mine",)

    def __init__(self, mine: Sequence[bytes]) -> None:
        self._mine = tuple(mine)

    def __call__(
        self, connection: SSL.Connection, offered: list[bytes]
    ) -> bytes | SSL._NoOverlappingProtocols:
        for protocol in self._mine:
            if protocol in offered:
                return protocol
        return SSL.NO_OVERLAPPING_PROTOCOLS


def _content(path: str, where: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(where, f"{path!r} cannot be read ({reason})", _WHOLE_FILE) from error


class _Pem:
    """The blocks of a PEM file; ``path`` and ``where`` are for errors."""

    def __init__(self, data: bytes, path: str, where: str) -> None:
        self.path = path
        self.where = where
        blocks = [(match[1], match[0]) for match in _BLOCK.finditer(data)]
        self._certificates = [block for label, block in blocks if label in _CERTIFICATES]
        self._keys = [block for label, block in blocks if label.endswith(_KEY)]

    @property
    def has_key(self) -> bool:
        """Whether there is a private key, readable or not."""
        return bool(self._keys)

    def certificates(self) -> list[x509.Certificate]:
        """At least one."""
        if not self._certificates:
            raise self.fault(
                "holds no certificate", "a PEM file has a line -----BEGIN CERTIFICATE----- before each"
            )
        try:
            return [x509.load_pem_x509_certificate(block) for block in self._certificates]
        except (ValueError, UnsupportedAlgorithm) as error:
            raise self.fault(
                "has a broken certificate", "look at it with: openssl x509 -text -in FILE"
            ) from error

    def key(self) -> Key:
        """The first one."""
        if not self._keys:
            raise self.fault(
                "holds no private key", "add it, after a line such as -----BEGIN PRIVATE KEY-----"
            )
        key = self._load_key(self._keys[0])
        if not isinstance(key, Key):
            raise self.fault(
                "has a private key of a kind that TLS does not use", "make one with RSA, ECDSA or EdDSA"
            )
        return key

    def _load_key(self, block: bytes) -> object:
        try:
            return serialization.load_pem_private_key(block, None)
        except TypeError as error:  # it asks for a password
            raise self.fault(
                "has an encrypted private key", "take its passphrase off with: openssl pkey -in FILE"
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise self.fault(
                "has a broken private key", "look at it with: openssl pkey -text -in FILE"
            ) from error

    def fault(self, what: str, allowed: str) -> ConfigError:
        """An error that names the file."""
        return ConfigError(self.where, f"{self.path!r} {what}", allowed)


def _checked(pem: _Pem, key_pem: _Pem, certificates: Sequence[x509.Certificate]) -> Credentials:
    """:raises ConfigError: the key is not that of the first certificate, or OpenSSL does not want them."""
    credentials = Credentials(key_pem.key(), certificates[0], tuple(certificates[1:]))
    mine = credentials.key.public_key()
    fitting = [number for number, each in enumerate(certificates, 1) if _public_key(each) == mine]
    if 1 not in fitting:
        raise _unfit(pem, key_pem, fitting)
    try:
        server_context(credentials)
    except SSL.Error as error:
        raise pem.fault(
            f"is refused by OpenSSL ({_reason(error)})", "make a new key (RSA with 2048 bits, ECDSA P-256)"
        ) from error
    return credentials


def _public_key(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _unfit(pem: _Pem, key_pem: _Pem, fitting: Sequence[int]) -> ConfigError:
    if fitting:
        return pem.fault(
            f"has the certificate of its private key in place {fitting[0]}", "move it before the others"
        )
    key = "its private key" if key_pem is pem else f"the private key in {key_pem.path!r}"
    return pem.fault(f"has a certificate that does not fit {key}", "give the two that belong together")


def _reason(error: SSL.Error) -> str:
    """The words of OpenSSL's innermost error."""
    entries = error.args[0] if error.args else ()
    return str(entries[-1][-1]) if entries else "no reason given"
