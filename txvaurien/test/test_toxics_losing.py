"""The toxics that hold, lose or change what passes: pause, blackhole, corrupt."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.model import Ending
from txvaurien.options import build
from txvaurien.testing.toxics import PIECE, Bench
from txvaurien.toxics.base import HOLD_LIMIT
from txvaurien.toxics.blackhole import Blackhole
from txvaurien.toxics.corrupt import Corrupt
from txvaurien.toxics.pause import Pause


class PauseTests(SynchronousTestCase):
    """pause."""

    def test_holds(self) -> None:
        """Nothing passes, no timer runs; put back, everything comes in order."""
        bench = Bench(Pause())
        bench.says(b"abc")
        bench.says(b"def")
        bench.ends()
        bench.room()
        bench.stage.update(Pause())
        bench.clock.advance(86400.0)
        self.assertEqual((bench.out.pieces, bench.out.ended), ([], []))
        self.assertEqual(bench.clock.getDelayedCalls(), [])
        bench.stage.release()
        self.assertEqual([piece for _, piece in bench.out.pieces], [b"abc", b"def"])
        self.assertEqual(bench.out.ended, ["fin"])

    def test_bound(self) -> None:
        """It pushes back when it holds its limit, so nothing is lost however long it lasts."""
        bench = Bench(Pause())
        while not bench.stage.full:
            bench.says(bytes(PIECE))
        self.assertLessEqual(len(bench.sent), HOLD_LIMIT + PIECE)


class BlackholeTests(SynchronousTestCase):
    """blackhole."""

    def test_loses(self) -> None:
        """What passed meanwhile is gone for good; the source is read on."""
        bench = Bench(Blackhole())
        bench.out.full = True
        bench.says(b"abc")
        self.assertFalse(bench.stage.full)
        bench.stage.release()
        self.assertEqual((bench.out.pieces, bench.out.ended), ([], []))

    def test_end(self) -> None:
        """The end is held, and passed on when the toxic is taken away."""
        bench = Bench(Blackhole())
        bench.ends()
        bench.stage.end(Ending.CLOSE)
        bench.clock.advance(86400.0)
        self.assertEqual(bench.out.ended, [])
        bench.stage.release()
        self.assertEqual(bench.out.ended, ["fin", "close"])


class CorruptTests(SynchronousTestCase):
    """corrupt."""

    def hits(self, toxic: Corrupt, size: int, piece: int, seed: int = 1) -> list[int]:
        """Which bytes of so many zeros are changed."""
        bench = Bench(toxic, seed=seed)
        for start in range(0, size, piece):
            bench.says(bytes(min(piece, size - start)))
        received = bench.out.received
        self.assertEqual(len(received), size)
        return [at for at, byte in enumerate(received) if byte]

    def test_rate(self) -> None:
        """The share of bytes that change is what was asked for."""
        for rate, size in ((0.001, 2_000_000), (0.01, 1_000_000), (0.3, 200_000)):
            expected = rate * size
            spread = (expected * (1 - rate)) ** 0.5
            self.assertApproximates(len(self.hits(Corrupt(rate=rate), size, PIECE)), expected, 4 * spread)

    def test_everywhere(self) -> None:
        """No place is hit more than another: quarters, and neighbours, as chance has it."""
        hits = self.hits(Corrupt(rate=0.05), 400_000, 1000)
        for quarter in range(4):
            count = sum(quarter * 100_000 <= at < (quarter + 1) * 100_000 for at in hits)
            self.assertApproximates(count, 5000, 300)
        neighbours = sum(after - before == 1 for before, after in pairwise(hits))
        self.assertApproximates(neighbours, 1000, 130)

    def test_always_and_never(self) -> None:
        """At 1 each byte becomes another one, at 0 none does and no copy is made."""
        self.assertEqual(len(self.hits(Corrupt(rate=1.0), 10_000, 100)), 10_000)
        bench = Bench(Corrupt(rate=0.0))
        data = bytes(1000)
        bench.says(data)
        self.assertIs(bench.out.pieces[0][1], data)

    def test_values(self) -> None:
        """A byte that is hit may become any other."""
        bench = Bench(Corrupt(rate=1.0))
        bench.says(bytes(20_000))
        self.assertEqual(set(bench.out.received), set(range(1, 256)))

    def test_split(self) -> None:
        """How the stream is split makes no difference to what is hit, or to what it becomes."""
        data = Random(2).randbytes(30_000)
        received = []
        for piece in (1, 7, 1000, 30_000):
            bench = Bench(Corrupt(rate=0.01), seed=3)
            for start in range(0, len(data), piece):
                bench.says(data[start : start + piece])
            received.append(bench.out.received)
        self.assertEqual(len(set(received)), 1)
        self.assertNotEqual(received[0], data)

    def test_another_seed(self) -> None:
        """Another seed hits other bytes."""
        toxic = Corrupt(rate=0.01)
        self.assertNotEqual(self.hits(toxic, 10_000, 100), self.hits(toxic, 10_000, 100, seed=2))

    def test_draws_once_per_hit(self) -> None:
        """A tiny rate costs next to nothing: what is not hit is not drawn for."""

        class Counting(Random):
            drawn = 0

            def random(self) -> float:
                self.drawn += 1
                return super().random()

        draws = Counting(1)
        bench = Bench(Corrupt())
        stage = Corrupt(rate=0.0001).stage(bench.out, bench.clock, draws)
        for _ in range(100):
            stage.data(bytes(10_000))
        self.assertLess(draws.drawn, 1000)

    def test_smallest(self) -> None:
        """The smallest rate there is does no harm."""
        self.assertEqual(self.hits(Corrupt(rate=5e-324), 1000, 100), [])

    def test_change(self) -> None:
        """A change holds from the next byte on."""
        bench = Bench(Corrupt(rate=0.0))
        bench.says(bytes(100))
        bench.stage.update(Corrupt(rate=1.0))
        bench.says(bytes(100))
        bench.stage.update(Corrupt(rate=0.0))
        bench.says(bytes(100))
        self.assertEqual(
            [bool(byte) for byte in bench.out.received], [False] * 100 + [True] * 100 + [False] * 100
        )

    def test_refused(self) -> None:
        """A share is from 0 to 1."""
        for rate in (-0.1, 1.1, 50):
            self.assertRaises(ConfigError, build, Corrupt, {"rate": rate})
