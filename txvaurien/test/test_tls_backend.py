"""A backend that speaks TLS from the first byte on: tls: and ssl: endpoints."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor

from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.peers import ScriptedBackend, read_all, read_exactly
from txvaurien.test.support import ProxyCase, connect


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate that nobody trusts, and its key, in files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True)
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


class TlsCase(ProxyCase):
    """A scripted backend that speaks TLS."""

    def start(self, script: Callable[[socket.socket], None], endpoint: str) -> ProxyService:
        """The proxy in front of it; `endpoint` has a place for the port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate(Path(self.mktemp())))

        def over_tls(peer: socket.socket) -> None:
            try:
                secured = context.wrap_socket(peer, server_side=True)
            except (ssl.SSLError, OSError):
                return
            with secured:
                script(secured)

        backend = ScriptedBackend(over_tls)
        proxy = Proxy(endpoint % backend.port, Tcp(), reactor=reactor, timeout=30.0)
        service = ProxyService(proxy, "127.0.0.1:0")
        service.startService()
        self.addCleanup(self._end, service, backend)
        return service

    async def _end(self, service: ProxyService, backend: ScriptedBackend) -> None:
        await service.stopService()
        await self.in_thread(backend.stop)


class TlsTests(TlsCase):
    """The client speaks plain, the proxy TLS."""

    async def test_both_ways(self) -> None:
        """Bytes pass, many of them too, and the end passes as well."""
        data = bytes(range(256)) * 8192

        def script(peer: socket.socket) -> None:
            peer.sendall(read_exactly(peer, len(data)))

        def client(port: int) -> tuple[bytes, str]:
            with connect(port) as sock:
                sock.sendall(data)
                return read_all(sock)

        service = self.start(script, "ssl:127.0.0.1:%d")
        self.assertEqual(await self.in_thread(client, service.port or 0), (data, "fin"))
        await self.until(lambda: not service.proxy.links)

    async def test_reply_after_the_client_has_ended(self) -> None:
        """A FIN becomes the end of TLS that way; the reply still comes."""

        def script(peer: socket.socket) -> None:
            read_all(peer)
            peer.sendall(b"reply")

        def client(port: int) -> tuple[bytes, str]:
            with connect(port) as sock:
                sock.sendall(b"request")
                sock.shutdown(socket.SHUT_WR)
                return read_all(sock)

        service = self.start(script, "ssl:127.0.0.1:%d")
        self.assertEqual(await self.in_thread(client, service.port or 0), (b"reply", "fin"))
        await self.until(lambda: not service.proxy.links)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_certificate_that_nobody_trusts(self) -> None:
        """With tls: it is checked; the client is reset, and the log and the counters know why."""
        service = self.start(lambda peer: peer.sendall(b"secret"), "tls:localhost:%d")
        reasons: list[str] = []
        service.proxy.observers.append(
            lambda event, _, fields: reasons.append(fields["why"]) if event == "backend-refused" else None
        )

        def client(port: int) -> tuple[bytes, str]:
            with connect(port) as sock:
                return read_all(sock)

        self.assertEqual(await self.in_thread(client, service.port or 0), (b"", "rst"))
        await self.until(lambda: not service.proxy.links)
        self.assertEqual(service.proxy.stats.failed, 1)
        self.assertIn("certificate", reasons[0])

    async def test_silent(self) -> None:
        """One that never agrees to end does not keep the proxy from stopping."""

        def script(peer: socket.socket) -> None:
            peer.recv(2)
            peer.recv(100)

        service = self.start(script, "ssl:127.0.0.1:%d")
        sock = connect(service.port or 0)
        sock.sendall(b"hi")
        await self.until(lambda: bool(service.proxy.links) and service.proxy.links[1].backend is not None)
        sock.close()
        await service.stopService()
        self.assertEqual(service.proxy.links, {})
