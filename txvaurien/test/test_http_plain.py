"""Plain heads: what is read in short is what the strict reader says, and nothing is remembered wrongly."""

from __future__ import annotations

from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import FramingError
from txvaurien.protocols.http import Http
from txvaurien.protocols.http.bodies import Body, ChunkedBody, SizedBody
from txvaurien.protocols.http.framing import (
    HEAD_LIMIT,
    HeadFinder,
    RequestHeads,
    ResponseHeads,
    request_body,
    response_body,
)
from txvaurien.protocols.http.half import REMEMBERED
from txvaurien.protocols.http.messages import Request, Response
from txvaurien.protocols.http.plain import CHUNKED, plain_request, plain_response
from txvaurien.test.http_samples import CHUNKS, GET, OK, POST, request, response, sized
from txvaurien.test.test_idle_sessions import kept
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, collect, frames_of, split

#: The same examples in every run.
steady = settings(max_examples=1500, deadline=None, derandomize=True, database=None)

#: Fields as they are, and in every way that may not be taken for what it looks like.
LINES = st.sampled_from(
    [
        b"Host: a\r\n",
        b"X: 1\r\n",
        b"Cookie: a=b\r\n",
        b"Content-Length: 3\r\n",
        b"content-length:\t3 \r\n",
        b"CONTENT-LENGTH: 12\r\n",
        b"Content-Length: 3, 3\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length: 0x3\r\n",
        b"Content-Length: 3\n",
        b"Content-Length: 3\r",
        b"Content-Length : 3\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: 9999999999999999999\r\n",
        b"Content-Length2: 3\r\n",
        b"Tontent-Length: 3\r\n",
        b"X-Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"transfer-encoding:CHUNKED\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Expect: 100-continue\r\n",
        b" 4\r\n",
        b"\t, gzip\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"HTTP/1.0\r\n",
    ]
)
REQUEST_LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /a?b HTTP/1.1\r\n",
        b"PUT / HTTP/1.0\r\n",
        b"GET  / HTTP/1.1\r\n",
        b"GET / HTTP/1.1 \r\n",
        b"get / HTTP/1.1\n",
        b"GET / HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"\r\nGET / HTTP/1.1\r\n",
    ]
)
STATUS_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 404\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 304 Not Modified\r\n",
        b"HTTP/1.1 100 Continue\r\n",
        b"HTTP/1.1 101 X\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 200 OK\n",
    ]
)
FIELDS = st.lists(st.one_of(LINES, LINES, LINES, st.binary(max_size=3)), max_size=4).map(b"".join)
REST = st.sampled_from([b"", b"\r\n", b"\r\n", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"\r\nabc"])


def size_of(body: Body | None) -> int:
    """A body as `Plain` tells it; any other kind is an error."""
    if body is None:
        return 0
    if isinstance(body, SizedBody):
        return body.left
    assert isinstance(body, ChunkedBody), body
    return CHUNKED


def strict(finder: HeadFinder, data: bytes) -> bytes:
    """The head that the strict reader finds."""
    end = finder.find(data, 0)
    assert end >= 0
    return data[:end]


class SameTests(SynchronousTestCase):
    """What is taken for plain is what RFC 9112 makes of it, or it is not taken for plain."""

    @steady
    @given(REQUEST_LINES, FIELDS, REST)
    def test_requests(self, line: bytes, fields: bytes, rest: bytes) -> None:
        """The same end, the same body, nobody who waits for 100 Continue; and no error is missed."""
        data = line + fields + b"\r\n" + rest
        plain = plain_request(data, 0)
        if plain is not None:
            head = strict(RequestHeads(), data)
            self.assertEqual(plain, (head, size_of(request_body(head))), data)
            self.assertFalse(plain[1] and Request(head).expects_continue, data)

    @steady
    @given(STATUS_LINES, FIELDS, REST)
    def test_responses(self, line: bytes, fields: bytes, rest: bytes) -> None:
        """The same end, and the same body."""
        data = line + fields + b"\r\n" + rest
        plain = plain_response(data, 0)
        if plain is not None:
            head = strict(ResponseHeads(), data)
            body, size = response_body(head, Response(head).status.encode(), b"GET")
            self.assertEqual(plain, (head, size_of(body)), data)
            self.assertEqual(size, None if plain[1] == CHUNKED else plain[1], data)

    def test_it_is_used(self) -> None:
        """Ordinary heads are plain: without that the tests above would say nothing."""
        post = POST.removesuffix(b"x=1")
        self.assertEqual(plain_request(GET + GET, 0), (GET, 0))
        self.assertEqual(plain_request(b"abc" + POST, 3), (post, 3))
        chunked = request("PUT /", "transfer-encoding: Chunked")
        self.assertEqual(plain_request(chunked + CHUNKS, 0), (chunked, CHUNKED))
        head = response("503 Service Unavailable", "Server: a", "CONTENT-LENGTH:  5", "X: y")
        self.assertEqual(plain_response(head + b"hello", 0), (head, 5))

    def test_it_is_not(self) -> None:
        """What one server reads so and another otherwise is left to the strict reader, as is half a head."""
        both = request("POST /", "Content-Length: 3", "Transfer-Encoding: chunked")
        twice = request("POST /", "Content-Length: 3", "Content-Length: 4")
        waits = request("POST /", "Expect: 100-continue", "Content-Length: 3")
        folded = request("POST /", "Content-Length: 3", "\t4")
        unpaired = request("GET /", "X: \ry\nZ: z")
        for data in (both, twice, waits, folded, unpaired, GET[:-1], GET[:-4] + b"\n\n"):
            self.assertIsNone(plain_request(data, 0), data)
        for reply in (response("200 OK"), response("204 No Content", "Content-Length: 3"), OK[:20]):
            self.assertIsNone(plain_response(reply, 0), reply)
        self.assertRaises(FramingError, request_body, both)

    def test_too_long(self) -> None:
        """The limit of heads holds for plain ones, to the byte."""
        longest = request("GET /", "X: " + "y" * (HEAD_LIMIT - len(request("GET /", "X: "))))
        self.assertEqual(plain_request(longest, 0), (longest, 0))
        self.assertIsNone(plain_request(longest.replace(b"X: ", b"X: y"), 0))


