"""What is read from single packets of MySQL: greetings, log-ins, commands, statements, and wrong answers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import FramingError
from txvaurien.protocols.mysql import MySQL, wire
from txvaurien.protocols.mysql.answers import MOST_COLUMNS
from txvaurien.protocols.mysql.context import Context, Handshake
from txvaurien.protocols.mysql.messages import ChangeUser, Command, Login, Query
from txvaurien.protocols.mysql.wire import COM_STMT_PREPARE
from txvaurien.test import mysql_samples as samples
from txvaurien.testing import Conversation, Step, collect

ATTRIBUTES = wire.CLIENT_QUERY_ATTRIBUTES


class HandshakeTests(SynchronousTestCase):
    """The greeting, and what both sides agree on."""

    def test_plugin(self) -> None:
        """The plug-in stands behind a scramble as long as the greeting says, and 13 bytes at least."""
        self.assertEqual(Handshake.read(samples.greeting(plugin="sha")).plugin, "sha")
        plain = samples.greeting(plugin="sha")
        at = plain.index(b"\x15")
        longer = plain[:at] + b"\x1f" + plain[at + 1 :].replace(b"ijklmnopqrst\0", b"i" * 23)
        self.assertEqual(Handshake.read(longer).plugin, "sha")
        none = plain[:at] + b"\0" + plain[at + 1 :]
        self.assertEqual(Handshake.read(none).plugin, "sha")

    def test_cut_off(self) -> None:
        """A greeting has to go on to the end of its reserved bytes, with nothing behind them if need be."""
        whole = samples.greeting(plugin="")
        least = whole.index(b"ijkl")
        self.assertEqual(Handshake.read(whole[:least]).plugin, "")
        self.assertRaises(FramingError, Handshake.read, whole[: least - 1])

    def test_mariadb(self) -> None:
        """Only a server without CLIENT_MYSQL has further capabilities; old MariaDBs tell by their version."""
        mysql = Handshake.read(samples.greeting(extended=5))
        self.assertEqual((mysql.capabilities, mysql.mariadb), (samples.EVERYTHING, False))
        new = Handshake.read(samples.mariadb_greeting(extended=5))
        self.assertEqual((new.capabilities >> 32, new.mariadb), (5, True))
        unnamed = samples.greeting(samples.EVERYTHING & ~wire.CLIENT_MYSQL, b"11.4.2", extended=0x01020304)
        self.assertEqual(
            (Handshake.read(unnamed).capabilities >> 32, Handshake.read(unnamed).mariadb), (0x01020304, True)
        )
        self.assertTrue(Handshake.read(samples.greeting(version=b"5.5.5-10.0.1-MariaDB")).mariadb)

    def agreed(self, greeting: bytes, login: bytes) -> int:
        """What both sides can."""
        context = Context()
        context.greeted(Handshake.read(greeting))
        context.agree(login)
        return context.capabilities

    def test_agreed(self) -> None:
        """What only one side can, the link cannot; MariaDB's own count only if neither side is a MySQL."""
        extended = wire.MARIADB_CLIENT_CACHE_METADATA >> 32
        login = samples.login(samples.MODERN, extended=extended)
        self.assertEqual(self.agreed(samples.greeting(samples.PLAIN), login), samples.PLAIN)
        self.assertEqual(self.agreed(samples.mariadb_greeting(), login) >> 32, 0)
        login = samples.login(samples.PLAIN & ~wire.CLIENT_MYSQL, extended=extended)
        self.assertEqual(self.agreed(samples.mariadb_greeting(), login) >> 32, extended)
        self.assertEqual(self.agreed(samples.mariadb_greeting(0), login) >> 32, 0)
        self.assertEqual(self.agreed(samples.greeting(extended=0xFF), login) >> 32, 0)

    def test_too_short(self) -> None:
        """A log-in of the protocol of 4.1 has 32 bytes before the user's name."""
        context = Context()
        context.greeted(Handshake.read(samples.greeting()))
        login = samples.login()
        self.assertRaises(FramingError, context.agree, login[:31])
        context.agree(login[:32])

    def test_begins(self) -> None:
        """Nobody is logged in at first, and a server begins with a statement a transaction."""
        context = Context()
        self.assertEqual((context.capabilities, context.mariadb, context.user), (0, False, ""))
        self.assertFalse(context.in_transaction)


