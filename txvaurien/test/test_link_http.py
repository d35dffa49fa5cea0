"""http through a whole link, in memory: refusals, upgrades, and what edits do to a link."""

from __future__ import annotations

from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.exchange import LiveExchange
from txvaurien.model import Cut, Then
from txvaurien.test.http_link import SWITCHED, on, proxy, status
from txvaurien.test.http_samples import EXPECT, GET, OK, POST, UPGRADE, request, response, sized


class CutRequest(Behavior, frozen=True, kw_only=True):
    """Cuts a request."""

    name: ClassVar[str] = "cut-request"
    then: Then = Then.CLOSE

    def on_before_handle(self, exchange: LiveExchange) -> bool:
        exchange.edit_request(lambda data: Cut(data[:10], self.then))
        return True


class RefusalTests(SynchronousTestCase):
    """Refusals, and the order of replies."""

    def test_in_turn(self) -> None:
        """A refused request is answered after the ones before it; the backend never hears of it."""
        chaos = proxy(on("POST", Error(kind="500")))
        client, backend = chaos.pair()
        client.says(GET + POST + GET)
        self.assertEqual((backend.received, client.received), (GET + GET, b""))
        backend.says(OK)
        self.assertEqual(status(client.received), [b"200", b"500"])
        backend.says(OK)
        self.assertEqual(status(client.received), [b"200", b"500", b"200"])
        self.assertEqual(client.ended, "")

    def test_body_is_drained(self) -> None:
        """A refused upload is read to its end, and the connection can be used again."""
        chaos = proxy(on("PUT", Error(kind="413")))
        client, backend = chaos.pair()
        client.says(request("PUT /", "Content-Length: 10", body=b"12345"))
        self.assertEqual(client.received, b"")
        client.says(b"67890" + GET)
        backend.says(OK)
        self.assertEqual((status(client.received), backend.received), ([b"413", b"200"], GET))

    def test_expected_continue(self) -> None:
        """Who waits for 100 Continue is refused without sending a body, and then closed."""
        chaos = proxy(Error(kind="503"))
        client, backend = chaos.pair()
        client.says(EXPECT)
        self.assertEqual((status(client.received), client.ended), ([b"503"], "fin"))
        self.assertEqual(backend.received, b"")

    def test_continue_not_awaited(self) -> None:
        """Who sends the body without waiting for 100 Continue is refused as any other upload is."""
        chaos = proxy(on("PUT", Error(kind="503")))
        client, backend = chaos.pair()
        client.says(EXPECT + b"bo")
        self.assertEqual(client.received, b"")
        client.says(b"dy" + GET)
        backend.says(OK)
        self.assertEqual((status(client.received), client.ended), ([b"503", b"200"], ""))
        self.assertEqual(backend.received, GET)

    def test_early_close(self) -> None:
        """400 closes."""
        client, _ = proxy(Error(kind="400")).pair()
        client.says(GET)
        self.assertEqual((status(client.received), client.ended), ([b"400"], "fin"))

    def test_illegal_kind(self) -> None:
        """413 for a request without content: the rule does not fire, and the journal says so."""
        chaos = proxy(Error(kind="413"))
        client, backend = chaos.pair()
        client.says(GET)
        backend.says(OK)
        self.assertEqual(client.received, OK)
        self.assertEqual(len(chaos.named("misfired")), 1)

    def test_target(self) -> None:
        """Rules see path and query."""
        chaos = proxy(on("GET", Error(kind="404"), "/a[?]*"))
        client, backend = chaos.pair()
        client.says(GET)
        client.says(request("GET /b"))
        self.assertEqual((status(client.received), backend.received), ([b"404"], request("GET /b")))

    def test_reply_lost(self) -> None:
        """abort: the order was taken, and the client never learns of it."""
        chaos = proxy(on("POST", Abort(wait=True)))
        client, backend = chaos.pair()
        client.says(POST)
        self.assertEqual((backend.received, client.ended), (POST, ""))
        backend.says(sized("201 Created", b""))
        chaos.pass_time()
        self.assertEqual((client.received, client.ended), (b"", "fin"))


class InterimTests(SynchronousTestCase):
    """Interim responses are not what rules are about, unless they say so."""

    def test_delay_leaves_continue_alone(self) -> None:
        """Late replies do not keep the client from sending its body."""
        chaos = proxy(Delay(sleep=5, before=False))
        client, backend = chaos.pair()
        client.says(EXPECT)
        backend.says(response("100 Continue"))
        self.assertEqual(status(client.received), [b"100"])
        client.says(b"body")
        backend.says(OK)
        self.assertEqual(status(client.received), [b"100"])
        chaos.pass_time(5)
        self.assertEqual(status(client.received), [b"100", b"200"])

    def test_abort_gets_the_whole_request(self) -> None:
        """The backend has the body before the client is cut."""
        chaos = proxy(Abort())
        client, backend = chaos.pair()
        client.says(EXPECT)
        backend.says(response("100 Continue"))
        self.assertEqual(client.ended, "")
        client.says(b"body")
        chaos.pass_time()
        self.assertEqual((backend.received, client.ended), (EXPECT + b"body", "fin"))

    def test_rule_for_interim(self) -> None:
        """A late 100 Continue makes clients send their body without it."""
        chaos = proxy(on("INTERIM", Delay(sleep=5, before=False)))
        client, backend = chaos.pair()
        client.says(EXPECT)
        backend.says(response("100 Continue"))
        self.assertEqual(client.received, b"")
        chaos.pass_time(5)
        self.assertEqual(status(client.received), [b"100"])


