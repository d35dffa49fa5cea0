"""The framing of HTTP/1: the laws of every session, and what is particular to this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Exchange
from txvaurien.protocols.http import Http
from txvaurien.protocols.http.bodies import LINE_LIMIT, TRAILER_LIMIT
from txvaurien.protocols.http.framing import HEAD_LIMIT
from txvaurien.protocols.http.messages import Request
from txvaurien.test.http_captures import CAPTURES
from txvaurien.test.http_samples import (
    CHUNKS,
    CONVERSATIONS,
    ENDING,
    EXPECT,
    GET,
    OK,
    POST,
    PROBE,
    UPGRADE,
    request,
    response,
    sized,
)
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Recorder, SessionLaws, collect, frames_of


class HttpLaws(SessionLaws, SynchronousTestCase):
    """HTTP keeps the laws of every session."""

    protocol = Http()
    conversations = CONVERSATIONS
    probe = PROBE


class EndingLaws(SessionLaws, SynchronousTestCase):
    """The same where a connection ends with the reply: then there is no next request."""

    protocol = Http()
    conversations = ENDING


class CaptureLaws(SessionLaws, SynchronousTestCase):
    """The same for what real clients and servers said, and what becomes of it when it is damaged."""

    protocol = Http()
    conversations = CAPTURES
    draws = 60


class EditingLaws(SessionLaws, SynchronousTestCase):
    """Options that edit the heads change neither what is framed nor where it ends."""

    protocol = Http(overwrite_host_header=True, keep_alive=False)
    conversations: ClassVar[Mapping[str, Conversation]] = {**CONVERSATIONS, **ENDING}


def failure(direction_requests: bytes, replies: bytes = b"") -> str:
    """Why a connection cannot be followed on which this was said."""
    return collect(Http().session(), [(TO_BACKEND, direction_requests), (TO_CLIENT, replies)]).error


class MessageTests(SynchronousTestCase):
    """What a message shows of itself."""

    def seen(self, *steps: bytes) -> list[Exchange]:
        """The exchanges of requests and replies, told in turns."""
        directions = (TO_BACKEND, TO_CLIENT) * len(steps)
        recorder = collect(Http().session(), list(zip(directions, steps, strict=False)))
        self.assertEqual(recorder.error, "")
        return [seen.exchange for seen in recorder.seen]

    def test_request(self) -> None:
        """The verb is the method, the target the path with its query."""
        exchange = self.seen(GET)[0]
        self.assertEqual((exchange.message.verb, exchange.message.target), ("GET", "/a?b=c"))

    def test_forms_of_target(self) -> None:
        """Rules see the path, whatever form the target has."""
        forms = {
            "GET http://user@example.org:80/x?y": "/x?y",
            "GET http://example.org": "/",
            "CONNECT example.org:443": "example.org:443",
            "OPTIONS *": "*",
            "GET  /two  words ": "/two  words",
        }
        for line, target in forms.items():
            self.assertEqual(self.seen(request(line))[0].message.target, target, line)

    def test_headers_by_name(self) -> None:
        """Fields are found in any case; folded ones are unfolded, repeated ones joined."""
        exchange = self.seen(request("GET /", "X-A: one", "\ttwo", "x-a:three", "Empty:"))[0]
        assert isinstance(exchange.request, Request)
        headers = exchange.request.headers
        self.assertEqual(headers["X-a"], "one two, three")
        self.assertEqual(headers.all("x-a"), ["one two", "three"])
        self.assertEqual((headers["empty"], headers.get("none"), "host" in headers), ("", None, True))

    def test_response(self) -> None:
        """The status is the code; the sizes of head and content are known where they are announced."""
        exchange = self.seen(GET, OK)[0]
        reply = exchange.response
        assert reply is not None
        self.assertEqual((reply.status, reply.head_size, reply.body_size), ("200", len(OK) - 5, 5))

    def test_size_unknown(self) -> None:
        """Chunks do not tell their size; a reply without content has none."""
        chunked = response("200 OK", "Transfer-Encoding: chunked", body=CHUNKS)
        replies = (chunked, response("204 No Content"), response("200 OK", body=b"until the end"))
        heads = [self.seen(GET, reply)[0].response for reply in replies]
        self.assertEqual([head.body_size for head in heads if head], [None, 0, None])

    def test_logs_show_no_query(self) -> None:
        """A query may hold secrets; nor are fields or user names shown."""
        secret = request("GET http://me:pass@example.org/path?token=secret", "Authorization: Basic secret")
        shown = self.seen(secret)[0].message.log_fields()
        self.assertEqual(shown, {"verb": "GET", "target": "/path?..."})

    def test_interim(self) -> None:
        """An interim response is nobody's answer: an exchange of its own, with a verb for rules."""
        get, hint = self.seen(GET, response("103 Early Hints") + OK)
        self.assertTrue(hint.unasked)
        self.assertEqual((hint.message.verb, hint.message.status), ("INTERIM", "103"))
        self.assertEqual(get.response.status if get.response else "", "200")

    def test_unasked(self) -> None:
        """What the server says to an idle connection answers no request, not even the next."""
        timeout, get = self.seen(b"", sized("408 Request Timeout", b""), GET, OK)
        self.assertEqual((timeout.message.verb, timeout.unasked), ("UNASKED", True))
        self.assertEqual(get.response.status if get.response else "", "200")

    def test_prompt(self) -> None:
        """Who expects 100 Continue waits for an answer before the body; nobody else does."""
        self.assertTrue(self.seen(EXPECT)[0].prompt)
        self.assertFalse(self.seen(POST)[0].prompt)
        self.assertFalse(self.seen(request("GET /", "Expect: 100-continue"))[0].prompt)
        old = request("POST /", "Expect: 100-continue", "Content-Length: 1", version="1.0")
        self.assertFalse(self.seen(old)[0].prompt)

    def test_prompt_no_more(self) -> None:
        """Told to go on, or sending its body without that, a client waits for nothing."""
        session = Http().session()
        exchange = frames_of(session, TO_BACKEND, EXPECT)[0].exchange
        assert exchange is not None
        frames_of(session, TO_CLIENT, response("103 Early Hints"))
        self.assertTrue(exchange.prompt)
        frames_of(session, TO_CLIENT, response("100 Continue"))
        self.assertFalse(exchange.prompt)
        self.assertFalse(self.seen(EXPECT + b"bo")[0].prompt)
        session = Http().session()
        exchange = frames_of(session, TO_BACKEND, EXPECT)[0].exchange
        frames_of(session, TO_BACKEND, b"bo")
        self.assertFalse(exchange is None or exchange.prompt)

    def test_broken_off_is_left_alone(self) -> None:
        """A head that never was complete is for no rule that does not ask for it."""
        exchange = self.seen(GET[:-2])[0]
        self.assertTrue(exchange.handshake and exchange.replies)
        self.assertEqual(Http().session().legal(exchange), ())


