"""What is read off the events of a proxy."""

from __future__ import annotations

from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.base import Behavior, HookResult
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.exchange import LiveExchange
from txvaurien.metrics.told import MOST_GONE, Told
from txvaurien.model import Direction
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.toxics.latency import Latency


class Wrong(Behavior, frozen=True, kw_only=True):
    """Says what cannot be said to a request."""

    name: ClassVar[str] = "wrong"

    def on_before_handle(self, exchange: LiveExchange) -> HookResult:
        exchange.refuse("full")
        return True


class ToldCase(SynchronousTestCase):
    """Somebody listens to a proxy in memory."""

    def setUp(self) -> None:
        self.memory = MemoryProxy()
        self.proxy = self.memory.proxy
        self.told = Told(self.proxy)
        self.told.listen()

    def fired(self) -> dict[tuple[str, str], int]:
        """How often each rule has fired."""
        return {key: count.fired for key, count in self.told.tallies()}


class RuleTests(ToldCase):
    """Rules."""

    def test_counts(self) -> None:
        """Each rule at work, and each part of the mix, with what it has counted."""
        plan = Plan.only(Delay(sleep=0))
        self.proxy.set_plan(plan.with_rule(Rule(Error(kind="no"), name="mine", verbs=frozenset({"SET"}))))
        client, _ = self.memory.pair()
        for request in (b"SET a\n", b"GET a\n", b"GET b\n"):
            client.says(request)
            self.memory.pass_time()
        self.assertEqual(self.fired(), {("mine", "error"): 1, ("mix 0 delay", "delay"): 2})

    def test_dummy(self) -> None:
        """A proxy without a fault has no rule to show."""
        self.proxy.set_plan(Plan.only(Dummy()))
        self.assertEqual(self.fired(), {})

    def test_gone(self) -> None:
        """A rule that is gone keeps what it has counted, and one that comes again goes on from there."""
        client, _ = self.memory.pair()
        for _ in range(20):
            self.proxy.set_plan(Plan.only(Error(kind="no")))
            client.says(b"GET a\n")
        self.proxy.set_plan(Plan())
        self.assertEqual(self.fired(), {("mix 0 error", "error"): 20})
        self.proxy.set_plan(Plan.only(Error(kind="no")))
        client.says(b"GET a\n")
        self.assertEqual(self.fired(), {("mix 0 error", "error"): 21})

    def test_misfired(self) -> None:
        """What could not be said is counted apart."""
        client, _ = self.memory.pair()
        self.proxy.set_plan(Plan.only(Wrong()))
        client.says(b"GET a\n")
        ((_, count),) = self.told.tallies()
        self.assertEqual((count.fired, count.misfired), (0, 1))

    def test_bounded(self) -> None:
        """Of rules that are gone so many keep their series, the last ones; those at work all do."""
        for number in range(3 * MOST_GONE):
            self.proxy.set_plan(Plan().with_rule(Rule(Delay(), name=f"r{number}")))
        self.assertEqual(len(self.fired()), MOST_GONE + 1)
        self.assertIn((f"r{3 * MOST_GONE - 1}", "delay"), self.fired())
        self.assertNotIn(("r0", "delay"), self.fired())

    def test_closed(self) -> None:
        """Who listens no more is told nothing."""
        self.told.close()
        self.proxy.set_plan(Plan.only(Delay()))
        self.assertEqual(self.fired(), {})


class ToxicTests(ToldCase):
    """Toxics."""

    def test_taken(self) -> None:
        """Each link that a toxic takes is counted, and stays counted when the toxic is gone."""
        self.proxy.add_toxic(PlacedToxic(Latency(latency=1), Direction.TO_CLIENT))
        self.memory.pair()
        self.memory.pair()
        self.proxy.set_plan(Plan())
        self.assertEqual(list(self.told.taken()), [(("latency_downstream", "latency", "downstream"), 2)])

    def test_bounded(self) -> None:
        """Of toxics that are gone so many keep their series."""
        self.memory.pair()
        for number in range(2 * MOST_GONE):
            toxic = PlacedToxic(Latency(latency=1), Direction.TO_CLIENT, name=f"t{number}")
            self.proxy.set_plan(Plan(toxics=(toxic,)))
        taken = dict(self.told.taken())
        self.assertEqual(len(taken), MOST_GONE + 1)
        self.assertIn((f"t{2 * MOST_GONE - 1}", "latency", "downstream"), taken)


class WorkerTests(ToldCase):
    """Workers."""

    def test_losses(self) -> None:
        """Workers that have died, and events of theirs that were lost."""
        self.proxy.event("worker-died", None, worker=0, why="", links=[])
        for count in (3, 4):
            self.proxy.event("events-lost", None, worker=0, count=count)
        self.assertEqual((self.told.deaths, self.told.lost), (1, 7))
