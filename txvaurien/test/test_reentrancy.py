"""Whoever is told of something may change everything at once, and what waits may be let go at any moment."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, race
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.errors import ConfigError, RuleGone
from txvaurien.exchange import LiveExchange
from txvaurien.journals.reports import Observer
from txvaurien.model import Direction, Then
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.toxics.base import Stage, Toxic
from txvaurien.toxics.latency import Latency
from txvaurien.toxics.pause import Pause
from txvaurien.toxics.timeout import Timeout

UP, DOWN = Direction.TO_BACKEND, Direction.TO_CLIENT


def following(*rules: Rule) -> MemoryProxy:
    """A proxy with these rules."""
    return MemoryProxy(Plan(rules=rules, seed=1))


def under(*toxics: PlacedToxic, **options: Any) -> MemoryProxy:
    """A proxy with these toxics."""
    return MemoryProxy(Plan(toxics=toxics, seed=1), **options)


class WaiterTests(SynchronousTestCase):
    """Who waits for a rule to fire may do anything when it is told."""

    def test_asks_again(self) -> None:
        """It may wait for the next time; nobody is forgotten, nobody is told twice."""
        proxy = following(Rule(Error(kind="no"), name="e"))
        activation, told = proxy.proxy.rule("e"), list[str]()

        def tell(count: int, name: str) -> None:
            told.append(f"{name} {count}")

        def again(count: int) -> None:
            tell(count, "first")
            activation.when_fired(1).addCallback(tell, "at once")
            activation.when_fired(2).addCallback(tell, "again")

        activation.when_fired(1).addCallback(again)
        for name in ("second", "third"):
            activation.when_fired(1).addCallback(tell, name)
        client, _ = proxy.pair()
        client.says(b"get 1\n")
        proxy.pass_time()
        self.assertEqual(sorted(told), ["at once 1", "first 1", "second 1", "third 1"])
        client.says(b"get 2\n")
        proxy.pass_time()
        self.assertEqual(told[4:], ["again 2"])
        self.assertFalse(activation.awaited)

    def test_cancels_others(self) -> None:
        """It may send away somebody who would have been told next."""
        proxy = following(Rule(Delay(), name="d"))
        activation = proxy.proxy.rule("d")
        first, second, third = (activation.when_fired(1) for _ in range(3))

        def cancel(failure: Failure) -> Failure:
            second.cancel()
            return failure

        first.addErrback(cancel)
        proxy.proxy.remove_rule("d")
        self.failureResultOf(first, RuleGone)
        self.failureResultOf(second, CancelledError)
        self.failureResultOf(third, RuleGone)
        self.assertEqual(proxy.proxy.plan.rules, ())
        self.assertEqual(proxy.named("plan")[-1]["rules"], [])

    def test_dummy(self) -> None:
        """A rule that keeps others away and does nothing is worth waiting for as well."""
        proxy = following(Rule(Dummy(), name="d"), Rule(Error(kind="no")))
        fired = proxy.proxy.rule("d").when_fired(1)
        client, _ = proxy.pair()
        client.says(b"get 1\n")
        proxy.pass_time()
        self.assertEqual(self.successResultOf(fired), 1)

    def test_late_dummy(self) -> None:
        """Also if it is decided by the status of the reply."""
        # A dummy alone is nothing to decide about.
        proxy = following(Rule(Dummy(), name="d", status=("OK",)), Rule(Error(), verbs=frozenset({"SET"})))
        fired = proxy.proxy.rule("d").when_fired(1)
        client, backend = proxy.pair()
        client.says(b"get 1\n")
        backend.says(b"ok 1\n")
        proxy.pass_time()
        self.assertEqual(self.successResultOf(fired), 1)

    def test_sleepers_of_one_hook(self) -> None:
        """A hook that sleeps twice at once is let go although the first to wake cancels the other."""

        class Races(Behavior, frozen=True, kw_only=True):
            name: ClassVar[str] = "races"

            async def on_before_handle(self, exchange: LiveExchange) -> None:
                await race([exchange.sleep(10), exchange.sleep(20)])

        proxy = following(Rule(Races(), name="r"))
        client, backend = proxy.pair()
        client.says(b"get 1\n")
        proxy.proxy.remove_rule("r")
        self.assertEqual(backend.received, b"get 1\n")
        self.assertEqual([each["rules"] for each in proxy.named("plan")], [[]])
        self.assertEqual(proxy.reactor.getDelayedCalls(), [])


class NestedPlanTests(SynchronousTestCase):
    """A plan may be set while another one is being set."""

    def expiries(self, proxy: MemoryProxy) -> int:
        """How many rules have a time at which they end."""
        return len(proxy.reactor.getDelayedCalls())

    def test_by_an_observer(self) -> None:
        """Each rule begins once, and leaves nothing when it is removed."""
        proxy = MemoryProxy()

        def adds(event: str, link: int, fields: dict[str, Any]) -> None:
            if event == "plan" and len(proxy.proxy.plan.rules) == 1:
                proxy.proxy.add_rule(Rule(Delay(), name="inner", lifetime=5.0))

        proxy.proxy.observers.append(adds)
        proxy.proxy.add_rule(Rule(Delay(), name="outer", lifetime=7.0))
        self.assertEqual([rule.name for rule in proxy.proxy.plan.rules], ["outer", "inner"])
        self.assertEqual(self.expiries(proxy), 2)
        proxy.pass_time(6.0)
        self.assertEqual(proxy.named("expired"), [{"rule": "inner"}])
        proxy.proxy.set_plan(Plan())
        self.assertEqual(self.expiries(proxy), 0)

    def test_by_a_hook(self) -> None:
        """One that is let go sets a plan: it holds, its rules begin once, and it is told of last."""

        class Adds(Behavior, frozen=True, kw_only=True):
            name: ClassVar[str] = "adds"

            async def on_before_handle(self, exchange: LiveExchange) -> None:
                await exchange.sleep()
                proxy.proxy.add_rule(Rule(Delay(), name="inner", lifetime=5.0))

        proxy = following(Rule(Adds(), name="outer"))
        client, backend = proxy.pair()
        client.says(b"get 1\n")
        proxy.proxy.remove_rule("outer")
        self.assertEqual(backend.received, b"get 1\n")
        self.assertEqual([rule.name for rule in proxy.proxy.plan.rules], ["inner"])
        self.assertEqual([rule["name"] for rule in proxy.named("plan")[-1]["rules"]], ["inner"])
        self.assertEqual(self.expiries(proxy), 1)
        proxy.proxy.remove_rule("inner")
        self.assertEqual(self.expiries(proxy), 0)

    def test_removed_at_once(self) -> None:
        """Who adds a rule that an observer does not suffer learns that it is not there."""
        proxy = MemoryProxy()

        def removes(event: str, link: int, fields: dict[str, Any]) -> None:
            if event == "plan" and proxy.proxy.plan.rules:
                proxy.proxy.remove_rule("x")

        proxy.proxy.observers.append(removes)
        error = self.assertRaises(ConfigError, proxy.proxy.add_rule, Rule(Delay(), name="x", lifetime=1.0))
        self.assertIn("there is no rule 'x'", str(error))
        self.assertEqual(self.expiries(proxy), 0)

    def test_option_without_json_form(self) -> None:
        """A plug-in's option may be anything: it is shown as it can be, and the rule works in full."""

        class Calls(Behavior, frozen=True, kw_only=True):
            name: ClassVar[str] = "calls"
            what: Any = None

            def on_before_handle(self, exchange: LiveExchange) -> None:
                self.what(exchange.number)

        proxy, called = MemoryProxy(), list[int]()
        client, backend = proxy.pair()
        proxy.proxy.add_rule(Rule(Calls(what=called.append), name="c", lifetime=3.0))
        client.says(b"get 1\n")
        self.assertEqual((called, backend.received, self.expiries(proxy)), ([1], b"get 1\n", 1))
        self.assertEqual(proxy.named("fired")[0]["options"], {"what": repr(called.append)})

    def test_stage_that_fails_to_let_go(self) -> None:
        """It is logged, and all other toxics of all links are taken away as asked."""

        class FailingStage(Stage):
            def release(self) -> None:
                raise ZeroDivisionError

        class Failing(Toxic, frozen=True, kw_only=True):
            name: ClassVar[str] = "failing"
            stages: ClassVar[type[Stage]] = FailingStage

        proxy = under(PlacedToxic(Failing(), DOWN), PlacedToxic(Pause(), UP))
        pairs = [proxy.pair() for _ in range(2)]
        for client, _ in pairs:
            client.says(b"get 1\n")
        proxy.proxy.set_plan(Plan())
        self.assertEqual([backend.received for _, backend in pairs], [b"get 1\n"] * 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        for link in proxy.links.values():
            self.assertFalse(link.chains.holding)


class ObserverTests(SynchronousTestCase):
    """Who only listens does no harm, and who does more is obeyed."""

    def observe(self, proxy: MemoryProxy, observer: Observer) -> None:
        """Tell this one of everything, before all others."""
        proxy.proxy.observers.insert(0, observer)

    def test_one_that_leaves(self) -> None:
        """The next one is told all the same."""
        proxy = MemoryProxy()

        def once(event: str, link: int, fields: dict[str, Any]) -> None:
            proxy.proxy.observers.remove(once)

        self.observe(proxy, once)
        proxy.client()
        self.assertEqual([event for event, _, _ in proxy.events], ["link-opened"])

    def test_one_that_fails(self) -> None:
        """It is logged; the next one is told, and what was begun is completed."""
        proxy = MemoryProxy()

        def fails(event: str, link: int, fields: dict[str, Any]) -> None:
            raise ZeroDivisionError

        self.observe(proxy, fails)
        proxy.proxy.add_rule(Rule(Error(kind="no"), name="e", lifetime=3.0))
        client, _ = proxy.pair()
        client.says(b"get 1\n")
        self.assertEqual(client.received, b"-no\n")
        proxy.pass_time(3.0)
        self.assertEqual([name for name, _, _ in proxy.events], ["plan", "link-opened", "fired", "expired"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 4)

    def test_toxic_taken_away_at_once(self) -> None:
        """On standing links and on new ones: nothing is held, and nothing is left in the way."""
        for standing in (True, False):
            proxy = MemoryProxy()

            def removes(event: str, link: int, fields: dict[str, Any], proxy: MemoryProxy = proxy) -> None:
                if event == "toxic":
                    proxy.proxy.remove_toxic("p")

            self.observe(proxy, removes)
            plan = Plan(toxics=(PlacedToxic(Pause(), DOWN, "p"),), seed=1)
            if not standing:
                proxy.proxy.set_plan(plan)
            client, backend = proxy.pair()
            proxy.proxy.set_plan(plan)
            client.says(b"get 1\n")
            backend.says(b"ok 1\n")
            self.assertEqual(client.received, b"ok 1\n")
            (link,) = proxy.links.values()
            self.assertIs(link.to_client.sink, link.client)
            self.assertFalse(link.chains.holding)

    def test_killed_when_a_toxic_is_taken(self) -> None:
        """The link is gone: it is not dialled for, and no delayed call is left."""
        proxy = under(PlacedToxic(Timeout(timeout=60_000), DOWN), idle_timeout=60.0)

        def kills(event: str, link: int, fields: dict[str, Any]) -> None:
            if event == "toxic":
                proxy.proxy.kill(Then.RESET)

        self.observe(proxy, kills)
        client = proxy.client()
        proxy.pass_time()
        self.assertEqual((client.ended, proxy.links, proxy.proxy.cap.links), ("rst", {}, set()))
        self.assertEqual((proxy.reactor.tcpClients, proxy.reactor.getDelayedCalls()), ([], []))

    def test_killed_when_opened(self) -> None:
        """So it is for one that does not come into being at all."""
        proxy = under(PlacedToxic(Latency(latency=5), DOWN), idle_timeout=60.0)

        def kills(event: str, link: int, fields: dict[str, Any]) -> None:
            if event == "link-opened":
                proxy.proxy.kill(Then.RESET)

        self.observe(proxy, kills)
        client = proxy.client()
        proxy.pass_time()
        self.assertEqual((client.ended, proxy.links), ("rst", {}))
        self.assertEqual((proxy.reactor.tcpClients, proxy.reactor.getDelayedCalls()), ([], []))
        self.assertEqual({name for name, _, _ in proxy.events}, {"killed", "link-closed", "link-opened"})

    def test_toxic_added_when_opened(self) -> None:
        """It takes the new link once."""
        proxy = MemoryProxy()

        def adds(event: str, link: int, fields: dict[str, Any]) -> None:
            if event == "link-opened":
                proxy.proxy.add_toxic(PlacedToxic(Latency(latency=1000), DOWN))

        self.observe(proxy, adds)
        client, backend = proxy.pair()
        client.says(b"get 1\n")
        backend.says(b"ok 1\n")
        proxy.pass_time(1.0)
        self.assertEqual((len(proxy.named("toxic")), client.received), (1, b"ok 1\n"))

    def test_toxic_changed_when_another_is_taken(self) -> None:
        """The latest options hold, although those before them are just being put to work."""
        proxy = under(PlacedToxic(Latency(latency=9000), DOWN, "a"))
        client, backend = proxy.pair()

        def changes(event: str, link: int, fields: dict[str, Any]) -> None:
            if event == "toxic" and fields["name"] == "b":
                proxy.proxy.replace_toxic(PlacedToxic(Latency(latency=2000), DOWN, "a"))

        self.observe(proxy, changes)
        changed, added = PlacedToxic(Latency(latency=5000), DOWN, "a"), PlacedToxic(Latency(), DOWN, "b")
        proxy.proxy.set_plan(Plan(toxics=(changed, added), seed=1))
        client.says(b"get 1\n")
        backend.says(b"ok 1\n")
        proxy.pass_time(2.0)
        self.assertEqual(client.received, b"ok 1\n")
