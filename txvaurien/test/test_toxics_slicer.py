"""slicer."""

from __future__ import annotations

import statistics

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.options import build
from txvaurien.testing.toxics import Bench
from txvaurien.toxics.slicer import Slicer


class SlicerTests(SynchronousTestCase):
    """Small pieces."""

    def sizes(self, toxic: Slicer, total: int) -> list[int]:
        """The sizes that so many bytes are cut into."""
        bench = Bench(toxic)
        bench.says(bytes(total))
        bench.settle()
        return [len(piece) for _, piece in bench.out.pieces]

    def test_exact_size(self) -> None:
        """Without variation every piece has the size, but for the last of what came together."""
        self.assertEqual(self.sizes(Slicer(average_size=10), 35), [10, 10, 10, 5])

    def test_pieces_are_not_joined(self) -> None:
        """What came apart stays apart."""
        bench = Bench(Slicer(average_size=10))
        bench.says(bytes(12))
        bench.says(bytes(3))
        self.assertEqual([len(piece) for _, piece in bench.out.pieces], [10, 2, 3])

    def test_variation(self) -> None:
        """Sizes are drawn evenly around the average."""
        sizes = self.sizes(Slicer(average_size=50, size_variation=20), 500_000)[:-1]
        self.assertEqual((min(sizes), max(sizes)), (30, 70))
        self.assertApproximates(statistics.fmean(sizes), 50, 0.5)
        self.assertApproximates(statistics.pstdev(sizes), ((41**2 - 1) / 12) ** 0.5, 0.3)

    def test_any_numbers_end(self) -> None:
        """Zeros, as clients send them, and a variation that is too large: pieces of a byte or more."""
        for average, variation, mean in ((0, 0, 1), (1, 0, 1), (0, 5, 1), (5, 10, 5), (10, 10, 10)):
            sizes = self.sizes(Slicer(average_size=average, size_variation=variation), 30_000)
            self.assertEqual(sum(sizes), 30_000)
            self.assertGreaterEqual(min(sizes), 1)
            self.assertApproximates(statistics.fmean(sizes), mean, 0.3)

    def test_delay(self) -> None:
        """In microseconds, after each piece: the first goes at once, the end after the last."""
        bench = Bench(Slicer(average_size=10, delay=250_000))
        bench.says(bytes(25))
        bench.ends()
        bench.settle()
        self.assertEqual([when for when, _ in bench.out.pieces], [0.0, 0.25, 0.5])
        self.assertEqual(bench.out.endings, [(0.75, "fin")])

    def test_delay_between_what_comes_later(self) -> None:
        """A piece that comes while another's delay runs waits for its end; one after it does not."""
        bench = Bench(Slicer(average_size=10, delay=1_000_000))
        for _ in range(2):
            bench.says(bytes(10))
            bench.clock.advance(0.5)
        bench.clock.advance(5.0)
        bench.says(bytes(20))
        bench.settle()
        self.assertEqual([when for when, _ in bench.out.pieces], [0.0, 1.0, 6.0, 7.0])

    def test_slow_reader(self) -> None:
        """The delay is kept after a time without room: pieces do not come in a bunch then."""
        bench = Bench(Slicer(average_size=10, delay=1_000_000))
        bench.says(bytes(30))
        bench.out.full = True
        bench.clock.advance(10.0)
        bench.room()
        bench.settle()
        self.assertEqual([when for when, _ in bench.out.pieces], [0.0, 10.0, 11.0])

    def test_change(self) -> None:
        """A change holds for what is held."""
        bench = Bench(Slicer(average_size=1, delay=60_000_000))
        bench.says(bytes(21))
        bench.stage.update(Slicer(average_size=10, delay=1_000_000))
        bench.settle()
        self.assertEqual(
            [(when, len(piece)) for when, piece in bench.out.pieces], [(0.0, 1), (1.0, 10), (2.0, 10)]
        )

    def test_release(self) -> None:
        """The rest goes at once, uncut."""
        bench = Bench(Slicer(average_size=1, delay=1_000_000))
        bench.says(b"abcd")
        bench.stage.release()
        self.assertEqual([piece for _, piece in bench.out.pieces], [b"a", b"bcd"])

    def test_refused(self) -> None:
        """Nothing negative."""
        for name in ("average_size", "size_variation", "delay"):
            self.assertRaises(ConfigError, build, Slicer, {name: -1})
