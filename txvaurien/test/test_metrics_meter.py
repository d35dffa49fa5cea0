"""What is noted of a proxy, and the few labels that verbs and statuses become."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectionRefusedError, DNSLookupError, TCPTimedOutError
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.metrics import meter as metering
from txvaurien.metrics.classes import MOST_SEEN, Classes
from txvaurien.metrics.meter import Meter
from txvaurien.net.pool import PoolTimeout
from txvaurien.protocols.http import Http
from txvaurien.protocols.memcache import Memcache
from txvaurien.protocols.mysql import MySQL
from txvaurien.protocols.opaque import Turn
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.messages import Request
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.tcp import Tcp
from txvaurien.test.lines import Line, Lines


class StatusTests(SynchronousTestCase):
    """`WireProtocol.status_class`."""

    def test_classes(self) -> None:
        """What a protocol's servers say is one of a few classes."""
        for protocol, statuses in (
            (Http(), {"200": "2xx", "404": "4xx", "503": "5xx", "100": "1xx"}),
            (Smtp(), {"250": "2xx", "354": "3xx", "451": "4xx"}),
            (Redis(), {"OK": "ok", "WRONGTYPE": "error", "ERR": "error", "ANYTHING": "error"}),
            (MySQL(), {"OK": "ok", "1213": "error", "LOCAL_INFILE": "ok", "MORE_DATA": "ok"}),
            (Memcache(), {"STORED": "ok", "VALUE": "ok", "HD": "ok", "OK": "ok", "END": "miss"}),
            (Memcache(), {"EN": "miss", "NOT_FOUND": "miss", "NOT_STORED": "miss", "EXISTS": "miss"}),
            (Memcache(), {"SERVER_ERROR": "error", "ERROR": "error", "OUT_OF_MEMORY": "error"}),
            (Memcache(), {"TOO_LARGE": "error", "0x99": "error", "UNKNOWN_COMMAND": "error"}),
            (Tcp(), {"": "none"}),
        ):
            classes = Classes(protocol)
            self.assertEqual({each: classes.status(each) for each in statuses}, statuses, protocol.name)


class VerbTests(SynchronousTestCase):
    """`Classes.verb`."""

    def test_declared(self) -> None:
        """Where a protocol says which verbs it has, all others are one."""
        classes = Classes(Tcp())
        self.assertEqual([classes.verb(Turn(each)) for each in ("SAY", "YELL")], ["SAY", "other"])

    def test_seen(self) -> None:
        """Where it does not, the first ones that come have a label, and all others share one."""
        classes = Classes(Lines())
        labels = [classes.verb(Line(b"V%d" % number)) for number in range(1000)]
        self.assertEqual(labels[:MOST_SEEN], [f"V{number}" for number in range(MOST_SEEN)])
        self.assertEqual(set(labels[MOST_SEEN:]), {"other"})
        self.assertEqual(classes.verb(Line(b"V3")), "V3")

    def test_secrets(self) -> None:
        """What a log may not show is no label: a password that came at the wrong moment."""
        classes = Classes(Redis())
        self.assertEqual(classes.verb(Request(b"*1\r\n$6\r\nhunter\r\n")), "UNKNOWN")
        self.assertEqual(classes.verb(Request(b"*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$1\r\n*\r\n")), "CONFIG")


class MeterTests(SynchronousTestCase):
    """`Meter`."""

    def setUp(self) -> None:
        self.meter = Meter(Lines(), exchanges=True)

    def test_connects(self) -> None:
        """How long the backend took to take each connection."""
        for seconds in (2.0, 0.25):
            self.meter.connected(seconds)
        noted = self.meter.noted()
        self.assertEqual((noted.connects.count, noted.connects.sum), (2, 2.25))

    def test_reasons(self) -> None:
        """Why there was no backend is one of a few reasons; that nobody wanted it any more is none."""
        for error in (
            ConnectionRefusedError(),
            TCPTimedOutError(),
            DNSLookupError(),
            PoolTimeout(1, 1, 1.0),
            ConnectError(),
            ConnectionRefusedError(),
            CancelledError(),
        ):
            self.meter.unreachable(error)
        self.assertEqual(
            self.meter.noted().errors, {"refused": 2, "timeout": 1, "dns": 1, "pool": 1, "other": 1}
        )

    def test_bounded(self) -> None:
        """However many verbs and statuses come, few are kept, and all are counted."""
        self.patch(metering, "_MOST_PAIRS", 10)
        for number in range(500):
            self.meter.answered(Line(b"V%d" % number), f"S{number}", 0.0)
        answers = self.meter.noted().answers
        self.assertEqual(len(answers), MOST_SEEN + 1)
        self.assertEqual(sum(sum(each.values()) for each in answers.values()), 500)
        self.assertEqual(answers["other"], {"error": 500 - MOST_SEEN})

    def test_copies(self) -> None:
        """What was noted does not change when more is."""
        before = self.meter.noted()
        self.meter.answered(Line(b"GET"), "OK", 1.0)
        self.assertEqual((before.backend.count, before.answers), (0, {}))
        self.assertEqual(self.meter.noted().backend.count, 1)