class FlowTests(SynchronousTestCase):
    """Bodies flow as they come."""

    def test_not_copied(self) -> None:
        """A part of a body goes on as the very object that came."""
        session = Http().session()
        frames_of(session, TO_BACKEND, GET)
        frames_of(session, TO_CLIENT, response("200 OK", "Content-Length: 200000"))
        piece = bytes(100_000)
        self.assertIs(frames_of(session, TO_CLIENT, piece)[0].forward, piece)

    def test_events_flow(self) -> None:
        """Each chunk and each event goes on when it is there, none waits for the next."""
        session = Http().session()
        frames_of(session, TO_BACKEND, GET)
        frames_of(session, TO_CLIENT, response("200 OK", "Transfer-Encoding: chunked"))
        for piece in (b"8\r\ndata: ", b"1\n\r\n", b"4\r\n\n\n\n\n\r\n"):
            joined = b"".join(frame.raw for frame in frames_of(session, TO_CLIENT, piece))
            self.assertTrue(joined)
        session = Http().session()
        frames_of(session, TO_BACKEND, GET)
        frames_of(session, TO_CLIENT, response("200 OK", "Content-Type: text/event-stream"))
        self.assertEqual(frames_of(session, TO_CLIENT, b"data: 1\n\n")[0].raw, b"data: 1\n\n")

    def test_one_frame(self) -> None:
        """A message that comes whole is one frame, and that is what came."""
        session = Http().session()
        self.assertIs(frames_of(session, TO_BACKEND, POST)[0].raw, POST)

    def test_endless_upload(self) -> None:
        """Nothing of a body is kept, however long it is."""
        recorder = Recorder(Http().session())
        recorder.feed(TO_BACKEND, request("PUT /", f"Content-Length: {1 << 40}"))
        for _ in range(64):
            recorder.feed(TO_BACKEND, bytes(65_536))
            self.assertEqual(recorder.held(TO_BACKEND), 0)


