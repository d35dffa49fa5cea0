"""What toxics share: the alarm, and the stage that holds."""

from __future__ import annotations

from typing import ClassVar

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Ending
from txvaurien.testing.toxics import Bench, Receiver
from txvaurien.toxics.alarm import NEVER, Alarm
from txvaurien.toxics.base import HOLD_LIMIT, PIECE_COST, HoldingStage, Out, Stage, Toxic


class LateStage(HoldingStage):
    """A second later, and then as much of a piece as is allowed."""

    __slots__ = ()

    toxic: Late

    def due(self, came: float, left: int) -> float:
        return came + self.toxic.seconds

    def portion(self, left: int) -> int:
        return min(left, self.toxic.most)


class Late(Toxic, frozen=True, kw_only=True):
    """Passes everything on later."""

    name: ClassVar[str] = "late"
    stages: ClassVar[type[Stage]] = LateStage

    seconds: float = 1.0
    most: int = 10**9


class Plain(Toxic, frozen=True, kw_only=True):
    """Does nothing."""

    name: ClassVar[str] = "plain"
    stages: ClassVar[type[Stage]] = Stage


class EchoingReceiver(Receiver):
    """Answers what it is given by having the source say more, in the midst of it."""

    bench: Bench

    def data(self, data: bytes) -> None:
        super().data(data)
        if len(self.bench.sent) < 5:
            self.bench.says(b"%d" % len(self.bench.sent))


class FillingReceiver(Receiver):
    """Is full after each piece."""

    def data(self, data: bytes) -> None:
        super().data(data)
        self.full = True


class CuttingReceiver(Receiver):
    """The link ends when something is passed on."""

    stage: Stage

    def data(self, data: bytes) -> None:
        super().data(data)
        self.stage.drop()


