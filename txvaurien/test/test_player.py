"""Playing scenarios: when faults come and go, and that nothing of it is left."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.actions import ACTIONS, Action
from txvaurien.errors import ConfigError
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning import faults
from txvaurien.planning.faults import Fault
from txvaurien.protocols.redis import Redis
from txvaurien.rules import Rule
from txvaurien.scenarios.player import FAILURES_KEPT, Player, ProxyTarget, State
from txvaurien.test.memory import MemoryProxy
from txvaurien.test.test_faults import BEHAVIORS, Muddy, Ring
from txvaurien.test.test_scenario import read


class Stage:
    """A target that writes down what is done to it, and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.log: list[tuple[float, str, str]] = []
        self.told: list[dict[str, Any]] = []
        self.set: dict[str, Fault] = {}
        self.added: list[Fault] = []
        #: What adding and removing by name do instead of being done at once.
        self.slow: dict[tuple[str, str], Deferred[None]] = {}
        self.broken: dict[tuple[str, str], Exception] = {}

    def add(self, fault: Fault) -> Deferred[None] | None:
        """Set it, unless it is there."""
        assert fault.name not in self.set
        return self._do("add", fault)

    def remove(self, fault: Fault) -> Deferred[None] | None:
        """Take it away."""
        assert self.set[fault.name] is fault
        return self._do("remove", fault)

    def _do(self, what: str, fault: Fault) -> Deferred[None] | None:
        self.log.append((round(self.clock.seconds(), 6), what, fault.name))
        if (what, fault.name) in self.broken:
            raise self.broken[what, fault.name]
        if what == "add":
            self.set[fault.name] = fault
            self.added.append(fault)
        else:
            del self.set[fault.name]
        return self.slow.get((what, fault.name))

    def tell(self, fields: dict[str, Any]) -> None:
        """The journal."""
        self.told.append(fields)


class PlayerCase(SynchronousTestCase):
    """A scenario on a clock."""

    def setUp(self) -> None:
        self.patch(faults, "ACTIONS", {"ring": Ring})
        self.clock = Clock()
        self.stage = Stage(self.clock)

    def play(self, text: str) -> Player:
        """A player that has been started."""
        player = Player(read(text), self.stage, self.clock)
        player.start()
        return player

    def done(self, player: Player) -> None:
        """It is over, and nothing is left: no fault, no delayed call."""
        self.assertIs(player.state, State.DONE)
        self.successResultOf(player.when_done())
        self.assertEqual(self.stage.set, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(player.status()["active"], [])
        self.assertIsNone(player.status()["next"])

    def told(self) -> list[str]:
        """What was told, in a word each."""
        return [str(fields["what"]) for fields in self.stage.told]


class TimeTests(PlayerCase):
    """When things happen."""

    def test_steps(self) -> None:
        """Each begins and ends when it is time, however the clock ticks."""
        player = self.play("at 10s: blackout for 5s\nat 12s: delay for 1s\nat 20s: end")
        self.clock.pump([0.25] * 80)
        self.assertEqual(
            self.stage.log,
            [
                (10.0, "add", "scenario-1"),
                (12.0, "add", "scenario-2"),
                (13.0, "remove", "scenario-2"),
                (15.0, "remove", "scenario-1"),
            ],
        )
        self.done(player)

    def test_at_once(self) -> None:
        """A step at 0 begins when the scenario is started."""
        self.play("at 0s: blackout for 5s")
        self.assertEqual(list(self.stage.set), ["scenario-1"])

    def test_end_of_the_round(self) -> None:
        """It is over at `end`, not when the last step is."""
        player = self.play("at 0s: blackout for 5s\nat 20s: end")
        self.clock.advance(19.99)
        self.assertIs(player.state, State.RUNNING)
        self.assertNoResult(player.when_done())
        self.clock.advance(0.01)
        self.done(player)

    def test_no_drift(self) -> None:
        """Times are those of the start: a late clock does not make what follows later."""
        self.play("every 1s until 5s: blackout for 500ms\nat 5s: end\nrepeat 2")
        self.clock.pump([0.25, 0.875, 0.375])  # the first end comes 0.625 s late
        self.assertEqual([moment for moment, _, _ in self.stage.log], [0.0, 1.125, 1.125, 1.5])
        self.clock.pump([0.25] * 40)
        begins = [moment for moment, what, _ in self.stage.log if what == "add"]
        self.assertEqual(begins[2:], [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])

    def test_a_clock_that_leaps(self) -> None:
        """Everything that was missed is done in order, and nothing is left."""
        player = self.play("at 1s: blackout for 5s\nat 2s: delay for 1s\nrepeat 2")
        self.clock.advance(100)
        names = [(what, name) for _, what, name in self.stage.log]
        one, two = "scenario-1", "scenario-2"
        once = [("add", one), ("add", two), ("remove", two), ("remove", one)]
        self.assertEqual(names, once * 2)
        self.done(player)

    def test_rounds(self) -> None:
        """What lasts until the end of a round is set anew in the next one."""
        player = self.play("at 0s: delay\nat 10s: end\nrepeat 3")
        for number in (1, 2, 3):
            self.assertEqual(player.status()["round"], number)
            self.clock.pump([1.0] * 10)
        self.assertEqual(
            [(moment, what) for moment, what, _ in self.stage.log],
            [(0, "add"), (10, "remove"), (10, "add"), (20, "remove"), (20, "add"), (30, "remove")],
        )
        self.done(player)

    def test_forever(self) -> None:
        """Without end it goes on until it is stopped."""
        player = self.play("at 1s: delay for 1s\nrepeat forever")
        self.clock.pump([1.0] * 1001)
        self.assertEqual(player.status()["round"], 501)
        self.assertEqual(len(self.stage.log), 1001)
        self.successResultOf(player.stop())
        self.done(player)

    def test_each_activation_is_new(self) -> None:
        """Counters begin at zero each time: it is another rule object, and another toxic."""
        self.play("at 0s: delay for 1s\nat 0s: muddy for 1s\nrepeat 2")
        self.clock.pump([1.0] * 2)
        self.assertEqual(len({id(fault) for fault in self.stage.added}), 4)
        self.assertEqual([fault.name for fault in self.stage.added], ["scenario-1", "scenario-2"] * 2)

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=6),
        st.lists(st.integers(1, 2000).map(lambda ticks: ticks / 64), max_size=20),
    )
    def test_any(self, spans: list[tuple[int, int]], ticks: list[float]) -> None:
        """At every moment exactly those steps are set whose time it is; in the end, none."""
        self.setUp()
        text = "".join(f"at {begin}s: delay for {duration}s\n" for begin, duration in spans)
        player = self.play(text)
        for tick in [*ticks, 1000.0]:
            self.clock.advance(tick)
            now = self.clock.seconds()
            due = {
                f"scenario-{line}"
                for line, (begin, duration) in enumerate(spans, 1)
                if begin <= now < begin + duration
            }
            self.assertEqual(set(self.stage.set), due)
        self.done(player)


