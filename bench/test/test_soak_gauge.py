"""Whether a process stays as it is."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from bench.soak.gauge import Sample, Spread, look, trend, unsteady

FIRST = Sample(at=0.0, phase="start", rss=60.0, descriptors=18, threads=2, links=0, cpu=1.0)


def quiet(*rss: float) -> list[Sample]:
    """Quiet moments, a minute apart."""
    return [replace(FIRST, at=60.0 * number, rss=each) for number, each in enumerate(rss, 1)]


class TrendTests(SynchronousTestCase):
    """Growth."""

    def test_slope(self) -> None:
        """It is what is added in ten minutes."""
        self.assertAlmostEqual(trend([(60.0 * n, 50.0 + 0.5 * n) for n in range(6)]) or 0.0, 5.0)
        self.assertEqual(trend([(60.0 * n, 50.0) for n in range(6)]), 0.0)

    def test_outlier(self) -> None:
        """One moment that stands out makes no trend."""
        self.assertEqual(trend([(60.0 * n, 90.0 if n == 5 else 50.0) for n in range(9)]), 0.0)

    def test_too_few(self) -> None:
        """Of three points nothing can be said."""
        self.assertIsNone(trend([(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]))


class UnsteadyTests(SynchronousTestCase):
    """What is not as it was."""

    def test_steady(self) -> None:
        """Memory that grows in the warm-up, and then no more, is well."""
        self.assertEqual(unsteady(quiet(70, 80, 90, 90.1, 90, 90.1, 90), FIRST, warm_up=180.0), [])

    def test_growth(self) -> None:
        """Memory that goes on growing is not."""
        (said,) = unsteady(quiet(70, 71, 72, 73, 74, 75, 76), FIRST, warm_up=180.0)
        self.assertIn("grows by 10.00 MB", said)

    def test_descriptors_and_links(self) -> None:
        """Each quiet moment has the descriptors of the start, and no link."""
        moments = [
            replace(FIRST, descriptors=19),
            replace(FIRST, descriptors=17),
            replace(FIRST, links=1),
            FIRST,
        ]
        self.assertEqual(len(unsteady(moments, FIRST, warm_up=0.0)), 3)


class LookTests(SynchronousTestCase):
    """What /proc says."""

    def test_this_process(self) -> None:
        """A descriptor and a thread more are seen."""
        before = look(os.getpid(), 1.0, "calm", 3)
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        reading, writing = os.pipe()
        after = look(os.getpid(), 2.0, "calm", 3)
        stop.set()
        thread.join()
        os.close(reading)
        os.close(writing)
        self.assertEqual(after.descriptors - before.descriptors, 2)
        self.assertEqual(after.threads - before.threads, 1)
        self.assertTrue(before.rss > 1.0)

    def test_spread(self) -> None:
        """The least, the middle and the most."""
        self.assertEqual(Spread.of([3.0, 1.0, 2.0]), Spread(1.0, 2.0, 3.0))
