"""Toxics in a link: they come and go while bytes flow, and nothing is lost or out of order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.error import Error
from txvaurien.errors import ConfigError
from txvaurien.links.chains import Chains
from txvaurien.model import Direction, Then
from txvaurien.net.pipe import Pipe
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.toxics.bandwidth import Bandwidth
from txvaurien.toxics.base import HOLD_LIMIT, Stage, Toxic
from txvaurien.toxics.blackhole import Blackhole
from txvaurien.toxics.corrupt import Corrupt
from txvaurien.toxics.latency import Latency
from txvaurien.toxics.limit_data import LimitData
from txvaurien.toxics.pause import Pause
from txvaurien.toxics.reset_peer import ResetPeer
from txvaurien.toxics.slicer import Slicer
from txvaurien.toxics.slow_close import SlowClose
from txvaurien.toxics.timeout import Timeout

UP, DOWN = Direction.TO_BACKEND, Direction.TO_CLIENT


def placed(toxic: Toxic, direction: Direction = DOWN, name: str = "t", toxicity: float = 1.0) -> PlacedToxic:
    """A toxic in a plan."""
    return PlacedToxic(toxic, direction, name, toxicity)


def under(*toxics: PlacedToxic, seed: int = 1) -> MemoryProxy:
    """A proxy for tcp with toxics."""
    return MemoryProxy(Plan(toxics=toxics, seed=seed), Tcp())


class StandingTests(SynchronousTestCase):
    """Adding, changing and removing, on links that stand."""

    def test_latency_comes_and_goes(self) -> None:
        """It holds from the next byte on; taken away, what was held goes on at once and in order."""
        proxy = under()
        client, backend = proxy.pair()
        backend.says(b"1")
        proxy.proxy.add_toxic(placed(Latency(latency=1000)))
        backend.says(b"2")
        self.assertEqual(client.received, b"1")
        proxy.pass_time(0.5)
        backend.says(b"3")
        proxy.pass_time(0.5)
        self.assertEqual(client.received, b"12")
        proxy.proxy.remove_toxic("t")
        self.assertEqual(client.received, b"123")
        backend.says(b"4")
        self.assertEqual(client.received, b"1234")
        self.assertEqual(proxy.reactor.getDelayedCalls(), [])

    def test_nothing_is_left_in_the_way(self) -> None:
        """When the last toxic is gone, bytes go straight into the connection again."""
        proxy = under(placed(Latency(latency=5)), placed(Pause(), UP, "p"))
        proxy.pair()
        (link,) = proxy.links.values()
        for lane, pipe in link.ways():
            self.assertIsNot(lane.sink, pipe)
        proxy.proxy.set_plan(Plan())
        for lane, pipe in link.ways():
            self.assertIs(lane.sink, pipe)
            self.assertIsInstance(pipe, Pipe)

    def test_directions(self) -> None:
        """Each direction has its own."""
        proxy = under(placed(Pause(), UP))
        client, backend = proxy.pair()
        client.says(b"ask")
        backend.says(b"unasked")
        self.assertEqual((client.received, backend.received), (b"unasked", b""))

    def test_changed(self) -> None:
        """Other options of the same toxic hold at once, for what is held already, too."""
        proxy = under(placed(Latency(latency=60_000)))
        client, backend = proxy.pair()
        backend.says(b"x")
        proxy.proxy.replace_toxic(placed(Latency(latency=10)))
        proxy.pass_time(0.01)
        self.assertEqual(client.received, b"x")

    def test_counts_go_on(self) -> None:
        """A changed limit counts what has passed before."""
        proxy = under(placed(LimitData(bytes=100)))
        client, backend = proxy.pair()
        backend.says(b"x" * 60)
        proxy.proxy.replace_toxic(placed(LimitData(bytes=70)))
        backend.says(b"x" * 60)
        self.assertEqual((len(client.received), client.ended), (70, "fin"))

    def test_another_kind_of_the_same_name(self) -> None:
        """It is another toxic: what the old one held is let go."""
        proxy = under(placed(Pause()))
        client, backend = proxy.pair()
        backend.says(b"x")
        proxy.proxy.replace_toxic(placed(Blackhole()))
        backend.says(b"y")
        self.assertEqual(client.received, b"x")

    def test_unknown_and_double(self) -> None:
        """Names have to exist, and to be free."""
        proxy = under(placed(Pause())).proxy
        self.assertIn("there is no toxic 'x'", str(self.assertRaises(ConfigError, proxy.remove_toxic, "x")))
        error = self.assertRaises(ConfigError, proxy.add_toxic, placed(Latency()))
        self.assertIn("two called 't'", str(error))
        self.assertEqual(placed(Latency(), UP, "").name, "latency_upstream")

    def test_order(self) -> None:
        """In each direction the first of the plan is nearest to the source."""
        proxy = under(placed(LimitData(bytes=3), name="a"), placed(Pause(), name="b"))
        client, backend = proxy.pair()
        backend.says(b"abcdef")
        self.assertEqual((client.received, client.ended), (b"", ""))
        proxy.proxy.remove_toxic("b")
        self.assertEqual((client.received, client.ended), (b"abc", "fin"))

    def test_another_order(self) -> None:
        """Nothing overtakes what a toxic holds that comes sooner now, and all of it comes."""
        one, two = placed(Latency(latency=100), name="one"), placed(Latency(latency=1000), name="two")
        proxy = under(one, two)
        client, backend = proxy.pair()
        backend.says(b"1")
        proxy.pass_time(0.2)
        backend.says(b"2")
        proxy.proxy.set_plan(Plan(toxics=(two, one), seed=1))
        backend.says(b"3")
        received = []
        for _ in range(12):
            received.append(client.received)
            proxy.pass_time(0.1)
        self.assertTrue(all(b"123".startswith(each) for each in received), received)
        self.assertEqual(client.received, b"123")

    def test_one_in_the_middle(self) -> None:
        """What the one in the middle lets go still goes through those behind it."""
        proxy = under(*[placed(Latency(latency=1000), name=name) for name in "abc"])
        client, backend = proxy.pair()
        backend.says(b"x")
        proxy.pass_time(1.0)
        proxy.proxy.remove_toxic("b")
        proxy.pass_time(0.99)
        self.assertEqual(client.received, b"")
        proxy.pass_time(0.01)
        self.assertEqual(client.received, b"x")

    def test_toxicity(self) -> None:
        """A share of the links, the same ones for one seed; more of it takes those and others."""

        def taken(toxicity: float, seed: int) -> set[int]:
            proxy = under(placed(Pause(), toxicity=toxicity), seed=seed)
            for _ in range(200):
                proxy.pair()
            return {
                number
                for number, link in proxy.links.items()
                if isinstance(link.chains, Chains) and link.to_client.sink is not link.client
            }

        few, more, others = taken(0.3, 7), taken(0.6, 7), taken(0.3, 8)
        self.assertEqual(few, taken(0.3, 7))
        self.assertLess(few, more)
        self.assertNotEqual(few, others)
        self.assertTrue(40 < len(few) < 80 and 100 < len(more) < 140, (len(few), len(more)))
        self.assertEqual(taken(0.0, 7), set())

    def test_journal(self) -> None:
        """The journal tells which toxic took which link, in Toxiproxy's words."""
        proxy = under(placed(Latency(latency=7), UP))
        proxy.pair()
        (fields,) = proxy.named("toxic")
        attributes = fields.pop("attributes")
        self.assertEqual(fields, {"name": "t", "type": "latency", "stream": "upstream", "toxicity": 1.0})
        self.assertEqual(attributes["latency"], 7)


