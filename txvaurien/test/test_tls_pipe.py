"""A pipe that speaks TLS over another one, by itself: no link, no socket."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net.pipe import DRAIN_TIME, Pipe
from txvaurien.test.tls_memory import client_engine, server_engine
from txvaurien.tls.authority import Authority
from txvaurien.tls.engine import Engine, TlsError
from txvaurien.tls.pipe import TlsPipe


class Wire(Pipe):
    """The connection below; the test plays the network."""

    def __init__(self, clock: Clock, tls: TlsPipe) -> None:
        super().__init__(clock, tls, tls, None)
        self.said = b""
        self.reading = True
        #: What has been done to it, in order.
        self.did: list[str] = []

    def data(self, data: bytes) -> None:
        self.sent += len(data)
        self.said += data

    def take(self) -> bytes:
        """What has gone out since the last time."""
        said, self.said = self.said, b""
        return said

    def _half_close(self) -> None:
        self.did.append("end")

    def close(self, drain: float = DRAIN_TIME) -> None:
        self.end()
        self.closing = True
        self.did.append(f"close {drain:g}")

    def reset(self) -> None:
        self.resetting = self.closing = True
        self.did.append("reset")

    def _stop_reading(self) -> None:
        self.reading = False

    def _start_reading(self) -> None:
        self.reading = True


class Owner:
    """Who has the pipe, and takes in what comes: notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.heard = b""
        self.splicing: Any = None

    def pipe_full(self, pipe: Pipe) -> None:
        self.told.append("full")

    def pipe_room(self, pipe: Pipe) -> None:
        self.told.append("room")

    def pipe_broken(self, pipe: Pipe) -> None:
        self.told.append("broken")

    def pipe_finished(self, pipe: Pipe) -> None:
        pipe.fin_received()
        self.told.append("finished")

    def pipe_lost(self, pipe: Pipe, reset: bool) -> None:
        pipe.connection_lost()
        self.told.append("lost")

    def pipe_hung_up(self, pipe: Pipe) -> bool:
        return True

    def take(self, lane: Any, data: bytes) -> None:
        self.heard += data

    def splices_to(self, lane: Any) -> Any:
        return self.splicing

    def spliced(self, lane: Any, count: int) -> None:
        self.told.append(f"spliced {count}")


