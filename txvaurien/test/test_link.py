"""The link: order of messages, hooks, back-pressure, half-close and resets. All in memory."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior, HookResult
from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.exchange import LiveExchange
from txvaurien.interfaces import IStanding
from txvaurien.link import Link
from txvaurien.links.lane import LANE_LIMIT
from txvaurien.links.turns import TURNS_LIMIT
from txvaurien.model import Hook, Side, Then
from txvaurien.net.pipe import DRAIN_TIME
from txvaurien.plan import Plan
from txvaurien.proxy import STOP_TIME
from txvaurien.rules import Rule
from txvaurien.test.lines import GatewayLines
from txvaurien.test.memory import MemoryProxy


def on(verb: str, behavior: Behavior) -> Rule:
    """A rule for one verb."""
    return Rule(behavior, verbs=frozenset({verb}))


def plan(*rules: Rule) -> Plan:
    """A plan of these rules, with a seed."""
    return Plan(rules=rules, seed=1)


class PassThroughTests(SynchronousTestCase):
    """With no rule the proxy is not there."""

    def setUp(self) -> None:
        self.proxy = MemoryProxy()

    def test_both_ways(self) -> None:
        """Bytes pass as they are, whole lines or not."""
        client, backend = self.proxy.pair()
        client.says(b"get a\nge")
        client.says(b"t b\n")
        backend.says(b"1\n2")
        backend.says(b"\n")
        self.assertEqual(backend.received, b"get a\nget b\n")
        self.assertEqual(client.received, b"1\n2\n")

    def test_half_a_message_is_not_held_back(self) -> None:
        """With nothing to decide, bytes go on before they are framed."""
        client, backend = self.proxy.pair()
        client.says(b"get")
        self.assertEqual(backend.received, b"get")

    def test_said_before_the_backend_is_there(self) -> None:
        """What the client says early waits for the backend, its FIN as well."""
        client = self.proxy.client()
        client.says(b"get a\n")
        client.fins()
        backend = self.proxy.backend()
        self.assertEqual(backend.received, b"get a\n")
        self.assertEqual(backend.ended, "fin")

    def test_half_close_by_the_client(self) -> None:
        """A FIN is a FIN: the reply still comes."""
        client, backend = self.proxy.pair()
        client.says(b"get a\n")
        client.fins()
        self.assertEqual((backend.received, backend.ended), (b"get a\n", "fin"))
        backend.says(b"1\n")
        self.assertEqual((client.received, client.ended), (b"1\n", ""))
        backend.fins()
        self.assertEqual(client.ended, "fin")
        self.assertEqual(self.proxy.links, {})

    def test_half_close_by_the_backend(self) -> None:
        """The client may go on talking to a backend that has said its last word."""
        client, backend = self.proxy.pair()
        backend.says(b"!bye\n")
        backend.fins()
        self.assertEqual((client.received, client.ended), (b"!bye\n", "fin"))
        client.says(b"get a\n")
        self.assertEqual(backend.received, b"get a\n")

    def test_unfinished_message_before_fin(self) -> None:
        """A message that was cut short by FIN is passed on, too."""
        self.proxy.proxy.set_plan(plan(on("NEVER", Error(kind="no"))))
        client, backend = self.proxy.pair()
        client.says(b"get")
        self.assertEqual(backend.received, b"")
        client.fins()
        self.assertEqual((backend.received, backend.ended), (b"get", "fin"))

    def test_reset_by_the_client(self) -> None:
        """A RST is a RST."""
        client, backend = self.proxy.pair()
        client.resets()
        self.proxy.pass_time()
        self.assertEqual(backend.ended, "rst")
        self.assertEqual(self.proxy.links, {})

    def test_reset_by_the_backend(self) -> None:
        """After what the backend said before."""
        client, backend = self.proxy.pair()
        client.says(b"get a\n")
        backend.says(b"1\n")
        backend.resets()
        self.proxy.pass_time()
        self.assertEqual((client.received, client.ended), (b"1\n", "rst"))
        self.assertEqual(self.proxy.links, {})

    def test_backend_refuses(self) -> None:
        """A protocol without words for it: the client is reset, as if nobody listened."""
        client = self.proxy.client()
        self.proxy.refuse()
        self.proxy.pass_time()
        self.assertEqual(client.ended, "rst")
        self.assertEqual(len(self.proxy.named("backend-refused")), 1)
        self.assertEqual(self.proxy.links, {})

    def test_client_gone_while_dialling(self) -> None:
        """Nobody is dialled for a client that has left."""
        client = self.proxy.client()
        client.resets()
        self.assertEqual(self.proxy.links, {})
        self.assertTrue(self.proxy.reactor.connectors[0].stoppedConnecting)

    def test_slow_client_pauses_the_backend(self) -> None:
        """What the client does not take is not read from the backend."""
        client, backend = self.proxy.pair()
        client.says(b"get a\n")
        client.stuffed = True
        backend.says(b"1")
        self.assertFalse(backend.reading)
        self.assertTrue(client.reading)
        client.drains()
        self.assertTrue(backend.reading)
        self.assertEqual(client.received, b"1")

    def test_slow_backend_pauses_the_client(self) -> None:
        """And the other way round."""
        client, backend = self.proxy.pair()
        backend.stuffed = True
        client.says(b"get a\n")
        self.assertFalse(client.reading)
        backend.drains()
        self.assertTrue(client.reading)

    def test_unreachable_answers_the_first_request(self) -> None:
        """A protocol that has words for it says them in answer to a request."""
        proxy = MemoryProxy(protocol=GatewayLines())
        client = proxy.client()
        proxy.refuse()
        self.assertEqual((client.received, client.ended), (b"", ""))
        client.says(b"get a\n")
        self.assertEqual((client.received, client.ended), (b"-gone\n", "fin"))

    def test_idle(self) -> None:
        """A link is closed when nothing has passed for the time that was asked for."""
        proxy = MemoryProxy(idle_timeout=10.0)
        client, backend = proxy.pair()
        proxy.pass_time(6)
        client.says(b"get a\n")
        proxy.pass_time(6)
        self.assertEqual(client.ended, "")
        proxy.pass_time(5)
        self.assertEqual((client.ended, backend.ended), ("fin", "fin"))


class OrderTests(SynchronousTestCase):
    """Replies come in the order of their requests, whoever makes them."""

    def test_refusal_in_the_middle_of_a_pipeline(self) -> None:
        """The proxy's answer waits for the replies to the requests before it."""
        proxy = MemoryProxy(plan(on("SET", Error(kind="no"))))
        client, backend = proxy.pair()
        client.says(b"get a\nset b\nget c\nset d\n")
        self.assertEqual(backend.received, b"get a\nget c\n")
        self.assertEqual(client.received, b"")
        backend.says(b"1\n")
        self.assertEqual(client.received, b"1\n-no\n")
        backend.says(b"3\n")
        self.assertEqual(client.received, b"1\n-no\n3\n-no\n")
        self.assertEqual(proxy.links[1].turns.lives, set())

    def test_refusal_in_front(self) -> None:
        """With nothing before it, the answer goes out at once."""
        proxy = MemoryProxy(plan(on("SET", Error(kind="no"))))
        client, backend = proxy.pair()
        client.says(b"set a\nget b\n")
        self.assertEqual(client.received, b"-no\n")
        backend.says(b"2\n")
        self.assertEqual(client.received, b"-no\n2\n")

    def test_refused_body_is_drained(self) -> None:
        """The body of a refused request reaches nobody; the answer comes after it."""
        proxy = MemoryProxy(plan(on("BODY", Error(kind="no"))))
        client, backend = proxy.pair()
        client.says(b"body 10\n01234")
        self.assertEqual(client.received, b"")
        client.says(b"56789get a\n")
        self.assertEqual((backend.received, client.received), (b"get a\n", b"-no\n"))

    def test_answer_does_not_cut_a_message(self) -> None:
        """What the proxy says does not come between the parts of a message that is on its way."""
        proxy = MemoryProxy(plan(on("SET", Error(kind="no"))))
        client, backend = proxy.pair()
        backend.says(b"!body 4\nab")
        client.says(b"set a\n")
        self.assertEqual(client.received, b"!body 4\nab")
        backend.says(b"cd")
        self.assertEqual(client.received, b"!body 4\nabcd-no\n")

    def test_request_delayed_holds_what_follows(self) -> None:
        """Requests of one link stay in order behind one that waits; replies go on."""
        proxy = MemoryProxy(plan(on("SLOW", Delay(sleep=2.0))))
        client, backend = proxy.pair()
        client.says(b"get a\nslow b\nget c\n")
        self.assertEqual(backend.received, b"get a\n")
        backend.says(b"1\n")
        self.assertEqual(client.received, b"1\n")
        proxy.pass_time(2.0)
        self.assertEqual(backend.received, b"get a\nslow b\nget c\n")

    def test_reply_delayed_holds_what_follows(self) -> None:
        """Replies behind one that waits stay in order; requests go on."""
        proxy = MemoryProxy(plan(on("SLOW", Delay(sleep=2.0, before=False))))
        client, backend = proxy.pair()
        client.says(b"slow a\nget b\n")
        backend.says(b"1\n2\n")
        self.assertEqual(client.received, b"")
        client.says(b"get c\n")
        self.assertEqual(backend.received, b"slow a\nget b\nget c\n")
        proxy.pass_time(2.0)
        self.assertEqual(client.received, b"1\n2\n")

    def test_the_backend_is_told(self) -> None:
        """A refusal may have to be told to the backend as well."""
        proxy = MemoryProxy(plan(on("SET", Error(kind="undo"))))
        client, backend = proxy.pair()
        client.says(b"set a\n")
        self.assertEqual((client.received, backend.received), (b"-undo\n", b"undo\n"))

    def test_refusal_that_closes(self) -> None:
        """The client gets the answer in its turn, then FIN; so does the backend."""
        proxy = MemoryProxy(plan(on("SET", Error(kind="bye"))))
        client, backend = proxy.pair()
        client.says(b"get a\nset b\n")
        self.assertEqual(client.ended, "")
        backend.says(b"1\n")
        self.assertEqual((client.received, client.ended, backend.ended), (b"1\n-bye\n", "fin", "fin"))

    def test_other_links_are_not_held_up(self) -> None:
        """A delay on one link is no delay on another."""
        proxy = MemoryProxy(plan(on("SLOW", Delay(sleep=2.0))))
        slow, _ = proxy.pair()
        quick, backend = proxy.pair()
        slow.says(b"slow\n")
        quick.says(b"get a\n")
        self.assertEqual(backend.received, b"get a\n")


