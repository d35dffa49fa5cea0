"""What is told to a MySQL server for a request that is refused or withheld, and for how long that matters."""

from __future__ import annotations

from txvaurien.errors import NotLegal
from txvaurien.protocols.mysql import wire
from txvaurien.test import mysql_samples as samples
from txvaurien.test.mysql_played import Played
from txvaurien.test.mysql_samples import EXECUTE_AGAIN, EXECUTE_FIRST, PING, RESET, ROLLBACK, down, query, up
from txvaurien.test.test_mysql_order import COMPRESSED, PREPARES, OrderCase, refusing
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Step

LONG_DATA = b"\x18\7\0\0\0\0\0long"
LAST = b"\x17\xff\xff\xff\xff\0\1\0\0\0"
OPEN = wire.STATUS_AUTOCOMMIT | wire.STATUS_IN_TRANS
MENDED = samples.packets(b"\x17\7\0\0\0\0\1\0\0\0" + b"\0\1" + b"\xfe\0\3\0" + b"\1y" + b"\6\0\0\0")
LOAD = query("LOAD DATA LOCAL INFILE 'a' INTO TABLE t")


class LegalTests(OrderCase):
    """What leaves both sides in step."""

    def legal(self, *steps: Step, opened: list[Step] | None = None, sent: bool = True) -> set[str]:
        """What can be said to the last request."""
        recorder = self.play(*steps, opened=opened)
        exchange = recorder.seen[-1].exchange
        exchange.sent = sent
        return set(recorder.session.legal(exchange))

    def test_sent(self) -> None:
        """A server that may ask for a file, or sends its log, can only be left; others answer once."""
        self.assertIn("deadlock", self.legal(up(query("UPDATE t SET a = 1"))))
        for asked, kind in ((LOAD, "duplicate-key"), (b"\x12" + bytes(10), "custom")):
            self.assertIn(kind, self.legal(up(asked), sent=False))
            self.assertNotIn(kind, self.legal(up(asked)))
            self.assertIn("server-shutdown", self.legal(up(asked)))

    def test_types_that_cannot_be_kept(self) -> None:
        """If the types of an execution cannot be put into the next, the server has to get it."""
        cut_off = samples.EXECUTE_FIRST[:15]
        for last in (cut_off, b"\x17\x09" + bytes(8)):
            legal = self.legal(*PREPARES, up(last), sent=False)
            self.assertNotIn("deadlock", legal)
            self.assertIn("gone-away", legal)
        self.assertIn("error-in-rows", self.legal(*PREPARES, up(cut_off), sent=False))
        self.assertIn("deadlock", self.legal(*PREPARES, up(EXECUTE_FIRST), sent=False))

    def test_types_in_the_compressed_protocol(self) -> None:
        """There nothing is put in: what carries types has to reach the server, what carries none need not."""
        prepares = samples.squeezed(PREPARES)
        for execute, legal in ((EXECUTE_FIRST, False), (EXECUTE_AGAIN, True)):
            steps = (*prepares, *samples.squeezed([up(execute)]))
            kinds = self.legal(*steps, opened=COMPRESSED, sent=False)
            self.assertEqual("deadlock" in kinds, legal)


