"""The service: listening, and ending."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txvaurien.behaviors.hang import Hang
from txvaurien.errors import ListenError
from txvaurien.plan import Plan
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService, cannot_listen
from txvaurien.test.peers import ScriptedBackend, read_all
from txvaurien.test.support import ProxyCase, connect


class WordsTests(SynchronousTestCase):
    """Why nothing listens."""

    def test_words(self) -> None:
        """The address, the reason, and what to do."""
        for number, words in (
            (
                98,
                "cannot listen on 127.0.0.1:80: the port is in use; stop the other process or choose another",
            ),
            (13, "cannot listen on 127.0.0.1:80: permission denied; choose a port above 1023 with --proxy"),
            (99, "cannot listen on 127.0.0.1:80: cannot assign requested address"),
        ):
            failure = Failure(CannotListenError("127.0.0.1", 80, OSError(number, "...")))
            self.assertIn(words, str(cannot_listen("x", failure, "--proxy")))

    def test_unix(self) -> None:
        """A Unix socket goes by its path."""
        failure = Failure(CannotListenError(None, b"/run/x.sock", OSError(98, "...")))
        self.assertIn(
            "cannot listen on unix:/run/x.sock: ", str(cannot_listen("unix:/run/x.sock", failure, "--proxy"))
        )

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


class LateEndpoint:
    """Takes its time to listen."""

    def __init__(self, listening: Deferred[None]) -> None:
        self._listening = listening

    def listen(self, factory: object) -> Deferred[None]:
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
    """Ending with links that stand."""

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
