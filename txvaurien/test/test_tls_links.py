"""Links whose ends speak TLS, in memory: how they begin, what passes, and how they end."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.defer import Deferred

from txvaurien.behaviors.error import Error
from txvaurien.model import Then
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule
from txvaurien.test.lines import GatewayLines
from txvaurien.test.tls_memory import LONG, LinkCase, Spoken, TlsProxy, Waiting, client_engine
from txvaurien.toxics.bandwidth import Bandwidth


class PassingTests(LinkCase):
    """What goes through."""

    def test_with_the_client(self) -> None:
        """The client speaks TLS, the backend does not, and the messages are framed."""
        proxy = self.proxy()
        client = proxy.agreed()
        backend = proxy.backend()
        client.says(b"get a\n")
        self.assertEqual(backend.received, b"get a\n")
        backend.says(b"value\n")
        self.assertEqual(client.turn().heard, b"value\n")
        self.assertEqual(proxy.links[1].exchanges, 1)

    def test_with_the_backend(self) -> None:
        """The backend speaks TLS, the client does not; it is not heard of before that is agreed."""
        proxy = self.proxy(clients=False, backend=True)
        client = proxy.client()
        client.says(b"get a\n")
        backend = proxy.taken()
        self.assertIsNone(proxy.links[1].backend)
        self.assertEqual(backend.turn().heard, b"get a\n")
        backend.says(b"value\n")
        self.assertEqual(client.received, b"value\n")

    def test_with_both(self) -> None:
        """Both speak TLS, of either version."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            proxy = self.proxy(backend=True)
            client = proxy.agreed(version)
            backend = proxy.taken(version).turn()
            client.says(b"get a\n")
            self.assertEqual(backend.turn().heard, b"get a\n")
            backend.says(b"value\n")
            self.assertEqual(client.turn().heard, b"value\n")
            self._nothing_is_left()

    def test_the_backend_is_dialled_when_the_client_has_agreed(self) -> None:
        """Whoever speaks no TLS costs the backend nothing."""
        proxy = self.proxy()
        client = proxy.comes()
        self.assertEqual(proxy.reactor.tcpClients, [])
        client.turn()
        self.assertEqual(len(proxy.reactor.tcpClients), 1)

    def test_said_before_the_backend_is_there(self) -> None:
        """It is kept, and goes on."""
        proxy = self.proxy(backend=True)
        client = proxy.agreed()
        client.says(b"get a\n")
        self.assertEqual(proxy.taken().turn().heard, b"get a\n")

    def test_byte_by_byte(self) -> None:
        """Records may come in any pieces."""
        proxy = self.proxy()
        client = proxy.comes()
        client.engine.shake()
        for byte in client.engine.take():
            client.wire.says(bytes([byte]))
        client.turn()
        backend = proxy.backend()
        for byte in client.cipher(b"get a\n"):
            client.wire.says(bytes([byte]))
        self.assertEqual(backend.received, b"get a\n")

    def test_a_fault_at_connecting_is_said_in_tls(self) -> None:
        """What a rule answers before there is a backend goes out when TLS has been agreed on."""
        proxy = self.proxy(Error(kind="full"))
        client = proxy.comes().turn()
        self.assertEqual((client.heard, client.engine.over), (b"-full\n", True))
        self.assertEqual(client.wire.ended, "fin")
        self.assertEqual(proxy.reactor.tcpClients, [])

    def test_no_backend_is_said_in_tls(self) -> None:
        """What the protocol says where the backend refuses goes out in TLS."""
        proxy = self.proxy(protocol=GatewayLines())
        client = proxy.agreed()
        proxy.refuse()
        client.says(b"get a\n")
        self.assertTrue(client.heard.startswith(b"-"), client.heard)
        self.assertTrue(client.engine.over)

    def test_a_hook_waits_while_the_client_says_hello(self) -> None:
        """The handshake goes on when the hook is over."""
        until: Deferred[bool] = Deferred()
        proxy = self.proxy(Waiting(until=until))
        client = proxy.comes().turn()
        self.assertFalse(client.engine.agreed)
        until.callback(True)
        client.turn()
        self.assertTrue(client.engine.agreed)
        self.assertEqual(len(proxy.reactor.tcpClients), 1)

    def test_too_much_before_tls_begins(self) -> None:
        """A client that says a lot while a hook waits is not read any more."""
        until: Deferred[bool] = Deferred()
        proxy = self.proxy(Waiting(until=until))
        client = proxy.client()
        client.says(b"\x16" + b"\3" * 70000)
        self.assertFalse(client.reading)
        until.callback(True)
        self.assertTrue(client.reading)


