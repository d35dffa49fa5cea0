"""Out of a journal, the same faults on the same exchanges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.blackout import Blackout
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.transient import Transient
from txvaurien.errors import ConfigError, NotLegal
from txvaurien.exchange import LiveExchange
from txvaurien.journal import FORMAT, Journal
from txvaurien.journals.journalfile import JournalFile
from txvaurien.journals.replay import Replay, read_replay
from txvaurien.model import Direction, Missed, Then
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.faults import FaultReader
from txvaurien.planning.mix import Share
from txvaurien.plugins import Registry
from txvaurien.rules import Rule
from txvaurien.test.crowd import Crowd, Done, script
from txvaurien.test.lines import Lines
from txvaurien.test.memory import MemoryProxy
from txvaurien.toxics.latency import Latency


class Falter(Behavior, frozen=True, kw_only=True):
    """Begins something, and cannot go through with it."""

    name: ClassVar[str] = "falter"
    edit: bool = False

    async def on_before_handle(self, exchange: LiveExchange) -> bool:
        if self.edit:
            exchange.edit_response(lambda data: Missed(data, "there is nothing to change"))
            return True
        await exchange.sleep(exchange.random.random())
        raise NotLegal("it cannot be done")


REGISTRY = Registry(
    protocols={"lines": Lines},
    behaviors={each.name: each for each in (Abort, Blackout, Delay, Error, Falter, Transient)},
    toxics={"latency": Latency},
)

#: More than two parts, of everything that can be counted.
SAID = script(12, 40)


def reader_for(protocol: str, options: Mapping[str, object]) -> FaultReader:
    """What reads the faults of a journal."""
    return FaultReader(REGISTRY, REGISTRY.protocol(protocol, options))


def plan() -> Plan:
    """Everything that a journal has to tell of: counts, draws, late decisions, unasked messages."""
    return Plan(
        rules=(
            Rule(Error(kind="any"), "errors", verbs=frozenset({"SET"}), probability=0.3, times=9),
            Rule(Error(kind="full"), "refused", probability=0.2),
            Rule(Transient(kind="no", warmup=3, agitate=4), "early", target="b"),
            Rule(Delay(sleep=1, jitter=0.5), "late", every=4, per="link", after=1),
            Rule(Delay(sleep=0.5, before=False, jitter=0.3), "misses", status=("MISSING",), every=2),
            Rule(Delay(before=False), "news", verbs=frozenset({"NEWS"}), probability=0.5),
            # These misfire: the kind cannot be said to a command.
            Rule(Error(kind="who"), "never", verbs=frozenset({"DEL"}), probability=0.2),
            Rule(Falter(), "falters", verbs=frozenset({"DEL"}), probability=0.2),
            Rule(Falter(edit=True), "edits", verbs=frozenset({"DEL"}), probability=0.2),
        ),
        mix=(
            Share(10, Rule(Error(kind="any"))),
            Share(1, Rule(Abort())),
            Share(20, Rule(Delay(sleep=1, jitter=0.9, distribution="normal"))),
        ),
        toxics=(PlacedToxic(Latency(latency=200, jitter=100), Direction.TO_CLIENT, "slow", 0.5),),
        seed=3,
    )


class JournalCase(TestCase):
    """Tests with a journal on disk."""

    def setUp(self) -> None:
        self.path = self.mktemp()

    async def journalled(
        self, plan: Plan, during: Callable[[MemoryProxy], Any], protocol: Lines | None = None, **options: Any
    ) -> MemoryProxy:
        """A proxy with a journal, and what happened to it, written."""
        proxy = MemoryProxy(plan, protocol or Lines(), name="front")
        file = JournalFile(self.path, **options)
        journal = Journal(proxy.reactor, file=file)
        file.start()
        journal.attach(proxy.proxy, "localhost:8000")
        during(proxy)
        self.assertTrue(await file.stop(reactor))
        return proxy

    def replay(self, proxy: str = "") -> Replay:
        """What the journal gives."""
        return read_replay(self.path, reader_for, proxy)

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the journal."""
        return [msgspec.json.decode(line) for line in Path(self.path).read_bytes().splitlines()]

    def files(self) -> list[Path]:
        """The files of the journal."""
        return list(Path(self.path).parent.glob(Path(self.path).name + "*"))

    def write(self, *lines: Mapping[str, Any] | str) -> None:
        """A journal that was not written by us."""
        texts = (each if isinstance(each, str) else msgspec.json.encode(each).decode() for each in lines)
        Path(self.path).write_text("\n".join(texts))


