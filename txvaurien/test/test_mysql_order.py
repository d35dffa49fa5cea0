"""What MySQL sessions take a message for: it depends on what was said before, and on how it arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Exchange
from txvaurien.protocols.base import Session
from txvaurien.protocols.mysql import MySQL, wire
from txvaurien.protocols.mysql.stream import HEAD_LIMIT
from txvaurien.test import mysql_samples as samples
from txvaurien.test.mysql_samples import PING, down, query, up
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Seen, Step

COMPRESSED = samples.opened(samples.PLAIN | wire.CLIENT_COMPRESS)
CHANGE = b"\x11bob\0\x14" + b"Q" * 20 + b"other\0\x2d\0" + samples.NATIVE.encode() + b"\0"
PREPARES: tuple[Step, ...] = (up(samples.PREPARE), down(*samples.PREPARE_REPLY))

Decision = Callable[[Session, Exchange], bool]


class OrderCase(SynchronousTestCase):
    """Plays conversations, with what a link would decide about some requests."""

    def play(
        self, *steps: Step, opened: Sequence[Step] | None = None, decide: Decision | None = None
    ) -> Recorder:
        """What was seen of a conversation, from a log-in on."""
        recorder = Recorder(MySQL().session(), decide)
        recorder.play([*(samples.opened() if opened is None else opened), *steps])
        self.assertEqual((recorder.error, recorder.faults), ("", []))
        return recorder

    def seen(self, *steps: Step, opened: Sequence[Step] | None = None) -> list[Seen]:
        """What came after the log-in."""
        start = self.play(opened=opened)
        before = len(start.seen)
        return self.play(*steps, opened=opened).seen[before:]

    def verbs(self, *steps: Step, opened: Sequence[Step] | None = None) -> list[str]:
        """The verbs of that."""
        return [each.verb for each in self.seen(*steps, opened=opened)]


class LoginTests(OrderCase):
    """What belongs to logging in."""

    def test_denied(self) -> None:
        """Whoever is not logged in says no statements: what comes may be another password."""
        denied = (*samples.CONVERSATIONS["denied"], up(query("hunter2")))
        last = self.play(*denied, opened=()).seen[-1]
        self.assertEqual((last.verb, last.exchange.handshake), ("AUTH", True))

    def test_change_of_user(self) -> None:
        """It is part of the handshake; the client may go on before it is answered, or when it was refused."""
        switch = down(b"\xfe" + samples.NATIVE.encode() + b"\0" + b"s" * 20 + b"\0")
        changed = self.seen(up(CHANGE), switch, up(b"H" * 20, seq=2), up(b"\x0e"))
        self.assertEqual([each.verb for each in changed], ["CHANGE_USER", "AUTH", "PING"])
        self.assertEqual([each.exchange.handshake for each in changed], [True, True, False])
        denied = down(samples.err(1045, "28000", "Access denied"))
        self.assertEqual(self.verbs(up(CHANGE), denied, *PING), ["CHANGE_USER", "PING"])

    def test_plugin(self) -> None:
        """The client says how it logs in; if it does not, it is as the server greets."""
        nameless = samples.login(samples.PLAIN & ~wire.CLIENT_PLUGIN_AUTH, plugin="")
        for greets, says in (
            (samples.NATIVE, samples.login(plugin=samples.SHA2)),
            (samples.SHA2, nameless),
        ):
            opened = (down(samples.greeting(plugin=greets), seq=0), up(says, seq=1))
            recorder = self.play(down(b"\1\3", seq=2), opened=opened)
            self.assertNotIn(TO_CLIENT, recorder.seen[-1].done)
            recorder.feed(TO_CLIENT, samples.packets(samples.ok(), seq=3))
            self.assertIn(TO_CLIENT, recorder.seen[-1].done)

    def test_offer_not_taken(self) -> None:
        """A client that can do TLS and logs in without it is one that logs in."""
        opened = (down(samples.greeting(), seq=0), up(samples.login(samples.PLAIN | wire.CLIENT_SSL), seq=1))
        self.assertEqual(self.play(opened=opened).seen[-1].verb, "LOGIN")

    def test_tls(self) -> None:
        """Where the proxy does not terminate TLS it does not go over to it."""
        recorder = Recorder(MySQL().session()).play(samples.CONVERSATIONS["tls"][:1])
        (frame,) = recorder.feed(*samples.CONVERSATIONS["tls"][1])
        self.assertFalse(frame.secures)

    def test_long_greeting(self) -> None:
        """No server greets with so much."""
        recorder = Recorder(MySQL().session())
        recorder.play([down(samples.greeting() + bytes(HEAD_LIMIT), seq=0)])
        self.assertIn("greeting is longer", recorder.error)

    def test_database(self) -> None:
        """The database of the log-in is that of statements which name none."""
        recorder = self.play(up(query("SELECT id FROM stock")))
        refusal = recorder.session.refuse(recorder.seen[-1].exchange, "unknown-database")
        self.assertIn(b"database 'shop'", refusal.to_client)


class PiecesTests(OrderCase):
    """Requests however they arrive."""

    def test_command_in_two(self) -> None:
        """A command is whole when its last byte is there, whatever its length looks like before that."""
        for length in (300, 513, 0x10001):
            raw = samples.packets(b"\x03" + b"x" * (length - 1)) + samples.packets(b"\x0e")
            for cut in (*range(5, min(length, 600)), length + 4, length + 5):
                recorder = self.play((TO_BACKEND, raw[:cut]), (TO_BACKEND, raw[cut:]))
                requests = [len(each.request) for each in recorder.seen[2:]]
                self.assertEqual(requests, [length + 4, 5], cut)

    def test_within_a_statement(self) -> None:
        """What looks like a command in the middle of a statement is part of the statement."""
        raw = samples.packets(query("INSERT INTO t VALUES ('" + "x" * HEAD_LIMIT))
        end = len(raw) + 5
        raw = (end - 4).to_bytes(3, "little") + raw[3:]
        verbs = self.verbs((TO_BACKEND, raw), (TO_BACKEND, samples.packets(b"\x0e")), up(b"\x0e"))
        self.assertEqual(verbs, ["INSERT", "PING"])

    def test_large_compressed_packet(self) -> None:
        """A long statement in one packet of the compressed protocol goes on when it is there."""
        both = samples.squeezed([up(query("INSERT " + "x" * 100_000))], plain=True)
        (insert,) = self.seen(*both, opened=COMPRESSED)
        self.assertEqual((insert.verb, bytes(insert.request)), ("INSERT", both[0][1]))
        self.assertIn(TO_BACKEND, insert.done)

    def test_compressed_both_ways(self) -> None:
        """A reply may come while half of the next command is there; inner numbers do not matter."""
        asked = samples.squeezed([up(b"\x0e"), down(samples.ok()), up(b"\x0e", seq=3), down(samples.ok())])
        (_, raw) = asked[2]
        steps = (asked[0], (TO_BACKEND, raw[:9]), asked[1], (TO_BACKEND, raw[9:]), asked[3])
        seen = self.seen(*steps, opened=COMPRESSED)
        self.assertEqual([(each.verb, each.status) for each in seen], [("PING", "OK")] * 2)

    def test_compressed_in_the_middle(self) -> None:
        """A reply may come in the middle of a statement that goes on in the next packet."""
        raw = samples.packets(query("INSERT " + "x" * 9000))
        parts = [wire.envelope(raw[:5000], 0), wire.envelope(raw[5000:], 1)]
        ping = samples.squeezed(PING)
        steps = (ping[0], (TO_BACKEND, parts[0]), ping[1], (TO_BACKEND, parts[1]))
        insert = self.seen(*steps, opened=COMPRESSED)[-1]
        self.assertEqual(bytes(insert.request), b"".join(parts))
        self.assertIn(TO_BACKEND, insert.done)

    def test_compressed_too_early(self) -> None:
        """What a client says before it knows that it is logged in is read when that is known."""
        (_, raw), answer = samples.squeezed(PING)
        steps = (*COMPRESSED[:2], (TO_BACKEND, raw[:2]), COMPRESSED[2], (TO_BACKEND, raw[2:]), answer)
        last = self.play(*steps, opened=()).seen[-1]
        self.assertEqual((last.verb, bytes(last.request), last.status), ("PING", raw, "OK"))


class UnaskedTests(OrderCase):
    """What the server says without being asked."""

    def test_over(self) -> None:
        """Each of them is one whole message."""
        for name in ("killed", "progress"):
            seen = self.play(*samples.CONVERSATIONS[name], opened=()).seen
            unasked = [each for each in seen[1:] if each.unasked]
            self.assertTrue(unasked)
            self.assertTrue(all(TO_CLIENT in each.done for each in unasked), name)


class EndTests(OrderCase):
    """What a FIN ends."""

    def test_client_in_a_header(self) -> None:
        """Half a packet is passed on, and is never answered."""
        (frame,) = self.play((TO_BACKEND, b"\3\0")).feed(TO_BACKEND, b"")
        assert frame.exchange is not None
        self.assertEqual((frame.raw, frame.first, frame.last), (b"\3\0", True, True))
        self.assertFalse(frame.exchange.replies)

    def test_client_in_a_statement(self) -> None:
        """Half a statement is over; an error said to it has its words at once."""
        raw = samples.packets(b"\x03INSERT" + bytes(wire.MAX_PAYLOAD - 7))
        recorder = self.play((TO_BACKEND, raw[:9000]))
        (frame,) = recorder.feed(TO_BACKEND, b"")
        exchange = recorder.seen[-1].exchange
        self.assertIs(frame.exchange, exchange)
        self.assertEqual((frame.raw, frame.first, frame.last), (b"", False, True))
        self.assertEqual(recorder.session.refuse(exchange, "syntax").to_client[4], 0xFF)

    def test_server_in_a_reply(self) -> None:
        """The reply that has begun is over, and no other one begins."""
        reply = samples.packets(*samples.rows(b"1", b"22"), seq=1)
        for cut in (len(reply) - 9, len(reply) - 7):
            recorder = self.play(up(query("SELECT 1")), (TO_CLIENT, reply[:cut]))
            self.assertEqual(len(recorder.feed(TO_CLIENT, b"")), 1)
            last = recorder.seen[-1]
            self.assertEqual((last.verb, bytes(last.reply)), ("SELECT", reply[:cut]))
            self.assertEqual((last.done, recorder.faults), ({TO_BACKEND, TO_CLIENT}, []))

    def test_server_in_last_words(self) -> None:
        """What nobody asked for is over with its connection, too."""
        killed = samples.packets(samples.err(1927, "70100", "x" * 9000))
        recorder = self.play((TO_CLIENT, killed[:6000]))
        (frame,) = recorder.feed(TO_CLIENT, b"")
        self.assertEqual((recorder.seen[-1].reply, recorder.faults), (killed[:6000], []))
        self.assertIs(frame.exchange, recorder.seen[-1].exchange)

    def test_server_before_a_reply(self) -> None:
        """The first bytes of a reply belong to what was asked; those of no reply, to nothing."""
        for steps, verb in (((up(b"\x0e"),), "PING"), ((), "")):
            recorder = self.play(*steps, (TO_CLIENT, b"\7\0"))
            (frame,) = recorder.feed(TO_CLIENT, b"")
            self.assertEqual((frame.forward, frame.first, frame.last), (b"\7\0", True, True))
            self.assertEqual((recorder.seen[-1].verb, recorder.faults), (verb, []))
        self.assertEqual(self.play().feed(TO_CLIENT, b""), [])

    def test_server_in_a_hidden_reply(self) -> None:
        """Of what answers the proxy the client sees nothing, be it cut off."""
        recorder = self.play(up(query("COMMIT")), decide=refusing("deadlock", "COMMIT"))
        self.assertEqual(recorder.feed(TO_CLIENT, b"\7\0\0"), [])
        (frame,) = recorder.feed(TO_CLIENT, b"")
        self.assertEqual((frame.raw, frame.forward, frame.exchange), (b"\7\0\0", b"", None))


def refusing(kind: str, *verbs: str) -> Decision:
    """Refuse each request with one of these verbs; swallow it if there is no kind."""

    def decide(session: Session, exchange: Exchange) -> bool:
        if exchange.message.verb not in verbs:
            return False
        if kind:
            session.refuse(exchange, kind)
        else:
            session.withdraw(exchange)
        return True

    return decide