class EndTests(LinkCase):
    """How links end."""

    def test_half_close_of_the_client(self) -> None:
        """Its close_notify is a FIN for the backend, whose reply still comes, and the end after it."""
        proxy = self.proxy()
        client = proxy.agreed()
        backend = proxy.backend()
        client.says(b"get a\n").ends()
        self.assertEqual((backend.received, backend.ended), (b"get a\n", "fin"))
        backend.says(b"value\n")
        backend.fins()
        self.assertEqual((client.turn().heard, client.engine.over), (b"value\n", True))

    def test_half_close_towards_the_backend(self) -> None:
        """A FIN of the client is a close_notify for the backend."""
        proxy = self.proxy(clients=False, backend=True)
        client = proxy.client()
        backend = proxy.taken().turn()
        client.says(b"get a\n")
        client.fins()
        self.assertEqual((backend.turn().heard, backend.engine.over), (b"get a\n", True))
        backend.says(b"value\n").ends()
        self.assertEqual((client.received, client.ended), (b"value\n", "fin"))

    def test_fin_without_close_notify(self) -> None:
        """It is the end as well."""
        proxy = self.proxy()
        client = proxy.agreed()
        backend = proxy.backend()
        client.says(b"get a\n")
        client.wire.fins()
        self.assertEqual(backend.ended, "fin")
        backend.says(b"value\n")
        backend.fins()
        self.assertEqual(client.turn().heard, b"value\n")

    def test_said_in_one_piece_with_the_end(self) -> None:
        """The last words, close_notify and FIN that come together are all passed on."""
        proxy = self.proxy()
        client = proxy.agreed()
        backend = proxy.backend()
        last = client.cipher(b"get a\n")
        client.engine.end()
        client.wire.says(last + client.engine.take())
        client.wire.fins()
        self.assertEqual((backend.received, backend.ended), (b"get a\n", "fin"))

    def test_reset(self) -> None:
        """RST is passed on as RST."""
        proxy = self.proxy()
        client = proxy.agreed()
        backend = proxy.backend()
        client.wire.resets()
        self.assertEqual(backend.ended, "rst")

    def test_garbage(self) -> None:
        """Bytes that are no TLS, after what was agreed, end both sides with RST; what came before counts."""
        proxy = self.proxy()
        client = proxy.agreed()
        backend = proxy.backend()
        client.wire.says(client.cipher(b"get a\n") + b"get b\n" * 3)
        self.assertEqual((backend.received, backend.ended), (b"get a\n", "rst"))
        self.assertEqual(client.wire.ended, "rst")
        proxy.pass_time()
        self.assertIn("TLS with the client", proxy.named("link-closed")[0]["how"])

    def test_killed(self) -> None:
        """In every state a link can be ended, with FIN and with RST."""
        for how in (Then.CLOSE, Then.RESET):
            for state in (self._early, self._shaking, self._agreed, self._dialling, self._with_backend):
                proxy = self.proxy(backend=True)
                state(proxy)
                proxy.proxy.kill(how)
                self._nothing_is_left()
                self.assertEqual(proxy.proxy.pool.open, 0)

    def _early(self, proxy: TlsProxy) -> None:
        proxy.comes()

    def _shaking(self, proxy: TlsProxy) -> None:
        client = proxy.comes()
        client.engine.shake()
        client.wire.says(client.engine.take())

    def _agreed(self, proxy: TlsProxy) -> None:
        proxy.agreed()

    def _dialling(self, proxy: TlsProxy) -> None:
        proxy.agreed()
        backend = proxy.taken()
        backend.engine.feed(backend.wire.received)
        backend.engine.shake()
        backend.wire.says(backend.engine.take()[:20])

    def _with_backend(self, proxy: TlsProxy) -> None:
        client = proxy.agreed()
        proxy.taken().turn()
        client.says(b"get a\n")

    def test_stopped(self) -> None:
        """A proxy that stops waits for nobody's handshake."""
        for state in (self._early, self._shaking, self._dialling, self._with_backend):
            proxy = self.proxy(backend=True)
            state(proxy)
            stopped = proxy.proxy.stop()
            proxy.pass_time(LONG)
            self.successResultOf(stopped)
            self._nothing_is_left()

    def test_closing_with_an_answer_that_cannot_be_said(self) -> None:
        """A client that never agrees on TLS does not keep what was to be said to it."""
        proxy = self.proxy(Error(kind="full"))
        client = proxy.comes()
        proxy.pass_time(LONG)
        self.assertTrue(client.wire.ended)
        self.assertEqual(proxy.links, {})


