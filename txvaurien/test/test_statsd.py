"""The metrics for StatsD."""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.metrics import families
from txvaurien.metrics.families import Collected, Family, Sample
from txvaurien.metrics.figures import Spread
from txvaurien.metrics.statsd import (
    INTERVAL,
    MOST_BYTES,
    Lines,
    StatsdService,
    connect,
    datagrams,
    parse_address,
)
from txvaurien.metrics.watcher import Metrics
from txvaurien.test.memory import MemoryProxy


def one(family: Family, value: float | Spread, *labels: str) -> list[Collected]:
    """One metric with one series."""
    return [Collected(family, [Sample(("proxy", *labels), value)])]


class FakeWire:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.error: OSError | None = None
        self.closed = False

    def send(self, data: bytes, /) -> int:
        """Send one datagram."""
        if self.error is not None:
            raise self.error
        self.sent.append(data)
        return len(data)

    def close(self) -> None:
        """Take no more."""
        self.closed = True


class FakeLog:
    """Keeps the reasons of warnings."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def warn(self, form: str, why: str) -> None:
        """A warning."""
        self._told.append(why)


class AddressTests(SynchronousTestCase):
    """`parse_address` and `connect`."""

    def test_forms(self) -> None:
        """Host and port; the port may be left out."""
        for text, address in (
            ("localhost:8125", ("localhost", 8125)),
            ("10.0.0.1", ("10.0.0.1", 8125)),
            ("[::1]:9", ("::1", 9)),
            ("[::1]", ("::1", 8125)),
        ):
            self.assertEqual(parse_address(text), address)

    def test_wrong(self) -> None:
        """Anything else is refused, with the place where it was said."""
        for text in ("", "a:b", "a:0", "a:65536", "a b", "::1", "http://a:1"):
            error = self.assertRaises(ConfigError, parse_address, text, "x.ini:3: statsd")
            self.assertTrue(str(error).startswith("x.ini:3: statsd: "), error)
            self.assertIn("localhost:8125", str(error))

    def test_no_such_host(self) -> None:
        """A host that there is not is an error of the start."""
        error = self.assertRaises(ConfigError, connect, "no..such", 1)
        self.assertIn("'no..such' cannot be reached", str(error))

    def test_connect(self) -> None:
        """What is sent arrives."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(30)
            with connect("127.0.0.1", server.getsockname()[1]) as client:
                client.send(b"a:1|c")
            self.assertEqual(server.recv(100), b"a:1|c")


class LineTests(SynchronousTestCase):
    """`Lines`."""

    def setUp(self) -> None:
        self.lines = Lines("a.b")

    def said(self, collected: list[Collected]) -> list[bytes]:
        """The lines of one time."""
        return list(self.lines.lines(collected))

    def test_counters(self) -> None:
        """Of what only grows the difference is sent, and nothing where there is none."""
        self.assertEqual(self.said(one(families.LINKS, 5)), [b"a.b.proxy.links:5|c"])
        self.assertEqual(self.said(one(families.LINKS, 5)), [])
        self.assertEqual(self.said(one(families.LINKS, 7)), [b"a.b.proxy.links:2|c"])
        self.assertEqual(self.said(one(families.LINKS, 3)), [b"a.b.proxy.links:3|c"])

    def test_begun_anew(self) -> None:
        """A proxy that was away counts from the beginning."""
        self.said(one(families.LINKS, 5))
        self.said([])
        self.assertEqual(self.said(one(families.LINKS, 5)), [b"a.b.proxy.links:5|c"])

    def test_gauges(self) -> None:
        """How things are is said each time."""
        for _ in range(2):
            self.assertEqual(self.said(one(families.LINKS_OPEN, 4)), [b"a.b.proxy.links_open:4|g"])

    def test_times(self) -> None:
        """New times are sent by class: their mean in milliseconds, and how many it stands for."""
        spread = Spread()
        spread.counts[0], spread.sums[0] = 1, 0.0004
        spread.counts[9], spread.sums[9] = 4, 1.2
        name = b"a.b.proxy.exchange_backend"
        self.assertEqual(
            self.said(one(families.BACKEND_SECONDS, spread)), [name + b":0.4|ms", name + b":300|ms|@0.25"]
        )
        more = spread.copy()
        more.counts[9] += 2
        more.sums[9] += 1.0
        self.assertEqual(self.said(one(families.BACKEND_SECONDS, more)), [name + b":500|ms|@0.5"])

    def test_large_counts(self) -> None:
        """Numbers are written out in full."""
        said = self.said(one(families.BYTES, 123_456_789_012, "to_client"))
        self.assertEqual(said, [b"a.b.proxy.bytes.to_client:123456789012|c"])

    def test_names(self) -> None:
        """What has a meaning in a line is no part of a name; labels follow the metric."""
        said = self.said(one(families.FAULTS, 1, "mix 0:de.lay|x", "delay"))
        self.assertEqual(said, [b"a.b.proxy.faults_fired.mix_0_de_lay_x.delay:1|c"])
        self.assertEqual(list(Lines("").lines(one(families.LINKS, 1))), [b"proxy.links:1|c"])
        info = [Collected(families.JOURNAL_RECORDS, [Sample((), 2)])]
        self.assertEqual(self.said(info), [b"a.b.journal_records:2|c"])

    def test_names_beyond_ascii(self) -> None:
        """Proxies whose names differ have series of their own."""
        lines = Lines("")
        names = ("é", "ü", "кэш", "кэж", "-")
        collected = [Collected(families.LINKS, [Sample((name,), 1) for name in names])]
        said = list(lines.lines(collected))
        self.assertEqual(said[:2], [b"_c3_a9.links:1|c", b"_c3_bc.links:1|c"])
        self.assertEqual(len(set(said)), len(names))

    def test_left_out(self) -> None:
        """Toxiproxy's names and what is only text are for Prometheus."""
        self.assertEqual(self.said(one(families.RECEIVED, 1, "a", "b", "c")), [])
        self.assertEqual(self.said(one(families.PROXY_INFO, 1, "a", "b", "c")), [])


