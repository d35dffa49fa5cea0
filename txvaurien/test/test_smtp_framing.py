"""txvaurien.protocols.smtp.framing: what is passed on when, and what a session gives up."""

from __future__ import annotations

from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.smtp.framing import HOLD_LIMIT, PENDING_LIMIT
from txvaurien.test.smtp_samples import DATA, ENVELOPE, GO_AHEAD, HELLO, MAIL, OK, QUEUED, RCPT, START
from txvaurien.test.test_smtp_order import BODY, LMTP, OrderCase
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Step

WHOLE: tuple[Step, ...] = (*ENVELOPE, DATA, GO_AHEAD, BODY, QUEUED)


class FramingCase(OrderCase):
    """Conversations that a session gives up, too."""

    def words(self, *steps: Step, protocol: Smtp | None = None) -> str:
        """Why a session gives a conversation up; ``""`` if it does not."""
        return Recorder((protocol or Smtp()).session()).play(steps).error


class CommandTests(FramingCase):
    """What a client says outside of a content."""

    def test_number(self) -> None:
        """A number makes a chunk of nothing but BDAT."""
        steps = ((TO_BACKEND, b"VRFY 5 LAST\r\n"), OK, (TO_BACKEND, b"NOOP\r\n"))
        self.assertEqual(self.verbs(*steps), ["VRFY", "NOOP"])

    def test_empty_chunk(self) -> None:
        """The last chunk may be empty, and the next line is a command again."""
        steps = (*START[1:], *ENVELOPE, (TO_BACKEND, b"BDAT 0 LAST\r\nNOOP\r\n"))
        self.assertEqual(self.verbs(*steps), ["EHLO", "MAIL", "RCPT", "BDAT", "CONTENT", "NOOP"])

    def test_first_byte(self) -> None:
        """Only what a client says first is looked at for TLS."""
        self.assertIn("TLS", self.words(START[0], (TO_BACKEND, b"\x16\3\1\r\n")))
        self.assertEqual(self.words(*START, (TO_BACKEND, b"\x16\3\1\r\n")), "")

    def test_unanswered(self) -> None:
        """So many commands may wait for their replies, and no more."""
        steps: list[Step] = [START[0], (TO_BACKEND, b"NOOP\r\n" * PENDING_LIMIT)]
        self.assertEqual(self.words(*steps), "")
        self.assertIn(f"{PENDING_LIMIT} commands unanswered", self.words(*steps, (TO_BACKEND, b"NOOP\r\n")))

    def test_recipients_of_another_mail(self) -> None:
        """Recipients count for one mail only: behind it, DATA alone announces no content."""
        self.assertIsNone(self.play(*START, *WHOLE, DATA).seen[-1].exchange.announces)

    def test_several_recipients(self) -> None:
        """A mail has one reply in SMTP; in LMTP each recipient has one, however its RCPT was answered."""
        lines = ((TO_CLIENT, b"250-ok\r\n"), (TO_CLIENT, b"250 yes\r\n"))
        steps = (*ENVELOPE, RCPT, *lines, DATA, GO_AHEAD, BODY)
        for start, replies in ((START, 1), (LMTP, 2)):
            recorder = self.play(*start, *steps)
            for number in range(replies):
                self.assertNotIn(TO_CLIENT, recorder.seen[-1].done, number)
                recorder.feed(*QUEUED)
            self.assertIn(TO_CLIENT, recorder.seen[-1].done)

    def test_behind_what_is_hidden(self) -> None:
        """While the server has still to answer what the proxy told it, the client may go on."""
        recorder = self.play(*START, MAIL)
        recorder.session.refuse(recorder.seen[-1].exchange, "insufficient-storage")
        recorder.feed(*DATA)
        self.assertEqual((recorder.error, recorder.seen[-1].verb), ("", "DATA"))
        self.assertIsNone(recorder.seen[-1].exchange.announces)

    def test_mail_given_up(self) -> None:
        """A mail begun anew has the recipients that were named since: in LMTP, so many replies."""
        refused = (*ENVELOPE, RCPT, OK, DATA, (TO_CLIENT, b"451 4.3.0 not now\r\n"))
        content = self.play(*LMTP, *refused, *WHOLE).seen[-1]
        self.assertEqual((content.verb, content.reply), ("CONTENT", QUEUED[1]))
        self.assertIn(TO_CLIENT, content.done)


