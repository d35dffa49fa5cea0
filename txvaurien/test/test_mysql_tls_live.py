"""`tls = terminate` in front of a real MariaDB and a real MySQL, with the drivers that people use.

Every client trusts the proxy's authority and no other, and verifies: what is seen here is TLS on both sides.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
from mysql import connector
from twisted.logger import capturedLogs, formatEvent

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.tls import Tls
from txvaurien.clients.processes import ProxyProcess
from txvaurien.model import Direction
from txvaurien.net.ends import Ends
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.protocols.mysql import MySQL
from txvaurien.service import ProxyService
from txvaurien.test import mysql_upstream
from txvaurien.test.mysql_support import PASSWORD, USER, MariaDBCase, direct, only, run_all, through_c
from txvaurien.test.servers import ServerProcess, free_port, require
from txvaurien.tls.authority import Authority
from txvaurien.tls.certificates import Spoil
from txvaurien.toxics.latency import Latency

CIPHER = "SHOW STATUS LIKE 'Ssl_cipher'"
TABLE = "CREATE OR REPLACE TABLE stock (id INT PRIMARY KEY, n INT)"
UPDATE = "UPDATE stock SET n = 2 WHERE id = 1"

#: What a client does, given the port and the file with the authority that it trusts.
Script = Callable[[int, str], Any]


class TlsCase(MariaDBCase):
    """A server with a certificate of an authority of its own, and a proxy that trusts that one."""

    def setUp(self) -> None:
        """The files, and the server."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.authority = Authority.make()
        self.server_file = self.folder / "server.pem"
        self.server_ca = self.folder / "server-ca.pem"
        self.server_ca.write_bytes(self.authority.pem)
        self.show()
        self.server_options = (
            f"--ssl-cert={self.server_file}",
            f"--ssl-key={self.server_file}",
            f"--ssl-ca={self.server_ca}",
        )
        super().setUp()

    def show(self, spoil: Spoil = Spoil.NONE) -> None:
        """Have the server's certificate be like this when it is read the next time."""
        self.server_file.write_bytes(self.authority.issue(["127.0.0.1", "localhost"], spoil).pem())

    def secured(self, plan: Plan | None = None, ends: Ends | None = None, **options: Any) -> int:
        """The port of a proxy; `self.ca` is the file with its authority."""
        ends = ends or Ends(backend_tls_ca=str(self.server_ca))
        self.service = self.start_proxy(
            MySQL(tls="terminate", **options), self.server.port, plan, ends=ends, timeout=10.0
        )
        self.ca = str(self.folder / "proxy-ca.pem")
        Path(self.ca).write_bytes(self.service.proxy.keeper.authority.pem)
        return self._watched(self.service)

    def _watched(self, service: ProxyService) -> int:
        self.events: list[tuple[str, dict[str, Any]]] = []
        service.proxy.observers.append(lambda name, link, fields: self.events.append((name, fields)))
        assert service.port is not None
        return service.port

    def happened(self, name: str) -> list[dict[str, Any]]:
        """The events of this name."""
        return [fields for event, fields in self.events if event == name]

    def encrypted(self, rows: Any) -> None:
        """The server says that it speaks TLS."""
        self.assertTrue(rows[0][1], rows)
        self.assertEqual(self.happened("opaque"), [])


def verifying(ca: str) -> dict[str, Any]:
    """What PyMySQL needs to verify whom it speaks with."""
    return {"ssl": {"ca": ca, "check_hostname": True}}


def outcome(port: int, ca: str) -> tuple[str, Any, str]:
    """What PyMySQL makes of a server: the class of its exception, its number and its words."""
    try:
        direct(port, connect_timeout=10, **verifying(ca)).close()
    except pymysql.err.MySQLError as error:
        return type(error).__name__, error.args[0], str(error.args[-1]).replace(str(port), "PORT")
    return "", 0, ""


