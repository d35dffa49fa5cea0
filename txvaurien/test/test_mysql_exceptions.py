"""Each kind of the mysql catalogue through real client libraries, and next to the real server's errors."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import MySQLdb
import pymysql

from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.protocols.mysql import MySQL
from txvaurien.test.exceptions_mysql import CUSTOM_TEXT, EXPECTED, Raised
from txvaurien.test.mysql_support import PASSWORD, MariaDBCase, direct, only, run_all, through_c
from txvaurien.test.support import connect

_CLIENTS: dict[str, tuple[Callable[..., Any], type[Exception], type[Exception]]] = {
    "PyMySQL": (direct, pymysql.err.Error, pymysql.err.OperationalError),
    "mysqlclient": (through_c, MySQLdb.Error, MySQLdb.OperationalError),
}


def plan_for(expected: Raised) -> Plan:
    """The plan that says the kind, once, where it is expected."""
    behavior = Error(kind=expected.kind, text=CUSTOM_TEXT if expected.kind == "custom" else "")
    if expected.how == "CONNECT":
        return Plan.only(behavior, seed=1)
    return only(behavior, expected.how.partition(" ")[0], times=1)


def raised_by(expected: Raised, port: int) -> tuple[str, int]:
    """The name and the number of what the client raises."""
    log_in, error, _ = _CLIENTS[expected.client]
    try:
        with log_in(port) as connection:
            cursor = connection.cursor()
            cursor.execute(expected.how)
            cursor.fetchall()
    except error as problem:
        return type(problem).__name__, problem.args[0]
    return "", 0


class ExceptionTests(MariaDBCase):
    """What client libraries raise."""

    async def test_table(self) -> None:
        """Every kind raises what the table says, in both clients."""
        await self.run_sql(self.server.port, "CREATE TABLE stock (id INT PRIMARY KEY, n INT)")
        self.assertEqual({each.kind for each in EXPECTED}, {kind.name for kind in MySQL.error_kinds})
        for expected in EXPECTED:
            port = self.through(plan_for(expected))
            raised = await self.in_thread(raised_by, expected, port)
            self.assertEqual(raised, (expected.exception, expected.number), expected)

    async def test_link_goes_on(self) -> None:
        """After an error that does not end the link, the next statement is answered as ever."""
        await self.run_sql(self.server.port, "CREATE TABLE still (id INT)")
        for kind in ("deadlock", "lock-wait-timeout", "query-interrupted", "disk-full", "out-of-memory"):
            port = self.through(only(Error(kind=kind), "INSERT", times=1))
            rows = await self.in_thread(self._twice, port)
            self.assertEqual(rows, ((1,),), kind)

    def _twice(self, port: int) -> Any:
        with direct(port) as connection, connection.cursor() as cursor:
            self.assertRaises(pymysql.err.OperationalError, cursor.execute, "INSERT INTO still VALUES (1)")
            cursor.execute("INSERT INTO still VALUES (1)")
            cursor.execute("SELECT id FROM still")
            rows = cursor.fetchall()
            connection.rollback()
        return rows


class RealErrorTests(MariaDBCase):
    """The same bytes as the real server's, where that can be made to give the error."""

    server_options = ("--max-connections=10",)

    async def test_too_many_connections(self) -> None:
        """1040 in place of the greeting."""
        taken = [connect(self.server.port) for _ in range(12)]
        try:
            real = await self.in_thread(self._last_words, taken)
        finally:
            for each in taken:
                each.close()
        port = self.through(Error(kind="too-many-connections"))
        with connect(port) as client:
            self.assertEqual(await self.in_thread(client.recv, 4096), real)

    def _last_words(self, taken: list[socket.socket]) -> bytes:
        said = [each.recv(4096) for each in taken]
        return next(each for each in said if each[4] == 0xFF)

    async def test_deadlock(self) -> None:
        """1213 of a real deadlock, and that it rolls the transaction back."""
        await self.run_sql(
            self.server.port,
            "CREATE TABLE locks (id INT PRIMARY KEY, n INT)",
            "INSERT INTO locks VALUES (1, 0), (2, 0)",
            "COMMIT",
        )
        real = await self.in_thread(self._deadlock)
        said, left = await self.in_thread(
            self._said_deadlock, self.through(only(Error(kind="deadlock"), "UPDATE"))
        )
        self.assertEqual(said, real)
        self.assertEqual(left, ((0,),))

    def _deadlock(self) -> object:
        one = direct(self.server.port)
        other: Any = direct(self.server.port)
        with one, other, one.cursor() as first, other.cursor() as second:
            first.execute("UPDATE locks SET n = 1 WHERE id = 1")
            second.execute("UPDATE locks SET n = 1 WHERE id = 2")
            # The second waits in a thread of the server: send, but do not read the answer yet.
            other._execute_command(3, "UPDATE locks SET n = 2 WHERE id = 1")
            return self._error_of(lambda: self._both(first, other))

    def _both(self, first: Any, other: Any) -> None:
        """Whoever is chosen as the victim raises."""
        first.execute("UPDATE locks SET n = 2 WHERE id = 2")
        other._read_query_result()

    def _said_deadlock(self, port: int) -> tuple[object, Any]:
        with direct(port) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO locks VALUES (3, 3)")
            said = self._error_of(lambda: cursor.execute("UPDATE locks SET n = 1 WHERE id = 1"))
            cursor.execute("SELECT COUNT(*) FROM locks WHERE id = 3")
            return said, cursor.fetchall()

    def _error_of(self, ask: Callable[[], object]) -> object:
        try:
            ask()
        except pymysql.err.MySQLError as problem:
            return type(problem), problem.args
        return None

    async def test_texts(self) -> None:
        """Errors that one statement can provoke have the same number and words."""
        await self.run_sql(
            self.server.port,
            "CREATE TABLE words (id INT PRIMARY KEY)",
            "INSERT INTO words VALUES (1)",
            "COMMIT",
        )
        for kind, statement, before in (
            ("duplicate-key", "INSERT INTO words VALUES (1)", "DO 1"),
            ("syntax", "SELEKT 1", "DO 1"),
            ("unknown-database", "USE nowhere", "DO 1"),
            (
                "statement-timeout",
                "SELECT COUNT(*) FROM words, seq_1_to_10000000",
                "SET max_statement_time = 0.01",
            ),
            ("lock-wait-timeout", "UPDATE words SET id = 2", "SET innodb_lock_wait_timeout = 0"),
        ):
            real = await self.in_thread(self._provoked, self.server.port, before, statement)
            port = self.through(only(Error(kind=kind), statement.split()[0]))
            said = await self.in_thread(self._provoked, port, before, statement)
            self.assertEqual(said, real, kind)
            self.assertIsNotNone(real, kind)

    def _provoked(self, port: int, before: str, statement: str) -> object:
        with direct(self.server.port) as holder, holder.cursor() as holding, direct(port) as connection:
            if statement.startswith("UPDATE"):
                holding.execute("SELECT * FROM words FOR UPDATE")
            with connection.cursor() as cursor:
                cursor.execute(before)
                return self._error_of(lambda: cursor.execute(statement))

    async def test_read_only(self) -> None:
        """1290 of a server that is read only; SUPER may write, so it is another account that asks."""
        await self.run_sql(self.server.port, "CREATE TABLE kept (id INT)", "SET GLOBAL read_only = 1")
        port = self.through(only(Error(kind="read-only"), "INSERT"))
        try:
            real = await self.in_thread(self._insert_as_plain, self.server.port)
        finally:
            await self.run_sql(self.server.port, "SET GLOBAL read_only = 0")
        self.assertEqual(await self.in_thread(self._insert_as_plain, port), real)

    def _insert_as_plain(self, port: int) -> object:
        return self._error_of(lambda: run_all(port, "INSERT INTO kept VALUES (1)", user="plain"))

    async def test_access_denied(self) -> None:
        """1045 has the words of the server, but for the host, which only it knows."""
        port = self.through(only(Error(kind="access-denied"), "LOGIN"))
        real = await self.in_thread(self._log_in, self.server.port, "wrong")
        said = await self.in_thread(self._log_in, port, PASSWORD)
        self.assertEqual(repr(said), repr(real).replace("127.0.0.1", "localhost"))

    def _log_in(self, port: int, password: str) -> object:
        return self._error_of(lambda: direct(port, password=password))
