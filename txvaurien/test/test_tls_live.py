"""Real servers and real clients that speak TLS with the proxy."""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from twisted.internet.defer import gatherResults

from txvaurien.behaviors.tls import Tls
from txvaurien.net.ends import Ends
from txvaurien.protocols.http import Http
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.tcp import Tcp
from txvaurien.test.peers import ScriptedBackend, read_all
from txvaurien.test.servers import RedisServer, require
from txvaurien.test.support import connect, descriptors
from txvaurien.test.tls_live import LiveCase, TlsRedis
from txvaurien.tls.certificates import Spoil


class ClientTests(LiveCase):
    """Other clients, and what they find out about the listener."""

    async def test_names(self) -> None:
        """One certificate for each name that is asked for; for an address, and for none, the default."""
        good = self.start_server(RedisServer())
        service = self.serve(Redis(), f"localhost:{good.port}")
        for name in ("localhost", "cache.example", "127.0.0.1", "::1"):
            with await self.in_thread(self.secured, service.port, None, name) as sock:
                self.assertIsNotNone(sock.getpeercert())

    async def test_alpn(self) -> None:
        """Of what an HTTP client offers HTTP/1.1 is chosen."""
        backend = ScriptedBackend(lambda peer: None)
        self.addCleanup(self.in_thread, backend.stop)
        service = self.serve(Http(), f"127.0.0.1:{backend.port}")
        context = self.trusting()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with await self.in_thread(self.secured, service.port, context) as sock:
            self.assertEqual(sock.selected_alpn_protocol(), "http/1.1")

    async def test_openssl(self) -> None:
        """``openssl s_client`` verifies the chain and the name, with either version."""
        program = require("openssl", "openssl")
        good = self.start_server(RedisServer())
        service = self.serve(Redis(), f"localhost:{good.port}")
        for version in ("-tls1_2", "-tls1_3"):
            done = await self.in_thread(
                subprocess.run,
                [
                    *(program, "s_client", "-connect", f"127.0.0.1:{service.port}", version, "-quiet"),
                    *("-CAfile", self.files.ca, "-verify_return_error", "-servername", "localhost"),
                    *("-verify_hostname", "localhost"),
                ],
                input=b"PING\r\nQUIT\r\n",
                capture_output=True,
                timeout=60,
            )
            self.assertIn(b"+PONG\r\n+OK\r\n", done.stdout, done.stderr)

    async def test_own_certificate(self) -> None:
        """In one file with its key, in two, and as an ``ssl:`` endpoint string says."""
        good = self.start_server(RedisServer())
        certificate, key = self.files.pair("own.example")
        both = self.files.issue("own.example")
        for ends, listen in (
            (Ends(tls=both), "127.0.0.1:0"),
            (Ends(tls=certificate, tls_key=key), "127.0.0.1:0"),
            (Ends(), f"ssl:0:interface=127.0.0.1:certKey={certificate}:privateKey={key}"),
            (Ends(), f"ssl:0:interface=127.0.0.1:privateKey={both}"),
        ):
            service = self.serve(Redis(), f"localhost:{good.port}", ends=ends, listen=listen)
            with await self.in_thread(self.secured, service.port, None, "own.example") as sock:
                await self.in_thread(sock.sendall, b"PING\r\n")
                self.assertEqual(await self.in_thread(sock.recv, 100), b"+PONG\r\n")

    async def test_listener_of_twisted(self) -> None:
        """What an ``ssl:`` endpoint string says that only Twisted understands it does by itself."""
        good = self.start_server(RedisServer())
        certificate, key = self.files.pair("own.example")
        files = f"certKey={certificate}:privateKey={key}:extraCertChain={self.files.ca}"
        listen = f"ssl:0:interface=127.0.0.1:{files}"
        service = self.serve(Redis(), f"localhost:{good.port}", ends=Ends(), listen=listen)
        with await self.in_thread(self.secured, service.port, None, "own.example") as sock:
            await self.in_thread(sock.sendall, b"PING\r\n")
            self.assertEqual(await self.in_thread(sock.recv, 100), b"+PONG\r\n")


