"""Which scenario a proxy plays: one at a time, however slowly the one before it ends."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.actions import Action, End
from txvaurien.behaviors.delay import Delay
from txvaurien.planning.faults import Fault
from txvaurien.proxy import Proxy
from txvaurien.rules import Rule
from txvaurien.scenarios.player import Player, State
from txvaurien.scenarios.playing import Playing
from txvaurien.scenarios.scenario import Scenario, read_scenario
from txvaurien.test.memory import MemoryProxy


class Slow(Action, frozen=True, kw_only=True):
    """Ends when the test says so."""

    name: ClassVar[str] = "slow"
    gate: Deferred[None]

    async def begin(self, proxy: Proxy) -> End:
        return lambda: self.gate


def scenario(name: str, fault: Fault) -> Scenario:
    """A fault for as long as the scenario lasts."""

    def read(words: str, *, where: str, share: float = 1.0) -> Fault:
        return fault

    return read_scenario("at 0s: fault for 100s", name, read)


def with_rule(name: str) -> Scenario:
    """A scenario with a rule of the same name."""
    return scenario(name, Rule(Delay(), name=name))


class PlayingTests(SynchronousTestCase):
    """What is asked for while a scenario ends."""

    def setUp(self) -> None:
        self.memory = MemoryProxy()
        self.proxy = self.memory.proxy
        self.playing = Playing(self.proxy)
        self.gate: Deferred[None] = Deferred()

    def begin_slow(self) -> Player:
        """A scenario that ends when `gate` is fired."""
        playing = self.asked(self.playing.play(scenario("slow", Slow(gate=self.gate))))
        player: Player = self.successResultOf(playing)
        return player

    def asked(self, work: Coroutine[Deferred[Any], Any, Any]) -> Deferred[Any]:
        """What is under way."""
        return Deferred.fromCoroutine(work)

    @property
    def rules(self) -> list[str]:
        """The names of the rules that the proxy follows."""
        return [rule.name for rule in self.proxy.plan.rules]

    def test_play_twice(self) -> None:
        """Of two that are begun while another one ends, the last one is played, and nothing is left of it."""
        self.begin_slow()
        two, three = (self.asked(self.playing.play(with_rule(name))) for name in ("two", "three"))
        self.assertEqual(self.rules, [])
        self.gate.callback(None)
        self.assertIs(self.successResultOf(two).state, State.DONE)
        self.assertIs(self.playing.player, self.successResultOf(three))
        self.assertEqual(self.rules, ["three"])
        self.successResultOf(self.asked(self.playing.stop()))
        self.assertEqual((self.rules, self.memory.reactor.getDelayedCalls()), ([], []))

    def test_play_and_stop(self) -> None:
        """What is stopped before its turn has come does not begin."""
        self.begin_slow()
        two, stopped = self.asked(self.playing.play(with_rule("two"))), self.asked(self.playing.stop())
        self.assertNoResult(stopped)
        self.gate.callback(None)
        self.successResultOf(stopped)
        self.assertIs(self.successResultOf(two).state, State.READY)
        self.assertEqual((self.rules, self.playing.player), ([], None))

    def test_stop_and_play(self) -> None:
        """The next one begins when the one before it has ended, and not while it ends."""
        self.begin_slow()
        stopped, two = self.asked(self.playing.stop()), self.asked(self.playing.play(with_rule("two")))
        self.assertNoResult(stopped)
        self.assertEqual(self.rules, [])
        self.gate.callback(None)
        self.successResultOf(stopped)
        self.assertIs(self.playing.player, self.successResultOf(two))
        self.assertEqual(self.rules, ["two"])

    def test_play_and_panic(self) -> None:
        """After a panic nothing begins that was asked for before it."""
        self.begin_slow()
        two, panicked = self.asked(self.playing.play(with_rule("two"))), self.asked(self.playing.panic())
        self.gate.callback(None)
        self.successResultOf(panicked)
        self.assertIs(self.successResultOf(two).state, State.READY)
        self.assertEqual((self.rules, dict(self.proxy.actions.standing)), ([], {}))

    def test_panic_with_a_slow_end(self) -> None:
        """Rules are gone at once, however long the scenario takes to end; it returns when all is over."""
        self.proxy.add_rule(Rule(Delay(), name="mine"))
        self.begin_slow()
        panicked = self.asked(self.playing.panic())
        self.assertEqual(self.rules, [])
        self.assertNoResult(panicked)
        self.gate.callback(None)
        self.successResultOf(panicked)
        self.assertEqual((dict(self.proxy.actions.standing), self.playing.player), ({}, None))
