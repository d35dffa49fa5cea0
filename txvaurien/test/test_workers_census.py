"""What all workers have counted together, also those that have died."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.metrics.figures import Figures, Noted, Spread
from txvaurien.workers.census import Census
from txvaurien.workers.counters import PublishedStats
from txvaurien.workers.memory import Memory


def said(memory: Memory, worker: int, *, standing: int = 0, exchanges: int = 0) -> Figures:
    """What a worker says: its row, bytes of links that stand, and exchanges that it has noted."""
    stats = memory.stats_of(worker)
    stats["bytes_to_client"] += standing
    backend = Spread()
    backend.counts[0] = exchanges
    noted = Noted(answers={"GET": {"ok": exchanges}} if exchanges else {}, backend=backend)
    return Figures(stats, worker, workers=1, open=1, noted=noted)


class CensusTests(SynchronousTestCase):
    """`Census`."""

    def setUp(self) -> None:
        self.memory = Memory.create()
        self.addCleanup(self.memory.close)
        self.census = Census(self.memory, 2)
        self.rows = [PublishedStats(self.memory, worker) for worker in range(2)]

    def bytes_of(self, *figures: Figures) -> int:
        """The bytes that are known of when these are said."""
        return self.census.take(figures).stats["bytes_to_client"]

    def test_sum(self) -> None:
        """What they say is added; of one that does not answer, what stands in the memory counts."""
        for row, count in zip(self.rows, (10, 100), strict=True):
            row.bytes_to_client = count
        both = (said(self.memory, 0, standing=1), said(self.memory, 1, standing=2))
        self.assertEqual(self.bytes_of(*both), 113)
        total = self.census.take(both)
        self.assertEqual((total.workers, total.open), (2, 2))
        self.assertEqual(self.bytes_of(both[0]), 111)

    def test_dead(self) -> None:
        """What a dead worker had said of links that stood, and of exchanges, stays."""
        self.rows[0].bytes_to_client = 10
        self.assertEqual(self.bytes_of(said(self.memory, 0, standing=5, exchanges=7)), 15)
        self.census.died(0)
        self.assertEqual(self.bytes_of(), 15)
        again = said(self.memory, 0, standing=1, exchanges=1)
        total = self.census.take([again])
        self.assertEqual(total.stats["bytes_to_client"], 16)
        self.assertEqual(total.noted.answers, {"GET": {"ok": 8}})
        self.assertEqual(total.noted.backend.count, 8)

    def test_ended_before_it_died(self) -> None:
        """What has been written down since it was asked last does not count twice."""
        self.bytes_of(said(self.memory, 0, standing=5))
        self.rows[0].bytes_to_client = 8
        self.census.died(0)
        self.assertEqual(self.bytes_of(), 8)

    def test_never_asked(self) -> None:
        """One that dies before it was asked leaves what stands in the memory."""
        self.rows[0].bytes_to_client = 3
        self.census.died(0)
        self.assertEqual(self.bytes_of(), 3)
