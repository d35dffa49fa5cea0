"""The token, TLS and what backends may be, with real sockets and processes."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from txvaurien import Client, VaurienError
from txvaurien.client import AsyncClient
from txvaurien.clients.processes import ProxyProcess
from txvaurien.control.requests import MAX_BODY
from txvaurien.control.service import ControlService
from txvaurien.net.addresses import parse_listen
from txvaurien.net.allowed import parse_patterns
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.settings.access import Access
from txvaurien.settings.tokens import TOKEN_VARIABLE
from txvaurien.test.control_helpers import TOKEN, registry
from txvaurien.test.peers import ScriptedBackend
from txvaurien.test.servers import free_port
from txvaurien.test.support import ProxyCase
from txvaurien.test.test_ctl import run

#: The environment without a token that whoever runs the tests may have.
_CLEAN = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate that signs itself, and its key, in files."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    usage = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "key_encipherment", "encipher_only"),
        False,
    )
    made = (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, decipher_only=False, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(private)
    return str(folder / "cert.pem"), str(folder / "key.pem")


class ClientCase(ProxyCase):
    """A control server in this process."""

    def setUp(self) -> None:
        # Clients look for one there.
        self.patch(os, "environ", dict(_CLEAN))
        self.proxies = Proxies.of(Proxy("localhost:6379", Tcp(), reactor=reactor), registry())

    def serve(self, listen: str = "localhost:0", token: str = TOKEN) -> int:
        """Serve there; the port."""
        access = Access(parse_listen(listen), token=token)
        service = ControlService(self.proxies, reactor=reactor, access=access)
        service.startService()
        self.addCleanup(service.stopService)
        return service.port

    async def fails(self, asking: Awaitable[object]) -> VaurienError:
        """The error of something that must fail."""
        try:
            await asking
        except VaurienError as error:
            return error
        raise self.failureException("nothing was wrong")


class TokenTests(ClientCase):
    """Clients show the token."""

    async def test_shown(self) -> None:
        """Given as an argument, or by the environment."""
        port = self.serve()
        self.assertEqual(await AsyncClient(port=port, token=TOKEN).get_behavior(), "dummy")
        blocking = Client(port=port, token=TOKEN)
        self.assertEqual(await self.in_thread(blocking.get_behavior), "dummy")
        asked = ["--http-port", str(port), "get-behavior"]
        self.assertEqual(await self.in_thread(run, [*asked, "--token", TOKEN]), (0, "dummy\n", ""))
        self.assertEqual(await self.in_thread(run, ["--token", TOKEN, *asked]), (0, "dummy\n", ""))
        os.environ[TOKEN_VARIABLE] = TOKEN
        self.assertEqual(await AsyncClient(port=port).get_behavior(), "dummy")
        self.assertEqual(await self.in_thread(Client(port=port).get_behavior), "dummy")
        self.assertEqual(await self.in_thread(run, asked), (0, "dummy\n", ""))

    async def test_not_shown(self) -> None:
        """The error is the server's, which says what to do; it does not show the token."""
        port = self.serve()
        for token, why in (("", "wants its token"), ("wrong-wrong-wrong", "not the token of this server")):
            error = await self.fails(self.in_thread(Client(port=port, token=token).get_behavior))
            self.assertEqual(error.status, 401)
            self.assertIn(why, str(error))
            self.assertIn("VAURIEN_TOKEN", str(error))
            other = await self.fails(AsyncClient(port=port, token=token).get_behavior())
            self.assertEqual(str(other), str(error))
            asked = ["--http-port", str(port), "--token", token, "get-behavior"]
            self.assertEqual(await self.in_thread(run, asked), (1, "", f"vaurienctl: {error}\n"))

    def test_cannot_be_sent(self) -> None:
        """What no header can carry is refused before it is sent, and not shown."""
        for kind in (Client, AsyncClient):
            error = self.assertRaises(VaurienError, kind, token=f"{TOKEN}\r\nX: y")
            self.assertNotIn(TOKEN, str(error))


