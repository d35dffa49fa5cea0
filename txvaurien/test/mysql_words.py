"""Errors that a real server is made to give, next to those of the proxy: the same packets, byte for byte.

Import the module, not the class, or its tests are run where it is named.
"""

from __future__ import annotations

import socket
from typing import Any

import pymysql

from txvaurien.behaviors.error import Error
from txvaurien.test.mysql_support import PASSWORD, MariaDBCase, direct, only, run_all
from txvaurien.test.servers import wait_until
from txvaurien.test.support import connect

_UPDATE = "UPDATE words SET id = 2"
_ROWS = "SELECT id FROM words FOR UPDATE"


def send(connection: Any, statement: str) -> None:
    """Ask, and do not read the answer."""
    connection._execute_command(3, statement)


def packet_of(connection: Any) -> bytes:
    """The next packet, header and all; ``b""`` if there is an end instead."""
    try:
        header = connection._read_bytes(4)
        return bytes(header + connection._read_bytes(int.from_bytes(header[:3], "little")))
    except pymysql.err.OperationalError:
        return b""


def answer_of(connection: Any) -> list[bytes]:
    """Packets up to the first that is an OK, an error or an end of rows."""
    packets = [packet_of(connection)]
    ends = 0
    while packets[-1] and packets[-1][4] not in (0, 0xFF) and ends < 2:
        packets.append(packet_of(connection))
        ends += packets[-1][4:5] == b"\xfe"
    return packets


def in_place_of(greeting_at: int, source: str = "127.0.0.1") -> bytes:
    """What a server says before the client has said anything."""
    with socket.create_connection(("127.0.0.1", greeting_at), 30, (source, 0)) as client:
        return client.recv(4096)


