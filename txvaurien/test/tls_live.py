"""The proxy that speaks TLS before a real server, certificates in files, and blocking clients."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from redis.backoff import NoBackoff
from redis.retry import Retry
from twisted.internet import reactor

from txvaurien.behaviors.base import Behavior
from txvaurien.net.ends import AUTO, Ends
from txvaurien.plan import Plan
from txvaurien.protocols.base import WireProtocol
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.servers import RedisServer, free_port
from txvaurien.test.support import ProxyCase
from txvaurien.tls.authority import Authority
from txvaurien.tls.certificates import Credentials, Spoil
from txvaurien.tls.keeper import AuthorityKeeper


class Files:
    """An authority, and what it issues, in files of a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.authority = Authority.make()
        self.ca = str(folder / "ca.pem")
        self.authority.write(self.ca)

    def issue(self, name: str = "localhost", spoil: Spoil = Spoil.NONE) -> str:
        """A file with a certificate and its key."""
        path = self._folder / f"{name.replace(':', '_')}{spoil.value}.pem"
        path.write_bytes(self.authority.issue([name], spoil).pem())
        return str(path)

    def issue_to_client(self, name: str = "client.example") -> str:
        """As `issue`, for a client."""
        path = self._folder / f"{name}.pem"
        path.write_bytes(_client_credentials(Credentials.load(self.authority.dump()), name).pem())
        return str(path)

    def pair(self, name: str = "localhost", spoil: Spoil = Spoil.NONE) -> tuple[str, str]:
        """A certificate with those that lead to its authority, and its key, in two files."""
        issued = self.authority.issue([name], spoil)
        stem = f"{name.replace(':', '_')}{spoil.value}"
        certificate, key = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        certificate.write_bytes(_chain(issued))
        key.write_bytes(issued.pem()[len(_chain(issued)) :])
        return str(certificate), str(key)


#: How redis-py is told of TLS, but for whom to trust.
TLS: dict[str, Any] = {"ssl": True, "socket_timeout": 30, "protocol": 2}


def outcome(port: int, ca: str, patience: float = 30.0) -> tuple[str, str]:
    """What redis-py says of a PING: the class of the error and its text."""
    options = {**TLS, "socket_timeout": patience, "ssl_ca_certs": ca, "retry": Retry(NoBackoff(), 0)}
    with closing(redis.Redis("localhost", port, **options)) as client:
        try:
            client.ping()
        except redis.RedisError as error:
            return type(error).__name__, str(error).replace(str(port), "PORT")
    return "", ""


def _client_credentials(authority: Credentials, name: str) -> Credentials:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issued = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(authority.certificate.not_valid_before_utc)
        .not_valid_after(authority.certificate.not_valid_after_utc)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Credentials(key, issued)


def _chain(issued: Credentials) -> bytes:
    encoding = serialization.Encoding.PEM
    return b"".join(each.public_bytes(encoding) for each in (issued.certificate, *issued.chain))


class TlsRedis(RedisServer):
    """redis-server that speaks TLS, and nothing else.

    :param authenticates: whether clients have to show a certificate.
    """

    def __init__(
        self, files: Files, name: str = "localhost", spoil: Spoil = Spoil.NONE, authenticates: bool = False
    ) -> None:
        port = free_port()
        certificate, key = files.pair(name, spoil)
        super().__init__(
            "--tls-port",
            str(port),
            *("--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", files.ca),
            *("--tls-auth-clients", "yes" if authenticates else "no"),
            port=0,
        )
        self.port = port

    def command(self) -> list[str]:
        program, _, _, *rest = super().command()
        return [program, "--port", "0", *rest]


class LiveCase(ProxyCase):
    """A proxy with an authority of its own, whose certificate is in a file."""

    def setUp(self) -> None:
        self.files = Files(Path(self.mktemp()).absolute())

    def serve(
        self,
        protocol: WireProtocol,
        backend: str,
        plan: Plan | Behavior | None = None,
        ends: Ends | None = None,
        listen: str = "127.0.0.1:0",
        **options: Any,
    ) -> ProxyService:
        """A proxy that ends with the test; with ``--tls auto`` unless `ends` says otherwise."""
        if isinstance(plan, Behavior):
            plan = Plan.only(plan, seed=1)
        proxy = Proxy(
            backend,
            protocol,
            plan,
            reactor=reactor,
            ends=Ends(tls=AUTO, backend_tls_ca=self.files.ca) if ends is None else ends,
            keeper=AuthorityKeeper.having(self.files.authority.dump()),
            **options,
        )
        self.events: list[tuple[str, dict[str, Any]]] = []
        proxy.observers.append(lambda event, _, fields: self.events.append((event, fields)))
        service = ProxyService(proxy, listen)
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def told(self, event: str) -> list[dict[str, Any]]:
        """The fields of all events of this name."""
        return [fields for name, fields in self.events if name == event]

    def trusting(self) -> ssl.SSLContext:
        """What a client needs that trusts the proxy's authority."""
        return ssl.create_default_context(cafile=self.files.ca)

    async def gone(self, service: ProxyService) -> None:
        """Wait until the proxy has no links."""
        await self.until(lambda: not service.proxy.links)

    def secured(
        self, port: int, context: ssl.SSLContext | None = None, name: str = "localhost"
    ) -> ssl.SSLSocket:
        """A blocking client that has agreed on TLS, with a time-out that turns a hang into a failure."""
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        try:
            return (context or self.trusting()).wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise
