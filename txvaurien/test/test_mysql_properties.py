"""Random conversations, split at random, and random garbage, for the MySQL session."""

from __future__ import annotations

import zlib
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Direction
from txvaurien.protocols.mysql import MySQL, wire
from txvaurien.protocols.mysql.sql import first_word, table
from txvaurien.test import mysql_samples as samples
from txvaurien.testing import Recorder, Step, collect, runs, split

_VALUES = st.one_of(st.binary(max_size=20), st.binary(min_size=4090, max_size=4200)).map(bytes)


@st.composite
def _turns(draw: st.DrawFn, modern: bool) -> list[Step]:
    """A command and its answer."""
    kind = draw(st.sampled_from(["rows", "ok", "err", "ping", "close", "several", "prepared"]))
    if kind == "ok":
        return [samples.up(samples.query("INSERT INTO t VALUES (1)")), samples.down(samples.ok())]
    if kind == "err":
        return [samples.up(samples.query("SELEKT")), samples.down(samples.err())]
    if kind == "ping":
        return list(samples.PING)
    if kind == "close":
        return [samples.up(b"\x19\7\0\0\0")]
    if kind == "prepared":
        ends = [] if modern else [samples.eof()]
        defined = [samples.PREPARED, samples.column(), samples.column(), *ends, samples.column(), *ends]
        return [samples.up(samples.PREPARE), samples.down(*defined)]
    count = 1 if kind == "rows" else draw(st.integers(2, 3))
    payloads: list[bytes] = []
    for number in range(count):
        status = wire.STATUS_AUTOCOMMIT | (wire.STATUS_MORE_RESULTS if number < count - 1 else 0)
        values = [_value(value) for value in draw(st.lists(_VALUES, max_size=4))]
        if modern:
            payloads += [b"\1", samples.column(), *values, samples.ok(status, header=0xFE)]
        else:
            payloads += [b"\1", samples.column(), samples.eof(), *values, samples.eof(status)]
    return [samples.up(samples.query("SELECT a FROM t")), samples.down(*payloads)]


def _value(value: bytes) -> bytes:
    """A row of one text."""
    if len(value) < 0xFB:
        return bytes((len(value),)) + value
    return b"\xfc" + len(value).to_bytes(2, "little") + value


@st.composite
def _conversations(draw: st.DrawFn) -> list[Step]:
    """A log-in and commands, in one of the ways that client and server can agree on."""
    modern, compressed = draw(st.booleans()), draw(st.booleans())
    turns = [step for turn in draw(st.lists(_turns(modern), max_size=6)) for step in turn]
    capabilities = samples.MODERN if modern else samples.PLAIN
    if not compressed:
        return [*samples.opened(capabilities), *turns]
    stored = draw(st.booleans())
    return [
        *samples.opened(capabilities | wire.CLIENT_COMPRESS),
        *(step for each in turns for step in samples.squeezed([each], plain=stored)),
    ]


class SplitTests(SynchronousTestCase):
    """Any valid conversation, however it is cut up."""

    @settings(max_examples=150, deadline=None)
    @given(conversation=_conversations(), seed=st.integers(0, 2**32))
    def test_split(self, conversation: list[Step], seed: int) -> None:
        """The same exchanges, and not a byte lost or changed."""
        random = Random(seed)
        # Neighbouring steps of one direction are joined: commands are pipelined.
        expected = collect(MySQL().session(), runs(conversation))
        self.assertEqual((expected.error, expected.faults), ("", []))
        recorder = collect(MySQL().session(), split(conversation, lambda: random.choice((1, 3, 50, 5000))))
        self.assertEqual((recorder.error, recorder.faults), ("", []))
        self.assertEqual(
            [each.summary() for each in recorder.seen], [each.summary() for each in expected.seen]
        )
        for direction in Direction:
            said = b"".join(data for way, data in conversation if way is direction)
            self.assertEqual(bytes(recorder.yielded[direction]), said)

    @settings(max_examples=150, deadline=None)
    @given(conversation=_conversations(), seed=st.integers(0, 2**32))
    def test_refused(self, conversation: list[Step], seed: int) -> None:
        """Whatever is refused on the way, what the session says is bounded and raises nothing else."""
        random = Random(seed)
        recorder = Recorder(MySQL().session())
        for direction, data in conversation:
            recorder.feed(direction, data)
            for seen in recorder.seen[-1:]:
                kinds = recorder.session.legal(seen.exchange)
                if kinds and not recorder.error:
                    refusal = recorder.session.refuse(seen.exchange, random.choice(list(kinds)))
                    self.assertLess(len(refusal.to_client), 2000)


class GarbageTests(SynchronousTestCase):
    """Anything at all."""

    @settings(max_examples=200, deadline=None)
    @given(
        conversation=_conversations(),
        garbage=st.lists(st.tuples(st.sampled_from(list(Direction)), st.binary(min_size=1, max_size=300))),
    )
    def test_garbage(self, conversation: list[Step], garbage: list[Step]) -> None:
        """After a valid conversation, too, only FramingError is raised, and not a byte is lost."""
        recorder = collect(MySQL().session(), [*conversation, *garbage])
        for direction in Direction:
            rest = recorder.session.rest(direction)
            received, yielded = recorder.received[direction], recorder.yielded[direction]
            self.assertTrue(received.startswith(yielded + rest))
            if not recorder.error:
                self.assertEqual(len(yielded + rest), len(received))

    @settings(max_examples=200, deadline=None)
    @given(body=st.binary(max_size=300), before=st.integers(0, 1000), squeeze=st.booleans())
    def test_compressed_garbage(self, body: bytes, before: int, squeeze: bool) -> None:
        """Broken packets of the compressed protocol are told as such."""
        if squeeze:
            body = zlib.compress(body)
        opened = samples.opened(samples.PLAIN | wire.CLIENT_COMPRESS)
        raw = len(body).to_bytes(3, "little") + b"\0" + before.to_bytes(3, "little") + body
        collect(MySQL().session(), [*opened, (Direction.TO_BACKEND, raw)])

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=200), st.sampled_from([b"", b"SELECT a FROM ", b"/*", b"INSERT INTO `"]))
    def test_statements(self, text: bytes, before: bytes) -> None:
        """A glance at any text gives a word and a table, or none."""
        self.assertTrue(first_word(before + text).isascii())
        table(before + text)
