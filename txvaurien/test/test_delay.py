"""delay."""

from __future__ import annotations

import random
import statistics

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.model import Hook
from txvaurien.protocols.tcp import Tcp
from txvaurien.test.memory import MemoryProxy
from txvaurien.testing.behaviors import BehaviorLaws


class DelayTests(BehaviorLaws, SynchronousTestCase):
    """The answer comes late."""

    examples = (Delay(), Delay(sleep=0.25, before=False, jitter=0.1, distribution="pareto"))

    def waits(self, delay: Delay) -> list[float]:
        """Many waits, drawn with a seed."""
        draws = random.Random(1)
        return [delay.wait(draws) for _ in range(20_000)]

    def test_before(self) -> None:
        """By default the backend hears of it late."""
        proxy = MemoryProxy(Delay())
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.pass_time(0.99)
        self.assertEqual(backend.received, b"")
        proxy.pass_time(0.01)
        self.assertEqual(backend.received, b"get a\n")
        self.assertEqual(Delay().acts(Tcp()), {Hook.BEFORE})

    def test_after(self) -> None:
        """Else the backend hears at once, and the wait begins when it has answered."""
        proxy = MemoryProxy(Delay(before=False))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        self.assertEqual(backend.received, b"get a\n")
        proxy.pass_time(10.0)
        backend.says(b"1\n")
        proxy.pass_time(0.99)
        self.assertEqual(client.received, b"")
        proxy.pass_time(0.01)
        self.assertEqual(client.received, b"1\n")

    def test_after_without_reply(self) -> None:
        """Where no reply will come nothing waits for one."""
        proxy = MemoryProxy(Delay(before=False))
        client, backend = proxy.pair()
        client.says(b"quiet\nget a\n")
        proxy.pass_time(1.0)
        backend.says(b"1\n")
        proxy.pass_time(1.0)
        self.assertEqual(client.received, b"1\n")
        self.assertEqual(proxy.links[1].turns.lives, set())

    def test_uniform(self) -> None:
        """From sleep - jitter to sleep + jitter, evenly."""
        waits = self.waits(Delay(sleep=1.0, jitter=0.5))
        self.assertTrue(0.5 <= min(waits) < 0.51 and 1.49 < max(waits) <= 1.5)
        self.assertApproximates(statistics.fmean(waits), 1.0, 0.01)

    def test_normal(self) -> None:
        """Jitter is the standard deviation."""
        waits = self.waits(Delay(sleep=10.0, jitter=0.5, distribution="normal"))
        self.assertApproximates(statistics.fmean(waits), 10.0, 0.02)
        self.assertApproximates(statistics.stdev(waits), 0.5, 0.02)

    def test_pareto(self) -> None:
        """Never less than sleep, on average jitter more, sometimes very much more."""
        waits = self.waits(Delay(sleep=1.0, jitter=0.5, distribution="pareto"))
        self.assertGreaterEqual(min(waits), 1.0)
        self.assertApproximates(statistics.fmean(waits), 1.5, 0.05)
        self.assertGreater(max(waits), 5.0)

    def test_never_negative(self) -> None:
        """A jitter larger than the sleep does not go below nothing."""
        self.assertEqual(min(self.waits(Delay(sleep=0.1, jitter=1.0, distribution="normal"))), 0.0)