class ReplayTests(JournalCase):
    """Traffic, and then the same traffic again."""

    async def run_once(self, plan: Plan, order: int, **options: Any) -> tuple[Done, MemoryProxy]:
        """What a plan does to the traffic, with a journal."""
        found: list[Done] = []

        def during(proxy: MemoryProxy) -> None:
            found.append(Crowd(plan, SAID, proxy).run(order))

        proxy = await self.journalled(plan, during, **options)
        return found[0], proxy

    def again(self, replay: Replay, order: int) -> tuple[Done, MemoryProxy]:
        """What the replay's plan does to the traffic."""
        proxy = MemoryProxy(replay.plan, Lines(), name=replay.proxy)
        return Crowd(replay.plan, SAID, proxy).run(order), proxy

    def toxics(self, proxy: MemoryProxy) -> set[int]:
        """The links that a toxic took."""
        return {link for event, link, _ in proxy.events if event == "toxic"}

    async def test_same_faults(self) -> None:
        """The same faults with the same details on the same exchanges, however links interleave."""
        before, proxy = await self.run_once(plan(), order=1)
        replay = self.replay()
        self.assertEqual(replay.warnings, ())
        for order in (1, 2, 3):
            after, second = self.again(replay, order)
            self.assertEqual(after, before)
            self.assertEqual(self.toxics(second), self.toxics(proxy))
        fired = {rule for rule, *_ in before.values()}
        for rule in ("errors", "refused", "early", "late", "misses", "news", "mix 0 error", "mix 2 delay"):
            self.assertIn(rule, fired)
        self.assertTrue(0 < len(self.toxics(proxy)) < len(SAID))

    async def test_it_is_needed(self) -> None:
        """The plan itself, with its counts, does other things when links interleave otherwise."""
        before, _ = await self.run_once(plan(), order=1)
        proxy = MemoryProxy(plan(), Lines(), name="front")
        self.assertNotEqual(Crowd(plan(), SAID, proxy).run(2), before)

    async def test_what_it_says(self) -> None:
        """A replay has all that it takes to run: the proxy's name, addresses, protocol, seed."""
        await self.run_once(Plan(mix=(Share(50, Rule(Error())),), seed=77), order=1)
        replay = self.replay()
        self.assertEqual(
            (replay.proxy, replay.listen, replay.backend, replay.protocol, replay.options, replay.seed),
            ("front", "localhost:8000", "127.0.0.1:6379", "lines", {}, 77),
        )
        self.assertEqual((replay.plan.seed, replay.plan.mix), (77, ()))
        self.assertEqual([rule.name for rule in replay.plan.rules], ["mix 0 error"])

    async def test_rotated(self) -> None:
        """A journal in several files is one journal."""
        before, _ = await self.run_once(plan(), order=1, max_size=5_000, keep=100)
        self.assertGreater(len(self.files()), 3)
        replay = self.replay()
        self.assertEqual(replay.warnings, ())
        self.assertEqual(self.again(replay, order=2)[0], before)

    async def test_beginning_gone(self) -> None:
        """Where files are gone, the rest is replayed, and it is said how much is missing."""
        before, _ = await self.run_once(plan(), order=1, max_size=5_000, keep=1)
        replay = self.replay()
        [warning] = replay.warnings
        self.assertRegex(warning, r"^\d+ records of the run are not in the journal")
        after = self.again(replay, order=2)[0]
        self.assertTrue(0 < len(after) < len(before))
        self.assertLessEqual(after.keys(), before.keys())

    async def test_misfired(self) -> None:
        """What misfired is not in the plan, unless it had done something before."""
        _, proxy = await self.run_once(plan(), order=1)
        self.assertLessEqual(
            {"never", "falters", "edits"}, {each["rule"] for each in proxy.named("misfired")}
        )
        names = {rule.name for rule in self.replay().plan.rules}
        self.assertIn("falters", names)
        self.assertFalse(names & {"never", "edits"})

    async def test_of_a_replay(self) -> None:
        """A replay has a journal, too, and that can be replayed."""
        before, _ = await self.run_once(plan(), order=1)
        first = self.replay()
        self.path = self.mktemp()
        after, _ = await self.run_once(first.plan, order=2)
        self.assertEqual(after, before)
        self.assertEqual(self.again(self.replay(), order=3)[0], before)


