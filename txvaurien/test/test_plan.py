"""Choosing: the mix, rules, counts, and the seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.transient import Transient
from txvaurien.errors import ConfigError
from txvaurien.model import Connect, Exchange, Message
from txvaurien.plan import ActivePlan, Plan
from txvaurien.planning.mix import Share, parse_mix
from txvaurien.planning.seeds import draw, new_seed
from txvaurien.rules import Address, Rule, Tallies
from txvaurien.test.lines import Line, Lines


class Ask(Message):
    """A message with a verb and targets."""

    def __init__(self, verb: str, *targets: str) -> None:
        self._verb, self._targets = verb, targets

    @property
    def verb(self) -> str:
        return self._verb

    @property
    def targets(self) -> Sequence[str]:
        return self._targets


def asked(number: int = 1, verb: str = "GET", *targets: str) -> Exchange:
    """A request, as the plan sees it."""
    exchange = Exchange(Ask(verb, *targets))
    exchange.number = number
    return exchange


@dataclass
class Facts:
    """A link, as the plan sees it."""

    number: int = 1
    client_ip: Address | None = None
    age: float = 0.0


def active(plan: Plan, previous: ActivePlan | None = None) -> ActivePlan:
    """A plan at work."""
    return ActivePlan(plan, Lines(), "proxy", previous)


def names(at_work: ActivePlan, link: int, count: int, tallies: Tallies | None = None) -> list[str]:
    """What the exchanges of one link get, one after the other; "" for nothing."""
    tallies = {} if tallies is None else tallies
    verdicts = [at_work.verdict(Facts(link), asked(number + 1), tallies) for number in range(count)]
    return [each.activation.rule.behavior.name if each else "" for each in verdicts]


class ParseMixTests(SynchronousTestCase):
    """The words of --behavior."""

    def test_forms(self) -> None:
        """A bare name is for all; percentages may have decimals and spaces around them."""
        self.assertEqual(parse_mix("delay"), [(100.0, "delay")])
        self.assertEqual(parse_mix("5:error, 10.5:delay"), [(5.0, "error"), (10.5, "delay")])
        self.assertEqual(parse_mix("33.3:a,33.3:b,33.4:c")[2], (33.4, "c"))

    def test_nonsense(self) -> None:
        """Each mistake is named, with what would be right."""
        for text, words in (
            ("5:error,x:delay", "'x:delay' is not PERCENT:NAME"),
            ("5:error,delay", "'delay' is not PERCENT:NAME"),
            ("60:error,50:delay", "the percentages add up to 110"),
            ("101:error", "101 is not a percentage"),
            ("-1:error", "-1 is not a percentage"),
            ("nan:error", "nan is not a percentage"),
            ("5:", "'5:' names no behavior"),
            ("", "'' names no behavior"),
        ):
            error = self.assertRaises(ConfigError, parse_mix, text)
            self.assertIn(words, str(error))
            self.assertTrue(str(error).startswith("--behavior: "), error)


class PlanTests(SynchronousTestCase):
    """Plans are values."""

    def test_mix_text(self) -> None:
        """A plan can say its mix in the words of --behavior."""
        self.assertEqual(Plan().mix_text, "dummy")
        self.assertEqual(Plan.only(Delay()).mix_text, "delay")
        mix = (Share(5, Rule(Error())), Share(10.5, Rule(Delay())))
        self.assertEqual(Plan(mix=mix).mix_text, "5:error,10.5:delay")

    def test_more_than_all(self) -> None:
        """More than 100 percent cannot be."""
        mix = (Share(60, Rule(Error())), Share(60, Rule(Delay())))
        self.assertRaises(ConfigError, Plan, mix=mix)

    def test_bad_rules(self) -> None:
        """Nor can these."""
        for fields in ({"probability": 1.5}, {"after": -1}, {"times": -1}, {"every": 0}):
            self.assertRaises(ConfigError, Rule, Dummy(), **fields)

    def test_behavior_that_does_not_fit(self) -> None:
        """A kind of error that the protocol does not have is refused when the plan is set."""
        error = self.assertRaises(ConfigError, active, Plan.only(Error(kind="loading")))
        self.assertIn("there is no kind 'loading'", str(error))
        self.assertIn("any, bye, full, gone, no, undo, who", str(error))


class ChoosingTests(SynchronousTestCase):
    """Which rule fires."""

    def test_idle(self) -> None:
        """With dummy alone there is nothing to decide."""
        self.assertTrue(active(Plan()).idle)
        self.assertTrue(active(Plan.only(Dummy())).idle)
        self.assertFalse(active(Plan.only(Delay())).idle)

    def test_all(self) -> None:
        """100 percent is all."""
        self.assertEqual(names(active(Plan.only(Delay())), 1, 3), ["delay"] * 3)

    def test_shares(self) -> None:
        """Observed rates are those that were asked for (chi-square over 100,000 draws)."""
        mix = (Share(5, Rule(Error())), Share(10, Rule(Delay())))
        at_work = active(Plan(mix=mix, seed=7))
        counts = Counter(name for link in range(1, 101) for name in names(at_work, link, 1000))
        wanted = {"error": 5000, "delay": 10000, "": 85000}
        chi_square = sum((counts[name] - number) ** 2 / number for name, number in wanted.items())
        # The 99.9 % point for two degrees of freedom; the seed is fixed, so this never flickers.
        self.assertLess(chi_square, 13.8)

    def test_seed(self) -> None:
        """One seed gives one run, whatever the order in which links speak; another gives another."""
        mix = (Share(30, Rule(Error())), Share(30, Rule(Delay())))
        first, second = active(Plan(mix=mix, seed=3)), active(Plan(mix=mix, seed=3))
        other = active(Plan(mix=mix, seed=4))
        one, two = names(first, 1, 50), names(first, 2, 50)
        self.assertEqual((names(second, 2, 50), names(second, 1, 50)), (two, one))
        self.assertNotEqual(one, two)
        self.assertNotEqual(names(other, 1, 50), one)

    def test_drawn_seed(self) -> None:
        """Without a seed one is drawn, and the next plan keeps it."""
        first = active(Plan())
        self.assertEqual(active(Plan(), first).seed, first.seed)
        self.assertEqual(active(Plan(seed=5), first).seed, 5)
        self.assertGreater(len({new_seed() for _ in range(4)}), 1)

    def test_first_rule_wins(self) -> None:
        """Rules come before the mix, the first that fires wins, a dummy keeps others away."""
        rules = (
            Rule(Dummy(), verbs=frozenset({"PING"})),
            Rule(Delay(), target="user:*"),
            Rule(Error(), probability=0.0),
        )
        at_work = active(Plan(mix=Plan.only(Transient(agitate=9)).mix, rules=rules))
        chosen = [
            at_work.verdict(Facts(1), exchange, {})
            for exchange in (asked(1, "PING", "user:1"), asked(2, "GET", "x", "user:1"), asked(3, "GET", "x"))
        ]
        self.assertEqual(
            [each.activation.rule.behavior.name for each in chosen if each], ["dummy", "delay", "transient"]
        )

    def test_probability(self) -> None:
        """A rule fires with its probability; 0 is as if it were not there and counts nothing."""
        at_work = active(Plan(rules=(Rule(Delay(), probability=0.25),), seed=1))
        fired = sum(name == "delay" for link in range(1, 41) for name in names(at_work, link, 100))
        self.assertEqual(at_work.rules[0].tally.matched, 4000)
        self.assertTrue(900 < fired < 1100, fired)
        never = active(Plan(rules=(Rule(Delay(), probability=0.0),)))
        self.assertEqual(names(never, 1, 3), [""] * 3)
        self.assertEqual(never.rules[0].tally.matched, 0)

    def test_counts(self) -> None:
        """`after` so many, at most `times`, at `every` n-th."""
        at_work = active(Plan(rules=(Rule(Delay(), after=2, times=2, every=3),)))
        self.assertEqual(names(at_work, 1, 9), ["", "", "delay", "", "", "delay", "", "", ""])

    def test_warmup_and_agitate(self) -> None:
        """They are the rule's counts under Vaurien's names; the links of a proxy share them."""
        at_work = active(Plan.only(Transient(warmup=1, agitate=2)))
        self.assertEqual(names(at_work, 1, 2) + names(at_work, 2, 2), ["", "transient", "transient", ""])

    def test_per_link(self) -> None:
        """Counts may belong to each link."""
        at_work = active(Plan(rules=(Rule(Delay(), times=1, per="link"),)))
        one: Tallies = {}
        self.assertEqual(names(at_work, 1, 2, one), ["delay", ""])
        self.assertEqual(names(at_work, 2, 2), ["delay", ""])
        self.assertEqual(names(at_work, 1, 1, one), [""])

    def test_counts_from_zero(self) -> None:
        """A new rule counts from zero; the same rule in a new plan goes on."""
        rule = Rule(Transient())
        first = active(Plan(mix=(Share(100, rule),)))
        self.assertEqual(names(first, 1, 2), ["transient", ""])
        again = active(Plan(mix=(Share(100, rule),), seed=9), first)
        self.assertEqual(names(again, 1, 1), [""])
        self.assertEqual(names(active(Plan.only(Transient()), again), 1, 2), ["transient", ""])

    def test_connect(self) -> None:
        """Only what acts on connect is asked there, and the others do not count it."""
        connect = Exchange(Connect())
        mix = active(Plan(mix=(Share(50, Rule(Blackout())), Share(50, Rule(Delay())))))
        for link in range(1, 30):
            verdict = mix.verdict(Facts(link), connect, {})
            self.assertIn(verdict and verdict.activation.rule.behavior.name, (None, "blackout"))
        self.assertEqual(mix.mix[1][1].tally.matched, 0)
        transient = active(Plan.only(Transient()))
        self.assertIsNone(transient.verdict(Facts(1), connect, {}))
        self.assertEqual(names(transient, 1, 1), ["transient"])

    def test_connect_kind(self) -> None:
        """An error that is said on connect is said there and nowhere else."""
        at_work = active(Plan.only(Error(kind="full")))
        self.assertIsNotNone(at_work.verdict(Facts(1), Exchange(Connect()), {}))
        self.assertEqual(names(at_work, 1, 1), [""])

    def test_left_alone(self) -> None:
        """Greetings, handshakes and pushes are reached only by naming them."""
        unasked = Exchange(response=Line(b"news"))
        handshake = Exchange(Ask("AUTH"), handshake=True)
        unasked.number = handshake.number = 1
        bare = active(Plan(mix=Plan.only(Error(inject=True)).mix, rules=(Rule(Error(inject=True)),)))
        self.assertIsNone(bare.verdict(Facts(1), unasked, {}))
        self.assertIsNone(bare.verdict(Facts(1), handshake, {}))
        named = active(Plan(rules=(Rule(Error(inject=True), verbs=frozenset({"NEWS", "AUTH"})),)))
        self.assertIsNotNone(named.verdict(Facts(1), unasked, {}))
        self.assertIsNotNone(named.verdict(Facts(1), handshake, {}))

    def test_handshake_kind(self) -> None:
        """A kind that is said to log-ins is for those, in a mix and in a rule, and for nothing else."""
        handshake = Exchange(Ask("AUTH"), handshake=True)
        handshake.number = 1
        error = Error(kind="who")
        for plan in (Plan.only(error), Plan(rules=(Rule(error),))):
            at_work = active(plan)
            self.assertIsNotNone(at_work.verdict(Facts(1), handshake, {}))
            self.assertEqual(names(at_work, 1, 1), [""])
            tally = next(iter(at_work.activations())).tally
            self.assertEqual((tally.matched, tally.fired), (1, 1))

    def test_share_of(self) -> None:
        """What share of the links something that happens once per link is for."""
        at_work = active(
            Plan(
                mix=(Share(5, Rule(Error())), Share(20, Rule(Blackout()))),
                rules=(Rule(Delay(), probability=0.5),),
            )
        )
        shares = [round(at_work.share_of(each), 9) for each in at_work.activations()]
        self.assertEqual(shares, [0.5, 0.05, 0.2])


class DrawTests(SynchronousTestCase):
    """Draws are functions."""

    def test_range_and_spread(self) -> None:
        """From 0 up to but not 1, spread evenly over ten bins."""
        drawn = [draw(1, "proxy", 1, number, "rule") for number in range(10_000)]
        self.assertTrue(all(0.0 <= each < 1.0 for each in drawn))
        bins = Counter(int(each * 10) for each in drawn)
        self.assertTrue(all(900 < bins[each] < 1100 for each in range(10)), bins)

    def test_every_part_matters(self) -> None:
        """Seed, proxy, link, exchange and rule each make a difference; strings and numbers differ."""
        keys = [(1, "p", 1, "1", "r"), (2, "p", 1, "1", "r"), (1, "q", 1, "1", "r"), (1, "p", 2, "1", "r"),
                (1, "p", 1, "2", "r"), (1, "p", 1, "1", "s"), (1, "p", 1, 1, "r")]  # fmt: skip
        self.assertEqual(len({draw(*key) for key in keys}), len(keys))
