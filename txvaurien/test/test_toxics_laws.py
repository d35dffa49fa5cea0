"""Every toxic keeps the laws of txvaurien.testing.toxics; and they catch those that do not."""

from __future__ import annotations

import random
import unittest
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Ending
from txvaurien.plugins import Registry
from txvaurien.testing.toxics import ACTS, Act, ToxicLaws, within
from txvaurien.toxics.alarm import NEVER
from txvaurien.toxics.bandwidth import Bandwidth
from txvaurien.toxics.base import HoldingStage, Out, Stage, Toxic
from txvaurien.toxics.blackhole import Blackhole
from txvaurien.toxics.corrupt import Corrupt
from txvaurien.toxics.latency import Latency
from txvaurien.toxics.limit_data import LimitData
from txvaurien.toxics.pause import Pause
from txvaurien.toxics.reset_peer import ResetPeer
from txvaurien.toxics.slicer import Slicer
from txvaurien.toxics.slow_close import SlowClose
from txvaurien.toxics.timeout import Timeout

acts = st.one_of([st.tuples(st.just(name), st.integers(0, most)) for name, most in ACTS.items()])


class Laws(ToxicLaws):
    """The laws, with schedules that hypothesis looks for, and makes short when one breaks a law."""

    def test_found_schedules(self) -> None:
        """As `test_random_schedules`."""

        @settings(derandomize=True, deadline=None, max_examples=100, database=None)
        @given(st.permutations(self.examples), st.lists(acts, max_size=20))
        def check(toxics: list[Toxic], steps: list[Act]) -> None:
            self.check_schedule(toxics, steps)

        check()


class LatencyTests(Laws, SynchronousTestCase):
    """latency."""

    examples = (
        Latency(),
        Latency(latency=100),
        Latency(latency=50, jitter=50),
        Latency(latency=1000, jitter=500, distribution="normal"),
        Latency(latency=10, jitter=300, distribution="pareto"),
    )


class BandwidthTests(Laws, SynchronousTestCase):
    """bandwidth."""

    examples = (Bandwidth(rate=1), Bandwidth(rate=50), Bandwidth(rate=1_000_000))
    #: 40 milliseconds' worth of the fastest.
    held_limit = 2 * 20 * 1_000_000


class StandstillTests(Laws, SynchronousTestCase):
    """bandwidth with a rate of 0: what is held goes when it is changed or taken away."""

    examples = (Bandwidth(), Bandwidth(rate=3))
    keeps = True
    held_limit = 64 * 1024


class SlowCloseTests(Laws, SynchronousTestCase):
    """slow_close."""

    examples = (SlowClose(), SlowClose(delay=700))


class TimeoutTests(Laws, SynchronousTestCase):
    """timeout."""

    examples = (Timeout(), Timeout(timeout=2500))
    loses = True


class ResetPeerTests(Laws, SynchronousTestCase):
    """reset_peer."""

    examples = (ResetPeer(), ResetPeer(timeout=1500))
    loses = True


class SlicerTests(Laws, SynchronousTestCase):
    """slicer."""

    examples = (
        Slicer(average_size=64, size_variation=8),
        Slicer(average_size=500, delay=10_000),
        Slicer(average_size=1, size_variation=5, delay=10),
        Slicer(),
    )
    held_limit = 64 * 1024


class LimitDataTests(Laws, SynchronousTestCase):
    """limit_data."""

    examples = (LimitData(), LimitData(bytes=1500), LimitData(bytes=10**6))
    loses = True


class PauseTests(Laws, SynchronousTestCase):
    """pause."""

    examples = (Pause(),)
    keeps = True


class BlackholeTests(Laws, SynchronousTestCase):
    """blackhole."""

    examples = (Blackhole(),)
    loses = keeps = True


class CorruptTests(Laws, SynchronousTestCase):
    """corrupt."""

    examples = (Corrupt(), Corrupt(rate=0.5), Corrupt(rate=1.0), Corrupt(rate=0.0))
    alters = True


class InstalledTests(SynchronousTestCase):
    """The toxics that are registered."""

    def test_all_keep_the_laws(self) -> None:
        """None is left out above."""
        tried = {type(case.examples[0]) for case in Laws.__subclasses__()}
        self.assertEqual(tried, set(Registry.load().toxics.values()))

    def test_names(self) -> None:
        """Each is registered under its own name."""
        for name, toxic in Registry.load().toxics.items():
            self.assertEqual(toxic.name, name)


# Such as break a law each.


class Leaky(Stage):
    """Loses a byte of each piece."""

    def data(self, data: bytes) -> None:
        if data[1:]:
            self.out.data(data[1:])


class Forgetful(HoldingStage):
    """Does not let go."""

    def due(self, came: float, left: int) -> float:
        return NEVER

    def release(self) -> None:
        """Nothing."""


class Hasty(HoldingStage):
    """Passes the end on before what came before it."""

    def due(self, came: float, left: int) -> float:
        return came + 1.0

    def end(self, ending: Ending) -> None:
        self.out.end(ending)


class Restless(HoldingStage):
    """Leaves its timer behind."""

    def due(self, came: float, left: int) -> float:
        return came + 1.0

    def drop(self) -> None:
        """Nothing."""


class Greedy(HoldingStage):
    """Holds without bound."""

    @property
    def full(self) -> bool:
        return False


class Moody(HoldingStage):
    """Draws from elsewhere than it should."""

    elsewhere: ClassVar[random.Random] = random.Random(1)

    def __init__(self, toxic: Toxic, out: Out, clock: IReactorTime, random: random.Random) -> None:
        super().__init__(toxic, out, clock, random)
        self.random = self.elsewhere

    def due(self, came: float, left: int) -> float:
        return came + (int(came * 1000) % 3) * 0.01

    def portion(self, left: int) -> int:
        return self.random.randint(1, left) if left else 0


class CatchTests(SynchronousTestCase):
    """The laws catch what breaks them."""

    broken: ClassVar[dict[type[Stage], str]] = {
        Leaky: "test_release",
        Forgetful: "test_release",
        Hasty: "test_end",
        Restless: "test_drop",
        Greedy: "test_back_pressure",
        Moody: "test_same_seed",
    }

    def kept(self, stage: type[Stage], law: str) -> bool:
        """Whether stages of this class keep the law."""

        class Sample(Toxic, frozen=True, kw_only=True):
            """A toxic."""

            name: ClassVar[str] = "sample"
            stages: ClassVar[type[Stage]] = stage

        class Case(ToxicLaws, SynchronousTestCase):
            examples = (Sample(),)

        result = unittest.TestResult()
        Case(law).run(result)
        self.assertEqual(result.errors, [])
        return result.wasSuccessful()

    def test_caught(self) -> None:
        """Each of them, by the law that it breaks."""
        for stage, law in self.broken.items():
            self.assertFalse(self.kept(stage, law), stage)
            self.assertTrue(self.kept(Stage, law), law)

    def test_schedules(self) -> None:
        """Random schedules find a lost byte, and an end that comes too early."""
        self.assertFalse(self.kept(Leaky, "test_random_schedules"))
        self.assertFalse(self.kept(Hasty, "test_random_schedules"))

    def test_within(self) -> None:
        """In order, with gaps, each byte once."""
        self.assertTrue(within(b"ad", b"abcd") and within(b"", b"a"))
        self.assertFalse(within(b"da", b"abcd") or within(b"aa", b"ab"))
