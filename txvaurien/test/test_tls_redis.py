"""Redis over TLS: redis-server and redis-py, with the proxy between them."""

from __future__ import annotations

import socket
import ssl
import sys
from contextlib import closing
from pathlib import Path

import redis

from txvaurien.behaviors.tls import Tls
from txvaurien.embed import chaos_proxy
from txvaurien.net.ends import AUTO, Ends
from txvaurien.plan import Plan
from txvaurien.protocols.http import Http
from txvaurien.protocols.memcache import Memcache
from txvaurien.protocols.mysql import MySQL
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.tcp import Tcp
from txvaurien.test.peers import ScriptedBackend, read_all, read_exactly
from txvaurien.test.servers import RedisServer, ServerProcess
from txvaurien.test.support import connect
from txvaurien.test.tls_live import TLS, LiveCase, TlsRedis, outcome
from txvaurien.tls.certificates import Spoil


class RedisTests(LiveCase):
    """redis-py, and redis-server that speaks TLS."""

    async def test_both_ends(self) -> None:
        """Commands pass and are framed; the certificate is for the name that the client asks for."""
        server = self.start_server(TlsRedis(self.files))
        service = self.serve(Redis(), f"tls:localhost:{server.port}")

        def talk() -> tuple[object, object]:
            options = {**TLS, "port": service.port, "ssl_ca_certs": self.files.ca}
            with closing(redis.Redis("localhost", **options)) as client:
                client.set("key", b"x" * 300_000)
                return client.ping(), client.get("key")

        self.assertEqual(await self.in_thread(talk), (True, b"x" * 300_000))
        await self.gone(service)
        self.assertEqual(self.told("opaque"), [])
        self.assertGreaterEqual(self.told("link-closed")[0]["exchanges"], 3)

    async def test_ways_to_a_backend(self) -> None:
        """Names, both kinds of numbers, endpoints inside, and time-outs; each verified."""
        server = self.start_server(TlsRedis(self.files))
        other = self.start_server(TlsRedis(self.files, "127.0.0.1"))
        for backend in (
            f"tls:localhost:{server.port}:timeout=5",
            rf"tls:127.0.0.1:{server.port}:name=localhost",
            rf"tls:localhost:{server.port}:endpoint=tcp\:127.0.0.1\:{server.port}",
            f"tls:127.0.0.1:{other.port}",
            f"tls:127.0.0.1:{other.port}:bindAddress=127.0.0.1",
            f"ssl:127.0.0.1:{other.port}",
            f"tls:localhost:{other.port}:verify=no",
        ):
            service = self.serve(Redis(), backend)
            found = await self.in_thread(outcome, service.port, self.files.ca)
            self.assertEqual(found, ("", ""), backend)

    async def test_certificate_of_the_proxy(self) -> None:
        """A server that asks for one is shown it; without it the reason is journalled."""
        server = self.start_server(TlsRedis(self.files, authenticates=True))
        shown = self.files.issue_to_client()
        for backend in (f"tls:localhost:{server.port}:cert={shown}", f"tls:localhost:{server.port}"):
            ends = Ends(tls=AUTO, backend_tls_ca=self.files.ca, backend_tls_cert=shown)
            service = self.serve(Redis(), backend, ends=ends)
            self.assertEqual(await self.in_thread(outcome, service.port, self.files.ca), ("", ""))
        service = self.serve(Redis(), f"tls:localhost:{server.port}")
        self.assertNotEqual(await self.in_thread(outcome, service.port, self.files.ca), ("", ""))
        await self.until(lambda: bool(self.told("link-closed")))
        self.assertIn("certificate", self.told("handshake-failed")[0]["why"])

    async def test_backends_that_cannot_be_trusted(self) -> None:
        """Each reason is said, and what to do; the client is reset."""
        for name, spoil, why in (
            ("localhost", Spoil.EXPIRED, "has expired"),
            ("other.example", Spoil.NONE, "is not for localhost"),
            ("localhost", Spoil.SELF_SIGNED, "is self-signed"),
            ("localhost", Spoil.UNKNOWN_AUTHORITY, "authority that is not known"),
        ):
            server = self.start_server(TlsRedis(self.files, name, spoil))
            service = self.serve(Redis(), f"tls:localhost:{server.port}")
            found = await self.in_thread(outcome, service.port, self.files.ca)
            self.assertEqual(found[0], "ConnectionError")
            await self.gone(service)
            refused = self.told("backend-refused")[0]["why"]
            self.assertIn(why, refused)
            self.assertIn("backend-tls-verify", refused)
            self.assertEqual((service.proxy.stats.failed, service.proxy.pool.open), (1, 0))

    async def test_backend_that_speaks_no_tls(self) -> None:
        """The words are plain."""
        server = self.start_server(RedisServer())
        service = self.serve(Redis(), f"tls:localhost:{server.port}", timeout=5.0)
        await self.in_thread(outcome, service.port, self.files.ca)
        await self.gone(service)
        self.assertEqual(len(self.told("backend-refused")), 1)

    async def test_tls_backend_that_is_written_as_a_plain_one(self) -> None:
        """The alert is recognised, and the log says what to write."""
        alert = bytes([21, 3, 1, 0, 2, 2, 70])

        def refuse(peer: socket.socket) -> None:
            read_exactly(peer, len(request))
            peer.sendall(alert)

        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        backend = ScriptedBackend(refuse)
        self.addCleanup(self.in_thread, backend.stop)
        service = self.serve(Http(), f"localhost:{backend.port}", ends=Ends())

        def talk() -> bytes:
            with closing(connect(service.port or 0)) as sock:
                sock.sendall(request)
                return read_all(sock)[0]

        self.assertEqual(await self.in_thread(talk), alert)
        await self.gone(service)
        self.assertEqual(self.told("opaque")[0]["why"], "the backend says that it speaks TLS")

    async def test_faults_as_of_a_real_server(self) -> None:
        """redis-py says of each spoilt certificate what it says of a redis-server that has such a one."""
        good = self.start_server(RedisServer())
        for spoil in Spoil:
            if spoil in {Spoil.NONE, Spoil.WRONG_NAME}:
                continue
            real = self.start_server(TlsRedis(self.files, spoil=spoil))
            service = self.serve(Redis(), f"localhost:{good.port}", Tls(kind=spoil.value))
            expected = await self.in_thread(outcome, real.port, self.files.ca)
            found = await self.in_thread(outcome, service.port, self.files.ca)
            self.assertEqual(found, expected, spoil)
            self.assertIn("CERTIFICATE_VERIFY_FAILED", found[1])
            await self.gone(service)
            self.assertEqual(len(self.told("handshake-failed")), 1, spoil)

    async def test_wrong_name(self) -> None:
        """The same of a certificate for another name."""
        good = self.start_server(RedisServer())
        real = self.start_server(TlsRedis(self.files, "other.example"))
        service = self.serve(Redis(), f"localhost:{good.port}", Tls(kind="wrong-name"))
        expected = await self.in_thread(outcome, real.port, self.files.ca)
        self.assertEqual(await self.in_thread(outcome, service.port, self.files.ca), expected)
        self.assertIn("Hostname mismatch", expected[1])

    async def test_faults_of_the_handshake(self) -> None:
        """Refused and reset are what redis-py takes them for; of a real RST it says the same."""
        good = self.start_server(RedisServer())
        for fault, said in (
            (Tls(kind="refused"), "HANDSHAKE_FAILURE"),
            (Tls(kind="reset"), "Connection closed by server"),
        ):
            service = self.serve(Redis(), f"localhost:{good.port}", fault)
            name, text = await self.in_thread(outcome, service.port, self.files.ca)
            self.assertEqual(name, "ConnectionError", fault.kind)
            self.assertIn(said, text)

    async def test_a_stalled_handshake_goes_on(self) -> None:
        """The client waits; it gets its answer when the rule is gone."""
        good = self.start_server(RedisServer())
        service = self.serve(Redis(), f"localhost:{good.port}", Tls(kind="stalled"))
        waiting = self.in_thread(outcome, service.port, self.files.ca)
        await self.until(lambda: bool(self.told("fired")))
        service.proxy.set_plan(Plan(seed=1))
        self.assertEqual(await waiting, ("", ""))

    async def test_sessions_are_not_resumed_with_a_spoilt_certificate(self) -> None:
        """A client that has been here before sees the fault all the same, and resumes when it is gone."""
        good = self.start_server(RedisServer())
        service = self.serve(Redis(), f"localhost:{good.port}")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.trusting()
            context.minimum_version = context.maximum_version = version
            service.proxy.set_plan(Plan(seed=1))
            session = (await self.in_thread(self._visit, service.port, context, None))[1]
            self.assertIsNotNone(session)
            self.assertTrue((await self.in_thread(self._visit, service.port, context, session))[0])
            service.proxy.set_plan(Plan.only(Tls(kind="expired"), seed=1))
            with self.assertRaises(ssl.SSLCertVerificationError):
                await self.in_thread(self._visit, service.port, context, session)

    def _visit(
        self, port: int, context: ssl.SSLContext, session: ssl.SSLSession | None
    ) -> tuple[bool, ssl.SSLSession | None]:
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
            sock.sendall(b"PING\r\n")
            assert sock.recv(100) == b"+PONG\r\n"
            return bool(sock.session_reused), sock.session


