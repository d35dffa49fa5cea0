"""Real clients and a real MariaDB: through the proxy all is as it is direct, and framed all the way."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.error import Error
from txvaurien.test.mysql_captures import LiveCase
from txvaurien.test.mysql_clients import scenario
from txvaurien.test.mysql_support import PASSWORD, USER, direct, only, rows_cut, run_all, through_c
from txvaurien.test.servers import require


def _binary_row(number: int) -> bytes:
    """A row of the binary protocol with one BIGINT."""
    return b"\0\0" + number.to_bytes(8, "little")


class LibraryTests(LiveCase):
    """Client libraries see the same through the proxy."""

    async def same(self, name: str) -> None:
        """A scenario has the same results direct and through the proxy."""
        seen = await self.in_thread(scenario, name, self.proxied)
        self.assertTrue(seen.startswith("["), seen)
        await self.run_sql(self.server.port, "DROP DATABASE shop", "CREATE DATABASE shop")
        real = await self.in_thread(scenario, name, self.server.port)
        self.assertEqual(seen, real)
        self.check_captures()

    async def test_mariadb(self) -> None:
        """MariaDB's connector: binary protocol, cursors, bulk."""
        await self.same("mariadb_binary")

    async def test_connector(self) -> None:
        """MySQL's connector."""
        await self.same("connector")

    async def test_connector_compressed(self) -> None:
        """MySQL's connector in the compressed protocol."""
        await self.same("connector_compressed")

    async def test_pymysql(self) -> None:
        """PyMySQL: statements, transactions, several results, files, long packets."""
        real = await self.in_thread(self._pymysql, self.server.port)
        await self.run_sql(self.server.port, "DROP DATABASE shop", "CREATE DATABASE shop")
        self.assertEqual(await self.in_thread(self._pymysql, self.proxied), real)
        self.check_captures()

    def _pymysql(self, port: int) -> list[Any]:
        several = 1 << 16  # CLIENT.MULTI_STATEMENTS
        with (
            direct(port, client_flag=several, local_infile=True) as connection,
            connection.cursor() as cursor,
        ):
            seen: list[Any] = []
            cursor.execute("CREATE TABLE stock (id INT PRIMARY KEY, name LONGTEXT)")
            cursor.execute("INSERT INTO stock VALUES (1, 'a'), (2, NULL), (3, '')")
            connection.commit()
            cursor.execute("SELECT * FROM stock; UPDATE stock SET name = 'b' WHERE id = 2; SELECT 7")
            seen.append(cursor.fetchall())
            while cursor.nextset():
                seen.append((cursor.fetchall(), cursor.rowcount))
            cursor.execute(self._load("stock"))
            cursor.execute("INSERT INTO stock VALUES (50, %s)", ("x" * 17_000_000,))
            cursor.execute("SELECT name FROM stock WHERE id = 50")
            seen.append(len((cursor.fetchone() or [""])[0]))
            connection.rollback()
            connection.ping()
            connection.select_db("shop")
            cursor.execute("SELECT COUNT(*) FROM stock")
            seen.append(cursor.fetchall())
            return seen

    def _load(self, table: str) -> str:
        path = self.server.folder / "rows.csv"
        path.write_text("".join(f"{n},name {n}\n" for n in range(10, 40)))
        return f"LOAD DATA LOCAL INFILE '{path}' IGNORE INTO TABLE {table} FIELDS TERMINATED BY ','"

    async def test_mysqlclient(self) -> None:
        """mysqlclient, in the compressed protocol as well."""
        for compress in (False, True):
            seen = await self.in_thread(self._mysqlclient, self.proxied, compress)
            real = await self.in_thread(self._mysqlclient, self.server.port, compress)
            self.assertEqual(seen, real)
        self.check_captures()

    def _mysqlclient(self, port: int, compress: bool) -> list[Any]:
        with through_c(port, compress=compress, local_infile=1) as connection:
            cursor = connection.cursor()
            cursor.execute("CREATE OR REPLACE TABLE c (id INT PRIMARY KEY, name LONGTEXT)")
            cursor.executemany("INSERT INTO c VALUES (%s, %s)", [(n, "c" * n * 500) for n in range(60)])
            connection.commit()
            cursor.execute(self._load("c"))
            cursor.execute("SELECT * FROM c ORDER BY id")
            seen = [cursor.fetchall()]
            connection.ping()
            connection.change_user("plain", PASSWORD, "shop")
            cursor.execute("SELECT CURRENT_USER()")
            return [*seen, cursor.fetchall(), connection.stat()[:6]]

    async def test_command_line(self) -> None:
        """The mariadb command line, with reports of progress and without."""
        await self.run_sql(
            self.server.port,
            "SET GLOBAL progress_report_time = 1",
            "CREATE TABLE long_one (id INT) AS SELECT seq AS id FROM seq_1_to_20000",
            "COMMIT",
        )
        for options in ([], ["--compress"], ["--progress-reports"]):
            statement = (
                "ALTER TABLE long_one FORCE; SELECT COUNT(*) FROM long_one; SHOW COLUMNS FROM long_one"
            )
            seen = await self.in_thread(self._mariadb, self.proxied, statement, *options)
            self.assertEqual(seen, await self.in_thread(self._mariadb, self.server.port, statement, *options))
            self.assertIn("20000", seen)
        self.check_captures()

    def _mariadb(self, port: int, statement: str, *options: str) -> str:
        program = require("mariadb", "mariadb-client")
        command = [program, "--no-defaults", "-h127.0.0.1", f"-P{port}", f"-u{USER}", f"-p{PASSWORD}"]
        command = [*command, *options, "shop", "-e", statement]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr


class FaultTests(LiveCase):
    """Faults leave the real server as the client believes it to be."""

    async def test_commit(self) -> None:
        """What a COMMIT that met a deadlock wanted to keep is gone, and the connection usable."""
        await self.run_sql(self.server.port, "CREATE TABLE kept (id INT)")
        port = self.watched(only(Error(kind="deadlock"), "COMMIT", times=1))
        seen = await self.in_thread(self._commit, port)
        self.assertEqual(seen, (1213, ((0,),), ((1,),)))

    def _commit(self, port: int) -> tuple[int, Any, Any]:
        with direct(port) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO kept VALUES (1)")
            try:
                connection.commit()
                number = 0
            except Exception as problem:
                number = problem.args[0]
            cursor.execute("SELECT COUNT(*) FROM kept")
            before = cursor.fetchall()
            cursor.execute("INSERT INTO kept VALUES (2)")
            connection.commit()
        return number, before, run_all(self.server.port, "SELECT COUNT(*) FROM kept")[0]

    async def test_content(self) -> None:
        """A refused file has not been loaded, and the connection is usable."""
        await self.run_sql(self.server.port, "CREATE TABLE loaded (id INT, name TEXT)")
        (self.server.folder / "f.csv").write_text("".join(f"{n},x\n" for n in range(20_000)))
        for compress in (False, True):
            port = self.watched(only(Error(kind="disk-full"), "CONTENT", times=1))
            self.assertEqual(await self.in_thread(self._content, port, compress), (1021, ((0,),)))
        self.assertEqual(self.given_up, [])

    def _content(self, port: int, compress: bool) -> tuple[int, Any]:
        with through_c(port, compress=compress, local_infile=1) as connection:
            cursor = connection.cursor()
            number = 0
            try:
                cursor.execute(f"LOAD DATA LOCAL INFILE '{self.server.folder}/f.csv' INTO TABLE loaded")
            except Exception as problem:
                number = problem.args[0]
            cursor.execute("SELECT COUNT(*) FROM loaded")
            return number, cursor.fetchall()

    async def test_compressed(self) -> None:
        """Errors are said in the compressed protocol as well."""
        port = self.watched(only(Error(kind="deadlock"), "INSERT", "COMMIT"))
        self.assertEqual(await self.in_thread(self._compressed, port), [1213, 1213, ((1,),)])
        self.assertEqual(self.given_up, [])

    def _compressed(self, port: int) -> list[Any]:
        with through_c(port, compress=True) as connection:
            cursor = connection.cursor()
            seen: list[Any] = []
            cursor.execute("BEGIN")
            for statement in ("INSERT INTO nowhere VALUES (1)", "COMMIT"):
                try:
                    cursor.execute(statement)
                except Exception as problem:
                    seen.append(problem.args[0])
            cursor.execute("SELECT 1")
            return [*seen, cursor.fetchall()]

    async def test_execution(self) -> None:
        """After a refused first execution the server learns the parameters' types with the next."""
        port = self.watched(only(Error(kind="deadlock"), "SELECT", times=1))
        self.assertEqual(
            await self.in_thread(self._execute, port), [b"\xff", b"\0\0" + b"42", b"\0\0" + b"42"]
        )
        self.assertEqual(self.given_up, [])

    def _execute(self, port: int) -> list[bytes]:
        """Prepare and execute by hand, as libraries do that send types once: the row of each answer."""
        prepare, execute, text = 0x16, 0x17, b"\xfe\0"
        with direct(port) as connection:
            wire: Any = connection
            self._command(wire, prepare, b"SELECT CONCAT(?, '2')")
            number = self._packets(wire, 5)[0][1:5]
            head = number + b"\0\1\0\0\0" + b"\0"
            seen = []
            for types in (b"\1" + text, b"\0", b"\0"):
                self._command(wire, execute, head + types + b"\0014")
                first = self._packets(wire, 1)[0]
                seen.append(
                    first[:1] if first[:1] == b"\xff" else self._packets(wire, 4)[2].replace(b"\2", b"")
                )
        return seen

    def _command(self, wire: Any, code: int, body: bytes) -> None:
        wire._next_seq_id = 0
        wire.write_packet(bytes((code,)) + body)

    def _packets(self, wire: Any, count: int) -> list[bytes]:
        """Packets as they come, errors too."""
        packets = []
        for _ in range(count):
            header = wire._read_bytes(4)
            packets.append(bytes(wire._read_bytes(int.from_bytes(header[:3], "little"))))
        return packets

    async def test_rows(self) -> None:
        """Rows that are cut: the client has those before, and its connection goes on."""
        select = "SELECT seq FROM seq_1_to_100000"
        port = self.watched(only(Error(kind="error-in-rows"), "SELECT", times=1))
        self.assertEqual(await self.in_thread(rows_cut, port, select), ([1], 1317, 100_000))
        port = self.watched(only(Error(kind="error-in-rows"), "SELECT", times=1))
        self.assertEqual(await self.in_thread(self._compressed_rows, port, select), (1317, 100_000))
        self.assertEqual(self.given_up, [])

    def _compressed_rows(self, port: int, select: str) -> tuple[int, int]:
        number = 0
        with through_c(port, compress=True) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(select)
            except Exception as problem:
                number = problem.args[0]
            cursor.execute(select)
            return number, len(cursor.fetchall())

    async def test_fetched_rows(self) -> None:
        """Rows of a cursor at the server are cut in the fetch that brings them; the cursor goes on."""
        port = self.watched(only(Error(kind="error-in-rows"), "STMT_FETCH", times=1))
        (row, error), later = await self.in_thread(self._fetch, port)
        self.assertEqual((row, error[:1], later[0]), (_binary_row(1), b"\xff", _binary_row(6)))
        self.assertEqual(self.given_up, [])

    def _fetch(self, port: int) -> list[list[bytes]]:
        """Open a cursor by hand and fetch from it twice: the packets of each answer."""
        with direct(port) as connection:
            wire: Any = connection
            self._command(wire, 0x16, b"SELECT seq FROM seq_1_to_50")
            number = self._packets(wire, 3)[0][1:5]
            self._command(wire, 0x17, number + b"\1\1\0\0\0")
            self._packets(wire, 3)
            answers = []
            for count in (2, 6):
                self._command(wire, 0x1C, number + b"\5\0\0\0")
                answers.append(self._packets(wire, count))
        return answers

    async def test_lost_commit(self) -> None:
        """`abort` on COMMIT: the work is done, and the client does not know."""
        await self.run_sql(self.server.port, "CREATE TABLE kept (id INT)")
        seen = await self.in_thread(self._commit_cut, self.watched(only(Abort(), "COMMIT", times=1)))
        self.assertEqual(seen, 2013)
        await self.until(lambda: not self.services[-1].proxy.links)
        rows = await self.run_sql(self.server.port, "SELECT COUNT(*) FROM kept")
        self.assertEqual(rows, [((1,),)])

    def _commit_cut(self, port: int) -> object:
        connection = direct(port)
        connection.cursor().execute("INSERT INTO kept VALUES (1)")
        try:
            connection.commit()
        except Exception as problem:
            return problem.args[0]
        return None


