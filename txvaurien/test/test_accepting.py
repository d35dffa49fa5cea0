"""Taking clients: without a transport, as many as the port says, and when no more can be taken."""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txvaurien.net.accepting import Accepting, accepts_itself
from txvaurien.net.peers import client_text
from txvaurien.net.plug import WithoutFillers
from txvaurien.net.polled import PolledPipe
from txvaurien.net.seldom import EVERY
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.peers import read_all
from txvaurien.test.support import connect
from txvaurien.test.test_pipe import SocketCase, echo


class Port:
    """A port, as far as one that accepts needs it, on a socket that does not block."""

    def __init__(self, listening: socket.socket) -> None:
        self.socket: Any = listening
        self.factory: Any = Factory.forProtocol(Protocol)
        self.numberAccepts = 100
        self.as_twisted = 0

    def doRead(self) -> None:
        """What Twisted does when a client comes."""
        self.as_twisted += 1


class Full:
    """A listening socket of a process that has no descriptor left."""

    family = socket.AF_UNIX

    def __init__(self, code: int) -> None:
        self.code = code

    def accept(self) -> Any:
        """It cannot."""
        raise OSError(self.code, os.strerror(self.code))


class TakeTests(SynchronousTestCase):
    """Whoever waits is taken."""

    def setUp(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        listening.setblocking(False)
        self.port = Port(listening)
        self.clock = Clock()
        self.served: list[tuple[socket.socket, str]] = []
        self.accepting = Accepting(self.port, self.clock, self.serve)

    def serve(self, client: socket.socket, address: str) -> None:
        """A client."""
        self.addCleanup(client.close)
        self.served.append((client, address))

    def client(self) -> socket.socket:
        """Somebody who connects."""
        sock = socket.create_connection(self.port.socket.getsockname())
        self.addCleanup(sock.close)
        return sock

    def said(self) -> list[str]:
        """What is logged when it takes clients."""
        with capturedLogs() as events:
            self.port.doRead()
        return [str(formatEvent(event)) for event in events]

    def test_in_order(self) -> None:
        """All of them, in one go, as they came; their sockets do not block, and hold nothing back."""
        clients = [self.client() for _ in range(3)]
        self.port.doRead()
        expected = ["{}:{}".format(*each.getsockname()) for each in clients]
        self.assertEqual([address for _, address in self.served], expected)
        for sock, _ in self.served:
            self.assertFalse(sock.getblocking())
            self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_nobody(self) -> None:
        """That nobody waits is no error."""
        self.assertEqual(self.said(), [])

    def test_at_most(self) -> None:
        """The port says how many; more the next time, if there were so many."""
        for _ in range(3):
            self.client()
        self.port.numberAccepts = 1
        self.port.doRead()
        self.assertEqual(len(self.served), 1)
        self.assertGreater(self.port.numberAccepts, 2)
        self.port.doRead()
        self.assertEqual((len(self.served), self.port.numberAccepts), (3, 2))

    def test_reopened(self) -> None:
        """A port that has another socket goes on with that."""
        self.port.doRead()
        self.port.socket.close()
        self.port.socket = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.port.socket.close)
        self.port.socket.setblocking(False)
        self.client()
        self.port.doRead()
        ((sock, _),) = self.served
        self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_not_let_in(self) -> None:
        """Another factory may not want a client: its connection is closed."""
        ours, other = self.client(), self.client()
        self.port.factory = WithoutFillers(self.port.factory, frozenset({ours.getsockname()}))
        self.port.doRead()
        self.assertEqual([address for _, address in self.served], ["{}:{}".format(*other.getsockname())])
        self.assertEqual(ours.recv(1), b"")

    def test_mistake(self) -> None:
        """One who cannot be served is closed, and the next one is served."""
        serve = self.serve

        def fail(client: socket.socket, address: str) -> None:
            self.accepting._serve = serve
            raise ZeroDivisionError

        self.accepting._serve = fail
        first, _ = self.client(), self.client()
        self.port.doRead()
        self.assertEqual((first.recv(1), len(self.served)), (b"", 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_limit(self) -> None:
        """It is said that the limit of open files is reached, what it is, and what to do: not every time."""
        self.port.socket = Full(errno.EMFILE)
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        (said,) = self.said()
        self.assertIn("the limit of open files is reached", said)
        self.assertIn(f"may have {limit}", said)
        self.assertIn("ulimit -n", said)
        self.assertEqual((self.port.as_twisted, self.said()), (1, []))
        self.clock.advance(EVERY)
        self.assertEqual((len(self.said()), self.port.as_twisted), (1, 3))

    def test_limit_of_the_machine(self) -> None:
        """That is another limit."""
        self.port.socket = Full(errno.ENFILE)
        self.assertIn("of the whole machine is reached", self.said()[0])

    def test_other_errors(self) -> None:
        """Are for Twisted to speak of."""
        self.port.socket = Full(errno.ECONNABORTED)
        self.assertEqual((self.said(), self.port.as_twisted), ([], 1))


class AddressTests(SynchronousTestCase):
    """What a client is called."""

    def test_kinds(self) -> None:
        """By host and port, or by the path of its socket if it has one."""
        self.assertEqual(client_text(("127.0.0.1", 5)), "127.0.0.1:5")
        self.assertEqual(client_text(("::1", 5, 0, 0)), "[::1]:5")
        self.assertEqual([client_text(each) for each in ("", "/run/x", b"\0x")], ["", "/run/x", "\0x"])

    def test_scope(self) -> None:
        """An address of one interface only is told with the name of that."""
        self.assertEqual(client_text(("fe80::1", 5, 0, 1)), "[fe80::1%lo]:5")


class ServiceTests(SocketCase):
    """With a service."""

    async def test_plain(self) -> None:
        """A listener on a plain socket makes no transports; on IPv6 it is the same."""
        service = self.start(echo)
        with connect(service.port or 0) as sock:
            await self.until(lambda: any(link.client for link in service.proxy.links.values()))
            (link,) = service.proxy.links.values()
            self.assertEqual(link.client_address, "{}:{}".format(*sock.getsockname()))
            self.assertIsInstance(link.client, PolledPipe)
        await self.until(lambda: not service.proxy.links)

    async def test_limit(self) -> None:
        """With no descriptor left a client does not wait in vain; when there are some it is served."""
        service = self.start(echo)
        waiting, late = socket.socket(), socket.socket()
        for each in (waiting, late):
            self.addCleanup(each.close)
            each.settimeout(30)
        # Both the reactor and its threads need some when they start.
        await self.in_thread(lambda: None)
        with capturedLogs() as events:
            free = self.use_up()
            await self.in_thread(waiting.connect, ("127.0.0.1", service.port))
            self.assertEqual((await self.in_thread(read_all, waiting))[0], b"")
            free()
        said = "".join(str(formatEvent(event)) for event in events)
        self.assertIn("the limit of open files is reached", said)
        await self.in_thread(late.connect, ("127.0.0.1", service.port))
        late.sendall(b"x")
        self.assertEqual(await self.in_thread(late.recv, 1), b"x")

    def use_up(self) -> Any:
        """Open as many files as there may be; what is returned closes them."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(each) for each in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 5, hard))
        opened: list[int] = []

        def free() -> None:
            while opened:
                os.close(opened.pop())
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        self.addCleanup(free)
        try:
            while True:
                opened.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return free


class KindTests(TestCase):
    """Which ports give bare sockets."""

    def test_kinds(self) -> None:
        """Those that have our factory, and nothing between."""
        factory = Factory.forProtocol(Protocol)
        real: Any = reactor
        port = real.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        kinds = [(port, factory), (port, None), (MemoryReactorClock().listenTCP(0, factory), factory)]
        self.assertEqual([accepts_itself(*each) for each in kinds], [True, False, False])

    async def test_no_poller(self) -> None:
        """Without a poller the port does as ever."""
        proxy = Proxy("127.0.0.1:9", Tcp(), reactor=reactor)
        proxy.poller = None
        service = ProxyService(proxy, "127.0.0.1:0")
        service.startService()
        listening: Any = service._listener._listening
        self.assertNotIn("doRead", vars(listening))
        await service.stopService()


class WelcomeTests(SynchronousTestCase):
    """`Proxy.welcome`."""

    def test_cannot_be_watched(self) -> None:
        """A client that cannot be watched is sent away; its link has ended, and the log says why."""
        proxy = Proxy("127.0.0.1:1", Tcp(), reactor=reactor)
        told: list[str] = []
        proxy.observers.append(lambda event, link, fields: told.append(event))

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(proxy.poller, "watch", full)
        client, peer = socket.socketpair()
        self.addCleanup(peer.close)
        with capturedLogs() as logged:
            proxy.welcome(client, "127.0.0.1:5")
        self.assertEqual((peer.recv(1), proxy.links, proxy.stats.links), (b"", {}, 1))
        self.assertIn("link-closed", told)
        self.assertIn("a client is sent away", formatEvent(logged[-1]))
        self.successResultOf(proxy.stop())
