"""Rules: what they are for, when they are decided, what they count, how long they live."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.errors import ConfigError, RuleGone
from txvaurien.exchange import LiveExchange
from txvaurien.model import Then
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule, Span
from txvaurien.test.memory import MemoryProxy, MemoryTransport
from txvaurien.test.test_plan import Facts, active, asked


def matches(rule: Rule, *facts: Facts) -> list[bool]:
    """For which of these links the rule is for their first exchange."""
    return [rule.is_about(each, asked(1, "GET", "key")) for each in facts]


class ConditionTests(SynchronousTestCase):
    """What an exchange and its link have to be."""

    def test_client(self) -> None:
        """An address or a network; a client without an address is in none."""
        rule = Rule(Dummy(), clients=(ip_network("10.0.0.0/8"), ip_network("::1/128")))
        addresses = [ip_address(each) for each in ("10.1.2.3", "11.0.0.1", "::1", "::2")]
        facts = [Facts(client_ip=each) for each in addresses]
        self.assertEqual(matches(rule, *facts, Facts()), [True, False, True, False, False])

    def test_link_age(self) -> None:
        """Older than, younger than, between."""
        facts = [Facts(age=age) for age in (0.0, 9.5, 10.0, 61.0)]
        self.assertEqual(matches(Rule(Dummy(), link_age=Span(high=10)), *facts), [True, True, True, False])
        self.assertEqual(matches(Rule(Dummy(), link_age=Span(10, 60)), *facts), [False, False, True, False])

    def test_message(self) -> None:
        """The n-th exchange of its link."""
        at_work = active(Plan(rules=(Rule(Delay(), message=Span(2, 3)),)))
        fired = [at_work.verdict(Facts(), asked(number), {}) is not None for number in (1, 2, 3, 4)]
        self.assertEqual(fired, [False, True, True, False])

    def test_at(self) -> None:
        """Exactly these exchanges of these links."""
        at_work = active(Plan(rules=(Rule(Delay(), at=frozenset({(2, "1"), (1, "3")})),)))
        fired = [
            (link, number)
            for link in (1, 2, 3)
            for number in (1, 2, 3)
            if at_work.verdict(Facts(link), asked(number), {}) is not None
        ]
        self.assertEqual(fired, [(1, 3), (2, 1)])

    def test_client_of_a_link(self) -> None:
        """A link knows its client's address and its age."""
        proxy = MemoryProxy()
        proxy.pair()
        proxy.pass_time(1.5)
        (link,) = proxy.links.values()
        self.assertEqual((link.client_ip, link.age), (ip_address("127.0.0.1"), 1.5))


def late(behavior: Any, status: str, **fields: Any) -> Rule:
    """A rule that is decided by the status of the reply."""
    return Rule(behavior, status=(status.upper(),), **fields)