class PauseTests(PlayerCase):
    """Time that stands still."""

    def test_pause(self) -> None:
        """What is active stays active, nothing begins or ends, and later all is later by that time."""
        player = self.play("at 1s: delay for 4s\nat 3s: blackout for 1s")
        self.clock.pump([1.0, 1.0])
        player.pause()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(100)
        self.assertEqual(list(self.stage.set), ["scenario-1"])
        self.assertEqual((player.status()["state"], player.status()["elapsed"]), ("paused", 2.0))
        player.resume()
        self.clock.pump([0.5] * 6)
        self.assertEqual(
            self.stage.log,
            [
                (1.0, "add", "scenario-1"),
                (103.0, "add", "scenario-2"),
                (104.0, "remove", "scenario-2"),
                (105.0, "remove", "scenario-1"),
            ],
        )
        self.done(player)

    def test_twice(self) -> None:
        """Pausing what is paused, and resuming what runs, changes nothing."""
        player = self.play("at 1s: delay for 4s")
        player.resume()
        for _ in range(2):
            player.pause()
            self.clock.advance(1)
        player.resume()
        self.clock.advance(1)
        self.assertEqual(self.stage.log, [(3.0, "add", "scenario-1")])

    def test_not_started_and_over(self) -> None:
        """Before the start and after the end there is nothing to pause."""
        player = Player(read("at 1s: delay for 4s"), self.stage, self.clock)
        player.pause()
        player.resume()
        self.assertIs(player.state, State.READY)
        player.stop()
        player.pause()
        self.done(player)

    def test_stop(self) -> None:
        """What is paused can be stopped."""
        player = self.play("at 1s: delay for 4s")
        self.clock.advance(2)
        player.pause()
        self.successResultOf(player.stop())
        self.done(player)