class OpaqueTests(SynchronousTestCase):
    """What cannot be followed is said to be so, and never guessed."""

    def test_contradictions(self) -> None:
        """Framing fields that contradict each other, or make no sense."""
        fields = {
            ("Content-Length: 1", "Content-Length: 2"): "several that differ",
            ("Content-Length: 1, 2",): "several that differ",
            ("Content-Length: +1",): "no number",
            ("Content-Length: 0x1",): "no number",
            ("Content-Length: -1",): "no number",
            ("Content-Length:",): "no number",
            ("Content-Length: 1234567890123456789",): "no number",
            ("Content-Length: 1", "Transfer-Encoding: chunked"): "both",
            ("Content-Length : 1",): "blanks before its colon",
            ("Transfer-Encoding\t: chunked",): "blanks before its colon",
            ("Transfer-Encoding: chunked, chunked",): "cannot be understood",
            ("Transfer-Encoding: chunked, gzip",): "cannot be understood",
            ("Transfer-Encoding:",): "cannot be understood",
            ("X: y\rContent-Length: 3",): "CR that ends no line",
        }
        for lines, why in fields.items():
            self.assertIn(why, failure(request("POST /", *lines, body=b"abc")), lines)
            self.assertIn(why, failure(GET, response("200 OK", *lines, body=b"abc")), lines)

    def test_only_requests(self) -> None:
        """What ends at the connection's end is no request; nor may a head begin with a fold."""
        self.assertIn("does not end with chunked", failure(request("POST /", "Transfer-Encoding: gzip")))
        folded = b"GET / HTTP/1.1\r\n Content-Length: 3\r\n\r\n"
        self.assertIn("continuation line", failure(folded))

    def test_old_version(self) -> None:
        """HTTP/1.0 knows no transfer codings (RFC 9112 section 6.1)."""
        coding = "Transfer-Encoding: chunked"
        self.assertIn("HTTP/1.0", failure(request("POST /", coding, version="1.0")))
        self.assertIn("HTTP/1.0", failure(GET, response("200 OK", coding, version="1.0")))

    def test_where_fields_do_not_count(self) -> None:
        """A reply that has no body may say what it likes about it."""
        both = ("Content-Length: 5", "Transfer-Encoding: chunked")
        self.assertEqual(failure(request("HEAD /"), response("200 OK", *both)), "")
        self.assertEqual(failure(GET, response("304 Not Modified", *both)), "")

    def test_bad_chunks(self) -> None:
        """A chunk without a size, with one that is too large for a number, or that does not end."""
        bodies = {
            b"x\r\n": "size",
            b"-5\r\n": "size",
            b"\r\n": "size",
            b"11112222333344445\r\n": "size",
            b"5\r\nhelloo\r\n": "longer than its size",
            b"5;" + b"x" * LINE_LIMIT: "longer than 16384 bytes",
            b"5;" + b"x" * LINE_LIMIT + b"\r\nhello\r\n0\r\n\r\n": "longer than 16384 bytes",
            b"0\r\n" + b"A: b\r\n" * (TRAILER_LIMIT // 6 + 1): "trailers",
        }
        for body, why in bodies.items():
            message = request("POST /", "Transfer-Encoding: chunked", body=body)
            self.assertIn(why, failure(message), body[:20])

    def test_what_comes_before_is_given_out(self) -> None:
        """The good part of a chunked body is passed, the bad line is what `rest` has."""
        session = Http().session()
        recorder = Recorder(session)
        good = request("POST /", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n")
        recorder.feed(TO_BACKEND, good + b"oops\r\nmore")
        self.assertEqual(bytes(recorder.yielded[TO_BACKEND]), good)
        self.assertEqual(session.rest(TO_BACKEND), b"oops\r\nmore")

    def test_long_heads(self) -> None:
        """A head of the allowed size passes, one more byte is too much."""
        room = HEAD_LIMIT - len(request("GET /", "X: "))
        self.assertEqual(failure(request("GET /", "X: " + "a" * room)), "")
        self.assertIn("longer than", failure(request("GET /", "X: " + "a" * (room + 1))))
        self.assertIn("longer than", failure(b"GET /" + b"a" * HEAD_LIMIT))

    def test_not_http(self) -> None:
        """Other protocols are found out by their first bytes, before anybody waits for the rest."""
        starts = (b"\x16\x03\x01", b"\x00", b" GET", b"(GET", b"SSH-2.0-x\r\n", b"GET /\r\n", b"EHLO x\r\n")
        for start in starts:
            self.assertIn("not an HTTP/1 request", failure(start), start)
        for start in (b"220 mail", b"ICY 200 OK\r\n", b"HTTP/2 200\r\n", b"HTTP/1.1 abc\r\n", b"\r\n"):
            self.assertIn("not an HTTP/1 response", failure(GET, start), start)
        self.assertIn("blank lines", failure(b"\r\n" * 9))

    def test_http2(self) -> None:
        """HTTP/2 with prior knowledge is told by its name."""
        self.assertIn("HTTP/2 with prior knowledge", failure(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))

    def test_switched(self) -> None:
        """After 101, and after a tunnel was granted, the connection is another protocol's."""
        switched = response("101 Switching Protocols", "Upgrade: websocket")
        self.assertIn("upgraded to websocket", failure(UPGRADE, switched))
        connect = request("CONNECT example.org:443")
        self.assertIn("tunnel", failure(connect, response("200 OK")))

    def test_final_answer_before_the_body(self) -> None:
        """A final answer in place of 100 Continue: what follows may be the body or a request."""
        refused = sized("417 Expectation Failed", b"")
        recorder = Recorder(Http().session())
        recorder.play([(TO_BACKEND, EXPECT), (TO_CLIENT, refused)])
        self.assertEqual(recorder.error, "")
        recorder.feed(TO_BACKEND, b"body")
        self.assertIn("100 Continue", recorder.error)
        self.assertEqual(recorder.session.rest(TO_BACKEND), b"body")

    def test_final_answer_after_100_continue(self) -> None:
        """A client that was told to go on sends its body, and then its next request."""
        recorder = Recorder(Http().session())
        told = response("100 Continue") + sized("413 Content Too Large", b"")
        recorder.play([(TO_BACKEND, EXPECT), (TO_CLIENT, told), (TO_BACKEND, b"body" + GET)])
        requests = [seen for seen in recorder.seen if not seen.unasked]
        self.assertEqual((recorder.error, len(requests)), ("", 2))

    def test_final_answer_during_the_body(self) -> None:
        """Where the body has begun there is no doubt."""
        recorder = Recorder(Http().session())
        answered = sized("413 Content Too Large", b"")
        recorder.play([(TO_BACKEND, EXPECT + b"bo"), (TO_CLIENT, answered), (TO_BACKEND, b"dy" + GET)])
        self.assertEqual((recorder.error, len(recorder.seen)), ("", 2))
