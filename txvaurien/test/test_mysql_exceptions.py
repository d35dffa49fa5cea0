"""Each kind of the mysql catalogue through real client libraries, and next to the real server's errors."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import MySQLdb
import pymysql
from twisted.trial.unittest import SkipTest

from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.protocols.mysql import MySQL
from txvaurien.test import mysql_samples as samples
from txvaurien.test import mysql_words
from txvaurien.test.exceptions_mysql import CUSTOM_TEXT, EXPECTED, Raised
from txvaurien.test.mysql_support import MariaDBCase, direct, only, through_c
from txvaurien.test.servers import require

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


class RealErrorTests(mysql_words.RealErrorCase):
    """The errors of a real MariaDB."""

    async def test_words(self) -> None:
        """What it cannot be made to say has the words that it would use, as its own tool knows them."""
        perror = require("perror", "mariadb-client")
        insert = "INSERT INTO words VALUES (1)"
        await self.words()
        for kind in ("disk-full", "out-of-memory", "server-shutdown", "table-crashed", "connection-killed"):
            (said,) = await self.in_thread(self.asked, self.saying(kind, "INSERT"), insert)
            number = str(int.from_bytes(said[5:7], "little"))
            done = await self.in_thread(subprocess.run, [perror, number], capture_output=True, text=True)
            template = done.stdout.partition("): ")[2].partition("\n")[0]
            # What the server fills in: %s, %-.192s, %M.
            pattern = re.sub(
                r"%(-?[.\d]*)[a-zA-Z]", ".+", re.escape(template).replace("\\-", "-").replace("\\.", ".")
            )
            self.assertRegex(said[13:].decode(), f"^{pattern}$", kind)


class RealBlockedTests(MariaDBCase):
    """A real MariaDB that blocks hosts."""

    server_options = ("--max-connect-errors=1", "--skip-name-resolve=0")

    async def test_host_blocked(self) -> None:
        """1129 in place of the greeting, but for the host, and for MariaDB's name of the program."""
        # This machine's usual address is never blocked, nor is one whose name cannot be asked for.
        if await self.in_thread(self._unsure, "127.0.0.2"):
            raise SkipTest("no name server says that 127.0.0.2 has no name")
        await self.in_thread(self._misbehave, "127.0.0.2")
        real = await self.in_thread(mysql_words.in_place_of, self.server.port, "127.0.0.2")
        said = await self.in_thread(mysql_words.in_place_of, self.through(Error(kind="host-blocked")))
        words = real[4:].replace(b"127.0.0.2", b"localhost").replace(b"mariadb-admin", b"mysqladmin")
        self.assertEqual((said[3:4], said[4:]), (real[3:4], words))

    def _unsure(self, address: str) -> bool:
        try:
            socket.getnameinfo((address, 0), socket.NI_NAMEREQD)
        except socket.gaierror as problem:
            return problem.errno != socket.EAI_NONAME
        return False

    def _misbehave(self, source: str) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port), 30, (source, 0)) as client:
            client.recv(4096)
            client.sendall(samples.packets(b"nonsense", seq=1))
            while client.recv(4096):
                pass
