"""latency, and the waits that it shares with the behavior delay."""

from __future__ import annotations

import random
import statistics

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.errors import ConfigError
from txvaurien.model import Ending
from txvaurien.options import DAY, build
from txvaurien.planning.distributions import draw_wait
from txvaurien.testing.toxics import PIECE, Bench
from txvaurien.toxics.base import HOLD_LIMIT
from txvaurien.toxics.latency import Latency


class WaitTests(SynchronousTestCase):
    """How long a piece waits."""

    def waits(self, toxic: Latency) -> list[float]:
        """Many waits, drawn with a seed."""
        draws = random.Random(1)
        return [toxic.wait(draws) for _ in range(20_000)]

    def test_milliseconds(self) -> None:
        """The options are in milliseconds; without jitter nothing is drawn."""
        draws = random.Random(1)
        self.assertEqual(Latency(latency=250).wait(draws), 0.25)
        self.assertEqual(draws.random(), random.Random(1).random())

    def test_uniform(self) -> None:
        """From latency - jitter to latency + jitter, evenly."""
        waits = self.waits(Latency(latency=1000, jitter=500))
        self.assertTrue(0.5 <= min(waits) < 0.51 and 1.49 < max(waits) <= 1.5)
        self.assertApproximates(statistics.fmean(waits), 1.0, 0.01)
        self.assertApproximates(statistics.pstdev(waits), 1.0 / 12**0.5, 0.01)

    def test_normal(self) -> None:
        """Jitter is the standard deviation."""
        waits = self.waits(Latency(latency=10_000, jitter=500, distribution="normal"))
        self.assertApproximates(statistics.fmean(waits), 10.0, 0.02)
        self.assertApproximates(statistics.stdev(waits), 0.5, 0.02)

    def test_pareto(self) -> None:
        """Never less than latency, on average jitter more, sometimes very much more."""
        waits = self.waits(Latency(latency=1000, jitter=500, distribution="pareto"))
        self.assertGreaterEqual(min(waits), 1.0)
        self.assertApproximates(statistics.fmean(waits), 1.5, 0.05)
        self.assertGreater(max(waits), 5.0)

    def test_bounds(self) -> None:
        """From nothing to a day."""
        self.assertEqual(min(self.waits(Latency(latency=100, jitter=1000))), 0.0)
        self.assertEqual(draw_wait(random.Random(1), DAY, DAY, "pareto"), DAY)

    def test_as_the_behavior(self) -> None:
        """The same draws make the same waits as with the behavior delay."""
        behavior = Delay(sleep=1.0, jitter=0.5, distribution="normal")
        toxic = Latency(latency=1000, jitter=500, distribution="normal")
        self.assertEqual(behavior.wait(random.Random(3)), toxic.wait(random.Random(3)))

    def test_refused(self) -> None:
        """Nothing negative."""
        for values in ({"latency": -1}, {"jitter": -1}, {"distribution": "flat"}):
            self.assertRaises(ConfigError, build, Latency, values)


class LatencyTests(SynchronousTestCase):
    """What comes out when."""

    def test_each_its_own_time(self) -> None:
        """Each piece, and the end, comes so much later than it was said."""
        bench = Bench(Latency(latency=2000))
        bench.says(b"a")
        bench.clock.advance(0.5)
        bench.says(b"b")
        bench.ends()
        bench.settle()
        self.assertEqual(bench.out.pieces, [(2.0, b"a"), (2.5, b"b")])
        self.assertEqual(bench.out.endings, [(2.5, "fin")])

    def test_rate_stays(self) -> None:
        """A stream that lasts a second lasts a second, ten seconds later: every piece keeps its distance."""
        bench = Bench(Latency(latency=10_000))
        for _ in range(64):
            bench.says(bytes(PIECE))
            bench.clock.advance(1 / 64)
        bench.settle()
        self.assertEqual([when for when, _ in bench.out.pieces], [10 + n / 64 for n in range(64)])

    def test_order_is_kept(self) -> None:
        """A piece that drew a shorter wait than the one before goes with it, and never before it."""
        bench = Bench(Latency(latency=500, jitter=500))
        said = []
        for number in range(200):
            said.append((bench.clock.seconds(), b"%d," % number))
            bench.says(said[-1][1])
            bench.clock.advance(0.015625)
        bench.settle()
        self.assertEqual([piece for _, piece in bench.out.pieces], [piece for _, piece in said])
        waits = [after - before for (after, _), (before, _) in zip(bench.out.pieces, said, strict=True)]
        self.assertTrue(min(waits) >= 0.0 and max(waits) <= 1.0 + 1e-9)
        self.assertGreater(len(set(waits)), 5)

    def test_nothing(self) -> None:
        """Zero passes on at once, and no timer is made."""
        bench = Bench(Latency())
        bench.says(b"a")
        bench.ends(Ending.CLOSE)
        self.assertEqual((bench.out.received, bench.out.ended), (b"a", ["close"]))
        self.assertEqual(bench.clock.getDelayedCalls(), [])

    def test_shorter(self) -> None:
        """A change holds for what is held: from a minute to ten milliseconds, they are over at once."""
        bench = Bench(Latency(latency=60_000))
        bench.says(b"a")
        bench.clock.advance(0.995)
        bench.says(b"b")
        bench.ends()
        bench.stage.update(Latency(latency=10))
        self.assertEqual(bench.out.received, b"a")
        bench.settle()
        self.assertApproximates(bench.out.endings[0][0], 1.005, 1e-9)
        self.assertEqual(bench.out.received, b"ab")

    def test_longer(self) -> None:
        """And the other way round."""
        bench = Bench(Latency(latency=1000))
        bench.says(b"a")
        bench.clock.advance(0.5)
        bench.stage.update(Latency(latency=4000))
        bench.settle()
        self.assertEqual(bench.out.pieces, [(4.0, b"a")])

    def test_bound(self) -> None:
        """A fast stream is held up to the limit, and then read no further."""
        bench = Bench(Latency(latency=60_000))
        while not bench.stage.full:
            bench.says(bytes(PIECE))
        self.assertLessEqual(len(bench.sent), HOLD_LIMIT + PIECE)
        bench.clock.advance(60.0)
        self.assertFalse(bench.stage.full)
        self.assertEqual(len(bench.out.received), len(bench.sent))
