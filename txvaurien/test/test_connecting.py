"""Connecting without a transport: to one address of several, in time, or not at all."""

from __future__ import annotations

import errno
import select
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net import connecting
from txvaurien.net.addresses import Backend
from txvaurien.net.allowed import parse_patterns
from txvaurien.net.connecting import ATTEMPT_DELAY, Connecting, makes_sockets
from txvaurien.net.descriptors import exhausted
from txvaurien.net.names import Place
from txvaurien.net.poller import Poller
from txvaurien.net.reach import Reach, Refusal
from txvaurien.test.network import BlackHole, closed_port
from txvaurien.test.support import descriptors

TIMEOUT = 30.0


class ConnectingCase(SynchronousTestCase):
    """Somebody who wants a connection, a clock, and a poller that waits for the kernel when told to."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.poller = Poller(self.reactor)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.there: Place = (socket.AF_INET, self.listener.getsockname())
        self.told: list[tuple[str, Any]] = []

    def connected(self, whose: Any, sock: socket.socket) -> None:
        """As a `Caller`."""
        self.addCleanup(sock.close)
        self.told.append((whose, sock))

    def failed(self, whose: Any, error: Exception) -> None:
        """As a `Caller`."""
        self.told.append((whose, error))

    def connecting(self, **options: Any) -> Connecting:
        """One attempt, for "me"."""
        return Connecting(self, "me", self.poller, self.reactor, TIMEOUT, **options)

    def refusing(self) -> Place:
        """Where connections are refused."""
        return socket.AF_INET, ("127.0.0.1", closed_port())

    def silent(self) -> Place:
        """Where nothing comes back."""
        hole = BlackHole()
        self.addCleanup(hole.stop)
        return socket.AF_INET, ("127.0.0.1", hole.port)

    def as_from_afar(self) -> None:
        """Not even loopback answers before the poller has been asked."""

        def connect(sock: socket.socket, address: Any) -> int:
            return sock.connect_ex(address)

        self.patch(connecting, "_begin", connect)

    def wait(self) -> None:
        """Until the kernel has something to say of what is watched, and the poller has heard it."""
        select.select([self.poller], [], [], 30)
        self.poller.doRead()
        self.reactor.advance(0)

    @property
    def answer(self) -> Any:
        """What "me" was told, which is one thing."""
        self.assertEqual([whose for whose, _ in self.told], ["me"])
        return self.told[0][1]

    def assert_nothing_left(self) -> None:
        """Nobody waits, and nothing is watched."""
        self.reactor.advance(0)
        self.assertEqual((self.reactor.getDelayedCalls(), self.poller.fileno()), ([], -1))


class OneTests(ConnectingCase):
    """With one address."""

    def test_at_once(self) -> None:
        """On the same machine there is nothing to wait for; the socket does not block, or hold back."""
        self.assertFalse(self.connecting().begin([self.there]))
        peer, address = self.listener.accept()
        self.addCleanup(peer.close)
        self.assertEqual(self.answer.getsockname(), address)
        self.assertEqual(self.answer.getblocking(), False)
        self.assertTrue(self.answer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        self.assert_nothing_left()

    def test_later(self) -> None:
        """From afar it takes a while."""
        self.as_from_afar()
        self.assertTrue(self.connecting().begin([self.there]))
        self.assertEqual(self.told, [])
        self.wait()
        self.assertEqual(self.answer.getpeername(), self.there[1])
        # The socket is watched on by whoever has it now.
        self.poller.forget(self.answer.fileno())
        self.assert_nothing_left()

    def test_ipv6(self) -> None:
        """It is the same."""
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
            self.connecting().begin([(socket.AF_INET6, listener.getsockname())])
            self.assertEqual(self.answer.getpeername(), listener.getsockname())

    def test_refused(self) -> None:
        """By this machine or from afar: it is the error that Twisted has for it."""
        for _ in range(2):
            self.told.clear()
            before = descriptors()
            place = self.refusing()
            if self.connecting().begin([place]):
                self.wait()
            self.assertIsInstance(self.answer, ConnectionRefusedError)
            self.assertIn("111: Connection refused", str(self.answer))
            self.assert_nothing_left()
            self.assertEqual(descriptors(), before)
            self.as_from_afar()

    def test_itself(self) -> None:
        """The kernel may connect a socket to itself, where nobody listens: then nobody is there."""
        for begin in (connecting._begin, lambda sock, address: sock.connect_ex(address)):
            self.told.clear()
            before = descriptors()
            place = self.refusing()

            def from_there(sock: socket.socket, address: Any, begin: Any = begin) -> Any:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(address)
                return begin(sock, address)

            self.patch(connecting, "_begin", from_there)
            if self.connecting().begin([place]):
                self.wait()
            self.assertIsInstance(self.answer, ConnectionRefusedError)
            self.assert_nothing_left()
            self.assertEqual(descriptors(), before)

    def test_unreachable(self) -> None:
        """What the kernel knows of no way to fails at once, with its reason."""
        # A broadcast address takes no TCP: the kernel says so itself, and nothing leaves this machine.
        self.assertFalse(self.connecting().begin([(socket.AF_INET, ("127.255.255.255", 9))]))
        self.assertIn(str(self.answer.osError), str(self.answer))
        self.assert_nothing_left()

    def test_too_late(self) -> None:
        """Time is limited."""
        before = descriptors()
        place = self.silent()
        held = descriptors() - before
        self.assertTrue(self.connecting().begin([place]))
        self.reactor.advance(TIMEOUT - 0.1)
        self.assertEqual(self.told, [])
        self.reactor.advance(0.1)
        self.assertIsInstance(self.answer, TimeoutError)
        self.assertIn("no connection within 30 seconds", str(self.answer))
        self.assert_nothing_left()
        self.assertEqual(descriptors(), before + held)

    def test_time_begins_with_the_lookup(self) -> None:
        """The limit is for the addresses as well: they come too late then."""
        attempt = self.connecting()
        attempt.wait()
        self.reactor.advance(TIMEOUT)
        self.assertIsInstance(self.answer, TimeoutError)
        self.assertFalse(attempt.begin([self.there]))
        attempt.fail(ValueError())
        self.assertEqual(len(self.told), 1)

    def test_cancelled(self) -> None:
        """Nothing is said to whoever does not want it any more, and nothing is left."""
        attempt = self.connecting()
        attempt.begin([self.silent(), self.there])
        attempt.cancel()
        self.reactor.advance(TIMEOUT)
        self.assertEqual(self.told, [])
        self.assert_nothing_left()

    def test_no_descriptors(self) -> None:
        """The limit of open files is a reason of its own."""

        def fail(*_: Any) -> socket.socket:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(socket, "socket", fail)
        self.connecting().begin([self.there])
        self.assertIn("the limit of open files is reached", exhausted(self.answer))

    def test_not_watched(self) -> None:
        """A kernel that watches no further socket is an error like any other."""
        self.as_from_afar()

        def fail(*_: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(self.poller, "watch", fail)
        before = descriptors()
        self.assertFalse(self.connecting().begin([self.there]))
        self.assertEqual(self.answer.errno, errno.ENOSPC)
        self.assertEqual(descriptors(), before)

    def test_not_allowed(self) -> None:
        """An address that may not be connected to is not."""
        backend = Backend("db:1", "db", 1)
        way = Reach(parse_patterns("10.0.0.0/8")).way_to(backend)
        self.connecting(way=way).begin([self.there])
        self.assertIsInstance(self.answer, Refusal)
        self.assertIn("is not allowed by --allow-backend", str(self.answer))
        self.listener.setblocking(False)
        self.assertRaises(BlockingIOError, self.listener.accept)


class SeveralTests(ConnectingCase):
    """With several addresses."""

    def test_first_refuses(self) -> None:
        """The next one is tried, wherever the refusal comes from."""
        for _ in range(2):
            self.told.clear()
            if self.connecting().begin([self.refusing(), self.there]):
                while not self.told:
                    self.wait()
                self.poller.forget(self.answer.fileno())
            self.assertEqual(self.answer.getpeername(), self.there[1])
            self.assert_nothing_left()
            self.as_from_afar()

    def test_first_is_silent(self) -> None:
        """The next one is tried when the first has taken its time, and wins."""
        self.connecting().begin([self.silent(), self.there])
        self.reactor.advance(ATTEMPT_DELAY - 0.01)
        self.assertEqual(self.told, [])
        self.reactor.advance(0.01)
        self.assertEqual(self.answer.getpeername(), self.there[1])
        self.assert_nothing_left()

    def test_first_is_slow(self) -> None:
        """The first may win while the next one is being tried; that one is closed."""
        self.as_from_afar()
        self.connecting().begin([self.there, self.silent()])
        self.reactor.advance(ATTEMPT_DELAY)
        self.wait()
        self.assertEqual(self.answer.getpeername(), self.there[1])
        self.poller.forget(self.answer.fileno())
        self.assert_nothing_left()

    def test_none(self) -> None:
        """What was wrong with the first is told."""
        first = (socket.AF_INET, ("127.255.255.255", 9))
        self.connecting().begin([first, self.refusing()])
        self.assertNotIsInstance(self.answer, ConnectionRefusedError)

    def test_silent_and_refused(self) -> None:
        """As long as one may still answer, there is hope; time is limited all the same."""
        self.connecting().begin([self.silent(), self.refusing()])
        self.reactor.advance(ATTEMPT_DELAY)
        self.assertEqual(self.told, [])
        self.reactor.advance(TIMEOUT)
        self.assertIsInstance(self.answer, TimeoutError)
        self.assert_nothing_left()

    def test_no_family(self) -> None:
        """A machine without IPv6 connects by IPv4."""
        self.connecting().begin([(socket.AF_UNSPEC + 255, ("::1", 1)), self.there])
        self.assertEqual(self.answer.getpeername(), self.there[1])


class ReactorTests(SynchronousTestCase):
    """Who connects."""

    def test_kinds(self) -> None:
        """A reactor in memory, or a clock, is left to play the network."""
        self.assertEqual(
            [makes_sockets(each) for each in (reactor, MemoryReactorClock(), Clock())], [True, False, False]
        )
