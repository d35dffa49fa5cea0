"""Tests of the MySQL session: the laws, for everything that the protocol can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.mysql import MySQL, wire
from txvaurien.protocols.mysql.context import Handshake
from txvaurien.test import mysql_samples as samples
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, SessionLaws, Step, collect


class MySQLLaws(SessionLaws, SynchronousTestCase):
    """The laws, for the ordinary protocol."""

    protocol = MySQL()
    conversations = samples.CONVERSATIONS
    probe = samples.PING
    cut_short: ClassVar[frozenset[str]] = frozenset({"lost-connection"})
    answers: ClassVar[Mapping[bytes, bytes]] = {
        samples.ROLLBACK: samples.packets(samples.ok(), seq=1),
        samples.packets(b"\x03\0\1ROLLBACK"): samples.packets(samples.ok(), seq=1),
        samples.RESET: samples.packets(samples.ok(), seq=1),
        samples.EMPTY: samples.packets(samples.ok(), seq=3),
    }


class CompressedLaws(SessionLaws, SynchronousTestCase):
    """The laws, for the compressed protocol."""

    protocol = MySQL()
    conversations = samples.SQUEEZED
    probe: ClassVar[Conversation] = samples.squeezed(samples.PING, plain=True)
    cut_short: ClassVar[frozenset[str]] = frozenset({"lost-connection"})
    answers: ClassVar[Mapping[bytes, bytes]] = {
        samples.squeezed([samples.up(*payloads)], plain=True)[0][1]: samples.squeezed(
            [samples.down(samples.ok())]
        )[0][1]
        for payloads in ([samples.query("ROLLBACK")], [b"\x1a\7\0\0\0"])
    }


OPENED = [("GREETING", "OK"), ("LOGIN", "OK")]


class SeenTests(SynchronousTestCase):
    """What rules see: verbs, targets, and how each request was answered."""

    def seen(self, name: str) -> list[tuple[str, str]]:
        """Verb and status of everything in a conversation."""
        recorder = collect(MySQL().session(), samples.CONVERSATIONS[name])
        self.assertEqual(recorder.error, "", name)
        return [(each.verb or each.exchange.message.verb, each.status) for each in recorder.seen]

    def test_framed(self) -> None:
        """No conversation of the samples is given up, but those that cannot be followed."""
        for name, conversation in samples.CONVERSATIONS.items():
            recorder = collect(MySQL().session(), conversation)
            self.assertEqual(bool(recorder.error), name in ("binlog", "tls"), f"{name}: {recorder.error}")
        for name, conversation in samples.SQUEEZED.items():
            self.assertEqual(collect(MySQL().session(), conversation).error, "", name)

    def test_queries(self) -> None:
        """Statements have their first word as verb, commands their name."""
        expected = [
            *OPENED,
            ("SELECT", "OK"),
            ("UPDATE", "OK"),
            ("SELEKT", "1064"),
            ("COMMIT", "OK"),
            ("PING", "OK"),
            ("INIT_DB", "OK"),
            ("STATISTICS", "OK"),
            ("FIELD_LIST", "OK"),
            ("DEBUG", "OK"),
            ("SET_OPTION", "OK"),
            ("COM_0x77", "1047"),
            ("QUIT", ""),
        ]
        self.assertEqual(self.seen("queries"), expected)

    def test_statements(self) -> None:
        """An execution has the verb of its text; one of a statement that is closed, its name."""
        expected = [
            *OPENED,
            ("STMT_PREPARE", "OK"),
            ("SELECT", "OK"),
            ("STMT_SEND_LONG_DATA", ""),
            ("STMT_SEND_LONG_DATA", ""),
            ("SELECT", "OK"),
            ("SELECT", "OK"),
            ("STMT_FETCH", "OK"),
            ("STMT_RESET", "OK"),
            ("STMT_CLOSE", ""),
            ("STMT_EXECUTE", "1243"),
            ("RESET_CONNECTION", "OK"),
        ]
        self.assertEqual(self.seen("statements"), expected)

    def test_targets(self) -> None:
        """The target is the table, the database, or the file that is asked for."""
        recorder = collect(MySQL().session(), samples.CONVERSATIONS["local file"])
        targets = [each.targets for each in recorder.seen if not each.unasked]
        self.assertEqual(targets, [("shop",), ("stock",), ("a.csv",), ("stock",), ("b.csv",)])

    def test_local_file(self) -> None:
        """A file that the server asks for is an exchange of its own."""
        expected = [
            *OPENED,
            ("LOAD", "LOCAL_INFILE"),
            ("CONTENT", "OK"),
            ("LOAD", "LOCAL_INFILE"),
            ("CONTENT", "1062"),
        ]
        self.assertEqual(self.seen("local file"), expected)

    def test_authentication(self) -> None:
        """Each step of an authentication is an exchange, and part of the handshake."""
        expected = [("GREETING", "OK"), ("LOGIN", "MORE_DATA"), ("AUTH", "MORE_DATA"), ("AUTH", "OK")]
        self.assertEqual(self.seen("sha2, full"), expected)
        self.assertEqual(self.seen("sha2, known"), [("GREETING", "OK"), ("LOGIN", "MORE_DATA")])
        self.assertEqual(self.seen("auth switch"), [("GREETING", "OK"), ("LOGIN", "SWITCH"), ("AUTH", "OK")])
        for name in ("sha2, full", "auth switch", "denied"):
            recorder = collect(MySQL().session(), samples.CONVERSATIONS[name])
            self.assertTrue(all(each.exchange.handshake for each in recorder.seen), name)

    def test_several_results(self) -> None:
        """All results of several statements are one reply."""
        self.assertEqual(self.seen("several results"), [*OPENED, ("INSERT", "OK"), ("SELECT", "OK")])

    def test_attributes(self) -> None:
        """The text of a query is found behind its attributes."""
        self.assertEqual(
            self.seen("attributes"), [*OPENED, ("SELECT", "OK"), ("DELETE", "OK"), ("COMMIT", "OK")]
        )

    def test_unasked(self) -> None:
        """Reports of progress and last words are exchanges that nobody asked for."""
        expected = [*OPENED, ("ALTER", "OK"), ("PROGRESS", ""), ("PROGRESS", "")]
        self.assertEqual(self.seen("progress"), expected)
        self.assertEqual(self.seen("killed"), [*OPENED, ("NOTICE", "1927")])
        self.assertEqual(self.seen("too many"), [("GREETING", "1040")])

    def test_pipelined(self) -> None:
        """An execution of what was prepared last is known before its number is."""
        self.assertEqual(self.seen("pipelined"), [*OPENED, ("STMT_PREPARE", "OK"), ("SELECT", "OK")])

    def test_no_secret(self) -> None:
        """Nothing of a password is in what logs may show."""
        for conversation in samples.CONVERSATIONS.values():
            for each in collect(MySQL().session(), conversation).seen:
                shown = repr(each.exchange.message.log_fields())
                self.assertNotIn("PPPP", shown)
                self.assertNotIn("HHHH", shown)


class GivenUpTests(SynchronousTestCase):
    """Streams that cannot be followed are given up with words that help."""

    def words(self, *steps: Step) -> str:
        """The text of the error that a conversation ends with."""
        return collect(MySQL().session(), steps).error

    def test_tls(self) -> None:
        """After the request for TLS: the words name the option that keeps the link visible."""
        error = self.words(*samples.CONVERSATIONS["tls"])
        self.assertIn("--protocol-mysql-tls terminate", error)
        self.assertIn("strip", error)

    def test_stream(self) -> None:
        """A dump of the log is given up when it begins; an error in its place is a reply."""
        self.assertIn("its log", self.words(*samples.CONVERSATIONS["binlog"]))
        *asked, _ = samples.CONVERSATIONS["binlog"]
        self.assertEqual(self.words(*asked, samples.down(samples.err()), *samples.PING), "")

    def test_not_mysql(self) -> None:
        """Other protocols are recognised by their first bytes."""
        self.assertIn("before the server", self.words((TO_BACKEND, b"GET / HTTP/1.0\r\n\r\n")))
        self.assertIn("version 10", self.words((TO_CLIENT, samples.packets(b"\x09old"))))
        self.assertIn("cut off", self.words((TO_CLIENT, samples.packets(b"\x0aendless"))))

    def test_old_client(self) -> None:
        """A client from before MySQL 4.1 is not followed."""
        error = self.words(samples.down(samples.greeting(), seq=0), samples.up(b"\x05\0\0\0\1ann\0", seq=1))
        self.assertIn("4.1", error)

    def test_out_of_step(self) -> None:
        """A command that does not begin at 0, or an answer to nothing, means that we lost our place."""
        opened = samples.opened()
        self.assertIn("sequence number 3", self.words(*opened, samples.up(b"\x0e", seq=3)))
        self.assertIn("without being asked", self.words(*opened, samples.down(samples.ok())))
        self.assertIn("empty command", self.words(*opened, samples.up(b"")))

    def test_broken_compression(self) -> None:
        """What does not inflate, or to another length than it says, is given up."""
        opened = samples.opened(samples.PLAIN | wire.CLIENT_COMPRESS)
        ((_, right),) = samples.squeezed([samples.up(b"\x0e")])
        longer = right[:4] + b"\x09\0\0" + right[7:]
        for raw in (b"\3\0\0\0\5\0\0xyz", bytes(7), longer):
            self.assertIn("compressed protocol", self.words(*opened, (TO_BACKEND, raw)))

    def test_shared_packet(self) -> None:
        """Two commands in one packet of the compressed protocol cannot be told apart."""
        opened = samples.opened(samples.PLAIN | wire.CLIENT_COMPRESS)
        both = samples.squeezed([samples.up(b"\x0e", b"\x0e")], plain=True)
        self.assertIn("share", self.words(*opened, *both))


class StrippedTests(SynchronousTestCase):
    """Offers that are taken out of the greeting."""

    def capabilities(self, protocol: MySQL) -> int:
        """What the client is offered."""
        raw = samples.packets(samples.greeting())
        session = protocol.session()
        self.assertTrue(session.edits)
        (frame,) = session.receive(TO_CLIENT, raw)
        self.assertFalse(session.edits)
        self.assertEqual(frame.raw, raw)
        return Handshake.read(frame.forward[4:]).capabilities

    def test_tls(self) -> None:
        """`tls = strip` clears that capability, and no other."""
        self.assertEqual(self.capabilities(MySQL(tls="strip")), samples.EVERYTHING & ~wire.CLIENT_SSL)

    def test_compression(self) -> None:
        """`compression = strip` clears those of zlib and zstd."""
        left = samples.EVERYTHING & ~wire.CLIENT_COMPRESS & ~wire.CLIENT_ZSTD_COMPRESSION_ALGORITHM
        self.assertEqual(self.capabilities(MySQL(compression="strip")), left)

    def test_same_length(self) -> None:
        """Only the capabilities are changed."""
        raw = samples.packets(samples.mariadb_greeting())
        (frame,) = MySQL(tls="strip", compression="strip").session().receive(TO_CLIENT, raw)
        changed = [at for at, (one, other) in enumerate(zip(raw, frame.forward, strict=True)) if one != other]
        self.assertEqual(len(changed), 3)

    def test_refused_greeting(self) -> None:
        """An error in place of the greeting is passed on as it is."""
        raw = samples.CONVERSATIONS["too many"][0][1]
        (frame,) = MySQL(tls="strip").session().receive(TO_CLIENT, raw)
        self.assertEqual(frame.forward, raw)
