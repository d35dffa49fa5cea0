"""Handshakes that fail, by themselves and because a rule says so, in memory."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from txvaurien.behaviors.error import Error
from txvaurien.behaviors.tls import Tls
from txvaurien.errors import ConfigError
from txvaurien.exchange import LiveExchange
from txvaurien.net.ends import Ends
from txvaurien.plan import Plan
from txvaurien.protocols.http import Http
from txvaurien.test.lines import GatewayLines
from txvaurien.test.tls_memory import LinkCase, Spoken, Waiting, client_engine, server_engine
from txvaurien.tls.authority import Authority
from txvaurien.tls.engine import TlsError
from txvaurien.tls.linktls import SILENT_CLIENT


class FailureTests(LinkCase):
    """Handshakes that fail, by themselves."""

    def test_client_does_not_take_the_certificate(self) -> None:
        """The journal says so, once; the backend is not dialled."""
        proxy = self.proxy()
        client = Spoken(proxy.client(), client_engine(Authority.make()))
        self.assertRaises(TlsError, client.turn)
        self.assertEqual(len(self.failures()), 1)
        self.assertEqual(self.failures()[0][0], "client")
        self.assertIn("unknown ca", self.failures()[0][1])
        self.assertEqual(proxy.reactor.tcpClients, [])
        self.assertEqual(proxy.proxy.stats.failed, 0)

    def test_silent_client(self) -> None:
        """It has as long as connecting to the backend may take."""
        proxy = self.proxy(timeout=7.0)
        client = proxy.comes()
        proxy.pass_time(6.9)
        self.assertEqual(client.wire.ended, "")
        with capturedLogs() as events:
            proxy.pass_time(0.2)
        self.assertEqual(client.wire.ended, "fin")
        # It may be one that waits for the server to greet it.
        self.assertEqual([event["text"] for event in events if "text" in event], [SILENT_CLIENT])
        self.assertEqual(self.failures(), [("client", "no TLS has been agreed on within 7 seconds")])

    def test_client_leaves_during_the_handshake(self) -> None:
        """With FIN or RST: that is the end, and it is said once."""
        for leave, why in (("fins", "closed"), ("resets", "reset")):
            proxy = self.proxy()
            client = proxy.comes()
            client.engine.shake()
            client.wire.says(client.engine.take())
            getattr(client.wire, leave)()
            self.assertEqual(self.failures(), [("client", f"the connection was {why} during the handshake")])
            self._nothing_is_left()

    def test_client_leaves_while_a_hook_waits(self) -> None:
        """Nothing is dialled for it when the hook is over."""
        until: Deferred[bool] = Deferred()
        proxy = self.proxy(Waiting(until=until))
        client = proxy.comes().turn()
        client.wire.fins()
        until.callback(True)
        self.assertEqual(proxy.reactor.tcpClients, [])
        self.assertEqual(len(self.failures()), 1)

    def test_plain_client(self) -> None:
        """It is passed through unread, from its first byte on, and its FIN as well; the log says it once."""
        proxy = self.proxy()
        for _ in range(2):
            client = proxy.client()
            client.says(b"get a\n")
            backend = proxy.backend()
            self.assertEqual(backend.received, b"get a\n")
            backend.says(b"value\n")
            self.assertEqual(client.received, b"value\n")
            client.fins()
            self.assertEqual(backend.ended, "fin")
            backend.fins()
        self.assertEqual(
            [each["why"] for each in proxy.named("opaque")],
            ["the client speaks no TLS, and this listener does"] * 2,
        )
        self.assertEqual(self.failures(), [])

    def test_plain_client_that_ends_at_once(self) -> None:
        """All that it said while a hook waited is passed on, with its FIN."""
        until: Deferred[bool] = Deferred()
        proxy = self.proxy(Waiting(until=until))
        client = proxy.client()
        client.says(b"get a\n")
        client.fins()
        until.callback(True)
        backend = proxy.backend()
        self.assertEqual((backend.received, backend.ended), (b"get a\n", "fin"))

    def test_plain_client_is_answered_in_plain(self) -> None:
        """What a rule answers at connecting reaches a client that speaks no TLS as well."""
        proxy = self.proxy(Error(kind="full"))
        client = proxy.client()
        client.says(b"get a\n")
        self.assertEqual((client.received, client.ended), (b"-full\n", "fin"))

    def test_backend_speaks_no_tls(self) -> None:
        """The client gets what the protocol says; the reason is said in plain words."""
        proxy = self.proxy(protocol=GatewayLines(), clients=False, backend=True)
        client = proxy.client()
        proxy.backend().says(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertEqual(proxy.named("backend-refused"), [{"why": "no TLS: it speaks no TLS"}])
        client.says(b"get a\n")
        self.assertTrue(client.received.startswith(b"-"), client.received)
        self.assertEqual((proxy.proxy.stats.failed, proxy.proxy.pool.open), (1, 0))

    def test_gateway(self) -> None:
        """Of http, a backend with which no TLS is agreed on is a bad gateway."""
        proxy = self.proxy(protocol=Http(), backend=True)
        client = proxy.agreed()
        proxy.backend().says(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        client.says(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(client.heard.startswith(b"HTTP/1.1 502 "), client.heard)

    def test_name_that_no_server_can_have(self) -> None:
        """It is refused before anybody is connected to."""
        error = self.assertRaises(ConfigError, self.proxy, place="tls:127.0.0.1:6379:name=a..b")
        self.assertIn("--backend: 'a..b' is no name", str(error))

    def test_backend_is_silent(self) -> None:
        """The handshake with it has a limit, too."""
        proxy = self.proxy(clients=False, backend=True, timeout=7.0)
        proxy.client()
        backend = proxy.backend()
        proxy.pass_time(7.1)
        self.assertEqual(
            [each["why"] for each in proxy.named("backend-refused")],
            ["no TLS: no TLS has been agreed on within 7 seconds"],
        )
        self.assertTrue(backend.ended)

    def test_backend_leaves_during_the_handshake(self) -> None:
        """With FIN or RST; counted once."""
        for leave, why in (("fins", "closed"), ("resets", "reset")):
            proxy = self.proxy(clients=False, backend=True)
            proxy.client()
            getattr(proxy.backend(), leave)()
            self.assertEqual(
                [each["why"] for each in proxy.named("backend-refused")],
                [f"no TLS: the connection was {why} during the handshake"],
            )
            self.assertEqual((proxy.proxy.stats.failed, proxy.proxy.pool.open), (1, 0))
            self._nothing_is_left()

    def test_client_leaves_while_the_backend_agrees(self) -> None:
        """The connection to the backend ends, and its place is free."""
        proxy = self.proxy(backend=True, pool_max_size=1)
        client = proxy.agreed()
        backend = proxy.taken()
        client.wire.resets()
        proxy.pass_time()
        self.assertEqual(backend.wire.ended, "rst")
        self.assertEqual(proxy.proxy.pool.open, 0)
        self.assertEqual(proxy.proxy.stats.failed, 0)

    def test_backend_says_late_that_it_does_not_take_us(self) -> None:
        """In TLS 1.3 that comes after the handshake; it is said as if it had come before."""
        proxy = self.proxy(clients=False, backend=True)
        proxy.client()
        backend = Spoken(proxy.backend(), server_engine(proxy.authority, asks=True))
        self.assertRaises(TlsError, backend.turn)
        self.assertEqual(len(self.failures()), 1)
        self.assertEqual(self.failures()[0][0], "backend")
        self.assertIn("certificate required", self.failures()[0][1])

    def test_backend_with_a_name_that_is_not_its_own(self) -> None:
        """It is refused after the handshake, and the reason names what was asked for."""
        proxy = self.proxy(
            clients=False, place="tls:127.0.0.1:6379:name=other.example", ends=Ends(backend_tls_ca=self._ca())
        )
        proxy.client()
        Spoken(proxy.backend(), server_engine(self.authority, "127.0.0.1")).turn()
        why: str = proxy.named("backend-refused")[0]["why"]
        self.assertIn("its certificate is not for other.example", why)
        self.assertIn("name=NAME", why)

    def _ca(self) -> str:
        self.authority = Authority.make()
        path: str = self.mktemp()
        self.authority.write(path)
        return path


class FaultTests(LinkCase):
    """The behavior `tls`, as far as it is no matter of the certificate."""

    def test_refused(self) -> None:
        """A whole ClientHello is answered with an alert, however it comes."""
        proxy = self.proxy(Tls(kind="refused"))
        client = proxy.comes()
        client.engine.shake()
        hello = client.engine.take()
        for byte in hello[:-1]:
            client.wire.says(bytes([byte]))
        self.assertEqual(client.wire.received, b"")
        client.wire.says(hello[-1:])
        self.assertEqual(client.wire.received, bytes([21, 3, 3, 0, 2, 2, 40]))
        self.assertEqual(client.wire.ended, "fin")
        self.assertEqual(self.failures(), [("client", "refused, as a rule says")])

    def test_reset(self) -> None:
        """RST when the handshake is done, and no byte of the backend's."""
        proxy = self.proxy(Tls(kind="reset"))
        client = proxy.comes().turn()
        self.assertTrue(client.engine.agreed)
        self.assertEqual(client.wire.ended, "rst")
        self.assertEqual(proxy.reactor.tcpClients, [])

    def test_stalled(self) -> None:
        """One record comes, then nothing, however long; when the rule is gone the handshake goes on."""
        proxy = self.proxy(Tls(kind="stalled"), timeout=7.0)
        client = proxy.comes().turn()
        proxy.pass_time(1000.0)
        size = int.from_bytes(client.wire.received[3:5], "big") + 5
        self.assertEqual(len(client.wire.received), size)
        self.assertEqual(client.wire.ended, "")
        proxy.proxy.set_plan(Plan(seed=1))
        client.turn()
        self.assertTrue(client.engine.agreed)
        backend = proxy.backend()
        client.says(b"get a\n")
        self.assertEqual(backend.received, b"get a\n")

    def test_stalled_in_tls_1_2(self) -> None:
        """The same with the older version."""
        proxy = self.proxy(Tls(kind="stalled"))
        client = proxy.comes(SSL.TLS1_2_VERSION).turn()
        self.assertFalse(client.engine.agreed)
        proxy.proxy.set_plan(Plan(seed=1))
        self.assertTrue(client.turn().engine.agreed)

    def test_time_counts_from_the_release_on(self) -> None:
        """A handshake that was stalled has as long as any other."""
        proxy = self.proxy(Tls(kind="stalled"), timeout=7.0)
        client = proxy.comes()
        client.engine.shake()
        client.wire.says(client.engine.take())
        proxy.pass_time(100.0)
        proxy.proxy.set_plan(Plan(seed=1))
        proxy.pass_time(6.0)
        self.assertEqual(client.wire.ended, "")
        proxy.pass_time(2.0)
        self.assertEqual(client.wire.ended, "fin")

    def test_client_gives_a_stalled_handshake_up(self) -> None:
        """It leaves, and nothing is left."""
        proxy = self.proxy(Tls(kind="stalled"))
        client = proxy.comes().turn()
        client.wire.fins()
        self.assertEqual(self.failures(), [("client", "the connection was closed during the handshake")])
        self.assertEqual(client.wire.ended, "fin")

    def test_rule_removed_before_the_handshake(self) -> None:
        """A stalled one that had not begun is not stalled."""
        until: Deferred[bool] = Deferred()
        proxy = self.proxy(Both(kind="stalled", until=until))
        client = proxy.comes().turn()
        proxy.proxy.set_plan(Plan(seed=1))
        self.assertTrue(client.turn().engine.agreed)

    def test_plain_client(self) -> None:
        """No handshake can fail with whom there is none: it is passed through."""
        for kind in ("refused", "stalled", "reset", "expired"):
            proxy = self.proxy(Tls(kind=kind))
            client = proxy.client()
            client.says(b"get a\n")
            self.assertEqual(proxy.backend().received, b"get a\n")
            self._nothing_is_left()

    def test_listener_without_tls(self) -> None:
        """It does not fire, and the journal says why."""
        proxy = self.proxy(Tls(), clients=False)
        client = proxy.client()
        client.says(b"get a\n")
        self.assertEqual(proxy.backend().received, b"get a\n")
        self.assertIn("--tls auto", proxy.named("misfired")[0]["why"])


class Both(Tls, frozen=True, kw_only=True):
    """As `Tls`, with a hook that waits after it."""

    name = "both"
    until: Deferred[bool]

    async def on_connect(self, exchange: LiveExchange) -> bool:  # type: ignore[override]
        exchange.fail_handshake(self.kind)
        return await self.until