class EndTests(SynchronousTestCase):
    """How links end that are under toxics."""

    def test_fin_after_data(self) -> None:
        """FIN stays behind what came before it, and is still a half-close."""
        proxy = under(placed(Latency(latency=1000), UP))
        client, backend = proxy.pair()
        client.says(b"last words")
        client.fins()
        proxy.pass_time(0.999)
        self.assertEqual((backend.received, backend.ended), (b"", ""))
        proxy.pass_time(0.001)
        self.assertEqual((backend.received, backend.ended), (b"last words", "fin"))
        backend.says(b"reply")
        self.assertEqual(client.received, b"reply")

    def test_reset_after_data(self) -> None:
        """What a client said before it was reset still reaches the backend, and then the reset."""
        proxy = under(placed(Latency(latency=1000), UP))
        client, backend = proxy.pair()
        client.says(b"last words")
        client.resets()
        self.assertEqual(backend.ended, "")
        proxy.pass_time(1.0, 0.0)
        self.assertEqual((backend.received, backend.ended), (b"last words", "rst"))
        proxy.pass_time(0.0)
        self.assertEqual(proxy.links, {})
        self.assertEqual(proxy.reactor.getDelayedCalls(), [])

    def test_a_rule_closes(self) -> None:
        """What a rule says and does goes through the toxics as well."""
        plan = Plan(rules=(Rule(Blackout()),), toxics=(placed(Latency(latency=1000)),), seed=1)
        proxy = MemoryProxy(plan)
        client = proxy.client()
        proxy.pass_time(0.9)
        self.assertEqual(client.ended, "")
        proxy.pass_time(0.1)
        self.assertEqual(client.ended, "fin")

    def test_an_error_is_late_too(self) -> None:
        """An answer of the proxy's takes as long as one of the backend's."""
        rule = Rule(Error(kind="no"), times=1)
        proxy = MemoryProxy(Plan(rules=(rule,), toxics=(placed(Latency(latency=1000)),), seed=1))
        client, backend = proxy.pair()
        client.says(b"get a\nget b\n")
        backend.says(b"b\n")
        self.assertEqual(client.received, b"")
        proxy.pass_time(1.0)
        self.assertTrue(client.received.endswith(b"b\n"), client.received)
        self.assertGreater(len(client.received), 2)

    def test_abort_with_latency(self) -> None:
        """The reply is cut away, and the reset comes as late as everything."""
        plan = Plan(rules=(Rule(Abort(), verbs=frozenset({"GET"})),), toxics=(placed(Latency(latency=500)),))
        proxy = MemoryProxy(plan)
        client, backend = proxy.pair()
        client.says(b"get a\n")
        self.assertEqual((backend.received, client.ended), (b"get a\n", ""))
        proxy.pass_time(0.5, 0.0)
        self.assertNotEqual(client.ended, "")

    def test_limit(self) -> None:
        """A toxic that closes ends both sides, after what it has passed on."""
        proxy = under(placed(LimitData(bytes=4), UP))
        client, backend = proxy.pair()
        client.says(b"123456")
        self.assertEqual((backend.received, backend.ended, client.ended), (b"1234", "fin", "fin"))
        client.fins()
        backend.fins()
        self.assertEqual(proxy.links, {})
        self.assertEqual(proxy.named("link-closed")[0]["how"], "toxic on upstream")

    def test_reset_peer(self) -> None:
        """Both sides are reset."""
        proxy = under(placed(ResetPeer(timeout=100)))
        client, backend = proxy.pair()
        backend.says(b"x")
        proxy.pass_time(0.1, 0.0)
        self.assertEqual((client.received, client.ended, backend.ended), (b"", "rst", "rst"))
        self.assertEqual(proxy.links, {})

    def test_timeout_taken_away(self) -> None:
        """As in Toxiproxy: taking a timeout away closes the link."""
        proxy = under(placed(Timeout()))
        client, backend = proxy.pair()
        backend.says(b"x")
        proxy.proxy.remove_toxic("t")
        self.assertEqual((client.received, client.ended, backend.ended), (b"", "fin", "fin"))

    def test_timeout_lets_a_client_go(self) -> None:
        """A client that gives up is not kept."""
        proxy = under(placed(Timeout(), UP), placed(Timeout(), DOWN, "u"))
        client, backend = proxy.pair()
        client.says(b"x")
        client.fins()
        backend.fins()
        self.assertEqual((client.ended, backend.ended, backend.received), ("fin", "fin", b""))
        self.assertEqual(proxy.links, {})

    def test_slow_close(self) -> None:
        """Only the end is late."""
        proxy = under(placed(SlowClose(delay=1000)))
        client, backend = proxy.pair()
        backend.says(b"x")
        backend.fins()
        self.assertEqual((client.received, client.ended), (b"x", ""))
        proxy.pass_time(1.0)
        self.assertEqual(client.ended, "fin")

    def test_kill(self) -> None:
        """Killing a link waits for nothing that a toxic holds."""
        for how, seen in ((Then.RESET, "rst"), (Then.CLOSE, "fin")):
            proxy = under(placed(Pause()), placed(Latency(latency=9999), UP, "l"))
            client, backend = proxy.pair()
            client.says(b"x")
            backend.says(b"y")
            self.assertEqual(proxy.proxy.kill(how), 1)
            self.assertEqual((client.ended, backend.ended), (seen, seen))
            proxy.pass_time(2.0, 0.0)
            self.assertEqual((client.received, backend.received, proxy.links), (b"", b"", {}))
            self.assertEqual(proxy.reactor.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """So does stopping the proxy."""
        proxy = under(placed(Pause()), placed(Pause(), UP, "u"))
        client, backend = proxy.pair()
        client.says(b"x")
        backend.says(b"y")
        stopped: Deferred[None] = proxy.proxy.stop()
        proxy.pass_time(0.3, 0.0)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual((client.ended, backend.ended), ("fin", "fin"))

    def test_both_sides_left(self) -> None:
        """Where a toxic holds the end of a client that is gone, the backend's end ends it all."""
        proxy = under(placed(Blackhole(), UP))
        client, backend = proxy.pair()
        client.says(b"x")
        client.resets()
        self.assertEqual((backend.ended, len(proxy.links)), ("", 1))
        backend.fins()
        proxy.pass_time(0.0)
        self.assertEqual((backend.received, backend.ended, proxy.links), (b"", "fin", {}))

    def test_released_after_the_end(self) -> None:
        """What was held when the client left goes on when the cable is put back, and then its end."""
        proxy = under(placed(Pause(), UP))
        client, backend = proxy.pair()
        client.says(b"x")
        client.resets()
        proxy.proxy.remove_toxic("t")
        proxy.pass_time(0.0)
        self.assertEqual((backend.received, backend.ended, proxy.links), (b"x", "rst", {}))

    def test_a_backend_that_left(self) -> None:
        """What the backend said before it closed is still owed to a client behind a pause."""
        proxy = under(placed(Pause()))
        client, backend = proxy.pair()
        client.fins()
        backend.says(b"x")
        backend.fins()
        backend.loseConnection()
        self.assertEqual((client.received, client.ended), (b"", ""))
        proxy.proxy.remove_toxic("t")
        self.assertEqual((client.received, client.ended), (b"x", "fin"))
        self.assertEqual(proxy.links, {})


class PressureTests(SynchronousTestCase):
    """What is held is bounded, and nobody is left paused."""

    def test_pause_pushes_back(self) -> None:
        """A stage that is full stops the source, and lets it go on when it has let go."""
        proxy = under(placed(Pause(), UP))
        client, backend = proxy.pair()
        said = 0
        while client.reading:
            client.says(b"x" * 65536)
            said += 65536
        self.assertLess(said, HOLD_LIMIT + 2 * 65536)
        proxy.proxy.remove_toxic("t")
        self.assertTrue(client.reading)
        self.assertEqual(len(backend.received), said)

    def test_a_slow_reader(self) -> None:
        """While the receiver takes nothing, stages hold; when it reads, all of it comes."""
        proxy = under(placed(Latency(latency=10)))
        client, backend = proxy.pair()
        client.stuffed = True
        backend.says(b"a")
        proxy.pass_time(0.01)
        self.assertFalse(backend.reading)
        client.drains()
        self.assertTrue(backend.reading)
        backend.says(b"b")
        proxy.pass_time(0.01)
        self.assertEqual(client.received, b"ab")

    def test_removed_under_a_reader_that_does_not_read(self) -> None:
        """Taking a toxic away never waits for anybody."""
        proxy = under(placed(Latency(latency=10)))
        client, backend = proxy.pair()
        backend.says(b"a")
        backend.says(b"b")
        client.stuffed = True
        proxy.pass_time(0.01)
        proxy.proxy.remove_toxic("t")
        client.drains()
        self.assertEqual(client.received, b"ab")
        self.assertTrue(backend.reading)

    def test_one_that_only_passes_on(self) -> None:
        """Room is felt through a stage that holds nothing, by the one before it."""
        proxy = under(
            placed(Latency(latency=5), name="a"),
            placed(Corrupt(rate=0.0), name="b"),
            placed(Bandwidth(rate=1000), name="c"),
        )
        client, backend = proxy.pair()
        said = 0
        for _ in range(2000):
            if backend.reading and said < 300_000:
                backend.says(b"x" * 30_000)
                said += 30_000
            proxy.pass_time(0.01)
        backend.fins()
        proxy.pass_time(1)
        self.assertEqual((len(client.received), client.ended), (300_000, "fin"))

    def test_tiny_pieces(self) -> None:
        """What a piece costs does not grow with the stages behind: room that nobody waits for is not told."""
        counts: Counter[str] = Counter()

        class CountingStage(Stage):
            @property
            def full(self) -> bool:
                counts["full"] += 1
                return False

            def room(self) -> None:
                counts["room"] += 1

        class Counting(Toxic, frozen=True, kw_only=True):
            name: ClassVar[str] = "counting"
            stages: ClassVar[type[Stage]] = CountingStage

        proxy = under(placed(Slicer(average_size=1)), *[placed(Counting(), name=name) for name in "abc"])
        client, backend = proxy.pair()
        counts.clear()
        backend.says(b"x" * 60_000)
        self.assertEqual(len(client.received), 60_000)
        self.assertEqual(counts["room"], 0)
        self.assertLessEqual(counts["full"], 6 * 60_000)

    def test_gone_while_full(self) -> None:
        """A link that ends while it is paused leaves nothing behind."""
        proxy = under(placed(Pause(), UP))
        client, _ = proxy.pair()
        while client.reading:
            client.says(b"x" * 1_000_000)
        proxy.proxy.kill(Then.RESET)
        proxy.pass_time(0.0, 1.0)
        self.assertEqual((proxy.links, proxy.reactor.getDelayedCalls()), ({}, []))


class CapTests(SynchronousTestCase):
    """No more faults at one time than allowed."""

    def test_links_under_toxics(self) -> None:
        """A link under a toxic counts as one; when it has gone, another may be."""
        proxy = MemoryProxy(Plan(toxics=(placed(Pause()),), seed=1), Tcp(), max_active_faults=1)
        first, one = proxy.pair()
        second, two = proxy.pair()
        one.says(b"x")
        two.says(b"x")
        self.assertEqual((first.received, second.received), (b"", b"x"))
        self.assertEqual(proxy.named("capped"), [{"toxics": ["t"]}])
        proxy.proxy.kill(Then.RESET, 1)
        proxy.pass_time(0.0)
        third, three = proxy.pair()
        three.says(b"x")
        self.assertEqual(third.received, b"")


class OpaqueTests(SynchronousTestCase):
    """Toxics need no framing."""

    def test_goes_on(self) -> None:
        """A link that goes opaque stays under its toxics."""
        proxy = MemoryProxy(Plan(toxics=(placed(Latency(latency=1000), UP),), seed=1))
        client, backend = proxy.pair()
        client.says(b"get a\n# nonsense\n")
        self.assertEqual(len(proxy.named("opaque")), 1)
        client.says(b"more")
        proxy.pass_time(1.0)
        self.assertEqual(backend.received, b"get a\n# nonsense\nmore")


LOSSLESS: Sequence[Toxic] = (
    Latency(latency=30, jitter=20),
    Bandwidth(rate=1),
    Slicer(average_size=7, size_variation=3, delay=100),
    Pause(),
    SlowClose(delay=50),
    Corrupt(rate=0.0),
    LimitData(bytes=10**9),
    Latency(),
)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["up", "down", "add", "change", "order", "remove", "wait", "stuff", "drain"]),
        st.integers(0, 10_000),
    ),
    min_size=15,
    max_size=60,
)