class ReplyTests(FramingCase):
    """What the server says."""

    def test_no_reply(self) -> None:
        """A line without a code is no reply, be it the first or behind good ones, which still go on."""
        self.assertIn("reply code", self.words(*START, (TO_BACKEND, b"NOOP\r\n"), (TO_CLIENT, b"what?\r\n")))
        recorder = Recorder(Smtp().session())
        recorder.play((START[0], (TO_BACKEND, b"HELP\r\n"), (TO_CLIENT, b"214-one\r\nwhat?\r\n")))
        self.assertEqual(recorder.seen[-1].reply, b"214-one\r\n")
        recorder.feed(TO_CLIENT, b"\r\n")
        self.assertIn("reply code", recorder.error)

    def test_in_parts(self) -> None:
        """Lines of a reply to EHLO go on as they come; where the offer is taken out, when all are there."""
        for protocol, passed in ((Smtp(), b"250-mx\r\n"), (Smtp(starttls="strip"), b"")):
            recorder = self.play(START[0], HELLO, (TO_CLIENT, b"250-mx\r\n250-START"), protocol=protocol)
            self.assertEqual(recorder.seen[-1].reply, passed)
            recorder.feed(TO_CLIENT, b"TLS\r\n250 SIZE\r\n")
            self.assertIn(TO_CLIENT, recorder.seen[-1].done)

    def test_too_long_to_edit(self) -> None:
        """What is kept of a reply to EHLO until it is whole has a bound."""
        line = b"250-" + b"x" * 1018 + b"\r\n"
        steps = (START[0], HELLO, (TO_CLIENT, line * (HOLD_LIMIT // len(line))))
        protocol = Smtp(starttls="strip")
        self.assertEqual(self.words(*steps, protocol=protocol), "")
        self.assertIn("reply to EHLO", self.words(*steps, (TO_CLIENT, line), protocol=protocol))
        self.assertEqual(self.words(*steps, (TO_CLIENT, line)), "")

    def test_other_replies(self) -> None:
        """Only EHLO is answered with offers: what HELP says of STARTTLS stays."""
        said = b"214-known:\r\n214-STARTTLS\r\n214 end\r\n"
        steps = (*START, (TO_BACKEND, b"HELP\r\n"), (TO_CLIENT, said))
        recorder = self.play(*steps, protocol=Smtp(starttls="strip"))
        self.assertTrue(recorder.forwarded[TO_CLIENT].endswith(said))

    def test_edits(self) -> None:
        """Where offers are taken out nothing but the reply to EHLO has to be framed before it goes on."""
        recorder = self.play(START[0], (TO_BACKEND, b"EHLO me\r\nHELP\r\n"), protocol=Smtp(starttls="strip"))
        self.assertTrue(recorder.session.edits)
        recorder.feed(TO_CLIENT, b"250 mx\r\n")
        self.assertFalse(recorder.session.edits)

    def test_last_word(self) -> None:
        """421 is the last reply in LMTP, wherever among those to a content it comes."""
        steps = (MAIL, OK, *(RCPT, OK) * 3, DATA, GO_AHEAD, BODY, OK, (TO_CLIENT, b"421 4.3.2 closing\r\n"))
        content = self.play(*LMTP, *steps).seen[-1]
        self.assertEqual(content.reply.count(b"\r\n"), 2)
        self.assertIn(TO_CLIENT, content.done)

    def test_unasked_before_a_chunk(self) -> None:
        """What the server says unasked does not take the chunk back, unless it says that it knows no BDAT."""
        steps: tuple[Step, ...] = (*START[1:], *ENVELOPE, (TO_BACKEND, b"BDAT 6 LAST\r\n"))
        chunk = (TO_BACKEND, b"NOOP\r\n")
        before = ["EHLO", "MAIL", "RCPT", "BDAT"]
        self.assertEqual(
            self.verbs(*steps, (TO_CLIENT, b"450 busy\r\n"), chunk), [*before, "NOTICE", "CONTENT"]
        )
        self.assertEqual(
            self.verbs(*steps, (TO_CLIENT, b"500 what?\r\n"), chunk), [*before, "NOTICE", "NOOP"]
        )


class StartTests(FramingCase):
    """When both sides go over to TLS."""

    def secures(self, *replies: bytes) -> list[bool]:
        """For each frame of what the server says to NOOP and STARTTLS, whether TLS follows it."""
        recorder = self.play(*START, protocol=Smtp(starttls="terminate"))
        recorder.feed(TO_BACKEND, b"NOOP\r\nSTARTTLS\r\n")
        return [frame.secures for reply in replies for frame in recorder.feed(TO_CLIENT, reply)]

    def test_pipelined(self) -> None:
        """Behind the reply to STARTTLS, not behind that to an earlier command."""
        self.assertEqual(self.secures(b"250 ok\r\n", b"220 go\r\n"), [False, True])
        self.assertEqual(self.secures(b"250 ok\r\n220 go\r\n"), [False, True])

    def test_lines(self) -> None:
        """Behind its last line."""
        self.assertEqual(self.secures(b"250 ok\r\n", b"220-go\r\n", b"220 on\r\n"), [False, False, True])

    def test_refused(self) -> None:
        """Not if the server will not."""
        self.assertEqual(self.secures(b"250 ok\r\n", b"454 no\r\n"), [False, False])


class BehindTests(FramingCase):
    """What one mail leaves behind for what follows."""

    def test_end(self) -> None:
        """A client that goes away behind a mail ends nothing; half a command is passed on."""
        for rest in (b"", b"QUI"):
            recorder = self.play(*START, *WHOLE, *([(TO_BACKEND, rest)] if rest else []))
            frames = recorder.feed(TO_BACKEND, b"")
            self.assertEqual([frame.raw for frame in frames], [rest] if rest else [])
            self.assertTrue(all(frame.exchange is not None for frame in frames))
            self.assertEqual(recorder.error, "")

    def test_bare_end(self) -> None:
        """A dot behind a bare LF is of no concern once its content is over, also while a RSET is answered."""
        odd = (TO_BACKEND, b"x\n.\nend\r\n.\r\n")
        recorder = self.play(*START, *ENVELOPE, DATA, GO_AHEAD, odd, QUEUED, MAIL)
        refusal = recorder.session.refuse(recorder.seen[-1].exchange, "insufficient-storage")
        self.assertEqual(refusal.to_backend, b"RSET\r\n")
        recorder.play((OK, OK, (TO_BACKEND, b"NOOP\r\n"), OK))
        self.assertEqual((recorder.error, recorder.seen[-1].status), ("", "250"))
