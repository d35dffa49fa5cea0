"""A real MariaDB for tests, and clients of it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import MySQLdb
import pymysql
import pymysql.cursors
from twisted.internet.defer import Deferred

from txvaurien.behaviors.base import Behavior
from txvaurien.plan import Plan
from txvaurien.protocols.mysql import MySQL
from txvaurien.rules import Rule
from txvaurien.test.servers import ServerProcess, require
from txvaurien.test.support import ProxyCase

#: The account that tests log in with: it may do everything, from anywhere on this machine.
USER, PASSWORD = "tester", "secret"

_ACCOUNTS = f"""\
CREATE DATABASE shop;
CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;
CREATE USER 'plain'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON shop.* TO 'plain'@'%';
"""


class MariaDBServer(ServerProcess):
    """mariadbd, with tables of its own in a temporary folder."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options

    def command(self) -> Sequence[str]:
        program = require("mariadbd", "mariadb-server")
        data = self.folder / "data"
        if not data.exists():
            self._install()
        return [
            program,
            "--no-defaults",
            "--user=root",
            f"--datadir={data}",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            f"--tmpdir={self.folder}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--skip-networking=0",
            "--skip-name-resolve",
            "--local-infile=1",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-log-file-size=8M",
            "--max-allowed-packet=64M",
            f"--init-file={self.folder}/accounts.sql",
            *self.options,
        ]

    def _install(self) -> None:
        install = require("mariadb-install-db", "mariadb-server")
        (self.folder / "accounts.sql").write_text(_ACCOUNTS)
        subprocess.run(
            [
                install,
                "--no-defaults",
                "--user=root",
                f"--datadir={self.folder}/data",
                # Servers that are made at the same time would meet in /tmp.
                f"--tmpdir={self.folder}",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
                "--innodb-log-file-size=8M",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ready(self) -> bool:
        """Whether the account can log in."""
        try:
            direct(self.port).close()
        except pymysql.err.OperationalError:
            return False
        return True

    def start(self) -> None:
        super().start()
        # The accounts are made once; a server that is started again has them.
        (self.folder / "accounts.sql").write_text("")


def direct(port: int, **options: Any) -> pymysql.connections.Connection[Any]:
    """PyMySQL, logged in."""
    account: dict[str, Any] = {"user": USER, "password": PASSWORD, "database": "shop", "read_timeout": 30}
    return pymysql.connect(host="127.0.0.1", port=port, **{**account, **options})


def through_c(port: int, **options: Any) -> Any:
    """mysqlclient, the binding of MariaDB's C library, logged in."""
    account: dict[str, Any] = {"user": USER, "password": PASSWORD, "database": "shop"}
    return MySQLdb.connect(host="127.0.0.1", port=port, **{**account, **options})


class MariaDBCase(ProxyCase):
    """Tests with a server each."""

    server: ServerProcess
    server_options: tuple[str, ...] = ()

    def setUp(self) -> None:
        """Start the server."""
        self.server = self.start_server(self.make_server())

    def make_server(self) -> ServerProcess:
        """The server to start."""
        return MariaDBServer(*self.server_options)

    def through(self, plan: Plan | Behavior | None = None, **options: Any) -> int:
        """The port of a proxy in front of the server; `options` are those of the protocol."""
        service = self.start_proxy(MySQL(**options), self.server.port, plan)
        assert service.port is not None
        return service.port

    def run_sql(self, port: int, *statements: str, **options: Any) -> Deferred[list[Any]]:
        """What each of some statements gives, by PyMySQL, in one connection."""
        return self.in_thread(run_all, port, *statements, **options)


def run_all(port: int, *statements: str, **options: Any) -> list[Any]:
    """What each of some statements gives, by PyMySQL, in one connection: rows, or how many were changed."""
    with direct(port, **options) as connection, connection.cursor() as cursor:
        results: list[Any] = []
        for statement in statements:
            changed = cursor.execute(statement)
            results.append(cursor.fetchall() if cursor.description else changed)
        return results


def rows_cut(port: int, statement: str, **options: Any) -> tuple[list[int], int, int]:
    """Read the rows of a statement one by one, then all of them again.

    :return: those before the error, its number, and how many there are without an error.
    """
    rows: list[int] = []
    number = 0
    with direct(port, cursorclass=pymysql.cursors.SSCursor, **options) as connection:
        with connection.cursor() as cursor:
            try:
                cursor.execute(statement)
                rows.extend(row[0] for row in iter(cursor.fetchone, None))
            except pymysql.err.OperationalError as problem:
                number = problem.args[0]
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return rows, number, len(cursor.fetchall())


def only(behavior: Behavior, *verbs: str, times: int | None = None) -> Plan:
    """A plan of one rule, for these verbs."""
    return Plan(rules=(Rule(behavior, verbs=frozenset(verbs), times=times),), seed=1)
