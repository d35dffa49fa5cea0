"""Tests of what the proxy says in place of a MySQL server, and how both sides stay in step."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import Error
from txvaurien.errors import NotLegal
from txvaurien.model import Connect, Exchange, Then
from txvaurien.protocols.mysql import MySQL, wire
from txvaurien.protocols.mysql.catalogue import KINDS, custom
from txvaurien.test import mysql_samples as samples
from txvaurien.test.memory import MemoryProxy, MemoryTransport
from txvaurien.test.mysql_played import Played
from txvaurien.testing import TO_BACKEND, Recorder

OPEN = wire.STATUS_AUTOCOMMIT | wire.STATUS_IN_TRANS
BULK_FIRST = b"\xfa\7\0\0\0\x80\0\xfe\0\3\0\0\1x\0\1\0\0\0"
BULK_AGAIN = b"\xfa\7\0\0\0\0\0\0\1y\0\2\0\0\0"
LAST = b"\x17\xff\xff\xff\xff\0\1\0\0\0"


def code(transport: MemoryTransport) -> int:
    """The number of the one error that a client got."""
    raw = transport.received
    assert raw[4] == 0xFF and len(raw) == 4 + raw[0], raw
    return wire.error_code(raw[4:])


class TransactionTests(SynchronousTestCase):
    """The backend is left as the client believes it to be."""

    def test_commit(self) -> None:
        """A refused COMMIT rolls back; the answer to that is not seen by the client."""
        played = Played("deadlock", "COMMIT")
        played.asks(samples.query("COMMIT"))
        self.assertEqual(played.backend.received, samples.ROLLBACK)
        self.assertEqual(code(played.client), 1213)
        played.forget()
        played.asks(b"\x0e")
        played.answers(samples.ok())
        played.answers(samples.ok(0x22))
        self.assertEqual(played.client.received, samples.packets(samples.ok(0x22), seq=1))
        self.assertEqual(played.proxy.named("opaque"), [])

    def test_commit_with_attributes(self) -> None:
        """The ROLLBACK is in the form that the client and the server agreed on."""
        played = Played(
            "query-interrupted", "COMMIT", steps=samples.opened(wire.CLIENT_QUERY_ATTRIBUTES | samples.PLAIN)
        )
        played.asks(b"\x03\0\1COMMIT")
        self.assertEqual(played.backend.received, samples.packets(b"\x03\0\1ROLLBACK"))

    def test_deadlock(self) -> None:
        """A deadlock in an open transaction rolls it back."""
        played = Played("deadlock", "UPDATE")
        played.asks(samples.query("BEGIN"))
        played.answers(samples.ok(OPEN))
        played.forget()
        played.asks(samples.query("UPDATE stock SET n = 1"))
        self.assertEqual(played.backend.received, samples.ROLLBACK)

    def test_deadlock_behind_a_begin_that_is_not_answered(self) -> None:
        """While it is unsure whether there is a transaction, it is rolled back."""
        played = Played("deadlock", "UPDATE")
        played.asks(samples.query("BEGIN"))
        played.asks(samples.query("UPDATE stock SET n = 1"))
        self.assertTrue(played.backend.received.endswith(samples.ROLLBACK))

    def test_deadlock_without_autocommit(self) -> None:
        """Where nothing is committed by itself, a transaction may be open at any time."""
        played = Played("deadlock", "UPDATE")
        played.asks(samples.query("SET autocommit = 0"))
        played.answers(samples.ok(0))
        played.forget()
        played.asks(samples.query("UPDATE stock SET n = 1"))
        self.assertEqual(played.backend.received, samples.ROLLBACK)

    def test_deadlock_alone(self) -> None:
        """With nothing open there is nothing to roll back."""
        played = Played("deadlock", "UPDATE")
        played.asks(samples.query("UPDATE stock SET n = 1"))
        self.assertEqual(played.backend.received, b"")

    def test_lock_wait(self) -> None:
        """A time-out leaves the transaction open."""
        played = Played("lock-wait-timeout", "UPDATE")
        played.asks(samples.query("BEGIN"))
        played.answers(samples.ok(OPEN))
        played.forget()
        played.asks(samples.query("UPDATE stock SET n = 1"))
        self.assertEqual((played.backend.received, code(played.client)), (b"", 1205))

    def test_begin(self) -> None:
        """Of a refused BEGIN the backend never hears."""
        played = Played("out-of-memory", "BEGIN")
        played.asks(samples.query("BEGIN"))
        self.assertEqual((played.backend.received, code(played.client)), (b"", 1041))

    def test_prepared_commit(self) -> None:
        """A COMMIT that was prepared is one."""
        played = Played("deadlock", "COMMIT")
        played.asks(b"\x16COMMIT")
        played.answers(b"\0\7\0\0\0\0\0\0\0\0\0\0")
        played.forget()
        played.asks(b"\x17\7\0\0\0\0\1\0\0\0")
        self.assertEqual(played.backend.received, samples.ROLLBACK)


class StatementTests(SynchronousTestCase):
    """Refused executions of prepared statements."""

    def prepared(self, kind: str, *verbs: str) -> Played:
        """A link on which a statement was prepared."""
        played = Played(kind, *verbs)
        played.asks(samples.PREPARE)
        played.answers(*samples.PREPARE_REPLY)
        played.forget()
        return played

    def test_types(self) -> None:
        """The types that only the refused execution carried are put into the next."""
        played = self.prepared("deadlock", "SELECT")
        played.asks(samples.EXECUTE_FIRST)
        self.assertEqual((played.backend.received, code(played.client)), (b"", 1213))
        played.asks(samples.EXECUTE_AGAIN)
        mended = b"\x17\7\0\0\0\0\1\0\0\0" + b"\0\1" + b"\xfe\0\3\0" + b"\1y" + b"\6\0\0\0"
        self.assertEqual(played.backend.received, samples.packets(mended))
        played.forget()
        played.answers(*samples.BINARY_RESULT)
        played.asks(samples.EXECUTE_AGAIN)
        self.assertEqual(played.backend.received, samples.packets(samples.EXECUTE_AGAIN))

    def test_types_sent_again(self) -> None:
        """An execution that carries its types goes as it is."""
        played = self.prepared("deadlock", "SELECT")
        played.asks(samples.EXECUTE_FIRST)
        played.asks(samples.EXECUTE_FIRST)
        self.assertEqual(played.backend.received, samples.packets(samples.EXECUTE_FIRST))

    def test_types_in_bulk(self) -> None:
        """The same for a bulk execution of MariaDB."""
        played = self.prepared("deadlock", "SELECT")
        played.asks(BULK_FIRST)
        played.asks(BULK_AGAIN)
        mended = b"\xfa\7\0\0\0\x80\0" + b"\xfe\0\3\0" + BULK_AGAIN[7:]
        self.assertEqual(played.backend.received, samples.packets(mended))

    def test_long_data(self) -> None:
        """Parameters that were sent ahead are taken back, else they would be sent twice."""
        played = self.prepared("deadlock", "SELECT")
        played.asks(b"\x18\7\0\0\0\0\0long")
        played.forget()
        played.asks(samples.EXECUTE_FIRST)
        self.assertEqual(played.backend.received, samples.RESET)
        played.answers(samples.ok())
        self.assertEqual(code(played.client), 1213)

    def test_preparation(self) -> None:
        """After a refused preparation, "the one prepared last" must not be an older one."""
        played = Played("syntax", "STMT_PREPARE")
        played.asks(samples.PREPARE)
        self.assertEqual(played.proxy.named("misfired"), [])
        self.assertEqual(code(played.client), 1064)
        played.asks(LAST)
        self.assertEqual(played.backend.received, samples.packets(b"\x17\0\0\0\0\0\1\0\0\0"))


class ContentTests(SynchronousTestCase):
    """A refused file of LOAD DATA LOCAL INFILE, and other requests of many packets."""

    def test_content(self) -> None:
        """The backend gets an empty file, the client an answer numbered after its last packet."""
        played = Played("duplicate-key", "CONTENT")
        played.asks(samples.query("LOAD DATA LOCAL INFILE 'a' INTO TABLE t"))
        played.answers(b"\xfba")
        played.forget()
        played.asks(b"1\n", b"2\n", seq=2)
        self.assertEqual((played.backend.received, played.client.received), (samples.EMPTY, b""))
        played.answers(samples.ok(), seq=3)
        played.asks(b"", seq=4)
        self.assertEqual((played.client.received[3], code(played.client)), (5, 1062))
        played.forget()
        played.play(samples.PING)
        self.assertEqual(played.client.received, samples.PING[1][1])

    def test_long_statement(self) -> None:
        """So is the answer to a statement of more than one packet."""
        played = Played("syntax", "INSERT")
        played.asks(b"\x03INSERT" + bytes(wire.MAX_PAYLOAD - 7))
        self.assertEqual(played.client.received, b"")
        played.asks(b"rest", seq=1)
        self.assertEqual((played.client.received[3], code(played.client)), (2, 1064))
        self.assertEqual(played.backend.received, b"")

    def test_swallowed(self) -> None:
        """A file that is withheld in any other way is an empty one for the backend, too."""
        recorder = Recorder(MySQL().session())
        recorder.play(samples.CONVERSATIONS["local file"][:5])
        session = MySQL().session()
        for direction, data in samples.CONVERSATIONS["local file"][:5]:
            list(session.receive(direction, data))
        (frame,) = session.receive(TO_BACKEND, samples.packets(b"1\n", b"", seq=2))
        assert frame.exchange is not None
        self.assertEqual(session.withdraw(frame.exchange), samples.EMPTY)


class EndTests(SynchronousTestCase):
    """Kinds after which the connection ends."""

    def test_endings(self) -> None:
        """They close the link; `gone-away` without a word, `lost-connection` in the middle of one."""
        for kind, length in (("gone-away", 0), ("lost-connection", 8), ("server-shutdown", 40)):
            played = Played(kind, "PING")
            played.asks(b"\x0e")
            self.assertEqual((played.client.ended, len(played.client.received)), ("fin", length), kind)
            self.assertEqual(played.backend.received, b"")

    def test_login(self) -> None:
        """A refused log-in ends the link, with the number after the client's."""
        played = Played("access-denied", "LOGIN", steps=[samples.down(samples.greeting(), seq=0)])
        played.asks(samples.login(), seq=1)
        self.assertEqual((code(played.client), played.client.received[3]), (1045, 2))
        self.assertIn(b"user 'ann'@", played.client.received)
        self.assertEqual(played.client.ended, "fin")

    def test_connect(self) -> None:
        """In place of the greeting: number 0, and no SQLSTATE, because nobody has said what it can."""
        for kind, number in (("too-many-connections", 1040), ("host-blocked", 1129)):
            proxy = MemoryProxy(Error(kind=kind), MySQL())
            client = proxy.client()
            self.assertEqual((code(client), client.received[3], client.ended), (number, 0, "fin"))
            self.assertNotIn(b"#", client.received)

    def test_on_login_alone(self) -> None:
        """The mix leaves log-ins alone."""
        proxy = MemoryProxy(Error(kind="custom", text="not now"), MySQL())
        client, backend = proxy.pair()
        for direction, data in samples.opened():
            (client if direction is TO_BACKEND else backend).says(data)
        self.assertNotIn(b"not now", client.received)
        client.says(samples.packets(b"\x0e"))
        self.assertIn(b"not now", client.received)


