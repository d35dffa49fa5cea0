"""The tests of upper.py and hiccup.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from hiccup import Hiccup
from twisted.trial.unittest import SynchronousTestCase
from upper import Upper

from txvaurien.testing import Bench, ToxicLaws
from txvaurien.toxics.base import Toxic


class UpperLaws(ToxicLaws, SynchronousTestCase):
    """What every toxic has to keep, but that this one changes bytes."""

    examples: ClassVar[Sequence[Toxic]] = (Upper(),)
    alters: ClassVar[bool] = True


class HiccupLaws(ToxicLaws, SynchronousTestCase):
    """The same for one that holds them."""

    examples: ClassVar[Sequence[Toxic]] = (
        Hiccup(),
        Hiccup(share=1, pause=2000),
        Hiccup(share=0.5, pause=10),
    )


class HiccupTests(SynchronousTestCase):
    """On a clock that stands until it is moved."""

    def test_held(self) -> None:
        """A piece that is hit waits, and what comes after it does not overtake it."""
        bench = Bench(Hiccup(share=1, pause=2000))
        bench.says(b"one ")
        bench.clock.advance(1)
        bench.says(b"two")
        bench.clock.advance(0.9)
        self.assertEqual(bench.out.received, b"")
        bench.clock.advance(0.2)
        self.assertEqual(bench.out.received, b"one ")
        bench.stage.release()
        self.assertEqual(bench.out.received, b"one two")

    def test_nothing(self) -> None:
        """A share of 0 is as if it were not there."""
        bench = Bench(Hiccup(share=0))
        bench.says(b"one")
        self.assertEqual(bench.out.received, b"one")
