"""Helpers for people who write toxics: a bench to try a stage on, and the laws that every toxic keeps.

A test case inherits the laws by listing examples::

    class ShuffleTests(ToxicLaws, SynchronousTestCase):
        examples = (Shuffle(), Shuffle(window=10))
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txvaurien.interfaces import IStage, IStageOut, IToxic
from txvaurien.model import Ending
from txvaurien.testing.declared import OptionLaws
from txvaurien.toxics.base import HOLD_LIMIT, Toxic

#: How a reading of a busy connection looks, in bytes.
PIECE = 64 * 1024

#: One step of a schedule: what is done to a stage, and how much of it. See `Bench.do`.
Act = tuple[str, int]

#: What a schedule is drawn from, and the most that is drawn with each.
ACTS: dict[str, int] = {"data": 3000, "advance": 5000, "stuff": 0, "room": 0, "update": 7}


@implementer(IStageOut)
class Receiver:
    """What comes after a stage: it notes what it is given, and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        #: Set by the test: it takes no more for now.
        self.full = False
        #: Each piece of bytes with the time at which it came.
        self.pieces: list[tuple[float, bytes]] = []
        #: ``fin``, ``close`` and ``reset`` as they were passed on, and with them ``cut`` and ``broken``
        #: where the stage itself has closed or reset the link.
        self.endings: list[tuple[float, str]] = []
        #: What came after an ending.
        self.late: list[bytes] = []

    @property
    def received(self) -> bytes:
        """All bytes."""
        return b"".join(piece for _, piece in self.pieces)

    @property
    def ended(self) -> list[str]:
        """The endings without their times."""
        return [name for _, name in self.endings]

    @property
    def over(self) -> bool:
        """Whether the stage has ended the link."""
        return bool({"cut", "broken"} & set(self.ended))

    def data(self, data: bytes) -> None:
        """Bytes are passed on."""
        if self.endings:
            self.late.append(data)
        self.pieces.append((self.clock.seconds(), data))

    def end(self, ending: Ending) -> None:
        """The end is passed on."""
        self.endings.append((self.clock.seconds(), ending.value))

    def close(self) -> None:
        """The stage closes the link."""
        self.endings.append((self.clock.seconds(), "cut"))

    def reset(self) -> None:
        """The stage resets the link."""
        self.endings.append((self.clock.seconds(), "broken"))


class Bench:
    """A stage between a source and a `Receiver`, on a clock that stands until it is moved."""

    def __init__(self, *toxics: Toxic, seed: int = 1) -> None:
        #: The stage is of the first; `update` goes through the others.
        self.toxics = toxics
        self.clock = Clock()
        self.out = Receiver(self.clock)
        #: What the source has said.
        self.sent = bytearray()
        self._bytes = Random(seed)
        self.ended = False
        self.stage = toxics[0].stage(self.out, self.clock, Random(seed))

    def says(self, data: bytes) -> None:
        """The source says something, unless the link is over."""
        if data and not (self.ended or self.out.over):
            self.sent += data
            self.stage.data(data)

    def ends(self, ending: Ending = Ending.FIN) -> None:
        """The source ends."""
        if not (self.ended or self.out.over):
            self.ended = True
            self.stage.end(ending)

    def room(self) -> None:
        """What comes after has room again."""
        self.out.full = False
        self.stage.room()

    def settle(self, most: float = 10 * 86400.0) -> None:
        """Let the time pass in which something happens, at most so many seconds."""
        until = self.clock.seconds() + most
        while calls := self.clock.getDelayedCalls():
            following = min(call.getTime() for call in calls)
            if following > until:
                break
            self.clock.advance(max(0.0, following - self.clock.seconds()))

    def do(self, act: Act) -> None:
        """One step of a schedule.

        ``data``: the source says so many bytes, if the stage lets it; ``advance``: so many
        milliseconds pass; ``stuff`` and ``room``: what comes after is full, or no longer;
        ``update``: other options.
        """
        what, amount = act
        if what == "data" and not self.stage.full:
            self.says(self._bytes.randbytes(amount))
        elif what == "advance":
            self.clock.advance(amount / 1000)
        elif what == "stuff":
            self.out.full = True
        elif what == "room":
            self.room()
        elif what == "update" and not self.out.over:
            self.stage.update(self.toxics[amount % len(self.toxics)])


def schedule(draws: Random, steps: int) -> list[Act]:
    """A random schedule for `Bench.do`."""
    names = draws.choices(list(ACTS), weights=(5, 5, 1, 1, 1), k=steps)
    return [(name, draws.randint(0, ACTS[name])) for name in names]


def within(part: bytes, whole: bytes) -> bool:
    """Whether all of `part` is in `whole`, in this order, with gaps anywhere."""
    rest = iter(whole)
    return all(byte in rest for byte in part)