class CatalogueTests(SynchronousTestCase):
    """Which kinds fit, and how they are worded."""

    def words(self, kind: str, text: str, *, mariadb: bool = False) -> bytes:
        """What is said to a statement."""
        session = MySQL().session()
        for direction, data in samples.opened(mariadb=mariadb):
            list(session.receive(direction, data))
        (frame,) = session.receive(TO_BACKEND, samples.packets(samples.query(text)))
        assert frame.exchange is not None
        return session.refuse(frame.exchange, kind).to_client[7:]

    def test_flavours(self) -> None:
        """The server's brand decides about numbers and words."""
        select = "SELECT id FROM shop.stock"
        self.assertEqual(self.words("syntax", select)[:7], b"#42000Y")
        self.assertIn(
            b"MySQL server version for the right syntax to use near 'SELECT id", self.words("syntax", select)
        )
        self.assertIn(b"MariaDB server version", self.words("syntax", select, mariadb=True))
        self.assertIn(b"maximum statement execution time", self.words("statement-timeout", select))
        self.assertIn(b"#70100", self.words("statement-timeout", select, mariadb=True))
        self.assertIn(b"'stock.PRIMARY'", self.words("duplicate-key", "INSERT INTO shop.stock VALUES (1)"))
        self.assertIn(b"'PRIMARY'", self.words("duplicate-key", "INSERT INTO stock VALUES (1)", mariadb=True))
        self.assertIn(b"database 'other'", self.words("unknown-database", "SELECT 1 FROM other.t"))
        self.assertIn(b"database 'other'", self.words("unknown-database", "USE other"))
        self.assertIn(b"Table 'stock'", self.words("table-crashed", select))

    def test_misfits(self) -> None:
        """What the server would never say to a statement is not legal."""
        misfits = [
            ("duplicate-key", "SELECT 1"),
            ("read-only", "SELECT 1"),
            ("access-denied", "SELECT 1"),
            ("table-crashed", "SELECT 1"),
            ("deadlock", "BEGIN"),
            ("statement-timeout", "UPDATE t SET a = 1"),
            ("connection-killed", "SELECT 1"),
            ("error-in-rows", "UPDATE t SET a = 1"),
            ("too-many-connections", "SELECT 1"),
        ]
        for kind, text in misfits:
            with self.assertRaises(NotLegal, msg=f"{kind}: {text}"):
                self.words(kind, text)

    def test_connect(self) -> None:
        """On connect only those kinds that stand in place of the greeting can be said."""
        session = MySQL().session()
        connect = Exchange(Connect())
        self.assertEqual(session.legal(connect), ["too-many-connections", "host-blocked"])
        self.assertIs(session.refuse(connect, "host-blocked").then, Then.CLOSE)

    def test_unasked(self) -> None:
        """Nothing can be said to what the server says unasked."""
        recorder = Recorder(MySQL().session()).play([samples.down(samples.greeting(), seq=0)])
        self.assertEqual(recorder.session.legal(recorder.seen[0].exchange), [])

    def test_custom(self) -> None:
        """A user's own error: number and SQLSTATE may be left out."""
        self.assertEqual(custom("1644 45000 No stock left"), (1644, "45000", "No stock left"))
        self.assertEqual(custom("1644 No stock left"), (1644, "HY000", "No stock left"))
        self.assertEqual(custom("No stock left"), (1105, "HY000", "No stock left"))
        self.assertEqual(custom(""), (1105, "HY000", "Unknown error"))

    def test_help(self) -> None:
        """Each kind has a line of help."""
        for kind in KINDS:
            self.assertTrue(kind.help and len(kind.help) < 80, kind.name)