class LeavingTests(SynchronousTestCase):
    """Somebody goes while a hook waits."""

    def test_fin_while_a_hook_sleeps(self) -> None:
        """The FIN is passed on after the request that was held."""
        proxy = MemoryProxy(Delay(sleep=2.0))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        client.fins()
        self.assertEqual((backend.received, backend.ended), (b"", ""))
        proxy.pass_time(2.0)
        self.assertEqual((backend.received, backend.ended), (b"get a\n", "fin"))
        backend.says(b"1\n")
        self.assertEqual(client.received, b"1\n")

    def test_reset_while_a_hook_sleeps(self) -> None:
        """A client that is gone ends its hooks at once; its request is not sent."""
        proxy = MemoryProxy(Delay(sleep=2.0))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        client.resets()
        proxy.pass_time()
        self.assertEqual((backend.received, backend.ended), (b"", "rst"))
        self.assertEqual((proxy.links, proxy.reactor.getDelayedCalls()), ({}, []))

    def test_reset_while_it_hangs(self) -> None:
        """A client that is gone does not hang."""
        proxy = MemoryProxy(Hang())
        client, backend = proxy.pair()
        client.says(b"get a\n")
        client.resets()
        proxy.pass_time()
        self.assertEqual((backend.received, proxy.links), (b"", {}))

    def test_fin_while_it_hangs(self) -> None:
        """A client that has closed its connection only says FIN: that ends a hang, too."""
        proxy = MemoryProxy(Hang())
        client, backend = proxy.pair()
        client.says(b"get a\n")
        client.fins()
        proxy.pass_time(DRAIN_TIME)
        self.assertEqual((backend.received, backend.ended, proxy.links), (b"", "fin", {}))

    def test_backend_reset_while_the_reply_waits(self) -> None:
        """The reply comes first, in its time, and then the RST."""
        proxy = MemoryProxy(Delay(sleep=2.0, before=False))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"1\n")
        backend.resets()
        proxy.pass_time(1.0)
        self.assertEqual((client.received, client.ended), (b"", ""))
        proxy.pass_time(1.0, 0.0)
        self.assertEqual((client.received, client.ended, proxy.links), (b"1\n", "rst", {}))

    def test_backend_fin_while_the_reply_waits(self) -> None:
        """The reply comes first, in its time, and then the FIN."""
        proxy = MemoryProxy(Delay(sleep=2.0, before=False))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"1\n")
        backend.fins()
        self.assertEqual((client.received, client.ended), (b"", ""))
        proxy.pass_time(2.0)
        self.assertEqual((client.received, client.ended), (b"1\n", "fin"))

    def test_backend_gone_before_the_reply(self) -> None:
        """Without a reply there is nothing to delay: the end is passed on."""
        proxy = MemoryProxy(Delay(sleep=2.0, before=False))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.resets()
        proxy.pass_time(2.0, 0.0)
        self.assertEqual((client.received, client.ended, proxy.links), (b"", "rst", {}))

    def test_bounded_buffer(self) -> None:
        """While a hook waits the client is read, up to a limit, and later again."""
        proxy = MemoryProxy(plan(on("SLOW", Delay(sleep=2.0))))
        client, backend = proxy.pair()
        client.says(b"slow\n")
        client.says(b"x" * LANE_LIMIT)
        self.assertTrue(client.reading)
        client.says(b"x\n")
        self.assertFalse(client.reading)
        proxy.pass_time(2.0)
        self.assertTrue(client.reading)
        self.assertEqual(backend.received, b"slow\n" + b"x" * LANE_LIMIT + b"x\n")

    def test_client_that_reads_no_answers(self) -> None:
        """One that only asks, and never reads what the proxy answers, is not read any more."""
        proxy = MemoryProxy(Error(kind="no"))
        client, _ = proxy.pair()
        client.stuffed = True
        client.says(b"get a\n")
        self.assertFalse(client.reading)
        client.drains()
        self.assertTrue(client.reading)
        self.assertEqual(client.received, b"-no\n")

    def test_fin_before_it_hangs(self) -> None:
        """Also a FIN that came before the hook began to wait."""
        proxy = MemoryProxy(Hang())
        client = proxy.client()
        client.says(b"get a\n")
        client.fins()
        backend = proxy.backend()
        proxy.pass_time(0.0, DRAIN_TIME)
        self.assertEqual((backend.received, proxy.links), (b"", {}))

    def test_fin_while_it_hangs_behind_others(self) -> None:
        """Replies to what was asked before are still owed to a client that has said FIN."""
        proxy = MemoryProxy(plan(on("SLOW", Hang())))
        client, backend = proxy.pair()
        client.says(b"get a\nslow\n")
        client.fins()
        backend.says(b"1\n")
        proxy.pass_time(DRAIN_TIME)
        self.assertEqual((client.received, client.ended, proxy.links), (b"1\n", "fin", {}))

    def test_leaving_an_unreachable_backend(self) -> None:
        """A client that leaves without a request that could be refused leaves nothing behind."""
        for fin_first in (False, True):
            proxy = MemoryProxy(protocol=GatewayLines(), pool_max_size=1)
            client = proxy.client()
            if fin_first:
                client.fins()
            proxy.refuse()
            self.assertEqual(proxy.proxy.pool.open, 0)
            if not fin_first:
                client.fins()
            proxy.pass_time(DRAIN_TIME)
            self.assertEqual(proxy.links, {})

    def test_many_unanswered(self) -> None:
        """A client that asks on and on, while nobody answers, is not read for ever; then again."""
        for rules in ((), (on("GET", Error(kind="no")),)):
            proxy = MemoryProxy(plan(*rules))
            client, backend = proxy.pair()
            client.says(b"first\n")
            client.says(b"get\n" * TURNS_LIMIT)
            self.assertFalse(client.reading)
            self.assertEqual(len(proxy.links[1].turns), TURNS_LIMIT + 1)
            backend.says(b"1\n" * backend.received.count(b"\n"))
            self.assertTrue(client.reading)
            self.assertEqual(client.received.count(b"\n"), TURNS_LIMIT + 1)

    def test_answers_wait_for_room(self) -> None:
        """What the proxy answers is not piled up for a client that does not read."""
        proxy = MemoryProxy(plan(on("GET", Error(kind="no"))))
        client, backend = proxy.pair()
        client.says(b"first\n" + b"get\n" * 10)
        client.stuffed = True
        backend.says(b"1\n")
        self.assertEqual(len(proxy.links[1].turns), 10)
        client.drains()
        self.assertEqual(client.received, b"1\n" + b"-no\n" * 10)

    def test_stop_while_ending(self) -> None:
        """A link that is ending already ends sooner when the proxy stops."""
        for behavior in (Blackout(), Blackout(reset=True)):
            proxy = MemoryProxy(behavior)
            client = proxy.client()
            client.stuffed = True
            stopped = proxy.proxy.stop()
            proxy.pass_time(STOP_TIME, 0.01)
            self.successResultOf(stopped)


