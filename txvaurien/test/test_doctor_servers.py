"""The doctor and real servers: each is recognised, told from what is configured, and left without trouble."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pymysql

from txvaurien.doctor.findings import Finding, Level
from txvaurien.doctor.reaching import Way
from txvaurien.doctor.recognising import WaitLimits, greet
from txvaurien.test.doctor_support import LONG, DoctorCase, levels
from txvaurien.test.http_servers import NginxServer, PythonServer
from txvaurien.test.mailservers import Aiosmtpd, OpenSMTPD, Postfix
from txvaurien.test.memcached_server import Memcached, SaslMemcached, TextAuthMemcached
from txvaurien.test.mysql_support import MariaDBServer, direct
from txvaurien.test.mysql_upstream import MySQLServer
from txvaurien.test.postgres import PostgresServer
from txvaurien.test.redis_clusters import ClusterNode, SentinelServer
from txvaurien.test.servers import RedisServer, ServerProcess, require, wait_until
from txvaurien.test.support import connect

ServerT = TypeVar("ServerT", bound=ServerProcess)

#: For servers that have to be asked something else first, to which they do not answer.
SOME = WaitLimits(greeting=0.2, expected=5.0, answer=5.0)

#: For servers that greet, where that is not what is configured.
_GREETS = WaitLimits(greeting=60.0, expected=60.0, answer=60.0)

#: How often a client of a MySQL may fail to shake hands in a row, and where it comes from: a MySQL does
#: not count those of 127.0.0.1.
_ERRORS = 10
_ELSEWHERE = "127.0.0.2"


class ServerCase(DoctorCase):
    """Tests with servers."""

    def start(self, server: ServerT) -> ServerT:
        """Start a server that ends with the test."""
        self.addCleanup(server.stop)
        server.start()
        return server

    def found(
        self, server: ServerProcess, protocol: str, *arguments: str, waits: WaitLimits = LONG
    ) -> list[Finding]:
        """What is found of a proxy for this protocol in front of a server."""
        backend = f"--backend=127.0.0.1:{server.port}"
        return self.examine("--proxy=:0", backend, f"--protocol={protocol}", *arguments, waits=waits)

    def says(self, findings: Sequence[Finding], words: str, level: Level = Level.OK) -> Finding:
        """The protocol was found to be that, and this was thought of it."""
        found = [each for each in findings if each.topic == "protocol"][0:1]
        self.assertEqual([each.level for each in found], [level], findings)
        self.assertIn(words, found[0].text)
        return found[0]

    def log_of(self, server: ServerProcess) -> str:
        """What a server has logged."""
        return (server.folder / "log").read_text(encoding="utf-8", errors="replace")


class RedisTests(ServerCase):
    """redis-server."""

    def test_right(self) -> None:
        """It is recognised, with its version, and nothing is wrong with it."""
        found = self.found(self.start(RedisServer()), "redis")
        self.says(found, "it is Redis ")
        self.none(found, Level.WARNING, Level.ERROR)

    def test_other_protocols(self) -> None:
        """Whatever is configured, it is recognised, the right protocol is named, and it sees no attack."""
        server = self.start(RedisServer())
        for protocol in ("memcache", "http"):
            error = self.says(self.found(server, protocol), "which does not speak", Level.ERROR)
            self.assertEqual(error.advice, "set --protocol to redis")
        note = self.says(self.found(server, "tcp", waits=SOME), "with --protocol redis", Level.NOTE)
        self.assertEqual(note.advice, "set --protocol to redis")
        self.assertNotIn("ATTACK", self.log_of(server))

    def test_password(self) -> None:
        """With a password it is recognised, and what cannot be told is noted."""
        found = self.found(self.start(RedisServer("--requirepass", "secret")), "redis")
        self.says(found, "it is Redis")
        self.assertEqual(levels(found, "protocol"), [Level.OK, Level.NOTE])

    def test_too_many(self) -> None:
        """One that takes no client, because there are too many, is an error, with its words."""
        server = self.start(RedisServer("--maxclients", "1"))
        held: list[socket.socket] = []
        self.addCleanup(self.let_go, held)
        # Whoever has looked whether it is there may still be the only one.
        wait_until(lambda: self.holds(server, held), lambda: "it takes no client")
        error = self.only(self.found(server, "redis"), "backend", Level.ERROR)
        self.assertIn("ERR max number of clients reached", error.text)

    def holds(self, server: ServerProcess, held: list[socket.socket]) -> bool:
        """Be a client of it, if it takes one."""
        held.append(connect(server.port))
        held[-1].sendall(b"PING\r\n")
        return held[-1].recv(64).startswith(b"+PONG")

    def let_go(self, held: list[socket.socket]) -> None:
        """Be no client any more."""
        for each in held:
            each.close()

    def test_cluster(self) -> None:
        """A node of a cluster leads past the proxy, unless `remap` says otherwise."""
        server = self.start(ClusterNode())
        warning = self.only(self.found(server, "redis"), "protocol", Level.WARNING)
        self.assertIn("a node of a cluster", warning.text)
        self.assertIn("--protocol-redis-remap", warning.advice)
        remap = f"--protocol-redis-remap=127.0.0.1:{server.port}=127.0.0.1:7"
        self.none(self.found(server, "redis", remap), Level.WARNING, Level.ERROR)

    def test_sentinel(self) -> None:
        """So does a sentinel."""
        server = self.start(SentinelServer(self.start(RedisServer()).port))
        self.assertIn("a sentinel", self.only(self.found(server, "redis"), "protocol", Level.WARNING).text)

    def test_unix(self) -> None:
        """A server behind a Unix socket is reached and recognised as well."""
        path = Path(self.mktemp()).absolute()
        self.start(RedisServer("--unixsocket", str(path)))
        found = self.examine("--proxy=:0", f"--backend=unix:{path}", "--protocol=redis")
        self.says(found, "it is Redis ")


class MemcachedTests(ServerCase):
    """memcached."""

    def test_right(self) -> None:
        """It is recognised, with its version."""
        self.says(self.found(self.start(Memcached()), "memcache"), "it is memcached 1.")

    def test_password(self) -> None:
        """It is recognised with a password, and with SASL, where it speaks the binary protocol only."""
        self.says(self.found(self.start(TextAuthMemcached()), "memcache"), "it is memcached")
        self.says(self.found(self.start(SaslMemcached()), "memcache", waits=SOME), "(binary protocol)")

    def test_other_protocols(self) -> None:
        """Whatever is configured, it is recognised."""
        server = self.start(Memcached())
        self.says(self.found(server, "redis"), "the server is memcached", Level.ERROR)
        self.says(self.found(server, "tcp", waits=SOME), "--protocol memcache", Level.NOTE)


class MailTests(ServerCase):
    """Mail servers."""

    def test_python(self) -> None:
        """aiosmtpd, which offers STARTTLS: that is warned of, unless it is taken out."""
        server = self.start(Aiosmtpd())
        found = self.found(server, "smtp")
        self.says(found, "it is a mail server (220 mx.example.org Python SMTP")
        warning = self.only(found, "protocol", Level.WARNING)
        self.assertIn("--protocol-smtp-starttls", warning.advice)
        stripped = self.found(server, "smtp", "--protocol-smtp-starttls=strip")
        self.none(stripped, Level.WARNING, Level.ERROR)

    def test_postfix(self) -> None:
        """Postfix logs a client that has said EHLO and QUIT, and nothing lost."""
        server = self.start(Postfix())
        self.says(self.found(server, "tcp", waits=_GREETS), "ESMTP Postfix", Level.NOTE)
        file = server.folder / "maillog"
        # Two clients: the test has looked whether it is there. They are logged when they have left.
        wait_until(lambda: file.read_text().count("disconnect from") == 2, file.read_text)
        log = file.read_text()
        self.assertIn("ehlo=1 quit=1", log)
        self.assertEqual(log.count("lost connection"), 1, log)

    def test_opensmtpd(self) -> None:
        """OpenSMTPD is recognised as well."""
        self.says(self.found(self.start(OpenSMTPD()), "smtp"), "ESMTP OpenSMTPD")

    def test_other_protocol(self) -> None:
        """It is no Redis."""
        found = self.found(self.start(Aiosmtpd()), "redis", waits=_GREETS)
        error = self.says(found, "does not speak redis", Level.ERROR)
        self.assertEqual(error.advice, "set --protocol to smtp")


class WebTests(ServerCase):
    """Web servers."""

    def test_servers(self) -> None:
        """nginx and Python's are recognised, and named as they name themselves."""
        self.says(self.found(self.start(PythonServer()), "http"), "it is HTTP (BaseHTTP/")
        self.says(self.found(self.start(NginxServer()), "http"), "it is HTTP (nginx/")

    def test_other_protocol(self) -> None:
        """A web server is no memcached."""
        self.says(self.found(self.start(NginxServer()), "memcache"), "the server is HTTP", Level.ERROR)


class PostgresTests(ServerCase):
    """PostgreSQL, which we do not frame."""

    def test_tcp(self) -> None:
        """It is recognised; tcp is right for it, and its log has no word of what was asked."""
        server = self.start(PostgresServer())
        before = self.log_of(server)
        self.says(self.found(server, "tcp"), "the server is PostgreSQL; tcp suits")
        self.assertNotIn("startup packet", self.log_of(server)[len(before) :])

    def test_other_protocol(self) -> None:
        """With another protocol it is an error, and tcp is what remains."""
        error = self.says(
            self.found(self.start(PostgresServer()), "mysql", waits=SOME), "PostgreSQL", Level.ERROR
        )
        self.assertEqual(error.advice, "set --protocol to tcp")


class FromElsewhere(Way):
    """A way that begins at an address that servers do not take for the loopback."""

    def opened(self) -> socket.socket:
        """A socket with this address."""
        sock = super().opened()
        sock.bind((_ELSEWHERE, 0))
        return sock


def counting(command: Sequence[str]) -> Sequence[str]:
    """The command of a server that blocks those who often fail to shake hands.

    That takes looking up their names, for which it should not wait long.
    """
    resolving = [each for each in command if each != "--skip-name-resolve"]
    environment = [require("env", "coreutils"), "RES_OPTIONS=timeout:1 attempts:1"]
    return [*environment, *resolving, f"--max-connect-errors={_ERRORS}"]


