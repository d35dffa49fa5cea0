"""How many clients there may be, and how long each may take."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.control.site import (
    IDLE,
    MAX_CONNECTIONS,
    MAX_HEADERS,
    MAX_TURNED_AWAY,
    TURN_AWAY_TIME,
    ClosingFactory,
    ControlSite,
)
from txvaurien.test.control_helpers import Answer, RawClient, Wire, guarded, proxy

_ADDRESS = IPv4Address("TCP", "127.0.0.1", 1)
_REQUEST = b"GET /backend HTTP/1.1\r\nHost: localhost\r\n\r\n"


class TimeTests(SynchronousTestCase):
    """A connection cannot be kept for ever."""

    def test_headers_without_end(self) -> None:
        """More headers than any client needs are refused."""
        client = RawClient(guarded(proxy()))
        client.send(b"GET /behavior HTTP/1.1\r\nHost: localhost\r\n")
        for number in range(1000):
            client.send(b"X-%d: %b\r\n" % (number, b"x" * 100))
            if client.wire.disconnecting:
                break
        self.assertTrue(client.wire.disconnecting)
        self.assertEqual(client.answer().status, 400)

    def test_many_headers(self) -> None:
        """However short they are, there may not be too many."""
        for count, status in ((MAX_HEADERS - 1, 200), (MAX_HEADERS, 400)):
            client = RawClient(guarded(proxy()))
            client.send(b"GET /behavior HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * count + b"\r\n")
            self.assertEqual(client.answer().status, status, count)

    def test_silence(self) -> None:
        """A client that says nothing is closed."""
        client = RawClient(guarded(proxy()))
        client.send(b"GET /behavior HTTP/1.1\r\n")
        client.clock.advance(IDLE)
        self.assertTrue(client.wire.disconnecting)

    def test_drop_by_drop(self) -> None:
        """Each byte that comes does not give a request more time."""
        client = RawClient(guarded(proxy()))
        for _ in range(60):
            client.send(b"G")
            client.clock.advance(IDLE / 60)
        self.assertTrue(client.wire.disconnecting)

    def test_body_drop_by_drop(self) -> None:
        """Neither do those of its body."""
        client = RawClient(guarded(proxy()))
        client.send(b"PUT /behavior HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(60):
            client.send(b"x")
            client.clock.advance(IDLE / 60)
        self.assertTrue(client.wire.disconnecting)

    def test_time_begins_with_a_request(self) -> None:
        """A connection that was idle for a while has all of the time for its next request."""
        client = RawClient(guarded(proxy()))
        for _ in range(3):
            client.clock.advance(IDLE - 1)
            client.send(_REQUEST[:10])
            client.clock.advance(IDLE - 1)
            client.send(_REQUEST[10:])
            self.assertEqual(client.answer().status, 200)
        self.assertFalse(client.wire.disconnecting)


class CrowdTests(SynchronousTestCase):
    """More clients than there may be."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = ClosingFactory(ControlSite(guarded(proxy()), self.clock))
        self.addCleanup(self.leave)
        self.standing: list[Protocol] = []

    def come(self) -> tuple[Protocol, Wire]:
        """One client more."""
        protocol, wire = self.factory.buildProtocol(_ADDRESS), Wire()
        protocol.makeConnection(wire)
        self.standing.append(protocol)
        return protocol, wire

    def leave(self) -> None:
        """All clients are gone."""
        while self.standing:
            self.standing.pop().connectionLost(Failure(ConnectionDone()))

    def test_served(self) -> None:
        """As many as there may be are served at one time."""
        for _ in range(MAX_CONNECTIONS):
            protocol, wire = self.come()
            protocol.dataReceived(_REQUEST)
            self.assertEqual(Answer(wire.value()).status, 200)

    def test_one_too_many(self) -> None:
        """The next one is told so, whatever it asks, and is closed when it has had time to read that."""
        for _ in range(MAX_CONNECTIONS):
            self.come()
        protocol, wire = self.come()
        protocol.dataReceived(_REQUEST)
        answer = Answer(wire.value())
        self.assertEqual((answer.status, answer.headers["connection"]), (503, "close"))
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
        self.assertIn(str(MAX_CONNECTIONS), answer.problem[2])
        self.assertTrue(wire.half_closed)
        self.clock.advance(TURN_AWAY_TIME)
        self.assertTrue(wire.disconnected)

    def test_far_too_many(self) -> None:
        """Those beyond what can be told are closed at once."""
        for _ in range(MAX_CONNECTIONS + MAX_TURNED_AWAY):
            self.come()
        _, wire = self.come()
        self.assertEqual(wire.value(), b"")
        self.assertTrue(wire.disconnected)

    def test_room_again(self) -> None:
        """When one has left the next is served, and nothing is left of those who were turned away."""
        for _ in range(MAX_CONNECTIONS + 1):
            self.come()
        self.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        protocol, wire = self.come()
        protocol.dataReceived(_REQUEST)
        self.assertEqual(Answer(wire.value()).status, 200)
