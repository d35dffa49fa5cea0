"""Which line is what in SMTP: it depends on what was said before, and on what was answered."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import NotLegal
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.smtp.content import DotReader, Inbox, chunk_of
from txvaurien.protocols.smtp.messages import Command
from txvaurien.protocols.smtp.replies import without_starttls
from txvaurien.test.smtp_samples import DATA, ENVELOPE, GO_AHEAD, MAIL, OK, RCPT, START
from txvaurien.test.smtp_talk import RSET
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Step

UNKNOWN_USER = (TO_CLIENT, b"550 5.1.1 User unknown\r\n")
BODY = (TO_BACKEND, b"Subject: x\r\n\r\nbody\r\n.\r\n")
LMTP: tuple[Step, ...] = (START[0], (TO_BACKEND, b"LHLO client\r\n"), (TO_CLIENT, b"250 mx\r\n"))


class OrderCase(SynchronousTestCase):
    """Plays conversations that a session has to understand."""

    def play(self, *steps: Step, protocol: Smtp | None = None) -> Recorder:
        """What was seen."""
        recorder = Recorder((protocol or Smtp()).session()).play(steps)
        self.assertEqual((recorder.error, recorder.faults), ("", []))
        return recorder

    def verbs(self, *steps: Step) -> list[str]:
        """The verbs of what the client says after the greeting."""
        return [seen.verb for seen in self.play(START[0], *steps).seen[1:]]


class LoginTests(OrderCase):
    """Lines that are secrets."""

    def test_dialogue(self) -> None:
        """Behind each 334 stands one line of credentials; what follows it at once is a command."""
        asked = (TO_CLIENT, b"334 UGFzc3dvcmQ6\r\n")
        steps: list[Step] = [(TO_BACKEND, b"AUTH LOGIN\r\n"), asked, (TO_BACKEND, b"NOOP\r\nRSET\r\n")]
        self.assertEqual(self.verbs(*steps), ["AUTH", "CREDENTIALS", "RSET"])
        steps = [(TO_BACKEND, b"AUTH LOGIN\r\n"), asked, (TO_BACKEND, b"YW5u\r\n"), asked]
        steps += [(TO_BACKEND, b"c2VjcmV0\r\n"), (TO_CLIENT, b"235 ok\r\n"), (TO_BACKEND, b"NOOP\r\n")]
        self.assertEqual(self.verbs(*steps), ["AUTH", "CREDENTIALS", "CREDENTIALS", "NOOP"])

    def test_unasked(self) -> None:
        """What is no command and comes right behind AUTH is a secret, whatever came before that."""
        self.assertEqual(
            self.verbs((TO_BACKEND, b"NOOP\r\nAUTH PLAIN\r\nAGFubgBz\r\n")), ["NOOP", "AUTH", "CREDENTIALS"]
        )
        self.assertEqual(
            self.verbs((TO_BACKEND, b"AUTH PLAIN\r\nNOOP\r\nAGFubgBz\r\n")), ["AUTH", "NOOP", "UNKNOWN"]
        )

    def test_shown(self) -> None:
        """Logs show targets, but of AUTH only what can be a mechanism."""
        self.assertEqual(
            Command(b"MAIL FROM:<ann@example.org>\r\n").log_fields()["target"], "ann@example.org"
        )
        self.assertEqual(Command(b"AUTH AGFubgBzZWNyZXQ=\r\n").log_fields(), {"verb": "AUTH"})


class ContentTests(OrderCase):
    """Whether a content comes, and what is answered to it."""

    def test_announced(self) -> None:
        """DATA announces a content if there is a recipient, or one may be accepted yet."""
        for steps, announces in (
            (((TO_BACKEND, MAIL[1] + DATA[1]),), False),
            (((TO_BACKEND, MAIL[1] + RCPT[1] + DATA[1]),), True),
            ((*ENVELOPE, DATA), True),
            ((MAIL, OK, RCPT, UNKNOWN_USER, DATA), False),
            ((*ENVELOPE, (TO_BACKEND, RSET), OK, DATA), False),
        ):
            last = self.play(*START, *steps).seen[-1]
            self.assertEqual((last.verb, last.exchange.announces is not None), ("DATA", announces), steps)

    def test_without_recipient(self) -> None:
        """A server that asks for a content all the same gets one, and answers it once, also in LMTP."""
        for start in (START, LMTP):
            steps = (MAIL, OK, RCPT, UNKNOWN_USER, DATA, GO_AHEAD, BODY, (TO_CLIENT, b"554 none\r\n"))
            content = self.play(*start, *steps).seen[-1]
            self.assertEqual((content.verb, content.reply), ("CONTENT", b"554 none\r\n"))
            self.assertIn(TO_CLIENT, content.done)

    def test_each_mail_counts_anew(self) -> None:
        """In LMTP a content has a reply for each recipient of its own mail."""
        steps: list[Step] = []
        for number in (3, 1, 2):
            steps += [MAIL, OK, *(RCPT, OK) * number, DATA, GO_AHEAD, BODY, (TO_CLIENT, OK[1] * number)]
        seen = self.play(*LMTP, *steps).seen
        self.assertEqual([each.reply.count(b"250") for each in seen if each.verb == "CONTENT"], [3, 1, 2])
        self.assertFalse(any(each.unasked for each in seen[1:]))

    def test_last_word(self) -> None:
        """421 is the only reply to a content, however many recipients there are."""
        closing = (TO_CLIENT, b"421 4.3.2 closing\r\n")
        steps = (MAIL, OK, RCPT, OK, RCPT, OK, DATA, GO_AHEAD, BODY, closing)
        self.assertIn(TO_CLIENT, self.play(*LMTP, *steps).seen[-1].done)

    def test_unknown_command(self) -> None:
        """A 500 says that BDAT is not known; to the content of DATA it says nothing of the kind."""
        unknown = (TO_CLIENT, b"500 5.5.2 too long\r\n")
        self.assertEqual(self.play(*START, *ENVELOPE, DATA, GO_AHEAD, BODY, unknown).seen[-1].status, "500")
        recorder = Recorder(Smtp().session())
        recorder.play((*START, *ENVELOPE, (TO_BACKEND, b"BDAT 3 LAST\r\nabc"), unknown))
        self.assertIn("does not know BDAT", recorder.error)

    def test_chunk_sizes(self) -> None:
        """A size has at most twenty digits, as RFC 3030 has it."""
        self.assertEqual(chunk_of([b"9" * 20]), (10**20 - 1, False))
        self.assertIsNone(chunk_of([b"9" * 21]))

    def test_end_behind_a_bare_end(self) -> None:
        """A dot behind a bare LF is seen as well if the real end comes right behind it."""
        for content in (b"x\n.\r\n.\r\n", b"x\n.\n\r\n.\r\n"):
            reader, inbox = DotReader(), Inbox()
            inbox.feed(content)
            self.assertEqual(reader.measure(inbox), (len(content), True))
            self.assertTrue(reader.ambiguous, content)
        reader, inbox = DotReader(), Inbox()
        inbox.feed(b"x\r\n.\r\n")
        reader.measure(inbox)
        self.assertFalse(reader.ambiguous)


class EndTests(OrderCase):
    """What a FIN ends."""

    def test_client_in_a_content(self) -> None:
        """A content that is cut short is over; nothing new begins."""
        recorder = self.play(*START, *ENVELOPE, DATA, GO_AHEAD, (TO_BACKEND, b"half of"))
        recorder.feed(TO_BACKEND, b"")
        content = recorder.seen[-1]
        self.assertEqual((content.verb, content.request), ("CONTENT", b"half of"))
        self.assertIn(TO_BACKEND, content.done)

    def test_client_in_a_command(self) -> None:
        """Half a command is passed on, and is never answered."""
        recorder = self.play(*START, (TO_BACKEND, b"NOO"))
        (frame,) = recorder.feed(TO_BACKEND, b"")
        assert frame.exchange is not None
        self.assertEqual((frame.raw, frame.last, frame.exchange.replies), (b"NOO", True, False))

    def test_server_in_a_reply(self) -> None:
        """The reply that has begun is over, in LMTP too, where others were to follow."""
        steps = (MAIL, OK, *(RCPT, OK) * 3, DATA, GO_AHEAD, BODY, OK)
        recorder = self.play(*LMTP, *steps)
        self.assertNotIn(TO_CLIENT, recorder.seen[-1].done)
        recorder.feed(TO_CLIENT, b"")
        self.assertIn(TO_CLIENT, recorder.seen[-1].done)


class OfferTests(OrderCase):
    """The offer of STARTTLS."""

    def test_taken_out(self) -> None:
        """It is taken out wherever it stands and however it is written; the last line stays the last one."""
        for said, left in (
            (b"250-mx\r\n250-STARTTLS\r\n250 SIZE\r\n", b"250-mx\r\n250 SIZE\r\n"),
            (b"250-mx\r\n250-SIZE\r\n250 starttls\r\n", b"250-mx\r\n250 SIZE\r\n"),
            (b"250-mx\r\n250 STARTTLS REQUIRED\r\n", b"250 mx\r\n"),
            (b"250-STARTTLS\r\n250 SIZE\r\n", b"250-STARTTLS\r\n250 SIZE\r\n"),
            (b"250-mx\r\n250 STARTTLS2\r\n", b"250-mx\r\n250 STARTTLS2\r\n"),
            (b"250-mx\r\n250-SIZE\r\n250 8BITMIME\r\n", b"250-mx\r\n250-SIZE\r\n250 8BITMIME\r\n"),
            (b"502 no\r\n", b"502 no\r\n"),
        ):
            self.assertEqual(without_starttls(said), left)

    def test_edits_no_longer(self) -> None:
        """Once the offer is gone nothing is edited until the next EHLO; without the option never."""
        session = self.play(*START, protocol=Smtp(starttls="strip")).session
        self.assertFalse(session.edits)
        list(session.receive(TO_BACKEND, b"EHLO again\r\n"))
        self.assertTrue(session.edits)
        plain = Smtp().session()
        list(plain.receive(TO_CLIENT, START[0][1]))
        list(plain.receive(TO_BACKEND, b"EHLO client\r\n"))
        self.assertFalse(plain.edits)


class LegalTests(OrderCase):
    """What can be said when."""

    def refused(self, *steps: Step, kind: str) -> tuple[bytes, bytes]:
        """What is said to the client, and to the backend, of the last request, which is sent."""
        recorder = self.play(*steps)
        refusal = recorder.session.refuse(recorder.seen[-1].exchange, kind)
        return refusal.to_client[:3], refusal.to_backend

    def test_greeting(self) -> None:
        """The greeting is part of the handshake, and takes what is said to a client that connects."""
        greeting = self.play(START[0]).seen[0].exchange
        self.assertTrue(greeting.handshake)
        refusal = Smtp().session().refuse(greeting, "connect-unavailable")
        self.assertEqual(refusal.to_client[:3], b"421")

    def test_taken_back(self) -> None:
        """A MAIL that the backend has is taken back, if nothing was said behind it; a RCPT need not be."""
        self.assertEqual(self.refused(*START, MAIL, kind="insufficient-storage"), (b"452", RSET))
        recorder = self.play(*START, (TO_BACKEND, MAIL[1] + RCPT[1]))
        mail, recipient = (seen.exchange for seen in recorder.seen[-2:])
        self.assertRaises(NotLegal, recorder.session.refuse, mail, "insufficient-storage")
        self.assertEqual(recorder.session.refuse(recipient, "mailbox-busy").to_backend, b"")

    def test_recipient_of_lmtp(self) -> None:
        """In LMTP a recipient that the backend has counts among its replies: too late, for that only."""
        recorder = self.play(*LMTP, MAIL, OK, RCPT)
        self.assertRaises(NotLegal, recorder.session.refuse, recorder.seen[-1].exchange, "mailbox-busy")
        self.assertEqual(
            self.refused(*LMTP, (TO_BACKEND, b"VRFY bob\r\n"), kind="mailbox-unavailable"), (b"550", b"")
        )