class ToldTests(OrderCase):
    """What the server is told, and the client."""

    def test_withheld_commit(self) -> None:
        """A COMMIT that is only withheld rolls back as well, and the answer to that is not for the client."""
        recorder = self.play(up(query("COMMIT")), decide=refusing("", "COMMIT"))
        self.assertTrue(recorder.session.edits)
        recorder.play((up(b"\x0e"), down(samples.ok())))
        self.assertFalse(recorder.session.edits)
        recorder.play([down(samples.ok(rows=9))])
        self.assertEqual(bytes(recorder.seen[-1].reply), samples.packets(samples.ok(rows=9), seq=1))

    def test_withheld_statement(self) -> None:
        """The reply to what comes next belongs to that."""
        recorder = self.play(up(query("UPDATE t SET a = 1")), *PING, decide=refusing("", "UPDATE"))
        answered = [(each.verb, each.status) for each in recorder.seen[2:]]
        self.assertEqual(answered, [("UPDATE", ""), ("PING", "OK")])

    def test_commit_that_was_sent(self) -> None:
        """What the server has committed is not rolled back."""
        recorder = self.play(up(query("COMMIT")))
        self.assertEqual(recorder.session.refuse(recorder.seen[-1].exchange, "read-only").to_backend, b"")

    def test_words_at_once(self) -> None:
        """An error need not wait for the rest of a statement that ends with its first packet."""
        raw = samples.packets(query("INSERT " + "x" * 9000))
        recorder = self.play((TO_BACKEND, raw[:5000]))
        refusal = recorder.session.refuse(recorder.seen[-1].exchange, "syntax")
        self.assertEqual(refusal.to_client[3:5], b"\1\xff")

    def test_words_behind_many_packets(self) -> None:
        """An error in place of the reply to a file is numbered behind the file's last packet."""
        recorder = self.play(up(LOAD), down(b"\xfba"), up(b"1\n", b"", seq=2))
        refusal = recorder.session.refuse(recorder.seen[-1].exchange, "duplicate-key")
        self.assertEqual(refusal.to_client[3:5], b"\4\xff")

    def test_rollback_in_the_compressed_protocol(self) -> None:
        """It is a command, and all commands begin with 0, within and without."""
        recorder = self.play(opened=COMPRESSED)
        ((_, commit),) = samples.squeezed([up(query("COMMIT"))])
        for frame in recorder.session.receive(TO_BACKEND, commit):
            assert frame.exchange is not None
            refusal = recorder.session.refuse(frame.exchange, "read-only")
            self.assertEqual(refusal.to_backend, wire.envelope(ROLLBACK, 0))

    def test_numbers_in_the_compressed_protocol(self) -> None:
        """There the packets around have numbers of their own, each one behind what it follows."""
        played = Played("duplicate-key", "CONTENT", steps=COMPRESSED)
        played.play(samples.squeezed([up(LOAD), down(b"\xfba")]))
        played.forget()
        content = samples.squeezed([up(b"1\n", b"", seq=2)], plain=True)[0][1]
        played.client.says(content[:3] + b"\2" + content[4:])
        self.assertEqual(played.backend.received, wire.envelope(samples.EMPTY, 2))
        answer = samples.squeezed([down(samples.ok(), seq=3)], plain=True)[0][1]
        played.backend.says(answer[:3] + b"\3" + answer[4:])
        self.assertEqual((played.client.received[3], played.client.received[10:12]), (3, b"\4\xff"))


