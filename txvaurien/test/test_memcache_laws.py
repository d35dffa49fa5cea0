"""The laws that every session keeps, for both memcache protocols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.memcache import Memcache
from txvaurien.protocols.memcache.binary import BinaryDialect
from txvaurien.protocols.memcache.text import TextDialect
from txvaurien.test import memcache_samples as samples
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Recorder, SessionLaws


class MemcacheLaws(SessionLaws):
    """What the cases below share."""

    protocol: ClassVar[WireProtocol] = Memcache()
    answers: ClassVar[Mapping[bytes, bytes]] = {
        TextDialect.no_op: b"MN\r\n",
        BinaryDialect.no_op: b"\x81" + BinaryDialect.no_op[1:],
    }
    #: A binary key may be as long as 16 bits can say.
    held_limit: ClassVar[int] = 66_000
    draws: ClassVar[int] = 10
    #: An endless stream of requests is one that can be followed: a few beginnings will do.
    beginnings: ClassVar[Sequence[str]] = ("nothing",)

    def test_bounded(self) -> None:
        """A session that is fed without end never keeps more than `held_limit` bytes."""
        for name in self.beginnings:
            for unit in (b"A", b"1", b"\r\n", b"\0", b"\x80", b"get a "):
                for direction in (TO_BACKEND, TO_CLIENT):
                    recorder = Recorder(self.protocol.session()).play(self.conversations.get(name, ()))
                    self._flood(recorder, direction, unit, name)


class TextLaws(MemcacheLaws, SynchronousTestCase):
    """The text protocol, meta commands included."""

    conversations: ClassVar[Mapping[str, Conversation]] = samples.TEXT
    probe: ClassVar[Conversation] = samples.TEXT_PROBE


class QuietTextLaws(MemcacheLaws, SynchronousTestCase):
    """Meta commands that are answered only if there is something to say."""

    conversations: ClassVar[Mapping[str, Conversation]] = samples.TEXT_QUIET
    beginnings: ClassVar[Sequence[str]] = ("quiet meta without an end",)
    probe: ClassVar[Conversation] = samples.TEXT_PROBE

    def test_refusals_are_replies(self) -> None:
        """An error line is taken for the answer to the first quiet request that may have got it."""
        conversation = [(TO_BACKEND, b"mg a q\r\nmg b q\r\nmn\r\n"), (TO_CLIENT, b"SERVER_ERROR x\r\nMN\r\n")]
        recorder = Recorder(self.protocol.session()).play(conversation)
        self.assertEqual([seen.status for seen in recorder.seen], ["SERVER_ERROR", "", "MN"])


class BinaryLaws(MemcacheLaws, SynchronousTestCase):
    """The binary protocol."""

    conversations: ClassVar[Mapping[str, Conversation]] = samples.BINARY
    beginnings: ClassVar[Sequence[str]] = ("get", "quiet without an end")
    probe: ClassVar[Conversation] = samples.BINARY_PROBE


class EndsLaws(MemcacheLaws, SynchronousTestCase):
    """Streams that break off: there is nothing to be in step with afterwards."""

    conversations: ClassVar[Mapping[str, Conversation]] = {
        **{f"text: {name}": each for name, each in samples.TEXT_ENDS.items()},
        **{f"binary: {name}": each for name, each in samples.BINARY_ENDS.items()},
    }
    beginnings: ClassVar[Sequence[str]] = ("binary: large",)

    def _refusable(self, *, sent: bool) -> Iterator[tuple[str, Any, str]]:
        return iter(())