class RealErrorCase(MariaDBCase):
    """The same bytes as the real server's, where that can be made to give the error."""

    server_options = ("--max-connections=10",)
    #: What limits the time of a statement, and a statement that takes longer.
    limit = "SET max_statement_time = 0.01"
    slow = "INSERT INTO words SELECT seq FROM seq_10_to_9999999"
    #: What a statement meets when the server is shut down.
    shutdown = "gone-away"

    async def words(self) -> None:
        """A table with a row."""
        create = "CREATE TABLE words (id INT PRIMARY KEY)"
        await self.run_sql(self.server.port, create, "INSERT INTO words VALUES (1)", "COMMIT")

    def saying(self, kind: str, *verbs: str) -> int:
        """The port of a proxy that says this kind."""
        return self.through(only(Error(kind=kind), *verbs), tls="strip")

    def asked(self, port: int, *statements: str, **options: Any) -> list[bytes]:
        """The packets that answer the last of some statements."""
        with direct(port, **options) as connection:
            for statement in statements:
                send(connection, statement)
                answer = answer_of(connection)
            return answer

    async def same(self, kind: str, *statements: str, **options: Any) -> None:
        """The last statement has the same answer direct, where it fails, and from the proxy."""
        real = await self.in_thread(self.asked, self.server.port, *statements, **options)
        port = self.saying(kind, statements[-1].partition(" ")[0])
        self.assertEqual(await self.in_thread(self.asked, port, *statements, **options), real, kind)
        self.assertEqual(real[-1][4], 0xFF, kind)

    async def test_statements(self) -> None:
        """1062, 1064, 1049, and 1969 or 3024, of a statement that fails at once."""
        await self.words()
        await self.same("duplicate-key", "INSERT INTO words VALUES (1)")
        await self.same("syntax", "SELEKT 1")
        await self.same("unknown-database", "USE nowhere")
        await self.same("statement-timeout", self.limit, self.slow)

    async def test_lock_wait(self) -> None:
        """1205 of a row that somebody else has locked."""
        await self.words()
        with await self.in_thread(direct, self.server.port) as holder:
            await self.in_thread(holder.cursor().execute, _ROWS)
            await self.same("lock-wait-timeout", "SET innodb_lock_wait_timeout = 1", _UPDATE)

    async def test_read_only(self) -> None:
        """1290 of a server that is read only; SUPER may write, so it is another account that asks."""
        await self.words()
        await self.run_sql(self.server.port, "SET GLOBAL read_only = 1")
        await self.same("read-only", "INSERT INTO words VALUES (5)", user="plain")

    async def test_interrupted(self) -> None:
        """1317 of KILL QUERY, in place of an OK and where rows should come."""
        await self.words()
        real = await self.in_thread(self._killed, "KILL QUERY", _UPDATE)
        port = self.saying("query-interrupted", "UPDATE")
        self.assertEqual(await self.in_thread(self.asked, port, _UPDATE), real)
        real = await self.in_thread(self._killed, "KILL QUERY", _ROWS)
        await self.run_sql(self.server.port, "DELETE FROM words", "COMMIT")
        port = self.saying("error-in-rows", "SELECT")
        self.assertEqual(await self.in_thread(self.asked, port, _ROWS), real)
        self.assertEqual((len(real), real[-1][4]), (4, 0xFF))

    async def test_killed(self) -> None:
        """Whoever is killed by KILL gets no word any more: that is `gone-away`."""
        await self.words()
        await self._ended("gone-away", "KILL")

    async def test_shut_down(self) -> None:
        """The same, or 1053, for a statement that runs when the server is told to end."""
        await self.words()
        await self._ended(self.shutdown, "SHUTDOWN")

    async def _ended(self, kind: str, how: str) -> None:
        said = await self.in_thread(self.asked, self.saying(kind, "UPDATE"), _UPDATE)
        self.assertEqual(await self.in_thread(self._killed, how, _UPDATE), said)

    def _killed(self, how: str, statement: str) -> list[bytes]:
        """What a statement is answered that waits for a row when it is killed."""
        port = self.server.port
        with direct(port) as holder, holder.cursor() as holding, direct(port) as killer:
            holding.execute("SELECT * FROM words FOR UPDATE")
            waiting = direct(port)
            number = waiting.thread_id()
            send(waiting, statement)
            wait_until(lambda: self._runs(killer, number, statement), lambda: f"{statement} does not run")
            with killer.cursor() as killing:
                killing.execute(how if how == "SHUTDOWN" else f"{how} {number}")
            return answer_of(waiting)

    def _runs(self, asking: Any, number: int, statement: str) -> bool:
        with asking.cursor() as cursor:
            cursor.execute("SHOW PROCESSLIST")
            return any(row[0] == number and row[7] == statement for row in cursor.fetchall())

    async def test_deadlock(self) -> None:
        """1213 of a real deadlock, and that it rolls the transaction back."""
        await self.words()
        await self.run_sql(self.server.port, "INSERT INTO words VALUES (2)", "COMMIT")
        real = await self.in_thread(self._deadlock)
        said, left = await self.in_thread(self._said_deadlock, self.saying("deadlock", "UPDATE"))
        self.assertEqual(said, real)
        self.assertEqual(left, 0)

    def _deadlock(self) -> bytes:
        """Two wait for each other; one of them, the server says which, is the victim."""
        lock, want = (
            "SELECT * FROM words WHERE id = {} FOR UPDATE",
            "UPDATE words SET id = id + 10 WHERE id = {}",
        )
        with direct(self.server.port) as one, direct(self.server.port) as other:
            one.cursor().execute(lock.format(1))
            other.cursor().execute(lock.format(2))
            # The second waits at the server: send, but do not read the answer yet.
            send(other, want.format(1))
            send(one, want.format(2))
            answers = [packet_of(one), packet_of(other)]
        return next(each for each in answers if each[4] == 0xFF)

    def _said_deadlock(self, port: int) -> tuple[bytes, int]:
        with direct(port) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO words VALUES (3)")
            send(connection, _UPDATE)
            said = packet_of(connection)
            return said, cursor.execute("SELECT id FROM words WHERE id = 3")

    async def test_too_many_connections(self) -> None:
        """1040 in place of the greeting."""
        taken = [connect(self.server.port) for _ in range(12)]
        try:
            real = await self.in_thread(self._last_words, taken)
        finally:
            for each in taken:
                each.close()
        port = self.through(Error(kind="too-many-connections"))
        self.assertEqual(await self.in_thread(in_place_of, port), real)

    def _last_words(self, taken: list[socket.socket]) -> bytes:
        said = [each.recv(4096) for each in taken]
        return next(each for each in said if each[4] == 0xFF)

    async def test_access_denied(self) -> None:
        """1045 has the words of the server, but for the host, which only it knows."""
        real = await self.in_thread(self._log_in, self.server.port, "wrong")
        said = await self.in_thread(self._log_in, self.saying("access-denied", "LOGIN"), PASSWORD)
        self.assertEqual(said, real.replace("127.0.0.1", "localhost"))
        self.assertIn("1045", said)

    def _log_in(self, port: int, password: str) -> str:
        try:
            run_all(port, "DO 1", password=password)
        except pymysql.err.MySQLError as problem:
            return repr(problem)
        return ""