class PlanChangeTests(SynchronousTestCase):
    """Setting a plan on standing links."""

    def test_next_exchange(self) -> None:
        """It holds for the next exchange of a link that stands."""
        proxy = MemoryProxy()
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.proxy.set_plan(Plan.only(Error(kind="no")))
        client.says(b"get b\n")
        backend.says(b"1\n")
        proxy.proxy.set_plan(Plan())
        client.says(b"get c\n")
        backend.says(b"3\n")
        self.assertEqual((backend.received, client.received), (b"get a\nget c\n", b"1\n-no\n3\n"))

    def test_not_in_the_middle_of_a_message(self) -> None:
        """A message that has begun to go out cannot be called back."""
        proxy = MemoryProxy()
        client, backend = proxy.pair()
        client.says(b"get")
        proxy.proxy.set_plan(Plan.only(Error(kind="no")))
        client.says(b" a\nget b\n")
        self.assertEqual(backend.received, b"get a\n")
        backend.says(b"1\n")
        self.assertEqual(client.received, b"1\n-no\n")

    def test_sleepers_of_a_removed_rule_go_on(self) -> None:
        """What was held goes on as dummy, before set_plan returns, and no timer is left."""
        proxy = MemoryProxy(Delay(sleep=50.0))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.proxy.set_plan(Plan())
        self.assertEqual(backend.received, b"get a\n")
        self.assertEqual(proxy.reactor.getDelayedCalls(), [])

    def test_hang_lets_go(self) -> None:
        """Removing hang sends on what was held."""
        proxy = MemoryProxy(Hang())
        client, backend = proxy.pair()
        client.says(b"get a\nget b\n")
        self.assertEqual(backend.received, b"")
        proxy.proxy.set_plan(Plan())
        self.assertEqual(backend.received, b"get a\nget b\n")

    def test_kept_rules_keep_their_sleepers(self) -> None:
        """A rule that both plans have goes on sleeping and counting."""
        rule = Rule(Delay(sleep=5.0), times=1)
        proxy = MemoryProxy(plan(rule))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.proxy.set_plan(plan(on("SET", Error(kind="no")), rule))
        self.assertEqual(backend.received, b"")
        proxy.pass_time(5.0)
        client.says(b"get b\n")
        self.assertEqual(backend.received, b"get a\nget b\n")

    def test_later_hooks_of_a_removed_rule(self) -> None:
        """A rule that is gone does nothing more to the exchanges it fired on."""
        for behavior in (Abort(), Error(inject=True)):
            proxy = MemoryProxy(behavior)
            client, backend = proxy.pair()
            client.says(b"body 10\n01234")
            proxy.proxy.set_plan(Plan())
            client.says(b"56789")
            backend.says(b"1\n")
            self.assertEqual((client.received, client.ended), (b"1\n", ""))

    def test_edits_of_a_removed_rule(self) -> None:
        """An edit that has not begun is not begun any more."""
        proxy = MemoryProxy(Error(inject=True))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.proxy.set_plan(Plan())
        backend.says(b"1\n")
        self.assertEqual(client.received, b"1\n")

    def test_held_bytes_are_not_overtaken(self) -> None:
        """Half a message that was held back goes before what comes after the change."""
        proxy = MemoryProxy(plan(on("NEVER", Error(kind="no"))))
        client, backend = proxy.pair()
        client.says(b"ge")
        self.assertEqual(backend.received, b"")
        proxy.proxy.set_plan(Plan())
        client.says(b"t a\nget b\n")
        self.assertEqual(backend.received, b"get a\nget b\n")

    def test_a_hook_that_acts_when_it_is_over(self) -> None:
        """One that catches its cancellation and then acts changes nothing."""
        proxy = MemoryProxy(Late())
        client, backend = proxy.pair()
        client.says(b"get a\nget b\n")
        proxy.proxy.set_plan(Plan())
        backend.says(b"1\n2\n")
        self.assertEqual((backend.received, client.received), (b"get a\nget b\n", b"1\n2\n"))
        self.assertEqual(proxy.named("opaque"), [])

    def test_on_activate_that_fails(self) -> None:
        """It is logged and counted; the plan holds, and the other links get theirs."""
        proxy = MemoryProxy()
        proxy.pair()
        proxy.pair()
        proxy.proxy.set_plan(Plan.only(Clumsy()))
        self.assertEqual(proxy.proxy.plan.mix_text, "clumsy")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(proxy.proxy.stats.broken, 2)

    def test_a_hook_that_will_not_go(self) -> None:
        """One that waits for something else is cancelled, one that ignores that is left behind."""
        proxy = MemoryProxy(Stubborn())
        client, backend = proxy.pair()
        client.says(b"get a\n")
        self.assertEqual(backend.received, b"")
        proxy.proxy.set_plan(Plan())
        self.assertEqual(backend.received, b"get a\n")