class ToxicLaws(OptionLaws):
    """A subclass lists `examples`: instances of one class with options that are not all defaults."""

    examples: ClassVar[Sequence[Toxic]]
    #: Losing bytes is its job.
    loses: ClassVar[bool] = False
    #: Changing bytes is its job. Their number stays.
    alters: ClassVar[bool] = False
    #: It holds what it was given, or the end of it, until it is taken away.
    keeps: ClassVar[bool] = False
    #: What it may take before it pushes back, in bytes of memory.
    held_limit: ClassVar[int] = HOLD_LIMIT
    #: How many random schedules are tried with each example.
    draws: ClassVar[int] = 30

    def test_interfaces(self) -> None:
        """It keeps to IToxic and its stages to IStage."""
        for example in self.examples:
            verifyObject(IToxic, example)
            bench = Bench(example)
            verifyObject(IStage, bench.stage)
            verifyObject(IStageOut, bench.out)

    def test_release(self) -> None:
        """Taken away, it passes on all that it holds, once and in order, and at once."""
        for example in self.examples:
            for full in (False, True):
                bench = self._busy(example)
                bench.out.full = full
                bench.stage.release()
                self.check_stream(bench)
                self._check_ended(bench)
                self._check_quiet(bench)

    def test_drop(self) -> None:
        """When the link is gone nothing is passed on any more, and no timer runs."""
        for example in self.examples:
            bench = self._busy(example)
            passed, endings = bench.out.received, bench.out.ended
            bench.stage.drop()
            self._check_quiet(bench)
            bench.clock.advance(1e6)
            self.assertEqual((bench.out.received, bench.out.ended), (passed, endings), example)

    def test_end(self) -> None:
        """The end comes after all that came before it, whichever it is."""
        for example in self.examples:
            for ending in Ending:
                bench = self._busy(example, ending)
                bench.settle()
                if self.keeps:
                    bench.stage.release()
                self.check_stream(bench)
                self._check_ended(bench, ending)
                bench.stage.drop()
                self._check_quiet(bench)

    def test_close_after_fin(self) -> None:
        """The link may be closed when one side has ended already: both are passed on, in order."""
        for example in self.examples:
            bench = self._busy(example)
            if not bench.out.over:
                bench.stage.end(Ending.CLOSE)
            bench.settle()
            if not bench.out.over:
                bench.stage.release()
            if not bench.out.over:
                self.assertEqual(bench.out.ended, ["fin", "close"], example)
            self.check_stream(bench)

    def test_back_pressure(self) -> None:
        """While nothing can be passed on, it holds no more than its limit and what it was given last."""
        piece = bytes(PIECE)
        for example in self.examples:
            bench = Bench(example)
            bench.out.full = True
            for _ in range(2 * self.held_limit // PIECE + 2):
                if not bench.stage.full and not bench.out.over:
                    bench.stage.data(piece)
            before = len(bench.out.received)
            bench.stage.release()
            self.assertLessEqual(len(bench.out.received) - before, self.held_limit + PIECE, example)
            self._check_quiet(bench)

    def test_same_seed(self) -> None:
        """The same seed and the same traffic: the same bytes at the same times."""
        for example in self.examples:
            acts = schedule(Random(7), 100)
            benches = [Bench(example, seed=7) for _ in range(2)]
            for bench in benches:
                for act in acts:
                    bench.do(act)
                bench.settle()
            first, second = (bench.out for bench in benches)
            for one, other in zip(first.pieces, second.pieces, strict=False):
                self.assertEqual(one, other, example)
            self.assertEqual(len(first.pieces), len(second.pieces), example)
            self.assertEqual(first.endings, second.endings, example)

    def test_random_schedules(self) -> None:
        """Whatever happens and in which order, no byte is lost, repeated or out of order."""
        for number in range(len(self.examples)):
            others = [*self.examples[number:], *self.examples[:number]]
            for seed in range(self.draws):
                draws = Random(seed)
                self.check_schedule(others, schedule(draws, draws.randint(1, 60)), seed)

    def check_schedule(self, toxics: Sequence[Toxic], acts: Sequence[Act], seed: int = 1) -> None:
        """Take a stage of the first toxic through a schedule, then end it, take it away and see."""
        bench = Bench(*toxics, seed=seed)
        for act in acts:
            bench.do(act)
            self.check_stream(bench, done=False)
        bench.ends()
        if not bench.out.over:
            bench.stage.release()
        self.check_stream(bench)
        self._check_ended(bench)
        self._check_quiet(bench)

    def check_stream(self, bench: Bench, done: bool = True) -> None:
        """What was received is what was sent; up to here, unless `done`."""
        sent, received = bytes(bench.sent), bench.out.received
        about = bench.toxics
        self.assertNotIn(b"", [piece for _, piece in bench.out.pieces], about)
        self.assertEqual(bench.out.late, [], about)
        if self.loses:
            self.assertTrue(not done or within(received, sent), about)
            return
        self.assertLessEqual(len(received), len(sent), about)
        if not self.alters:
            self.assertTrue(sent.startswith(received), about)
        if done:
            self.assertEqual(len(received), len(sent), about)

    def _busy(self, example: Toxic, ending: Ending = Ending.FIN) -> Bench:
        """A stage in the middle of something, with the end behind it."""
        bench = Bench(example)
        for size in (1, 1000, 70_000, 3):
            bench.says(Random(size).randbytes(size))
            bench.clock.advance(0.001)
        bench.ends(ending)
        return bench

    def _check_ended(self, bench: Bench, ending: Ending = Ending.FIN) -> None:
        """It has ended as the source has, or as the toxic does it; once."""
        allowed = ([ending.value], ["cut"], ["broken"], [ending.value, "cut"])
        self.assertIn(bench.out.ended, allowed, bench.toxics)

    def _check_quiet(self, bench: Bench) -> None:
        self.assertEqual(bench.clock.getDelayedCalls(), [], bench.toxics)