class RandomTests(SynchronousTestCase):
    """Everything at once, at random."""

    @settings(deadline=None, max_examples=200)
    @given(STEPS, st.booleans())
    def test_nothing_is_lost(self, steps: list[tuple[str, int]], ends: bool) -> None:
        """Toxics that lose nothing lose nothing, however they come and go, whoever does not read."""
        proxy = under()
        client, backend = proxy.pair()
        said = {UP: b"", DOWN: b""}
        draws = random.Random(len(steps))
        for what, number in steps:
            peer = (client, backend)[number % 2]
            direction = (UP, DOWN)[number % 2]
            names = [each.name for each in proxy.proxy.plan.toxics]
            if what in ("up", "down"):
                source, way = (client, UP) if what == "up" else (backend, DOWN)
                if source.reading:
                    said[way] += (data := draws.randbytes(number % 3000 + 1))
                    source.says(data)
            elif what == "add" and len(names) < 6:
                toxic = LOSSLESS[number % len(LOSSLESS)]
                proxy.proxy.add_toxic(placed(toxic, direction, f"{len(names)}-{number}-{draws.random()}"))
            elif what == "change" and names:
                old = proxy.proxy.toxic(names[number % len(names)])
                toxic = LOSSLESS[number % len(LOSSLESS)]
                proxy.proxy.replace_toxic(placed(toxic, old.direction, old.name))
            elif what == "order":
                toxics = list(proxy.proxy.plan.toxics)
                random.Random(number).shuffle(toxics)
                proxy.proxy.set_plan(Plan(toxics=tuple(toxics)))
            elif what == "remove" and names:
                proxy.proxy.remove_toxic(names[number % len(names)])
            elif what == "wait":
                proxy.pass_time(number / 10_000)
            elif what == "stuff":
                peer.stuffed = True
            elif what == "drain":
                peer.drains()
        if ends:
            client.fins()
            backend.fins()
        client.drains()
        backend.drains()
        proxy.proxy.set_plan(Plan())
        # Not compared with each other: to show how random bytes differ takes longer than all the rest.
        self.assertTrue(backend.received == said[UP] and client.received == said[DOWN])
        self.assertTrue(ends or (client.reading and backend.reading))
        if ends:
            self.assertEqual((client.ended, backend.ended), ("fin", "fin"))
            self.assertEqual(proxy.links, {})
