"""A proxy in several processes: workers in memory, which do what real ones do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.actions import HalfOpen, KillIdle
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.errors import ConfigError
from txvaurien.journal import Journal
from txvaurien.link import Link
from txvaurien.model import Exchange, Message, Then
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.faults import FaultReader, describe_plan
from txvaurien.planning.mix import Share
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule
from txvaurien.scenarios.player import Player, ProxyTarget, State
from txvaurien.scenarios.scenario import read_scenario
from txvaurien.test.workers_memory import LivelyProcess, Processes, fleet, registry
from txvaurien.toxics.latency import Latency
from txvaurien.workers import wire
from txvaurien.workers.fleet import FleetProxy
from txvaurien.workers.serving import WorkerProxy


class FleetCase(SynchronousTestCase):
    """A proxy with two workers."""

    def setUp(self) -> None:
        self.start()

    def start(self, **options: Any) -> None:
        """Start it, with these options."""
        self.reactor = Processes(lively=True)
        self.fleet: FleetProxy = fleet(self.reactor, **options)
        self.addCleanup(self.stop, self.fleet, self.reactor)
        self.events: list[tuple[str, int, dict[str, Any]]] = []
        self.fleet.observers.append(lambda *event: self.events.append(event))

    def stop(self, proxy: FleetProxy, reactor: Processes) -> None:
        """End the workers."""
        stopped = proxy.stop()
        reactor.advance(1)
        self.successResultOf(stopped)

    @property
    def processes(self) -> list[LivelyProcess]:
        """Those that run."""
        return [each for each in self.reactor.started if each.pid is not None]

    @property
    def workers(self) -> list[WorkerProxy]:
        """Their proxies."""
        return [each.proxy for each in self.processes]

    def fires(self, worker: int, number: int = 1) -> bool:
        """Whether a rule fires on an exchange in this worker."""
        proxy = self.workers[worker]
        link = proxy.new_link("127.0.0.1:5")
        del proxy.links[link.number]
        exchange = Exchange(Message())
        exchange.number = number
        return proxy.active.verdict(link, exchange, {}) is not None


class PlanTests(FleetCase):
    """What is set in the master holds in every worker."""

    def test_set(self) -> None:
        """Mix, rules, toxics and seed are the same everywhere."""
        plan = Plan(
            (Share(5.0, Rule(Error())),),
            (Rule(Delay(sleep=3), "slow", target="a*"),),
            (PlacedToxic(Latency(latency=9)),),
        )
        self.fleet.set_plan(plan)
        self.assertEqual(len(self.workers), 2)
        for worker in self.workers:
            self.assertEqual(describe_plan(worker.plan), describe_plan(plan))
            self.assertEqual(worker.seed, self.fleet.seed)

    def test_refused(self) -> None:
        """What cannot be is refused before any worker hears of it, and nothing has changed."""
        before = self.fleet.plan
        told = [len(each.told) for each in self.processes]
        bad = Plan(rules=(Rule(Delay(), "good"), Rule(Error(kind="nonsense"), "bad")))
        self.assertRaises(ConfigError, self.fleet.set_plan, bad)
        self.assertIs(self.fleet.plan, before)
        self.assertEqual([len(each.told) for each in self.processes], told)

    def test_counters(self) -> None:
        """A rule fires so often over all workers; the master's report has the same numbers."""
        activation = self.fleet.add_rule(Rule(Delay(), "twice", times=2))
        self.assertEqual([self.fires(0), self.fires(1), self.fires(0)], [True, True, False])
        self.assertEqual((activation.tally.fired, activation.tally.matched), (2, 3))

    def test_kept(self) -> None:
        """A rule that stays in the plan keeps its counters in all workers."""
        self.fleet.add_rule(Rule(Delay(), "once", times=1))
        self.assertTrue(self.fires(0))
        self.fleet.add_toxic(PlacedToxic(Latency()))
        self.assertFalse(self.fires(1))
        self.fleet.set_plan(replace(self.fleet.plan, rules=tuple(map(replace, self.fleet.plan.rules))))
        self.assertTrue(self.fires(1))

    def test_removed(self) -> None:
        """A rule that is gone keeps what it counted, and nobody else's counters are its own."""
        gone = self.fleet.add_rule(Rule(Delay(), "first"))
        self.fires(0)
        theirs = self.workers[0].rule("first")
        self.fleet.remove_rule("first")
        new = self.fleet.add_rule(Rule(Delay(), "second"))
        theirs.count_fired(theirs.tally, -1)
        self.assertEqual((gone.tally.fired, new.tally.fired), (1, 0))

    def test_settled(self) -> None:
        """It has taken effect when the last worker says so."""
        self.processes[1].silent = True
        self.fleet.add_rule(Rule(Delay(), "r"))
        settled = ensureDeferred(self.fleet.settled())
        self.assertNoResult(settled)
        self.processes[1].silent = False
        self.processes[1].answer()
        self.successResultOf(settled)

    def test_lifetime(self) -> None:
        """The master counts the time of a rule, once for all, and tells of it once."""
        self.fleet.add_rule(Rule(Delay(), "short", lifetime=5))
        self.reactor.advance(4)
        self.assertTrue(self.fires(1))
        self.reactor.advance(1)
        self.assertEqual([self.fires(0), self.fires(1)], [False, False])
        self.assertEqual([event for event, _, _ in self.events], ["plan", "expired"])

    def test_waiting(self) -> None:
        """Who waits for a rule is told when it has fired often enough, wherever that was."""
        activation = self.fleet.add_rule(Rule(Delay(), "r"))
        waiting = activation.when_fired(2)
        for worker in (0, 1):
            self.assertNoResult(waiting)
            self.fires(worker)
            fields = {"rule": "r", "behavior": "delay"}
            self.processes[worker].say(wire.Event("fired", 1, fields))
            self.reactor.advance(0)
        self.assertEqual(self.successResultOf(waiting), 2)

    def test_misfire(self) -> None:
        """What has misfired in a worker, and why, is in the master's report."""
        activation = self.fleet.add_rule(Rule(Delay(), "r"))
        self.fires(0)
        theirs = self.workers[0].rule("r")
        theirs.count_misfire(theirs.tally, "no such thing")
        self.processes[0].say(wire.Event("misfired", 1, {"rule": "r", "why": "no such thing", "told": False}))
        self.assertEqual(
            (activation.tally.fired, activation.tally.misfired, activation.misfire), (0, 1, "no such thing")
        )

    def test_cap(self) -> None:
        """There are so many faults at one time over all workers, not in each."""
        self.start(max_active_faults=1)
        activation = self.fleet.add_rule(Rule(Delay(), "r"))
        self.assertTrue(self.fires(0))
        self.workers[0].rule("r").live.add(object())  # type: ignore[arg-type]
        self.assertFalse(self.fires(1))
        self.assertEqual(activation.tally.capped, 1)

    def test_scenario(self) -> None:
        """A scenario is played in all workers, and nothing of it is left."""
        reader = FaultReader(registry(), Tcp())
        scenario = read_scenario("at 0s: delay for 5s\n", "text", reader.read)
        player = Player(scenario, ProxyTarget(self.fleet), self.reactor)
        player.start()
        self.assertEqual([len(worker.plan.rules) for worker in self.workers], [1, 1])
        self.reactor.advance(5)
        self.assertEqual([len(worker.plan.rules) for worker in self.workers], [0, 0])
        self.assertIs(player.state, State.DONE)

    def test_panic(self) -> None:
        """Every fault is removed from every worker."""
        self.fleet.set_plan(Plan.only(Delay()))
        self.successResultOf(ensureDeferred(self.fleet.actions.start(HalfOpen())))
        self.successResultOf(ensureDeferred(self.fleet.panic()))
        self.assertEqual([worker.plan.mix for worker in self.workers], [(), ()])
        self.assertEqual([worker.half_open for worker in self.workers], [False, False])


