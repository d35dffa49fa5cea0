"""The metrics of all proxies of a process, and as Prometheus reads them."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.actions import KillIdle
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.journal import Journal
from txvaurien.journals.journalfile import JournalFile
from txvaurien.metrics import families
from txvaurien.metrics.families import FAMILIES, Collected
from txvaurien.metrics.figures import Figures, Spread
from txvaurien.metrics.prometheus import render
from txvaurien.metrics.watcher import Metrics
from txvaurien.model import Direction
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.process.proxies import Proxies
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.test.registries import registry
from txvaurien.toxics.latency import Latency

Values = dict[tuple[str, ...], float | Spread]


class MetricsCase(SynchronousTestCase):
    """Proxies in memory, and their metrics."""

    def collect(self, metrics: Metrics) -> list[Collected]:
        """All metrics."""
        return self.successResultOf(ensureDeferred(metrics.collect()))

    def values(self, metrics: Metrics) -> dict[str, Values]:
        """By name and labels."""
        return {
            each.family.full_name: {sample.labels: sample.value for sample in each.samples}
            for each in self.collect(metrics)
        }


class WatcherTests(MetricsCase):
    """`Metrics`."""

    def setUp(self) -> None:
        self.memory = MemoryProxy()
        self.metrics = Metrics(exchanges=True)
        self.metrics.attach(self.memory.proxy, "localhost:6380")

    @property
    def said(self) -> dict[str, Values]:
        """All metrics."""
        return self.values(self.metrics)

    def test_links_and_bytes(self) -> None:
        """Links, bytes and exchanges, by direction, those of links that stand included."""
        client, backend = self.memory.pair()
        client.says(b"GET a\n")
        backend.says(b"!NEWS\nOK\n")
        said = self.said
        self.assertEqual(said["vaurien_links_total"], {("proxy",): 1})
        self.assertEqual(said["vaurien_links_open"], {("proxy",): 1})
        self.assertEqual(said["vaurien_bytes_total"], {("proxy", "to_backend"): 6, ("proxy", "to_client"): 9})
        self.assertEqual(
            said["vaurien_exchanges_total"], {("proxy", "to_backend"): 1, ("proxy", "to_client"): 1}
        )
        client.resets()
        self.memory.pass_time(5)
        after = self.said
        self.assertEqual(after["vaurien_links_open"], {("proxy",): 0})
        for name in ("vaurien_links_total", "vaurien_bytes_total", "vaurien_exchanges_total"):
            self.assertEqual(after[name], said[name])

    def test_toxiproxy(self) -> None:
        """Toxiproxy's two, under its names and labels; what is refused has come, and has not gone out."""
        self.memory.proxy.set_plan(Plan(rules=(Rule(Error(kind="no"), verbs=frozenset({"SET"})),)))
        client, _ = self.memory.pair()
        client.says(b"GET a\n")
        client.says(b"SET bc\n")
        where = ("proxy", "localhost:6380", "127.0.0.1:6379")
        said = self.said
        self.assertEqual(
            said["toxiproxy_proxy_received_bytes_total"],
            {("upstream", *where): 13, ("downstream", *where): 0},
        )
        self.assertEqual(
            said["toxiproxy_proxy_sent_bytes_total"], {("upstream", *where): 6, ("downstream", *where): 0}
        )

    def test_faults(self) -> None:
        """Faults by rule and behavior, what behaviors did wrong, actions that stand."""
        proxy = self.memory.proxy
        proxy.set_plan(Plan(rules=(Rule(Delay(sleep=0), name="slow"),)))
        self.successResultOf(ensureDeferred(proxy.actions.start(KillIdle())))
        client, _ = self.memory.pair()
        client.says(b"GET a\n")
        said = self.said
        self.assertEqual(said["vaurien_faults_fired_total"], {("proxy", "slow", "delay"): 1})
        self.assertEqual(said["vaurien_faults_misfired_total"], {("proxy", "slow", "delay"): 0})
        self.assertEqual(said["vaurien_behavior_errors_total"], {("proxy",): 0})
        self.assertEqual(said["vaurien_actions"], {("proxy", "kill_idle"): 1})

    def test_toxics(self) -> None:
        """Toxics that stand, the links they took, and the links that are under one."""
        proxy = self.memory.proxy
        for name in ("one", "two"):
            proxy.add_toxic(PlacedToxic(Latency(latency=1), Direction.TO_CLIENT, name=name))
        client, _ = self.memory.pair()
        said = self.said
        self.assertEqual(said["vaurien_toxics"], {("proxy", "latency", "downstream"): 2})
        self.assertEqual(
            said["vaurien_toxic_links_total"],
            {("proxy", name, "latency", "downstream"): 1 for name in ("one", "two")},
        )
        self.assertEqual(said["vaurien_toxic_links_open"], {("proxy",): 1})
        client.resets()
        self.memory.pass_time(5)
        self.assertEqual(self.said["vaurien_toxic_links_open"], {("proxy",): 0})

    def test_backend(self) -> None:
        """How long connecting took, and why there was no backend."""
        self.memory.client()
        self.memory.pass_time(2)
        self.memory.backend()
        self.memory.client()
        self.memory.refuse()
        said = self.said
        took = said["vaurien_backend_connect_seconds"]["proxy",]
        assert isinstance(took, Spread)
        self.assertEqual((took.count, took.sum), (1, 2.0))
        self.assertEqual(said["vaurien_backend_connect_errors_total"], {("proxy", "refused"): 1})

    def test_opaque(self) -> None:
        """Links that cannot be followed."""
        client, _ = self.memory.pair()
        client.says(b"# what\n")
        self.assertEqual(self.said["vaurien_links_opaque_total"], {("proxy",): 1})

    def test_exchanges(self) -> None:
        """Exchanges by verb and status, and their times, where they are asked for."""
        client, backend = self.memory.pair()
        client.says(b"GET a\n")
        backend.says(b"OK\n")
        self.assertEqual(self.said["vaurien_exchanges_by_verb_total"], {("proxy", "GET", "ok"): 1})
        self.assertIn("vaurien_exchange_backend_seconds", self.said)
        plain = Metrics()
        plain.attach(self.memory.proxy)
        names = self.values(plain)
        self.assertIn("vaurien_links_total", names)
        for family in FAMILIES:
            if family.exchange:
                self.assertNotIn(family.full_name, names)

    def test_detach(self) -> None:
        """A proxy that is gone has no series, and is not listened to."""
        proxy = self.memory.proxy
        before = len(proxy.observers)
        self.metrics.detach(proxy)
        self.assertEqual((len(proxy.observers), proxy.meter), (before - 1, None))
        self.assertEqual(list(self.said), ["vaurien_info"])

    def test_removed_meanwhile(self) -> None:
        """A proxy that goes away while its workers are asked is left out."""
        asked: Deferred[Figures] = Deferred()
        proxy = self.memory.proxy
        self.patch(proxy, "figures", lambda: asked)
        collecting = ensureDeferred(self.metrics.collect())
        self.metrics.detach(proxy)
        asked.callback(Figures())
        collected = self.successResultOf(collecting)
        self.assertEqual([each.family for each in collected], [families.INFO])

    def test_journal(self) -> None:
        """How many events there were, and how many lines could not be written."""
        file = JournalFile(self.mktemp())
        file.dropped = 3
        journal = Journal(Clock(), file=file)
        journal.attach(self.memory.proxy)
        said = self.values(Metrics(journal, file))
        self.assertEqual(said["vaurien_journal_lines_dropped_total"], {(): 3})
        self.assertEqual(said["vaurien_journal_records_total"], {(): journal.last})

    def test_of_proxies(self) -> None:
        """Those of proxies that are there already."""
        proxies = Proxies.of(self.memory.proxy, registry())
        self.assertIn("vaurien_links_total", self.values(Metrics.of(proxies)))


