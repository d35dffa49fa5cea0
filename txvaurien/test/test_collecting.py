"""How often garbage is looked for."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.process.collecting import YOUNG, collect_later, collect_rarely


class CollectingTests(SynchronousTestCase):
    """`collect_later` and `collect_rarely`, in this process, which is then as it was."""

    def setUp(self) -> None:
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        self.addCleanup(gc.enable)

    def test_later(self) -> None:
        """Nothing is looked for until the process serves."""
        collect_later()
        self.assertFalse(gc.isenabled())
        collect_rarely()
        self.assertTrue(gc.isenabled())

    def test_rarely(self) -> None:
        """What is there is left out, and what comes is looked at after many more objects than usual."""
        collect_rarely()
        self.assertGreater(gc.get_freeze_count(), 10_000)
        self.assertEqual(gc.get_threshold()[0], YOUNG)

    def test_cycles_are_found(self) -> None:
        """What comes after it is still collected."""

        class Knot:
            """Knows itself."""

            alive = 0

            def __init__(self) -> None:
                self.itself = self
                Knot.alive += 1

            def __del__(self) -> None:
                Knot.alive -= 1

        collect_later()
        collect_rarely()
        for _ in range(3 * YOUNG):
            Knot()
        self.assertLess(Knot.alive, 2 * YOUNG)
