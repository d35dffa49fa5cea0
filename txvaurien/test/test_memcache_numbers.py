"""What single bytes and words of memcache mean: headers of packets, and numbers in lines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import NotLegal
from txvaurien.protocols.memcache import Memcache
from txvaurien.protocols.memcache.binary import BinaryReply, BinaryRequest
from txvaurien.protocols.memcache.messages import Request
from txvaurien.test.memcache_samples import ask, tell, turn
from txvaurien.testing import TO_BACKEND, Recorder, collect

#: More digits than Python reads as one number.
HUGE = b"9" * 5000

SET, ADD, REPLACE, INCR, STAT = 0x01, 0x02, 0x03, 0x05, 0x10


class LineTests(SynchronousTestCase):
    """Numbers in the text protocol."""

    def verbs(self, data: bytes) -> list[str]:
        """What the client is taken to have said."""
        recorder = Recorder(Memcache().session())
        recorder.feed(TO_BACKEND, data)
        self.assertEqual((recorder.error, recorder.faults), ("", []))
        return [seen.verb for seen in recorder.seen]

    def test_out_of_range(self) -> None:
        """Where a number is larger than any the server reads, no data follows: its next line is a command."""
        for line in (
            b"set k " + HUGE + b" 0 3\r\n",
            b"set k 0 -" + HUGE + b" 3\r\n",
            b"set k 0 0 " + HUGE + b"\r\n",
            b"cas k 0 0 3 " + HUGE + b"\r\n",
            b"ms k " + HUGE + b"\r\n",
        ):
            self.assertEqual(self.verbs(line + b"get\r\nget a\r\n")[1:], ["GET", "GET"], line[:20])

    def test_in_range(self) -> None:
        """The largest length is data, and signs and leading zeros change nothing."""
        for line in (b"set k 0 0 3\r\n", b"set k 4294967295 -1 3\r\n", b"set k 0 +5 003\r\n", b"ms k 3\r\n"):
            self.assertEqual(len(self.verbs(line + b"get\r\nget a\r\n")), 2, line)

    def test_classes(self) -> None:
        """For metrics every status is one of three things."""
        classes = {
            status: Memcache().status_class(status)
            for status in ("STORED", "OK", "NOT_FOUND", "SERVER_ERROR", "0x99")
        }
        expected = {"STORED": "ok", "OK": "ok", "NOT_FOUND": "miss", "SERVER_ERROR": "error", "0x99": "error"}
        self.assertEqual(classes, expected)


class HeaderTests(SynchronousTestCase):
    """The fields of a packet's header (protocol_binary.txt, section 3)."""

    def test_request(self) -> None:
        """Each field is where the header has it."""
        head = (
            bytes([0x80, SET]) + b"\0\3" + b"\x08" + b"\0" + b"\0\0" + b"\0\0\0\x0b"
            + b"opaq" + b"\1\2\3\4\5\6\7\x08" + b"extraext" + b"key"
        )  # fmt: skip
        request = BinaryRequest(head)
        self.assertEqual((request.opcode, request.opaque), (SET, b"opaq"))
        self.assertEqual(request.cas, b"\1\2\3\4\5\6\7\x08")
        self.assertEqual((request.extras, request.key), (b"extraext", b"key"))
        self.assertEqual((request.verb, list(request.targets)), ("SET", ["key"]))

    def test_reply(self) -> None:
        """A status has two bytes; head and content add up to the packet."""
        reply = BinaryReply(bytes([0x81, 0, 0, 3, 4, 0, 1, 0x86, 0, 1, 0, 9]) + bytes(12))
        self.assertEqual(reply.status, "0x186")
        self.assertEqual((reply.head_size, reply.body_size), (31, 65536 + 9 - 7))
        self.assertEqual(
            BinaryReply(bytes([0x81, 0, 0, 0, 0, 0, 0, 0x86]) + bytes(16)).status, "TEMPORARY_FAILURE"
        )

    def test_figures(self) -> None:
        """Figures are several packets, which do not say how many bytes; their end is one, and does."""
        self.assertIsNone(BinaryReply(tell(STAT, b"1", b"pid")).body_size)
        self.assertIsNone(BinaryReply(tell(STAT, b"1", b"p" * 256)).body_size)
        self.assertEqual(BinaryReply(tell(STAT)).body_size, 0)

    def test_many_figures(self) -> None:
        """The last packet is the one without a key, or with an error."""
        said = b"".join(tell(STAT, b"%d" % number, b"name") for number in range(3))
        for end in (tell(STAT), tell(STAT, b"No such", status=1)):
            recorder = collect(Memcache().session(), turn(ask(STAT) + ask(0x0A), said + end + tell(0x0A)))
            self.assertEqual((recorder.error, len(recorder.seen)), ("", 2))
            self.assertEqual(recorder.seen[0].reply, said + end)


class MissTests(SynchronousTestCase):
    """Whether a request can miss, by what it says besides its key."""

    def legal(self, request: bytes, kind: str) -> bool:
        """Whether this can be said to this request."""
        recorder = Recorder(Memcache().session())
        recorder.feed(TO_BACKEND, request)
        session, exchange = recorder.session, recorder.seen[0].exchange
        assert isinstance(exchange.request, Request)
        try:
            session.refuse(exchange, kind)
        except NotLegal:
            self.assertNotIn(kind, session.legal(exchange))
            return False
        return True

    def versioned(self, request: bytes, cas: bytes) -> bytes:
        """The same request, for one version of the item."""
        return request[:16] + cas + request[24:]

    def test_versions(self) -> None:
        """Only a request for one version finds another one, and only ADD minds that there is one at all."""
        store, version = bytes(8), b"\0\0\0\0\0\0\0\1"
        for opcode, plain in ((SET, False), (REPLACE, False), (ADD, True)):
            request = ask(opcode, b"k", b"v", store)
            self.assertIs(self.legal(request, "exists"), plain, opcode)
            self.assertTrue(self.legal(self.versioned(request, version), "exists"), opcode)

    def test_missing(self) -> None:
        """A SET creates its item, unless it is for one version; a REPLACE needs it."""
        store, version = bytes(8), b"\0\0\0\0\0\0\0\1"
        request = ask(SET, b"k", b"v", store)
        self.assertFalse(self.legal(request, "miss"))
        self.assertTrue(self.legal(self.versioned(request, version), "miss"))
        self.assertTrue(self.legal(ask(REPLACE, b"k", b"v", store), "miss"))

    def test_counters(self) -> None:
        """INCR creates its item too, unless its expiration says that it must not."""
        for expiration, misses in ((b"\0\0\0\0", False), (b"\xff\xff\xff\xfe", False), (b"\xff" * 4, True)):
            counter = bytes(15) + b"\1" + expiration
            self.assertIs(self.legal(ask(INCR, b"k", b"", counter), "miss"), misses, expiration)
