"""tcp: turns."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.model import Direction
from txvaurien.net.pipe import DRAIN_TIME
from txvaurien.plan import Plan
from txvaurien.protocols.tcp import Tcp, TcpFactory, TcpProtocol
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy, MemoryTransport
from txvaurien.testing import SessionLaws


class TcpLaws(SessionLaws, SynchronousTestCase):
    """What every session keeps."""

    protocol = Tcp()
    conversations = {  # noqa: RUF012
        "client speaks first": [(Direction.TO_BACKEND, b"hello"), (Direction.TO_CLIENT, b"hi")],
        "server speaks first": [
            (Direction.TO_CLIENT, b"220 welcome"),
            (Direction.TO_BACKEND, b"HELO"),
            (Direction.TO_CLIENT, b"250 ok"),
            (Direction.TO_BACKEND, b"QUIT"),
            (Direction.TO_CLIENT, b"221 bye"),
        ],
        "one way": [(Direction.TO_BACKEND, b"a log line, and another")],
        "mute": [],
    }


class TurnTests(SynchronousTestCase):
    """A chunk is an accident of the kernel, a turn is not."""

    def test_turns(self) -> None:
        """What one side says until the other speaks is one message, however it is cut."""
        session = Tcp().session()
        frames = [
            *session.receive(Direction.TO_BACKEND, b"a"),
            *session.receive(Direction.TO_BACKEND, b"b"),
            *session.receive(Direction.TO_CLIENT, b"c"),
            *session.receive(Direction.TO_CLIENT, b"d"),
            *session.receive(Direction.TO_BACKEND, b"e"),
        ]
        self.assertEqual([frame.first for frame in frames], [True, False, True, False, True])
        self.assertEqual(len({id(frame.exchange) for frame in frames}), 2)

    def test_one_delay_a_turn(self) -> None:
        """A turn in three chunks is delayed once; its number is that of the turn."""
        proxy = MemoryProxy(Delay(sleep=1.0), Tcp())
        client, backend = proxy.pair()
        client.says(b"a")
        client.says(b"b")
        proxy.pass_time(1.0)
        client.says(b"c")
        self.assertEqual(backend.received, b"abc")
        backend.says(b"x")
        backend.says(b"y")
        client.says(b"d")
        self.assertEqual((backend.received, client.received), (b"abc", b"xy"))
        proxy.pass_time(1.0)
        self.assertEqual(backend.received, b"abcd")
        self.assertEqual([event["exchange"] for event in proxy.named("fired")], ["1", "2"])

    def test_reply_of_each_turn_delayed(self) -> None:
        """Also the replies, and those of later turns."""
        proxy = MemoryProxy(Delay(sleep=1.0, before=False), Tcp())
        client, backend = proxy.pair()
        for number in (b"1", b"2", b"3"):
            client.says(number)
            backend.says(number)
            self.assertNotIn(number, client.received)
            proxy.pass_time(1.0)
            self.assertIn(number, client.received)
        self.assertEqual(client.received, b"123")

    def test_client_speaks_while_the_reply_waits(self) -> None:
        """The next turn goes to the backend; replies stay in order."""
        proxy = MemoryProxy(Delay(sleep=1.0, before=False), Tcp())
        client, backend = proxy.pair()
        client.says(b"1")
        backend.says(b"one")
        client.says(b"2")
        backend.says(b"two")
        self.assertEqual((backend.received, client.received), (b"12", b""))
        proxy.pass_time(1.0)
        self.assertEqual(client.received, b"one")
        proxy.pass_time(1.0)
        self.assertEqual(client.received, b"onetwo")

    def test_greeting_is_left_alone(self) -> None:
        """What the server says first is not delayed by a bare delay."""
        proxy = MemoryProxy(Delay(sleep=1.0, before=False), Tcp())
        client, backend = proxy.pair()
        backend.says(b"welcome")
        self.assertEqual(client.received, b"welcome")

    def test_no_growth(self) -> None:
        """A link does not remember its turns, whether there is a rule or not."""
        for plan in (Plan(), Plan(rules=(Rule(Dummy()),)), Plan.only(Delay(sleep=0.0), seed=1)):
            proxy = MemoryProxy(plan, Tcp())
            client, backend = proxy.pair()
            for _ in range(50):
                client.says(b"a")
                proxy.pass_time()
                backend.says(b"b")
            link = proxy.links[1]
            self.assertEqual(client.received, b"b" * 50)
            self.assertLessEqual((len(link.turns), len(link.turns.lives)), (1, 1))
            self.assertEqual(link.exchanges, 50)

    def test_garbage(self) -> None:
        """The backend hears nothing; the client gets noise, then FIN."""
        proxy = MemoryProxy(Error(garbage=True), Tcp())
        client, backend = proxy.pair()
        client.says(b"a")
        self.assertEqual((len(client.received), client.ended, backend.received), (100, "fin", b""))

    def test_inject_each_turn(self) -> None:
        """Each reply gets its noise, whole turns later as well."""
        proxy = MemoryProxy(Error(inject=True), Tcp())
        client, backend = proxy.pair()
        for length in (102, 204):
            client.says(b"a")
            backend.says(b"bc")
            self.assertEqual(len(client.received), length)

    def test_abort(self) -> None:
        """The cut comes when the backend begins to answer: it has the whole turn then."""
        for wait in (False, True):
            proxy = MemoryProxy(Abort(wait=wait), Tcp())
            client, backend = proxy.pair()
            client.says(b"a")
            client.says(b"b")
            self.assertEqual((backend.received, client.ended), (b"ab", ""))
            backend.says(b"c")
            self.assertEqual((client.received, client.ended, backend.ended), (b"", "fin", "fin"))
            proxy.pass_time(DRAIN_TIME)
            self.assertEqual((proxy.links, proxy.reactor.getDelayedCalls()), ({}, []))


class FactoryTests(SynchronousTestCase):
    """The Twisted pair."""

    def test_serves(self) -> None:
        """The factory is all that a service of one's own needs."""
        reactor = MemoryReactorClock()
        factory = TcpFactory("127.0.0.1:80", Plan.only(Delay()), reactor=reactor)
        client = MemoryTransport(reactor)
        client.protocol = factory.buildProtocol(client.getPeer())
        client.protocol.makeConnection(client)
        self.assertIsInstance(client.protocol, TcpProtocol)
        self.assertEqual(reactor.tcpClients[0][:2], ("127.0.0.1", 80))
        self.assertEqual(factory.proxy.plan.mix_text, "delay")
