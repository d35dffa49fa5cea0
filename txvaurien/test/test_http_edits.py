"""The options of http that edit the stream: overwrite-host-header and keep-alive."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Then
from txvaurien.protocols.http import Http
from txvaurien.test.http_samples import EXPECT, GET, OK, POST, UPGRADE, request, response, sized
from txvaurien.testing import TO_BACKEND, TO_CLIENT, frames_of


class HostTests(SynchronousTestCase):
    """Option overwrite-host-header."""

    def sent(self, message: bytes, backend: str = "10.0.0.1:8080") -> bytes:
        """What the backend gets of a request."""
        session = Http(overwrite_host_header=True).session()
        session.backend = backend
        return b"".join(frame.forward for frame in frames_of(session, TO_BACKEND, message))

    def test_replaced(self) -> None:
        """Host becomes the backend's; everything else stays, the body with it."""
        expected = POST.replace(b"example.org", b"10.0.0.1:8080")
        self.assertEqual(self.sent(POST), expected)
        self.assertEqual(self.sent(POST.replace(b"Host:", b"hOST:")), expected)

    def test_odd_heads(self) -> None:
        """Folded values, bare LF, no Host at all."""
        folded = b"GET / HTTP/1.1\r\nHost:\r\n example.org\r\nA: b\r\n\r\n"
        self.assertEqual(self.sent(folded), b"GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nA: b\r\n\r\n")
        self.assertEqual(self.sent(b"GET / HTTP/1.0\n\n"), b"GET / HTTP/1.0\nHost: 10.0.0.1:8080\n\n")

    def test_whole_url(self) -> None:
        """A server goes by the URL in the request line, and not by Host: both become the backend's."""
        changed = {
            "GET http://example.org/a?b=http://example.org/": "GET http://10.0.0.1:8080/a?b=http://example.org/",
            "GET HTTPS://example.org:443": "GET HTTPS://10.0.0.1:8080",
            "OPTIONS http://example.org?x": "OPTIONS http://10.0.0.1:8080?x",
            "GET http://me:pass@example.org/x@y": "GET http://me:pass@10.0.0.1:8080/x@y",
            "GET http://[::1]:80/": "GET http://10.0.0.1:8080/",
        }
        for line, expected in changed.items():
            wanted = request(expected).replace(b"Host: example.org", b"Host: 10.0.0.1:8080")
            self.assertEqual(self.sent(request(line)), wanted)
            self.assertEqual(self.sent(b"\r\n" + request(line)), b"\r\n" + wanted)

    def test_no_url(self) -> None:
        """Other targets, and what no server takes for a URL, stay as they are."""
        for line in ("GET /http://example.org/", "OPTIONS *", "GET http:///a", "GET http://me@/a", "GET a:b"):
            expected = request(line).replace(b"Host: example.org", b"Host: 10.0.0.1:8080")
            self.assertEqual(self.sent(request(line)), expected)

    def test_tunnel(self) -> None:
        """CONNECT names where the tunnel leads, and Host has to say the same."""
        connect = request("CONNECT example.org:443")
        self.assertEqual(self.sent(connect), connect)

    def test_two_hosts(self) -> None:
        """There are still two, so that the server says 400 as it would without the proxy."""
        twice = request("GET /", "Host: other.org")
        expected = request("GET /", "Host: 10.0.0.1:8080").replace(b"example.org", b"10.0.0.1:8080")
        self.assertEqual(self.sent(twice), expected)

    def test_every_request(self) -> None:
        """Pipelined requests, and a body that looks like a head."""
        sneaky = request("POST /", "Content-Length: 15", body=b"\r\nHost: a.org\r\n")
        expected = (sneaky + GET).replace(b"example.org", b"10.0.0.1:8080")
        self.assertEqual(self.sent(sneaky + GET), expected)

    def test_no_host(self) -> None:
        """A backend that has no host (a Unix socket) leaves Host alone."""
        self.assertEqual(self.sent(GET, backend=""), GET)


class KeepAliveTests(SynchronousTestCase):
    """Option keep-alive = false."""

    def replied(self, *steps: bytes) -> tuple[bytes, Then]:
        """What the client gets of the last step, and what happens then."""
        session = Http(keep_alive=False).session()
        for number, step in enumerate(steps):
            frames = frames_of(session, (TO_BACKEND, TO_CLIENT)[number % 2], step)
        return b"".join(frame.forward for frame in frames), frames[-1].then

    def test_close_is_said(self) -> None:
        """The response says Connection: close in place of what it said, and the link ends after it."""
        said = sized("200 OK", b"hello", "Connection: keep-alive", "Keep-Alive: timeout=5", "X: y")
        expected = sized("200 OK", b"hello", "X: y", "Connection: close")
        self.assertEqual(self.replied(GET, said), (expected, Then.CLOSE))

    def test_only_the_end_closes(self) -> None:
        """A response that is not complete does not end the link."""
        got, then = self.replied(GET, OK[:-1])
        self.assertEqual((got[-4:], then), (b"hell", Then.KEEP))

    def test_interim_is_left_alone(self) -> None:
        """100 Continue, and a switch to another protocol, say nothing about the end."""
        interim = response("100 Continue")
        self.assertEqual(self.replied(EXPECT, interim), (interim, Then.KEEP))
        session = Http(keep_alive=False).session()
        frames_of(session, TO_BACKEND, UPGRADE)
        switched = response("101 Switching Protocols", "Upgrade: x")
        frame = next(iter(session.receive(TO_CLIENT, switched)))
        self.assertEqual((frame.forward, frame.then), (switched, Then.KEEP))
