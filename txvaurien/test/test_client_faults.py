"""Rules, toxics and the rest, over both clients: awaitable, and blocking."""

from __future__ import annotations

from typing import cast

from treq.testing import StubTreq
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from txvaurien import Client, NotFired
from txvaurien.behaviors.delay import Delay
from txvaurien.client import AsyncClient, Requester
from txvaurien.clients import vocabulary
from txvaurien.clients.vocabulary import VaurienError
from txvaurien.control.service import ControlService
from txvaurien.planning.rulefields import RULE_OPTIONS
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.test.control_helpers import guarded, registry
from txvaurien.test.test_client import MemoryCase
from txvaurien.toxics.latency import Latency


class AsyncFaultTests(MemoryCase):
    """`AsyncClient`, against the real resource."""

    def test_rule(self) -> None:
        """A rule is added, tells what it counts, can be waited for, and is removed."""
        rule = self.run_now(self.client.add_rule("delay", sleep=2, verb="SET", for_=60))
        (standing,) = self.proxy.plan.rules
        self.assertEqual(
            (rule.name, standing.behavior, standing.lifetime), ("delay-1", Delay(sleep=2.0), 60.0)
        )
        activation = self.proxy.rule("delay-1")
        activation.count_match(activation.tally)
        activation.count_match(activation.tally)
        activation.count_fired(activation.tally)
        self.assertEqual((self.run_now(rule.matched()), self.run_now(rule.fired())), (2, 1))
        self.assertEqual(self.run_now(rule.wait()), 1)
        self.run_now(rule.remove())
        self.assertEqual(self.proxy.plan.rules, ())
        self.assertEqual(self.refused(rule.fired()).status, 404)

    def test_not_fired(self) -> None:
        """In vain is a TimeoutError, and a VaurienError, that says how often it has fired."""
        stub = StubTreq(guarded(self.proxy))
        client = AsyncClient(treq=cast(Requester, stub), reactor=self.clock)
        rule = self.run_now(client.add_rule("delay", position=0))
        waiting = Deferred.fromCoroutine(rule.wait(n=3, timeout=5))
        self.proxy.reactor.advance(5)
        stub.flush()
        error = self.failureResultOf(waiting, NotFired).value
        self.assertIsInstance(error, TimeoutError)
        self.assertIsInstance(error, VaurienError)
        self.assertEqual(error.fired, 0)
        self.assertEqual(str(error), "'delay-1' has fired 0 times in 5 seconds, not 3")

    def test_context(self) -> None:
        """At the end of the block it is gone, also if somebody else was faster, and whatever happened."""

        async def use() -> list[str]:
            async with await self.client.add_rule("delay verb=SET name=mine") as rule:
                names = [each["name"] for each in await self.client.rules()]
                self.assertEqual(names, [rule.name])
            async with await self.client.add_toxic("latency", latency=200, stream="upstream", toxicity=0.5):
                names += [each["name"] for each in await self.client.toxics()]
                await self.client.reset()
            return names

        self.assertEqual(self.run_now(use()), ["mine", "latency_upstream"])
        self.assertEqual((self.proxy.plan.rules, self.proxy.plan.toxics), ((), ()))

        async def fail() -> None:
            async with await self.client.add_rule("delay"):
                raise KeyError("mine")

        self.failureResultOf(Deferred.fromCoroutine(fail()), KeyError)
        self.assertEqual(self.proxy.plan.rules, ())

    def test_change(self) -> None:
        """Rules and toxics can be changed where they are."""
        self.run_now(self.client.add_rule("delay", sleep=2, name="a b"))
        self.run_now(self.client.change_rule("a b", sleep=3))
        self.assertEqual(self.run_now(self.client.rule("a b"))["sleep"], 3.0)
        toxic = self.run_now(self.client.add_toxic("latency", latency=2))
        self.run_now(toxic.change(latency=4))
        self.assertEqual(self.proxy.plan.toxics[0].toxic, Latency(latency=4))
        self.run_now(toxic.remove())
        self.assertEqual(self.proxy.plan.toxics, ())

    def test_attributes(self) -> None:
        """The attributes of toxics are told as the options of behaviors are."""
        (first, *_) = self.run_now(self.client.list_attributes())["latency"]
        self.assertEqual((first["name"], first["type"], first["default"]), ("latency", "int", 0))

    def test_plan(self) -> None:
        """A whole plan is read and set."""
        self.run_now(self.client.add_rule("delay"))
        plan = self.run_now(self.client.plan())
        self.run_now(self.client.set_plan({}))
        self.assertEqual(self.proxy.plan.rules, ())
        self.run_now(self.client.set_plan(plan))
        self.assertEqual(self.run_now(self.client.plan()), plan)

    def test_actions_and_links(self) -> None:
        """Actions stand until they are stopped; with no link there is none to be killed."""
        self.run_now(self.client.start_action("half_open"))
        self.run_now(self.client.start_action("kill_idle", idle=5))
        names = [each["action"] for each in self.run_now(self.client.actions())]
        self.assertEqual(names, ["half_open", "kill_idle"])
        for name in names:
            self.run_now(self.client.stop_action(name))
        self.assertEqual(self.run_now(self.client.actions()), [])
        self.assertEqual(self.run_now(self.client.links()), [])
        self.assertEqual(self.run_now(self.client.kill(how="fin")), 0)
        self.assertEqual(self.refused(self.client.kill(3)).status, 404)
        self.run_now(self.client.set_backend("127.0.0.1:1", cut=True))

    def test_scenario(self) -> None:
        """A scenario is begun, paused, resumed and stopped."""
        self.assertEqual(self.run_now(self.client.scenario()), {"state": "none"})
        said = self.run_now(self.client.set_scenario("at 10s: delay for 5s"))
        self.assertEqual((said["state"], said["length"]), ("running", 15.0))
        self.assertEqual(self.run_now(self.client.pause_scenario())["state"], "paused")
        self.assertEqual(self.run_now(self.client.resume_scenario())["state"], "running")
        self.run_now(self.client.stop_scenario())

    def test_journal(self) -> None:
        """Records come from a number on, and can be filtered."""
        for _ in range(3):
            self.run_now(self.client.add_rule("delay"))
        self.assertEqual([each["n"] for each in self.run_now(self.client.journal(1))], [2, 3])
        self.assertEqual(len(self.run_now(self.client.journal(limit=1))), 1)
        self.assertEqual([each["n"] for each in self.run_now(self.client.journal(last=1))], [3])
        self.assertEqual(self.run_now(self.client.journal(event="fired")), [])