class DriverTests(TlsCase):
    """MariaDB, through each of the drivers."""

    async def test_pymysql(self) -> None:
        """It logs in and works; an error is its own, and the connection goes on after it."""
        port = self.secured(only(Error(kind="deadlock"), "UPDATE", times=1))
        self.encrypted((await self.in_thread(run_all, port, CIPHER, **verifying(self.ca)))[0])

        def script() -> tuple[Any, Any]:
            options = verifying(self.ca)
            with direct(port, autocommit=True, **options) as connection, connection.cursor() as cursor:
                cursor.execute(TABLE)
                cursor.execute("INSERT INTO stock VALUES (1, 1)")
                with self.assertRaises(pymysql.err.OperationalError) as caught:
                    cursor.execute(UPDATE)
                return caught.exception.args[0], cursor.execute(UPDATE)

        self.assertEqual(await self.in_thread(script), (1213, 1))
        self.assertEqual(self.happened("opaque"), [])

    async def test_c_library(self) -> None:
        """mysqlclient, on MariaDB's C library."""
        port = self.secured(only(Error(kind="deadlock"), "UPDATE", times=1))

        def script() -> tuple[Any, Any]:
            connection = through_c(port, ssl={"ca": self.ca}, ssl_mode="VERIFY_IDENTITY")
            cursor = connection.cursor()
            cursor.execute(CIPHER)
            rows = cursor.fetchall()
            cursor.execute(TABLE)
            try:
                cursor.execute(UPDATE)
            except connection.OperationalError as error:
                return rows, error.args[0]
            finally:
                connection.close()
            return rows, 0

        rows, number = await self.in_thread(script)
        self.encrypted(rows)
        self.assertEqual(number, 1213)

    async def test_connector(self) -> None:
        """MySQL's own connector, compressed as well."""
        port = self.secured(only(Error(kind="deadlock"), "UPDATE"))
        for compress in (False, True):
            rows, number = await self.in_thread(through_connector, port, self.ca, compress)
            self.encrypted(rows)
            self.assertEqual(number, 1213)

    async def test_command_line(self) -> None:
        """The command line of MariaDB, which verifies the name."""
        port = self.secured(only(Error(kind="deadlock"), "UPDATE"))
        options = ("--ssl-verify-server-cert", f"--ssl-ca={self.ca}")
        seen = await self.in_thread(command_line, port, f"{CIPHER};\n{TABLE};\n{UPDATE};\n", *options)
        self.assertRegex(seen, r"Ssl_cipher\tTLS_")
        self.assertIn("ERROR 1213", seen)
        other = f"--ssl-ca={self.server_ca}"
        refused = await self.in_thread(command_line, port, CIPHER, "--ssl-verify-server-cert", other)
        self.assertIn("ERROR 2026", refused)

    async def test_accounts(self) -> None:
        """An account that has to use TLS can be used, and its password shows in no event."""
        await self.run_sql(self.server.port, "CREATE USER 'safe'@'%' IDENTIFIED BY 'hunter2' REQUIRE SSL")
        port = self.secured()
        account = {"user": "safe", "password": "hunter2", "database": None}
        rows = await self.in_thread(run_all, port, CIPHER, **account, **verifying(self.ca))
        self.encrypted(rows[0])
        with self.assertRaises(pymysql.err.OperationalError):
            await self.in_thread(run_all, port, "DO 1", ssl_disabled=True, **account)
        self.assertNotIn("hunter2", repr(self.events))

    async def test_large(self) -> None:
        """A result of 16 MB comes through whole."""
        port = self.secured()
        ((rows,),) = await self.in_thread(
            run_all, port, "SELECT REPEAT('x', 16777000), REPEAT('y', 1000)", **verifying(self.ca)
        )
        self.assertEqual([(len(value), value[:1]) for value in rows], [(16_777_000, "x"), (1000, "y")])

    async def test_slow(self) -> None:
        """Toxics in both directions do not keep TLS from beginning."""
        port = self.secured()
        for direction in Direction:
            placed = PlacedToxic(Latency(latency=30, jitter=20), direction)
            self.service.proxy.set_plan(Plan(toxics=(placed,), seed=1))
            rows = await self.in_thread(run_all, port, CIPHER, **verifying(self.ca))
            self.encrypted(rows[0])


class HandshakeTests(TlsCase):
    """Handshakes that fail, as drivers see it."""

    async def test_certificates(self) -> None:
        """PyMySQL says the same as to a server that has such a certificate."""
        trusted = str(self.server_ca)
        self.assertEqual(await self.in_thread(outcome, self.server.port, trusted), ("", 0, ""))
        for spoil in (Spoil.EXPIRED, Spoil.WRONG_NAME, Spoil.UNKNOWN_AUTHORITY):
            self.show(spoil)
            await self.run_sql(self.server.port, "FLUSH SSL")
            real = await self.in_thread(outcome, self.server.port, trusted)
            self.assertEqual(real[:2], ("OperationalError", 2003))
            port = self.secured(Plan.only(Tls(kind=spoil.value), seed=1), Ends(backend_tls_verify=False))
            self.assertEqual(await self.in_thread(outcome, port, self.ca), real)

    async def test_refused(self) -> None:
        """A server with which no parameters can be agreed on."""
        port = self.secured(Plan.only(Tls(kind="refused"), seed=1))
        name, number, words = await self.in_thread(outcome, port, self.ca)
        self.assertEqual((name, number), ("OperationalError", 2003))
        self.assertIn("handshake failure", words.lower())

    async def test_reset(self) -> None:
        """A connection that is reset when TLS has been agreed on."""
        port = self.secured(Plan.only(Tls(kind="reset"), seed=1))
        name, _, _ = await self.in_thread(outcome, port, self.ca)
        self.assertEqual(name, "OperationalError")
        await self.until(lambda: not self.service.proxy.links)

    async def test_stalled(self) -> None:
        """When the rule goes, the client logs in after all."""
        port = self.secured(Plan.only(Tls(kind="stalled"), seed=1))
        waiting = self.in_thread(outcome, port, self.ca)
        await self.until(lambda: bool(self.happened("fired")))
        for _ in range(20):
            await self.turn()
        self.service.proxy.set_plan(Plan(seed=1))
        self.assertEqual(await waiting, ("", 0, ""))

    async def test_server_not_trusted(self) -> None:
        """The client sees an end, and the log says once what to do about it."""
        port = self.secured(ends=Ends())
        with capturedLogs() as logs:
            for _ in range(2):
                name, _, _ = await self.in_thread(outcome, port, self.ca)
                self.assertEqual(name, "OperationalError")
            await self.until(lambda: not self.service.proxy.links)
        failed = self.happened("handshake-failed")
        self.assertEqual([each["side"] for each in failed], ["backend", "backend"])
        said = [formatEvent(event) for event in logs]
        self.assertEqual(sum("--backend-tls-ca FILE" in line for line in said), 1, said)


