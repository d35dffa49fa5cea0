"""Messages that arrive whole are read in a shorter way, which must not be seen."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.memcache import Memcache
from txvaurien.test.memcache_samples import (
    FLAGS,
    GET,
    GETK,
    GETQ,
    NOOP,
    SET,
    STAT,
    STORE,
    TRICKY,
    ask,
    tell,
    text_set,
    text_value,
)
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Step, frames_of, split

#: The same examples in every run.
steady = settings(max_examples=1000, deadline=None, derandomize=True, database=None)

HIT = text_value(b"a", b"hello")

ASKED = st.sampled_from(
    [
        b"get a\r\n",
        b"get a b\n",
        b" get a\r\n",
        b"gat 0 a\r\n",
        b"mg a v\r\n",
        b"mg a v q\r\n",
        b"mn\r\n",
        b"ms a 5\r\nhello\r\n",
        b"incr a 1\r\n",
        b"incr a 1 noreply\r\n",
        b"stats\r\n",
        b"watch\r\n",
        b"what is this\r\n",
        b"\r\n",
        b"set a 0 0 5\r\nhello\r\n",
        b"set a 0 0 5 noreply\r\nhello\r\n",
        b"set a 0 -1 5\r\nhello\r\n",
        b"set a 0 0 5\nhello\r\n",
        b"set a x 0 5\r\n",
        b"set a 0 0 9999999999\r\n",
        b"set " + b"k" * 251 + b" 0 0 5\r\n",
        b"set  a 0 0 5\r\nhello\r\n",
        b"cas a 0 0 5\r\n",
        b"cas a 0 0 5 1\r\nhello\r\n",
        text_set(b"a", TRICKY),
        ask(GET, b"a"),
        ask(GETQ, b"a", opaque=7),
        ask(GETK, b"a"),
        ask(SET, b"a", b"hello", STORE),
        ask(STAT),
        ask(NOOP),
    ]
)
SAID = st.sampled_from(
    [
        HIT + b"END\r\n",
        HIT + HIT + b"END\r\n",
        HIT + text_value(b"b", TRICKY, b" 17") + b"END\r\n",
        HIT + b"EN\r\n",
        HIT,
        b"VALUE a 0\r\nEND\r\n",
        b"VALUE a 0 5\r\nEND\r\n",
        b"VALUE a 0 99\r\nhello\r\nEND\r\n",
        b"END\r\n",
        b"VA 5\r\nhello\r\n",
        b"VA 5 Oq\r\nhello\r\n",
        b"HD\r\n",
        b"EN\r\n",
        b"MN\r\n",
        b"STORED\r\n",
        b"17\r\n",
        b"STAT a END\r\nEND\r\n",
        b"OK\r\n",
        b"ERROR\r\n",
        b"SERVER_ERROR out of memory\r\n",
        tell(GET, b"hello", extras=FLAGS),
        tell(GETK, b"hello", b"a", FLAGS),
        tell(GETQ, b"hello", extras=FLAGS, opaque=7),
        tell(SET),
        tell(STAT, b"1", b"pid"),
        tell(STAT),
        tell(NOOP),
    ]
)
#: What fits together, so that conversations go on after it.
TALKS: list[list[Step]] = [
    [(TO_BACKEND, b"get a\r\n"), (TO_CLIENT, HIT + b"END\r\n")],
    [(TO_BACKEND, b"mg a v q\r\nmn\r\n"), (TO_CLIENT, b"VA 5\r\nhello\r\n"), (TO_CLIENT, b"MN\r\n")],
    [(TO_BACKEND, b"mg a v q\r\nmn\r\n"), (TO_CLIENT, b"MN\r\n")],
    [(TO_BACKEND, b"stats\r\n"), (TO_CLIENT, b"STAT a END\r\n"), (TO_CLIENT, b"END\r\n")],
    [(TO_BACKEND, ask(STAT)), (TO_CLIENT, tell(STAT, b"1", b"pid")), (TO_CLIENT, tell(STAT))],
    [(TO_BACKEND, ask(GETQ, b"a", opaque=7) + ask(NOOP)), (TO_CLIENT, tell(NOOP))],
    [(TO_BACKEND, ask(GETK, b"a")), (TO_CLIENT, tell(GETK, b"hello", b"a", FLAGS))],
]
STEPS = st.lists(
    st.one_of(
        st.sampled_from(TALKS),
        st.tuples(st.just(TO_BACKEND), ASKED).map(lambda step: [step]),
        st.tuples(st.just(TO_CLIENT), SAID).map(lambda step: [step]),
    ),
    max_size=5,
).map(lambda talks: [step for talk in talks for step in talk])


class WholeTests(SynchronousTestCase):
    """Whole messages, and the same ones byte by byte."""

    def same(self, steps: list[Step]) -> Recorder:
        """What is seen of it in both ways."""
        whole = Recorder(Memcache().session()).play(steps)
        # Neighbouring steps are not joined, so that both sessions meet an error at the same one.
        pieces = Recorder(Memcache().session())
        for step in steps:
            pieces.play(split([step], lambda: 1))
        self.assertEqual((whole.error, whole.faults, pieces.faults), (pieces.error, [], []))
        self.assertEqual([each.summary() for each in whole.seen], [each.summary() for each in pieces.seen])
        self.assertEqual(whole.yielded, pieces.yielded)
        return whole

    @steady
    @given(STEPS)
    def test_same(self, steps: list[Step]) -> None:
        """The same exchanges, bytes and errors, whatever is answered with what."""
        self.same(steps)

    def test_cas_without_its_number(self) -> None:
        """A `cas` that has the words of a `set` has no data: what follows is the next command."""
        seen = self.same([(TO_BACKEND, b"cas a 0 0 5\r\n"), (TO_BACKEND, b"hello\r\n")]).seen
        self.assertEqual([each.verb for each in seen], ["CAS", "UNKNOWN"])

    def test_one_frame(self) -> None:
        """A message that arrives whole is one frame, and the bytes are those that came."""
        conversations = [
            (b"get a\r\n", HIT + b"END\r\n"),
            (text_set(b"a", TRICKY), b"STORED\r\n"),
            (b"mg a v\r\n", b"VA 5\r\nhello\r\n"),
            (b"get a b\r\n", HIT + HIT + b"END\r\n"),
        ]
        session = Memcache().session()
        for asked, said in conversations:
            for direction, data in ((TO_BACKEND, asked), (TO_CLIENT, said)):
                frames = frames_of(session, direction, data)
                self.assertEqual([(frame.first, frame.last) for frame in frames], [(True, True)])
                self.assertIs(frames[0].raw, data)

    def test_watched(self) -> None:
        """What follows the answer to `watch` is a log, and taken for nothing else."""
        steps: list[Step] = [(TO_BACKEND, b"watch\r\n"), (TO_CLIENT, b"OK\r\n")]
        self.assertEqual(self.same(steps[:1]).error, "")
        self.assertIn("log", self.same(steps).error)
        refused: list[Step] = [steps[0], (TO_CLIENT, b"ERROR\r\n"), *steps[:1], (TO_CLIENT, b"ERROR\r\n")]
        self.assertEqual(self.same(refused).error, "")

    def test_nudged(self) -> None:
        """The answer to a no-op of the proxy's is kept from the client, though it comes alone."""
        for before in (b"", b"VA 5\r\nhello\r\n"):
            session = Memcache().session()
            frames_of(session, TO_BACKEND, b"mg a v q\r\n")
            exchange = frames_of(session, TO_BACKEND, b"get b\r\n")[0].exchange
            assert exchange is not None
            self.assertEqual(session.withdraw(exchange), b"mn\r\n")
            frames_of(session, TO_CLIENT, before)
            frame = frames_of(session, TO_CLIENT, b"MN\r\n")[-1]
            self.assertEqual((frame.raw, frame.forward, frame.exchange), (b"MN\r\n", b"", None))