class BlockingFaultTests(TestCase):
    """`Client`, in a thread, against a control server on a real socket."""

    def setUp(self) -> None:
        self.proxy = Proxy("127.0.0.1:9", Tcp(), reactor=reactor)
        service = ControlService(Proxies.of(self.proxy, registry()), port=0, reactor=reactor)
        service.startService()
        self.addCleanup(service.stopService)
        self.port = service.port

    def blocking(self, client: Client) -> None:
        """Every method there is, as a test would use it."""
        with client.add_rule("delay", sleep=2, verb="SET", times=2) as rule:
            self.assertEqual((rule.name, rule.fired, rule.matched), ("delay-1", 0, 0))
            error = self.assertRaises(NotFired, rule.wait, n=1, timeout=0)
            self.assertEqual(error.fired, 0)
            client.change_rule(rule.name, times=None)
            self.assertNotIn("times", client.rules()[0])
        self.assertEqual(client.rules(), [])
        self.assertIn("latency", client.list_attributes())
        with client.add_toxic("latency", latency=200, stream="upstream") as toxic:
            toxic.change(latency=100)
            self.assertEqual(client.toxics()[0]["attributes"]["latency"], 100)
        with client.add_toxic("latency latency=5"), client.add_rule("error", position=0):
            plan = client.plan()
            client.reset()
        client.set_plan(plan)
        self.assertEqual(client.plan(), plan)
        client.start_action("half_open")
        client.start_action("kill_idle", idle=5)
        client.stop_action("half_open")
        self.assertEqual(client.actions(), [{"action": "kill_idle", "idle": 5.0, "how": "fin"}])
        self.assertEqual((client.links(), client.kill()), ([], 0))
        client.set_backend("127.0.0.1:8", cut=True)
        client.set_scenario("at 10s: delay for 5s")
        self.assertEqual(client.pause_scenario()["state"], "paused")
        self.assertEqual(client.resume_scenario()["state"], "running")
        client.stop_scenario()
        self.assertEqual(client.scenario(), {"state": "none"})
        last = client.journal()[-1]["n"]
        self.assertEqual(client.journal(last), [])
        self.assertRaises(VaurienError, client.remove_rule, "x")
        self.assertRaises(VaurienError, client.remove_toxic, "x")
        client.reset()

    async def test_all(self) -> None:
        """What is set is what is said."""
        await deferToThread(self.blocking, Client("localhost", self.port))
        self.assertEqual((self.proxy.plan.rules, self.proxy.plan.toxics), ((), ()))

    def test_numbers(self) -> None:
        """A shell knows which fields of rules are numbers without asking the server; each of them."""
        numbers = {each.name: each.kind for each in RULE_OPTIONS if each.kind != "str"}
        self.assertEqual(vocabulary.RULE_NUMBERS, numbers)

    def test_patience(self) -> None:
        """Who asks the server to wait gives it that much longer to answer."""
        self.assertEqual(vocabulary.wait_for_rule("r", 1, 60.0).patience, 60.0)
        self.assertEqual(vocabulary.get_rule("r").patience, 0.0)
