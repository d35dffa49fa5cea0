"""Random memcache conversations, split at random; and what becomes of broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.memcache import Memcache
from txvaurien.test.memcache_samples import (
    DELETE,
    FLAGS,
    GET,
    GETKQ,
    GETQ,
    NOOP,
    SET,
    SETQ,
    STORE,
    ask,
    pipeline,
    tell,
    text_set,
    text_value,
)
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, collect, runs, split

#: A request, and what the server answers; nothing, if it was quiet.
Pair = tuple[bytes, bytes]

KEYS = st.binary(min_size=1, max_size=20).map(lambda raw: raw.hex().encode())
VALUES = st.one_of(st.binary(max_size=300), st.sampled_from([b"\r\n", b"END\r\n", b"VA 3\r\n", b"\x80" * 24]))

#: No time limit, which would say nothing on a busy machine; the same examples each time, and nothing on disk.
patient = settings(deadline=None, max_examples=200, derandomize=True, database=None)


def text_get(found: list[tuple[bytes, bytes]]) -> Pair:
    """A get of several keys, with any values."""
    keys = b" ".join(key for key, _ in found)
    return b"get %s\r\n" % keys, b"".join(text_value(*each) for each in found) + b"END\r\n"


def quiet_get(key: bytes, value: bytes, hit: bool) -> Pair:
    """A quiet meta get."""
    return b"mg %s v k q\r\n" % key, b"VA %d k%s\r\n%s\r\n" % (len(value), key, value) if hit else b""


def binary_get(key: bytes, value: bytes, hit: bool) -> Pair:
    """A quiet get of the binary protocol."""
    return ask(GETKQ, key), tell(GETKQ, value, key, FLAGS) if hit else b""


def binary_set(key: bytes, value: bytes, opaque: int) -> Pair:
    """A set of the binary protocol."""
    return ask(SET, key, value, STORE, opaque), tell(SET, opaque=opaque)


TEXT_PAIRS: st.SearchStrategy[Pair] = st.one_of(
    st.builds(lambda key, value: (text_set(key, value), b"STORED\r\n"), KEYS, VALUES),
    st.builds(lambda key, value: (text_set(key, value, b" noreply"), b""), KEYS, VALUES),
    st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=5).map(text_get),
    st.builds(quiet_get, KEYS, VALUES, st.booleans()),
    st.sampled_from([(b"mn\r\n", b"MN\r\n"), (b"incr a 1\r\n", b"17\r\n"), (b"what\r\n", b"ERROR\r\n")]),
    st.sampled_from([(b"stats\r\n", b"STAT a END\r\nEND\r\n"), (b"touch a 1\r\n", b"TOUCHED\r\n")]),
)

BINARY_PAIRS: st.SearchStrategy[Pair] = st.one_of(
    st.builds(binary_set, KEYS, VALUES, st.integers(0, 2**32 - 1)),
    st.builds(lambda key, value: (ask(SETQ, key, value, STORE), b""), KEYS, VALUES),
    st.builds(lambda key, value: (ask(GET, key), tell(GET, value, extras=FLAGS)), KEYS, VALUES),
    st.builds(binary_get, KEYS, VALUES, st.booleans()),
    st.builds(lambda key: (ask(GETQ, key, opaque=3), b""), KEYS),
    st.builds(lambda key: (ask(DELETE, key), tell(DELETE, b"Not found", status=1)), KEYS),
)


def conversations(pairs: st.SearchStrategy[Pair], last: Pair) -> st.SearchStrategy[list[Pair]]:
    """Conversations that end with `last`. No request comes twice: nobody could tell which one was silent."""
    different = st.lists(pairs, min_size=1, max_size=12, unique_by=lambda pair: pair[0])
    return different.map(lambda several: [*several, last])


CONVERSATIONS = st.one_of(
    conversations(TEXT_PAIRS, (b"version\r\n", b"VERSION 1.6.18\r\n")),
    conversations(BINARY_PAIRS, (ask(NOOP), tell(NOOP))),
)


class RandomTests(SynchronousTestCase):
    """Hypothesis finds the conversation."""

    @patient
    @given(CONVERSATIONS, st.randoms(use_true_random=False))
    def test_conversations(self, pairs: Sequence[Pair], random: Random) -> None:
        """Every reply is paired with its request, wherever the stream is split."""
        conversation = pipeline(*pairs)
        recorder = collect(Memcache().session(), split(conversation, lambda: random.randint(1, 40)))
        self.assertEqual((recorder.error, recorder.faults), ("", []))
        self.assertEqual([(seen.request, seen.reply) for seen in recorder.seen], list(pairs))
        self.assertEqual(recorder.forwarded, recorder.received)

    @patient
    @given(st.lists(st.tuples(st.sampled_from((TO_BACKEND, TO_CLIENT)), st.binary(max_size=200)), max_size=8))
    def test_garbage(self, stream: list[tuple[object, bytes]]) -> None:
        """Nothing but FramingError is raised, and no byte is lost."""
        self.whole(Recorder(Memcache().session()), stream)

    @patient
    @given(CONVERSATIONS, st.integers(0, 2000), st.binary(max_size=8), st.integers(0, 8))
    def test_mutated(self, pairs: Sequence[Pair], at: int, new: bytes, cut: int) -> None:
        """The same for a conversation with a few bytes of it replaced."""
        stream = [
            (way, data[: at % (len(data) + 1)] + new + data[at % (len(data) + 1) + cut :])
            for way, data in runs(pipeline(*pairs))
        ]
        self.whole(Recorder(Memcache().session()), stream)

    def whole(self, recorder: Recorder, stream: Sequence[tuple[object, bytes]]) -> None:
        """Play it, and look for each byte."""
        for direction in (TO_BACKEND, TO_CLIENT):
            for way, data in stream:
                if way is direction and data:
                    recorder.feed(direction, data)
        for direction in (TO_BACKEND, TO_CLIENT):
            there = recorder.yielded[direction] + recorder.session.rest(direction)
            received = recorder.received[direction]
            self.assertTrue(received.startswith(there) if recorder.error else received == there)