class PrometheusTests(MetricsCase):
    """`render`."""

    def setUp(self) -> None:
        self.memory = MemoryProxy()
        self.metrics = Metrics(exchanges=True)
        self.metrics.attach(self.memory.proxy)

    def test_text(self) -> None:
        """What is written can be read back, with all values, and is said to be of the text format."""
        client, backend = self.memory.pair()
        client.says(b"GET a\nGET b\n")
        self.memory.pass_time(0.3)
        backend.says(b"OK\n")
        self.memory.pass_time(100)
        backend.says(b"OK\n")
        text, content_type = render(self.collect(self.metrics))
        self.assertTrue(content_type.startswith("text/plain; version="))
        read = {each.name: each for each in text_string_to_metric_families(text.decode())}
        (links,) = read["vaurien_links"].samples
        self.assertEqual(
            (links.name, links.labels, links.value), ("vaurien_links_total", {"proxy": "proxy"}, 1)
        )
        buckets = {
            sample.labels.get("le", sample.name): sample.value
            for sample in read["vaurien_exchange_backend_seconds"].samples
        }
        self.assertEqual([buckets[end] for end in ("0.25", "0.5", "30.0", "+Inf")], [0, 1, 1, 2])
        self.assertEqual(buckets["vaurien_exchange_backend_seconds_count"], 2)
        self.assertAlmostEqual(buckets["vaurien_exchange_backend_seconds_sum"], 100.6)

    def test_openmetrics(self) -> None:
        """Who asks for OpenMetrics gets it."""
        text, content_type = render(self.collect(self.metrics), "application/openmetrics-text; version=1.0.0")
        self.assertTrue(content_type.startswith("application/openmetrics-text; version=1.0.0"))
        self.assertTrue(text.endswith(b"# EOF\n"))

    def test_process(self) -> None:
        """What the process takes is there, too."""
        self.assertIn(b"\npython_info{", render([])[0])

    def test_names(self) -> None:
        """Names are what Prometheus wants them to be, and no two are the same."""
        names = [each.full_name for each in FAMILIES]
        self.assertEqual(len(set(names)), len(names))
        for name in names:
            self.assertTrue(re.fullmatch(r"(vaurien|toxiproxy)_[a-z_]+", name), name)
