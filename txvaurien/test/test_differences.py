"""What differs between two descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.net.addresses import parse_backend, parse_listen
from txvaurien.net.ends import Ends
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.faults import FaultReader
from txvaurien.planning.mix import Share
from txvaurien.process.definition import Definition
from txvaurien.process.limits import Limits
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule
from txvaurien.scenarios.scenario import Scenario, read_scenario
from txvaurien.settings.described import Described
from txvaurien.settings.differences import Differences, differences, going_on
from txvaurien.test.registries import Chatty, registry
from txvaurien.toxics.pause import Pause


def described(name: str = "a", scenario: Scenario | None = None, **fields: Any) -> Described:
    """A proxy."""
    before = Definition(name, parse_listen(":1"), parse_backend("h:1"), Tcp())
    return Described(replace(before, **fields), scenario)


def scenario(text: str) -> Scenario:
    """A scenario; what it plays is made anew each time."""
    return read_scenario(text, "x", FaultReader(registry(), Tcp()).read)


class DifferencesTests(SynchronousTestCase):
    """`differences`."""

    def found(self, before: list[Described], after: list[Described]) -> Differences:
        """What differs."""
        return differences({each.name: each for each in before}, after)

    def test_parts(self) -> None:
        """Each part of a proxy is told of by its name, and whether it takes another proxy."""
        changes: Mapping[str, tuple[dict[str, Any], bool]] = {
            "listen": ({"listen": parse_listen(":2")}, False),
            "backend": ({"backend": parse_backend("h:2")}, False),
            "protocol": ({"protocol": Chatty()}, True),
            "limits": ({"limits": Limits(timeout=5)}, True),
            "ends": ({"ends": Ends(tls="auto")}, True),
            "backlog": ({"backlog": 5}, True),
            "workers": ({"workers": 2}, True),
            "plan": ({"plan": Plan.only(Delay())}, False),
            "scenario": ({"scenario": scenario("at 1s: delay for 1s")}, False),
            "enabled": ({"enabled": False}, False),
        }
        for part, (fields, replaces) in changes.items():
            (change,) = self.found([described()], [described(**fields)]).changed
            self.assertEqual((change.parts, change.replaces), ((part,), replaces))
        known = set(Definition.__dataclass_fields__) - {"name", "busy_poll", "places"}
        self.assertEqual({*known, "scenario"}, set(changes))

    def test_options_of_the_protocol(self) -> None:
        """Other options of a protocol are another one."""
        before, after = described(protocol=Chatty()), described(protocol=Chatty(greeting="x"))
        self.assertEqual(self.found([before], [after]).told(), "changed a (protocol)")
        self.assertEqual(self.found([before], [described(protocol=Chatty())]).told(), "nothing differs")

    def test_workers_stay(self) -> None:
        """A proxy with workers cannot go elsewhere, so it takes another one."""
        before, after = described(workers=2), described(workers=2, listen=parse_listen(":2"))
        (change,) = self.found([before], [after]).changed
        self.assertTrue(change.replaces)

    def test_seed(self) -> None:
        """The seed is a part of the plan."""
        self.assertEqual(self.found([described()], [described(plan=Plan(seed=1))]).told(), "changed a (plan)")

    def test_scenario(self) -> None:
        """A scenario is the same if it says the same."""
        one = scenario("at 1s: delay for 1s\nat 3s: deaf for 1s\nat 5s: pause for 1s")
        same = scenario("at 1s: delay for 1s\nat 3s: deaf for 1s\nat 5s: pause for 1s")
        self.assertEqual(self.found([described(scenario=one)], [described(scenario=same)]).changed, ())
        other = scenario("at 1s: delay for 1s\nat 3s: deaf for 1s\nat 5s: pause for 2s")
        self.assertEqual(
            self.found([described(scenario=one)], [described(scenario=other)]).told(), "changed a (scenario)"
        )

    def test_text(self) -> None:
        """All of it is a line."""
        before = [described("a"), described("b", listen=parse_listen(":2"))]
        after = [described("a", enabled=False, plan=Plan(seed=1)), described("c", listen=parse_listen(":3"))]
        found = self.found(before, after)
        self.assertEqual(found.told(), "added c; removed b; changed a (plan, enabled)")
        self.assertEqual(found.told(["c", "a"]), "removed b; failed c, a")

    def test_crossing(self) -> None:
        """Who goes where another one was has to wait for that; others do not."""
        ports = {"a": 1, "b": 2, "c": 3, "d": 4}
        before = [described(name, listen=parse_listen(f":{port}")) for name, port in ports.items()]
        now = {"a": 2, "b": 5, "c": 4, "d": 3}
        after = [described(name, listen=parse_listen(f":{port}")) for name, port in now.items()]
        crossing = self.found(before, after).crossing
        self.assertEqual([each.after.name for each in crossing], ["a", "c", "d"])


class GoingOnTests(SynchronousTestCase):
    """`going_on`."""

    def test_same_objects(self) -> None:
        """What both plans have is that of the old one."""
        old, new = Rule(Delay(), "same"), Rule(Delay(), "same")
        toxic = PlacedToxic(Pause())
        now = Plan((Share(5.0, Rule(Delay())),), (old, Rule(Delay(), "gone")), (toxic,), 3)
        plan = Plan((Share(5.0, Rule(Delay())),), (Rule(Delay(), "new"), new), (PlacedToxic(Pause()),), 4)
        found = going_on(plan, now)
        self.assertEqual([rule.name for rule in found.rules], ["new", "same"])
        self.assertIs(found.rules[1], old)
        self.assertIs(found.mix, now.mix)
        self.assertEqual((found.toxics, found.seed), ((toxic,), 4))

    def test_otherwise(self) -> None:
        """What is otherwise is that of the new one."""
        now = Plan((Share(5.0, Rule(Delay())),), (Rule(Delay(), "x"),))
        plan = Plan((Share(6.0, Rule(Delay())),), (Rule(Delay(sleep=2.0), "x"),))
        found = going_on(plan, now)
        self.assertIs(found.rules[0], plan.rules[0])
        self.assertIs(found.mix, plan.mix)

    def test_steps(self) -> None:
        """What a scenario has added stays, unless the new plan has something of that name."""
        step, taken = Rule(Delay(), "scenario-1"), Rule(Delay(sleep=5.0), "scenario-2")
        toxic = PlacedToxic(Pause(), name="scenario-3")
        now = Plan(rules=(step, taken, Rule(Delay(), "live")), toxics=(toxic,))
        plan = Plan(rules=(Rule(Delay(), "scenario-2"),))
        found = going_on(plan, now, ["scenario-1", "scenario-2", "scenario-3", "scenario-4"])
        self.assertEqual(found.rules, (step, plan.rules[0]))
        self.assertEqual(found.toxics, (toxic,))
