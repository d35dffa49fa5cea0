"""The service: listening, and ending."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txvaurien.actions import Deaf, Disable, HalfOpen, KillIdle, SlowAccept
from txvaurien.behaviors.hang import Hang
from txvaurien.errors import ConfigError, ListenError
from txvaurien.plan import Plan
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.peers import ScriptedBackend, read_all
from txvaurien.test.support import ProxyCase, connect


class LateTests(SynchronousTestCase):
    """Endpoints that listen, or fail, only after the start."""

    def test_failure_that_comes_late(self) -> None:
        """An endpoint that fails after the start is heard of in the log."""
        listening: Deferred[None] = Deferred()
        endpoint: Any = LateEndpoint(listening)
        service = ProxyService(Proxy("127.0.0.1:9", Tcp(), reactor=MemoryReactorClock()), endpoint)
        seen: list[LogEvent] = []
        observer: Any = seen.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        service.startService()
        listening.errback(OSError(13, "..."))
        self.assertIn("permission denied", str([event.get("why") for event in seen]))
        self.successResultOf(service.stopService())

    def test_itself_found_late(self) -> None:
        """A backend that turns out to be the proxy itself is said in the log, and nothing listens on."""
        listening: Deferred[Any] = Deferred()
        endpoint: Any = LateEndpoint(listening)
        service = ProxyService(Proxy("127.0.0.1:9", Tcp(), reactor=MemoryReactorClock()), endpoint)
        seen: list[LogEvent] = []
        observer: Any = seen.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        service.startService()
        port = QuietPort()
        listening.callback(port)
        self.assertIn("is where the proxy itself listens", str([event.get("why") for event in seen]))
        self.assertTrue(port.stopped)
        self.successResultOf(service.stopService())


class QuietPort:
    """Listens on port 9, and that is all."""

    stopped = False

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 9)

    def stopListening(self) -> None:
        self.stopped = True


class LateEndpoint:
    """Takes its time to listen."""

    def __init__(self, listening: Deferred[Any]) -> None:
        self._listening = listening

    def listen(self, factory: object) -> Deferred[Any]:
        return self._listening


class ServiceTests(TestCase):
    """A service in its application."""

    def service(self, listen: str) -> ProxyService:
        """A service in front of nothing."""
        return ProxyService(Proxy("127.0.0.1:9", Tcp(), Plan(), reactor=reactor), listen)

    async def test_port(self) -> None:
        """Port 0 is any port, and the service says which."""
        service = self.service("localhost:0")
        service.startService()
        self.assertGreater(service.port or 0, 0)
        await service.stopService()
        service.startService()
        await service.stopService()

    async def test_port_in_use(self) -> None:
        """A clear error, and the service does not pretend to run."""
        first = self.service("localhost:0")
        first.startService()
        second = self.service(f"localhost:{first.port}")
        error = self.assertRaises(ListenError, second.startService)
        self.assertIn(f"127.0.0.1:{first.port}: the port is in use", str(error))
        self.assertFalse(second.running)
        await first.stopService()

    async def test_unix(self) -> None:
        """Any endpoint string will do."""
        path = self.mktemp()
        service = self.service(f"unix:{path}")
        service.startService()
        self.assertIsNone(service.port)
        await service.stopService()

    async def test_itself(self) -> None:
        """A backend that is the proxy itself is refused, and the port is free again."""
        first = self.service("localhost:0")
        first.startService()
        port = first.port or 0
        await first.stopService()
        service = ProxyService(Proxy(f"localhost:{port}", Tcp(), reactor=reactor), f"127.0.0.1:{port}")
        error = self.assertRaises(ConfigError, service.startService)
        self.assertEqual(
            str(error),
            f"--backend: 'localhost:{port}' is where the proxy itself listens;"
            " give the address of the server, or have the proxy listen elsewhere",
        )
        self.assertFalse(service.running)
        await service.stopService()
        self.assertRaises(ConnectionRefusedError, connect, port)

    async def test_gate(self) -> None:
        """The proxy has a gate while the service runs."""
        service = self.service("localhost:0")
        self.assertIsNone(service.proxy.gate)
        service.startService()
        self.assertIsNotNone(service.proxy.gate)
        await service.stopService()
        self.assertIsNone(service.proxy.gate)

    def test_in_memory(self) -> None:
        """An embedding application may bring a reactor of its own."""
        memory = MemoryReactorClock()
        service = ProxyService(Proxy("127.0.0.1:9", Tcp(), reactor=memory), "localhost:8000")
        service.startService()
        self.assertEqual((memory.tcpServers[0][0], memory.tcpServers[0][3]), (8000, "127.0.0.1"))


def drain(peer: socket.socket) -> None:
    """Read to the end, say nothing."""
    read_all(peer)


class StopTests(ProxyCase):
    """Ending with links and actions that stand."""

    async def test_actions(self) -> None:
        """Actions end with the service, which is not open again for a moment; it can start anew."""
        backend = ScriptedBackend(drain)
        self.addCleanup(backend.stop)
        service = ProxyService(Proxy(f"127.0.0.1:{backend.port}", Tcp(), reactor=reactor), "127.0.0.1:0")
        for standing in ([Disable()], [Deaf()], [Deaf(), Disable(), SlowAccept()], [KillIdle(), HalfOpen()]):
            service.startService()
            port = service.port or 0
            for action in standing:
                await service.proxy.actions.start(action)
            await service.stopService()
            self.assertEqual(dict(service.proxy.actions.standing), {})
            self.assertRaises(ConnectionRefusedError, connect, port)
        self.assertEqual(service.proxy.stats.links, 0)

    async def test_stop(self) -> None:
        """Links are ended, those that hang as well, and nobody can connect any more."""
        backend = ScriptedBackend(drain)
        service = self.start_proxy(Tcp(), backend.port, Hang())
        self._cleanups.insert(0, (backend.stop, (), {}))
        socks = [connect(service.port or 0) for _ in range(3)]
        for sock in socks:
            self.addCleanup(sock.close)
        socks[0].sendall(b"held")
        await self.until(lambda: len(service.proxy.links) == 3)
        port = service.port or 0
        await service.stopService()
        self.assertEqual(service.proxy.links, {})
        ends = await self.in_thread(lambda: [read_all(sock) for sock in socks])
        self.assertEqual([data for data, _ in ends], [b"", b"", b""])
        self.assertRaises(ConnectionRefusedError, connect, port)
