"""The proxy as a TLS client of its backend: whom it trusts, and what it shows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend
from txvaurien.net.ends import Ends
from txvaurien.tls.certificates import Credentials
from txvaurien.tls.engine import Engine, TlsError

#: What OpenSSL's verification codes mean (openssl-verification-options(1)), in short.
_REASONS: Mapping[int, str] = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed",
    19: "its certificate comes from an authority that is not trusted here",
    20: "its certificate comes from an authority that is not known here",
    21: "its certificate comes from an authority that is not known here",
    23: "its certificate has been revoked",
    24: "its certificate comes from somebody who is no authority",
    26: "its certificate is not one for servers",
    66: "the key of its certificate is too short",
}

#: Those that another authority would mend.
_WITHOUT_AUTHORITY = frozenset({18, 19, 20, 21})

_UNVERIFIED = "do not verify: --backend-tls-verify=false (or verify=no in tls:...)"
_UNKNOWN = f"; name its authority with --backend-tls-ca FILE (or ca=FILE in tls:...), or {_UNVERIFIED}"
_WRONG_NAME = f"; say which name it has with name=NAME in tls:..., or {_UNVERIFIED}"
_SPOILT = f"; have a good one made, or {_UNVERIFIED}"


class BackendContext:
    """Makes engines for connections to one backend.

    What the endpoint string of the backend says beats what the options say.

    :raises ConfigError: a file will not do.
    """

    def __init__(
        self, backend: Backend, ends: Ends, alpn: Sequence[bytes], places: Mapping[str, str]
    ) -> None:
        said = backend.tls
        in_string = places.get("backend", "--backend")
        self._name = (said.name if said is not None else backend.named_host).rstrip(".")
        self._server_name = _server_name(self._name, in_string)
        verify = None if said is None else said.verify
        self._verify = ends.backend_tls_verify if verify is None else verify
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        if alpn:
            self._context.set_alpn_protos(list(alpn))
        ca, where = (said.ca, in_string) if said is not None and said.ca else (ends.backend_tls_ca, "")
        self._trust(ca, where or places.get("backend-tls-ca", "--backend-tls-ca"))
        if said is not None and said.cert:
            self._show(said.cert, said.key, in_string)
        elif ends.backend_tls_cert:
            place = places.get("backend-tls-cert", "--backend-tls-cert")
            self._show(ends.backend_tls_cert, ends.backend_tls_key, place)

    def _trust(self, ca: str | None, where: str) -> None:
        if not self._verify:
            return
        self._context.set_verify(SSL.VERIFY_PEER, _note_reason)
        if ca is None:
            self._context.set_default_verify_paths()
            return
        try:
            if os.path.isdir(ca):
                self._context.load_verify_locations(None, ca)
            else:
                with open(ca, "rb"):
                    self._context.load_verify_locations(ca)
        except (OSError, ValueError) as error:  # ValueError: a null byte in the path
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(where, f"{ca!r} cannot be read ({reason})", _CA_FORM) from error
        except SSL.Error as error:
            raise ConfigError(where, f"there is no certificate in {ca!r}", _CA_FORM) from error

    def _show(self, cert: str, key: str | None, where: str) -> None:
        credentials = Credentials.read_pair(cert, key or cert, where)
        try:
            self._context.use_certificate(credentials.certificate)
            self._context.use_privatekey(credentials.key)
            for each in credentials.chain:
                self._context.add_extra_chain_cert(each)
        except SSL.Error as error:
            raise ConfigError(
                where, f"OpenSSL does not take {cert!r} ({error})", "use another key"
            ) from error

    def engine(self) -> Engine:
        """For one connection."""
        connection = SSL.Connection(self._context, None)
        reasons: list[TlsError] = []
        connection.set_app_data(reasons)
        if self._server_name:
            connection.set_tlsext_host_name(self._server_name)
        connection.set_connect_state()
        return Engine(connection, self._check_name if self._verify else None, reasons)

    def _check_name(self, connection: SSL.Connection) -> None:
        """:raises TlsError: the certificate is somebody else's."""
        try:
            if _is_address(self._name):
                verify_ip_address(connection, self._name)
            elif self._name:
                verify_hostname(connection, self._name)
        except (VerificationError, CertificateError, ValueError) as error:
            # ValueError: no certificate could be for it.
            raise TlsError(f"its certificate is not for {self._name}", _WRONG_NAME) from error


_CA_FORM = "name a PEM file with certificates, or a directory that `openssl rehash` has been run on"


def _is_address(name: str) -> bool:
    return isIPAddress(name) or isIPv6Address(name)


def _server_name(name: str, where: str) -> bytes:
    """What SNI asks for (RFC 6066, section 3): never an address."""
    if _is_address(name):
        return b""
    try:
        return name.encode("idna")
    except UnicodeError as error:
        raise ConfigError(
            where, f"{name!r} is no name that a server can have ({error})", "write a host name"
        ) from error


def _note_reason(connection: SSL.Connection, certificate: object, code: int, depth: int, fine: int) -> bool:
    """Called by OpenSSL for each certificate of a chain, from the top."""
    if not fine:
        why = _REASONS.get(code, f"its certificate is not taken (error {code})")
        connection.get_app_data().append(TlsError(why, _UNKNOWN if code in _WITHOUT_AUTHORITY else _SPOILT))
    return bool(fine)
