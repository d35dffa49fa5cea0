"""MySQL's own server: what it does that MariaDB does not, and its errors."""

from __future__ import annotations

from txvaurien.behaviors.error import Error
from txvaurien.model import Direction
from txvaurien.test import mysql_words
from txvaurien.test.mysql_captures import LiveCase
from txvaurien.test.mysql_clients import scenario
from txvaurien.test.mysql_support import only, rows_cut, run_all
from txvaurien.test.mysql_upstream import MySQLServer, command_line
from txvaurien.test.servers import ServerProcess

#: Without TLS the log-in asks the server for its public key.
PLAINLY = ("--ssl-mode=DISABLED", "--get-server-public-key")

#: Ordinary and long results, results in a row, prepared statements, a transaction, an error.
SCRIPT = """\
CREATE TABLE stock (id INT PRIMARY KEY, name LONGTEXT);
INSERT INTO stock VALUES (1, 'a'), (2, NULL), (3, REPEAT('long ', 40000));
SELECT id, LENGTH(name) FROM stock;
SELECT name FROM stock WHERE id = 3;
CREATE PROCEDURE twice(n INT) SELECT n, n + n;
CALL twice(4);
BEGIN;
DELETE FROM stock WHERE id = 1;
SELECT COUNT(*) FROM stock;
ROLLBACK;
SELECT COUNT(*) FROM stock;
SELEKT 1;
PREPARE again FROM 'SELECT id FROM stock WHERE id > ?';
SET @least = 1;
EXECUTE again USING @least;
DROP PROCEDURE twice;
DROP TABLE stock;
"""


class UpstreamCase(LiveCase):
    """Tests with MySQL's own server."""

    def make_server(self) -> ServerProcess:
        return MySQLServer(*self.server_options)

    def said(self, *directions: Direction) -> bytes:
        """All that was said on the links so far."""
        return b"".join(data for steps in self.captures for way, data in steps if way in directions)


class LogInTests(UpstreamCase):
    """caching_sha2_password, on both of its paths."""

    async def test_paths(self) -> None:
        """The first log-in tells the password, encrypted; the next one is known; both are framed."""
        full, known = b"\x02\0\0\x04\x01\x04", b"\x02\0\0\x02\x01\x03"
        port = self.watched(tls="strip")
        self.assertEqual(await self.in_thread(run_all, port, "SELECT 1"), [((1,),)])
        self.assertIn(b"\x01\x04", self.said(Direction.TO_CLIENT))
        self.assertIn(b"BEGIN PUBLIC KEY", self.said(Direction.TO_CLIENT))
        self.captures.clear()
        self.assertEqual(await self.in_thread(run_all, port, "SELECT 1"), [((1,),)])
        self.assertIn(known, self.said(Direction.TO_CLIENT))
        self.assertNotIn(full, self.said(Direction.TO_CLIENT))
        self.check_captures()

    async def test_tls(self) -> None:
        """Over TLS the log-in works from end to end; with `strip` a client that can do without goes on."""
        shown = "SHOW STATUS LIKE 'Ssl_version'"
        seen = await self.in_thread(command_line, self.proxied, shown, "--ssl-mode=REQUIRED")
        self.assertIn("TLSv1", seen)
        self.assertIn("TLS", self.given_up.pop())
        self.captures.clear()
        port = self.watched(tls="strip")
        options = ("--ssl-mode=PREFERRED", "--get-server-public-key")
        self.assertNotIn("TLSv1", await self.in_thread(command_line, port, shown, *options))
        self.check_captures()

    async def test_change_user(self) -> None:
        """A change of the user goes through an authentication of its own; a reset does not."""
        # Without TLS the connector logs in only those whose password the server has seen.
        await self.run_sql(self.server.port, "DO 1")
        seen = await self.in_thread(scenario, "connector", self.watched(tls="strip"))
        self.assertIn("plain@%", seen)
        self.assertIn(b"\x11plain\0", self.said(Direction.TO_BACKEND))
        self.assertIn(b"\1\0\0\0\x1f", self.said(Direction.TO_BACKEND))
        self.check_captures()


