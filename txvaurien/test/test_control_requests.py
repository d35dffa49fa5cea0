"""No request can fill the memory, and a token is asked for before anything is kept."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.control.requests import LINGER, MAX_BODY
from txvaurien.test.control_helpers import TOKEN, RawClient, guarded, proxy


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


class UnknownTests(SynchronousTestCase):
    """Somebody who does not show the token."""

    def setUp(self) -> None:
        self.client = RawClient(guarded(proxy(), token=TOKEN))

    def test_nothing_is_kept(self) -> None:
        """The body is dropped as it comes; the refusal is that of the token."""
        self.client.send(b"PUT /behavior HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        self.client.send(b"x" * 999)
        [request] = self.client.channel.requests
        self.assertEqual(request.content.getvalue(), b"")
        self.client.send(b"x")
        self.assertEqual(self.client.answer().status, 401)

    def test_too_large(self) -> None:
        """That the token is wanted is said before that the body is too large."""
        self.client.send(
            b"PUT /behavior HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)
        )
        answer = self.client.answer()
        self.assertEqual(answer.status, 401)
        self.assertIn("Bearer", answer.headers["www-authenticate"])
        self.assertTrue(self.client.wire.half_closed)
