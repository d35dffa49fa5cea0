"""http through a whole link, in memory: what a gateway says of a backend that is not there, or silent."""

from __future__ import annotations

from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.hang import Hang
from txvaurien.exchange import LiveExchange
from txvaurien.plan import Plan
from txvaurien.protocols.http import Http
from txvaurien.rules import Rule
from txvaurien.test.http_link import SWITCHED, on, proxy, status
from txvaurien.test.http_samples import EXPECT, GET, OK, POST, UPGRADE, request, response
from txvaurien.test.memory import MemoryProxy


class ReplyLate(Behavior, frozen=True, kw_only=True):
    """Answers in the backend's place when the backend has the request."""

    name: ClassVar[str] = "reply-late"

    def on_between_handle(self, exchange: LiveExchange) -> bool:
        exchange.reply(OK)
        return True


class GatewayTests(SynchronousTestCase):
    """What a gateway says of its backend."""

    def test_unreachable(self) -> None:
        """A backend that cannot be reached is a 502, and the connection ends."""
        chaos = proxy()
        client = chaos.client()
        client.says(GET)
        chaos.refuse()
        self.assertEqual((status(client.received), client.ended), ([b"502"], "fin"))
        self.assertIn(b"\r\nConnection: close\r\n", client.received)

    def test_pool_is_full(self) -> None:
        """A client that waited in vain for the pool gets 503."""
        chaos = MemoryProxy(None, Http(), pool_max_size=1, pool_timeout=3.0)
        chaos.pair()
        client = chaos.client()
        client.says(GET)
        chaos.pass_time(3.0)
        self.assertEqual((status(client.received), client.ended), ([b"503"], "fin"))

    def test_no_timeout(self) -> None:
        """By default the backend may take for ever."""
        chaos = proxy()
        client, _ = chaos.pair()
        client.says(GET)
        chaos.pass_time(86400.0)
        self.assertEqual((client.received, client.ended), (b"", ""))

    def test_silent(self) -> None:
        """With gateway-timeout, silence becomes a 504, the link ends, and the journal tells."""
        chaos = proxy(gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(GET)
        backend.says(OK)
        chaos.pass_time(100.0)
        client.says(GET)
        chaos.pass_time(29.0)
        self.assertEqual(status(client.received), [b"200"])
        chaos.pass_time(1.0)
        self.assertEqual(status(client.received), [b"200", b"504"])
        self.assertEqual((client.ended, backend.ended), ("fin", "fin"))
        self.assertEqual(chaos.named("silent"), [{"exchange": 2, "seconds": 30.0}])

    def test_silent_behind_a_reply_that_waits(self) -> None:
        """Its turn comes when the reply before it has gone out; nothing hangs."""
        rule = Rule(Delay(sleep=5.0, before=False), target="/a")
        there = proxy(Plan(rules=(rule,), seed=1), gateway_timeout=1.0)
        client, backend = there.pair()
        client.says(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        backend.says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
        for _ in range(10):
            there.pass_time(1.0)
        self.assertIn(b"200 OK", client.received)
        self.assertIn(b" 504 ", client.received)

    def test_slow_is_not_silent(self) -> None:
        """A reply that has begun may take its time, and so may an upload."""
        chaos = proxy(gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(POST[:-1])
        chaos.pass_time(100.0)
        client.says(POST[-1:])
        backend.says(OK[:-1])
        chaos.pass_time(100.0)
        backend.says(OK[-1:])
        self.assertEqual((client.received, client.ended), (OK, ""))

    def test_time_counts_from_the_backend(self) -> None:
        """A delay before the backend is the proxy's own: the backend is not blamed for it."""
        chaos = proxy(Delay(sleep=60), gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(GET)
        chaos.pass_time(60.0)
        self.assertEqual((backend.received, client.received), (GET, b""))
        chaos.pass_time(30.0)
        self.assertEqual(status(client.received), [b"504"])

    def test_silent_before_the_body(self) -> None:
        """A client that waits for 100 Continue gets 504 in its place, and is closed."""
        chaos = proxy(gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(EXPECT)
        chaos.pass_time(29.0)
        backend.says(response("103 Early Hints"))
        chaos.pass_time(29.0)
        self.assertEqual(status(client.received), [b"103"])
        chaos.pass_time(1.0)
        self.assertEqual(status(client.received), [b"103", b"504"])
        self.assertEqual((client.ended, backend.ended, backend.received), ("fin", "fin", EXPECT))

    def test_silent_after_100_continue(self) -> None:
        """From then on it is the client's turn, and at the end of the body the backend's."""
        chaos = proxy(gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(EXPECT)
        chaos.pass_time(29.0)
        backend.says(response("100 Continue"))
        for byte in (b"b", b"o", b"d"):
            chaos.pass_time(100.0)
            client.says(byte)
        self.assertEqual(status(client.received), [b"100"])
        client.says(b"y")
        chaos.pass_time(30.0)
        self.assertEqual(status(client.received), [b"100", b"504"])

    def test_not_waiting_for_100_continue(self) -> None:
        """A client that sends its body without having been told to may be slow."""
        chaos = proxy(gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(EXPECT + b"bod")
        chaos.pass_time(100.0)
        client.says(b"y")
        backend.says(OK)
        self.assertEqual(client.received, OK)

    def test_takes_nothing(self) -> None:
        """A backend that does not read an upload is silent; the client gets the 504, then the end."""
        chaos = proxy(gateway_timeout=30.0)
        client, backend = chaos.pair()
        backend.stuffed = True
        client.says(request("PUT /", "Content-Length: 1000000", body=bytes(100_000)))
        self.assertFalse(client.reading)
        chaos.pass_time(30.0)
        self.assertEqual((status(client.received), client.ended), ([b"504"], "fin"))
        self.assertTrue(client.reading)
        client.says(bytes(900_000))
        client.fins()
        self.assertTrue(client.lost)
        chaos.pass_time(5.0, 5.0)
        self.assertEqual((backend.ended, chaos.links), ("rst", {}))
        self.assertEqual(chaos.reactor.getDelayedCalls(), [])

    def test_takes_its_time(self) -> None:
        """A backend that reads slowly is not silent, nor is one whose client sends slowly."""
        chaos = proxy(gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(request("PUT /", "Content-Length: 101"))
        for _ in range(10):
            backend.stuffed = True
            client.says(b"12345")
            chaos.pass_time(20.0)
            backend.drains()
            client.says(b"67890")
            chaos.pass_time(100.0)
        client.says(b"!")
        backend.says(OK)
        self.assertEqual((client.received, client.ended), (OK, ""))

    def test_client_that_does_not_read(self) -> None:
        """An answer that is there, and cannot be taken before the client has read, is no silence."""
        chaos = proxy(gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(GET + GET)
        client.stuffed = True
        backend.says(OK)
        self.assertFalse(backend.reading)
        chaos.pass_time(100.0, 100.0)
        client.drains()
        chaos.pass_time(29.0)
        backend.says(OK)
        self.assertEqual((client.received, client.ended), (OK + OK, ""))

    def test_late_interim(self) -> None:
        """A rule that holds an interim reply holds the final one as well: the backend has spoken."""
        chaos = proxy(on("INTERIM", Delay(sleep=100, before=False)), gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(GET)
        backend.says(response("103 Early Hints") + OK)
        chaos.pass_time(50.0, 49.0, 1.0)
        self.assertEqual(client.received, response("103 Early Hints") + OK)

    def test_silent_behind_an_answer_of_the_proxy(self) -> None:
        """What the proxy has answered in its place, the backend may leave unanswered, and no more."""
        rule = Rule(ReplyLate(), target="/a[?]*")
        chaos = proxy(Plan(rules=(rule,), seed=1), gateway_timeout=30.0)
        client, _ = chaos.pair()
        client.says(GET)
        self.assertEqual(client.received, OK)
        chaos.pass_time(29.0)
        client.says(POST)
        chaos.pass_time(29.0)
        self.assertEqual(client.received, OK)
        chaos.pass_time(1.0)
        self.assertEqual(status(client.received), [b"200", b"504"])

    def test_hang_is_not_the_backend(self) -> None:
        """What never was sent is not waited for."""
        chaos = proxy(Hang(), gateway_timeout=30.0)
        client, _ = chaos.pair()
        client.says(GET)
        chaos.pass_time(100.0)
        self.assertEqual((client.received, client.ended), (b"", ""))

    def test_upgraded_is_not_silent(self) -> None:
        """Nothing is owed on a connection that has become another protocol's."""
        chaos = proxy(gateway_timeout=30.0)
        client, backend = chaos.pair()
        client.says(UPGRADE)
        backend.says(SWITCHED)
        client.says(b"\x89\x80\0\0\0\0")
        chaos.pass_time(100.0)
        self.assertEqual((client.received, client.ended), (SWITCHED, ""))

    def test_nothing_is_left(self) -> None:
        """When the link is gone, no timer is."""
        chaos = proxy(gateway_timeout=30.0)
        client, _ = chaos.pair()
        client.says(GET)
        client.resets()
        chaos.pass_time(0.1, 5.0)
        self.assertEqual((chaos.links, chaos.reactor.getDelayedCalls()), ({}, []))
