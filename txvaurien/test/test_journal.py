"""What is kept of what happens, and how others hear of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import txvaurien
from txvaurien import __version__
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.journal import EVENTS, Journal, encode, iso_time
from txvaurien.journals.journalfile import JournalFile
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy

#: 2026-01-31T12:00:00 UTC
NOON = 1769860800.0


class FileStub(JournalFile):
    """Keeps the lines that a journal gives to its file."""

    def __init__(self) -> None:
        super().__init__("/nowhere")
        self.heads: dict[str, dict[str, Any]] = {}
        self.lines: list[dict[str, Any]] = []

    def head(self, key: str, line: bytes) -> None:
        self.heads[key] = msgspec.json.decode(line) if line else {}

    def put(self, line: bytes) -> None:
        self.lines.append(msgspec.json.decode(line))


class JournalCase(SynchronousTestCase):
    """A journal whose clocks stand until they are moved."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.file = FileStub()
        self.journal = self.made()

    def made(self, **options: Any) -> Journal:
        """A journal."""
        return Journal(
            self.clock,
            wall=lambda: NOON + self.clock.seconds(),
            monotonic=self.clock.seconds,
            file=self.file,
            **options,
        )

    def record(self, *events: str, proxy: str = "front", link: int = 0) -> None:
        """These happen."""
        for event in events:
            self.journal.record(proxy, event, link, {})

    def events(self, *arguments: Any, **filters: Any) -> list[str]:
        """What is found of them."""
        return [record.event for record in self.journal.since(*arguments, **filters)]


class RecordTests(JournalCase):
    """What one record says."""

    def test_shape(self) -> None:
        """A record is a flat object: number, both times, proxy, event, link, then the fields."""
        self.clock.advance(1.25)
        self.journal.record("front", "killed", 3, {"how": "reset"})
        [record] = self.journal.since()
        said = record.as_json()
        self.assertEqual(
            list(said.items()),
            [
                ("n", 1),
                ("time", "2026-01-31T12:00:01.250000Z"),
                ("clock", 1.25),
                ("proxy", "front"),
                ("event", "killed"),
                ("link", 3),
                ("how", "reset"),
            ],
        )
        self.assertEqual(self.file.lines, [said])

    def test_without_link(self) -> None:
        """What concerns no link says nothing of one."""
        self.record("expired")
        self.assertNotIn("link", self.journal.since()[0].as_json())

    def test_time(self) -> None:
        """Microseconds are always there, so that times can be compared as texts."""
        self.assertEqual(iso_time(NOON), "2026-01-31T12:00:00.000000Z")


class EncodeTests(SynchronousTestCase):
    """Nothing that a field may hold raises."""

    def test_ordinary(self) -> None:
        """A line is compact JSON, without its end."""
        self.assertEqual(encode({"a": 1, "b": ["ü\n"]}), '{"a":1,"b":["ü\\n"]}'.encode())

    def test_impossible(self) -> None:
        """What has no form in JSON is named by its type; what it holds is not shown."""
        knot: list[Any] = []
        knot.append(knot)
        secret = object()
        for value, shown in (
            (2**70, 2**70),
            ({2**70: secret}, {str(2**70): "(object)"}),
            (["\ud800", 2.5, None, {"a"}], ["\\ud800", 2.5, None, ["a"]]),
            ([float("nan"), secret], [None, "(object)"]),
        ):
            self.assertEqual(msgspec.json.decode(encode({"value": value})), {"value": shown})
        self.assertIn(b"(list)", encode({"value": knot}))

    def test_raises(self) -> None:
        """Not even an object that cannot be looked at."""

        class Hostile(dict[str, Any]):
            def items(self) -> Any:
                raise RuntimeError("no")

        line = encode({"event": "fired", "value": Hostile(a=object())})
        self.assertEqual(msgspec.json.decode(line), {"event": "fired", "value": "(Hostile)"})


class EventsTests(SynchronousTestCase):
    """`EVENTS`."""

    def test_docs(self) -> None:
        """The page has a line for each, in the same order."""
        page = Path(txvaurien.__file__).parents[1] / "docs" / "journal.md"
        if not page.exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        _, _, rest = page.read_text(encoding="utf-8").partition("\n## Events\n")
        rows = re.findall(r"^\| `([a-z-]+)` \|", rest.partition("\n## ")[0], re.MULTILINE)
        self.assertEqual(rows, list(EVENTS))

    def test_sources(self) -> None:
        """Nothing is told of under another name: it could not be asked for."""
        package = Path(txvaurien.__file__).parent
        files = [path for path in package.rglob("*.py") if "test" not in path.relative_to(package).parts]
        text = "".join(path.read_text(encoding="utf-8") for path in files)
        told = set(re.findall(r"\bevent\(\s*\"([^\"]+)\"", text))
        self.assertGreater(len(told), 10)
        self.assertLessEqual(told, set(EVENTS))


class RingTests(JournalCase):
    """The records in memory."""

    def test_since(self) -> None:
        """Whoever knows a number gets what came after it, oldest first."""
        self.record("a", "b", "c")
        self.assertEqual(self.events(), ["a", "b", "c"])
        self.assertEqual(self.events(2), ["c"])
        self.assertEqual(self.events(3), [])
        self.assertEqual(self.events(limit=2), ["a", "b"])

    def test_filters(self) -> None:
        """By proxy, event and link, also together."""
        self.record("a", "b", link=1)
        self.record("a", proxy="back", link=1)
        self.record("a", link=2)
        numbers = [record.n for record in self.journal.since(proxy="front", event="a")]
        self.assertEqual(numbers, [1, 4])
        self.assertEqual(self.events(link=1), ["a", "b", "a"])
        self.assertEqual([record.n for record in self.journal.since(1, event="a", link=1)], [3])

    def test_bound(self) -> None:
        """The oldest go first, and one can see that they are gone."""
        self.journal = self.made(size=2)
        self.assertEqual((self.journal.first, self.journal.last), (1, 0))
        self.record("a", "b", "c")
        self.assertEqual(self.events(), ["b", "c"])
        self.assertEqual((self.journal.first, self.journal.last), (2, 3))

    def test_when_beyond(self) -> None:
        """Whoever waits is told once, in a turn of its own, however much has come."""
        waiting = self.journal.when_beyond(0)
        self.record("a", "b")
        self.assertNoResult(waiting)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(waiting), 2)

    def test_when_beyond_already(self) -> None:
        """Who is behind need not wait for more; who is ahead waits for that number."""
        self.record("a", "b")
        behind, level = self.journal.when_beyond(1), self.journal.when_beyond(2)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(behind), 2)
        self.assertNoResult(level)
        self.record("c")
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(level), 3)

    def test_cancelled(self) -> None:
        """One who waits may go, even when another who is told sends him."""
        first, second = self.journal.when_beyond(0), self.journal.when_beyond(0)
        first.addCallback(lambda _: second.cancel())
        self.record("a")
        self.clock.advance(0)
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AttachTests(JournalCase):
    """A journal of proxies."""

    def test_events(self) -> None:
        """What a proxy does is recorded, from the link's beginning to its end."""
        proxy = MemoryProxy(Plan(rules=(Rule(Error(kind="no"), "it"),), seed=1), name="front")
        self.journal.attach(proxy.proxy)
        client, _ = proxy.pair()
        client.says(b"get a\n")
        client.resets()
        proxy.pass_time(1)
        self.assertEqual(self.events(), ["link-opened", "fired", "link-closed"])
        opened, fired, closed = (record.as_json() for record in self.journal.since())
        self.assertEqual((opened["client"], opened["link"]), ("127.0.0.1:40000", 1))
        expected = {"rule": "it", "behavior": "error", "exchange": "1", "verb": "GET", "did": ["refuse no"]}
        self.assertEqual(fired | expected, fired)
        self.assertEqual(fired["options"]["kind"], "no")
        self.assertEqual((closed["bytes_to_backend"], closed["exchanges"]), (6, 1))

    def test_two_proxies(self) -> None:
        """Records of several proxies are numbered together."""
        proxies = [MemoryProxy(name=name) for name in ("front", "back")]
        for proxy in proxies:
            self.journal.attach(proxy.proxy)
            proxy.client()
        self.assertEqual([record.proxy for record in self.journal.since()], ["front", "back"])

    def test_detach(self) -> None:
        """After that nothing more is recorded, and files say nothing more of the proxy."""
        proxy = MemoryProxy(name="front")
        self.journal.attach(proxy.proxy)
        self.journal.detach(proxy.proxy)
        proxy.client()
        self.assertEqual(self.events(), [])
        self.assertEqual(self.file.heads["front"], {})


class HeadTests(JournalCase):
    """What a file begins with: all that a replay has to know."""

    def test_first_line(self) -> None:
        """The format, our version, and the run."""
        first = self.file.heads[""]
        self.assertEqual((first["event"], first["format"], first["txvaurien"]), ("journal", 1, __version__))
        self.assertEqual(first["time"], "2026-01-31T12:00:00.000000Z")
        self.made()
        self.assertNotEqual(self.file.heads[""]["run"], first["run"])

    def test_proxy(self) -> None:
        """Name, addresses, protocol and its options, seed, plan; said in the file that is open, too."""
        plan = Plan(mix=(Share(5, Rule(Delay(sleep=2))),), rules=(Rule(Error(), "it", target="a*"),), seed=9)
        proxy = MemoryProxy(plan, name="front")
        self.journal.attach(proxy.proxy, "localhost:8000")
        said = self.file.heads["front"]
        self.assertEqual(self.file.lines, [said])
        plan_said = said.pop("plan")
        self.assertEqual(
            said,
            {
                "event": "proxy",
                "proxy": "front",
                "listen": "localhost:8000",
                "backend": "127.0.0.1:6379",
                "protocol": "lines",
                "options": {},
                "seed": 9,
            },
        )
        self.assertEqual(plan_said["mix"][0]["options"]["sleep"], 2)
        self.assertEqual((plan_said["rules"][0]["name"], plan_said["rules"][0]["target"]), ("it", "a*"))

    def test_changes(self) -> None:
        """The next file begins with the plan and the backend of that time."""
        proxy = MemoryProxy(name="front")
        self.journal.attach(proxy.proxy)
        proxy.proxy.set_plan(Plan(rules=(Rule(Error(), "it"),), seed=2))
        proxy.proxy.set_backend("127.0.0.1:7")
        head = self.file.heads["front"]
        self.assertEqual((head["seed"], head["backend"]), (2, "127.0.0.1:7"))
        self.assertEqual([rule["name"] for rule in head["plan"]["rules"]], ["it"])
        self.assertEqual([line["event"] for line in self.file.lines], ["proxy", "plan", "backend"])
