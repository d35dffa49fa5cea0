"""Plans on their way to the workers."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.errors import ConfigError
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.faults import FaultReader, describe_plan
from txvaurien.planning.mix import Share
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Cap, Rule
from txvaurien.test.registries import Flaky
from txvaurien.test.workers_memory import registry
from txvaurien.toxics.latency import Latency
from txvaurien.workers import wire
from txvaurien.workers.memory import Memory
from txvaurien.workers.plans import Ledger, PlanReader, places_of, registry_at
from txvaurien.workers.sharedplan import SharedPlan


class Made(Delay, frozen=True, kw_only=True):
    """A behavior whose class other processes can import."""

    class Inner(Delay, frozen=True, kw_only=True):
        """So is a class within a class."""


class PlanTests(SynchronousTestCase):
    """`Ledger` and `PlanReader`."""

    def setUp(self) -> None:
        self.memory = Memory.create()
        self.addCleanup(self.memory.close)
        self.ledger = Ledger(self.memory)
        self.reader = PlanReader(FaultReader(registry(), Tcp()), self.memory)
        self.rule = Rule(Delay(sleep=2), "slow", target="user:*", times=3)
        self.toxic = PlacedToxic(Latency(latency=5), toxicity=0.5)

    def sent(self, plan: Plan) -> Plan:
        """The plan as it arrives."""
        active = SharedPlan(plan, Tcp(), "proxy", None, Cap(), tally_of=self.ledger.tally_of)
        order = wire.order(wire.encode(self.ledger.write(active)))
        assert isinstance(order, wire.SetPlan)
        return self.reader.read(order)

    def test_same(self) -> None:
        """What arrives says the same, the seed that was drawn included."""
        plan = Plan((Share(5.0, Rule(Error())),), (self.rule,), (self.toxic,))
        arrived = self.sent(plan)
        self.assertEqual(describe_plan(arrived), describe_plan(plan))
        self.assertIsNotNone(arrived.seed)

    def test_identity(self) -> None:
        """Rules and toxics that stay are the same objects there; others that say the same are not."""
        share = Share(5.0, Rule(Error()))
        plan = Plan((share,), (self.rule,), (self.toxic,), seed=1)
        first = self.sent(plan)
        again = self.sent(replace(plan, rules=(Rule(Delay(), "new"), self.rule)))
        self.assertIs(again.rules[1], first.rules[0])
        self.assertIs(again.toxics[0], first.toxics[0])
        self.assertIs(again.mix[0].rule, first.mix[0].rule)
        other = self.sent(replace(plan, rules=(replace(self.rule),), toxics=(replace(self.toxic),)))
        self.assertIsNot(other.rules[0], first.rules[0])
        self.assertIsNot(other.toxics[0], first.toxics[0])

    def test_counters(self) -> None:
        """Both sides mean the same counters."""
        arrived = self.sent(Plan(rules=(Rule(Delay(), "first"), self.rule), seed=1))
        self.ledger.tally_of(self.rule).fired = 4
        self.assertEqual(self.reader.tally_of(arrived.rules[1]).fired, 4)
        self.assertEqual(self.reader.tally_of(arrived.rules[0]).fired, 0)

    def test_keep(self) -> None:
        """The counters of rules that are gone are told apart, and may be given to others later."""
        first = Rule(Delay(), "first")
        slot = self.ledger.tally_of(first).slot
        self.sent(Plan(rules=(first, self.rule), seed=1))
        gone = self.ledger.keep(Plan(rules=(self.rule,)))
        self.assertEqual([tally.slot for tally in gone], [slot])
        self.assertNotEqual(self.ledger.tally_of(Rule(Delay())).slot, slot)
        self.ledger.give_back(gone)
        self.assertEqual(self.ledger.tally_of(Rule(Delay())).slot, slot)


class PlacesTests(SynchronousTestCase):
    """`places_of` and `registry_at`."""

    def test_there_and_back(self) -> None:
        """The classes are found again by their places; of protocols only the one in use."""
        names = registry()
        names.behaviors["made"] = Made
        names.behaviors["inner"] = Made.Inner
        found = registry_at(places_of(names, Tcp()))
        self.assertEqual(
            (found.protocols, found.behaviors, found.toxics), ({"tcp": Tcp}, names.behaviors, names.toxics)
        )

    def test_nowhere(self) -> None:
        """A class that others cannot import is refused with a reason."""

        class Local(Flaky, frozen=True, kw_only=True):
            """Of this function only."""

        names = registry()
        names.behaviors["flaky"] = Local
        error = self.assertRaises(ConfigError, places_of, names, Tcp())
        self.assertIn("cannot be imported by the workers; define the class in a module", str(error))