class HttpsTests(LiveCase):
    """httpx, and an HTTP server of Python's own that speaks TLS."""

    def https(self, name: str = "localhost", spoil: Spoil = Spoil.NONE) -> int:
        """The port of a server that ends with the test."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), Greeting)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files.pair(name, spoil))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        self.addCleanup(self.in_thread, _end, server, serving)
        return int(server.server_address[1])

    def get(self, port: int) -> tuple[str, str]:
        """What comes of a GET: the class of the error and its text, or the status and the content."""
        try:
            with httpx.Client(verify=self.trusting(), timeout=30) as client:
                answer = client.get(f"https://localhost:{port}/")
        except httpx.HTTPError as error:
            return type(error).__name__, str(error)
        return str(answer.status_code), answer.text

    async def test_both_ends(self) -> None:
        """Requests pass and are framed."""
        service = self.serve(Http(), f"tls:localhost:{self.https()}")
        self.assertEqual(await self.in_thread(self.get, service.port), ("200", "hello"))
        await self.gone(service)
        self.assertEqual((self.told("opaque"), self.told("link-closed")[0]["exchanges"]), ([], 1))

    async def test_faults_as_of_a_real_server(self) -> None:
        """httpx says of each spoilt certificate what it says of a server that has such a one."""
        good = self.https()
        for spoil in Spoil:
            if spoil is Spoil.NONE:
                continue
            wrong = spoil is Spoil.WRONG_NAME
            real = self.https("other.example") if wrong else self.https(spoil=spoil)
            service = self.serve(Http(), f"tls:localhost:{good}", Tls(kind=spoil.value))
            expected = await self.in_thread(self.get, real)
            self.assertEqual(await self.in_thread(self.get, service.port), expected, spoil)
            self.assertEqual(expected[0], "ConnectError")

    async def test_untrusted_backend(self) -> None:
        """It is a bad gateway, for every reason."""
        for spoil in (Spoil.EXPIRED, Spoil.SELF_SIGNED):
            service = self.serve(Http(), f"tls:localhost:{self.https(spoil=spoil)}")
            self.assertEqual((await self.in_thread(self.get, service.port))[0], "502", spoil)


class StreamTests(LiveCase):
    """Much at once."""

    async def test_large_both_ways(self) -> None:
        """Many megabytes pass both ways at once, and no byte is lost, of the last ones neither."""
        certificate, key = self.files.pair()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        data = hashlib.shake_256(b"seed").digest(1 << 20) * 20
        heard: list[bytes] = []

        def echo(peer: socket.socket) -> None:
            with context.wrap_socket(peer, server_side=True) as secured:
                heard.append(_exchange(secured, data))

        backend = ScriptedBackend(echo)
        self.addCleanup(self.in_thread, backend.stop)
        service = self.serve(Tcp(), f"tls:localhost:{backend.port}")

        def client() -> bytes:
            with self.secured(service.port or 0) as sock:
                return _exchange(sock, data)

        self.assertEqual(_digest(await self.in_thread(client)), _digest(data))
        await self.gone(service)
        self.assertEqual(_digest(heard[0]), _digest(data))

    async def test_many_at_once(self) -> None:
        """Many handshakes at one time all end well, and leave no descriptor open."""
        good = self.start_server(RedisServer())
        service = self.serve(Redis(), f"localhost:{good.port}")
        context = self.trusting()

        def visit() -> bytes:
            with self.secured(service.port or 0, context) as sock:
                sock.sendall(b"PING\r\n")
                return sock.recv(100)

        await self.in_thread(visit)
        await self.gone(service)
        before = descriptors()
        answers = await gatherResults([self.in_thread(visit) for _ in range(200)])
        self.assertEqual(set(answers), {b"+PONG\r\n"})
        await self.until(lambda: not service.proxy.links and descriptors() <= before)

    async def test_half_close(self) -> None:
        """A plain client's FIN becomes close_notify, and the reply still comes."""
        certificate, key = self.files.pair()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        def reply(peer: socket.socket) -> None:
            with context.wrap_socket(peer, server_side=True) as secured:
                request = b""
                while part := secured.recv(100):
                    request += part
                secured.sendall(request.upper())

        backend = ScriptedBackend(reply)
        self.addCleanup(self.in_thread, backend.stop)
        service = self.serve(Tcp(), f"tls:localhost:{backend.port}", ends=Ends(backend_tls_ca=self.files.ca))

        def client() -> tuple[bytes, str]:
            with connect(service.port or 0) as sock:
                sock.sendall(b"request")
                sock.shutdown(socket.SHUT_WR)
                return read_all(sock)

        self.assertEqual(await self.in_thread(client), (b"REQUEST", "fin"))

    async def test_silent_clients(self) -> None:
        """They are sent away when their time is up."""
        good = self.start_server(RedisServer())
        service = self.serve(Redis(), f"localhost:{good.port}", timeout=0.2)
        with connect(service.port or 0) as sock:
            self.assertEqual(await self.in_thread(read_all, sock), (b"", "fin"))
        self.assertIn("within 0.2 seconds", self.told("handshake-failed")[0]["why"])

    async def test_stop(self) -> None:
        """A proxy that stops leaves nothing behind, whatever its links are about to do."""
        good = self.start_server(TlsRedis(self.files))
        service = self.serve(Redis(), f"tls:localhost:{good.port}")
        silent = await self.in_thread(connect, service.port)
        talking = await self.in_thread(self.secured, service.port)
        await self.until(lambda: len(service.proxy.links) == 2)
        await service.stopService()
        self.assertEqual(service.proxy.links, {})
        silent.close()
        talking.close()


class Greeting(BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def _end(server: ThreadingHTTPServer, serving: threading.Thread) -> None:
    server.shutdown()
    server.server_close()
    serving.join(30)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _exchange(sock: ssl.SSLSocket, data: bytes) -> bytes:
    """Say all of it and hear as much, at one time; in one thread, because OpenSSL wants that."""
    sock.setblocking(False)
    left, heard = memoryview(data), bytearray()
    while left or len(heard) < len(data):
        ready = select.select([sock], [sock] if left else [], [], 30)
        assert any(ready), f"nothing for 30 seconds, after {len(heard)} bytes"
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while left:
                left = left[sock.send(left[:65536]) :]
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while len(heard) < len(data):
                part = sock.recv(65536)
                assert part, f"the end came after {len(heard)} bytes"
                heard += part
    sock.setblocking(True)
    return bytes(heard)
