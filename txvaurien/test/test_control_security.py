"""Nobody controls the proxy from a foreign web page, and no request can fill the memory."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.control.security import LINGER, MAX_BODY, AllowedHosts
from txvaurien.control.site import IDLE
from txvaurien.test.control_helpers import Answer, RawClient, guarded, proxy


class AllowedHostsTests(SynchronousTestCase):
    """Under which names the server may be asked."""

    def test_loopback_under_each_of_its_names(self) -> None:
        """Loopback is allowed by name and by address, with a port and without."""
        hosts = AllowedHosts("localhost")
        for host in ("localhost", "LocalHost:8080", "localhost.:80", "127.0.0.1", "127.8.9.1:1", "[::1]:80"):
            self.assertTrue(hosts.allow(host), host)

    def test_anything_else_is_foreign(self) -> None:
        """Other names and addresses are refused, also those that only look like loopback."""
        hosts = AllowedHosts("localhost")
        for host in (
            "evil.example",
            "localhost.evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "[2001:db8::1]",
            "0.0.0.0",
            "",
            ":8080",
            "localhost:80:80",
            "localhost@evil.example",
            "evil.example#localhost",
            "user@localhost",
            "::1",
            "[::1",
            "localhost ",
        ):
            self.assertFalse(hosts.allow(host), host)

    def test_the_configured_host(self) -> None:
        """The name that the server was told to listen on is one of its own, and so are further ones."""
        hosts = AllowedHosts("Chaos.Test", ["10.0.0.5"])
        self.assertTrue(hosts.allow("chaos.test:8080"))
        self.assertTrue(hosts.allow("10.0.0.5"))
        self.assertTrue(hosts.allow("localhost"))
        self.assertFalse(hosts.allow("other.test"))

    def test_every_interface(self) -> None:
        """Where it listens on every address, any address is right, but still no foreign name."""
        for wildcard in ("0.0.0.0", "::", "[::]"):
            hosts = AllowedHosts(wildcard)
            self.assertTrue(hosts.allow("192.0.2.1:8080"))
            self.assertTrue(hosts.allow("[2001:db8::1]:8080"))
            self.assertFalse(hosts.allow("evil.example"))

    def test_origins(self) -> None:
        """An origin is judged by its host; ``null`` and other schemes are foreign."""
        hosts = AllowedHosts("localhost")
        for origin in ("http://localhost:8080", "https://127.0.0.1", "http://[::1]:3000"):
            self.assertTrue(hosts.allow_origin(origin), origin)
        for origin in ("null", "http://evil.example", "file://localhost", "localhost", "http://localhost/"):
            self.assertFalse(hosts.allow_origin(origin), origin)

    @settings(deadline=None)
    @given(st.text(max_size=40))
    def test_no_text_breaks_it(self, text: str) -> None:
        """Whatever stands in the header, there is an answer."""
        hosts = AllowedHosts("localhost")
        self.assertIn(hosts.allow(text), (True, False))
        self.assertIn(hosts.allow_origin(text), (True, False))


class GuardTests(SynchronousTestCase):
    """What comes past the root of the resource tree."""

    def setUp(self) -> None:
        self.client = RawClient(guarded(proxy()))

    def refused(self, answer: Answer, status: int, location: str, name: str) -> str:
        """The reason of a refusal, which is JSON and has no banner."""
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertNotIn("server", answer.headers)
        self.assertEqual(answer.said["status"], "error")
        self.assertEqual(answer.problem[:2], (location, name))
        return answer.problem[2]

    def test_a_request_from_here(self) -> None:
        """A program on this machine, which sends no Origin, is served."""
        answer = self.client.get(Host="localhost:8080")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.said["behavior"], "dummy")
        self.assertNotIn("server", answer.headers)

    def test_a_foreign_host(self) -> None:
        """A rebound name is refused on every path, those that do not exist included."""
        for path in ("/behavior", "/behaviors", "/backend", "/", "/nothing/here", "//", "*"):
            reason = self.refused(self.client.get(path, Host="evil.example"), 403, "header", "Host")
            self.assertIn("evil.example", reason)
            self.assertIn("--http-host", reason)

    def test_a_host_that_is_not_ascii(self) -> None:
        """Raw bytes in the header are refused as any other name is."""
        self.refused(self.client.get(Host="\xff\xfe"), 403, "header", "Host")

    def test_no_host(self) -> None:
        """HTTP/1.1 must have a Host (RFC 9112, 3.2), HTTP/1.0 need not."""
        self.refused(self.client.get(), 400, "header", "Host")
        self.client.send(b"GET /behavior HTTP/1.0\r\n\r\n")
        self.assertEqual(self.client.answer().status, 200)

    def test_two_hosts(self) -> None:
        """Nobody can tell which of two is meant (RFC 9112, 3.2)."""
        self.client.send(b"GET /behavior HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        self.refused(self.client.answer(), 400, "header", "Host")

    def test_a_foreign_origin(self) -> None:
        """A page from elsewhere is refused, and so is one without an origin."""
        for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
            self.refused(self.client.get(Host="localhost", Origin=origin), 403, "header", "Origin")

    def test_our_own_page(self) -> None:
        """A page of this server, or of another on this machine, is served."""
        for origin in ("http://localhost:8080", "http://127.0.0.1:3000"):
            self.assertEqual(self.client.get(Host="localhost:8080", Origin=origin).status, 200)

    def test_cross_site(self) -> None:
        """What a browser marks as cross-site is refused although it has no Origin, as an image has none."""
        answer = self.client.get(Host="localhost", Sec_Fetch_Site="cross-site")
        self.refused(answer, 403, "header", "Sec-Fetch-Site")
        for site in ("same-origin", "same-site", "none"):
            self.assertEqual(self.client.get(Host="localhost", Sec_Fetch_Site=site).status, 200)

    def test_a_refused_request_changes_nothing(self) -> None:
        """A PUT from a foreign page does not reach the proxy."""
        controlled = proxy()
        client = RawClient(guarded(controlled))
        body = b'{"name": "delay"}'
        client.send(
            b"PUT /behavior HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.assertEqual(client.answer().status, 403)
        self.assertEqual(controlled.plan.mix_text, "dummy")

    def test_a_path_that_is_not_utf8(self) -> None:
        """The path is refused with a reason, not with a traceback in the log."""
        self.refused(self.client.get("/%ff", Host="localhost"), 400, "path", "")
        self.assertEqual(self.flushLoggedErrors(), [])


class BodyTests(SynchronousTestCase):
    """Bodies are bounded before they are kept."""

    def setUp(self) -> None:
        self.client = RawClient(guarded(proxy()))

    def put(self, *headers: str) -> None:
        """Begin a PUT with these header lines."""
        lines = "\r\n".join(["PUT /behavior HTTP/1.1", "Host: localhost", *headers])
        self.client.send(f"{lines}\r\n\r\n".encode("ascii"))

    def check_too_large(self) -> None:
        """The answer is a 413 with a reason, after which the server says no more."""
        answer = self.client.answer()
        self.assertEqual(answer.status, 413)
        self.assertEqual(answer.headers["connection"], "close")
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
        self.assertIn(str(MAX_BODY), answer.problem[2])
        self.assertTrue(self.client.wire.half_closed)
        self.assertFalse(self.client.wire.disconnecting)

    def test_an_announced_length(self) -> None:
        """A body that is announced too large is refused before any of it is sent."""
        self.put(f"Content-Length: {MAX_BODY + 1}")
        self.check_too_large()

    def test_the_largest(self) -> None:
        """A body of just the largest size is read (and refused because it is no JSON)."""
        self.put(f"Content-Length: {MAX_BODY}")
        self.client.send(b"x" * MAX_BODY)
        self.assertEqual(self.client.answer().status, 400)

    def test_expect_100(self) -> None:
        """A client that asks first gets the refusal, and is not told to go on."""
        self.put(f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue")
        self.assertNotIn(b"100 Continue", self.client.wire.value())
        self.check_too_large()

    def test_chunked(self) -> None:
        """A body of unknown length is refused as soon as it has become too large."""
        self.put("Transfer-Encoding: chunked")
        chunk = b"%x\r\n%b\r\n" % (1 << 18, b" " * (1 << 18))
        for _ in range(4):
            self.client.send(chunk)
        self.assertEqual(self.client.wire.value(), b"")
        self.client.send(chunk)
        self.check_too_large()

    def test_the_rest_is_dropped(self) -> None:
        """After the refusal what still comes is read and forgotten, then the connection is closed."""
        self.put(f"Content-Length: {MAX_BODY + 1}")
        self.client.answer()
        self.client.send(b"x" * MAX_BODY)
        self.assertFalse(self.client.wire.disconnecting)
        self.client.send(b"x")
        self.assertTrue(self.client.wire.disconnecting)
        self.assertEqual(self.client.wire.value(), b"")

    def test_a_client_that_goes_on_sending(self) -> None:
        """One that does not stop is cut off after a while."""
        self.put(f"Content-Length: {MAX_BODY + 1}")
        self.client.clock.advance(LINGER - 0.1)
        self.assertFalse(self.client.wire.disconnected)
        self.client.clock.advance(0.1)
        self.assertTrue(self.client.wire.disconnected)

    def test_a_client_that_goes_away(self) -> None:
        """Nothing is left to be done for a client that has gone."""
        self.put(f"Content-Length: {MAX_BODY + 1}")
        self.client.leave()
        self.assertEqual(self.client.clock.getDelayedCalls(), [])

    def test_a_form(self) -> None:
        """JSON is read as such although the type says that it is a form, as curl does by default."""
        body = json.dumps({"name": "delay"})
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"):
            self.client.send(
                f"POST /behavior HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode("ascii")
            )
            self.assertEqual(self.client.answer().status, 200, kind)


class TimeTests(SynchronousTestCase):
    """A connection cannot be kept for ever."""

    def test_headers_without_end(self) -> None:
        """More headers than any client needs are refused."""
        client = RawClient(guarded(proxy()))
        client.send(b"GET /behavior HTTP/1.1\r\nHost: localhost\r\n")
        for number in range(1000):
            client.send(b"X-%d: %b\r\n" % (number, b"x" * 100))
            if client.wire.disconnecting:
                break
        self.assertTrue(client.wire.disconnecting)
        self.assertEqual(client.answer().status, 400)

    def test_silence(self) -> None:
        """A client that says nothing is closed."""
        client = RawClient(guarded(proxy()))
        client.send(b"GET /behavior HTTP/1.1\r\n")
        client.clock.advance(IDLE)
        self.assertTrue(client.wire.disconnecting)
