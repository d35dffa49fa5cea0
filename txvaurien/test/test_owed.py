"""What each side of a link is owed: its own replies, all of them, and nothing that is counted in vain."""

from __future__ import annotations

import gc
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.exchange import LiveExchange
from txvaurien.links.turns import TURNS_LIMIT
from txvaurien.model import Direction
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.toxics.bandwidth import Bandwidth
from txvaurien.toxics.latency import Latency

UP, DOWN = Direction.TO_BACKEND, Direction.TO_CLIENT
GET = frozenset({"GET"})


def following(*rules: Rule) -> MemoryProxy:
    """A proxy with these rules."""
    return MemoryProxy(Plan(rules=rules, seed=1))


class SwallowsAndFails(Behavior, frozen=True, kw_only=True):
    """Drops the reply, waits, and fails."""

    name: ClassVar[str] = "swallows"

    async def on_between_handle(self, exchange: LiveExchange) -> None:
        exchange.swallow()
        await exchange.sleep(1)
        raise ZeroDivisionError


class ShiftTests(SynchronousTestCase):
    """The client never takes the reply to one request for that to another."""

    def test_abort_removed(self) -> None:
        """A rule that waits for the whole reply is taken away: the client gets that reply after all."""
        proxy = following(Rule(Abort(wait=True), name="a", times=1))
        client, backend = proxy.pair()
        client.says(b"get 1\nget 2\n")
        proxy.proxy.remove_rule("a")
        backend.says(b"ok 1\nok 2\n")
        self.assertEqual((client.received, client.ended), (b"ok 1\nok 2\n", ""))

    def test_abort_expired(self) -> None:
        """So it is when the time of the rule is over."""
        proxy = following(Rule(Abort(wait=True), times=1, lifetime=5.0))
        client, backend = proxy.pair()
        client.says(b"get 1\nget 2\n")
        proxy.pass_time(5.0)
        backend.says(b"ok 1\nok 2\n")
        self.assertEqual((client.received, client.ended), (b"ok 1\nok 2\n", ""))

    def test_abort_removed_in_the_middle(self) -> None:
        """If a part of the reply is lost already the link ends, as the client cannot be given the rest."""
        proxy = following(Rule(Abort(wait=True), name="a", times=1))
        client, backend = proxy.pair()
        client.says(b"get 1\nget 2\n")
        backend.says(b"body 10\n01234")
        proxy.proxy.remove_rule("a")
        self.assertEqual((client.received, client.ended, backend.ended), (b"", "fin", "fin"))

    def test_swallowed_and_broken(self) -> None:
        """A hook that drops the reply and then fails lets it through if it has not come yet."""
        proxy = following(Rule(SwallowsAndFails(), times=1))
        client, backend = proxy.pair()
        client.says(b"get 1\nget 2\n")
        proxy.pass_time(1.0)
        backend.says(b"ok 1\nok 2\n")
        self.assertEqual((client.received, client.ended), (b"ok 1\nok 2\n", ""))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_swallowed_and_broken_late(self) -> None:
        """If it has come, it is lost: then the link ends."""
        proxy = following(Rule(SwallowsAndFails(), times=1))
        client, backend = proxy.pair()
        client.says(b"get 1\nget 2\n")
        backend.says(b"ok 1\n")
        proxy.pass_time(1.0)
        self.assertEqual((client.received, client.ended, backend.ended), (b"", "fin", "fin"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_hook_that_removes_its_rule(self) -> None:
        """It cannot hold up the exchange by waiting for something else afterwards."""
        never: Deferred[None] = Deferred()

        class Removes(Behavior, frozen=True, kw_only=True):
            name: ClassVar[str] = "removes"

            async def on_before_handle(self, exchange: LiveExchange) -> None:
                proxy.proxy.remove_rule("r")
                await never

        proxy = following(Rule(Removes(), name="r"))
        client, backend = proxy.pair()
        client.says(b"get 1\n")
        backend.says(b"ok 1\n")
        self.assertEqual((backend.received, client.received), (b"get 1\n", b"ok 1\n"))
        self.assertTrue(never.called)
        (link,) = proxy.links.values()
        self.assertEqual(link.turns.lives, set())


class OwedTests(SynchronousTestCase):
    """What is owed to somebody is neither forgotten nor waited for in vain."""

    def test_too_many_requests_then_opaque(self) -> None:
        """A client that was read no further because of its turns is read again when there are none."""
        proxy = MemoryProxy()
        client, backend = proxy.pair()
        client.says(b"get 1\n" * (TURNS_LIMIT + 1))
        self.assertFalse(client.reading)
        backend.says(b"#what\n")
        self.assertTrue(client.reading)
        client.says(b"more")
        self.assertEqual(client.received, b"#what\n")
        self.assertTrue(backend.received.endswith(b"more"))

    def test_backend_leaves_before_the_client_reads(self) -> None:
        """Answers of the proxy that wait for a slow client come before the backend's FIN."""
        proxy = following(Rule(Error(kind="no"), verbs=GET))
        client, backend = proxy.pair()
        client.stuffed = True
        client.says(b"set 1\nget 2\nget 3\nget 4\n")
        backend.says(b"ok 1\n")
        backend.fins()
        self.assertEqual(client.ended, "")
        client.drains()
        self.assertEqual((client.received, client.ended), (b"ok 1\n-no\n-no\n-no\n", "fin"))

    def test_backend_leaves_behind_a_slow_toxic(self) -> None:
        """The same, where it is a toxic that takes its time."""
        rule, toxic = Rule(Error(kind="no"), verbs=GET), PlacedToxic(Bandwidth(rate=1000), DOWN)
        proxy = MemoryProxy(Plan(rules=(rule,), toxics=(toxic,), seed=1))
        client, backend = proxy.pair()
        client.says(b"set 1\nget 2\n")
        backend.says(b"body 200000\n" + b"x" * 200_000)
        backend.fins()
        proxy.pass_time(*[0.25] * 8)
        self.assertEqual((client.received[-6:], client.ended), (b"xx-no\n", "fin"))

    def test_linger_with_a_full_pipe(self) -> None:
        """An abort keeps the backend until it has answered, also if the client had not read before."""
        proxy = following(Rule(Abort(reset=True, linger=30.0), verbs=frozenset({"SET"})))
        client, backend = proxy.pair()
        client.says(b"get 1\n")
        client.stuffed = True
        backend.says(b"body 900000\n" + b"x" * 300_000)
        self.assertFalse(backend.reading)
        client.says(b"set 2\n")
        proxy.pass_time(2.0)
        self.assertEqual((client.ended, backend.ended), ("rst", ""))
        backend.says(b"x" * 600_000 + b"ok 2\n")
        self.assertEqual(backend.ended, "fin")
        backend.fins()
        self.assertEqual((proxy.links, proxy.reactor.getDelayedCalls()), ({}, []))


class CountTests(SynchronousTestCase):
    """What is counted belongs to what is there."""

    def test_cap_counts_a_link_once(self) -> None:
        """Toxics in both directions of one link are one fault, on a new link and on a standing one."""
        both = (PlacedToxic(Latency(latency=5), DOWN), PlacedToxic(Latency(latency=5), UP))
        for before, after in ((both, None), ((), both)):
            proxy = MemoryProxy(Plan(toxics=before, seed=1), max_active_faults=1)
            proxy.pair()
            if after is not None:
                proxy.proxy.set_plan(Plan(toxics=after, seed=1))
            self.assertEqual((len(proxy.named("toxic")), proxy.named("capped")), (2, []))

    def test_tallies_of_removed_rules(self) -> None:
        """A link that stands for long does not remember what rules have counted that are gone."""
        proxy = MemoryProxy()
        client, backend = proxy.pair()
        for _ in range(50):
            proxy.proxy.add_rule(Rule(Delay(sleep=0.0), name="d", per="link"))
            client.says(b"get 1\n")
            proxy.pass_time()
            backend.says(b"ok 1\n")
            proxy.proxy.remove_rule("d")
        gc.collect()
        (link,) = proxy.links.values()
        self.assertEqual(len(link.turns.tallies), 0)