class PipeTests(SynchronousTestCase):
    """`TlsPipe`, as the server of a client that the test plays."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.owner = Owner()
        self.authority = Authority.make()
        self.broken: list[tuple[TlsError, bool]] = []
        self.pipe = TlsPipe(self.clock, self.owner, self.owner, None, self.note_broken)
        self.wire = Wire(self.clock, self.pipe)
        self.outcomes: list[TlsError | None] = []
        self.peer = client_engine(self.authority)

    def note_broken(self, error: TlsError, heard: bool) -> None:
        """TLS cannot go on."""
        self.broken.append((error, heard))

    def begin(self, waits: bool = True, **options: Any) -> None:
        """TLS begins, from the first byte on or later."""
        self.pipe.over(self.wire, waits=waits)
        self.secure(**options)

    def secure(self, **options: Any) -> None:
        """TLS begins."""
        self.pipe.secure(server_engine(self.authority), self.outcomes.append, 10.0, **options)

    def come(self, data: bytes) -> None:
        """Bytes come over the wire."""
        self.pipe.take(None, data)

    def shake(self) -> Engine:
        """The rest of the handshake."""
        while not self.peer.agreed:
            self.peer.shake()
            said = self.peer.take()
            if said:
                self.come(said)
            answer = self.wire.take()
            if answer:
                self.peer.feed(answer)
        return self.peer

    def read(self) -> bytes:
        """What the peer has heard."""
        said = self.wire.take()
        if said:
            self.peer.feed(said)
        return self.peer.read()

    def test_said_before_and_after(self) -> None:
        """What is said before TLS has been agreed on waits for that; `sent` counts what was said, no more."""
        self.begin()
        self.pipe.data(b"one ")
        self.assertEqual(self.wire.said, b"")
        self.shake()
        self.pipe.data(b"two")
        self.assertEqual(self.read(), b"one two")
        self.assertEqual(self.pipe.sent, 7)
        self.assertEqual((self.outcomes, self.clock.getDelayedCalls()), ([None], []))

    def test_room(self) -> None:
        """There is none until TLS has been agreed on, and then as much as the wire has."""
        self.begin()
        self.assertEqual((self.pipe.full, self.owner.told), (True, ["full"]))
        self.shake()
        self.assertEqual((self.pipe.full, self.owner.told), (False, ["full", "room"]))
        self.wire.full = True
        self.pipe.pipe_full(self.wire)
        self.wire.full = False
        self.pipe.pipe_room(self.wire)
        self.assertEqual(self.owner.told, ["full", "room"] * 2)

    def test_wire_that_is_full_when_tls_is_agreed_on(self) -> None:
        """Then there is no room before it says so."""
        self.begin()
        self.wire.full = True
        self.shake()
        self.assertEqual((self.pipe.full, self.owner.told), (True, ["full"]))
        self.wire.full = False
        self.pipe.pipe_room(self.wire)
        self.assertFalse(self.pipe.full)

    def test_preface(self) -> None:
        """It goes out as it is, before anything of TLS."""
        self.pipe.over(self.wire, waits=True)
        self.pipe.preface(b"PROXY ")
        self.pipe.data(b"x")
        self.assertEqual(self.wire.take(), b"PROXY ")
        self.assertEqual(self.pipe.sent, 1)

    def test_later(self) -> None:
        """Until it begins bytes pass as they are, both ways; what came early belongs to TLS."""
        self.pipe.over(self.wire, waits=False)
        self.come(b"STARTTLS\r\n")
        self.pipe.data(b"220 go\r\n")
        self.assertEqual((self.owner.heard, self.wire.take()), (b"STARTTLS\r\n", b"220 go\r\n"))
        self.peer.shake()
        self.secure(early=self.peer.take())
        self.peer.feed(self.wire.take())
        self.shake()
        self.come(_said(self.peer, b"EHLO\r\n"))
        self.assertEqual(self.owner.heard, b"STARTTLS\r\nEHLO\r\n")

    def test_still_on_its_way(self) -> None:
        """Bytes that were said before TLS began, and come to be sent only now, go out as they are."""
        self.begin(waits=False, plain_left=4)
        self.pipe.data(b"22")
        self.pipe.data(b"0 in TLS")
        self.assertEqual(self.wire.take(), b"220 ")
        self.shake()
        self.assertEqual(self.read(), b"in TLS")

    def test_splicing(self) -> None:
        """Nothing passes unseen as long as TLS is, or may be, spoken."""
        self.owner.splicing = object()
        self.pipe.over(self.wire, waits=True)
        self.assertIsNone(self.pipe.splices_to(None))
        self.secure(lenient=True)
        self.assertIsNone(self.pipe.splices_to(None))
        self.come(b"GET")
        self.assertIs(self.pipe.splices_to(None), self.owner.splicing)
        self.assertEqual(self.owner.heard, b"GET")

    def test_not_lenient(self) -> None:
        """Where TLS is the only thing that can be spoken, anything else is said to be none."""
        self.begin(waits=False)
        self.come(b"EHLO\r\n")
        self.assertEqual([str(outcome) for outcome in self.outcomes], ["it speaks no TLS"])
        self.come(b"more")
        self.assertEqual((len(self.outcomes), self.owner.heard), (1, b""))

    def test_told_once(self) -> None:
        """Of a handshake that has failed nothing more is told, whatever comes."""
        self.begin()
        self.come(b"\x16\3\1\0\4abcd")
        self.assertEqual(len(self.outcomes), 1)
        self.assertEqual(self.wire.take()[:1], b"\x15")
        self.pipe.pipe_finished(self.wire)
        self.clock.advance(100)
        self.assertEqual(len(self.outcomes), 1)
        self.pipe.data(b"x")
        self.assertEqual(self.wire.said, b"")

    def test_close_with_something_to_say(self) -> None:
        """It waits for the handshake, says it, then close_notify."""
        self.begin()
        self.pipe.data(b"no")
        self.pipe.close()
        self.assertEqual(self.wire.did, [])
        self.shake()
        self.assertEqual((self.read(), self.peer.over), (b"no", True))
        self.assertEqual(self.wire.did, ["end", f"close {DRAIN_TIME:g}"])
        self.assertEqual((self.outcomes, self.clock.getDelayedCalls()), ([], []))

    def test_close_in_vain(self) -> None:
        """When the handshake fails, or takes too long, nothing is waited for any more."""
        for go_wrong in (lambda: self.come(b"\x16\3\1\0\4abcd"), lambda: self.clock.advance(DRAIN_TIME)):
            self.setUp()
            self.begin()
            self.pipe.data(b"no")
            self.pipe.close()
            go_wrong()
            self.assertEqual(self.wire.did, ["end", "close 0"])
            self.pipe.pipe_lost(self.wire, False)
            self.assertEqual((self.outcomes, self.clock.getDelayedCalls()), ([], []))

    def test_close_before_tls_begins(self) -> None:
        """At once; what still comes is kept by nobody."""
        self.pipe.over(self.wire, waits=True)
        self.pipe.close(1.0)
        self.assertEqual(self.wire.did, ["end", "close 1"])
        self.come(b"x" * 100)
        self.assertEqual(self.owner.heard, b"")

    def test_reset(self) -> None:
        """In every state at once, and nothing is told of the handshake any more."""
        self.begin()
        self.pipe.data(b"x")
        self.pipe.reset()
        self.pipe.reset()
        self.assertEqual(self.wire.did, ["reset"])
        self.pipe.pipe_lost(self.wire, True)
        self.assertEqual((self.outcomes, self.clock.getDelayedCalls()), ([], []))

    def test_lost(self) -> None:
        """The handshake has failed, and the owner is told that there is no connection."""
        self.begin()
        self.pipe.pipe_lost(self.wire, True)
        self.assertEqual(str(self.outcomes[0]), "the connection was reset during the handshake")
        self.assertEqual(self.owner.told[-1], "lost")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_end_of_the_peer(self) -> None:
        """close_notify is its end; the FIN that comes after it is not told again, nor what comes between."""
        self.begin()
        peer = self.shake()
        peer.write(b"last")
        peer.end()
        self.come(peer.take())
        self.come(b"anything")
        self.pipe.pipe_finished(self.wire)
        self.assertEqual((self.owner.heard, self.owner.told), (b"last", ["full", "room", "finished"]))
        self.pipe.data(b"reply")
        self.pipe.end()
        self.assertEqual((self.read(), peer.over), (b"reply", True))

    def test_garbage(self) -> None:
        """The reason is told before that it is broken, and the peer gets an alert."""
        self.begin()
        self.shake()
        self.wire.take()
        self.come(b"GET / HTTP/1.1\r\n")
        self.assertEqual((len(self.broken), self.owner.told[-1]), (1, "broken"))
        self.assertTrue(self.wire.said)

    def test_after_the_end_nothing_is_said(self) -> None:
        """As with every pipe."""
        self.begin()
        self.shake()
        self.pipe.end()
        self.read()
        self.pipe.data(b"late")
        self.assertEqual((self.wire.said, self.wire.did), (b"", ["end"]))


def _said(engine: Engine, data: bytes) -> bytes:
    engine.write(data)
    return engine.take()