class EndTests(PlayerCase):
    """However it ends, nothing is left."""

    def test_stop(self) -> None:
        """Everything that is set is removed before `stop` fires, in the order in which it came."""
        player = self.play("at 0s: delay for 4s\nat 1s: muddy for 9s\nat 1s: ring for 9s")
        self.clock.advance(2)
        self.successResultOf(player.stop())
        self.assertEqual(
            [name for _, what, name in self.stage.log if what == "remove"],
            ["scenario-1", "scenario-2", "ring"],
        )
        self.done(player)

    def test_stop_waits(self) -> None:
        """It fires when the last one is really gone, for everybody who asked."""
        player = self.play("at 0s: ring for 4s\nat 0s: delay for 4s")
        going = self.stage.slow["remove", "ring"] = Deferred()
        first, second = player.stop(), player.stop()
        self.assertIs(player.state, State.ENDING)
        self.assertNoResult(first)
        going.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.done(player)

    def test_who_waited_may_give_up(self) -> None:
        """A cancelled Deferred is forgotten."""
        player = self.play("at 0s: ring for 4s")
        waiting = player.when_done()
        waiting.cancel()
        self.failureResultOf(waiting)
        self.successResultOf(player.stop())

    def test_stop_while_it_begins(self) -> None:
        """What is still being added is removed as soon as it has been."""
        coming = self.stage.slow["add", "ring"] = Deferred()
        player = self.play("at 0s: ring for 4s")
        self.assertEqual(player.status()["active"], [])
        stopping = player.stop()
        self.assertNoResult(stopping)
        coming.callback(None)
        self.successResultOf(stopping)
        self.done(player)

    def test_stop_from_within(self) -> None:
        """Somebody who hears of a step may stop the scenario on that."""
        told = self.stage.tell

        def tell(fields: dict[str, Any]) -> None:
            told(fields)
            if fields["what"] == "begin":
                player.stop()

        self.patch(self.stage, "tell", tell)
        player = Player(read("at 0s: delay for 4s\nat 0s: blackout for 4s"), self.stage, self.clock)
        player.start()
        self.done(player)
        self.assertEqual([what for _, what, _ in self.stage.log], ["add", "remove"])

    def test_one_after_the_other(self) -> None:
        """What has one name is removed before it is added again, however long that takes."""
        going = self.stage.slow["remove", "ring"] = Deferred()
        player = self.play("at 0s: ring for 1s\nat 1s: ring for 1s\nat 1s: delay for 5s")
        self.clock.advance(1)
        self.assertEqual([what for _, what, name in self.stage.log if name == "ring"], ["add", "remove"])
        self.assertIn("scenario-3", self.stage.set)
        del self.stage.slow["remove", "ring"]
        going.callback(None)
        self.assertEqual(self.stage.log[-1], (1.0, "add", "ring"))
        self.clock.pump([1.0] * 5)
        self.done(player)

    def test_once(self) -> None:
        """A player plays once."""
        player = self.play("at 0s: delay for 4s")
        self.assertRaises(RuntimeError, player.start)
        player.stop()
        self.assertRaises(RuntimeError, player.start)


class FailureTests(PlayerCase):
    """Steps that fail."""

    def test_begin(self) -> None:
        """It is passed over and said to have failed; the others go on, and it is not removed."""
        self.stage.broken["add", "scenario-1"] = ConfigError("rule", "there are two called 'scenario-1'")
        player = self.play("at 0s: delay for 4s\nat 1s: blackout for 1s\nrepeat 2")
        self.clock.advance(1)
        status = player.status()
        self.assertEqual([each["line"] for each in status["active"]], [2])
        self.assertEqual(
            status["failed"],
            ["plan.txt:1: 'delay' could not begin: rule: there are two called 'scenario-1'"],
        )
        self.clock.advance(20)
        self.assertNotIn("remove", [what for _, what, name in self.stage.log if name == "scenario-1"])
        self.done(player)

    def test_end(self) -> None:
        """What cannot be removed does not keep the rest from being removed."""
        self.stage.broken["remove", "scenario-1"] = ConfigError("rule", "no")
        player = self.play("at 0s: delay for 4s\nat 0s: blackout for 5s")
        self.successResultOf(player.stop())
        self.assertEqual(list(self.stage.set), ["scenario-1"])
        self.assertEqual(player.status()["failed"], ["plan.txt:1: 'delay' could not end: rule: no"])

    def test_later(self) -> None:
        """What fails after a while is a failure as well."""
        coming = self.stage.slow["add", "ring"] = Deferred()
        player = self.play("at 0s: ring for 4s\nat 0s: delay for 9s")
        del self.stage.set["ring"]
        coming.errback(ConfigError("ring", "no bell"))
        self.clock.advance(9)
        self.assertIn("no bell", player.status()["failed"][0])
        self.done(player)

    def test_stopped_meanwhile(self) -> None:
        """What fails to begin when the end has come already is not removed, as it never was there."""
        coming = self.stage.slow["add", "ring"] = Deferred()
        player = self.play("at 0s: ring for 4s")
        stopping = player.stop()
        del self.stage.set["ring"]
        coming.errback(ConfigError("ring", "no bell"))
        self.successResultOf(stopping)
        self.assertEqual([what for _, what, _ in self.stage.log], ["add"])
        self.done(player)

    def test_unexpected(self) -> None:
        """An exception that nobody foresaw is logged with its traceback."""
        self.stage.broken["add", "scenario-1"] = ZeroDivisionError()
        player = self.play("at 0s: delay for 4s")
        self.clock.advance(4)
        self.done(player)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_listeners(self) -> None:
        """Whoever fails to hear of it does not keep faults from going."""
        self.patch(self.stage, "tell", lambda fields: 1 / 0)
        player = self.play("at 0s: delay for 4s")
        self.clock.advance(4)
        self.done(player)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    def test_bounded(self) -> None:
        """Only the latest failures are kept."""
        self.stage.broken["add", "scenario-1"] = ConfigError("", "no")
        player = self.play("at 0s: delay for 1s\nrepeat forever")
        self.clock.pump([1.0] * 100)
        self.assertEqual(len(player.status()["failed"]), FAILURES_KEPT)


