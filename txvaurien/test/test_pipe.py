"""Pipes on real sockets: FIN as FIN, RST as RST, nothing lost, nothing held without need."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.protocols.tcp import Tcp
from txvaurien.service import ProxyService
from txvaurien.test.peers import ScriptedBackend, read_all, read_exactly, reset
from txvaurien.test.support import ProxyCase, connect, descriptors

MEGABYTE = 1 << 20


def echo(peer: socket.socket) -> None:
    """Send back what comes, and the end as well."""
    while True:
        data = peer.recv(MEGABYTE)
        if not data:
            peer.shutdown(socket.SHUT_WR)
            return
        peer.sendall(data)


class SocketCase(ProxyCase):
    """A proxy between a scripted backend and a socket."""

    def start(
        self, script: Callable[[socket.socket], None], behavior: Behavior | None = None
    ) -> ProxyService:
        """The proxy in front of a backend that runs `script` on each connection."""
        backend = ScriptedBackend(script)
        service = self.start_proxy(Tcp(), backend.port, behavior)
        # Clean-ups run last in, first out: the backend's threads end when the proxy's links have.
        self._cleanups.insert(0, (backend.stop, (), {}))
        return service

    async def talk(
        self, service: ProxyService, client: Callable[[socket.socket], tuple[bytes, str]]
    ) -> tuple[bytes, str]:
        """What a client makes of a connection through the proxy, when the link has gone."""

        def run() -> tuple[bytes, str]:
            try:
                sock = connect(service.port or 0)
            except ConnectionResetError:
                # A link that is reset at once may be so before connect() has looked.
                return b"", "rst"
            with sock:
                return client(sock)

        result = await self.in_thread(run)
        await self.until(lambda: not service.proxy.links)
        return result


class PassThroughTests(SocketCase):
    """With no rule."""

    async def test_half_close(self) -> None:
        """The backend sees the client's FIN and can still answer; the client sees its FIN."""

        def script(peer: socket.socket) -> None:
            data, ended = read_all(peer)
            peer.sendall(data[::-1] + ended.encode())

        def client(sock: socket.socket) -> tuple[bytes, str]:
            sock.sendall(b"abc")
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

        self.assertEqual(await self.talk(self.start(script), client), (b"cbafin", "fin"))

    async def test_backend_resets(self) -> None:
        """What it said before arrives, and then the RST."""

        def script(peer: socket.socket) -> None:
            peer.sendall(b"x" * 50_000)
            read_exactly(peer, 2)
            reset(peer)

        def client(sock: socket.socket) -> tuple[bytes, str]:
            read_exactly(sock, 50_000)
            sock.sendall(b"go")
            return read_all(sock)

        self.assertEqual(await self.talk(self.start(script), client), (b"", "rst"))

    async def test_client_resets(self) -> None:
        """The backend sees a RST."""
        ends: list[tuple[bytes, str]] = []
        done = threading.Event()

        def script(peer: socket.socket) -> None:
            peer.sendall(b"hello")
            ends.append(read_all(peer))
            done.set()

        def client(sock: socket.socket) -> tuple[bytes, str]:
            read_exactly(sock, 5)
            reset(sock)
            done.wait(30)
            return b"", ""

        await self.talk(self.start(script), client)
        self.assertEqual(ends, [(b"", "rst")])

    async def test_reset_found_by_writing(self) -> None:
        """A backend that has closed its socket answers what comes later with RST: so does the proxy."""

        def script(peer: socket.socket) -> None:
            read_exactly(peer, 1)

        def client(sock: socket.socket) -> tuple[bytes, str]:
            sock.sendall(b"1")
            self.assertEqual(sock.recv(1), b"")
            for _ in range(100):
                try:
                    sock.sendall(b"2")
                    threading.Event().wait(0.02)
                except OSError as error:
                    return b"", type(error).__name__
            return b"", "no error"

        _, error = await self.talk(self.start(script), client)
        self.assertIn(error, ("ConnectionResetError", "BrokenPipeError"))

    async def test_large_and_slow(self) -> None:
        """64 MB each way through a reader that waits first: every byte arrives, memory stays bounded."""
        total = 64 * MEGABYTE
        block = bytes(range(256)) * 256

        def client(sock: socket.socket) -> tuple[bytes, str]:
            def send() -> None:
                for _ in range(total // len(block)):
                    sock.sendall(block)
                sock.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            digest = hashlib.sha256()
            while data := sock.recv(MEGABYTE):
                digest.update(data)
            sender.join()
            return digest.digest(), ""

        expected = hashlib.sha256(block * (total // len(block))).digest()
        self.assertEqual(await self.talk(self.start(echo), client), (expected, ""))

    async def test_many_links(self) -> None:
        """A thousand links one after the other and two hundred at once leave nothing behind."""
        service = self.start(echo)

        def one(count: int) -> None:
            socks = [connect(service.port or 0) for _ in range(count)]
            for number, sock in enumerate(socks):
                sock.sendall(b"%d\n" % number)
            for number, sock in enumerate(socks):
                self.assertEqual(read_exactly(sock, len(b"%d\n" % number)), b"%d\n" % number)
                sock.close()

        def many() -> None:
            one(200)
            for _ in range(200):
                one(1)

        # The first link also opens what the reactor and its threads keep.
        await self.in_thread(one, 1)
        await self.until(lambda: not service.proxy.links)
        before = descriptors()
        await self.in_thread(many)
        await self.until(lambda: not service.proxy.links)
        self.assertEqual(service.proxy.stats.links, 401)
        await self.until(lambda: descriptors() <= before)


class FaultTests(SocketCase):
    """What the client's socket sees."""

    async def test_blackout(self) -> None:
        """FIN or RST, at once."""
        for flag, end in ((False, "fin"), (True, "rst")):
            service = self.start(echo, Blackout(reset=flag))
            self.assertEqual(await self.talk(service, read_all), (b"", end))

    async def test_error_of_tcp(self) -> None:
        """The errors of tcp are those of the network."""

        def client(sock: socket.socket) -> tuple[bytes, str]:
            sock.sendall(b"hello")
            return read_all(sock)

        for kind, end in (("reset", "rst"), ("closed", "fin")):
            service = self.start(echo, Error(kind=kind))
            self.assertEqual(await self.talk(service, client), (b"", end))

    async def test_garbage(self) -> None:
        """A hundred random bytes arrive whole before the FIN, though input was left unread."""

        def client(sock: socket.socket) -> tuple[bytes, str]:
            sock.sendall(b"x" * 200_000)
            return read_all(sock)

        data, end = await self.talk(self.start(echo, Error(garbage=True)), client)
        self.assertEqual((len(data), end), (100, "fin"))

    async def test_inject(self) -> None:
        """The reply has a hundred more bytes in its middle."""

        def client(sock: socket.socket) -> tuple[bytes, str]:
            sock.sendall(b"abcdef")
            data = read_exactly(sock, 106)
            return data, ""

        data, _ = await self.talk(self.start(echo, Error(inject=True)), client)
        self.assertEqual((data[:3], data[-3:]), (b"abc", b"def"))

    async def test_delay(self) -> None:
        """Late, and whole."""

        def client(sock: socket.socket) -> tuple[bytes, str]:
            sock.sendall(b"abc")
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

        for before in (True, False):
            service = self.start(echo, Delay(sleep=0.05, before=before))
            self.assertEqual(await self.talk(service, client), (b"abc", "fin"))

    async def test_abort(self) -> None:
        """The backend has got all of it and has answered; the client has nothing."""
        got: list[bytes] = []

        def script(peer: socket.socket) -> None:
            got.append(read_exactly(peer, 5))
            peer.sendall(b"done")

        def client(sock: socket.socket) -> tuple[bytes, str]:
            sock.sendall(b"hello")
            return read_all(sock)

        service = self.start(script, Abort(reset=True))
        self.assertEqual(await self.talk(service, client), (b"", "rst"))
        self.assertEqual(got, [b"hello"])
