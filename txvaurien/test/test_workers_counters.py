"""What several processes count together; two plans on one memory stand in for two of them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.errors import ConfigError
from txvaurien.journals.reports import Stats
from txvaurien.model import Exchange, Message
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Address, Rule, Tallies
from txvaurien.workers import counters
from txvaurien.workers.counters import FaultCounter, PublishedStats, SharedCap, SharedTally, Slots, Standing
from txvaurien.workers.memory import Lock, Memory
from txvaurien.workers.sharedplan import SharedPlan

#: Counts in a slot as fast as it can: of what was read something else is made, and written.
_COUNTING = """
import sys
from txvaurien.workers.counters import SharedTally
from txvaurien.workers.memory import Memory
memory = Memory(int(sys.argv[1]))
tally = SharedTally(memory, 0)
for _ in range(5000):
    with tally.lock:
        tally.fired = tally.fired + 1
"""

#: Takes the lock of a slot, says so, and never gives it back.
_HOLDING = """
import signal, sys
from txvaurien.workers.counters import SharedTally
from txvaurien.workers.memory import Memory
SharedTally(Memory(int(sys.argv[1])), 0).lock.__enter__()
print("locked", flush=True)
signal.pause()
"""


class Facts:
    """A link, as far as rules see it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.client_ip: Address | None = None
        self.age = 0.0


class MemoryCase(SynchronousTestCase):
    """Tests with a memory of their own."""

    def setUp(self) -> None:
        self.memory = Memory.create()
        self.addCleanup(self.memory.close)

    def run_python(self, program: str) -> subprocess.Popen[str]:
        """A process that has the memory, too."""
        descriptor = self.memory.descriptor
        return subprocess.Popen(
            [sys.executable, "-c", program, str(descriptor)],
            pass_fds=[descriptor],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))},
        )


class LockTests(MemoryCase):
    """Between real processes."""

    def test_exact(self) -> None:
        """What many processes count at the same time is counted exactly."""
        processes = [self.run_python(_COUNTING) for _ in range(4)]
        for each in processes:
            self.assertEqual((each.communicate()[0], each.returncode), ("", 0))
        self.assertEqual(SharedTally(self.memory, 0).fired, 20_000)

    def test_dead_owner(self) -> None:
        """A process that is killed while it has the lock takes nobody with it."""
        holder = self.run_python(_HOLDING)
        assert holder.stdout is not None
        self.assertEqual(holder.stdout.readline(), "locked\n")
        holder.kill()
        holder.communicate()
        with SharedTally(self.memory, 0).lock:
            pass

    def test_again(self) -> None:
        """Whoever has it may take it again, and has it until the last is given back."""
        taken: list[int] = []
        self.patch(fcntl, "lockf", lambda _, how, *__: taken.append(how))
        lock = Lock(self.memory, 0, 8)
        with lock:
            with lock:
                pass
            self.assertEqual(len(taken), 1)
        self.assertEqual(len(taken), 2)


class TallyTests(MemoryCase):
    """`SharedTally` and `Slots`."""

    def test_shared(self) -> None:
        """What one counts, the other reads, and other slots do not change."""
        one, other, third = (
            SharedTally(self.memory, 5),
            SharedTally(self.memory, 5),
            SharedTally(self.memory, 6),
        )
        one.matched, one.fired, one.capped = 3, 2, 1
        self.assertEqual((other.matched, other.fired, other.capped), (3, 2, 1))
        self.assertEqual((third.matched, third.fired, third.capped), (0, 0, 0))

    def test_detach(self) -> None:
        """Detached, it keeps its numbers, and counts where nobody else does."""
        one, other = SharedTally(self.memory, 5), SharedTally(self.memory, 5)
        one.fired = 2
        one.detach()
        one.fired += 1
        other.fired = 9
        self.assertEqual((one.fired, one.matched), (3, 0))

    def test_slots(self) -> None:
        """A slot that was given back is taken again, and begins at zero."""
        slots = Slots(self.memory)
        first, second = slots.take(), slots.take()
        first.fired = 4
        slots.give_back(first)
        again = slots.take()
        self.assertEqual((second.slot, again.slot, again.fired, first.fired), (1, first.slot, 0, 4))

    def test_too_many(self) -> None:
        """When there is none left, the error says what to do."""
        self.patch(counters, "MOST_RULES", 1)
        slots = Slots(self.memory)
        slots.take()
        error = self.assertRaises(ConfigError, slots.take)
        self.assertIn("leave --workers out", str(error))


class StatsTests(MemoryCase):
    """`PublishedStats`."""

    def test_sum(self) -> None:
        """The workers' numbers are summed, and one that takes another's place goes on from there."""
        one, other = PublishedStats(self.memory, 0), PublishedStats(self.memory, 1)
        one.links += 2
        other.links += 3
        other.bytes_to_client += 10
        self.assertEqual(self.memory.stats(2), Stats(links=5, bytes_to_client=10))
        heir = PublishedStats(self.memory, 1)
        heir.links += 1
        self.assertEqual(self.memory.stats(2).links, 6)


