"""tcp: turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.errors import NotLegal
from txvaurien.model import Connect, Direction, Exchange, Refusal, Then
from txvaurien.net.pipe import DRAIN_TIME
from txvaurien.plan import Plan
from txvaurien.protocols.opaque import OpaqueSession
from txvaurien.protocols.tcp import Tcp, TcpFactory, TcpProtocol
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy, MemoryTransport
from txvaurien.testing import Conversation, SessionLaws


class TcpLaws(SessionLaws, SynchronousTestCase):
    """What every session keeps."""

    protocol = Tcp()
    conversations: ClassVar[Mapping[str, Conversation]] = {
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


class SaidTests(SynchronousTestCase):
    """What of a turn is told to the link."""

    def setUp(self) -> None:
        self.session = OpaqueSession()

    def said(self, direction: Direction, data: bytes) -> Exchange:
        """The exchange of the one frame that this makes."""
        (frame,) = self.session.receive(direction, data)
        assert frame.exchange is not None
        return frame.exchange

    def goes_on(self) -> tuple[bool, bool]:
        """Whether what comes next belongs to what came last: from the client, from the backend."""
        return self.session.goes_on(Direction.TO_BACKEND), self.session.goes_on(Direction.TO_CLIENT)

    def ends(self, direction: Direction) -> list[Exchange | None]:
        """Whose message a FIN in this direction ends."""
        frames = list(self.session.finish(direction))
        self.assertTrue(all(frame.last and not frame.first and not frame.raw for frame in frames))
        return [frame.exchange for frame in frames]

    def test_nothing_said(self) -> None:
        """No bytes make no frame, and no turn."""
        self.assertEqual([list(self.session.receive(each, b"")) for each in Direction], [[], []])
        self.assertEqual(self.goes_on(), (False, False))

    def test_nothing_yet(self) -> None:
        """At first nothing goes on, and a FIN ends nothing."""
        self.assertEqual(self.goes_on(), (False, False))
        self.assertEqual([self.ends(direction) for direction in Direction], [[], []])

    def test_turns(self) -> None:
        """Whoever speaks goes on with the turn; the other side begins something new."""
        turn = self.said(Direction.TO_BACKEND, b"a")
        self.assertEqual(self.goes_on(), (True, False))
        self.assertEqual((self.ends(Direction.TO_CLIENT), self.ends(Direction.TO_BACKEND)), ([], [turn]))
        self.assertIs(self.said(Direction.TO_CLIENT, b"b"), turn)
        self.assertEqual(self.goes_on(), (False, True))
        self.assertEqual((self.ends(Direction.TO_CLIENT), self.ends(Direction.TO_BACKEND)), ([turn], []))

    def test_greeting(self) -> None:
        """What the backend says first nobody asked for, and only its own FIN ends it."""
        greeting = self.said(Direction.TO_CLIENT, b"hello")
        self.assertEqual((greeting.unasked, greeting.message.verb), (True, "GREET"))
        self.assertTrue(greeting.prompt and greeting.open_ended)
        self.assertEqual(self.goes_on(), (False, True))
        self.assertEqual((self.ends(Direction.TO_CLIENT), self.ends(Direction.TO_BACKEND)), ([greeting], []))
        self.assertIsNot(self.said(Direction.TO_BACKEND, b"a"), greeting)

    def test_one_head(self) -> None:
        """The first chunk of an answer is the head of the reply, and stays it."""
        turn = self.said(Direction.TO_BACKEND, b"a")
        self.assertIsNone(turn.response)
        self.said(Direction.TO_CLIENT, b"b")
        head = turn.response
        assert head is not None
        self.said(Direction.TO_CLIENT, b"c")
        self.assertIs(turn.response, head)


class RefusalTests(SynchronousTestCase):
    """What tcp can say: that the connection ends."""

    def test_kinds(self) -> None:
        """Both kinds end the link; of any other, and to a client that only comes, nothing can be said."""
        for kind, then in (("reset", Then.RESET), ("closed", Then.CLOSE)):
            session = Tcp().session()
            (frame,) = session.receive(Direction.TO_BACKEND, b"a")
            assert frame.exchange is not None
            self.assertEqual(session.refuse(frame.exchange, kind), Refusal(b"", then=then))
            self.assertRaises(NotLegal, session.refuse, frame.exchange, "timeout")
            self.assertRaises(NotLegal, session.refuse, Exchange(Connect()), kind)

    def test_the_turn_is_over(self) -> None:
        """What the client says after a turn that was refused unsent begins a new one; a sent one goes on."""
        for sent, again in ((False, True), (True, False)):
            session = Tcp().session()
            (said,) = session.receive(Direction.TO_BACKEND, b"a")
            assert said.exchange is not None
            said.exchange.sent = sent
            session.refuse(said.exchange, "reset")
            (more,) = session.receive(Direction.TO_BACKEND, b"b")
            self.assertEqual((more.first, more.exchange is not said.exchange), (again, again))


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