class StatementTests(OrderCase):
    """Prepared statements, some executions of which the server does not hear of."""

    def refuse(self, recorder: Recorder, *executions: bytes) -> bytes:
        """Refuse these, one after the other; what the server is told for the last one."""
        told = b""
        for execution in executions:
            for frame in recorder.session.receive(TO_BACKEND, samples.packets(execution)):
                assert frame.exchange is not None
                told = recorder.session.refuse(frame.exchange, "deadlock").to_backend
        return told

    def sent(self, recorder: Recorder, execution: bytes) -> bytes:
        """What the server gets of an execution, and answers."""
        (frame,) = recorder.feed(TO_BACKEND, samples.packets(execution))
        recorder.play([down(*samples.BINARY_RESULT)])
        self.assertEqual((recorder.error, recorder.faults), ("", []))
        return frame.forward

    def test_refused_twice(self) -> None:
        """The types wait for the execution that reaches the server; then nothing is edited any more."""
        recorder = self.play(*PREPARES)
        self.refuse(recorder, EXECUTE_FIRST, EXECUTE_AGAIN)
        self.assertTrue(recorder.session.edits)
        self.assertEqual(self.sent(recorder, EXECUTE_AGAIN), MENDED)
        self.assertFalse(recorder.session.edits)

    def test_withheld(self) -> None:
        """So they do if the execution was only withheld."""
        recorder = self.play(*PREPARES, up(EXECUTE_FIRST), decide=refusing("", "SELECT"))
        (frame,) = recorder.session.receive(TO_BACKEND, samples.packets(EXECUTE_AGAIN))
        self.assertEqual(frame.forward, MENDED)

    def test_two_statements(self) -> None:
        """Each statement has types of its own that wait."""
        other = samples.PREPARED.replace(b"\7", b"\x08", 1)
        recorder = self.play(*PREPARES, up(samples.PREPARE), down(other, *samples.PREPARE_REPLY[1:]))
        self.refuse(recorder, EXECUTE_FIRST, EXECUTE_FIRST.replace(b"\7", b"\x08", 1))
        self.assertEqual(self.sent(recorder, EXECUTE_AGAIN), MENDED)
        again = EXECUTE_AGAIN.replace(b"\7", b"\x08", 1)
        self.assertEqual(self.sent(recorder, again), MENDED.replace(b"\7", b"\x08", 1))

    def test_behind_a_rollback(self) -> None:
        """They still wait when the answer to a ROLLBACK has been swallowed."""
        recorder = self.play(*PREPARES, up(query("BEGIN")), down(samples.ok(OPEN)))
        self.assertEqual(self.refuse(recorder, EXECUTE_FIRST), ROLLBACK)
        recorder.play([down(samples.ok())])
        self.assertEqual(self.sent(recorder, EXECUTE_AGAIN), MENDED)

    def test_error_in_rows(self) -> None:
        """An execution whose reply is cut short has reached the server, types and all."""
        recorder = self.play(*PREPARES)
        self.refuse(recorder, EXECUTE_FIRST)
        for frame in recorder.session.receive(TO_BACKEND, samples.packets(EXECUTE_AGAIN)):
            assert frame.exchange is not None
            self.assertIsNotNone(recorder.session.refuse(frame.exchange, "error-in-rows").edit)
            frame.exchange.sent = True
        self.assertFalse(recorder.session.edits)

    def test_long_data(self) -> None:
        """Parameters sent ahead are taken back once; those that an execution has used need not be."""
        recorder = self.play(*PREPARES, up(LONG_DATA))
        self.assertEqual(self.refuse(recorder, EXECUTE_FIRST), RESET)
        recorder.play([down(samples.ok())])
        self.assertEqual(self.refuse(recorder, EXECUTE_AGAIN), b"")
        recorder = self.play(*PREPARES, up(LONG_DATA))
        self.sent(recorder, EXECUTE_FIRST)
        self.assertEqual(self.refuse(recorder, EXECUTE_AGAIN), b"")

    def test_last_statement(self) -> None:
        """A refused query leaves "the one prepared last" as it was."""
        recorder = self.play(*PREPARES, up(query("UPDATE t SET a = 1")), decide=refusing("syntax", "UPDATE"))
        self.assertEqual(self.sent(recorder, LAST), samples.packets(LAST))

    def test_compressed(self) -> None:
        """In the compressed protocol no packet is changed."""
        steps = samples.squeezed([up(samples.PREPARE), up(LAST)])
        recorder = self.play(*steps, opened=COMPRESSED, decide=refusing("syntax", "STMT_PREPARE"))
        self.assertTrue(bytes(recorder.forwarded[TO_BACKEND]).endswith(steps[1][1]))

    def test_reset(self) -> None:
        """A reset of the connection forgets all statements, if the server agrees; nothing else does."""
        reset = up(b"\x1f")
        for steps, verb in (
            ((reset, down(samples.ok())), "STMT_EXECUTE"),
            ((reset, down(samples.err(1047))), "SELECT"),
            (PING, "SELECT"),
        ):
            self.assertEqual(self.verbs(*PREPARES, *steps, up(EXECUTE_FIRST))[-1], verb)


class ImpossibleTests(OrderCase):
    """What cannot be said is not said."""

    def test_nothing_changes(self) -> None:
        """A kind that is not legal leaves the link as it was."""
        recorder = self.play(up(query("SELECT 1")))
        exchange = recorder.seen[-1].exchange
        self.assertRaises(NotLegal, recorder.session.refuse, exchange, "duplicate-key")
        recorder.play([down(samples.ok())])
        self.assertEqual((recorder.seen[-1].status, recorder.error), ("OK", ""))
        self.assertIn(TO_CLIENT, recorder.seen[-1].done)
