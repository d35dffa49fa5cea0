"""What is known of a proxy, and how it is added up."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.metrics.figures import BOUNDS, Figures, Noted, Spread, figures_of, total
from txvaurien.test.memory import MemoryProxy


def spread(*times: tuple[int, float]) -> Spread:
    """Times: the class of each, and its length."""
    made = Spread()
    for place, seconds in times:
        made.counts[place] += 1
        made.sums[place] += seconds
    return made


class AddTests(SynchronousTestCase):
    """`total`."""

    def test_total(self) -> None:
        """Everything is added: numbers, times, answers by verb and status, reasons."""
        one = Figures(
            {"links": 1, "opaque": 2},
            workers=1,
            open=3,
            toxic=1,
            noted=Noted(spread((0, 0.1)), {"dns": 1}, {"GET": {"ok": 1}}, spread((1, 2.0)), spread()),
        )
        two = Figures(
            {"links": 10},
            workers=1,
            open=4,
            noted=Noted(spread((0, 0.2)), {"dns": 1, "other": 5}, {"GET": {"ok": 2}, "SET": {"error": 1}}),
        )
        added = total([one, two])
        self.assertEqual(added.stats, {"links": 11, "opaque": 2})
        self.assertEqual((added.workers, added.open, added.toxic), (2, 7, 1))
        self.assertEqual(added.noted.errors, {"dns": 2, "other": 5})
        self.assertEqual(added.noted.answers, {"GET": {"ok": 3}, "SET": {"error": 1}})
        self.assertEqual((added.noted.connects.counts[0], added.noted.backend.counts[1]), (2, 1))
        self.assertAlmostEqual(added.noted.connects.sum, 0.3)
        self.assertEqual(one.stats, {"links": 1, "opaque": 2})
        self.assertEqual(one.noted.answers, {"GET": {"ok": 1}})

    def test_json(self) -> None:
        """They go through a pipe as JSON."""
        said = Figures({"links": 1}, noted=Noted(spread((len(BOUNDS), 99.0)), {"dns": 1}, {"GET": {"ok": 1}}))
        self.assertEqual(msgspec.json.decode(msgspec.json.encode(said), type=Figures), said)


class ProxyTests(SynchronousTestCase):
    """`figures_of`."""

    def test_standing_links(self) -> None:
        """What links have counted that still stand is in the figures, and not twice when they end."""
        memory = MemoryProxy()
        client, backend = memory.pair()
        client.says(b"GET a\n")
        backend.says(b"!NEWS\nOK\n")
        figures = figures_of(memory.proxy)
        self.assertEqual(figures.open, 1)
        counted = {
            "links": 1,
            "exchanges": 1,
            "unasked": 1,
            "bytes_to_backend": 6,
            "bytes_to_client": 9,
            "sent_to_backend": 6,
            "sent_to_client": 9,
        }
        for name, count in counted.items():
            self.assertEqual(figures.stats[name], count, name)
        client.resets()
        memory.pass_time(5)
        after = figures_of(memory.proxy)
        self.assertEqual((after.open, after.stats), (0, figures.stats))