class TlsTests(ClientCase):
    """The control server over TLS, whose certificate is verified."""

    def setUp(self) -> None:
        super().setUp()
        self.cert, self.key = certificate(Path(self.mktemp()))
        self.listen = f"ssl:0:interface=127.0.0.1:privateKey={self.key}:certKey={self.cert}"

    async def test_trusted(self) -> None:
        """With the certificate at hand all clients talk to it."""
        port = self.serve(self.listen)
        for host in ("localhost", "127.0.0.1"):
            client = AsyncClient(host, port, "https", token=TOKEN, ca=self.cert)
            self.assertEqual(await client.get_behavior(), "dummy")
            blocking = Client(host, port, "https", token=TOKEN, ca=self.cert)
            self.assertEqual(await self.in_thread(blocking.get_behavior), "dummy")
        asked = ["--https", "--ca", self.cert, "--token", TOKEN, "--http-port", str(port), "get-behavior"]
        self.assertEqual(await self.in_thread(run, asked), (0, "dummy\n", ""))
        asked = ["--host", f"https://localhost:{port}", *asked[1:5], "get-behavior"]
        self.assertEqual(await self.in_thread(run, asked), (0, "dummy\n", ""))

    async def test_not_trusted(self) -> None:
        """Without it nothing is sent, the token least of all."""
        port = self.serve(self.listen)
        blocking = Client("localhost", port, "https", token=TOKEN)
        error = await self.fails(self.in_thread(blocking.get_behavior))
        self.assertIn("certificate verify failed", str(error))
        await self.fails(AsyncClient("localhost", port, "https", token=TOKEN).get_behavior())

    def test_no_certificates(self) -> None:
        """A file that has none is an error at once."""
        for path in ("/nonexistent", self.key):
            for kind in (Client, AsyncClient):
                error = self.assertRaises(VaurienError, kind, scheme="https", ca=path)
                self.assertIn(path, str(error))
                self.assertIn("no certificates to trust", str(error))

    async def test_negotiated(self) -> None:
        """Who offers protocols, as curl and browsers do, gets HTTP/1.1, and no other version of it."""
        port = self.serve(self.listen)
        context = ssl.create_default_context(cafile=self.cert)
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.assertEqual(await self.in_thread(self.negotiate, port, context), "http/1.1")

    def negotiate(self, port: int, context: ssl.SSLContext) -> str | None:
        """What is spoken after the handshake."""
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            return secured.selected_alpn_protocol()

    async def test_refused_body(self) -> None:
        """A body that is too large is refused there, too, and the reason arrives."""
        port = self.serve(self.listen)
        client = Client("localhost", port, "https", token=TOKEN, ca=self.cert)
        error = await self.fails(self.in_thread(client.set_behavior, "x" * MAX_BODY))
        self.assertIn("the body is larger", str(error))

    def test_http_in_words(self) -> None:
        """Who says both is told which of them is wrong."""
        status, _, err = run(["--https", "--host", "http://localhost", "get-behavior"])
        self.assertEqual(
            (status, err),
            (
                1,
                "vaurienctl: --host http://localhost: this is not https;"
                " leave out what stands before the host\n",
            ),
        )


class BackendTests(ProxyCase):
    """What links connect to, on real sockets."""

    def setUp(self) -> None:
        self.talked: list[bytes] = []
        self.backend = ScriptedBackend(self.talk)
        self.addCleanup(self.backend.stop)

    def talk(self, peer: socket.socket) -> None:
        """Note that somebody came."""
        self.talked.append(b"")
        peer.sendall(b"hello")

    def ask(self, port: int) -> bytes:
        """What a client hears; nothing where the link has failed."""
        try:
            # The reset may come as soon as the kernel has taken the connection.
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                return client.recv(5)
        except ConnectionResetError:
            return b""

    def restricted(self, backend: str, *patterns: str) -> int:
        """The port of a proxy for a backend that was not there from the start."""
        service = self.start_proxy(Tcp(), self.backend.port)
        proxies = Proxies.of(service.proxy, registry(), allow_backend=parse_patterns(",".join(patterns)))
        running: Any = reactor
        self.addCleanup(running.installNameResolver, running.installNameResolver(_Names("127.0.0.1")))
        service.proxy.set_backend(backend)
        self.reach = proxies.reach
        assert service.port is not None
        return service.port

    async def test_name(self) -> None:
        """A name may lead into a network that is allowed, and nowhere else."""
        name = f"redis.example:{self.backend.port}"
        allowed = self.restricted(name, "127.0.0.0/8")
        self.assertEqual(await self.in_thread(self.ask, allowed), b"hello")
        forbidden = self.restricted(name, "10.0.0.0/8")
        self.assertEqual(await self.in_thread(self.ask, forbidden), b"")
        self.assertEqual(len(self.talked), 1)

    async def test_endpoint_string(self) -> None:
        """So may an endpoint string."""
        text = f"tcp:127.0.0.1:{self.backend.port}"
        self.assertEqual(await self.in_thread(self.ask, self.restricted(text, "127.0.0.0/8")), b"hello")

    async def test_control_server(self) -> None:
        """A name does not lead to the control server."""
        port = self.restricted(f"redis.example:{self.backend.port}")
        self.assertEqual(await self.in_thread(self.ask, port), b"hello")
        self.reach.close(IPv4Address("TCP", "127.0.0.1", self.backend.port))
        self.assertEqual(await self.in_thread(self.ask, port), b"")
        self.assertEqual(len(self.talked), 1)


