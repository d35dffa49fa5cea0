"""Which of several rules decides, what they count meanwhile, and what a plan says of itself."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.behaviors.transient import Transient
from txvaurien.errors import ConfigError
from txvaurien.model import Connect, Exchange
from txvaurien.plan import ActivePlan, PlacedToxic, Plan, Verdict
from txvaurien.planning.mix import Share
from txvaurien.rules import Activation, Cap, Rule, Span
from txvaurien.test.lines import Line, Lines
from txvaurien.test.memory import MemoryProxy
from txvaurien.test.test_plan import Facts, active, asked, names
from txvaurien.toxics.latency import Latency
from txvaurien.toxics.slicer import Slicer


def decides(verdict: Verdict | None) -> str:
    """The name of the rule that fired; "" for none."""
    return verdict.activation.rule.name if verdict else ""


def unasked(line: bytes) -> Exchange:
    """What a server sends without being asked."""
    exchange = Exchange(response=Line(line))
    exchange.number = 1
    return exchange


class IdleTests(SynchronousTestCase):
    """Whether there is anything to decide."""

    def test_probability_zero(self) -> None:
        """It is as if the rule, or the part of the mix, were not there."""
        for plan in (Plan(rules=(Rule(Delay(), probability=0.0),)), Plan(mix=(Share(0, Rule(Delay())),))):
            self.assertTrue(active(plan).idle)
        self.assertFalse(active(Plan(rules=(Rule(Delay(), probability=0.001),))).idle)

    def test_dead_rules_count_nothing(self) -> None:
        """A rule of probability 0, or one that has expired, stays out of it while others decide."""
        rules = (Rule(Delay(), "never", probability=0.0), Rule(Delay(), "over"), Rule(Hang(), "live"))
        at_work = active(Plan(rules=rules))
        at_work.rules[1].expired = True
        self.assertEqual(decides(at_work.verdict(Facts(), asked(), {})), "live")
        self.assertEqual([each.tally.matched for each in at_work.rules], [0, 0, 1])

    def test_drawn_seed(self) -> None:
        """A seed that is drawn is a number, so that it can be given again."""
        self.assertIsInstance(active(Plan()).seed, int)
        first = active(Plan(mix=(Share(50, Rule(Delay())),)))
        again = active(Plan(mix=(Share(50, Rule(Delay())),), seed=first.seed))
        self.assertEqual(names(first, 1, 50), names(again, 1, 50))


class OrderTests(SynchronousTestCase):
    """The first rule that fires wins."""

    def test_beyond(self) -> None:
        """After a misfire the very next rule is asked, then the mix; those before are not asked again."""
        rules = (Rule(Delay(), "first"), Rule(Delay(), "second"), Rule(Delay(), "third"))
        at_work = active(Plan(rules=rules, mix=(Share(100, Rule(Delay(), "mix")),)))
        found = [decides(at_work.verdict(Facts(), asked(), {}, beyond)) for beyond in at_work.rules]
        self.assertEqual(found, ["second", "third", "mix"])
        self.assertEqual([each.tally.matched for each in at_work.rules], [0, 1, 1])

    def test_nobody_beyond(self) -> None:
        """After a part of the mix, or a rule of a plan that is gone, nobody is asked."""
        at_work = active(Plan(rules=(Rule(Delay()),), mix=(Share(100, Rule(Delay())),)))
        gone = active(Plan.only(Delay()))
        for beyond in (at_work.mix[0][1], gone.mix[0][1]):
            self.assertIsNone(at_work.verdict(Facts(), asked(), {}, beyond))
        self.assertEqual(at_work.rules[0].tally.matched, 0)

    def test_status_waits_for_the_reply(self) -> None:
        """A rule with a status does not decide when a request comes, even if any status will do."""
        rules = (Rule(Delay(before=False), "late", status=("*",)), Rule(Delay(), "early"))
        at_work = active(Plan(rules=rules))
        self.assertEqual(decides(at_work.verdict(Facts(), asked(), {})), "early")
        self.assertEqual(at_work.rules[0].tally.matched, 0)

    def test_status_of_what_is_unasked(self) -> None:
        """What is sent unasked is decided by its status at once: this one, and no other."""
        verbs = frozenset({"NEWS", "TALK"})
        at_work = active(Plan(rules=(Rule(Delay(before=False), "r", verbs=verbs, status=("NEWS",)),)))
        found = [decides(at_work.verdict(Facts(), unasked(line), {})) for line in (b"news", b"talk")]
        self.assertEqual(found, ["r", ""])

    def test_connect(self) -> None:
        """A rule without a verb decides on a client that comes only if its behavior acts there."""
        rules = (Rule(Delay(), "delay"), Rule(Dummy(), "dummy"), Rule(Blackout(), "blackout"))
        at_work = active(Plan(rules=rules))
        self.assertEqual(decides(at_work.verdict(Facts(), Exchange(Connect()), {})), "blackout")
        self.assertEqual([each.tally.matched for each in at_work.rules], [0, 0, 1])

    def test_dummy_on_connect(self) -> None:
        """A dummy that names CONNECT keeps the rules after it from a client that comes."""
        verbs = frozenset({"CONNECT"})
        at_work = active(Plan(rules=(Rule(Dummy(), "dummy", verbs=verbs), Rule(Blackout(), "blackout"))))
        self.assertEqual(decides(at_work.verdict(Facts(), Exchange(Connect()), {})), "dummy")

    def test_nothing_to_do_there(self) -> None:
        """A behavior that acts only on connect is not for a request, though the rule names its verb."""
        rules = (Rule(Error(kind="full"), "full", verbs=frozenset({"GET"})), Rule(Delay(), "delay"))
        at_work = active(Plan(rules=rules))
        self.assertEqual(decides(at_work.verdict(Facts(), asked(), {})), "delay")
        self.assertEqual(at_work.rules[0].tally.matched, 0)


class CountTests(SynchronousTestCase):
    """What is counted, and for whom."""

    def test_every_part_of_the_mix_counts(self) -> None:
        """A warm-up in a mix is over after so many exchanges, whichever part was drawn for them."""
        mix = (Share(50, Rule(Transient(warmup=9, agitate=100))), Share(50, Rule(Delay())))
        at_work = active(Plan(mix=mix, seed=1))
        found = names(at_work, 1, 40)
        self.assertEqual([activation.tally.matched for _, activation in at_work.mix], [40, 40])
        self.assertNotIn("transient", found[:9])
        self.assertIn("transient", found[9:18])

    def test_per_link(self) -> None:
        """A rule that counts for each link still tells how much it was in all."""
        at_work = active(Plan(rules=(Rule(Delay(), after=1, per="link"),)))
        for link in (1, 2):
            self.assertEqual(names(at_work, link, 3), ["", "delay", "delay"])
        tally = at_work.rules[0].tally
        self.assertEqual((tally.matched, tally.fired), (6, 4))

    def test_misfire(self) -> None:
        """Taken back, and told with its reason."""
        activation = Activation(Rule(Delay()), "key", Lines())
        self.assertEqual(activation.misfire, "")
        activation.count_match(activation.tally)
        activation.count_fired(activation.tally)
        activation.count_misfire(activation.tally, "not here")
        tally = activation.tally
        self.assertEqual((tally.matched, tally.fired, tally.misfired), (1, 0, 1))
        self.assertEqual(activation.misfire, "not here")

    def test_full(self) -> None:
        """Exchanges under a rule and links under a toxic count together; without a limit it is never full."""
        cap = Cap(3, {1, 2})
        self.assertEqual([cap.full(number) for number in (0, 1, 2)], [False, True, True])
        self.assertFalse(Cap(None, {1, 2}).full(1000))

    def test_dummy_is_no_fault(self) -> None:
        """Where there are as many faults as there may be, a dummy still keeps later rules away."""
        rules = (Rule(Dummy(), "dummy", verbs=frozenset({"PING"})), Rule(Delay(), "delay"))
        at_work = ActivePlan(Plan(rules=rules), Lines(), "proxy", cap=Cap(0))
        found = [decides(at_work.verdict(Facts(), asked(1, verb), {})) for verb in ("PING", "GET")]
        self.assertEqual(found, ["dummy", ""])
        self.assertEqual([each.tally.capped for each in at_work.rules], [0, 1])


class NetworkTests(SynchronousTestCase):
    """Where clients come from."""

    def test_mapped(self) -> None:
        """An IPv4 network written as IPv6 is that IPv4 network; other IPv6 networks are what they are."""
        texts = ("::ffff:10.0.0.0/104", "::ffff:0:0/96", "::fffe:0:0/95", "::/0", "fd00::/8", "10.0.0.0/8")
        rule = Rule(Dummy(), clients=tuple(ip_network(each) for each in texts))
        self.assertEqual(
            [str(each) for each in rule.clients],
            ["10.0.0.0/8", "0.0.0.0/0", "::fffe:0:0/95", "::/0", "fd00::/8", "10.0.0.0/8"],
        )


class TextTests(SynchronousTestCase):
    """What a plan says of itself."""

    def test_one_share(self) -> None:
        """A mix of one part says its percentage, unless that is for all."""
        self.assertEqual(Plan(mix=(Share(50, Rule(Delay())),)).mix_text, "50:delay")
        self.assertEqual(Plan(mix=(Share(0.5, Rule(Delay())),)).mix_text, "0.5:delay")

    def test_text(self) -> None:
        """The mix, the rules and the toxics by name; a rule without one is known by its behavior."""
        plan = Plan(
            rules=(Rule(Hang(), "held"), Rule(Delay())),
            toxics=(PlacedToxic(Latency()), PlacedToxic(Slicer())),
        )
        said = "behavior dummy; rules held, delay; toxics latency_downstream, slicer_downstream"
        self.assertEqual(plan.text, said)
        self.assertEqual(Plan().text, "behavior dummy")
        self.assertEqual(Plan(rules=(Rule(Hang()),)).text, "behavior dummy; rules hang")

    def test_span(self) -> None:
        """A range as users write it."""
        spans = (Span(3, 3), Span(3), Span(3, 5), Span(high=5), Span(0.5, 2), Span(0, 0))
        self.assertEqual([str(each) for each in spans], ["3", "3..", "3..5", "..5", "0.5..2", "0"])

    def test_names(self) -> None:
        """A rule without a name is given the first that is free, whoever has taken others."""
        plan = Plan(rules=(Rule(Delay(), "delay-1"), Rule(Delay(), "delay-3")))
        plan = plan.with_rule(Rule(Delay())).with_rule(Rule(Delay()), 0)
        self.assertEqual([each.name for each in plan.rules], ["delay-4", "delay-1", "delay-3", "delay-2"])

    def test_same_names(self) -> None:
        """Two rules, or two toxics, cannot have one name; those without any can stand side by side."""
        error = self.assertRaises(ConfigError, Plan, rules=(Rule(Delay(), "a"), Rule(Hang(), "a")))
        self.assertEqual(str(error), "rule: there are two called 'a'; each has a name of its own")
        self.assertRaises(ConfigError, Plan, toxics=(PlacedToxic(Latency()), PlacedToxic(Latency())))
        self.assertEqual(len(Plan(rules=(Rule(Delay()), Rule(Hang()))).rules), 2)


class ExpiryTests(SynchronousTestCase):
    """A rule with a lifetime."""

    def test_expires_alone(self) -> None:
        """The others go on firing."""
        proxy = MemoryProxy(Plan(rules=(Rule(Hang(), "a", lifetime=5), Rule(Delay(sleep=0), "b"))))
        proxy.pass_time(5)
        client, backend = proxy.pair()
        client.says(b"get\n")
        proxy.pass_time()
        self.assertEqual(backend.received, b"get\n")
        self.assertEqual([each["rule"] for each in proxy.named("fired")], ["b"])
