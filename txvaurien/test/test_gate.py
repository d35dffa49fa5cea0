"""What a listener can do, with real sockets on loopback."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError, ListenError
from txvaurien.net.gate import Gate
from txvaurien.net.plug import queue_of
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.peers import ScriptedBackend, read_exactly
from txvaurien.test.support import ProxyCase, connect, descriptors
from txvaurien.test.test_tls_backend import certificate

_LINUX = sys.platform.startswith("linux")


def echo(peer: socket.socket) -> None:
    """Say what was said."""
    while data := peer.recv(1 << 16):
        peer.sendall(data)


def talk(sock: socket.socket) -> bytes:
    """What comes back for two bytes."""
    sock.sendall(b"hi")
    return read_exactly(sock, 2)


class GateCase(ProxyCase):
    """A proxy in front of an echo, and its gate."""

    def serve(self, listen: Any = "127.0.0.1:0") -> ProxyService:
        """Start it; it ends with the test, before its backend."""
        backend = ScriptedBackend(echo)
        proxy = Proxy(f"127.0.0.1:{backend.port}", Tcp(), reactor=reactor)
        service = ProxyService(proxy, listen)
        service.startService()
        self.addCleanup(self._end, service, backend)
        return service

    async def _end(self, service: ProxyService, backend: ScriptedBackend) -> None:
        await service.stopService()
        await self.in_thread(backend.stop)

    @staticmethod
    def gate(service: ProxyService) -> Gate:
        """The gate of a service that runs."""
        gate = service.proxy.gate
        assert gate is not None
        return gate

    def client(self, port: int | None) -> socket.socket:
        """A client that is connected, as far as the kernel is concerned."""
        sock = connect(port or 0)
        self.addCleanup(sock.close)
        return sock

    def knocking(self, port: int | None, family: int = socket.AF_INET) -> socket.socket:
        """A client that has sent a SYN, and has not waited for the answer."""
        sock = socket.socket(family, socket.SOCK_STREAM)
        self.addCleanup(sock.close)
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1" if family == socket.AF_INET else "::1", port or 0))
        return sock


def is_connected(sock: socket.socket) -> bool:
    """Whether the handshake is complete, as the client sees it."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


class PauseTests(GateCase):
    """Connections are not taken as they come."""

    async def test_pause(self) -> None:
        """They wait in the kernel until every reason is gone."""
        service = self.serve()
        gate = self.gate(service)
        gate.pause("one")
        gate.pause("other")
        sock = self.client(service.port)
        gate.resume("one")
        # Whoever connects to the backend's side of the reactor comes after what was there before.
        await self.in_thread(lambda: None)
        self.assertEqual(service.proxy.stats.links, 0)
        gate.resume("other")
        self.assertEqual(await self.in_thread(talk, sock), b"hi")

    async def test_one(self) -> None:
        """One is taken at a time, in the order in which they came; none is no error."""
        service = self.serve()
        gate = self.gate(service)
        gate.pause("test")
        gate.accept_one()
        socks = [self.client(service.port) for _ in range(3)]
        gate.accept_one()
        self.assertEqual(service.proxy.stats.links, 1)
        self.assertEqual(await self.in_thread(talk, socks[0]), b"hi")
        gate.accept_one()
        gate.accept_one()
        self.assertEqual(service.proxy.stats.links, 3)

    async def test_unix(self) -> None:
        """A Unix socket can be paused as well."""
        path = self.mktemp()
        service = self.serve(f"unix:{path}")
        gate = self.gate(service)
        gate.pause("test")
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.settimeout(30)
        sock.connect(path)
        gate.accept_one()
        self.assertEqual(service.proxy.stats.links, 1)
        self.assertEqual(await self.in_thread(talk, sock), b"hi")

    async def test_tls(self) -> None:
        """So can a listener that speaks TLS, which may be deaf and be disabled, too."""
        cert, key = certificate(Path(self.mktemp()))
        service = self.serve(f"ssl:0:interface=127.0.0.1:certKey={cert}:privateKey={key}")
        gate = self.gate(service)
        gate.pause("test")
        await gate.deafen()
        gate.hear()
        await gate.close()
        await gate.open()
        sock = self.client(service.port)
        gate.accept_one()

        def secured() -> bytes:
            context = ssl.create_default_context(cafile=cert)
            with context.wrap_socket(sock, server_hostname="localhost") as tls:
                return talk(tls)

        self.assertEqual(await self.in_thread(secured), b"hi")
        self.assertEqual(service.proxy.stats.links, 1)