class Stubborn(Behavior, frozen=True, kw_only=True):
    """Waits for ever, and again when cancelled."""

    name: ClassVar[str] = "stubborn"

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        for _ in range(3):
            waiting: Deferred[None] = Deferred()
            try:
                await waiting
            except CancelledError:
                continue
        return False


class Late(Behavior, frozen=True, kw_only=True):
    """Takes every exception for an answer."""

    name: ClassVar[str] = "late"

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        waiting: Deferred[None] = Deferred()
        try:
            await waiting
        except Exception:
            exchange.refuse("undo")
        return False


@implementer(IStanding)
class Clumsy(Behavior, frozen=True, kw_only=True):
    """Fails on links that stand."""

    name: ClassVar[str] = "clumsy"

    def on_activate(self, link: Link) -> None:
        raise ZeroDivisionError

    def on_before_handle(self, exchange: LiveExchange) -> bool:
        return True


class Hooks(Behavior, frozen=True, kw_only=True):
    """Writes down which hooks ran, and does what a test wants."""

    name: ClassVar[str] = "hooks"
    seen: list[str] = field(default_factory=list)
    do: dict[str, Any] = field(default_factory=dict)

    def _hook(self, hook: Hook, exchange: LiveExchange) -> HookResult:
        self.seen.append(hook.value)
        action = self.do.get(hook.value)
        result: HookResult = action(exchange) if callable(action) else action
        return result

    def on_connect(self, exchange: LiveExchange) -> HookResult:
        return self._hook(Hook.CONNECT, exchange)

    def on_before_handle(self, exchange: LiveExchange) -> HookResult:
        return self._hook(Hook.BEFORE, exchange)

    def on_between_handle(self, exchange: LiveExchange) -> HookResult:
        return self._hook(Hook.BETWEEN, exchange)

    def on_after_handle(self, exchange: LiveExchange) -> HookResult:
        return self._hook(Hook.AFTER, exchange)