class StreamTests(SynchronousTestCase):
    """What flows, flows, also with rules in place."""

    def test_events(self) -> None:
        """Server-sent events are seen one by one."""
        client, backend = proxy(on("DELETE", Error())).pair()
        client.says(request("GET /events"))
        backend.says(response("200 OK", "Content-Type: text/event-stream"))
        for number in range(3):
            backend.says(b"data: %d\n\n" % number)
            self.assertTrue(client.received.endswith(b"data: %d\n\n" % number))
        backend.fins()
        self.assertEqual(client.ended, "fin")

    def test_upgrade(self) -> None:
        """After 101 both directions pass unread, and later rules see bytes."""
        chaos = proxy(on("DELETE", Error()))
        client, backend = chaos.pair()
        client.says(UPGRADE)
        backend.says(SWITCHED + b"\x81\x01a")
        client.says(b"\x81\x81\0\0\0\0b")
        backend.says(b"\x88\x00")
        self.assertEqual(client.received, SWITCHED + b"\x81\x01a\x88\x00")
        self.assertEqual(backend.received, UPGRADE + b"\x81\x81\0\0\0\0b")
        whys = [event["why"] for event in chaos.named("opaque")]
        self.assertEqual(whys, ["the connection was upgraded to websocket"])

    def test_upgrade_without_rules(self) -> None:
        """The same where bytes are written before they are framed."""
        chaos = proxy()
        client, backend = chaos.pair()
        client.says(UPGRADE)
        backend.says(SWITCHED + b"\x81\x01a")
        client.says(b"\x81\x81\0\0\0\0b")
        self.assertEqual(client.received, SWITCHED + b"\x81\x01a")
        self.assertEqual(backend.received, UPGRADE + b"\x81\x81\0\0\0\0b")
        self.assertEqual(len(chaos.named("opaque")), 1)

    def test_tls(self) -> None:
        """A TLS handshake is not held back until somebody says an empty line."""
        client, backend = proxy(on("DELETE", Error())).pair()
        client.says(b"\x16\x03\x01\x02\x00")
        self.assertEqual(backend.received, b"\x16\x03\x01\x02\x00")

    def test_contradiction(self) -> None:
        """What cannot be framed goes on as it is, as the backend shall judge."""
        client, backend = proxy(on("DELETE", Error())).pair()
        odd = request("POST /", "Content-Length: 3", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
        client.says(odd)
        backend.says(sized("400 Bad Request", b""))
        self.assertEqual((backend.received, status(client.received)), (odd, [b"400"]))


class OptionTests(SynchronousTestCase):
    """Options that edit the stream."""

    def test_host(self) -> None:
        """Host is the backend's, on every request of a link."""
        client, backend = proxy(overwrite_host_header=True).pair()
        client.says(GET)
        client.says(POST)
        self.assertEqual(backend.received, (GET + POST).replace(b"example.org", b"127.0.0.1:6379"))

    def test_whole_url(self) -> None:
        """The authority of a URL in the request line as well."""
        client, backend = proxy(overwrite_host_header=True).pair()
        client.says(request("GET http://example.org/a"))
        expected = request("GET http://127.0.0.1:6379/a").replace(b"example.org", b"127.0.0.1:6379")
        self.assertEqual(backend.received, expected)

    def test_host_under_a_rule(self) -> None:
        """Rules change nothing about it."""
        client, backend = proxy(Delay(sleep=1), overwrite_host_header=True).pair()
        client.says(GET)
        self.assertEqual(backend.received, b"")
        chaos = proxy(Dummy(), overwrite_host_header=True)
        client, backend = chaos.pair()
        client.says(GET)
        self.assertEqual(backend.received, GET.replace(b"example.org", b"127.0.0.1:6379"))

    def test_keep_alive_false(self) -> None:
        """The link ends after one response; what the client sent beyond it gets none."""
        client, backend = proxy(keep_alive=False).pair()
        client.says(GET + GET)
        backend.says(OK + OK)
        self.assertEqual(client.received, sized("200 OK", b"hello", "Connection: close"))
        self.assertEqual((client.ended, backend.ended), ("fin", "fin"))


class CutTests(SynchronousTestCase):
    """What a link does with the `Cut` that an edit returns."""

    def test_request(self) -> None:
        """The backend gets the beginning of a request, and FIN or RST."""
        for then, end in ((Then.CLOSE, "fin"), (Then.RESET, "rst")):
            chaos = proxy(CutRequest(then=then))
            client, backend = chaos.pair()
            client.says(GET + GET)
            chaos.pass_time()
            self.assertEqual((backend.received, backend.ended), (GET[:10], end))
            self.assertEqual((client.received, client.ended), (b"", "fin"))