class UpstreamTests(TlsCase):
    """MySQL's own server."""

    def make_server(self) -> ServerProcess:
        return mysql_upstream.MySQLServer(*self.server_options)

    async def test_passwords(self) -> None:
        """caching_sha2_password on its full path, which tells the password in TLS, and on the fast one."""
        port = self.secured(only(Delay(sleep=0.001), "AUTH"))
        create = "CREATE USER 'fresh'@'%' IDENTIFIED WITH caching_sha2_password BY 'hunter2'"
        await self.run_sql(self.server.port, create)
        account = {"user": "fresh", "password": "hunter2", "database": None}
        for _ in range(2):
            rows = await self.in_thread(run_all, port, CIPHER, **account, **verifying(self.ca))
            self.encrypted(rows[0])
            self.assertEqual(len(self.happened("fired")), 1)
        self.assertNotIn("hunter2", repr(self.events))

    async def test_command_line(self) -> None:
        """Its command line verifies the name; a rule fires, whatever packets are compressed with."""
        port = self.secured(only(Error(kind="deadlock"), "UPDATE"))
        table = "DROP TABLE IF EXISTS stock;\nCREATE TABLE stock (id INT PRIMARY KEY, n INT)"
        script = f"{CIPHER};\n{table};\n{UPDATE};\nSELECT COUNT(*) AS still_there FROM stock;\n"
        for algorithm in ("uncompressed", "zlib", "zstd"):
            verified = ("--ssl-mode=VERIFY_IDENTITY", f"--ssl-ca={self.ca}")
            options = (*verified, f"--compression-algorithms={algorithm}")
            seen = await self.in_thread(mysql_upstream.command_line, port, script, *options)
            self.assertRegex(seen, r"Ssl_cipher\tTLS_")
            self.assertIn("ERROR 1213", seen)
            self.assertIn("still_there\n0\n", seen)
        self.assertEqual(self.happened("opaque"), [])

    async def test_connector(self) -> None:
        """Its connector."""
        port = self.secured(only(Error(kind="deadlock"), "UPDATE"))
        rows, number = await self.in_thread(through_connector, port, self.ca, False)
        self.encrypted(rows)
        self.assertEqual(number, 1213)


class WorkersTests(TlsCase):
    """The proxy as a program, with two workers."""

    async def test_workers(self) -> None:
        """Both have the authority that is written for clients."""
        port, ca = free_port(), str(self.folder / "proxy-ca.pem")
        silence = os.open(os.devnull, os.O_WRONLY)
        self.addCleanup(os.close, silence)
        process = ProxyProcess(
            [
                sys.executable,
                "-m",
                "txvaurien",
                f"--proxy=127.0.0.1:{port}",
                f"--backend=127.0.0.1:{self.server.port}",
                "--protocol=mysql",
                "--protocol-mysql-tls=terminate",
                f"--backend-tls-ca={self.server_ca}",
                f"--tls-ca-out={ca}",
                "--workers=2",
            ],
            silence,
        )
        self.addCleanup(process.stop)
        await self.in_thread(process.wait_until_ready)
        for _ in range(6):
            ((row,),) = await self.in_thread(run_all, port, CIPHER, **verifying(ca))
            self.assertTrue(row[1])


def through_connector(port: int, ca: str, compress: bool) -> tuple[Any, int]:
    """The cipher, and the number of the error of an UPDATE."""
    connection = connector.connect(
        host="127.0.0.1", port=port, user=USER, password=PASSWORD, database="shop", use_pure=True,
        ssl_ca=ca, ssl_verify_cert=True, ssl_verify_identity=True, compress=compress,
    )  # fmt: skip
    cursor = connection.cursor()
    cursor.execute(CIPHER)
    rows = cursor.fetchall()
    try:
        cursor.execute(UPDATE)
    except connector.errors.DatabaseError as error:
        return rows, int(error.errno or 0)
    finally:
        connection.close()
    return rows, 0


def command_line(port: int, script: str, *options: str) -> str:
    """What MariaDB's command line makes of a script, going on after errors."""
    command = [require("mariadb", "mariadb-client"), "--no-defaults", "--batch", "--force"]
    account = ["-h127.0.0.1", f"-P{port}", f"-u{USER}", f"-p{PASSWORD}", *options, "shop"]
    done = subprocess.run(
        [*command, *account], input=script, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr
