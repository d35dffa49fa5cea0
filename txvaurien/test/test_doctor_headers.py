"""The doctor and the PROXY protocol: who wants its header, and who does not."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from txvaurien.doctor.findings import Finding, Level
from txvaurien.test.doctor_support import levels
from txvaurien.test.http_servers import NginxServer
from txvaurien.test.mailservers import Aiosmtpd, OpenSMTPD, Postfix
from txvaurien.test.memcached_server import Memcached
from txvaurien.test.mysql_support import MariaDBServer
from txvaurien.test.mysql_upstream import MySQLServer
from txvaurien.test.peers import ScriptedBackend, read_exactly
from txvaurien.test.postgres import PostgresServer
from txvaurien.test.servers import RedisServer, ServerProcess, require
from txvaurien.test.test_doctor_servers import SOME, ServerCase
from txvaurien.test.test_tls_backend import certificate

_VERSIONS = ("v1", "v2")


class BehindProxies(NginxServer):
    """nginx that wants a header."""

    def _configure(self) -> None:
        super()._configure()
        file = self.folder / "nginx.conf"
        listen = f"listen 127.0.0.1:{self.port}"
        file.write_text(file.read_text().replace(f"{listen};", f"{listen} proxy_protocol;"))


class HAProxy(ServerProcess):
    """HAProxy, which answers to HTTP itself.

    :param bind: what stands behind its address.
    """

    def __init__(self, *bind: str) -> None:
        super().__init__()
        self.bind = " ".join(bind)

    def command(self) -> Sequence[str]:
        configuration = self.folder / "haproxy.cfg"
        configuration.write_text(
            "defaults\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n"
            f"listen back\n mode http\n bind 127.0.0.1:{self.port} {self.bind}\n"
            " http-request return status 200\n",
            encoding="ascii",
        )
        return [require("haproxy", "haproxy"), "-db", "-f", str(configuration)]


class HeaderCase(ServerCase):
    """What is said of the header, and of the protocol behind it."""

    def wanted(self, found: Sequence[Finding], words: str, advice: str) -> None:
        """One error says that, and the server is recognised all the same."""
        error = self.only(found, "backend", Level.ERROR)
        self.assertIn(words, error.text)
        self.assertEqual(error.advice, advice)
        self.assertEqual([each for each in found if each.level is Level.ERROR], [error])

    def takes_none(
        self, server: ServerProcess, protocol: str, what: str, versions: Sequence[str] = _VERSIONS
    ) -> None:
        """None of these versions is taken by this server, and with none it is taken for another."""
        for version in versions:
            found = self.found(server, protocol, f"--send-proxy={version}", waits=SOME)
            self.wanted(found, "takes no PROXY protocol header", "leave --send-proxy out")
            self.says(found, what)


class WantedTests(HeaderCase):
    """Servers that want a header."""

    def wants_one(self, server: ServerProcess) -> None:
        """Without one an error names the option; with either version nothing is wrong."""
        found = self.found(server, "http")
        self.wanted(found, "wants a PROXY protocol header", "set --send-proxy to v1 (or v2)")
        self.says(found, "it is HTTP")
        for version in _VERSIONS:
            found = self.found(server, "http", f"--send-proxy={version}")
            self.says(found, "it is HTTP")
            self.none(found, Level.WARNING, Level.ERROR)

    def test_nginx(self) -> None:
        """nginx, with `proxy_protocol`."""
        self.wants_one(self.start(BehindProxies()))

    def test_haproxy(self) -> None:
        """HAProxy, with `accept-proxy`."""
        self.wants_one(self.start(HAProxy("accept-proxy")))

    def test_not_known(self) -> None:
        """With tcp as the protocol a server that wants one is found as well."""
        found = self.found(self.start(BehindProxies()), "tcp")
        self.wanted(found, "the server is HTTP (nginx/", "set --send-proxy to v1 (or v2)")

    def test_place(self) -> None:
        """Where a file says something else, the advice names that line."""
        server = self.start(NginxServer())
        ini = f"[proxy:a]\nproxy = :0\nbackend = 127.0.0.1:{server.port}\nprotocol = http\nsend-proxy = v1\n"
        error = self.only(self.examine(ini=ini), "backend", Level.ERROR)
        self.assertRegex(error.advice, r"^leave \S+:5: send-proxy out$")

    def test_nobody(self) -> None:
        """A server that answers to nothing is asked in both ways, and nothing is said of a header."""
        heard: list[bytes] = []

        def script(peer: socket.socket) -> None:
            heard.append(peer.recv(5))

        backend = ScriptedBackend(script)
        self.addCleanup(backend.stop)
        found = self.examine("--proxy=:0", f"--backend=127.0.0.1:{backend.port}", "--protocol=redis")
        self.doCleanups()
        self.assertEqual((levels(found, "backend"), levels(found, "protocol")), ([Level.OK], [Level.WARNING]))
        self.assertIn(b"PROXY", heard)

    def test_echo(self) -> None:
        """What only repeats what it hears has not understood a header."""

        def script(peer: socket.socket) -> None:
            peer.sendall(read_exactly(peer, 7))

        backend = ScriptedBackend(script)
        self.addCleanup(backend.stop)
        found = self.examine("--proxy=:0", f"--backend=127.0.0.1:{backend.port}", "--protocol=redis")
        self.assertEqual(levels(found, "backend"), [Level.OK])


class NotWantedTests(HeaderCase):
    """Servers that take none: some complain of it, some close, some wait for more."""

    def test_web(self) -> None:
        """nginx and HAProxy."""
        self.takes_none(self.start(NginxServer()), "http", "it is HTTP (nginx/")
        self.takes_none(self.start(HAProxy()), "http", "it is HTTP")

    def test_caches(self) -> None:
        """Redis and memcached."""
        # Of version 2 Redis takes no end of line, so that it waits for ever.
        self.takes_none(self.start(RedisServer()), "redis", "it is Redis ", versions=["v1"])
        self.takes_none(self.start(Memcached()), "memcache", "it is memcached 1.")

    def test_mail(self) -> None:
        """Mail servers, which have greeted all the same."""
        for server in (Aiosmtpd(), OpenSMTPD(), Postfix()):
            self.takes_none(self.start(server), "smtp", "it is a mail server")

    def test_databases(self) -> None:
        """MariaDB and MySQL, which have greeted as well; PostgreSQL, which has not."""
        self.takes_none(self.start(MariaDBServer()), "mysql", "it is MariaDB ")
        self.takes_none(self.start(MySQLServer()), "mysql", "it is MySQL ")
        self.takes_none(self.start(PostgresServer()), "tcp", "the server is PostgreSQL")

    def test_wrong_protocol(self) -> None:
        """If the protocol is wrong, too, that is said of the server as it is without a header."""
        found = self.found(self.start(RedisServer()), "http", "--send-proxy=v1")
        self.assertIn("takes no PROXY", self.only(found, "backend", Level.ERROR).text)
        self.says(found, "the server is Redis, which", Level.ERROR)


class TlsTests(HeaderCase):
    """The header comes before TLS."""

    def setUp(self) -> None:
        cert, key = certificate(Path(self.mktemp()).absolute())
        both = Path(cert).with_name("both.pem")
        both.write_bytes(Path(cert).read_bytes() + Path(key).read_bytes())
        self.ssl = ("ssl", "crt", str(both))

    def secured(self, server: ServerProcess, *arguments: str, name: str = "tls:") -> list[Finding]:
        """What is found of a `tls:` backend."""
        backend = f"--backend={name}127.0.0.1:{server.port}"
        return self.examine("--proxy=:0", backend, "--protocol=http", "--backend-tls-verify=no", *arguments)

    def test_wanted(self) -> None:
        """A server that wants one gives no TLS without it."""
        server = self.start(HAProxy("accept-proxy", *self.ssl))
        found = self.secured(server)
        self.wanted(found, "wants a PROXY protocol header", "set --send-proxy to v1 (or v2)")
        self.says(found, "it is HTTP")
        self.none(self.secured(server, "--send-proxy=v2"), Level.ERROR)

    def test_not_wanted(self) -> None:
        """A server that takes none gives no TLS with it."""
        server = self.start(HAProxy(*self.ssl))
        found = self.secured(server, "--send-proxy=v1")
        self.wanted(found, "takes no PROXY protocol header", "leave --send-proxy out")
        self.says(found, "it is HTTP")

    def test_tls_behind_it(self) -> None:
        """Behind a header TLS is recognised where nobody has written `tls:`."""
        found = self.secured(self.start(HAProxy("accept-proxy", *self.ssl)), name="")
        self.assertIn("behind one, the server is TLS", self.only(found, "backend", Level.ERROR).text)
        self.assertIn("write tls:127.0.0.1", self.only(found, "protocol", Level.ERROR).advice)