class ProtocolTests(UpstreamCase):
    """What its own client and it agree on: metadata, attributes, tracking, compression."""

    async def test_command_line(self) -> None:
        """Its command line sees the same through the proxy, however packets are compressed."""
        real = await self.in_thread(command_line, self.server.port, SCRIPT, *PLAINLY)
        self.assertIn("8\n", real)
        for algorithm in ("uncompressed", "zlib", "zstd"):
            compressed = f"--compression-algorithms={algorithm}"
            seen = await self.in_thread(command_line, self.proxied, SCRIPT, *PLAINLY, compressed)
            self.assertEqual(seen, real, algorithm)
        self.check_captures()

    async def test_compressed_faults(self) -> None:
        """Errors in zlib and zstd: in place of a reply, and among the rows of one."""
        script = "INSERT INTO nowhere VALUES (1);\nSELECT 1 UNION SELECT 2;\nSHOW STATUS LIKE 'Comp%';\n"
        for algorithm in ("zlib", "zstd"):
            for kind, verb, number in (("deadlock", "INSERT", "1213"), ("error-in-rows", "SELECT", "1317")):
                port = self.watched(only(Error(kind=kind), verb))
                compressed = f"--compression-algorithms={algorithm}"
                seen = await self.in_thread(command_line, port, script, *PLAINLY, compressed)
                self.assertIn(f"ERROR {number}", seen)
                self.assertIn(f"Compression_algorithm\t{algorithm}", seen)
        self.assertEqual(self.given_up, [])

    async def test_attributes(self) -> None:
        """Attributes of a query stand before its text; the verb is seen behind them."""
        script = (
            "query_attributes shelf 12 name long\n"
            "SELECT mysql_query_attribute_string('shelf'), mysql_query_attribute_string('name');\n"
        )
        self.assertIn("12\tlong", await self.in_thread(command_line, self.proxied, script, *PLAINLY))
        port = self.watched(only(Error(kind="out-of-memory"), "SELECT"))
        self.assertIn("ERROR 1041", await self.in_thread(command_line, port, script, *PLAINLY))
        self.check_captures()

    async def test_session_tracking(self) -> None:
        """OK packets that tell what has changed are read for what they say of the transaction."""
        tracked = (
            "SET session_track_system_variables = '*', session_track_state_change = ON,"
            " session_track_schema = ON, session_track_transaction_info = 'CHARACTERISTICS';\n"
            "USE shop;\nSET NAMES latin1;\nCREATE TABLE tracked (id INT);\n"
            "START TRANSACTION WITH CONSISTENT SNAPSHOT;\nINSERT INTO tracked VALUES (1);\n"
            "UPDATE tracked SET id = 2;\nSELECT COUNT(*) AS rows_left FROM tracked;\n"
        )
        port = self.watched(only(Error(kind="deadlock"), "UPDATE"))
        seen = await self.in_thread(command_line, port, tracked, *PLAINLY)
        self.assertIn("ERROR 1213", seen)
        self.assertIn("rows_left\n0\n", seen)
        self.assertIn(b"START TRANSACTION WITH CONSISTENT SNAPSHOT;", self.said(Direction.TO_CLIENT))
        self.assertEqual(self.given_up, [])

    async def test_rows(self) -> None:
        """Rows that are cut: the client has those before, and its connection goes on."""
        port = self.watched(only(Error(kind="error-in-rows"), "SELECT", times=1), tls="strip")
        seen = await self.in_thread(rows_cut, port, "SELECT 1 UNION SELECT 2")
        self.assertEqual(seen, ([1], 1317, 2))
        self.assertEqual(self.given_up, [])


class RealErrorTests(mysql_words.RealErrorCase):
    """The errors of MySQL's own server."""

    limit = "SET max_execution_time = 1"
    shutdown = "server-shutdown"
    slow = "SELECT COUNT(*) FROM " + ", ".join(f"information_schema.columns {name}" for name in "abc")

    def make_server(self) -> ServerProcess:
        return MySQLServer(*self.server_options)
