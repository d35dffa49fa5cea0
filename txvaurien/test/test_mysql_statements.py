"""Where an execution of a prepared statement has the types of its parameters; what is put in for them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.mysql import wire
from txvaurien.protocols.mysql.messages import Execute, Query, Statement
from txvaurien.protocols.mysql.sql import GLANCE
from txvaurien.protocols.mysql.statements import LAST, MOST_STATEMENTS, NOBODY, Statements, types_at, types_of
from txvaurien.test import mysql_samples as samples
from txvaurien.test.mysql_played import Played

ATTRIBUTES = wire.CLIENT_QUERY_ATTRIBUTES
COUNTED = b"\x08"
NUMBER = b"\7\0\0\0"


def statement(parameters: int) -> Statement:
    """A statement with so many parameters."""
    prepared = Statement(Query(samples.PREPARE, capabilities=0))
    prepared.parameters = parameters
    return prepared


def execute(behind: bytes, *, parameters: int = 2, flags: bytes = b"\0") -> Execute:
    """COM_STMT_EXECUTE, with what stands behind its iteration count."""
    return Execute(b"\x17" + NUMBER + flags + b"\1\0\0\0" + behind, statement=statement(parameters))


class PlaceTests(SynchronousTestCase):
    """Where types stand, or would."""

    def test_by_number_of_parameters(self) -> None:
        """Behind a bit for each parameter, in whole bytes, and a byte that says whether they are there."""
        places = {number: types_at(execute(b"", parameters=number), 0) for number in (0, 1, 8, 9, 16, 17)}
        self.assertEqual(places, {0: None, 1: 12, 8: 12, 9: 13, 16: 13, 17: 14})

    def test_counted(self) -> None:
        """With attributes the execution says how many there are, if a flag tells of that."""
        head = execute(b"\x09", flags=COUNTED)
        self.assertEqual((types_at(head, ATTRIBUTES), types_at(head, 0)), (14, 12))
        self.assertEqual(types_at(execute(b"\x09"), ATTRIBUTES), 12)
        self.assertIsNone(types_at(execute(b"\0", flags=COUNTED), ATTRIBUTES))
        self.assertIsNone(types_at(execute(b"", flags=COUNTED), ATTRIBUTES))
        self.assertEqual(types_at(Execute(b"\x17" + NUMBER, statement=statement(1)), ATTRIBUTES), 12)

    def test_others(self) -> None:
        """A bulk execution has them in one place; other commands, and unknown statements, have none."""
        self.assertEqual(types_at(Execute(b"\xfa" + NUMBER + b"\x80\0", statement=statement(2)), 0), 7)
        self.assertIsNone(types_at(Execute(b"\x1a" + NUMBER, statement=statement(2)), 0))
        self.assertIsNone(types_at(Execute(b"\x17" + NUMBER + bytes(5), statement=None), 0))


class TypesTests(SynchronousTestCase):
    """What the types are."""

    def test_plain(self) -> None:
        """Two bytes for each parameter; nothing if none are sent; None if they are not all there."""
        self.assertEqual(types_of(execute(b"\0\1\xfe\0\3\0\1x\5\0\0\0"), 0), b"\xfe\0\3\0")
        self.assertEqual(types_of(execute(b"\0\0\1x\5\0\0\0"), 0), b"")
        self.assertEqual(types_of(execute(b"\0\1\xfe\0\3\0"), 0), b"\xfe\0\3\0")
        self.assertIsNone(types_of(execute(b"\0\1\xfe\0\3"), 0))

    def test_named(self) -> None:
        """With attributes each type has a name, and the attributes have theirs among them."""
        types = b"\xfe\0\0" + b"\3\0\0" + b"\xfe\0\4attr"
        self.assertEqual(types_of(execute(b"\3\0\1" + types + b"\1x", flags=COUNTED), ATTRIBUTES), types)
        self.assertEqual(types_of(execute(b"\0\1" + types[:6] + b"\1x"), ATTRIBUTES), types[:6])
        for end in range(len(types)):
            cut = execute(b"\3\0\1" + types[:end], flags=COUNTED)
            self.assertIsNone(types_of(cut, ATTRIBUTES), types[:end])

    def test_bulk(self) -> None:
        """A bulk execution says with a flag of two bytes whether it carries them, and has no names."""
        for flags, types in ((b"\x80\0", b"\xfe\0\3\0"), (b"\0\0", b""), (b"\0\x80", b"")):
            bulk = Execute(b"\xfa" + NUMBER + flags + b"\xfe\0\3\0\0\1x", statement=statement(2))
            self.assertEqual(types_of(bulk, ATTRIBUTES), types, flags)

    def test_others(self) -> None:
        """Other commands carry none; of an execution of nobody knows what, nobody knows."""
        self.assertEqual(types_of(Execute(b"\x1a" + NUMBER, statement=statement(2)), 0), b"")
        self.assertIsNone(types_of(Execute(b"\x17" + NUMBER + bytes(5), statement=None), 0))


class RememberedTests(SynchronousTestCase):
    """Which statement is meant."""

    def test_find(self) -> None:
        """By its number, all four bytes of it, or as the last one; not any more when it is closed."""
        statements = Statements()
        first = statements.prepare(Query(samples.PREPARE, capabilities=0))
        statements.prepared(0x01020304, first)
        second = statements.prepare(Query(b"\x16COMMIT", capabilities=0))
        statements.prepared(0x05020304, second)
        found = [
            statements.find(b"\x17" + number) for number in (b"\4\3\2\1", b"\4\3\2\5", LAST, b"\4\3\2\6")
        ]
        self.assertEqual(found, [first, second, second, None])
        statements.close(b"\x19\4\3\2\1")
        self.assertIsNone(statements.find(b"\x17\4\3\2\1"))
        self.assertIs(statements.find(b"\x17\4\3\2\5"), second)
        statements.clear()
        self.assertEqual([statements.find(b"\x17\4\3\2\5"), statements.find(b"\x17" + LAST)], [None, None])

    def test_most(self) -> None:
        """So many are remembered; then the oldest is forgotten."""
        statements = Statements()
        for number in range(MOST_STATEMENTS + 1):
            statements.prepared(number, statement(0))
        self.assertIsNone(statements.find(b"\x17\0\0\0\0"))
        self.assertIsNotNone(statements.find(b"\x17\1\0\0\0"))

    def test_refused(self) -> None:
        """Behind a refused preparation the last statement is nobody's; the next one is somebody's again."""
        statements = Statements()
        self.assertFalse(statements.edits)
        statements.refused()
        self.assertTrue(statements.edits)
        last = Execute(b"\x17" + LAST + b"\0\1\0\0\0", statement=None)
        raw = samples.packets(last.head)
        self.assertEqual(statements.mended(last, raw, 0), raw.replace(LAST, NOBODY))
        other = Execute(b"\x17" + NUMBER + b"\0\1\0\0\0", statement=None)
        raw = samples.packets(other.head)
        self.assertEqual(statements.mended(other, raw, 0), raw)
        statements.prepare(Query(samples.PREPARE, capabilities=0))
        self.assertFalse(statements.edits)
        self.assertEqual(statements.mended(last, samples.packets(last.head), 0), samples.packets(last.head))

    def test_text(self) -> None:
        """Of a long text only the beginning is kept, which is what its verb and its table are found in."""
        text = "SELECT id FROM stock WHERE name = '" + "x" * 5000 + "'"
        prepared = Statements().prepare(Query(b"\x16" + text.encode(), capabilities=0))
        self.assertLessEqual(len(prepared.query.head), 1 + GLANCE)
        self.assertEqual((prepared.query.word, tuple(prepared.query.targets)), ("SELECT", ("stock",)))


class MendedTests(SynchronousTestCase):
    """Through a link: the first execution is refused, the next one leaves the types out."""

    def test_attributes(self) -> None:
        """They are put in where the attributes make room for them."""
        opened = samples.opened(samples.PLAIN | ATTRIBUTES)
        played = Played("deadlock", "SELECT", steps=[*opened, samples.up(samples.PREPARE)])
        played.answers(*samples.PREPARE_REPLY)
        head = b"\x17" + NUMBER + COUNTED + b"\1\0\0\0" + b"\2\0"
        types = b"\xfe\0\0" + b"\3\0\0"
        played.forget()
        played.asks(head + b"\1" + types + b"\1x" + b"\5\0\0\0")
        self.assertEqual(played.backend.received, b"")
        played.asks(head + b"\0" + b"\1y" + b"\6\0\0\0")
        self.assertEqual(
            played.backend.received, samples.packets(head + b"\1" + types + b"\1y" + b"\6\0\0\0")
        )