class HookTests(SynchronousTestCase):
    """What hooks may do, and when they are asked."""

    def proxy_doing(self, **do: Any) -> tuple[MemoryProxy, Hooks]:
        """A proxy whose only behavior does this at its hooks."""
        hooks = Hooks(seen=[], do={f"on_{name}": action for name, action in do.items()})
        return MemoryProxy(hooks), hooks

    def test_order(self) -> None:
        """Connect; before, between and after each exchange."""
        proxy, hooks = self.proxy_doing()
        client, backend = proxy.pair()
        self.assertEqual(hooks.seen, ["on_connect"])
        client.says(b"get a\n")
        self.assertEqual(hooks.seen[1:], ["on_before_handle", "on_between_handle"])
        backend.says(b"1\n")
        self.assertEqual(hooks.seen[3:], ["on_after_handle"])

    def test_false_stops(self) -> None:
        """After a hook that says stop, no later hook of the exchange runs; it goes on."""
        proxy, hooks = self.proxy_doing(before_handle=False)
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"1\n")
        self.assertEqual(hooks.seen[1:], ["on_before_handle"])
        self.assertEqual(client.received, b"1\n")

    def test_no_reply(self) -> None:
        """A request without reply has an end as well, and its waiters know."""
        waiters: list[object] = []
        proxy, hooks = self.proxy_doing(
            between_handle=lambda live: waiters.append(live.response_started()),
        )
        client, _ = proxy.pair()
        client.says(b"quiet\n")
        self.assertEqual(hooks.seen[1:], ["on_before_handle", "on_between_handle", "on_after_handle"])
        self.assertEqual(waiters, [None])
        self.assertEqual(proxy.links[1].turns.lives, set())

    def test_edits(self) -> None:
        """Requests and replies pass through the edits, frame by frame."""

        def edit(live: LiveExchange) -> None:
            live.edit_request(bytes.upper)
            live.edit_response(bytes.swapcase)

        proxy, _ = self.proxy_doing(before_handle=edit)
        client, backend = proxy.pair()
        client.says(b"body 3\nabc")
        backend.says(b"Ok\n")
        self.assertEqual((backend.received, client.received), (b"BODY 3\nABC", b"oK\n"))

    def test_reply_before(self) -> None:
        """The proxy answers, the backend hears nothing, the next request is in step."""
        proxy, hooks = self.proxy_doing(before_handle=lambda live: live.reply(b"mine\n"))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        self.assertEqual((client.received, backend.received), (b"mine\n", b""))
        self.assertEqual(hooks.seen[1:], ["on_before_handle", "on_after_handle"])
        proxy.proxy.set_plan(Plan())
        client.says(b"get b\n")
        backend.says(b"2\n")
        self.assertEqual(client.received, b"mine\n2\n")

    def test_reply_between(self) -> None:
        """What the proxy says replaces the backend's reply, which is drained."""
        proxy, _ = self.proxy_doing(between_handle=lambda live: live.reply(b"mine\n"))
        client, backend = proxy.pair()
        client.says(b"get a\nget b\n")
        self.assertEqual((client.received, backend.received), (b"mine\nmine\n", b"get a\nget b\n"))
        backend.says(b"1\nbody 3\nabc")
        self.assertEqual(client.received, b"mine\nmine\n")
        self.assertEqual(proxy.links[1].turns.lives, set())

    def test_reply_between_is_not_undone_by_a_new_plan(self) -> None:
        """The backend's reply is drained also if the plan has changed meanwhile."""
        proxy, _ = self.proxy_doing(between_handle=lambda live: live.reply(b"mine\n"))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.proxy.set_plan(Plan())
        client.says(b"get b\n")
        backend.says(b"1\n2\n")
        self.assertEqual(client.received, b"mine\n2\n")

    def test_swallow_before(self) -> None:
        """Nobody hears of the request and nobody answers; others are in step."""
        proxy = MemoryProxy(plan(on("LOST", Hooks(do={"on_before_handle": lambda live: live.swallow()}))))
        client, backend = proxy.pair()
        client.says(b"lost\nget b\n")
        backend.says(b"2\n")
        self.assertEqual((backend.received, client.received), (b"get b\n", b"2\n"))

    def test_swallow_between(self) -> None:
        """The backend answers, the client gets nothing."""
        proxy = MemoryProxy(plan(on("LOST", Hooks(do={"on_between_handle": lambda live: live.swallow()}))))
        client, backend = proxy.pair()
        client.says(b"lost\nget b\n")
        backend.says(b"1\n2\n")
        self.assertEqual((backend.received, client.received), (b"lost\nget b\n", b"2\n"))

    def test_broken_behavior(self) -> None:
        """An exception is logged and counted; the exchange goes on as if no rule had fired."""
        proxy, hooks = self.proxy_doing(before_handle=lambda live: 1 / 0)
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"1\n")
        self.assertEqual((backend.received, client.received), (b"get a\n", b"1\n"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(hooks.seen[1:], ["on_before_handle"])
        self.assertEqual(proxy.proxy.stats.broken, 1)
        self.assertEqual(proxy.named("broken")[0]["why"], "ZeroDivisionError in hooks")

    def test_answer_where_none_is_due(self) -> None:
        """What is said to a request without reply has its turn like any other answer."""
        proxy = MemoryProxy(plan(on("QUIET", Error(kind="no"))))
        client, backend = proxy.pair()
        backend.says(b"!body 4\nab")
        client.says(b"get a\nquiet\n")
        backend.says(b"cd1\n")
        self.assertEqual(client.received, b"!body 4\nabcd1\n-no\n")
        self.assertEqual(proxy.links[1].turns.lives, set())

    def test_after_closing(self) -> None:
        """A hook that ends its link, and then sleeps, leaves no timer."""

        async def close_and_sleep(live: LiveExchange) -> None:
            live.close()
            await live.sleep(1000.0)

        proxy, _ = self.proxy_doing(before_handle=close_and_sleep)
        client, _ = proxy.pair()
        client.says(b"get a\n")
        proxy.pass_time(DRAIN_TIME)
        self.assertEqual((proxy.links, proxy.reactor.getDelayedCalls()), ({}, []))

    def test_what_cannot_be_sent(self) -> None:
        """An edit that makes something else than bytes, and a reply that is none, are errors of the hook."""
        for action in (
            lambda live: live.edit_request(lambda frame: None),
            lambda live: live.reply("text"),
        ):
            proxy, _ = self.proxy_doing(before_handle=action)
            client, backend = proxy.pair()
            client.says(b"get a\n")
            self.assertEqual(backend.received, b"get a\n")
            self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        proxy, _ = self.proxy_doing(before_handle=lambda live: live.edit_request(bytearray))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        self.assertEqual(backend.received, b"get a\n")

    def test_broken_edit(self) -> None:
        """So is one in an edit: the frame goes on as it was."""
        proxy, _ = self.proxy_doing(before_handle=lambda live: live.edit_request(lambda frame: frame[:1] + 1))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        self.assertEqual(backend.received, b"get a\n")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_waiting_for_a_reply_that_is_held_back(self) -> None:
        """It would wait for itself, and says so."""
        proxy, _ = self.proxy_doing(between_handle=lambda live: live.response_finished())
        client, _ = proxy.pair()
        client.says(b"get a\n")
        failures = self.flushLoggedErrors(RuntimeError)
        self.assertIn("swallow", failures[0].getErrorMessage())

    def test_too_late_to_refuse(self) -> None:
        """Once the client has the reply there is nothing to refuse."""
        proxy, _ = self.proxy_doing(after_handle=lambda live: live.refuse("no"))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"1\n")
        self.assertEqual(client.received, b"1\n")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_unasked_only_by_name(self) -> None:
        """The mix leaves what the server sends unasked alone; a rule that names it does not."""
        mix, rule = Hooks(seen=[]), Hooks(seen=[], do={"on_between_handle": lambda live: live.swallow()})
        proxy = MemoryProxy(Plan(mix=Plan.only(mix).mix, rules=(on("NEWS", rule),), seed=1))
        client, backend = proxy.pair()
        backend.says(b"!news\n!other\n")
        self.assertEqual(client.received, b"!other\n")
        self.assertEqual((mix.seen, rule.seen), (["on_connect"], ["on_between_handle"]))
        self.assertEqual(proxy.links[1].turns.lives, set())

    def test_unasked_replaced(self) -> None:
        """What stands in for an unasked message goes out where that stood."""
        rule = Hooks(do={"on_between_handle": lambda live: live.reply(b"!mine\n")})
        proxy = MemoryProxy(plan(on("NEWS", rule)))
        client, backend = proxy.pair()
        backend.says(b"!a\n!news\n!b\n")
        self.assertEqual(client.received, b"!a\n!mine\n!b\n")

    def test_close_and_reset(self) -> None:
        """A hook may end the link, either side first, and later hooks do not run."""
        for side, then, ends in (
            (Side.CLIENT, Then.CLOSE, ("fin", "fin")),
            (Side.CLIENT, Then.RESET, ("rst", "fin")),
            (Side.BACKEND, Then.RESET, ("fin", "rst")),
        ):
            method = "close" if then is Then.CLOSE else "reset"
            proxy, hooks = self.proxy_doing(before_handle=lambda live, m=method, s=side: getattr(live, m)(s))
            client, backend = proxy.pair()
            client.says(b"get a\n")
            proxy.pass_time(DRAIN_TIME)
            self.assertEqual((client.ended, backend.ended), ends)
            self.assertEqual((backend.received, proxy.links), (b"", {}))
            self.assertEqual(hooks.seen[1:], ["on_before_handle"])

    def test_close_from_a_coroutine(self) -> None:
        """Also in the middle of its own steps, and after a sleep."""

        async def cut(live: LiveExchange) -> bool:
            await live.sleep(1.0)
            live.close()
            await live.sleep(1.0)
            return False

        proxy, _ = self.proxy_doing(before_handle=cut)
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.pass_time(1.0, DRAIN_TIME, 1.0)
        self.assertEqual((client.ended, backend.received, proxy.links), ("fin", b"", {}))

    def test_reply_from_a_coroutine(self) -> None:
        """An answer that is decided after a wait goes out when the hook is done."""

        async def late(live: LiveExchange) -> None:
            await live.sleep(1.0)
            live.reply(b"mine\n")

        proxy, _ = self.proxy_doing(between_handle=late)
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"1\n")
        proxy.pass_time(1.0)
        self.assertEqual(client.received, b"mine\n")


class AbortTests(SynchronousTestCase):
    """The backend does the work; the client does not learn of it."""

    def test_cut_before_the_reply(self) -> None:
        """The client is cut when the request is written; the backend is kept until it has answered."""
        proxy = MemoryProxy(Abort())
        client, backend = proxy.pair()
        client.says(b"body 3\nab")
        self.assertEqual(client.ended, "")
        client.says(b"c")
        self.assertEqual((backend.received, client.ended, backend.ended), (b"body 3\nabc", "fin", ""))
        client.fins()
        backend.says(b"body 2\nx")
        self.assertEqual(backend.ended, "")
        backend.says(b"y")
        self.assertEqual((client.received, backend.ended), (b"", "fin"))
        proxy.pass_time(DRAIN_TIME)
        self.assertEqual((proxy.links, proxy.reactor.getDelayedCalls()), ({}, []))

    def test_wait(self) -> None:
        """With wait the client is cut only after the whole answer."""
        proxy = MemoryProxy(Abort(wait=True, reset=True))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"body 2\nx")
        self.assertEqual(client.ended, "")
        backend.says(b"y")
        proxy.pass_time()
        self.assertEqual((client.received, client.ended), (b"", "rst"))

    def test_not_for_ever(self) -> None:
        """A backend that does not answer is kept for so long and no longer."""
        proxy = MemoryProxy(Abort(linger=5.0))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.pass_time(4.9)
        self.assertEqual(backend.ended, "")
        proxy.pass_time(0.2, DRAIN_TIME)
        self.assertEqual((backend.ended, proxy.links), ("fin", {}))

    def test_backend_dies_meanwhile(self) -> None:
        """Nothing is left to wait for."""
        proxy = MemoryProxy(Abort())
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.resets()
        proxy.pass_time(DRAIN_TIME)
        self.assertEqual(proxy.links, {})

    def test_earlier_replies_come_first(self) -> None:
        """Replies to the requests before it that have come have gone out."""
        proxy = MemoryProxy(plan(on("SET", Abort())))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"1\n")
        client.says(b"set b\n")
        self.assertEqual((client.received, client.ended), (b"1\n", "fin"))


class OpaqueTests(SynchronousTestCase):
    """A stream that cannot be followed flows on."""

    def test_bytes_flow_on(self) -> None:
        """From either side, with nothing lost, said once."""
        for rules in ((), (on("NEVER", Error(kind="no")),)):
            proxy = MemoryProxy(plan(*rules))
            client, backend = proxy.pair()
            client.says(b"get a\n# what\nis this")
            backend.says(b"1\nno line")
            client.says(b" then\n")
            self.assertEqual(backend.received, b"get a\n# what\nis this then\n")
            self.assertEqual(client.received, b"1\nno line")
            self.assertEqual(
                [event["why"] for event in proxy.named("opaque")], ["a comment cannot be framed"]
            )

    def test_desync_by_the_backend(self) -> None:
        """What the session held of the other direction goes on as well."""
        proxy = MemoryProxy(plan(on("NEVER", Error(kind="no"))))
        client, backend = proxy.pair()
        client.says(b"get")
        self.assertEqual(backend.received, b"")
        backend.says(b"unasked\n")
        self.assertEqual((client.received, backend.received), (b"unasked\n", b"get"))

    def test_refusal_that_has_lost_its_turn(self) -> None:
        """Its place in the stream cannot be told any more, and the client waits for it: the link ends."""
        proxy = MemoryProxy(plan(on("SET", Error(kind="no"))))
        client, _ = proxy.pair()
        client.says(b"get a\nset b\n#\n")
        self.assertEqual((client.received, client.ended), (b"", "fin"))

    def test_strict(self) -> None:
        """With on_desync=close such a link is ended."""
        proxy = MemoryProxy(on_desync="close")
        client, backend = proxy.pair()
        client.says(b"#\n")
        self.assertEqual((client.ended, backend.ended), ("fin", "fin"))

    def test_while_a_reply_waits(self) -> None:
        """Frames that a hook holds come first."""
        proxy = MemoryProxy(plan(on("GET", Delay(sleep=1.0, before=False))))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        backend.says(b"1\nrest")
        client.says(b"#\n")
        backend.says(b" more")
        self.assertEqual(client.received, b"")
        proxy.pass_time(1.0)
        self.assertEqual(client.received, b"1\nrest more")

    def test_while_the_backend_is_dialled(self) -> None:
        """Early bytes that cannot be framed are passed on when the backend is there."""
        proxy = MemoryProxy()
        client = proxy.client()
        client.says(b"# what\n")
        backend = proxy.backend()
        client.says(b"more")
        self.assertEqual(backend.received, b"# what\nmore")

    def test_delay_goes_on_working(self) -> None:
        """Behaviors that need no framing work on turns."""
        proxy = MemoryProxy(Delay(sleep=1.0))
        client, backend = proxy.pair()
        client.says(b"#\n")
        proxy.pass_time(1.0)
        self.assertEqual(backend.received, b"#\n")
        backend.says(b"x")
        client.says(b"y")
        self.assertEqual(backend.received, b"#\n")
        proxy.pass_time(1.0)
        self.assertEqual(backend.received, b"#\ny")

    def test_error_has_no_words(self) -> None:
        """An error of the protocol cannot be said; it does not fire."""
        proxy = MemoryProxy(plan(on("SAY", Error(kind="no"))))
        client, backend = proxy.pair()
        client.says(b"#\n")
        self.assertEqual((backend.received, client.received), (b"#\n", b""))
        self.assertEqual(len(proxy.named("misfired")), 1)
