"""The order of samples, medians and ratios."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.stats import Sample, counterpart, interleaved, lines, ratio


def samples(proxy: str, *values: float, cpu: float | None = None) -> list[Sample]:
    """One sample a round."""
    return [Sample("row", proxy, number, value, cpu) for number, value in enumerate(values, 1)]


class StatsTests(SynchronousTestCase):
    """What becomes of samples."""

    def test_interleaved(self) -> None:
        """Each round measures every proxy once, in the same order."""
        self.assertEqual(list(interleaved(2, ["a", "b"])), [(1, "a"), (1, "b"), (2, "a"), (2, "b")])

    def test_median(self) -> None:
        """A line has the median, and the lowest and highest sample."""
        (line,) = lines(samples("a", 9.0, 1.0, 4.0, cpu=2.0), [])
        self.assertEqual((line.value, line.low, line.high), (4.0, 1.0, 9.0))
        self.assertEqual((line.rounds, line.cpu, line.memory), (3, 2.0, None))

    def test_ratio_by_round(self) -> None:
        """A ratio is made within a round: a slow round that meets both leaves it as it is."""
        mine, theirs = samples("a", 50.0, 5.0, 60.0), samples("b", 100.0, 10.0, 100.0)
        self.assertEqual(ratio(mine, theirs), 0.5)

    def test_ratio_of_shared_rounds(self) -> None:
        """Rounds that the other has not taken, or in which it got nothing, do not count."""
        self.assertEqual(ratio(samples("a", 1.0, 8.0), samples("b", 2.0)), 0.5)
        self.assertIsNone(ratio(samples("a", 1.0), []))
        self.assertIsNone(ratio(samples("a", 1.0), samples("b", 0.0)))

    def test_peers(self) -> None:
        """Every line is compared with the peers that were measured, and none with itself."""
        first, second = lines(samples("direct", 4.0) + samples("a", 1.0), ["direct", "haproxy"])
        self.assertEqual(first.ratios, {})
        self.assertEqual(second.ratios, {"direct": 0.25})

    def test_second_tree(self) -> None:
        """A mode of a further tree is compared with that mode of the first one."""
        self.assertEqual(counterpart("ours2-framed-busy"), "ours-framed-busy")
        self.assertEqual([counterpart("ours-tcp"), counterpart("direct")], ["", ""])
        _, second = lines(samples("ours-tcp", 2.0) + samples("ours2-tcp", 3.0), [])
        self.assertEqual(second.ratios, {"ours": 1.5})
