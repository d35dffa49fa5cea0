"""Scenarios as text: the grammar, what is refused and where, and what would happen."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import Error
from txvaurien.errors import ConfigError
from txvaurien.plan import PlacedToxic
from txvaurien.planning import faults
from txvaurien.planning.faults import FaultReader
from txvaurien.plugins import Registry
from txvaurien.protocols.redis import Redis
from txvaurien.rules import Rule
from txvaurien.scenarios.scenario import MOST_SPANS, Scenario, dry_run, read_scenario
from txvaurien.test.test_faults import BEHAVIORS, Muddy, Ring


def read(text: str) -> Scenario:
    """A scenario of the faults that redis, a toxic and an action make."""
    registry = Registry(protocols={"redis": Redis}, behaviors=dict(BEHAVIORS), toxics={"muddy": Muddy})
    return read_scenario(text, "plan.txt", FaultReader(registry, Redis()).read)


class ScenarioCase(SynchronousTestCase):
    """Tests that read scenarios."""

    def setUp(self) -> None:
        self.patch(faults, "ACTIONS", {"ring": Ring})

    def refused(self, text: str) -> str:
        """How a scenario is refused."""
        return str(self.assertRaises(ConfigError, read, text))


class ReadTests(ScenarioCase):
    """What is read."""

    def test_bare_numbers(self) -> None:
        """Without a unit a time is in seconds, wherever one stands; a share may begin with its point."""
        steps = "at .5: delay sleep=1s for 2 on .5 %", "every 10 from 20 until 40: blackout for 5"
        bare = read("\n".join([*steps, "at 60: end"]))
        steps = "at 500ms: delay sleep=1 for 2s on 0.5 %", "every 10s from 20s until 40s: blackout for 5s"
        units = read("\n".join([*steps, "at 1m: end"]))
        self.assertEqual([step.spans for step in bare.steps], [((0.5, 2.5),), ((20.0, 25.0), (30.0, 35.0))])
        self.assertEqual(dry_run(bare).replace("sleep=1s", "sleep=1"), dry_run(units))

    def test_step(self) -> None:
        """A time, a fault, how long."""
        scenario = read("at 10s: error kind=readonly verb=SET for 5s")
        (step,) = scenario.steps
        self.assertEqual((step.line, step.spans), (1, ((10.0, 15.0),)))
        self.assertEqual(step.words, "error kind=readonly verb=SET")
        assert isinstance(step.fault, Rule)
        self.assertEqual(step.fault.behavior, Error(kind="readonly"))
        self.assertEqual((step.fault.verbs, step.fault.probability), (frozenset({"SET"}), 1.0))
        self.assertEqual((scenario.length, scenario.rounds), (15.0, 1))

    def test_share(self) -> None:
        """`on` is a probability or a toxicity, with a space before the percent sign or not, in any order."""
        for tail in ("for 5s on 30 %", "on 30% for 5s", "on 30 % for 5s"):
            rule, toxic = (read(f"at 0s: {name} {tail}").steps[0] for name in ("delay", "muddy"))
            assert isinstance(rule.fault, Rule) and isinstance(toxic.fault, PlacedToxic)
            self.assertEqual((rule.fault.probability, rule.words), (0.3, "delay on 30 %"))
            self.assertEqual((toxic.fault.toxicity, toxic.words), (0.3, "muddy on 30 %"))
            self.assertEqual(rule.spans, ((0.0, 5.0),))

    def test_names(self) -> None:
        """A fault is called after its line, unless it has been given a name; an action has its own."""
        scenario = read(
            "\n# one\nat 1s: blackout for 1s\nat 2s: muddy for 1s\nat 3s: blackout name=mine for 1s\n"
            "at 4s: muddy name=yours for 1s\nat 5s: ring for 1s\n"
        )
        self.assertEqual(
            [step.name for step in scenario.steps], ["scenario-3", "scenario-4", "mine", "yours", "ring"]
        )
        self.assertEqual([step.line for step in scenario.steps], [3, 4, 5, 6, 7])

    def test_comments(self) -> None:
        """From a # that begins a word to the end of the line; not within a word, not within quotes."""
        scenario = read(
            "# at 1s: nonsense\n\n   \t\nat 1s: error kind=custom text='a # b' target=x#y for 2s # at last\n"
        )
        (step,) = scenario.steps
        assert isinstance(step.fault, Rule)
        self.assertEqual(step.fault.behavior, Error(kind="custom", text="a # b"))
        self.assertEqual((step.fault.target, step.spans), ("x#y", ((1.0, 3.0),)))

    def test_for_within_quotes(self) -> None:
        """Only a word of its own is the end of the fault."""
        (step,) = read("at 1s: error kind=custom text='wait for it on 1 %' for 2s").steps
        assert isinstance(step.fault, Rule)
        self.assertEqual(step.fault.behavior, Error(kind="custom", text="wait for it on 1 %"))

    def test_until_the_end(self) -> None:
        """Without `for` a step lasts until the end of the round, by default when the last step is over."""
        self.assertEqual(read("at 1s: delay\nat 5s: blackout for 2s").steps[0].spans, ((1.0, 7.0),))
        scenario = read("at 1s: delay\nat 5s: blackout for 2s\nat 6m: end")
        self.assertEqual((scenario.steps[0].spans, scenario.length), (((1.0, 360.0),), 360.0))
        self.assertEqual(
            read("at 1s: delay\nat 5s: blackout for 2s\nat 6s: ring").steps[0].spans, ((1.0, 7.0),)
        )

    def test_every(self) -> None:
        """Again and again, from a time on and before another, without drift."""
        scenario = read("every 100ms from 200ms until 600ms: blackout for 100ms")
        self.assertEqual(scenario.steps[0].spans, ((0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6)))
        self.assertEqual(scenario.length, 0.6)
        scenario = read("every 10s: blackout for 5s\nat 25s: end")
        self.assertEqual(scenario.steps[0].spans, ((0.0, 5.0), (10.0, 15.0), (20.0, 25.0)))

    def test_last_of_every(self) -> None:
        """The last one of `every` tells the length, if nothing else does."""
        self.assertEqual(read("every 10s from 5s until 26s: blackout for 3s").length, 28.0)
        self.assertEqual(read("every 10s from 5s until 25s: blackout for 3s").length, 18.0)

    def test_rounds(self) -> None:
        """How often."""
        for line, rounds in (("repeat 3", 3), ("repeat 1", 1), ("repeat forever", None), ("", 1)):
            self.assertEqual(read(f"{line}\nat 1s: blackout for 1s").rounds, rounds)

    def test_moments(self) -> None:
        """In order of time; of what happens at one time ends come first, then as the lines stand."""
        scenario = read("at 2s: delay for 1s\nat 1s: blackout for 1s\nat 2s: muddy for 5s\n")
        self.assertEqual(
            [(moment.at, moment.begins, moment.step.line) for moment in scenario.moments],
            [(1, True, 2), (2, False, 2), (2, True, 1), (2, True, 3), (3, False, 1), (7, False, 3)],
        )

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=8))
    def test_what_begins_ends(self, spans: list[tuple[int, int]]) -> None:
        """In every round each step ends as often as it begins, and never before it has begun."""
        scenario = read("\n".join(f"at {begin}s: delay for {duration}s" for begin, duration in spans))
        active: set[int] = set()
        for moment in scenario.moments:
            self.assertNotEqual(moment.step.line in active, moment.begins)
            (active.add if moment.begins else active.remove)(moment.step.line)
        self.assertEqual(active, set())


