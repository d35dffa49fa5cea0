"""The metrics of real processes: one, and several that share a port."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from txvaurien.test.servers import wait_until
from txvaurien.test.test_workers_live import WorkersCase

Series = dict[tuple[str, tuple[str, ...]], float]


class LiveCase(WorkersCase):
    """A proxy of its own process."""

    def metrics(self) -> Series:
        """Each series by its name and its labels but the proxy's, in the order of their names."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        return {
            (sample.name, tuple(value for name, value in sorted(sample.labels.items()) if name != "proxy")): (
                sample.value
            )
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def counters(self) -> Series:
        """What can only grow, apart from what concerns the master process."""
        return {
            key: value
            for key, value in self.metrics().items()
            if key[0].startswith("vaurien_") and key[0].endswith(("_total", "_count", "_bucket", "_sum"))
        }


class MetricsTests(LiveCase):
    """GET /metrics."""

    def test_workers(self) -> None:
        """The metrics are those of all workers; when one dies nothing of what was said gets less."""
        self.start("--metrics", workers=2)
        clients = [self.client() for _ in range(4)]
        for client in clients:
            for _ in range(5):
                self.assertEqual(client.ping(), "+")
        before = self.counters()
        self.assertEqual(before["vaurien_links_total", ()], 4)
        self.assertEqual(before["vaurien_bytes_total", ("to_backend",)], 4 * 5 * 6)
        self.assertEqual(before["vaurien_exchanges_by_verb_total", ("ok", "PING")], 20)
        self.assertEqual(before["vaurien_exchange_backend_seconds_count", ()], 20)
        self.assertEqual(before["vaurien_backend_connect_seconds_count", ()], 4)
        now = self.metrics()
        self.assertEqual((now["vaurien_links_open", ()], now["vaurien_workers", ()]), (4, 2))
        os.kill(self.workers()[0], signal.SIGKILL)
        wait_until(
            lambda: self.metrics().get(("vaurien_worker_deaths_total", ())) == 1,
            lambda: "no death was counted",
        )
        wait_until(lambda: self.metrics()["vaurien_workers", ()] == 2, lambda: "no other worker came")
        after = self.counters()
        for key, value in before.items():
            self.assertGreaterEqual(after[key], value, key)
        self.assertEqual(self.metrics()["vaurien_links_open", ()], 2)
        self.assertEqual(self.client().ping(), "+")
        self.assertEqual(self.counters()["vaurien_exchanges_by_verb_total", ("ok", "PING")], 21)

    def test_one_process(self) -> None:
        """Without --metrics no exchange is looked at, and all else is there."""
        self.start("--rule", "error kind=loading name=mine times=1", workers=1)
        client = self.client()
        self.assertEqual([client.ping(), client.ping()], ["-", "+"])
        said = self.metrics()
        self.assertEqual(said["vaurien_faults_fired_total", ("error", "mine")], 1)
        self.assertEqual(said["vaurien_exchanges_total", ("to_backend",)], 2)
        sent = [value for (name, _), value in said.items() if name == "toxiproxy_proxy_sent_bytes_total"]
        self.assertEqual(sum(sent), 6 + 7 + len("-LOADING Redis is loading the dataset in memory\r\n"))
        self.assertFalse([name for name, _ in said if name.startswith("vaurien_exchanges_by_verb")])


class StatsdTests(LiveCase):
    """``--statsd``."""

    def test_sent_at_the_end(self) -> None:
        """What was counted arrives, at the latest when the proxy ends."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(60)
            port = server.getsockname()[1]
            self.start("--metrics", "--statsd", f"127.0.0.1:{port}", "--statsd-prefix", "chaos", workers=1)
            client = self.client()
            self.assertEqual(client.ping(), "+")
            self.process.stop()
            name, said = b"chaos.proxy.exchanges_by_verb.PING.ok", b""
            while not said:
                lines = dict(line.split(b":", 1) for line in server.recv(65536).split(b"\n"))
                said = lines.get(name, b"")
            self.assertEqual(said, b"1|c")
