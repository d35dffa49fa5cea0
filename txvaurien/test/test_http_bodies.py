"""Where messages of HTTP end: lengths, chunks, and connections."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import FramingError
from txvaurien.protocols.http import Http
from txvaurien.protocols.http.bodies import LINE_LIMIT, TRAILER_LIMIT, ChunkedBody
from txvaurien.protocols.http.framing import request_body, response_body
from txvaurien.protocols.http.messages import Headers
from txvaurien.test.http_samples import GET, OK, request, response
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Step


def chunked(data: bytes, *, size: int = 0) -> tuple[int, bool, str]:
    """How much of this is of a chunked body, whether that is complete, and why it is none.

    :param size: it comes in pieces of so many bytes; 0 for at once.
    """
    body, at = ChunkedBody(), 0
    for end in (*range(size, len(data), size), len(data)) if size else (len(data),):
        at = body.take(data[:end], at)
    return at, body.done, body.fault


class ChunkTests(SynchronousTestCase):
    """Bodies in chunks (RFC 9112, section 7.1)."""

    def test_sizes(self) -> None:
        """Sizes are hexadecimal, with letters of either case and up to sixteen digits."""
        for size in (1, 9, 10, 15, 16, 0xFF, 0x1000):
            for written in (b"%x" % size, b"%X" % size, b"%016x" % size):
                whole = written + b"\r\n" + b"z" * size + b"\r\n0\r\n\r\n"
                for pieces in (0, 1, 7):
                    self.assertEqual(chunked(whole + b"GET", size=pieces), (len(whole), True, ""))

    def test_wrong_sizes(self) -> None:
        """What is no size, or has more digits, is given up."""
        for line in (b"", b"x", b"-1", b"0x5", b"1" * 17, b" 5"):
            self.assertIn("does not begin with its size", chunked(line + b"\r\n")[2], line)

    def test_longer_than_its_size(self) -> None:
        """Behind a chunk stands the end of its line."""
        self.assertEqual(chunked(b"3\r\nabcd\r\n")[1:], (False, "a chunk is longer than its size"))

    def test_longest_line(self) -> None:
        """A line may be as long as the limit, and no longer, whether its end has come or not."""
        longest = b"1;" + b"x" * (LINE_LIMIT - 4) + b"\r\n"
        self.assertEqual(chunked(longest), (LINE_LIMIT, False, ""))
        self.assertEqual(chunked(longest[:-1])[2], "")
        self.assertIn("longer than", chunked(b"x" + longest)[2])
        self.assertIn("longer than", chunked(b"1;" + b"x" * (LINE_LIMIT - 2))[2])

    def test_most_trailers(self) -> None:
        """All trailers together may be as long as their limit."""
        line = b"x" * 1022 + b"\r\n"
        most = line * (TRAILER_LIMIT // len(line))
        self.assertEqual(len(most), TRAILER_LIMIT)
        self.assertEqual(chunked(b"0\r\n" + most + b"\r\n")[1:], (True, ""))
        self.assertIn("trailers are longer", chunked(b"0\r\n" + most + b"x\r\n")[2])


class LengthTests(SynchronousTestCase):
    """Bodies whose length is announced, and messages that have none."""

    def test_digits(self) -> None:
        """A length has at most eighteen digits; leading zeros count among them."""
        head = request("POST /", "Content-Length: " + "0" * 17 + "5")
        body = request_body(head)
        assert body is not None
        self.assertEqual(body.take(b"12345678", 0), 5)
        self.assertTrue(body.done)
        self.assertRaises(FramingError, request_body, head.replace(b": 0", b": 00"))

    def test_no_body(self) -> None:
        """Replies that never have one have the size 0, whatever their fields say."""
        head = response("200 OK", "Content-Length: 5")
        for status, method in ((b"200", b"HEAD"), (b"200", b"CONNECT"), (b"204", b"GET"), (b"304", b"GET")):
            self.assertEqual(response_body(head, status, method), (None, 0), (status, method))
        body, size = response_body(head, b"403", b"CONNECT")
        self.assertEqual((size, body is None), (5, False))

    def test_no_method(self) -> None:
        """A request line begins with a method, also if it comes whole."""
        for line in (b"G@T / HTTP/1.1", b"GET  HTTP/1.1", b"GET / HTTP/x", b"GET/ HTTP/1.1"):
            recorder = Recorder(Http().session()).play([(TO_BACKEND, line + b"\r\nHost: x\r\n\r\n")])
            self.assertEqual(recorder.error, "this is not an HTTP/1 request", line)


class EndTests(SynchronousTestCase):
    """What a FIN ends."""

    def ended(self, *steps: Step) -> Recorder:
        """What was seen when the side that spoke last has said FIN."""
        recorder = Recorder(Http().session()).play(steps)
        recorder.feed(steps[-1][0], b"")
        self.assertEqual((recorder.error, recorder.faults), ("", []))
        return recorder

    def test_reply_until_the_end(self) -> None:
        """A reply without a length ends with the connection, and not before."""
        reply = response("200 OK", body=b"until the end")
        recorder = Recorder(Http().session()).play([(TO_BACKEND, GET), (TO_CLIENT, reply)])
        self.assertNotIn(TO_CLIENT, recorder.seen[0].done)
        self.assertIn(TO_CLIENT, self.ended((TO_BACKEND, GET), (TO_CLIENT, reply)).seen[0].done)

    def test_cut_short(self) -> None:
        """So does a message that is cut short, in its body or in its head."""
        half = self.ended((TO_BACKEND, GET), (TO_CLIENT, OK[:-2]))
        self.assertEqual((half.seen[0].reply, TO_CLIENT in half.seen[0].done), (OK[:-2], True))
        head = self.ended((TO_BACKEND, GET[:-2]))
        self.assertEqual((head.seen[0].request, TO_BACKEND in head.seen[0].done), (GET[:-2], True))

    def test_between_messages(self) -> None:
        """Where nothing has begun, nothing ends."""
        self.assertEqual(len(self.ended((TO_BACKEND, GET), (TO_CLIENT, OK)).seen), 1)


class HeaderTests(SynchronousTestCase):
    """The fields of a head."""

    def test_names(self) -> None:
        """Each name once, in lower case."""
        headers = Headers(request("GET /", "X-A: 1", "x-a: 2", "B:", "List: One, ,two"))
        self.assertEqual(sorted(headers), ["b", "host", "list", "x-a"])
        self.assertEqual(len(headers), 4)
        self.assertEqual((headers.tokens("list"), headers.tokens("none")), (["one", "two"], []))


class RequestTests(SynchronousTestCase):
    """What a request asks for beside its content."""

    def test_waits_for_its_body(self) -> None:
        """Only who expects 100 Continue, in HTTP/1.1, waits for an answer before the body is sent."""
        for version, field, prompt in (
            ("1.1", "Expect: 100-continue", True),
            ("1.1", "expect: something, 100-Continue", True),
            ("1.0", "Expect: 100-continue", False),
            ("1.1", "Expect: 200-ok", False),
            ("1.1", "X-Expect: 100-continue", False),
        ):
            head = request("POST /", "Content-Length: 5", field, version=version)
            recorder = Recorder(Http().session()).play([(TO_BACKEND, head)])
            self.assertIs(recorder.seen[0].exchange.prompt, prompt, (version, field))

    def test_no_names_in_logs(self) -> None:
        """The user before a host is left out; an @ in a path is no such thing."""
        for line, shown in (
            ("CONNECT ann:secret@example.org:443", "...@example.org:443"),
            ("GET /ann@example.org", "/ann@example.org"),
            ("OPTIONS *", "*"),
        ):
            recorder = Recorder(Http().session()).play([(TO_BACKEND, request(line))])
            self.assertEqual(recorder.seen[0].exchange.message.log_fields()["target"], shown)