class RefusedTests(ScenarioCase):
    """What is wrong, in which line, and what to do."""

    def test_lines(self) -> None:
        """Lines that are wrong by themselves."""
        for line, said in {
            "wait 5s: blackout": "there is no statement 'wait' (did you mean 'at'?); the statements",
            "at 10s": "'at 10s' has no colon with a fault behind it; write for",
            "at 10s:": "'at 10s:' has no colon with a fault behind it",
            "at: blackout": "'at: blackout' does not say one time",
            "at 1s 2s: blackout": "'at 1s 2s: blackout' does not say one time",
            "at 10x: blackout": "'10x' is not a time; write for example 10, 500ms",
            "at 1s: blackout for": "'for' has nothing behind it",
            "at 1s: blackout for 1s for 2s": "'for' stands twice",
            "at 1s: blackout for 1s until 2s": "'until' is not expected here; there may be: for, on",
            "at 1s: blackout for 0s": "a step cannot last for no time at all",
            "at 1s: blackout for 1s on 30": "'30' is not a share; write for example on 30 %",
            "at 1s: blackout for 1s on 101 %": "'101%' is not a share",
            "at 1s: blackout for 1s on 0 %": "'0%' is not a share",
            "at 1s: ring for 1s on 30 %": "'ring' is done to the whole proxy, not to a share",
            "at 1s: blackout": "it would end as soon as it begins; say `for` how long, or `at TIME: end`",
            "at 1s: blackout for=5 for 5s": "for: a step does not end with its rule; write `for 5s`",
            "at 1s: blackuot for 5s": "there is no fault 'blackuot' (did you mean 'blackout'?)",
            "at 1s: delay sleep=x for 5s": "sleep: 'x' will not do; it must be a number from 0 to 86400",
            "at 1s: error text='x for 5s": '"error text=\'x for 5s" cannot be read (No closing quotation)',
            "at 1s: for 5s": "there is no fault; write for example: error",
            "every 10s: blackout for 5s": "it never ends; say `until` when, or `at TIME: end`",
            "every 10s until 1m: blackout": "it would begin again before it has ended; say `for` how long",
            "every 10s until 1m: blackout for 11s": "it would begin again before it has ended",
            "every 0s until 1m: blackout for 5s": "a step cannot come again after no time at all",
            "every: blackout for 5s": "'every' has nothing behind it",
            "every 10s to 1m: blackout for 5s": "'to' is not expected here; there may be: every, from",
            "every 10s from 2m until 2m: blackout for 5s": "it never begins; let `until` be",
            "every 1ms until 1h: blackout for 1ms": f"steps begin more than {MOST_SPANS} times; use `repeat`",
            "repeat": "'repeat' will not do; write for example repeat 3, or repeat forever",
            "repeat 0": "'repeat 0' will not do",
            "repeat often": "'repeat often' will not do",
        }.items():
            refused = self.refused(f"# comment\n{line}\n")
            self.assertTrue(refused.startswith(f"plan.txt:2: {said}"), (line, refused))

    def test_together(self) -> None:
        """Lines that do not go together: the later one is at fault."""
        for text, said in {
            "at 1s: blackout for 5s\nat 3s: end": "1: what begins at 1.0s would outlast the round",
            "at 5s: delay\nat 5s: end": "1: what begins at 5.0s would outlast the round",
            "at 1s: blackout for 1s\nrepeat 1\nrepeat 2": "3: there are two of 'repeat'; the other is",
            "at 3s: end\nat 1s: blackout\nat 4s: end": "3: there are two of 'end'; the other is in line 1",
            "at 1s: delay name=x for 3s\nat 2s: delay name=x for 9s": "2: 'x' is there already at 2.0s, by",
            "at 1s: ring for 3s\nevery 1s until 5s: ring for 1s": "1: 'ring' is there already at 1.0s",
        }.items():
            refused = self.refused(text)
            self.assertTrue(refused.startswith(f"plan.txt:{said}"), refused)

    def test_touching(self) -> None:
        """One may end at the moment at which another of its name begins."""
        scenario = read("at 1s: ring for 3s\nat 4s: ring for 1s")
        self.assertEqual([moment.begins for moment in scenario.moments], [True, False, True, False])

    def test_nothing(self) -> None:
        """A scenario without a step is none."""
        for text in ("", "# nothing\n", "repeat 3\n", "at 5s: end\n"):
            self.assertEqual(
                self.refused(text), "plan.txt: there is no step; write for example: at 10s: blackout for 5s"
            )