class PlainListenerTests(LiveCase):
    """TLS clients of listeners that speak none."""

    async def test_passed_through(self) -> None:
        """Whatever the protocol, TLS of the client's with a backend that speaks it passes unread."""
        server = self.start_server(TlsRedis(self.files))
        for protocol in (Tcp(), Redis(), Http(), Memcache(), Smtp(), MySQL()):
            service = self.serve(protocol, f"localhost:{server.port}", ends=Ends())
            found = await self.in_thread(outcome, service.port, self.files.ca)
            self.assertEqual(found, ("", ""), protocol.name)
            if protocol.name != "tcp":
                why = [each["why"] for each in self.told("opaque")]
                self.assertEqual(why, ["the client speaks TLS, and this listener does not"], protocol.name)

    async def test_backend_that_speaks_no_tls(self) -> None:
        """The client hears what the backend says to a ClientHello, or that it ends; nobody waits for ever."""
        server = self.start_server(RedisServer())
        for protocol in (Tcp(), Redis(), Http(), Memcache()):
            service = self.serve(protocol, f"localhost:{server.port}", ends=Ends())
            found = await self.in_thread(outcome, service.port, self.files.ca, 2.0)
            self.assertNotEqual(found, ("", ""), protocol.name)


class Vaurien(ServerProcess):
    """``vaurien --workers 2 --tls auto`` before a redis-server."""

    def __init__(self, backend: int) -> None:
        super().__init__()
        self.backend = backend
        self.ca = str(self.folder / "ca.pem")

    def command(self) -> list[str]:
        where = ["--proxy", f"127.0.0.1:{self.port}", "--backend", f"127.0.0.1:{self.backend}"]
        tls = ["--protocol", "redis", "--workers", "2", "--tls", "auto", "--tls-ca-out", self.ca]
        return [sys.executable, "-m", "txvaurien", *where, *tls]

    def seen(self) -> bytes:
        """What others can see of its processes, its log, and the file for clients."""
        ours = Path("/proc", str(self._process.pid))
        workers = (ours / "task" / ours.name / "children").read_text().split()
        assert len(workers) == 2, workers
        folders = [ours, *(Path("/proc", worker) for worker in workers)]
        shown = [(each / name).read_bytes() for each in folders for name in ("cmdline", "environ")]
        return b"".join([*shown, (self.folder / "log").read_bytes(), Path(self.ca).read_bytes()])


class WorkersTests(LiveCase):
    """Several processes, and one authority."""

    async def test_one_authority(self) -> None:
        """Clients that trust it get through to every worker; its key is nowhere to be seen."""
        good = self.start_server(RedisServer())
        vaurien = self.start_server(Vaurien(good.port))
        for _ in range(20):
            self.assertEqual(await self.in_thread(outcome, vaurien.port, vaurien.ca), ("", ""))
        self.assertNotIn(b"PRIVATE KEY", vaurien.seen())


class EmbeddedTests(LiveCase):
    """A proxy in a thread of its own, with a reactor of its own."""

    async def test_backend(self) -> None:
        """It speaks TLS with its backend, time-outs included."""
        server = self.start_server(TlsRedis(self.files))

        def talk() -> bool:
            with (
                chaos_proxy(f"tls:localhost:{server.port}:verify=no", "redis") as proxy,
                closing(redis.Redis(proxy.host, proxy.port, protocol=2)) as client,
            ):
                return client.ping() and proxy.saw("PING") == 1

        self.assertTrue(await self.in_thread(talk))