class FlowTests(LinkCase):
    """Back-pressure, and toxics."""

    def test_slow_client(self) -> None:
        """While it takes nothing the backend is not read; nothing is lost."""
        proxy = self.proxy()
        client = proxy.agreed()
        backend = proxy.backend()
        client.says(b"get a\n")
        client.wire.stuffed = True
        backend.says(b"body 100000\n")
        self.assertFalse(backend.reading)
        client.wire.drains()
        self.assertTrue(backend.reading)
        backend.says(b"x" * 100000)
        self.assertEqual(client.turn().heard, b"body 100000\n" + b"x" * 100000)

    def test_slow_backend(self) -> None:
        """While it takes nothing the client is not read; nothing is lost."""
        proxy = self.proxy(protocol=Tcp(), backend=True)
        client = proxy.agreed()
        backend = proxy.taken().turn()
        backend.wire.stuffed = True
        client.wire.says(client.cipher(b"x" * 20000))
        self.assertFalse(client.wire.reading)
        backend.wire.drains()
        self.assertTrue(client.wire.reading)
        self.assertEqual(backend.turn().heard, b"x" * 20000)

    def test_pause_during_the_handshake(self) -> None:
        """The handshake is read whatever keeps the link from reading; that holds when it is done."""
        proxy = self.proxy()
        client = proxy.comes()
        pipe = proxy.links[1].client
        assert pipe is not None
        pipe.pause("test")
        client.turn()
        self.assertTrue(client.engine.agreed)
        self.assertFalse(client.wire.reading)
        pipe.resume("test")
        self.assertTrue(client.wire.reading)

    def test_pause_of_a_client_that_speaks_no_tls(self) -> None:
        """It holds from the first byte on."""
        proxy = self.proxy()
        client = proxy.client()
        pipe = proxy.links[1].client
        assert pipe is not None
        pipe.pause("test")
        client.says(b"get a\n")
        self.assertFalse(client.reading)

    def test_toxic(self) -> None:
        """What a toxic holds at the end goes out in TLS, and then the end."""
        slow = PlacedToxic(Bandwidth(rate=1), name="slow")
        proxy = self.proxy(Plan(toxics=(slow,), seed=1), Tcp())
        client = proxy.agreed()
        backend = proxy.backend()
        backend.says(b"x" * 3000)
        backend.fins()
        proxy.pass_time(*[0.1] * 50)
        self.assertEqual(client.turn().heard, b"x" * 3000)
        self.assertTrue(client.engine.over)

    def test_renegotiation(self) -> None:
        """It is refused at once: whoever asks for it does not wait."""
        proxy = self.proxy()
        engine = client_engine(proxy.authority, version=SSL.TLS1_2_VERSION)
        client = Spoken(proxy.client(), engine).turn()
        engine.negotiate_anew()
        before = len(client.wire.received)
        client.wire.says(engine.take())
        self.assertGreater(len(client.wire.received), before)

    def test_toxic_before_a_client_that_never_agrees(self) -> None:
        """What it holds waits for room that will not come, and yet does not keep the link."""
        slow = PlacedToxic(Bandwidth(rate=1), name="slow")
        full = Rule(Error(kind="full"), verbs=frozenset({"CONNECT"}))
        proxy = self.proxy(Plan(rules=(full,), toxics=(slow,), seed=1), timeout=7.0)
        client = proxy.comes()
        proxy.pass_time(*[0.5] * 40)
        self.assertTrue(client.wire.ended)
        self.assertEqual(proxy.links, {})
