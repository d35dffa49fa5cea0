"""A client and a backend joined in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.model import Then
from txvaurien.plan import Plan
from txvaurien.protocols.redis import Redis
from txvaurien.testing import inmemory
from txvaurien.testing.inmemory import WINDOW, JoinedProxy


class Peer(Protocol):
    """Keeps what comes, and how it ended."""

    transport: Any

    def __init__(self) -> None:
        self.got = b""
        self.ended = ""

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def connectionLost(self, reason: Any = None) -> None:
        self.ended = reason.type.__name__


class Echo(Peer):
    """Sends everything back."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(data)


@implementer(IHalfCloseableProtocol)
class HalfEcho(Echo):
    """Says a last word when its peer has none left."""

    def readConnectionLost(self) -> None:
        self.transport.write(b"bye")
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing to do."""


@implementer(IHalfCloseableProtocol)
class HalfPeer(Peer):
    """Can be said FIN to."""

    def readConnectionLost(self) -> None:
        self.ended = "fin"

    def writeConnectionLost(self) -> None:
        """Nothing to do."""


class Backends(Factory):
    """Keeps what it makes."""

    def __init__(self, kind: type[Peer] = Echo) -> None:
        self.kind = kind
        self.made: list[Peer] = []

    def buildProtocol(self, addr: object) -> Peer:
        self.made.append(self.kind())
        return self.made[-1]


class JoinedTests(SynchronousTestCase):
    """What flows, and how it ends."""

    def setUp(self) -> None:
        self.backends = Backends()
        self.joined = JoinedProxy(self.backends)

    def tearDown(self) -> None:
        self.assertEqual(self.joined.clock.getDelayedCalls(), [])

    def client(self, peer: Peer | None = None) -> Peer:
        """A client that is connected."""
        client = self.joined.connect(peer or Peer())
        self.joined.flush()
        return client

    def end(self) -> None:
        """End everything."""
        self.joined.proxy.kill()
        self.joined.advance(10)

    def test_flows(self) -> None:
        """What a client says comes back, when bytes may flow and not before."""
        client = self.client()
        client.transport.write(b"one")
        self.assertEqual(client.got, b"")
        self.joined.flush()
        self.assertEqual(client.got, b"one")
        self.end()

    def test_time(self) -> None:
        """Time passes when the test says so."""
        self.joined.proxy.set_plan(Plan.only(Delay(sleep=2)))
        client = self.client()
        client.transport.write(b"one")
        self.joined.advance(1.9)
        self.assertEqual(client.got, b"")
        self.joined.advance(0.2)
        self.assertEqual(client.got, b"one")
        self.end()

    def test_much(self) -> None:
        """More than the connections hold comes through whole: who sends it is told to pause."""
        client, paused = self.client(), []

        class Producer:
            def pauseProducing(self) -> None:
                paused.append(True)

            def resumeProducing(self) -> None:
                paused.append(False)

        client.transport.registerProducer(Producer(), True)
        client.transport.writeSequence([b"x" * WINDOW, b"y"])
        self.joined.flush()
        self.assertEqual((len(client.got), paused), (WINDOW + 1, [True, False]))
        client.transport.unregisterProducer()
        self.end()

    def test_slow_reader(self) -> None:
        """A client that does not read gets nothing, and all of it when it does."""
        client = self.client()
        client.transport.pauseProducing()
        client.transport.write(b"one")
        self.joined.flush()
        self.assertEqual(client.got, b"")
        client.transport.resumeProducing()
        self.joined.flush()
        self.assertEqual(client.got, b"one")
        self.end()

    def test_client_closes(self) -> None:
        """The backend is told in order."""
        client = self.client()
        client.transport.write(b"last")
        client.transport.loseConnection()
        client.transport.write(b"too late")
        self.joined.advance(1)
        (backend,) = self.backends.made
        self.assertEqual(
            (backend.got, backend.ended, client.ended), (b"last", "ConnectionDone", "ConnectionDone")
        )
        self.assertEqual(self.joined.proxy.links, {})

    def test_backend_closes(self) -> None:
        """So is the client."""
        client = self.client()
        self.backends.made[0].transport.write(b"bye")
        self.backends.made[0].transport.loseConnection()
        self.joined.advance(1)
        self.assertEqual((client.got, client.ended), (b"bye", "ConnectionDone"))
        self.assertEqual(self.joined.proxy.links, {})

    def test_half_close(self) -> None:
        """After the client's FIN the backend may still speak."""
        self.backends.kind = HalfEcho
        client = self.client(HalfPeer())
        client.transport.write(b"one")
        client.transport.loseWriteConnection()
        self.joined.advance(1)
        self.assertEqual(client.got, b"onebye")
        self.assertEqual(self.joined.proxy.links, {})

    def test_resets(self) -> None:
        """A reset goes through, either way, and one of the proxy's reaches both."""
        for reset in (
            lambda client, backend: client.transport.abortConnection(),
            lambda client, backend: backend.transport.abortConnection(),
            lambda client, backend: self.joined.proxy.kill(Then.RESET),
        ):
            client = self.client()
            reset(client, self.backends.made[-1])
            self.joined.flush()
            ended = {client.ended, self.backends.made[-1].ended}
            self.assertLessEqual(ended, {"ConnectionLost", "ConnectionAborted"})
            self.assertEqual(self.joined.proxy.links, {})

    def test_backend_is_down(self) -> None:
        """A backend that is down refuses; it can come back."""
        self.joined.backend = None
        self.assertEqual(self.client().ended, "ConnectionLost")
        self.assertIn("backend-refused", [name for name, _, _ in self.joined.events])
        self.joined.backend = self.backends
        client = self.client()
        self.assertEqual(client.ended, "")
        self.end()

    def test_faults_of_a_protocol(self) -> None:
        """A protocol's errors are said without asking the backend."""
        self.joined = JoinedProxy(self.backends, Redis(), Plan.only(Error(kind="loading")))
        client = self.client()
        client.transport.write(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
        self.joined.flush()
        self.assertTrue(client.got.startswith(b"-LOADING "), client.got)
        self.assertEqual(self.backends.made[0].got, b"")
        self.end()

    def test_several(self) -> None:
        """Links do not know of each other, and each has an address."""
        clients = [self.client() for _ in range(3)]
        self.assertEqual(len({link.client_address for link in self.joined.proxy.links.values()}), 3)
        clients[1].transport.write(b"one")
        self.joined.flush()
        self.assertEqual([client.got for client in clients], [b"", b"one", b""])
        self.end()

    def test_endless(self) -> None:
        """A conversation without an end is an error, and not a hang."""

        class Parrot(Peer):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(data)

        self.patch(inmemory, "TURNS", 100)
        client = self.client(Parrot())
        client.transport.write(b"one")
        self.assertRaises(RuntimeError, self.joined.flush)
        self.joined.proxy.kill()
        self.joined.advance(10)

    def test_hang(self) -> None:
        """A link that hangs leaves nothing behind when it is killed."""
        self.joined.proxy.set_plan(Plan.only(Hang()))
        client = self.client()
        client.transport.write(b"one")
        self.joined.advance(3600)
        self.assertEqual((client.got, client.ended), (b"", ""))
        self.end()
