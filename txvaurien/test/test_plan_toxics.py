"""Which links get a toxic, and what it draws there."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.errors import ConfigError
from txvaurien.model import Direction
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.rules import Rule
from txvaurien.test.test_plan import active
from txvaurien.toxics.latency import Latency
from txvaurien.toxics.slicer import Slicer

LINKS = range(1, 201)


def under(plan: Plan) -> list[int]:
    """The numbers of the links that get a toxic on the way to their clients."""
    at_work = active(plan)
    return [link for link in LINKS if at_work.toxics_for(link, Direction.TO_CLIENT)]


class ShareTests(SynchronousTestCase):
    """`toxicity` is the share of links."""

    def test_all_or_none(self) -> None:
        """1 is all of them and 0 none, whatever is drawn."""
        for seed in range(10):
            self.assertEqual(under(Plan(toxics=(PlacedToxic(Latency(), toxicity=1.0),), seed=seed)), [*LINKS])
            self.assertEqual(under(Plan(toxics=(PlacedToxic(Latency(), toxicity=0.0),), seed=seed)), [])

    def test_some(self) -> None:
        """In between it is about that share, the same links for the same seed, others for another."""
        chosen = [
            under(Plan(toxics=(PlacedToxic(Latency(), toxicity=0.3),), seed=seed)) for seed in (1, 1, 2)
        ]
        self.assertTrue(40 < len(chosen[0]) < 80, chosen[0])
        self.assertEqual(chosen[0], chosen[1])
        self.assertNotEqual(chosen[0], chosen[2])

    def test_each_for_itself(self) -> None:
        """Two toxics draw apart, by their names."""
        toxics = tuple(PlacedToxic(Latency(), name=name, toxicity=0.5) for name in ("a", "b"))
        at_work = active(Plan(toxics=toxics, seed=1))
        found = {tuple(each.name for each in at_work.toxics_for(link, Direction.TO_CLIENT)) for link in LINKS}
        self.assertEqual(found, {(), ("a",), ("b",), ("a", "b")})

    def test_direction_and_order(self) -> None:
        """Each direction has its own, in the order of the plan."""
        toxics = (
            PlacedToxic(Slicer()),
            PlacedToxic(Latency(), Direction.TO_BACKEND),
            PlacedToxic(Latency()),
        )
        at_work = active(Plan(toxics=toxics))
        self.assertEqual(at_work.toxics_for(1, Direction.TO_CLIENT), [toxics[0], toxics[2]])
        self.assertEqual(at_work.toxics_for(1, Direction.TO_BACKEND), [toxics[1]])

    def test_bounds(self) -> None:
        """A share is from 0 to 1."""
        for wrong in (-0.01, 1.01, 2.0, float("nan")):
            error = self.assertRaises(ConfigError, PlacedToxic, Latency(), toxicity=wrong)
            self.assertEqual(str(error), f"toxicity: {wrong!r} will not do; it is a number from 0 to 1")


class RandomnessTests(SynchronousTestCase):
    """What a toxic draws from."""

    def test_a_function_of_the_seed(self) -> None:
        """Seed, link and name decide; nothing else does, not even what was drawn before."""

        def drawn(seed: int, link: int, name: str) -> float:
            placed = PlacedToxic(Latency(), name=name)
            return active(Plan(toxics=(placed,), seed=seed)).randomness(link, placed).random()

        cases = [(1, 1, "a"), (2, 1, "a"), (1, 2, "a"), (1, 1, "b")]
        self.assertEqual([drawn(*case) for case in cases], [drawn(*case) for case in cases])
        self.assertEqual(len({drawn(*case) for case in cases}), len(cases))


class StandingTests(SynchronousTestCase):
    """For which of the links that stand already a new rule is."""

    def test_share(self) -> None:
        """All for a rule that is for all, none for one that is for none, else that share of them."""
        for probability, low, high in ((1.0, 200, 200), (0.0, 0, 0), (0.3, 40, 80)):
            at_work = active(Plan(rules=(Rule(Delay(), probability=probability),), seed=1))
            number = sum(at_work.standing(link, at_work.rules[0]) for link in LINKS)
            self.assertTrue(low <= number <= high, (probability, number))