class DeafTests(GateCase):
    """SYNs are not answered. That they are not is timed in test_actions_live."""

    if not _LINUX:
        skip = "what the kernel does with a full queue is known of Linux only"

    async def test_full(self) -> None:
        """The queue is full when it returns, and has its old length in the end."""
        for listen, family in (
            ("127.0.0.1:0", socket.AF_INET),
            ("0.0.0.0:0", socket.AF_INET),
            ("[::1]:0", socket.AF_INET6),
            ("[::]:0", socket.AF_INET),
        ):
            service = self.serve(listen)
            gate: Any = self.gate(service)
            listening = gate._port.socket
            before = queue_of(listening)
            await gate.deafen()
            self.assertEqual(queue_of(listening)[1], 0)
            self.assertFalse(is_connected(self.knocking(service.port, family)))
            gate.hear()
            self.assertEqual(queue_of(listening), before)
            # What the proxy put into the queue itself is no client.
            self.assertEqual(service.proxy.stats.links, 0)

    async def test_real_clients(self) -> None:
        """Clients that were in the queue before are served in the end, even if they are taken slowly."""
        service = self.serve()
        gate = self.gate(service)
        gate.pause("test")
        socks = [self.client(service.port) for _ in range(3)]
        await gate.deafen()
        gate.accept_one()
        self.assertEqual(service.proxy.stats.links, 0)
        gate.hear()
        self.assertEqual(service.proxy.stats.links, 3)
        for sock in socks:
            self.assertEqual(await self.in_thread(talk, sock), b"hi")

    async def test_nothing_left(self) -> None:
        """A hundred times deaf costs no descriptor."""
        service = self.serve()
        gate = self.gate(service)
        before = descriptors()
        for _ in range(100):
            await gate.deafen()
            gate.hear()
        self.assertEqual((descriptors(), service.proxy.stats.links), (before, 0))

    async def test_unix(self) -> None:
        """A Unix socket has no SYNs: a clear error, and clients are taken as before."""
        service = self.serve(f"unix:{self.mktemp()}")
        with self.assertRaises(ConfigError) as caught:
            await self.gate(service).deafen()
        self.assertIn("deaf: only a listener on a plain TCP port can be deaf", str(caught.exception))


class ClosedTests(GateCase):
    """The listener is away for a while."""

    async def test_same_port(self) -> None:
        """Clients are refused, nobody else gets the port, and in the end it is the same one."""
        for listen in ("127.0.0.1:0", "0.0.0.0:0", "[::]:0"):
            service = self.serve(listen)
            gate, port = self.gate(service), service.port or 0
            for _ in range(3):
                await gate.close()
                await gate.close()
                self.assertRaises(ConnectionRefusedError, connect, port)
                with self.assertRaises(OSError), socket.socket() as other:
                    other.bind(("127.0.0.1", port))
                await gate.open()
                await gate.open()
                self.assertEqual(await self.in_thread(talk, self.client(port)), b"hi")

    async def test_port_was_taken(self) -> None:
        """Should somebody get it all the same, that is said, and it can be tried again."""
        service = self.serve()
        gate, port = self.gate(service), service.port or 0
        await gate.close()
        thief = socket.socket()
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        with self.assertRaises(ListenError) as caught:
            await gate.open()
        self.assertIn(f"cannot listen on 127.0.0.1:{port}: the port is in use", str(caught.exception))
        thief.close()
        await gate.open()
        self.assertEqual(await self.in_thread(talk, self.client(port)), b"hi")

    async def test_reasons_stay(self) -> None:
        """What it was deaf and paused for holds again when it is open."""
        service = self.serve()
        gate: Any = self.gate(service)
        gate.pause("test")
        await gate.deafen()
        await gate.close()
        gate.accept_one()
        await gate.open()
        self.assertEqual(queue_of(gate._port.socket)[1], 0)
        await gate.close()
        gate.hear()
        await gate.open()
        self.client(service.port)
        gate.accept_one()
        self.assertEqual(service.proxy.stats.links, 1)

    async def test_unix(self) -> None:
        """A Unix socket goes, and comes back at its path."""
        path = self.mktemp()
        service = self.serve(f"unix:{path}")
        gate = self.gate(service)
        await gate.close()
        self.assertRaises(FileNotFoundError, os.stat, path)
        await gate.open()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(path)
            self.assertEqual(await self.in_thread(talk, sock), b"hi")

    async def test_stop(self) -> None:
        """Stopped for good while it closes: the port is free, and nothing opens it again."""
        service = self.serve()
        gate, port = self.gate(service), service.port or 0
        closing = Deferred.fromCoroutine(gate.close())
        await service.stopService()
        await closing
        await gate.open()
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))