class AlarmTests(SynchronousTestCase):
    """One delayed call."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.rung: list[float] = []
        self.alarm = Alarm(self.clock, lambda: self.rung.append(self.clock.seconds()))

    def test_rings_once(self) -> None:
        """At the time that it is set to, and not again."""
        self.alarm.set(2.0)
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.rung, [2.0])

    def test_moved(self) -> None:
        """Set to another time it rings then, and not at the first."""
        for first, second in ((2.0, 4.0), (9.0, 7.0)):
            self.alarm.set(first)
            self.alarm.set(second)
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.rung, [7.0])

    def test_the_same_time(self) -> None:
        """Set to the time that it is set to already, it does not bother the reactor."""
        self.alarm.set(2.0)
        before = self.clock.getDelayedCalls()
        self.alarm.set(2.0)
        self.assertIs(self.clock.getDelayedCalls()[0], before[0])

    def test_stopped(self) -> None:
        """Stopped, or set to never, it leaves no call behind; it can be set again."""
        self.alarm.set(2.0)
        self.alarm.stop()
        self.alarm.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.alarm.set(2.0)
        self.alarm.set(NEVER)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.alarm.set(2.0)
        self.clock.advance(2.0)
        self.assertEqual(self.rung, [2.0])

    def test_rounding(self) -> None:
        """When it rings, the time that it was set to has come, whatever sums of floats say."""
        for now, due in ((2.29, 11.74), (2.19, 6.79), (1.77, 7.61)):
            clock = Clock()
            alarm = Alarm(clock, lambda: None)
            clock.advance(now)
            alarm.set(due)
            clock.advance(due - now)
            self.assertLess(clock.seconds(), due)
            self.assertEqual(clock.getDelayedCalls(), [])
            self.assertGreaterEqual(alarm.now(), due)


class PlainTests(SynchronousTestCase):
    """The base class of stages."""

    def test_passes_on(self) -> None:
        """Everything, at once, the same object."""
        bench = Bench(Plain())
        data = b"abc"
        bench.says(data)
        bench.ends()
        self.assertIs(bench.out.pieces[0][1], data)
        self.assertEqual(bench.out.ended, ["fin"])

    def test_full(self) -> None:
        """It is full when what comes after it is: a stage before it sees through it."""
        bench = Bench(Plain())
        self.assertFalse(bench.stage.full)
        bench.out.full = True
        self.assertTrue(bench.stage.full)


class HoldingTests(SynchronousTestCase):
    """A stage that holds."""

    def test_when_due(self) -> None:
        """Not before, in order, as it came; then no timer is left."""
        bench = Bench(Late())
        data = b"abc"
        bench.says(data)
        bench.clock.advance(0.5)
        bench.says(b"de")
        bench.ends()
        bench.clock.advance(0.4375)
        self.assertEqual(bench.out.pieces, [])
        bench.settle()
        self.assertEqual(bench.out.pieces, [(1.0, b"abc"), (1.5, b"de")])
        self.assertEqual(bench.out.endings, [(1.5, "fin")])
        self.assertIs(bench.out.pieces[0][1], data)
        self.assertEqual(bench.clock.getDelayedCalls(), [])

    def test_nothing_to_wait_for(self) -> None:
        """What is due at once goes at once, and no timer is made."""
        bench = Bench(Late(seconds=0.0))
        bench.says(b"abc")
        self.assertEqual(bench.out.received, b"abc")
        self.assertEqual(bench.clock.getDelayedCalls(), [])

    def test_one_timer(self) -> None:
        """However much is held, one timer runs; more data does not make another."""
        bench = Bench(Late())
        bench.says(b"a")
        call = bench.clock.getDelayedCalls()[0]
        for _ in range(100):
            bench.says(b"b")
        self.assertEqual(bench.clock.getDelayedCalls(), [call])

    def test_waits_for_room(self) -> None:
        """What is due and finds no room goes as soon as there is some, without a timer meanwhile."""
        bench = Bench(Late())
        bench.says(b"abc")
        bench.out.full = True
        bench.clock.advance(5.0)
        self.assertEqual((bench.out.received, bench.clock.getDelayedCalls()), (b"", []))
        bench.room()
        self.assertEqual(bench.out.pieces, [(5.0, b"abc")])

    def test_room_too_early(self) -> None:
        """Room alone lets nothing go that is not due."""
        bench = Bench(Late())
        bench.out.full = True
        bench.says(b"abc")
        bench.room()
        self.assertEqual(bench.out.received, b"")
        bench.settle()
        self.assertEqual(bench.out.pieces, [(1.0, b"abc")])

    def test_stops_when_full(self) -> None:
        """It stops after the portion that fills what comes after it."""
        bench = Bench(Late(most=2))
        bench.out = bench.stage.out = FillingReceiver(bench.clock)
        bench.says(b"abcde")
        bench.clock.advance(1.0)
        self.assertEqual(bench.out.received, b"ab")
        bench.room()
        bench.room()
        self.assertEqual(bench.out.received, b"abcde")

    def test_portions(self) -> None:
        """A piece may go in parts, and never together with the one after it."""
        bench = Bench(Late(most=2))
        bench.says(b"abcde")
        bench.says(b"fg")
        bench.settle()
        self.assertEqual([piece for _, piece in bench.out.pieces], [b"ab", b"cd", b"e", b"fg"])

    def test_release_of_a_rest(self) -> None:
        """Of a piece that has gone in part, the rest is let go, in one."""
        bench = Bench(Late(most=2))
        bench.out = bench.stage.out = FillingReceiver(bench.clock)
        bench.says(b"abcde")
        bench.says(b"fg")
        bench.clock.advance(1.0)
        bench.stage.release()
        self.assertEqual([piece for _, piece in bench.out.pieces], [b"ab", b"cde", b"fg"])

    def test_more_comes_meanwhile(self) -> None:
        """Bytes that come while others are passed on go after them, released or not."""
        for release in (False, True):
            bench = Bench(Late(seconds=1.0 if release else 0.0))
            receiver = EchoingReceiver(bench.clock)
            receiver.bench = bench
            bench.out = bench.stage.out = receiver
            bench.says(b"x")
            if release:
                bench.stage.release()
            self.assertEqual(bench.out.received, b"x1234")
            self.assertEqual(bench.clock.getDelayedCalls(), [])

    def test_gone_meanwhile(self) -> None:
        """The link may end when something is passed on: nothing more is, and no timer is left."""
        for release in (False, True):
            bench = Bench(Late())
            receiver = CuttingReceiver(bench.clock)
            receiver.stage = bench.stage
            bench.out = bench.stage.out = receiver
            bench.says(b"abc")
            bench.says(b"def")
            if release:
                bench.stage.release()
            bench.clock.advance(2.0)
            self.assertEqual((bench.out.received, bench.clock.getDelayedCalls()), (b"abc", []))

    def test_limit(self) -> None:
        """It pushes back beyond its limit, until half of that is gone; tiny pieces count for more."""
        bench = Bench(Late())
        half = HOLD_LIMIT // 2 - PIECE_COST
        bench.says(bytes(half))
        bench.clock.advance(0.5)
        bench.says(bytes(half))
        self.assertFalse(bench.stage.full)
        bench.says(b"x")
        self.assertTrue(bench.stage.full)
        bench.clock.advance(0.5)
        self.assertTrue(bench.stage.full)
        bench.clock.advance(0.5)
        self.assertFalse(bench.stage.full)

    def test_tiny_pieces(self) -> None:
        """A flood of single bytes is bounded by the memory that it takes, not by its bytes."""
        bench = Bench(Late())
        while not bench.stage.full:
            bench.says(b"x")
        self.assertLess(len(bench.sent), HOLD_LIMIT // 100)

    def test_late_timer(self) -> None:
        """A timer that comes late passes on all that was due by then."""
        bench = Bench(Late())
        for _ in range(3):
            bench.says(b"a")
            bench.clock.advance(0.25)
        bench.clock.advance(10.0)
        self.assertEqual(bench.out.received, b"aaa")

    def test_endings_in_order(self) -> None:
        """FIN, and what closes the link after it."""
        bench = Bench(Late())
        bench.stage.end(Ending.FIN)
        bench.clock.advance(0.5)
        bench.stage.end(Ending.RESET)
        bench.settle()
        self.assertEqual(bench.out.endings, [(1.0, "fin"), (1.5, "reset")])


class OutTests(SynchronousTestCase):
    """The type of what comes after a stage."""

    def test_receiver_is_one(self) -> None:
        """The receiver of the bench can stand there."""
        out: Out = Receiver(Clock())
        self.assertFalse(out.full)