class LoginTests(SynchronousTestCase):
    """Who logs in, and where to."""

    def login(
        self, capabilities: int, password: bytes, behind: bytes = b""
    ) -> tuple[str, tuple[str, ...], str]:
        """User, targets and plug-in of a log-in with this password."""
        head = bytes(32) + b"ann\0" + password + behind
        login = Login(head, capabilities=capabilities)
        return login.user, tuple(login.targets), login.plugin

    def test_passwords(self) -> None:
        """Three ways to say how long a password is; database and plug-in are found behind each."""
        behind = b"shop\0plug\0"
        database = wire.CLIENT_CONNECT_WITH_DB
        lenenc = database | wire.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA | wire.CLIENT_SECURE_CONNECTION
        for capabilities, password in (
            (database | wire.CLIENT_SECURE_CONNECTION, b"\x14" + b"P" * 20),
            (lenenc, b"\xfc\x2c\1" + b"P" * 300),
            (database, b"old\0"),
        ):
            self.assertEqual(self.login(capabilities, password, behind), ("ann", ("shop",), "plug"))

    def test_no_database(self) -> None:
        """Without that capability there is none, and an empty one is none either."""
        secure = wire.CLIENT_SECURE_CONNECTION
        self.assertEqual(self.login(secure, b"\0", b"plug\0"), ("ann", (), "plug"))
        self.assertEqual(
            self.login(secure | wire.CLIENT_CONNECT_WITH_DB, b"\0", b"\0plug\0"), ("ann", (), "plug")
        )

    def test_cut_off(self) -> None:
        """What is missing is empty."""
        self.assertEqual(self.login(wire.CLIENT_SECURE_CONNECTION, b"\x14short"), ("ann", (), ""))

    def test_change_user(self) -> None:
        """A change of user says them in the same order."""
        for capabilities, password in ((wire.CLIENT_SECURE_CONNECTION, b"\3abc"), (0, b"old\0")):
            change = ChangeUser(b"\x11bob\0" + password + b"other\0\x21\0", capabilities=capabilities)
            self.assertEqual((change.user, tuple(change.targets)), ("bob", ("other",)))
        nowhere = ChangeUser(b"\x11bob\0\0\0\x21\0", capabilities=wire.CLIENT_SECURE_CONNECTION)
        self.assertEqual(tuple(nowhere.targets), ())
        cut = ChangeUser(b"\x11bob\0\3ab", capabilities=wire.CLIENT_SECURE_CONNECTION)
        self.assertEqual(tuple(cut.targets), ())


class CommandTests(SynchronousTestCase):
    """What commands are about."""

    def test_targets(self) -> None:
        """Databases and tables; of COM_FIELD_LIST what stands before the pattern."""
        for head, name, targets in (
            (b"\x02shop", "INIT_DB", ("shop",)),
            (b"\x05shop", "CREATE_DB", ("shop",)),
            (b"\x06shop", "DROP_DB", ("shop",)),
            (b"\x04stock\0%", "FIELD_LIST", ("stock",)),
            (b"\x0e", "PING", ()),
            (b"\x07\1", "REFRESH", ()),
        ):
            command = Command(head)
            self.assertEqual((command.verb, tuple(command.targets)), (name, targets))

    def statement(self, head: bytes, capabilities: int = 0) -> bytes:
        """The text of a statement."""
        return Query(head, capabilities=capabilities).statement

    def test_statement(self) -> None:
        """The text begins behind the command, or behind the attributes where there may be some."""
        self.assertEqual(self.statement(b"\x03SELECT 1"), b"SELECT 1")
        self.assertEqual(self.statement(b"\x03\0\1SELECT 1", ATTRIBUTES), b"SELECT 1")
        preparing = bytes((COM_STMT_PREPARE,)) + b"SELECT 1"
        self.assertEqual(self.statement(preparing, ATTRIBUTES), b"SELECT 1")

    def test_attributes(self) -> None:
        """Attributes have values of every size: numbers, texts, dates, and nothing where the bit says so."""
        types = (b"\1\0", b"\3\0", b"\x08\0", b"\xfe\0", b"\x0c\0", b"\x0b\0", b"\xfd\0", b"\2\0", b"\5\0")
        values = (b"1", b"1234", b"12345678", b"\2hi", b"\4dddd", b"\x08tttttttt", b"\0", b"12", b"12345678")
        for left_out in (None, *range(len(types))):
            nulls = 0 if left_out is None else 1 << left_out
            said = b"".join(value for number, value in enumerate(values) if number != left_out)
            named = b"".join(type_ + bytes((2,)) + b"a%d" % number for number, type_ in enumerate(types))
            head = b"\x03\x09\1" + nulls.to_bytes(2, "little") + b"\1" + named + said + b"DELETE FROM t"
            self.assertEqual(self.statement(head, ATTRIBUTES), b"DELETE FROM t", left_out)

    def test_attributes_cut_off(self) -> None:
        """Where they go on beyond what is there, nobody knows what the statement is."""
        head = b"\x03\2\1\0\1\xfe\0\1a\3\0\1b" + b"\2hi" + b"\1\0\0\0" + b"DELETE FROM t"
        for end in range(2, len(head) - len("DELETE FROM t")):
            self.assertEqual(self.statement(head[:end], ATTRIBUTES), b"", head[:end])


