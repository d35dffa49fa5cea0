"""What http says when it refuses: the catalogue, its words and its fields."""

from __future__ import annotations

import json

import h11
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import NotLegal
from txvaurien.model import Connect, Exchange, Refusal, Then
from txvaurien.options import build
from txvaurien.protocols.http import Http
from txvaurien.protocols.http.refusals import KINDS, wants_json
from txvaurien.protocols.http.session import HttpSession
from txvaurien.test.http_samples import EXPECT, GET, POST, UPGRADE, request, response
from txvaurien.testing import TO_BACKEND, TO_CLIENT, frames_of

HEAD = request("HEAD /")


def asked(message: bytes, **options: object) -> tuple[HttpSession, Exchange]:
    """A session that has just framed this request, and its exchange."""
    session = build(Http, options).session()
    exchange = frames_of(session, TO_BACKEND, message)[0].exchange
    assert exchange is not None
    return session, exchange


def refused(message: bytes, kind: str, text: str = "", **options: object) -> Refusal:
    """The refusal of this request."""
    session, exchange = asked(message, **options)
    return session.refuse(exchange, kind, text)


def parsed(message: bytes, said: bytes) -> tuple[h11.Response, bytes]:
    """A response, as h11 reads it when it has sent this request."""
    method = message.split()[0].decode()
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(said)
    head = client.next_event()
    assert isinstance(head, h11.Response), head
    body = b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data), event
        body += bytes(event.data)
    return head, body


class WordsTests(SynchronousTestCase):
    """Each kind is a response that a client can read."""

    def test_every_kind(self) -> None:
        """Code, reason and length are right, for GET and for HEAD, with a body and without."""
        for kind in KINDS:
            for message in (GET, POST, HEAD):
                if kind.name == "413" and message is not POST:
                    continue
                head, body = parsed(message, refused(message, kind.name).to_client)
                self.assertEqual(str(head.status_code), kind.name)
                self.assertTrue(kind.help.startswith(head.reason.decode()), head.reason)
                length = int(dict(head.headers)[b"content-length"])
                self.assertEqual(len(body), 0 if message is HEAD else length, (kind, message))
                self.assertGreater(length, 0)

    def test_fields_of_the_code(self) -> None:
        """401 says how to log in, 429 and 503 when to come back; the others do not."""
        for kind in KINDS:
            head, _ = parsed(POST, refused(POST, kind.name, retry_after=7).to_client)
            fields = dict(head.headers)
            self.assertEqual(b"www-authenticate" in fields, kind.name == "401")
            self.assertEqual(fields.get(b"retry-after"), b"7" if kind.name in {"429", "503"} else None)

    def test_methods_have_a_case(self) -> None:
        """Only HEAD is HEAD (RFC 9110 section 9.1): to another method the body is due."""
        self.assertIn(b"<h1>503", refused(request("head /"), "503").to_client)

    def test_json(self) -> None:
        """Who asks for JSON gets JSON, with the user's words in it."""
        message = request("GET /", "Accept: application/json")
        head, body = parsed(message, refused(message, "409", 'not "now"').to_client)
        self.assertEqual(dict(head.headers)[b"content-type"], b"application/json; charset=utf-8")
        self.assertEqual(json.loads(body), {"title": "Conflict", "status": 409, "detail": 'not "now"'})

    def test_html(self) -> None:
        """Everybody else gets a page, in which the user's words are no markup."""
        head, body = parsed(GET, refused(GET, "500", "a < b").to_client)
        self.assertEqual(dict(head.headers)[b"content-type"], b"text/html; charset=utf-8")
        self.assertIn(b"<h1>500 Internal Server Error</h1>", body)
        self.assertIn(b"a &lt; b", body)

    def test_accept(self) -> None:
        """Quality decides, then what is named before what is meant by a wildcard, then HTML."""
        preferences = {
            "": False,
            "*/*": False,
            "text/html": False,
            "application/json": True,
            "application/json, text/plain, */*": True,
            "application/vnd.api+json": True,
            "text/html, application/json": False,
            "text/html;q=0.5, application/json": True,
            "application/json;q=0.5, text/html": False,
            "application/json; q=0": False,
            "application/json; q=x": False,
            "text/*, application/json": True,
            "text/*, application/*": False,
            "TEXT/HTML;Q=0.1, Application/JSON;Q=0.2": True,
        }
        self.assertEqual({accept: wants_json(accept) for accept in preferences}, preferences)