class DatagramTests(SynchronousTestCase):
    """`datagrams`."""

    def test_size(self) -> None:
        """Lines stay whole and in order, and no datagram is larger than a network takes."""
        lines = [b"%04d:" % number + b"x" * (number % 90) for number in range(500)]
        sent = list(datagrams(lines))
        self.assertEqual(b"\n".join(sent).split(b"\n"), lines)
        self.assertLessEqual(max(map(len, sent)), MOST_BYTES)
        self.assertGreater(min(map(len, sent[:-1])), MOST_BYTES - 100)

    def test_long(self) -> None:
        """A line that is too long goes alone."""
        long = b"x" * (2 * MOST_BYTES)
        self.assertEqual(list(datagrams([b"a", long, b"b"])), [b"a", long, b"b"])

    def test_nothing(self) -> None:
        """Nothing is sent for nothing."""
        self.assertEqual(list(datagrams([])), [])


class ServiceTests(SynchronousTestCase):
    """`StatsdService`."""

    def setUp(self) -> None:
        self.memory = MemoryProxy()
        self.metrics = Metrics()
        self.metrics.attach(self.memory.proxy)
        self.clock = Clock()
        self.wire = FakeWire()
        self.service = StatsdService(self.metrics, self.wire, self.clock, "v")

    def lines(self) -> list[bytes]:
        """What has been sent since the last time."""
        said = b"\n".join(self.wire.sent).split(b"\n")
        self.wire.sent.clear()
        return said

    def test_interval(self) -> None:
        """It is sent every few seconds, and once more at the end."""
        self.service.startService()
        self.assertEqual(self.wire.sent, [])
        self.memory.pair()
        self.clock.advance(INTERVAL)
        self.assertIn(b"v.proxy.links:1|c", self.lines())
        self.clock.advance(INTERVAL)
        self.assertNotIn(b"v.proxy.links:1|c", self.lines())
        self.memory.pair()
        self.successResultOf(self.service.stopService())
        self.assertIn(b"v.proxy.links:1|c", self.lines())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.wire.closed)

    def test_nobody_listens(self) -> None:
        """What cannot be sent is lost; the log says so once, and it goes on."""
        told: list[str] = []
        self.wire.error = ConnectionRefusedError(111, "Connection refused")
        self.patch(self.service, "log", FakeLog(told))
        self.service.startService()
        self.clock.pump([INTERVAL] * 3)
        self.assertEqual(told, ["Connection refused"])
        self.wire.error = None
        self.clock.advance(INTERVAL)
        self.assertIn(b"v.proxy.links_open:0|g", self.lines())

    def test_slow_workers(self) -> None:
        """While workers are asked it does not ask again."""
        asked: list[Deferred[list[Collected]]] = []

        def collect() -> Deferred[list[Collected]]:
            asked.append(Deferred())
            return asked[-1]

        self.patch(self.metrics, "collect", collect)
        self.service.startService()
        self.clock.pump([INTERVAL] * 5)
        self.assertEqual(len(asked), 1)
        asked[0].callback(one(families.LINKS, 1))
        self.assertEqual(self.lines(), [b"v.proxy.links:1|c"])
        self.clock.advance(INTERVAL)
        self.assertEqual(len(asked), 2)

    def test_failure(self) -> None:
        """A mistake of ours is logged, and does not end it."""

        async def collect() -> list[Collected]:
            raise ZeroDivisionError

        self.patch(self.metrics, "collect", collect)
        self.service.startService()
        self.clock.advance(INTERVAL)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