class StatusTests(PlayerCase):
    """What is said of it."""

    def test_status(self) -> None:
        """Round, times, what is set and what comes; all of it JSON."""
        player = Player(
            read("at 1s: delay sleep=2 for 5s on 30 %\nat 10s: end\nrepeat 2"), self.stage, self.clock
        )
        self.assertEqual((player.status()["state"], player.status()["elapsed"]), ("ready", 0.0))
        self.assertIsNone(player.status()["next"])
        player.start()
        step = {"step": "scenario-1", "line": 1, "fault": "delay sleep=2 on 30 %"}
        self.assertEqual(player.status()["next"], {"what": "begin", "in": 1.0, **step})
        self.clock.pump([1.0] * 13)
        self.assertEqual(
            json.loads(json.dumps(player.status())),
            {
                "state": "running",
                "scenario": "plan.txt",
                "round": 2,
                "rounds": 2,
                "elapsed": 3.0,
                "length": 10.0,
                "active": [step],
                "next": {"what": "end", "in": 3.0, **step},
                "failed": [],
            },
        )
        self.clock.pump([1.0] * 4)
        self.assertIsNone(player.status()["next"])
        self.clock.advance(100)
        self.assertEqual((player.status()["state"], player.status()["elapsed"]), ("done", 10.0))

    def test_told(self) -> None:
        """The journal hears of all of it, in order, with the file, the line and the round."""
        player = self.play("at 1s: delay for 1s\nat 3s: end\nrepeat 2")
        self.clock.pump([1.0] * 3)
        player.pause()
        player.resume()
        player.stop()
        self.assertEqual(
            self.told(), ["started", "begin", "end", "round", "paused", "resumed", "stopped", "done"]
        )
        self.assertEqual(
            self.stage.told[1],
            {
                "what": "begin",
                "scenario": "plan.txt",
                "round": 1,
                "step": "scenario-1",
                "line": 1,
                "fault": "delay",
            },
        )


