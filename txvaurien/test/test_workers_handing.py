"""How clients get from the listener to the workers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.workers import wire
from txvaurien.workers.handing import (
    BATCH,
    REASON,
    RETRY,
    ClientReader,
    Handing,
    HandingFactory,
    hand_over,
)


class Taker:
    """A worker, as far as handing over goes."""

    def __init__(self) -> None:
        self.willing = True
        self.taken: list[int] = []

    def take(self, number: int, client: socket.socket) -> bool:
        """Take it, or not."""
        if self.willing:
            self.taken.append(number)
            client.close()
        return self.willing


class FakeGate:
    """Remembers why it is paused."""

    def __init__(self) -> None:
        self.reasons: set[str] = set()

    def pause(self, reason: str) -> None:
        """One more reason."""
        self.reasons.add(reason)

    def resume(self, reason: str) -> None:
        """One less."""
        self.reasons.discard(reason)


class HandingTests(SynchronousTestCase):
    """`Handing`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.takers = [Taker(), Taker()]
        self.handing = Handing(self.clock, lambda: self.takers)
        self.gate = FakeGate()
        gate: Any = self.gate
        self.handing.gate = gate

    def come(self) -> socket.socket:
        """A client comes; the other end of its socket."""
        theirs, ours = socket.socketpair()
        self.addCleanup(theirs.close)
        theirs.setblocking(False)
        self.handing.over(ours)
        return theirs

    def test_numbers(self) -> None:
        """Clients are numbered in the order in which they come, from 1, and go to the best worker."""
        self.come()
        self.takers.reverse()
        self.come()
        self.assertEqual([taker.taken for taker in self.takers], [[2], [1]])
        self.assertEqual(self.gate.reasons, set())

    def test_next_best(self) -> None:
        """Where the best cannot take one, another does."""
        self.takers[0].willing = False
        self.come()
        self.assertEqual(self.takers[1].taken, [1])

    def test_nobody(self) -> None:
        """If nobody can, the listener waits, and the client is offered again."""
        for taker in self.takers:
            taker.willing = False
        self.come()
        self.come()
        self.assertEqual(self.gate.reasons, {REASON})
        self.clock.advance(RETRY)
        self.assertEqual(self.gate.reasons, {REASON})
        self.takers[1].willing = True
        self.clock.advance(RETRY)
        self.assertEqual((self.takers[1].taken, self.gate.reasons), ([1, 2], set()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_order(self) -> None:
        """Who comes later does not overtake who waits."""
        self.takers[0].willing = self.takers[1].willing = False
        self.come()
        self.takers[0].willing = True
        self.come()
        self.assertEqual(self.takers[0].taken, [])
        self.handing.pass_on()
        self.assertEqual(self.takers[0].taken, [1, 2])

    def test_drop(self) -> None:
        """Who waits can be cut, and then nobody waits any more."""
        self.takers.clear()
        peer = self.come()
        self.handing.stop()
        self.assertEqual(peer.recv(1), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ListenerTests(SynchronousTestCase):
    """`hand_over`."""

    def test_listener(self) -> None:
        """What a listener accepts goes to the workers, and nothing is served here."""
        come: list[socket.socket] = []
        handing: Any = type("Fake", (), {"over": lambda self, client, *_: come.append(client)})()
        real: Any = reactor
        factory = HandingFactory()
        port = real.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        hand_over(port, factory, handing)
        with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
            port.doRead()
            self.assertEqual([each.getpeername() for each in come], [client.getsockname()])
        come[0].close()

    def test_another_kind(self) -> None:
        """A listener that cannot give its clients away is refused with a reason."""
        factory = HandingFactory()
        port = MemoryReactorClock().listenTCP(0, factory)
        error = self.assertRaises(ConfigError, hand_over, port, factory, Handing(Clock(), list))
        self.assertIn("--workers: this listener cannot be shared by processes; listen on", str(error))


class ReaderTests(SynchronousTestCase):
    """`ClientReader`."""

    def setUp(self) -> None:
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.ours.close)
        self.addCleanup(theirs.close)
        self.served: list[tuple[int, tuple[Any, ...]]] = []
        self.reader = ClientReader(MemoryReactorClock(), theirs, self.serve)

    def serve(self, number: int, client: socket.socket | None) -> None:
        if client is None:
            self.served.append((number, ()))
            return
        """A client has come."""
        with client:
            self.served.append((number, client.getsockname()))

    def hand(self, number: int) -> tuple[Any, ...]:
        """The master hands one over; where its socket is bound."""
        with socket.socket() as client:
            client.bind(("127.0.0.1", 0))
            said = [wire.CLIENT.pack(number, client.family)]
            socket.send_fds(self.ours, said, [client.fileno()])
            where: tuple[Any, ...] = client.getsockname()
            return where

    def test_serve(self) -> None:
        """Each is served with its number, and is the socket that was sent."""
        sent = [(number, self.hand(number)) for number in (1, 2**40)]
        self.reader.doRead()
        self.assertEqual(self.served, sent)

    def test_batch(self) -> None:
        """Only so many in one turn, but all when all are meant."""
        for number in range(BATCH + 3):
            self.hand(number)
        self.reader.doRead()
        self.assertEqual(len(self.served), BATCH)
        self.reader.drain()
        self.assertEqual(len(self.served), BATCH + 3)

    def test_nothing(self) -> None:
        """Where there is none, nothing happens."""
        self.reader.drain()
        self.assertEqual(self.served, [])

    def test_no_descriptor_left(self) -> None:
        """A client that cannot be received is told of all the same, so that nobody waits for its end."""
        wire_bytes = wire.CLIENT.pack(7, socket.AF_INET)
        self.patch(socket, "recv_fds", _without_descriptors(wire_bytes))
        self.reader.doRead()
        self.assertEqual(self.served, [(7, ())])


def _without_descriptors(said: bytes) -> Callable[..., tuple[bytes, list[int], int, object]]:
    """`socket.recv_fds` where the kernel has no place for the descriptor (MSG_CTRUNC of recvmsg(2)), once."""
    left = [said]

    def recv_fds(*_: object) -> tuple[bytes, list[int], int, object]:
        if not left:
            raise BlockingIOError
        return left.pop(), [], socket.MSG_CTRUNC, None

    return recv_fds
