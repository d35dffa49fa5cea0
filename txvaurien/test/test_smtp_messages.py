"""What is seen of SMTP's messages."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import FramingError, NotLegal
from txvaurien.model import Connect, Exchange, Then
from txvaurien.protocols.smtp import Smtp, SmtpFactory, SmtpProtocol
from txvaurien.protocols.smtp.catalogue import CATALOGUE, words_of
from txvaurien.protocols.smtp.content import LINE_LIMIT, DotReader, Inbox, chunk_of
from txvaurien.protocols.smtp.messages import Command, Content, Credentials, Reply


class CommandTests(SynchronousTestCase):
    """Verbs, targets and parameters."""

    def test_verb(self) -> None:
        """The first word in upper case; what is no command is not shown."""
        lines = {
            b"mail from:<a@b>\r\n": "MAIL",
            b"QUIT\n": "QUIT",
            b"STARTTLS\r\n": "STARTTLS",
            b"STARTTLSX\r\n": "UNKNOWN",
            b"c2VjcmV0\r\n": "UNKNOWN",
            b"\r\n": "UNKNOWN",
            b"\xff\xfe\r\n": "UNKNOWN",
        }
        self.assertEqual({line: Command(line).verb for line in lines}, lines)

    def test_target(self) -> None:
        """The mailbox, in every form that is written."""
        targets = {
            b"MAIL FROM:<ann@example.org> SIZE=1\r\n": "ann@example.org",
            b"MAIL FROM:<>\r\n": "<>",
            b"mail from: <ann@example.org>\r\n": "ann@example.org",
            b"RCPT TO:bob@example.org\r\n": "bob@example.org",
            b"RCPT TO:<@one.org,@two.org:bob@example.org> NOTIFY=NEVER\r\n": "bob@example.org",
            b'RCPT TO:<"bob > eve"@example.org>\r\n': '"bob > eve"@example.org',
            "RCPT TO:<jürgen@exämple.org>\r\n".encode(): "jürgen@exämple.org",
            b"RCPT bob\r\n": None,
            b"EHLO me.example.org\r\n": "me.example.org",
            b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n": "PLAIN",
            b"VRFY bob\r\n": "bob",
            b"NOOP bob\r\n": None,
            b"WHAT c2VjcmV0\r\n": None,
        }
        self.assertEqual({line: Command(line).target for line in targets}, targets)

    def test_parameters(self) -> None:
        """Those of MAIL and RCPT."""
        command = Command(b"MAIL FROM:<a@b> size=300 BODY=8BITMIME SMTPUTF8\r\n")
        self.assertEqual(command.parameters, {"SIZE": "300", "BODY": "8BITMIME", "SMTPUTF8": ""})
        self.assertEqual(Command(b"NOOP\r\n").parameters, {})

    def test_nothing_secret(self) -> None:
        """Logs show the mechanism of AUTH, and nothing of its dialogue or of a content."""
        shown = Command(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n").log_fields()
        self.assertEqual(shown, {"verb": "AUTH", "target": "PLAIN"})
        self.assertEqual(Credentials().log_fields(), {"verb": "CREDENTIALS"})
        self.assertEqual(Content(True).log_fields(), {"verb": "CONTENT"})

    def test_reply(self) -> None:
        """The code, the enhanced code and the text."""
        replies = {
            b"450 4.7.1 later\r\n": ("450", "4.7.1", "later"),
            b"250-mx.example.org\r\n": ("250", "", "mx.example.org"),
            b"250\r\n": ("250", "", ""),
            b"421 4.3.x no\r\n": ("421", "", "4.3.x no"),
        }
        seen = {line: Reply(line) for line in replies}
        shown = {line: (each.status, each.enhanced, each.text) for line, each in seen.items()}
        self.assertEqual(shown, replies)


class ReaderTests(SynchronousTestCase):
    """Where lines, contents and chunks end."""

    def test_dot(self) -> None:
        """The content ends at the same byte, however it is split."""
        content = b"one\r\n..two\r\n.\n\r.\r\n\r\n.\r\n"
        for first in range(len(content)):
            for second in range(first, len(content)):
                pieces = (content[:first], content[first:second], content[second:] + b"NOOP\r\n")
                self.assertEqual(self._measured(pieces), (len(content), True), (first, second))

    def _measured(self, pieces: tuple[bytes, ...]) -> tuple[int, bool]:
        reader, inbox, total, ended = DotReader(), Inbox(), 0, False
        for piece in pieces:
            inbox.feed(piece)
            if not ended:
                size, ended = reader.measure(inbox)
                total += len(inbox.take(size))
        return total, ended

    def test_ambiguous(self) -> None:
        """A dot between bare LFs is noticed wherever the stream is split; dots in lines are not."""
        for content, expected in (
            (b"a\n.\nb", True),
            (b"a\n.\r\nb", True),
            (b".\nb", True),
            (b"a\n.b\n", False),
        ):
            for at in range(len(content) + 1):
                reader, inbox = DotReader(), Inbox()
                for piece in (content[:at], content[at:]):
                    inbox.feed(piece)
                    inbox.take(reader.measure(inbox)[0])
                self.assertEqual(reader.ambiguous, expected, (content, at))

    def test_chunk(self) -> None:
        """Size and LAST; what no server takes is no chunk."""
        sizes = {
            b"5": (5, False),
            b"0 last": (0, True),
            b"": None,
            b"x": None,
            b"5 LAST x": None,
            b"5 x": None,
        }
        self.assertEqual({text: chunk_of(text.split()) for text in sizes}, sizes)

    def test_long_line(self) -> None:
        """A line without end is given up."""
        inbox = Inbox()
        inbox.feed(b"x" * LINE_LIMIT)
        self.assertEqual(inbox.line_end(), 0)
        inbox.feed(b"x")
        self.assertRaises(FramingError, inbox.line_end)


class CatalogueTests(SynchronousTestCase):
    """The words of errors."""

    def test_codes_agree(self) -> None:
        """The enhanced code is of the same class as the reply code (RFC 2034)."""
        for name, entry in CATALOGUE.items():
            for verb in {"", *entry.verbs} if name != "custom" else ():
                line = words_of(name, verb, "")[0]
                reply = Reply(line)
                self.assertEqual(reply.status[0], reply.enhanced[0], line)
                self.assertTrue(reply.text)

    def test_custom(self) -> None:
        """A reply of the user's, checked; 421 and 521 close."""
        self.assertEqual(words_of("custom", "RCPT", "450 no"), (b"450 no\r\n", Then.KEEP))
        self.assertEqual(words_of("custom", "RCPT", "521 gone")[1], Then.CLOSE)
        for text in ("", "250 ok", "450", "450 a\r\nb", "450-more", "450 ü"):
            self.assertRaises(NotLegal, words_of, "custom", "RCPT", text)

    def test_connect_kinds(self) -> None:
        """What can be said before there is a server."""
        legal = Smtp().session().legal(Exchange(Connect()))
        self.assertEqual(legal, ["connect-unavailable", "connect-rejected"])

    def test_pair(self) -> None:
        """The Twisted pair serves this protocol."""
        factory = SmtpFactory("127.0.0.1:25", reactor=object())
        self.assertIsInstance(factory.proxy.protocol, Smtp)
        self.assertIsInstance(factory.buildProtocol(None), SmtpProtocol)