class RememberedTests(SynchronousTestCase):
    """The head that came last is known when it comes again; what depends on more is not remembered."""

    def replies(self, conversation: Conversation) -> list[bytes]:
        """Each reply, the same for three ways to split the conversation."""
        whole = collect(Http().session(), conversation)
        self.assertEqual((whole.error, whole.faults), ("", []))
        for size in (1, 30):
            pieces = collect(Http().session(), split(conversation, partial(int, size)))
            self.assertEqual(
                [each.summary() for each in pieces.seen], [each.summary() for each in whole.seen]
            )
        return [each.reply for each in whole.seen]

    def test_methods(self) -> None:
        """The same head of a reply has a body for GET, and none for HEAD."""
        head = response("200 OK", "Content-Length: 5")
        get, ask = (TO_BACKEND, GET), (TO_BACKEND, request("HEAD /"))
        steps = (get, (TO_CLIENT, OK), ask, (TO_CLIENT, head), get, (TO_CLIENT, OK), ask, (TO_CLIENT, head))
        self.assertEqual(self.replies(steps), [OK, head, OK, head])

    def test_tunnel(self) -> None:
        """Nor is the answer to CONNECT what the same head was before it."""
        session = Http().session()
        frames_of(session, TO_BACKEND, GET)
        frames_of(session, TO_CLIENT, OK)
        frames_of(session, TO_BACKEND, request("CONNECT example.org:443"))
        frames = iter(session.receive(TO_CLIENT, OK))
        self.assertEqual(next(frames).raw, OK.removesuffix(b"hello"))
        self.assertRaises(FramingError, list, frames)

    def test_sizes(self) -> None:
        """Heads that differ only in the length, or only in what follows, are told apart."""
        bodies = (b"12345", b"", b"x" * 50, b"HTTP/1.1 200 OK\r\n\r\n", b"12345")
        said = [sized("200 OK", body) for body in bodies]
        steps = [step for reply in said for step in ((TO_BACKEND, GET), (TO_CLIENT, reply))]
        self.assertEqual(self.replies(steps), said)

    def test_messages_are_apart(self) -> None:
        """A refusal of one request says nothing of the next that is the same."""
        session = Http().session()
        first, second = (frames_of(session, TO_BACKEND, GET)[0].exchange for _ in range(2))
        assert first is not None and second is not None
        first.sent = True
        session.refuse(first, "503")
        frames_of(session, TO_CLIENT, OK)
        frames = frames_of(session, TO_CLIENT, response("103 Early Hints") + OK)
        self.assertNotEqual(frames[0].forward, b"", "what belongs to the second request was hidden")
        self.assertIs(frames[1].exchange, second)

    def test_bounded(self) -> None:
        """An idle link keeps no long heads, and no more than two short ones."""
        for sizes in ([800] * 20, [50_000]):
            session = Http().session()
            for at, size in enumerate(sizes):
                more = "X: " + "y" * size
                frames_of(session, TO_BACKEND, request(f"GET /{at}", more))
                frames_of(session, TO_CLIENT, sized("200 OK", b"hello", f"ETag: {at}", more))
            self.assertLess(kept(session), 2 * REMEMBERED + 1000)