class _Names:
    """Says of every name that it leads to one address."""

    def __init__(self, address: str) -> None:
        self._address = address

    def resolveHostName(
        self, receiver: Any, hostName: str, portNumber: int = 0, *_: object, **__: object
    ) -> Any:
        """Answer at once."""
        receiver.resolutionBegan(self)
        receiver.addressResolved(IPv4Address("TCP", self._address, portNumber))
        receiver.resolutionComplete()
        return receiver


class ProcessTests(SynchronousTestCase):
    """The whole program."""

    def fails(self, *options: str) -> str:
        """What it says that must not start."""
        command = [sys.executable, "-m", "txvaurien", "--proxy=127.0.0.1:0", *options]
        done = subprocess.run(command, check=False, env=_CLEAN, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        return done.stderr

    def start(self, *options: str) -> int:
        """Start it, log and all; the port of its control server."""
        port = free_port()
        self.errors = open(self.mktemp(), "w+b", buffering=0)  # noqa: SIM115 - for as long as the test
        self.addCleanup(self.errors.close)
        command = [sys.executable, "-m", "txvaurien", "--proxy=127.0.0.1:0", "--http", *options]
        self.process = ProxyProcess([*command, f"--http-port={port}"], self.errors.fileno())
        self.process.wait_until_ready()
        self.addCleanup(self.process.stop)
        return port

    def test_open(self) -> None:
        """It does not start where others could control it."""
        self.assertIn("--http-host: '0.0.0.0:8080' is open", self.fails("--http", "--http-host=0.0.0.0"))

    def test_open_with_a_token(self) -> None:
        """It starts with a token, which it never shows, not even where everything is logged."""
        port = self.start(
            f"--http-token={TOKEN}", "--http-host=0.0.0.0", "--log-level=debug", "--backend=127.0.0.1:1"
        )
        self.assertEqual(Client("127.0.0.1", port, token=TOKEN).get_behavior(), "dummy")
        self.assertRaises(VaurienError, Client("127.0.0.1", port, token="").get_behavior)
        journal = Client("127.0.0.1", port, token=TOKEN).journal()
        self.process.stop()
        self.errors.seek(0)
        log = self.errors.read()
        self.assertIn(b"control on http://0.0.0.0", log)
        self.assertNotIn(TOKEN.encode(), log)
        self.assertNotIn(TOKEN, str(journal))

    def test_its_own_control_server(self) -> None:
        """It is not started for its own control server, nor pointed at it."""
        port = free_port()
        said = self.fails("--http", f"--http-port={port}", f"--backend=localhost:{port}")
        self.assertIn(f"'localhost:{port}' is where the control server of this process listens", said)
        port = self.start("--backend=127.0.0.1:1")
        error = self.assertRaises(VaurienError, Client("localhost", port).set_backend, f"localhost:{port}")
        self.assertIn("control server of this process", str(error))

    def test_name(self) -> None:
        """What a name leads to is looked at where links connect: in the process itself, or in its workers."""
        backend = ScriptedBackend(lambda peer: peer.sendall(b"hello"))
        self.addCleanup(backend.stop)
        for options in ((), ("--workers=2",)):
            for network, expected in (("127.0.0.0/8", b"hello"), ("10.0.0.0/8", b"")):
                port = self.start(*options, f"--allow-backend={network}", "--backend=127.0.0.1:1")
                client = Client("localhost", port)
                # For us a name like any other, for the resolver of the system 127.0.0.1.
                client.set_backend(f"127.1:{backend.port}")
                self.assertEqual(self.ask(client), expected, (options, network))

    def ask(self, client: Client) -> bytes:
        """What somebody hears who connects to the proxy; nothing where the link fails."""
        [proxy] = client.proxies()
        host, _, port = str(proxy["listen"]).rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as peer:
            try:
                return peer.recv(5)
            except ConnectionResetError:
                return b""

    def test_workers(self) -> None:
        """Workers connect to what is allowed, and to what the process began with, also again."""
        backend = ScriptedBackend(lambda peer: peer.sendall(b"hello"))
        self.addCleanup(backend.stop)
        first = f"127.0.0.1:{backend.port}"
        client = Client(
            "localhost", self.start("--workers=2", "--allow-backend=127.0.0.1:9", f"--backend={first}")
        )
        self.assertEqual(self.ask(client), b"hello")
        error = self.assertRaises(VaurienError, client.set_backend, "127.0.0.1:10")
        self.assertIn("--allow-backend", str(error))
        client.set_backend("127.0.0.1:9")
        client.set_backend(first)
        self.assertEqual(self.ask(client), b"hello")