class StatusTests(SynchronousTestCase):
    """Rules that wait for the head of the reply."""

    def talk(self, *rules: Rule, mix: tuple[Share, ...] = ()) -> tuple[Any, MemoryTransport, MemoryTransport]:
        proxy = MemoryProxy(Plan(rules=rules, mix=mix, seed=1))
        return (proxy, *proxy.pair())

    def test_fires_on_the_reply(self) -> None:
        """Only replies with that status; others pass."""
        proxy, client, backend = self.talk(late(Delay(sleep=5, before=False), "err*"))
        client.says(b"get a\nget b\n")
        backend.says(b"ok\nerror\n")
        self.assertEqual(client.received, b"ok\n")
        proxy.pass_time(5)
        self.assertEqual(client.received, b"ok\nerror\n")
        (fields,) = proxy.named("fired")
        self.assertEqual((fields["exchange"], fields["verb"], fields["did"]), ("2", "GET", ["sleep 5"]))
        self.assertEqual(fields["status"], "error")

    def test_reply_lost(self) -> None:
        """What the backend has carried out, and the client never hears of."""
        _, client, backend = self.talk(late(Abort(), "ok", times=1))
        client.says(b"get a\n")
        backend.says(b"ok\n")
        self.assertEqual(client.received, b"")
        self.assertNotEqual(client.ended, "")

    def test_a_request_rule_comes_first(self) -> None:
        """If any rule has fired before, be it dummy, the status decides nothing."""
        for first in (Rule(Dummy()), Rule(Delay(sleep=0))):
            proxy, client, backend = self.talk(late(Abort(), "ok"), first)
            client.says(b"get a\n")
            proxy.pass_time(0.1)
            backend.says(b"ok\n")
            self.assertEqual(client.received, b"ok\n")

    def test_counts(self) -> None:
        """Only exchanges whose reply has that status are counted."""
        proxy, client, backend = self.talk(late(Delay(before=False, sleep=0), "err", after=1, times=1))
        client.says(b"a\nb\nc\nd\n")
        backend.says(b"err\nok\nerr\nerr\n")
        proxy.pass_time(0.1)
        tally = proxy.proxy.active.rules[0].tally
        self.assertEqual((tally.matched, tally.fired), (3, 1))
        self.assertEqual([each["exchange"] for each in proxy.named("fired")], ["3"])
        self.assertEqual(client.received, b"err\nok\nerr\nerr\n")

    def test_unasked(self) -> None:
        """What a server sends unasked has a status too, for a rule that names its verb."""
        rule = late(Delay(before=False, sleep=5), "news", verbs=frozenset({"NEWS"}))
        proxy, client, backend = self.talk(rule)
        backend.says(b"!news today\n")
        self.assertEqual(client.received, b"")
        proxy.pass_time(5)
        self.assertEqual(client.received, b"!news today\n")

    def test_acts_too_early(self) -> None:
        """A behavior that acts only before the backend answers cannot wait for a status."""
        error = self.assertRaises(ConfigError, self.talk, late(Error(kind="no"), "ok"))
        self.assertIn("status: 'error' acts before the backend has answered", str(error))

    def test_verb_of_another_protocol(self) -> None:
        """tcp has few verbs: the log warns of a rule for one of another protocol's, which never fires."""
        plan = Plan(rules=(Rule(Delay(), name="r", verbs=frozenset({"GET", "SAY"})),))
        with capturedLogs() as events:
            MemoryProxy(plan, Tcp())
        (said,) = [str(formatEvent(each)) for each in events if each["log_level"] is LogLevel.warn]
        self.assertIn("r is for GET, which tcp does not have (it has CONNECT, GREET, SAY)", said)

    def test_set_in_the_middle(self) -> None:
        """A rule that is set while a request is out decides about its reply."""
        proxy, client, backend = self.talk()
        client.says(b"get a\n")
        proxy.proxy.add_rule(late(Abort(), "ok"))
        backend.says(b"ok\n")
        self.assertEqual(client.received, b"")


class LifeTests(SynchronousTestCase):
    """Adding, removing, expiring, waiting."""

    def test_names(self) -> None:
        """A rule without a name is given one; names are unique."""
        proxy = MemoryProxy().proxy
        names = [proxy.add_rule(Rule(Delay())).rule.name for _ in range(2)]
        self.assertEqual(names, ["delay-1", "delay-2"])
        self.assertEqual(proxy.add_rule(Rule(Hang(), name="mine"), 0).key, "mine")
        self.assertEqual([each.name for each in proxy.plan.rules], ["mine", "delay-1", "delay-2"])
        proxy.remove_rule("delay-1")
        self.assertEqual([each.name for each in proxy.plan.rules], ["mine", "delay-2"])
        error = self.assertRaises(ConfigError, proxy.remove_rule, "dely-2")
        self.assertIn("did you mean 'delay-2'?", str(error))
        error = self.assertRaises(ConfigError, proxy.add_rule, Rule(Hang(), name="mine"))
        self.assertIn("two called 'mine'", str(error))

    def test_expires(self) -> None:
        """When its time is over a rule lets go of what it holds and fires no more; it can still be seen."""
        proxy = MemoryProxy()
        activation = proxy.proxy.add_rule(Rule(Hang(), lifetime=10))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.pass_time(9.9)
        self.assertEqual(backend.received, b"")
        proxy.pass_time(0.1)
        client.says(b"get b\n")
        self.assertEqual(backend.received, b"get a\nget b\n")
        self.assertEqual((activation.expired, activation.tally.fired), (True, 1))
        self.assertTrue(proxy.proxy.active.idle)
        self.assertEqual(proxy.named("expired"), [{"rule": "hang-1"}])

    def test_removed_before_it_expires(self) -> None:
        """Then nothing is left of its time."""
        proxy = MemoryProxy(Plan(rules=(Rule(Hang(), name="h", lifetime=10),)))
        proxy.proxy.remove_rule("h")
        self.assertEqual(proxy.reactor.getDelayedCalls(), [])

    def test_first_two_then_succeed(self) -> None:
        """That is one rule."""
        proxy = MemoryProxy(Plan(rules=(Rule(Error(kind="no"), times=2),)))
        client, backend = proxy.pair()
        client.says(b"a\nb\nc\n")
        self.assertEqual(backend.received, b"c\n")

    def test_wait(self) -> None:
        """Somebody waits until a rule has fired so often."""
        proxy = MemoryProxy()
        activation = proxy.proxy.add_rule(Rule(Error(kind="no"), per="link"))
        once, twice, never = (activation.when_fired(count) for count in (1, 2, 3))
        client, _ = proxy.pair()
        client.says(b"a\n")
        proxy.pass_time()
        self.assertEqual(self.successResultOf(once), 1)
        self.assertNoResult(twice)
        proxy.client().says(b"a\n")
        proxy.backend()
        proxy.pass_time()
        self.assertEqual(self.successResultOf(twice), 2)
        self.assertEqual(self.successResultOf(activation.when_fired(1)), 2)
        never.cancel()
        self.failureResultOf(never, CancelledError)
        self.assertFalse(activation.awaited)

    def test_waiting_in_vain(self) -> None:
        """Whoever waits for a rule that is taken away, or expires, is told."""
        proxy = MemoryProxy()
        removed = proxy.proxy.add_rule(Rule(Delay(), name="a"))
        expiring = proxy.proxy.add_rule(Rule(Delay(), name="b", lifetime=5))
        waits = [removed.when_fired(1), expiring.when_fired(1)]
        proxy.proxy.remove_rule("a")
        self.assertIn("'a' is gone", self.failureResultOf(waits[0], RuleGone).getErrorMessage())
        proxy.pass_time(5)
        self.failureResultOf(waits[1], RuleGone)
        self.failureResultOf(expiring.when_fired(1), RuleGone)
        self.assertEqual(self.successResultOf(expiring.when_fired(0)), 0)

    def test_a_misfire_is_not_waited_for(self) -> None:
        """A kind that cannot be said there does not count."""
        proxy = MemoryProxy()
        activation = proxy.proxy.add_rule(Rule(Error(kind="undo"), verbs=frozenset({"QUIET"})))
        waiting = activation.when_fired(1)
        client, _ = proxy.pair()
        client.says(b"quiet\n")
        proxy.pass_time()
        fired = activation.tally.fired
        self.assertEqual((fired == 0), not waiting.called)
        self.assertEqual(len(proxy.named("fired")), fired)

    def test_cap(self) -> None:
        """No more faults at one time than allowed; what comes beyond passes, and is counted."""
        proxy = MemoryProxy(Plan(rules=(Rule(Delay(sleep=5)),), seed=1), max_active_faults=2)
        pairs = [proxy.pair() for _ in range(3)]
        for client, _ in pairs:
            client.says(b"get\n")
        self.assertEqual([backend.received for _, backend in pairs], [b"", b"", b"get\n"])
        proxy.pass_time(5)
        for _, backend in pairs:
            backend.says(b"ok\n")
        pairs[2][0].says(b"get\n")
        self.assertEqual(pairs[2][1].received, b"get\n")
        tally = proxy.proxy.active.rules[0].tally
        self.assertEqual((tally.matched, tally.fired, tally.capped), (4, 3, 1))

    def test_panic(self) -> None:
        """Everything is taken away at once, and what was held goes on."""
        plan = Plan.only(Hang(), seed=3)
        proxy = MemoryProxy(plan)
        proxy.proxy.add_rule(Rule(Delay(sleep=50)))
        client, backend = proxy.pair()
        client.says(b"a\n")
        self.successResultOf(Deferred.fromCoroutine(proxy.proxy.panic()))
        self.assertEqual(backend.received, b"a\n")
        self.assertEqual((proxy.proxy.plan, proxy.proxy.seed), (Plan(seed=3), 3))


class WholeLinkTests(SynchronousTestCase):
    """What is done to links from outside."""

    def test_kill_one(self) -> None:
        """One link or all, by FIN or RST."""
        proxy = MemoryProxy()
        pairs = [proxy.pair() for _ in range(3)]
        self.assertEqual(proxy.proxy.kill(Then.RESET, 2), 1)
        self.assertEqual([client.ended for client, _ in pairs], ["", "rst", ""])
        self.assertEqual(proxy.proxy.kill(Then.CLOSE), 2)
        self.assertEqual([backend.ended for _, backend in pairs], ["fin", "rst", "fin"])
        self.assertEqual(proxy.proxy.kill(Then.CLOSE, 77), 0)
        self.assertEqual([each["how"] for each in proxy.named("killed")], ["reset", "close", "close"])

    def test_another_backend(self) -> None:
        """New links go there at once; old ones stay, or are cut."""
        proxy = MemoryProxy()
        client, backend = proxy.pair()
        proxy.proxy.set_backend("127.0.0.1:7777")
        client.says(b"a\n")
        self.assertEqual(backend.received, b"a\n")
        proxy.client()
        self.assertEqual(proxy.reactor.tcpClients[0][:2], ("127.0.0.1", 7777))
        proxy.proxy.set_backend("127.0.0.1:7778", cut=True)
        self.assertEqual((client.ended, backend.ended), ("fin", "fin"))

    def test_half_open(self) -> None:
        """The backend's side is gone, the client is not told, and can leave."""
        for leave in (MemoryTransport.fins, MemoryTransport.resets):
            proxy = MemoryProxy()
            client, backend = proxy.pair()
            (link,) = proxy.links.values()
            link.lose_backend()
            client.says(b"a\n")
            backend.fins()
            self.assertEqual((client.ended, backend.received, backend.ended), ("", b"", "fin"))
            proxy.pass_time(5)
            leave(client)
            proxy.pass_time(0)
            self.assertEqual(proxy.links, {})
            self.assertEqual(proxy.reactor.getDelayedCalls(), [])

    def test_half_open_from_the_start(self) -> None:
        """Clients that come meanwhile get no backend."""
        proxy = MemoryProxy()
        proxy.proxy.half_open = True
        client = proxy.client()
        client.says(b"a\n")
        self.assertEqual((proxy.reactor.tcpClients, client.ended), ([], ""))

    def test_half_open_while_dialling(self) -> None:
        """A backend that is being dialled is no longer wanted."""
        proxy = MemoryProxy()
        client = proxy.client()
        (link,) = proxy.links.values()
        link.lose_backend()
        self.assertEqual(client.ended, "")
        link.reset()
        proxy.pass_time(0)
        self.assertEqual((client.ended, proxy.links), ("rst", {}))

    def test_how_it_ended(self) -> None:
        """The journal says who ended a link."""

        def how(end: Any) -> str:
            proxy = MemoryProxy()
            end(proxy, *proxy.pair())
            proxy.pass_time(0, 3)
            (fields,) = proxy.named("link-closed")
            self.assertEqual((fields["backend"], fields["exchanges"]), ("127.0.0.1:6379", 0))
            return str(fields["how"])

        self.assertEqual(how(lambda proxy, client, backend: client.resets()), "client rst")
        self.assertEqual(how(lambda proxy, client, backend: backend.resets()), "backend rst")
        self.assertEqual(how(lambda proxy, client, backend: proxy.proxy.kill(Then.CLOSE)), "killed")
        self.assertEqual(how(lambda proxy, client, backend: proxy.proxy.stop()), "stopped")


class Never(Behavior, frozen=True, kw_only=True):
    """Says what can be said only when a client connects."""

    name: ClassVar[str] = "never"

    def on_before_handle(self, exchange: LiveExchange) -> bool:
        exchange.refuse("full")
        return False


class MisfireTests(SynchronousTestCase):
    """A rule that cannot say there what it is to say has not fired: the next one is asked."""

    def test_next_is_asked(self) -> None:
        """The rules after it, then the mix, as if it were not there."""
        no = Rule(Error(kind="no"), name="no")
        for plan in (
            Plan(rules=(Rule(Never()), Rule(Never(), name="again"), no), seed=1),
            Plan(rules=(Rule(Never()),), mix=(Share(100, no),), seed=1),
        ):
            proxy = MemoryProxy(plan)
            client, backend = proxy.pair()
            client.says(b"get a\n")
            self.assertEqual((backend.received, client.received), (b"", b"-no\n"))
            first = proxy.proxy.active.rules[0].tally
            self.assertEqual((first.matched, first.fired, first.misfired), (0, 0, 1))
            self.assertEqual([each["rule"] for each in proxy.named("fired")], ["no"])
            self.assertEqual(proxy.proxy.stats.fired, 1)
            self.assertEqual(proxy.proxy.active.rules[0].live, set())

    def test_alone(self) -> None:
        """With nobody after it the exchange goes on; counts are as if it had not been for the rule."""
        proxy = MemoryProxy(Plan(rules=(Rule(Never(), every=2, per="link"),), seed=1))
        client, backend = proxy.pair()
        client.says(b"a\nb\nc\n")
        backend.says(b"1\n2\n3\n")
        self.assertEqual(client.received, b"1\n2\n3\n")
        self.assertEqual(proxy.proxy.active.rules[0].tally.misfired, 3)

    def test_in_the_mix(self) -> None:
        """A part of the mix that cannot say it has had its draw: nobody else is asked."""
        proxy = MemoryProxy(Plan.only(Never(), seed=1))
        client, backend = proxy.pair()
        client.says(b"a\n")
        self.assertEqual(backend.received, b"a\n")
