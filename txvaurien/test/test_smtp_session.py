"""txvaurien.protocols.smtp.session: requests that are refused or withheld, and what comes behind them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.exchange import LiveExchange
from txvaurien.model import Exchange
from txvaurien.protocols.base import Session
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.smtp.session import GO_AHEAD
from txvaurien.test.smtp_samples import ENVELOPE, START
from txvaurien.test.smtp_talk import BODY, DATA, OK, REAL_GO_AHEAD, RSET, Talk, on
from txvaurien.test.test_smtp_order import LMTP, OrderCase
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Step


class Swallow(Behavior, frozen=True, kw_only=True):
    """Drop a request, after a while if there is one; nobody answers it."""

    name = "swallow"
    sleep: float = 0.0

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        if self.sleep:
            await exchange.sleep(self.sleep)
        exchange.swallow()
        return False


class SwallowedTests(SynchronousTestCase):
    """Requests that the server never hears of, and that nobody answers."""

    def test_chunk(self) -> None:
        """With a BDAT its chunk is withheld; the server is told that the mail is over."""
        talk = Talk(self, on(Swallow(), "BDAT"))
        talk.envelope()
        talk.client_says(b"BDAT 6 LAST\r\nNOOP\r\n", RSET)
        talk.server_says(OK, b"")
        talk.mail()

    def test_chunk_after_a_while(self) -> None:
        """The same if that is decided late: nothing of the chunk was sent before."""
        talk = Talk(self, on(Swallow(sleep=1), "BDAT"))
        talk.envelope()
        talk.client_says(b"BDAT 6 LAST\r\nNOOP\r\n", b"")
        talk.proxy.pass_time(1)
        talk.client_says(b"", RSET)
        talk.server_says(OK, b"")
        talk.mail()

    def test_content(self) -> None:
        """The proxy asks for a content that is withheld; behind it the link goes on."""
        talk = Talk(self, on(Swallow(), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA, RSET)
        talk.client_has(GO_AHEAD)
        talk.server_says(OK, b"")
        talk.client_says(BODY, b"")
        talk.client_has(b"")
        talk.mail()

    def test_content_too_late(self) -> None:
        """A content that the server waits for goes on, and the rule has misfired."""
        talk = Talk(self, on(Swallow(sleep=1), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA)
        talk.proxy.pass_time(1)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(BODY)
        talk.server_says(OK)
        self.assertEqual(len(talk.proxy.named("misfired")), 1)


class WithheldTests(OrderCase):
    """A content that is refused before its command is sent."""

    def setUp(self) -> None:
        self.recorder = Recorder(Smtp().session(), decide=self.refuses)

    def refuses(self, session: Session, exchange: Exchange) -> bool:
        """Refuse the first content, as a link does it: just before its command is sent."""
        if exchange.announces is None:
            return False
        session.refuse(exchange.announces, "rejected")
        return True

    def test_edits(self) -> None:
        """Until its end nothing may go on unframed, even if the server has answered its RSET before that."""
        self.recorder.play((*START, *ENVELOPE, (TO_BACKEND, DATA), (TO_CLIENT, OK), (TO_BACKEND, b"half")))
        session = self.recorder.session
        self.assertTrue(session.edits)
        self.recorder.play(((TO_BACKEND, b"\r\n.\r\n"),))
        self.assertFalse(session.edits)

    def test_hidden_in_parts(self) -> None:
        """The answer to RSET is kept from the client whole, also if the content ends within it."""
        self.recorder.play((*START, *ENVELOPE))
        before = bytes(self.recorder.forwarded[TO_CLIENT])
        self.recorder.play(((TO_BACKEND, DATA), (TO_CLIENT, b"250-2.0.0\r\n"), (TO_BACKEND, BODY)))
        self.assertTrue(self.recorder.session.edits)
        self.recorder.feed(TO_CLIENT, b"250 Ok\r\n")
        self.assertFalse(self.recorder.session.edits)
        self.assertEqual(bytes(self.recorder.forwarded[TO_CLIENT]), before)

    def test_recipients(self) -> None:
        """Its recipients are not those of a mail behind it."""
        self.recorder.play((*START, *ENVELOPE, (TO_BACKEND, DATA), (TO_CLIENT, OK), (TO_BACKEND, BODY)))
        self.recorder.play(((TO_BACKEND, DATA),))
        self.assertIsNone(self.recorder.seen[-1].exchange.announces)

    def test_legal(self) -> None:
        """Nothing more can be said to it, but still to what was asked before it."""
        self.recorder.play((*START, *ENVELOPE, (TO_BACKEND, b"VRFY ann\r\n" + DATA + b"half")))
        session = self.recorder.session
        asked, content = self.recorder.seen[-3].exchange, self.recorder.seen[-1].exchange
        self.assertEqual((asked.message.verb, content.message.verb), ("VRFY", "CONTENT"))
        self.assertIn("mailbox-unavailable", session.legal(asked))
        self.assertEqual(session.legal(content), ())


class LmtpTests(OrderCase):
    """A content has a reply for each recipient; so has one that is refused."""

    def refused(self, *steps: Step, kind: str) -> bytes:
        """What is said to a content that the server has."""
        content = ((TO_BACKEND, DATA), (TO_CLIENT, REAL_GO_AHEAD), (TO_BACKEND, BODY))
        recorder = self.play(*LMTP, *steps, *content)
        return recorder.session.refuse(recorder.seen[-1].exchange, kind).to_client

    def test_copies(self) -> None:
        """One at least, and after a 421 none."""
        closing = "service-unavailable"
        for recipients, kind, copies in ((2, "rejected", 2), (2, closing, 1), (0, "rejected", 1)):
            said = self.refused(*ENVELOPE[:2], *ENVELOPE[2:] * recipients, kind=kind)
            self.assertEqual(said.count(b"\r\n"), copies, (recipients, kind))


class UndoneTests(OrderCase):
    """What the server has taken, and the client is told that it has not."""

    def test_chunk(self) -> None:
        """A chunk in the middle of a mail: the mail is over, for the server as well. The last one ends it."""
        for line, told in ((b"BDAT 3\r\nabc", RSET), (b"BDAT 3 LAST\r\nabc", b"")):
            recorder = self.play(*START, *ENVELOPE, (TO_BACKEND, line))
            content = recorder.seen[-1]
            self.assertEqual(content.verb, "CONTENT")
            refusal = recorder.session.refuse(content.exchange, "rejected")
            self.assertEqual((refusal.to_client[:3], refusal.to_backend), (b"554", told))