class ProxyTests(SynchronousTestCase):
    """On a proxy."""

    def setUp(self) -> None:
        self.patch(faults, "ACTIONS", {"ring": Ring})
        own = Rule(BEHAVIORS["dummy"](), name="own")
        self.memory = MemoryProxy(Plan(rules=(own,), seed=1), Redis())
        self.proxy = self.memory.proxy
        self.own = self.proxy.plan

    def play(self, text: str) -> Player:
        """Play on the proxy."""
        player = Player(read(text), ProxyTarget(self.proxy), self.memory.reactor)
        player.start()
        return player

    def test_rules_and_toxics(self) -> None:
        """They are added, in front of the plan's own rules, the latest first; in the end all is as before."""
        self.play("at 1s: delay for 9s\nat 2s: blackout for 1s\nat 2s: muddy stream=upstream for 1s")
        self.memory.pass_time(1, 1)
        self.assertEqual([rule.name for rule in self.proxy.plan.rules], ["scenario-2", "scenario-1", "own"])
        self.assertEqual([placed.name for placed in self.proxy.plan.toxics], ["scenario-3"])
        self.memory.pass_time(1)
        self.assertEqual([rule.name for rule in self.proxy.plan.rules], ["scenario-1", "own"])
        self.assertEqual(self.proxy.plan.toxics, ())
        self.memory.pass_time(7)
        self.assertEqual(self.proxy.plan, self.own)

    def test_it_fires(self) -> None:
        """The rule of a step does what it says while the step lasts, and not after."""
        self.play("at 1s: error kind=loading for 1s\nrepeat 2")
        client, backend = self.memory.pair()
        for moment in range(5):
            client.received = backend.received = b""
            client.says(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n")
            # Rounds are two seconds long: the step is there in every odd one.
            self.assertEqual(client.received.startswith(b"-LOADING"), moment in {1, 3}, moment)
            self.assertEqual(bool(backend.received), moment not in {1, 3})
            if backend.received:
                backend.says(b"$-1\r\n")
            self.memory.pass_time(1)
        self.assertEqual(
            [fired["rule"] for fired in self.memory.named("fired")], ["scenario-1", "scenario-1"]
        )

    def test_removed_by_somebody_else(self) -> None:
        """Another plan, a panic stop, a rule that was removed: that is no error."""
        player = self.play("at 0s: delay for 5s\nat 0s: muddy for 5s\nat 0s: blackout for 5s")
        self.proxy.remove_rule("scenario-3")
        self.proxy.set_plan(self.own)
        self.memory.pass_time(5)
        self.assertEqual((player.status()["state"], player.status()["failed"]), ("done", []))
        self.assertEqual(self.proxy.plan, self.own)

    def test_changed_by_somebody_else(self) -> None:
        """A toxic that was given other options is the scenario's all the same, and goes with it."""
        self.play("at 0s: muddy for 5s")
        self.proxy.replace_toxic(PlacedToxic(Muddy(mud=9), name="scenario-1"))
        self.memory.pass_time(5)
        self.assertEqual(self.proxy.plan.toxics, ())

    def test_name_that_is_taken(self) -> None:
        """The step fails, and the rule that was there before stays."""
        player = self.play("at 0s: delay name=own for 5s")
        self.assertIn("there are two called 'own'", player.status()["failed"][0])
        self.memory.pass_time(5)
        self.assertIs(self.proxy.plan, self.own)

    def test_actions(self) -> None:
        """They are started and stopped, unless somebody has done so before."""
        bells = Bells()
        self.patch(self.proxy, "actions", bells)
        self.play("at 0s: ring for 5s\nat 6s: ring for 1s\nrepeat 2")
        self.memory.pass_time(1)
        self.assertEqual(bells.standing, {"ring": Ring()})
        self.memory.pass_time(4)
        self.assertEqual((bells.standing, bells.done), ({}, ["start", "stop"]))
        self.memory.pass_time(1)
        bells.standing.clear()
        self.memory.pass_time(1)
        self.assertEqual(bells.done, ["start", "stop", "start", "start"])
        bells.standing.clear()

    def test_action_that_is_on(self) -> None:
        """What somebody else has started is not the scenario's to stop."""
        bells = Bells()
        bells.standing["ring"] = Ring()
        self.patch(self.proxy, "actions", bells)
        player = self.play("at 0s: ring for 5s")
        self.memory.pass_time(5)
        self.assertIn("'ring' is on already; stop it before", player.status()["failed"][0])
        self.assertEqual((bells.done, list(bells.standing)), ([], ["ring"]))

    def test_real_action(self) -> None:
        """One of ours stands while the step lasts, and is over afterwards, also when it is stopped."""
        self.patch(faults, "ACTIONS", ACTIONS)
        player = self.play("at 1s: half_open for 5s\nrepeat forever")
        self.memory.pass_time(1)
        self.assertEqual((list(self.proxy.actions.standing), self.proxy.half_open), (["half_open"], True))
        self.memory.pass_time(5)
        self.assertEqual((list(self.proxy.actions.standing), self.proxy.half_open), ([], False))
        self.memory.pass_time(1)
        self.assertTrue(self.proxy.half_open)
        self.successResultOf(player.stop())
        self.assertFalse(self.proxy.half_open)

    def test_journal(self) -> None:
        """Events of the proxy, named scenario."""
        self.play("at 0s: delay for 5s")
        self.memory.pass_time(5)
        told = self.memory.named("scenario")
        self.assertEqual([fields["what"] for fields in told], ["started", "begin", "end", "done"])


class Bells:
    """The actions of a proxy, where there is but one to do."""

    def __init__(self) -> None:
        self.standing: dict[str, Action] = {}
        self.done: list[str] = []

    async def start(self, action: Action) -> None:
        """Begin."""
        self.done.append("start")
        self.standing[action.name] = action

    async def stop(self, name: str) -> None:
        """End."""
        self.done.append("stop")
        del self.standing[name]