class WarningTests(JournalCase):
    """What cannot be replayed is said."""

    async def warnings(self, during: Callable[[MemoryProxy], Any]) -> str:
        """What is said of a run in which that was done, with a link standing."""

        def after_a_link(proxy: MemoryProxy) -> None:
            client, _ = proxy.pair()
            client.says(b"get a\n")
            during(proxy)

        await self.journalled(Plan.only(Delay(), seed=1), after_a_link)
        return "\n".join(self.replay().warnings)

    async def test_plan_before_links(self) -> None:
        """A plan that is set before anybody came is the plan."""

        def during(proxy: MemoryProxy) -> None:
            proxy.proxy.set_plan(Plan.only(Error(), seed=5))
            client, _ = proxy.pair()
            client.says(b"get a\n")

        await self.journalled(Plan.only(Delay(), seed=1), during)
        replay = self.replay()
        self.assertEqual((replay.warnings, replay.seed), ((), 5))

    async def test_plan(self) -> None:
        """A plan that is changed on the way lets go of what was held."""
        said = await self.warnings(lambda proxy: proxy.proxy.set_plan(Plan(seed=1)))
        self.assertIn("the plan was changed on the way", said)
        self.assertNotIn("seed", said)

    async def test_seed(self) -> None:
        """Only one seed can be replayed."""
        said = await self.warnings(lambda proxy: proxy.proxy.set_plan(Plan(seed=2)))
        self.assertIn("the seed was changed on the way", said)

    async def test_toxics(self) -> None:
        """Toxics that came on the way are there from the beginning, in the replay."""
        placed = PlacedToxic(Latency(latency=5))
        said = await self.warnings(lambda proxy: proxy.proxy.add_toxic(placed))
        self.assertIn("toxics were set, changed or removed on the way", said)
        [toxic] = self.replay().plan.toxics
        self.assertEqual((toxic.toxic, toxic.name), (placed.toxic, placed.name))

    async def test_kill(self) -> None:
        """Nobody kills links in a replay."""
        said = await self.warnings(lambda proxy: proxy.proxy.kill(Then.RESET))
        self.assertIn("links were killed", said)

    async def test_backend(self) -> None:
        """Nor changes the backend."""
        said = await self.warnings(lambda proxy: proxy.proxy.set_backend("127.0.0.1:1"))
        self.assertIn("the backend was changed", said)

    async def test_expired(self) -> None:
        """A rule whose time is over lets go."""

        def during(proxy: MemoryProxy) -> None:
            proxy.proxy.add_rule(Rule(Delay(), lifetime=5.0))
            proxy.pass_time(6)

        self.assertIn("the time of a rule was over", await self.warnings(during))

    async def test_same_name(self) -> None:
        """Two rules of one name, one after the other: both fire, the second with draws of its own."""

        def during(proxy: MemoryProxy) -> None:
            client, _ = proxy.pair()
            for kind in ("no", "bye"):
                proxy.proxy.set_plan(Plan(rules=(Rule(Error(kind=kind), "it"),), seed=1))
                client.says(b"get a\n")

        await self.journalled(Plan(seed=1), during)
        replay = self.replay()
        self.assertEqual([rule.name for rule in replay.plan.rules], ["it", "it (2)"])
        self.assertIn("rule 'it' had other options later", "\n".join(replay.warnings))
        proxy = MemoryProxy(replay.plan, Lines(), name=replay.proxy)
        client, _ = proxy.pair()
        client.says(b"get a\nget b\n")
        self.assertEqual(client.received, b"-no\n-bye\n")


HEAD = {"event": "journal", "format": FORMAT, "run": "a"}
PROXY = {"event": "proxy", "proxy": "p", "protocol": "lines", "backend": "b:1", "listen": "l:1", "seed": 4}


