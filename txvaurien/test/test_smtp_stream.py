"""SMTP through a proxy in memory: what is followed, and what is done that is no refusal."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.hang import Hang
from txvaurien.exchange import LiveExchange
from txvaurien.plan import Plan
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.smtp.session import GO_AHEAD
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.test.smtp_talk import (
    BODY,
    BYE,
    DATA,
    GREETING,
    OK,
    QUIT,
    REAL_GO_AHEAD,
    REJECTED,
    RSET,
    Talk,
    on,
    once,
)


class OtherBehaviorTests(SynchronousTestCase):
    """What is not an error of the protocol."""

    def test_reply_lost(self) -> None:
        """abort on CONTENT: the server takes the mail, and the client never learns of it."""
        talk = Talk(self, on(Abort(), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(BODY)
        self.assertEqual((talk.client.ended, talk.backend.ended), ("fin", ""))
        talk.server_says(OK, b"")
        self.assertEqual(talk.backend.ended, "fin")

    def test_greeting(self) -> None:
        """A rule that names GREET holds the greeting back, or puts something else in its place."""
        rule = Rule(Delay(sleep=5, before=False), verbs=frozenset({"GREET"}))
        proxy = MemoryProxy(Plan(rules=(rule,), seed=1), Smtp())
        client, backend = proxy.pair()
        backend.says(GREETING)
        self.assertEqual(client.received, b"")
        proxy.pass_time(5)
        self.assertEqual(client.received, GREETING)

    def test_refused_greeting(self) -> None:
        """The server's greeting may be refused as well as the connection."""

        class Unwelcome(Behavior, frozen=True, kw_only=True):
            """Not here."""

            name = "unwelcome"

            def on_between_handle(self, exchange: LiveExchange) -> bool:
                exchange.refuse("connect-rejected")
                return False

        proxy = MemoryProxy(Plan(rules=(Rule(Unwelcome(), verbs=frozenset({"GREET"})),), seed=1), Smtp())
        client, backend = proxy.pair()
        backend.says(GREETING)
        self.assertEqual((client.received[:4], client.ended, backend.ended), (b"554 ", "fin", "fin"))

    def test_removed_while_it_holds(self) -> None:
        """A content that hangs goes on when the rule is removed."""
        talk = Talk(self, on(Hang(), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(BODY, b"")
        talk.proxy.proxy.set_plan(Plan(seed=1))
        talk.client_says(b"", BODY)
        talk.server_says(OK)
        talk.mail()

    def test_removed_while_a_content_is_refused(self) -> None:
        """What was begun is brought to its end: nothing of the rest goes to the server."""
        talk = Talk(self, once("rejected", "CONTENT"))
        talk.envelope()
        talk.client_says(DATA, RSET)
        talk.client_has(GO_AHEAD)
        talk.proxy.proxy.set_plan(Plan(seed=1))
        talk.server_says(OK, b"")
        talk.client_says(BODY, b"")
        talk.client_has(REJECTED)
        talk.mail()


class StreamTests(SynchronousTestCase):
    """What is followed, and what is not."""

    def test_starttls(self) -> None:
        """After 220 bytes pass unread, and the reason says what to do."""
        talk = Talk(self)
        talk.client_says(b"STARTTLS\r\n")
        talk.server_says(b"220 go\r\n")
        talk.client_says(b"\x16\x03\x01\x00\x05hello")
        talk.server_says(b"\x16\x03\x03\x00\x02hi")
        (opaque,) = talk.proxy.named("opaque")
        self.assertIn("starttls = terminate", opaque["why"])
        self.assertIn("strip", opaque["why"])

    def test_stripped(self) -> None:
        """The offer is taken out wherever it stands, in every reply to EHLO, and nothing else is."""
        talk = Talk(self, starttls="strip")
        for offers, arrive in (
            (b"250-mx\r\n250-STARTTLS\r\n250 SIZE 9\r\n", b"250-mx\r\n250 SIZE 9\r\n"),
            (b"250-mx STARTTLS\r\n250-SIZE 9\r\n250 STARTTLS\r\n", b"250-mx STARTTLS\r\n250 SIZE 9\r\n"),
            (b"250-mx\r\n250 STARTTLS\r\n", b"250 mx\r\n"),
            (b"250-mx\r\n250 starttls\r\n", b"250 mx\r\n"),
            (b"250 STARTTLS\r\n", b"250 STARTTLS\r\n"),
            (b"502 5.5.1 STARTTLS\r\n", b"502 5.5.1 STARTTLS\r\n"),
        ):
            talk.client_says(b"EHLO me\r\n")
            talk.server_says(offers[:9], b"")
            talk.server_says(offers[9:], arrive)
        talk.mail()

    def test_bare_end(self) -> None:
        """A server that takes a bare LF for the end of a content: the link is no longer followed."""
        talk = Talk(self)
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(b"Subject: x\n\nbody\n.\n")
        talk.server_says(OK)
        self.assertIn("bare LF", talk.proxy.named("opaque")[0]["why"])
        talk.client_says(QUIT)
        talk.server_says(BYE)

    def test_impatient_client(self) -> None:
        """What comes before DATA is answered could be either: it is not guessed."""
        talk = Talk(self)
        talk.envelope()
        talk.client_says(DATA + BODY)
        self.assertIn("before its DATA", talk.proxy.named("opaque")[0]["why"])
        talk.server_says(REAL_GO_AHEAD + OK)

    def test_no_chunking(self) -> None:
        """A server that does not know BDAT: if it says so in time no chunk follows, else nobody guesses."""
        unknown = b"502 5.5.2 Error: command not recognized\r\n"
        talk = Talk(self)
        talk.client_says(b"BDAT 5\r\n")
        talk.server_says(unknown)
        talk.mail()
        talk.client_says(b"BDAT 5\r\nhello")
        talk.server_says(unknown)
        self.assertIn("BDAT", talk.proxy.named("opaque")[0]["why"])

    def test_implicit_tls(self) -> None:
        """TLS from the first byte is seen as such."""
        proxy = MemoryProxy(None, Smtp())
        client, backend = proxy.pair()
        client.says(b"\x16\x03\x01\x00")
        self.assertEqual(backend.received, b"\x16\x03\x01\x00")
        self.assertIn("the client speaks TLS", proxy.named("opaque")[0]["why"])

    def test_early_reply(self) -> None:
        """A server that gives up in the middle of a content is heard at once."""
        talk = Talk(self, once("rejected", "VRFY"))
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(b"Subject: x\r\n")
        talk.server_says(b"421 4.4.2 timeout\r\n")
        talk.client_says(b"\r\n.\r\n")
        self.assertEqual(talk.proxy.named("opaque"), [])

    def test_no_secrets(self) -> None:
        """Nothing of a log-in, of a content, or of a line that is no command gets into the journal."""
        every = Rule(Abort(), verbs=frozenset({"CONTENT"}))
        all_verbs = frozenset({"AUTH", "CREDENTIALS", "UNKNOWN", "EHLO"})
        talk = Talk(self, Rule(Delay(sleep=0), verbs=all_verbs), every)
        talk.client.says(b"AUTH PLAIN c2VjcmV0\r\n")
        talk.proxy.pass_time(0)
        talk.backend.says(b"535 no\r\n")
        talk.client.says(b"c2VjcmV0\r\n")
        talk.proxy.pass_time(0)
        talk.backend.says(b"500 what\r\n")
        talk.client.says(b"AUTH LOGIN\r\n")
        talk.proxy.pass_time(0)
        talk.backend.says(b"334 x\r\n")
        talk.client.says(b"c2VjcmV0\r\n")
        talk.proxy.pass_time(0)
        talk.backend.says(b"235 ok\r\n")
        journal = repr(talk.proxy.events).lower()
        self.assertNotIn("c2vjcmv0", journal)
        verbs = [fields["verb"] for fields in talk.proxy.named("fired")]
        self.assertEqual(verbs, ["AUTH", "UNKNOWN", "AUTH", "CREDENTIALS"])