class LinkTests(FleetCase):
    """Links are in the workers."""

    def setUp(self) -> None:
        super().setUp()
        for number, worker in enumerate(self.workers, 1):
            worker._number = number
            worker.new_link(f"127.0.0.{number}:5")

    def test_describe(self) -> None:
        """All links, the oldest first; or one, wherever it is."""
        links = self.successResultOf(ensureDeferred(self.fleet.describe_links()))
        self.assertEqual(
            [(link["id"], link["client"]) for link in links], [(1, "127.0.0.1:5"), (2, "127.0.0.2:5")]
        )
        [link] = self.successResultOf(ensureDeferred(self.fleet.describe_links(2)))
        self.assertEqual(link["id"], 2)
        self.assertEqual(self.successResultOf(ensureDeferred(self.fleet.describe_links(3))), [])

    def test_kill(self) -> None:
        """One or all of them, in the way that was asked for."""
        self.fleet.kill(Then.CLOSE, 2)
        self.assertEqual(self.processes[0].told[-1], wire.Kill("close", 2))
        self.assertEqual(
            [event for event in self.events if event[0] == "killed"], [("killed", 2, {"how": "close"})]
        )
        self.fleet.kill()
        self.assertEqual(self.processes[1].told[-1], wire.Kill("reset"))
        self.assertEqual([link for event, link, _ in self.events if event == "killed"], [2, 1])

    def test_stats(self) -> None:
        """What workers have counted is summed, that of the dead included."""
        self.workers[1].stats.exchanges += 5
        self.processes[1].end(signal=9)
        self.reactor.advance(1)
        self.workers[1].stats.exchanges += 2
        self.assertEqual((self.fleet.stats.links, self.fleet.stats.exchanges), (2, 7))

    def test_backend(self) -> None:
        """New links go elsewhere, in all workers; it is told of once."""
        self.fleet.set_backend("localhost:7000", cut=True)
        self.assertEqual([worker.backend.text for worker in self.workers], ["localhost:7000"] * 2)
        self.assertEqual([event for event, _, _ in self.events], ["backend", "killed", "killed"])

    def test_journal(self) -> None:
        """What happens to links is in the master's journal, in the order in which it happened."""
        journal = Journal(self.reactor)
        journal.attach(self.fleet)
        self.processes[0].say(wire.Event("link-opened", 1, {}), wire.Event("link-closed", 1, {"how": "fin"}))
        self.processes[1].say(wire.Event("opaque", 2, {"why": "x"}))
        told = [(record.event, record.link) for record in journal.since(0)]
        self.assertEqual(told, [("link-opened", 1), ("link-closed", 1), ("opaque", 2)])
        journal.detach(self.fleet)

    def test_lost_events(self) -> None:
        """Events that a worker could not tell of are counted, and waiters are told all the same."""
        activation = self.fleet.add_rule(Rule(Delay(), "r"))
        waiting = activation.when_fired(1)
        self.fires(0)
        with capturedLogs():
            self.processes[0].say(wire.Dropped(12))
        self.reactor.advance(0)
        self.assertEqual(self.events[-1], ("events-lost", 0, {"worker": 0, "count": 12}))
        self.successResultOf(waiting)

    def test_log(self) -> None:
        """What a worker logs is in the master's log, with its level and its namespace."""
        with capturedLogs() as events:
            self.processes[0].say(wire.Logged("warn", "txvaurien.links.dialling", "{odd} braces"))
        [event] = events
        self.assertEqual(
            (formatEvent(event), event["log_level"], event["log_namespace"]),
            ("{odd} braces", LogLevel.warn, "txvaurien.links.dialling"),
        )


