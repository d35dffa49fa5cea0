"""bandwidth."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.options import build
from txvaurien.testing.toxics import PIECE, Bench, Receiver
from txvaurien.toxics.bandwidth import Bandwidth
from txvaurien.toxics.base import Stage

#: The bytes of 20 milliseconds at 100 KB/s.
PORTION = 2000


class RoomyReceiver(Receiver):
    """Says after each piece that it has room."""

    stage: Stage

    def data(self, data: bytes) -> None:
        super().data(data)
        self.stage.room()


class BandwidthTests(SynchronousTestCase):
    """How fast it goes."""

    def passed(self, bench: Bench) -> int:
        """How many bytes have come out."""
        return len(bench.out.received)

    def test_exact_rate(self) -> None:
        """N KB take N / rate seconds, whatever the rate and however they were split."""
        for rate, size, pieces in ((1, 1000, 1), (100, 50_000, 7), (7, 10_000, 100), (250_000, 10**7, 200)):
            bench = Bench(Bandwidth(rate=rate))
            for _ in range(pieces):
                bench.says(bytes(size // pieces))
            bench.ends()
            bench.settle()
            took = bench.out.endings[0][0]
            self.assertApproximates(took, len(bench.sent) / (rate * 1000), 1e-6)

    def test_at_any_moment(self) -> None:
        """What has come is what the line carries in that time, less at most a portion."""
        bench = Bench(Bandwidth(rate=100))
        bench.says(bytes(PIECE))
        for _ in range(60):
            bench.clock.advance(0.01)
            carried = 100_000 * bench.clock.seconds()
            self.assertTrue(carried - PORTION - 1 <= self.passed(bench) <= carried + 1)

    def test_smooth(self) -> None:
        """It goes in portions of 20 milliseconds' worth, evenly."""
        bench = Bench(Bandwidth(rate=100))
        bench.says(bytes(4 * PORTION + 1))
        bench.settle()
        self.assertEqual([len(piece) for _, piece in bench.out.pieces], [PORTION] * 4 + [1])
        for number, (when, _) in enumerate(bench.out.pieces[:4], 1):
            self.assertApproximates(when, number * 0.02, 1e-9)

    def test_small_pieces(self) -> None:
        """Small pieces come as they were, each when its last byte is through."""
        bench = Bench(Bandwidth(rate=1))
        bench.says(bytes(10))
        bench.says(bytes(5))
        bench.settle()
        self.assertEqual([len(piece) for _, piece in bench.out.pieces], [10, 5])
        self.assertApproximates(bench.out.pieces[0][0], 0.010, 1e-9)
        self.assertApproximates(bench.out.pieces[1][0], 0.015, 1e-9)

    def test_no_credit_for_silence(self) -> None:
        """A line that was idle is no faster afterwards."""
        bench = Bench(Bandwidth(rate=100))
        bench.says(bytes(PORTION))
        bench.settle()
        bench.clock.advance(60.0)
        start = bench.clock.seconds()
        bench.says(bytes(10_000))
        bench.settle()
        self.assertApproximates(bench.out.pieces[-1][0] - start, 0.1, 1e-9)

    def test_no_credit_for_a_slow_reader(self) -> None:
        """What the reader did not take is not made up for: the rate is never exceeded."""
        bench = Bench(Bandwidth(rate=100))
        bench.says(bytes(10_000))
        bench.out.full = True
        bench.clock.advance(60.0)
        bench.room()
        self.assertEqual(self.passed(bench), PORTION)
        bench.settle()
        self.assertApproximates(bench.out.pieces[-1][0] - 60.0, 0.08, 1e-9)

    def test_late_timers(self) -> None:
        """A busy reactor does not make it slower: what was due meanwhile goes at once."""
        bench = Bench(Bandwidth(rate=100))
        bench.says(bytes(60_000))
        bench.clock.advance(0.25)
        self.assertEqual(self.passed(bench), 12 * PORTION)
        bench.clock.advance(0.26)
        self.assertEqual(self.passed(bench), 25 * PORTION)

    def test_told_of_room(self) -> None:
        """To be told of room that was there all the time costs nothing of the rate."""
        bench = Bench(Bandwidth(rate=100))
        receiver = RoomyReceiver(bench.clock)
        receiver.stage = bench.stage
        bench.out = bench.stage.out = receiver
        bench.says(bytes(60_000))
        bench.clock.pump([0.05] * 9 + [0.06])
        self.assertEqual(self.passed(bench), 25 * PORTION)

    def test_zero(self) -> None:
        """Zero stops everything, until it is changed; then it goes at the new rate."""
        bench = Bench(Bandwidth(rate=0))
        bench.says(bytes(PORTION))
        bench.ends()
        bench.clock.advance(3600.0)
        self.assertEqual((bench.out.pieces, bench.out.ended), ([], []))
        self.assertEqual(bench.clock.getDelayedCalls(), [])
        bench.stage.update(Bandwidth(rate=100))
        self.assertEqual(bench.out.pieces, [])
        bench.settle()
        self.assertApproximates(bench.out.endings[0][0], 3600.02, 1e-6)

    def test_change(self) -> None:
        """A change holds from that moment, and what is under way keeps what it has of the way."""
        bench = Bench(Bandwidth(rate=100))
        bench.says(bytes(60_000))
        bench.clock.advance(0.25)
        bench.stage.update(Bandwidth(rate=10))
        bench.clock.advance(1.0)
        self.assertTrue(34_000 <= self.passed(bench) <= 35_000)
        bench.stage.update(Bandwidth(rate=1000))
        bench.settle()
        self.assertApproximates(bench.out.pieces[-1][0], 1.25 + 25_000 / 10**6, 1e-6)

    def test_changes_do_not_starve(self) -> None:
        """Changing it over and over, or to the same, costs nothing of the rate."""
        bench = Bench(Bandwidth(rate=100))
        bench.says(bytes(60_000))
        for number in range(100):
            bench.clock.advance(0.005)
            bench.stage.update(Bandwidth(rate=100 if number % 2 else 50))
        self.assertApproximates(self.passed(bench), 37_500, PORTION)

    def test_stopped_on_the_way(self) -> None:
        """Changed to zero in the middle of a portion, nothing more goes."""
        bench = Bench(Bandwidth(rate=100))
        bench.says(bytes(60_000))
        bench.clock.advance(0.03)
        bench.stage.update(Bandwidth(rate=0))
        bench.clock.advance(10.0)
        self.assertEqual(self.passed(bench), PORTION)

    def test_bound(self) -> None:
        """It holds little, so that the sender feels the line: 64 KiB, or 40 ms of a fast line."""
        for rate, limit in ((1, 64 * 1024), (10_000, 400_000)):
            bench = Bench(Bandwidth(rate=rate))
            while not bench.stage.full:
                bench.says(bytes(PIECE))
            self.assertLessEqual(len(bench.sent), limit + PIECE)

    def test_refused(self) -> None:
        """Nothing negative."""
        self.assertRaises(ConfigError, build, Bandwidth, {"rate": -1})