class InheritedTests(GateCase):
    """A socket that somebody else opened and has open as well, as systemd does."""

    def setUp(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        # As systemd does: with the port that its unit names.
        self.listening = socket.create_server(("127.0.0.1", self.port), backlog=77)
        self.listening.setblocking(False)
        self.addCleanup(self.listening.close)
        # The endpoint closes what it is given.
        given = os.dup(self.listening.fileno())
        self.service = self.serve(AdoptedStreamServerEndpoint(reactor, given, socket.AF_INET))

    async def test_closed(self) -> None:
        """Clients are refused though the other has it open, and served afterwards."""
        gate = self.gate(self.service)
        await gate.close()
        self.assertRaises(ConnectionRefusedError, connect, self.port)
        await gate.open()
        self.assertEqual(await self.in_thread(talk, self.client(self.port)), b"hi")
        self.assertEqual(queue_of(self.listening), (0, 77))

    async def test_stopped_while_closed(self) -> None:
        """The socket is left listening, for whoever gets it next."""
        await self.gate(self.service).close()
        await self.service.stopService()
        self.client(self.port)
        self.assertEqual(queue_of(self.listening), (1, 77))

    async def test_stopped_while_deaf(self) -> None:
        """The socket is left with the backlog that it had."""
        await self.gate(self.service).deafen()
        await self.service.stopService()
        self.assertEqual(queue_of(self.listening)[1], 77)

    async def test_closed_while_deaf(self) -> None:
        """One on top of the other leaves nothing behind."""
        gate = self.gate(self.service)
        await gate.deafen()
        await gate.close()
        self.assertRaises(ConnectionRefusedError, connect, self.port)
        gate.hear()
        await gate.open()
        self.assertEqual(await self.in_thread(talk, self.client(self.port)), b"hi")
        self.assertEqual((self.service.proxy.stats.links, queue_of(self.listening)), (1, (0, 77)))

    if not _LINUX:
        skip = "only Linux takes a shared socket out of listening"


class InheritedUnixTests(GateCase):
    """A Unix socket of somebody else's cannot be taken out of listening."""

    async def test_refused(self) -> None:
        """A clear error, and nothing has changed."""
        path = self.mktemp()
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(path)
        listening.listen()
        listening.setblocking(False)
        given = os.dup(listening.fileno())
        service = self.serve(AdoptedStreamServerEndpoint(reactor, given, socket.AF_UNIX))
        with self.assertRaises(ConfigError) as caught:
            await self.gate(service).close()
        self.assertIn("handed over by another process", str(caught.exception))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(path)
            self.assertEqual(await self.in_thread(talk, sock), b"hi")


class OtherListenerTests(SynchronousTestCase):
    """A listener that is none of Twisted's own."""

    def setUp(self) -> None:
        self.service = ProxyService(Proxy("127.0.0.1:9", Tcp(), reactor=MemoryReactorClock()), "127.0.0.1:0")
        self.service.startService()
        self.gate = GateCase.gate(self.service)

    def test_pause(self) -> None:
        """What it cannot do is said."""
        error = self.assertRaises(ConfigError, self.gate.pause, "slow_accept")
        self.assertIn("slow_accept: this listener does not let itself be paused", str(error))
        self.failureResultOf(Deferred.fromCoroutine(self.gate.deafen()), ConfigError)

    def test_closed(self) -> None:
        """It can be closed and opened, as every listener."""
        for work in (self.gate.close, self.gate.open, self.gate.stop):
            self.successResultOf(Deferred.fromCoroutine(work()))
        self.assertFalse(self.gate.listening)