class CountingMariaDB(MariaDBServer):
    """MariaDB that does."""

    def command(self) -> Sequence[str]:
        return counting(super().command())


class CountingMySQL(MySQLServer):
    """MySQL that does."""

    def command(self) -> Sequence[str]:
        return counting(super().command())


class MySQLTests(ServerCase):
    """MariaDB and MySQL."""

    def test_mariadb(self) -> None:
        """MariaDB without TLS: recognised, and the trap of localhost is told."""
        found = self.found(self.start(MariaDBServer()), "mysql")
        self.says(found, "it is MariaDB 1")
        (clients,) = [each for each in found if each.topic == "clients"]
        self.assertIn("have them connect to 127.0.0.1 and port", clients.advice)
        self.none(found, Level.ERROR)

    def test_tls(self) -> None:
        """MySQL offers TLS, with which its drivers make links opaque: warned of, unless it is taken out."""
        server = self.start(MySQLServer())
        found = self.found(server, "mysql")
        self.says(found, "it is MySQL ")
        warning = self.only(found, "protocol", Level.WARNING)
        self.assertIn("offers TLS", warning.text)
        self.assertIn("--protocol-mysql-tls to strip", warning.advice)
        stripped = self.found(server, "mysql", "--protocol-mysql-tls=strip")
        self.assertEqual(levels(stripped, "protocol"), [Level.OK, Level.NOTE])

    def test_other_protocol(self) -> None:
        """It is no web server, and its greeting is waited for before anybody asks it something."""
        found = self.found(self.start(MariaDBServer()), "http", waits=_GREETS)
        self.says(found, "the server is MariaDB", Level.ERROR)

    def test_mariadb_does_not_mind(self) -> None:
        """After 200 visits MariaDB still takes clients from there; it does count those who just go away."""
        self.visit_often(self.start(CountingMariaDB()))

    def test_mysql_does_not_mind(self) -> None:
        """Neither does MySQL mind."""
        self.visit_often(self.start(CountingMySQL()))

    def visit_often(self, server: ServerProcess) -> None:
        """Visit it, log in; then be a client that it does block, and see that the doctor is told."""
        way = FromElsewhere((socket.AF_INET, ("127.0.0.1", server.port)))
        for _ in range(200):
            _, seen = greet(way, "mysql", LONG)
            assert seen is not None
            self.assertEqual(seen.trouble, "")
        self.log_in(server)
        for _ in range(_ERRORS + 1):
            with way.connect() as sock:
                sock.recv(1)
        _, seen = greet(way, "mysql", LONG)
        assert seen is not None
        self.assertTrue(seen.trouble.startswith("1129 "), seen)
        self.assertRaises(pymysql.err.OperationalError, self.log_in, server)

    def log_in(self, server: ServerProcess) -> None:
        """From the address that may have been blocked."""
        direct(server.port, bind_address=_ELSEWHERE).close()
