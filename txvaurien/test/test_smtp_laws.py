"""The laws of sessions, for SMTP and for SMTP without STARTTLS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.smtp import Smtp
from txvaurien.test.smtp_samples import CONVERSATIONS, TO_BACKEND, TO_CLIENT
from txvaurien.testing import Conversation, SessionLaws, collect


class SmtpLaws(SessionLaws, SynchronousTestCase):
    """SMTP as it comes."""

    protocol: ClassVar[WireProtocol] = Smtp()
    conversations: ClassVar[Mapping[str, Conversation]] = CONVERSATIONS
    probe: ClassVar[Conversation] = ((TO_BACKEND, b"NOOP\r\n"), (TO_CLIENT, b"250 2.0.0 Ok\r\n"))
    answers: ClassVar[Mapping[bytes, bytes]] = {
        b"RSET\r\n": b"250 2.0.0 Ok\r\n",
        b"*\r\n": b"501 5.7.0 Authentication aborted\r\n",
    }
    texts: ClassVar[Mapping[str, str]] = {"custom": "450 4.7.25 no PTR record"}

    def _refusable(self, *, sent: bool) -> Iterator[Any]:
        # A chunk follows a refused BDAT at once, and the rest of a content a refused content, which the
        # laws do not send: see test_smtp_link.
        for name, scene, kind in super()._refusable(sent=sent):
            if scene.seen.verb != "BDAT" and name != "cut in the content":
                yield name, scene, kind


class StrippedLaws(SmtpLaws):
    """The same where replies to EHLO are edited."""

    draws: ClassVar[int] = 5

    protocol: ClassVar[WireProtocol] = Smtp(starttls="strip")

    def test_frames(self) -> None:
        """The offer, and nothing else, is missing in what the client gets."""
        for name, conversation in self.conversations.items():
            if any(step[1].startswith(b"250-mx") for step in conversation):
                recorder = collect(self.protocol.session(), conversation)
                received = bytes(recorder.received[TO_CLIENT])
                expected = received.replace(b"250-STARTTLS\r\n", b"")
                self.assertEqual(bytes(recorder.forwarded[TO_CLIENT]), expected, name)