class DryRunTests(ScenarioCase):
    """What would happen."""

    def test_table(self) -> None:
        """All of a round with its times, and when the others begin."""
        text = "at 10s: blackout for 5s\nat 12s: delay sleep=2 name=slow on 30 %\nat 1m: end\nrepeat 3\n"
        self.assertEqual(
            dry_run(read(text)),
            "round 1 of 3, 60.0s long\n"
            "    +10.0s  begin  scenario-1  blackout\n"
            "    +12.0s  begin  slow        delay sleep=2 name=slow on 30 %\n"
            "    +15.0s  end    scenario-1  blackout\n"
            "    +60.0s  end    slow        delay sleep=2 name=slow on 30 %\n"
            "    +60.0s  round 2 begins, the same as round 1\n"
            "   +120.0s  round 3 begins, the same as round 1\n"
            "   +180.0s  done, nothing is left\n",
        )

    def test_without_end(self) -> None:
        """A scenario that never ends says so."""
        self.assertEqual(
            dry_run(read("at 500ms: blackout for 1s\nrepeat forever")).splitlines()[-1],
            "     +1.5s  round 2 begins, the same as round 1; it goes on until it is stopped",
        )

    def test_many_rounds(self) -> None:
        """Not every one of a thousand rounds has a line."""
        lines = dry_run(read("at 0s: blackout for 1s\nrepeat 1000")).splitlines()
        self.assertEqual(len(lines), 3 + 9 + 2)
        self.assertEqual(
            lines[-2:], ["       ...  rounds 11 to 1000 follow", "  +1000.0s  done, nothing is left"]
        )