class ReadingTests(JournalCase):
    """Journals as they are found."""

    def refused(self, words: str, proxy: str = "") -> None:
        """It cannot be replayed, and this is said."""
        error = self.assertRaises(ConfigError, self.replay, proxy)
        self.assertIn(words, str(error))

    def test_nothing(self) -> None:
        """A file that is not there, or is empty, is named."""
        self.refused(f"{self.path}: it cannot be read (No such file or directory)")
        self.write()
        self.refused(f"{self.path}: there is nothing in this journal")

    def test_no_journal(self) -> None:
        """Other files are no journals, and the line is named that tells."""
        self.write("[vaurien]", "proxy = x")
        self.refused(f"{self.path}:1: this is not a line of a journal")
        self.write({"n": 1, "event": "fired"})
        self.refused(f"{self.path}:1: this is not the beginning of a journal")
        self.write(HEAD, PROXY, "[1, 2]")
        self.refused(f"{self.path}:3: this is not a line of a journal")
        self.write(HEAD, PROXY, {"event": "fired", "rule": 7})
        self.refused(f"{self.path}:3: this is not a line of a journal (its 'rule' cannot be that); each is")
        self.write(HEAD, PROXY, {"n": 1})
        self.refused(f"{self.path}:3: this is not a line of a journal (it has no event); each is")
        self.write("2026-01-31T12:00:00+0000 info txvaurien: proxy on localhost:8000")
        self.refused(f"{self.path}:1: this is not a line of a journal; each is a JSON object")
        self.write(HEAD)
        self.refused(f"{self.path}: its last run tells of no proxy; name another journal")

    def test_format(self) -> None:
        """A format that is not ours is not guessed at."""
        self.write({**HEAD, "format": 99})
        self.refused(f"{self.path}:1: the journal has format 99; this version of txvaurien reads format 1")

    def test_cut_off(self) -> None:
        """A last line that is not whole is left out, with a warning."""
        self.write(HEAD, PROXY, '{"n": 1, "event": "fir')
        self.assertEqual(
            self.replay().warnings, ("the last line of the journal is cut off, and was left out",)
        )

    def test_cut_off_in_the_first_line(self) -> None:
        """Where that is the only line there is nothing to be replayed, and it is said why."""
        self.write('{"event": "jour')
        self.refused(
            f"{self.path}: its first line is cut off, or none of a journal; name a file of --journal"
        )

    def test_cut_off_in_the_middle(self) -> None:
        """Where half a line is followed by more of the same run, something is wrong with the file."""
        self.write(HEAD, PROXY, '{"n": 1, "eve', {"n": 2, "event": "link-opened", "proxy": "p", "link": 1})
        self.refused(f"{self.path}:3: this is not a line of a journal")

    def test_crashed(self) -> None:
        """Half a line before another run begins is what a crash leaves."""
        self.write(HEAD, PROXY, '{"n": 1, "eve', {**HEAD, "run": "b"}, {**PROXY, "seed": 5})
        replay = self.replay()
        self.assertEqual(replay.seed, 5)
        self.assertEqual(
            replay.warnings, ("there are 1 earlier runs in the journal; only the last one is replayed",)
        )

    def test_dropped(self) -> None:
        """Missing records are counted, by their numbers."""
        opened = {"event": "link-opened", "proxy": "p", "link": 1}
        self.write(HEAD, PROXY, {"n": 1, **opened}, {"event": "dropped", "count": 3}, {"n": 5, **opened})
        [warning] = self.replay().warnings
        self.assertTrue(warning.startswith("3 records of the run are not in the journal"), warning)

    def test_other_events(self) -> None:
        """Events that a replay has no use for may have what fields they like."""
        self.write(
            HEAD, PROXY, {"n": 1, "event": "scenario", "proxy": "p", "rule": {"seed": "x"}, "seed": []}
        )
        self.assertEqual(self.replay().warnings, ())

    def test_several_proxies(self) -> None:
        """Where there are several proxies, one has to be named."""
        self.write(HEAD, PROXY, {**PROXY, "proxy": "q", "seed": 6})
        self.refused("it tells of 2 proxies; choose one of: p, q")
        self.refused("it tells of no proxy 'r'; those it tells of: p, q", "r")
        self.assertEqual(self.replay("q").seed, 6)

    def test_not_installed(self) -> None:
        """A behavior that is not there is named, with the line that names it."""
        fired = {"event": "fired", "proxy": "p", "link": 1, "exchange": "1", "rule": "r", "behavior": "gone"}
        self.write(HEAD, PROXY, {"n": 1, **fired})
        self.refused(f"{self.path}:3: behavior: there is no behavior 'gone'")