class TlsTests(LiveCase):
    """TLS in the protocol."""

    def setUp(self) -> None:
        """A server that offers TLS."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        openssl = require("openssl", "openssl")
        key, certificate = (self.folder / "key.pem").absolute(), (self.folder / "certificate.pem").absolute()
        subject = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "30"]
        files = ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run([openssl, "req", "-x509", *subject, *files], check=True, capture_output=True)
        self.server_options = (f"--ssl-key={key}", f"--ssl-cert={certificate}")
        super().setUp()

    def _cipher(self, port: int) -> Any:
        return run_all(port, "SHOW STATUS LIKE 'Ssl_cipher'", ssl={"check_hostname": False})[0][0][1]

    async def test_passthrough(self) -> None:
        """The link is given up, with a warning, and TLS works from end to end."""
        self.assertNotEqual(await self.in_thread(self._cipher, self.proxied), "")
        self.assertEqual(len(self.given_up), 1)
        self.assertIn("TLS", self.given_up[0])

    async def test_strip(self) -> None:
        """The offer is taken away: a client that can do without goes on visibly."""
        port = self.watched(tls="strip")
        rows = await self.run_sql(port, "SHOW STATUS LIKE 'Ssl_cipher'")
        self.assertEqual(rows[0], (("Ssl_cipher", ""),))
        self.check_captures()