class ActionTests(FleetCase):
    """Actions that are done to links."""

    def test_on_and_off(self) -> None:
        """They begin and end in every worker."""
        self.successResultOf(ensureDeferred(self.fleet.actions.start(HalfOpen())))
        self.assertEqual([worker.half_open for worker in self.workers], [True, True])
        self.assertIn("half_open", self.fleet.actions.standing)
        self.successResultOf(ensureDeferred(self.fleet.actions.stop("half_open")))
        self.assertEqual([worker.half_open for worker in self.workers], [False, False])
        self.assertEqual([event for event, _, _ in self.events], ["action", "action"])

    def test_options(self) -> None:
        """With their options."""
        self.successResultOf(ensureDeferred(self.fleet.actions.start(KillIdle(idle=7, how="rst"))))
        worker = self.workers[0]
        worker.new_link("127.0.0.1:5")
        killed: list[Then] = []
        self.patch(Link, "kill", lambda link, how, *_: killed.append(how))
        self.reactor.advance(6.5)
        self.assertEqual(killed, [])
        self.reactor.advance(1)
        self.assertEqual(killed[:1], [Then.RESET])


class DeathTests(FleetCase):
    """A worker dies."""

    def die(self, number: int) -> LivelyProcess:
        """It dies, and another one takes its place."""
        self.reactor.advance(5)
        with capturedLogs() as events:
            self.processes[number].end(signal=9)
        self.assertIn("has died (signal 9)", "".join(map(str, map(formatEvent, events))))
        last: LivelyProcess = self.reactor.started[-1]
        return last

    def test_same_plan(self) -> None:
        """The new one has the plan as it is now, its counters, and what has expired has expired."""
        self.fleet.set_plan(
            Plan(rules=(Rule(Dummy(), "short", lifetime=2), Rule(Delay(), "twice", times=2)), seed=1)
        )
        self.reactor.advance(2)
        self.assertTrue(self.fires(1))
        heir = self.die(1).proxy
        self.assertEqual(describe_plan(heir.plan), describe_plan(self.fleet.plan))
        self.assertTrue(heir.rule("short").expired)
        self.assertEqual([self.fires(1), self.fires(1)], [True, False])

    def test_same_actions(self) -> None:
        """Actions that stand for links stand there, too, and end there."""
        self.successResultOf(ensureDeferred(self.fleet.actions.start(HalfOpen())))
        heir = self.die(0).proxy
        self.assertTrue(heir.half_open)
        self.successResultOf(ensureDeferred(self.fleet.actions.stop("half_open")))
        self.assertFalse(heir.half_open)

    def test_same_backend(self) -> None:
        """So is the backend."""
        self.fleet.set_backend("localhost:7000")
        self.assertEqual(self.die(0).proxy.backend.text, "localhost:7000")

    def test_while_setting(self) -> None:
        """Whoever waits for a change to take effect does not wait for the dead."""
        self.processes[1].silent = True
        self.fleet.add_rule(Rule(Delay(), "r"))
        settled = ensureDeferred(self.fleet.settled())
        self.die(1)
        self.successResultOf(settled)

    def test_told(self) -> None:
        """The journal has it, with the links that are gone."""
        self.fleet._crew.workers[1].links |= {4, 2}
        self.die(1)
        self.assertEqual(self.events, [("worker-died", 0, {"worker": 1, "why": "signal 9", "links": [2, 4]})])


class OptionTests(SynchronousTestCase):
    """What workers are given."""

    def begin(self, **options: Any) -> list[wire.Begin]:
        """What three workers are told first."""
        reactor = Processes()
        proxy = fleet(reactor, workers=3, **options)
        begun = [process.told[0] for process in reactor.started]
        stopped = proxy.stop()
        for process in reactor.started:
            process.end()
        self.successResultOf(stopped)
        return begun

    def test_same(self) -> None:
        """All options of the proxy are theirs as well."""
        for begun in self.begin(idle_timeout=3.0, on_desync="close", name="mine", log_level="warning"):
            self.assertEqual(begun.options, {"idle_timeout": 3.0, "on_desync": "close"})
            self.assertEqual((begun.name, begun.log_level), ("mine", "warn"))

    def test_pool(self) -> None:
        """The places of the pool are divided among them."""
        self.assertEqual([begun.options["pool_max_size"] for begun in self.begin(pool_max_size=5)], [2, 2, 1])

    def test_small_pool(self) -> None:
        """There is one for each at least."""
        error = self.assertRaises(ConfigError, self.begin, pool_max_size=2)
        self.assertIn("--pool-max-size: 3 workers cannot share 2 backend connections", str(error))
