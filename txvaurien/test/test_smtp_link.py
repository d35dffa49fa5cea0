"""SMTP through a proxy in memory: whatever is refused, both sides stay in step."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.exchange import LiveExchange
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.smtp.session import GO_AHEAD
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.test.smtp_talk import (
    BODY,
    BYE,
    CLOSING,
    DATA,
    MAIL,
    OK,
    QUIT,
    RCPT,
    REAL_GO_AHEAD,
    REJECTED,
    RSET,
    STORAGE,
    LateRefusal,
    Lose,
    Talk,
    on,
    once,
)


class RefusedTests(SynchronousTestCase):
    """Errors in place of the server."""

    def test_nothing_refused(self) -> None:
        """With a rule that never fires all goes through as it is."""
        Talk(self, once("rejected", "VRFY")).mail()

    def test_mail_and_recipient(self) -> None:
        """The server does not hear of a refused MAIL or RCPT."""
        talk = Talk(self, once("rejected", "MAIL"), once("mailbox-busy", "RCPT"))
        talk.client_says(MAIL, b"")
        talk.client_has(b"554 5.7.1 Sender address rejected: Access denied\r\n")
        talk.client_says(MAIL)
        talk.server_says(OK)
        talk.client_says(RCPT, b"")
        talk.client_has(b"450 4.2.0 Mailbox unavailable for now, try again later\r\n")
        talk.client_says(RSET)
        talk.server_says(OK)
        talk.mail()

    def test_pipelined(self) -> None:
        """A refusal in the middle of a group waits for its turn."""
        talk = Talk(self, once("mailbox-busy", "RCPT"))
        talk.client_says(MAIL + RCPT + RCPT + DATA, MAIL + RCPT + DATA)
        talk.client_has(b"")
        busy = b"450 4.2.0 Mailbox unavailable for now, try again later\r\n"
        talk.server_says(OK, OK + busy)
        talk.server_says(OK + REAL_GO_AHEAD)
        talk.client_says(BODY)
        talk.server_says(OK)
        talk.mail()

    def test_data(self) -> None:
        """The server does not hear of a refused DATA, and what follows is a command."""
        talk = Talk(self, once("local-error", "DATA"))
        talk.envelope()
        talk.client_says(DATA, b"")
        talk.client_has(b"451 4.3.0 Temporary lookup failure\r\n")
        talk.client_says(RSET)
        talk.server_says(OK)
        talk.mail()

    def test_content(self) -> None:
        """A refused content is not announced: the proxy takes it, and the server is told RSET."""
        talk = Talk(self, once("rejected", "CONTENT"))
        talk.envelope()
        talk.client_says(DATA, RSET)
        talk.client_has(GO_AHEAD)
        talk.server_says(OK, b"")
        talk.client_says(BODY[:-3], b"")
        talk.client_has(b"")
        talk.client_says(BODY[-3:], b"")
        talk.client_has(REJECTED)
        talk.mail()

    def test_content_numbers(self) -> None:
        """A content that was decided about ahead has the number that it would have anyway."""
        talk = Talk(self, on(Delay(), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(BODY, b"")
        self.assertEqual([fields["exchange"] for fields in talk.proxy.named("fired")], ["5"])
        self.assertEqual(talk.proxy.links[1].exchanges, 5)

    def test_content_with_replies_to_come(self) -> None:
        """The 354 and the refusal keep their turn behind the replies to the envelope."""
        talk = Talk(self, once("rejected", "CONTENT"))
        talk.client_says(MAIL + RCPT + DATA, MAIL + RCPT + RSET)
        talk.client_has(b"")
        talk.server_says(OK * 2, OK * 2 + GO_AHEAD)
        talk.client_says(BODY + RSET, RSET)
        talk.client_has(REJECTED)
        talk.server_says(OK, b"")
        talk.server_says(OK)
        talk.mail()

    def test_content_without_recipient(self) -> None:
        """Where the server will not take DATA anyway, it is left to say so."""
        talk = Talk(self, once("rejected", "CONTENT"))
        talk.client_says(DATA)
        talk.server_says(b"503 5.5.1 Error: need RCPT command\r\n")
        talk.client_says(MAIL)
        self.assertEqual(talk.proxy.named("fired"), [])

    def test_announcement_refused(self) -> None:
        """The server refuses DATA: the content that was decided about does not come, and holds nobody up."""
        talk = Talk(self, on(Hang(), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(b"451 4.3.0 no\r\n")
        talk.client_says(RSET)
        talk.server_says(OK)
        talk.mail()

    def test_both_data_and_content(self) -> None:
        """A delayed DATA is decided first; then its content is refused all the same."""
        talk = Talk(self, on(Delay(sleep=2), "DATA"), once("rejected", "CONTENT"))
        talk.envelope()
        talk.client_says(DATA, b"")
        talk.proxy.pass_time(2)
        talk.client_says(b"", RSET)
        talk.client_has(GO_AHEAD)
        talk.server_says(OK, b"")
        talk.client_says(BODY, b"")
        talk.client_has(REJECTED)
        talk.mail()

    def test_lost_content(self) -> None:
        """A content that the proxy takes and forgets."""
        talk = Talk(self, on(Lose(), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA, RSET)
        talk.client_has(GO_AHEAD)
        talk.server_says(OK, b"")
        talk.client_says(BODY, b"")
        talk.client_has(b"250 2.0.0 Ok: queued\r\n")
        talk.mail()

    def test_held_content(self) -> None:
        """A rule that waits holds the content back, not its announcement."""
        talk = Talk(self, on(Delay(sleep=3), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(BODY, b"")
        talk.proxy.pass_time(3)
        talk.client_says(b"", BODY)
        talk.server_says(OK)
        talk.mail()

    def test_too_late(self) -> None:
        """Once the content is announced only 421 can be said: anything else does not fire."""
        talk = Talk(self, on(LateRefusal(), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(BODY, b"")
        talk.proxy.pass_time(1)
        talk.client_says(b"", BODY)
        talk.server_says(OK)
        self.assertEqual(len(talk.proxy.named("misfired")), 1)
        talk.client_says(QUIT)
        talk.server_says(BYE)

    def test_too_late_but_closing(self) -> None:
        """421 ends the link: the server never gets the end of the content, and drops it."""
        talk = Talk(self, on(LateRefusal(kind="service-unavailable"), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(BODY, b"")
        talk.proxy.pass_time(1)
        talk.client_has(CLOSING)
        self.assertEqual((talk.client.ended, talk.backend.received, talk.backend.ended), ("fin", b"", "fin"))

    def test_chunk(self) -> None:
        """A refused BDAT: its chunk is taken and forgotten, the server is told RSET."""
        talk = Talk(self, once("insufficient-storage", "BDAT"))
        talk.envelope()
        talk.client_says(b"BDAT 5\r\nhe", RSET)
        talk.client_has(b"")
        talk.client_says(b"llo" + RSET, RSET)
        talk.client_has(STORAGE)
        talk.server_says(OK, b"")
        talk.server_says(OK)
        talk.mail()

    def test_pipelined_chunk(self) -> None:
        """The refusal keeps its turn behind the replies to the envelope; later chunks go to the server."""
        talk = Talk(self, once("insufficient-storage", "BDAT"))
        talk.client_says(
            MAIL + RCPT + b"BDAT 5\r\nhelloBDAT 2 LAST\r\n!!", MAIL + RCPT + RSET + b"BDAT 2 LAST\r\n!!"
        )
        talk.server_says(OK, OK)
        talk.server_says(OK, OK + STORAGE)
        talk.server_says(OK, b"")
        talk.server_says(b"503 5.5.1 no mail\r\n")
        talk.mail()

    def test_closing_chunk(self) -> None:
        """421 to a BDAT comes after its chunk, and closes."""
        talk = Talk(self, once("service-unavailable", "BDAT"))
        talk.envelope()
        talk.client_says(b"BDAT 5\r\n", RSET)
        talk.client_says(b"hello", b"")
        talk.client_has(CLOSING)
        self.assertEqual(talk.client.ended, "fin")

    def test_chunk_content(self) -> None:
        """A refused content of BDAT is not announced either."""
        talk = Talk(self, once("rejected", "CONTENT"))
        talk.envelope()
        talk.client_says(b"BDAT 5 LAST\r\nhel", RSET)
        talk.server_says(OK, b"")
        talk.client_says(b"lo", b"")
        talk.client_has(REJECTED)
        talk.mail()

    def test_refused_chunk_and_another_rule(self) -> None:
        """A rule for the content of a BDAT that was refused has nothing left to do."""
        talk = Talk(self, once("insufficient-storage", "BDAT"), on(Abort(), "CONTENT"))
        talk.envelope()
        talk.client_says(b"BDAT 5 LAST\r\nhello", RSET)
        talk.client_has(STORAGE)
        talk.server_says(OK, b"")
        self.assertEqual(talk.client.ended, "")

    def test_credentials(self) -> None:
        """In a dialogue the server is told that it is over, and the client that it failed."""
        talk = Talk(self, once("auth-failed", "CREDENTIALS"))
        talk.client_says(b"AUTH LOGIN\r\n")
        talk.server_says(b"334 VXNlcm5hbWU6\r\n")
        talk.client_says(b"YW5u\r\n", b"*\r\n")
        talk.client_has(b"535 5.7.8 Authentication credentials invalid\r\n")
        talk.server_says(b"501 5.7.0 Authentication aborted\r\n", b"")
        talk.mail()

    def test_login(self) -> None:
        """The server does not hear of a refused AUTH; a rule that names no verb leaves it alone."""
        talk = Talk(self, Rule(Error(kind="service-unavailable", warmup=1)), once("auth-temporary", "AUTH"))
        talk.client_says(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n", b"")
        talk.client_has(b"454 4.7.0 Temporary authentication failure\r\n")
        talk.client_says(b"EHLO me\r\n")

    def test_on_connect(self) -> None:
        """421 or 554 in place of the greeting; the server is not called."""
        for kind, said in {"connect-unavailable": b"421 4.3.2 ", "connect-rejected": b"554 5.7.1 "}.items():
            proxy = MemoryProxy(Error(kind=kind), Smtp())
            client = proxy.client()
            self.assertTrue(client.received.startswith(said))
            self.assertEqual((client.ended, proxy.reactor.tcpClients), ("fin", []))

    def test_unreachable(self) -> None:
        """A server that cannot be reached is a 421 in place of the greeting."""
        proxy = MemoryProxy(None, Smtp())
        client = proxy.client()
        proxy.refuse()
        self.assertEqual((client.received[:4], client.ended), (b"421 ", "fin"))

    def test_reply_replaced(self) -> None:
        """A content that the server has taken may be refused nevertheless: the mail comes twice."""

        class Contrary(Behavior, frozen=True, kw_only=True):
            """Refuse what was done."""

            name = "contrary"

            def on_between_handle(self, exchange: LiveExchange) -> bool:
                exchange.refuse("local-error")
                return False

        talk = Talk(self, on(Contrary(), "CONTENT"))
        talk.envelope()
        talk.client_says(DATA)
        talk.server_says(REAL_GO_AHEAD)
        talk.client_says(BODY)
        talk.client_has(b"451 4.3.0 Error: queue file write error\r\n")
        talk.server_says(OK, b"")
        talk.mail()


class LmtpTests(SynchronousTestCase):
    """LMTP: a reply for each recipient that was accepted."""

    def test_refused_content(self) -> None:
        """Also where the replies to RCPT were still to come when the verdict fell."""
        talk = Talk(self, once("rejected", "CONTENT"))
        talk.client_says(b"LHLO me\r\n")
        talk.server_says(OK)
        talk.client_says(MAIL + RCPT * 3 + DATA, MAIL + RCPT * 3 + RSET)
        unknown = b"550 5.1.1 unknown\r\n"
        talk.server_says(OK * 2 + unknown + OK, OK * 2 + unknown + OK + GO_AHEAD)
        talk.server_says(OK, b"")
        talk.client_says(BODY, b"")
        talk.client_has(REJECTED * 2)
        talk.client_says(RSET)
        talk.server_says(OK)

    def test_refused_last_chunk(self) -> None:
        """BDAT LAST is answered for each recipient, the chunks before it once."""
        for last, replies in ((b"", 1), (b" LAST", 2)):
            talk = Talk(self, once("insufficient-storage", "BDAT"))
            talk.client_says(b"LHLO me\r\n")
            talk.server_says(OK)
            talk.client_says(MAIL + RCPT + RCPT)
            talk.server_says(OK * 3)
            talk.client_says(b"BDAT 2" + last + b"\r\nhi", RSET)
            talk.client_has(STORAGE * replies)