class ConnectionTests(SynchronousTestCase):
    """Whether the connection is kept, and what is said about it."""

    def check(self, refusal: Refusal, field: bytes | None) -> None:
        """The refusal says this in Connection, and does it."""
        fields = {
            line.partition(b": ")[0]: line.partition(b": ")[2] for line in refusal.to_client.split(b"\r\n")
        }
        self.assertEqual(fields.get(b"Connection"), field)
        self.assertIs(refusal.then, Then.CLOSE if field == b"close" else Then.KEEP)

    def test_kept(self) -> None:
        """1.1 keeps without a word, 1.0 if it was asked to, and says so."""
        self.check(refused(GET, "503"), None)
        old = request("GET /", "Connection: Keep-Alive", version="1.0")
        self.check(refused(old, "503"), b"keep-alive")

    def test_closed_as_the_client_wants(self) -> None:
        """The client said close, or is too old to say anything else."""
        self.check(refused(request("GET /", "Connection: close"), "503"), b"close")
        self.check(refused(request("GET /", version="1.0"), "503"), b"close")

    def test_closed_by_kind(self) -> None:
        """After 400 and 408 a server does not read on."""
        self.check(refused(GET, "400"), b"close")
        self.check(refused(GET, "408"), b"close")

    def test_closed_by_option(self) -> None:
        """keep-alive = false holds for refusals as well."""
        self.check(refused(GET, "503", keep_alive=False), b"close")

    def test_closed_as_the_link_ends(self) -> None:
        """Where there is no backend, the client is told that this was all."""
        session, exchange = asked(GET)
        session.closing = True
        self.check(session.refuse(exchange, "502"), b"close")

    def test_the_body_may_come_or_not(self) -> None:
        """A client that waits for 100 Continue sends its body or not, so the connection ends."""
        self.check(refused(EXPECT, "503"), b"close")
        self.check(refused(EXPECT + b"body", "503"), None)

    def test_the_backend_may_switch(self) -> None:
        """Refused after the backend has heard of an upgrade: it may speak another protocol now."""
        for message in (UPGRADE, request("CONNECT example.org:443")):
            session, exchange = asked(message)
            exchange.sent = True
            self.check(session.refuse(exchange, "503"), b"close")
            self.check(refused(message, "503"), None)


class LegalTests(SynchronousTestCase):
    """What can be said, and to what."""

    def test_413_needs_a_body(self) -> None:
        """Nobody calls the content of a request without content too large."""
        session, exchange = asked(GET)
        self.assertNotIn("413", session.legal(exchange))
        self.assertRaises(NotLegal, session.refuse, exchange, "413")
        session, exchange = asked(POST)
        self.assertIn("413", session.legal(exchange))

    def test_not_unasked(self) -> None:
        """Nothing can be said before a request, nor in place of an interim response."""
        session = Http().session()
        self.assertEqual(session.legal(Exchange(Connect())), ())
        self.assertRaises(NotLegal, session.refuse, Exchange(Connect()), "503")
        frames_of(session, TO_BACKEND, EXPECT)
        interim = frames_of(session, TO_CLIENT, response("100 Continue"))[0].exchange
        assert interim is not None
        self.assertEqual(session.legal(interim), ())

    def test_drawn(self) -> None:
        """`any` is one of those that a broken server says."""
        drawn = [kind.name for kind in KINDS if kind.drawn]
        self.assertEqual(drawn, ["500", "501", "502", "503"])

    def test_interim_after_a_refusal(self) -> None:
        """The client has its answer: an interim response to the same request is not for it."""
        session, exchange = asked(GET)
        exchange.sent = True
        session.refuse(exchange, "503")
        hint, final = frames_of(session, TO_CLIENT, response("103 Early Hints") + response("204 No Content"))
        self.assertEqual((hint.exchange, hint.forward), (None, b""))
        self.assertIs(final.exchange, exchange)