class AnswerTests(SynchronousTestCase):
    """How replies go on."""

    def error(self, *steps: Step, capabilities: int = samples.PLAIN) -> str:
        """Why the link cannot be followed on which this was said."""
        return collect(MySQL().session(), [*samples.opened(capabilities), *steps]).error

    def test_no_result(self) -> None:
        """What can be no answer to a statement is recognised as such."""
        asked = samples.up(samples.query("SELECT 1"))
        for payload, words in (
            (b"", "empty packet"),
            (b"\xfc", "no result set"),
            (b"\xfd" + (MOST_COLUMNS + 1).to_bytes(3, "little"), f"{MOST_COLUMNS + 1} columns"),
            (b"\xfe" + b"\1" * 8, "columns"),
        ):
            self.assertIn(words, self.error(asked, samples.down(payload)))
        self.assertEqual(self.error(asked, samples.down(b"\xfc" + MOST_COLUMNS.to_bytes(2, "little"))), "")

    def test_wrong_end_of_definitions(self) -> None:
        """Definitions end with an EOF, where both sides have not agreed to do without."""
        asked = samples.up(samples.query("SELECT 1"))
        wrong = samples.down(b"\1", samples.column(), b"\0011")
        self.assertIn("do not end", self.error(asked, wrong))

    def test_not_prepared(self) -> None:
        """So is what answers to no preparation."""
        for payload in (b"\1" + bytes(11), b"\0" + bytes(7)):
            said = self.error(samples.up(samples.PREPARE), samples.down(payload))
            self.assertIn("does not answer to a preparation", said)

    def followed(self, capabilities: int, *conversation: Step) -> None:
        """A conversation after which the next one is in step, however short its packets are."""
        steps: Conversation = [*samples.opened(capabilities), *conversation, *samples.PING]
        recorder = collect(MySQL().session(), steps)
        self.assertEqual((recorder.error, recorder.seen[-1].verb), ("", "PING"))
        self.assertEqual([each.status for each in recorder.seen], ["OK"] * len(recorder.seen))

    def test_rows_that_begin_as_an_end(self) -> None:
        """A row may begin with 0xfe, as an EOF does: then it is longer than one."""
        row = b"\xfe" + (20).to_bytes(8, "little") + b"z" * 20
        asked = samples.up(samples.query("SELECT 1"))
        rows = samples.down(b"\1", samples.column(), samples.eof(), row, row[:9], samples.eof())
        self.followed(samples.PLAIN, asked, rows)

    def test_without_metadata(self) -> None:
        """Where definitions may be left out, a byte behind their number says whether they are."""
        optional = samples.PLAIN | wire.CLIENT_OPTIONAL_RESULTSET_METADATA
        asked = samples.up(samples.query("SELECT 1"))
        for modern, end in ((0, samples.eof()), (wire.CLIENT_DEPRECATE_EOF, samples.ok(header=0xFE))):
            ends = [] if modern else [samples.eof()]
            left_out = samples.down(b"\1\0", *ends, b"\0011", end)
            in_full = samples.down(b"\1\1", samples.column(), *ends, b"\0011", end)
            self.followed(optional | modern, asked, left_out, asked, in_full)

    def test_prepared_without_metadata(self) -> None:
        """So it is for a preparation, whose numbers are followed by warnings and then by that byte."""
        optional = samples.PLAIN | wire.CLIENT_OPTIONAL_RESULTSET_METADATA
        asked = samples.up(samples.PREPARE)
        in_full = samples.down(samples.PREPARED + b"\1", *samples.PREPARE_REPLY[1:])
        self.followed(optional, asked, samples.down(samples.PREPARED + b"\0"), asked, in_full)

    def test_prepared_counts(self) -> None:
        """Definitions of parameters and of columns each end with an EOF, if there are any."""
        numbers = b"\0\7\0\0\0"
        asked = samples.up(samples.PREPARE)
        none = samples.down(numbers + b"\0\0" + b"\0\0" + b"\0\0\0")
        least = samples.down(numbers + b"\0\0" + b"\0\0")
        columns = samples.down(numbers + b"\1\0" + b"\0\0" + b"\0\0\0", samples.column(), samples.eof())
        many = [samples.column()] * 258
        more = samples.down(numbers + b"\2\1" + b"\0\0" + b"\0\0\0", *many, samples.eof())
        self.followed(samples.PLAIN, asked, none, asked, least, asked, columns, asked, more)

    def test_status_class(self) -> None:
        """Numbers are errors; what else a server says is not."""
        classes = {status: MySQL().status_class(status) for status in ("OK", "1213", "LOCAL_INFILE")}
        self.assertEqual(classes, {"OK": "ok", "1213": "error", "LOCAL_INFILE": "ok"})