class CapTests(MemoryCase):
    """`SharedCap` over two workers."""

    def setUp(self) -> None:
        super().setUp()
        self.counters = [FaultCounter(self.memory, number) for number in (0, 1)]
        self.caps = [SharedCap(2, counter) for counter in self.counters]
        self.live: list[Standing[str]] = [Standing(counter) for counter in self.counters]

    def test_over_all(self) -> None:
        """The faults of one worker count for the other."""
        self.assertFalse(self.caps[0].full(0))
        self.live[0].add("a")
        self.assertFalse(self.caps[1].full(0))
        self.live[1].add("b")
        self.assertEqual([cap.full(0) for cap in self.caps], [True, True])
        self.live[0].discard("a")
        self.assertFalse(self.caps[1].full(0))

    def test_reserved(self) -> None:
        """Between asking and beginning nobody else gets the place."""
        self.live[0].add("a")
        self.assertFalse(self.caps[0].full(0))
        self.assertTrue(self.caps[1].full(0))

    def test_not_used(self) -> None:
        """A place that was reserved for what is there already is free again, and so is one never used."""
        self.caps[0].links.add(3)
        self.caps[0].full(0)
        self.caps[0].links.add(3)
        self.assertEqual(self.memory.faults(), 1)
        self.caps[0].full(0)
        self.caps[0].full(0)
        self.assertEqual(self.memory.faults(), 2)

    def test_twice(self) -> None:
        """What goes twice goes once."""
        self.live[0].add("a")
        self.live[0].discard("a")
        self.live[0].discard("a")
        self.assertEqual(self.memory.faults(), 0)

    def test_death(self) -> None:
        """A dead worker has no faults."""
        self.live[0].add("a")
        self.live[1].add("b")
        self.memory.forget_faults(0)
        self.assertEqual(self.memory.faults(), 1)

    def test_no_cap(self) -> None:
        """Where there is no cap there is always room."""
        cap = SharedCap(None, self.counters[0])
        self.assertFalse(cap.full(10**6))


class PlanTests(MemoryCase):
    """`SharedPlan`: two of them, as two workers have them."""

    def plans(self, plan: Plan) -> list[SharedPlan]:
        """The plan at work, twice."""
        rules = [*plan.rules, *(share.rule for share in plan.mix)]

        def tally_of(rule: Rule) -> SharedTally:
            return SharedTally(self.memory, rules.index(rule))

        return [
            SharedPlan(
                plan, Tcp(), "proxy", None, SharedCap(None, counter), tally_of=tally_of, faults=counter
            )
            for counter in (FaultCounter(self.memory, 0), FaultCounter(self.memory, 1))
        ]

    def fires(self, plan: SharedPlan, number: int, tallies: Tallies | None = None) -> bool:
        """Whether a rule fires on exchange `number` of link 1."""
        exchange = Exchange(Message())
        exchange.number = number
        return plan.verdict(Facts(1), exchange, {} if tallies is None else tallies) is not None

    def test_times(self) -> None:
        """A rule fires so often over all workers, and everybody knows how often."""
        one, other = self.plans(Plan(rules=(Rule(Delay(), "r", after=1, times=2),), seed=1))
        fired = [self.fires(plan, number) for number, plan in enumerate([one, other, one, other, one], 1)]
        self.assertEqual(fired, [False, True, True, False, False])
        self.assertEqual([plan.rules[0].tally.matched for plan in (one, other)], [5, 5])
        self.assertEqual([plan.rules[0].tally.fired for plan in (one, other)], [2, 2])

    def test_per_link(self) -> None:
        """What counts per link is each link's own; what is reported is the sum."""
        one, other = self.plans(Plan(rules=(Rule(Delay(), "r", times=1, per="link"),), seed=1))
        mine: Tallies = {}
        theirs: Tallies = {}
        fired = [self.fires(one, 1, mine), self.fires(other, 1, theirs), self.fires(one, 2, mine)]
        self.assertEqual(fired, [True, True, False])
        self.assertEqual((one.rules[0].tally.fired, one.rules[0].tally.matched), (2, 3))

    def test_mix(self) -> None:
        """The parts of a mix count together as well."""
        one, other = self.plans(Plan(mix=(Share(50.0, Rule(Delay())), Share(50.0, Rule(Dummy()))), seed=1))
        for number in range(1, 21):
            self.fires((one, other)[number % 2], number)
        delays, dummies = (activation for _, activation in other.mix)
        self.assertEqual(delays.tally.matched, 20)
        self.assertEqual(dummies.tally.fired, 0)
        self.assertTrue(0 < delays.tally.fired < 20)

    def test_misfire(self) -> None:
        """What has not fired after all is taken back for all."""
        one, other = self.plans(Plan(rules=(Rule(Delay(), "r", times=1),), seed=1))
        self.assertTrue(self.fires(one, 1))
        one.rules[0].count_fired(one.rules[0].tally, -1)
        self.assertTrue(self.fires(other, 2))
