"""What rules and logs see of the binary protocol."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.memcache import Memcache
from txvaurien.test.memcache_samples import BINARY, GET, GETKQ, NOOP, SETQ, STORE, TRICKY, ask, tell, turn
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Recorder, collect


def seen(conversation: Conversation) -> list[tuple[str, tuple[str, ...], str]]:
    """Verb, targets and status of each exchange."""
    recorder = collect(Memcache().session(), conversation)
    return [(each.verb, each.targets, each.status) for each in recorder.seen]


class MessageTests(SynchronousTestCase):
    """Verbs, targets, statuses."""

    def test_pipeline(self) -> None:
        """Verbs are those of the text protocol, statuses have names."""
        expected = [
            ("SET", "OK"),
            ("INCR", "OK"),
            ("APPEND", "OK"),
            ("DELETE", "EXISTS"),
            ("GET", "NOT_FOUND"),
            ("ADD", "EXISTS"),
            ("TOUCH", "OK"),
            ("GAT", "OK"),
            ("FLUSH_ALL", "OK"),
            ("VERSION", "OK"),
            ("UNKNOWN", "UNKNOWN_COMMAND"),
        ]
        self.assertEqual([(verb, status) for verb, _, status in seen(BINARY["pipeline"])], expected)

    def test_quiet(self) -> None:
        """Quiet forms have the verb of the plain one; the silent ones have no status."""
        expected = [
            ("GET", ("a",), ""),
            ("GET", ("b",), "OK"),
            ("GET", ("c",), ""),
            ("SET", ("d",), ""),
            ("SET", ("d",), "NOT_FOUND"),
            ("DELETE", ("d",), ""),
            ("NOOP", (), "OK"),
        ]
        self.assertEqual(seen(BINARY["quiet"]), expected)

    def test_same_opaque(self) -> None:
        """Where the opaque tells nothing the key in the reply does."""
        requests = ask(GETKQ, b"a") + ask(GETKQ, b"b") + ask(NOOP)
        recorder = collect(
            Memcache().session(), turn(requests, tell(GETKQ, b"2", b"b", bytes(4)) + tell(NOOP))
        )
        self.assertEqual([each.status for each in recorder.seen], ["", "OK", "OK"])

    def test_sasl(self) -> None:
        """Logging in is a handshake; its target is the mechanism, and the secret is nowhere."""
        recorder = collect(Memcache().session(), BINARY["SASL"])
        self.assertTrue(all(each.exchange.handshake for each in recorder.seen))
        self.assertEqual(recorder.seen[3].targets, ("PLAIN",))
        self.assertEqual([each.status for each in recorder.seen], ["OK", "AUTH_CONTINUE", "AUTH_ERROR", "OK"])
        shown = [each.exchange.request.log_fields() for each in recorder.seen if each.exchange.request]
        self.assertNotIn("secret", str(shown))

    def test_unknown_status(self) -> None:
        """A status without a name is shown as it is."""
        self.assertEqual(seen(turn(ask(GET, b"a"), tell(GET, status=0x99))), [("GET", ("a",), "0x99")])

    def test_sizes(self) -> None:
        """Head and content of a reply, for faults that cut it."""
        self.assertEqual(self.sizes(ask(GETKQ, b"key"), tell(GETKQ, b"12345", b"key", bytes(4))), (31, 5))
        self.assertEqual(self.sizes(ask(GET, b"key"), tell(GET, b"Not found", status=1)), (24, 9))
        figures = tell(0x10, b"1", b"pid") + tell(0x10)
        self.assertEqual(self.sizes(ask(0x10), figures), (0, None))

    def sizes(self, request: bytes, reply: bytes) -> tuple[int, int | None]:
        """What the reply says of itself."""
        response = collect(Memcache().session(), turn(request, reply)).seen[0].exchange.response
        assert response is not None
        return response.head_size, response.body_size

    def test_stats(self) -> None:
        """All figures are one reply."""
        statuses = [(verb, status) for verb, _, status in seen(BINARY["stats"])]
        self.assertEqual(statuses, [("STATS", "OK"), ("STATS", "NOT_FOUND"), ("STATS", "OK")])

    def test_streamed(self) -> None:
        """A large value passes as it comes: nothing of it is held, nothing is copied together."""
        recorder = Recorder(Memcache().session())
        request = ask(SETQ, b"a", b"v" * 1_000_000, STORE)
        whole = recorder.feed(TO_BACKEND, request[:1000])
        self.assertEqual([len(frame.raw) for frame in whole], [1000])
        piece = request[1000:500_000]
        (frame,) = recorder.feed(TO_BACKEND, piece)
        self.assertIs(frame.raw, piece)
        self.assertEqual(recorder.held(TO_BACKEND), 0)


class DesyncTests(SynchronousTestCase):
    """Streams that cannot be followed, and say why."""

    def test_errors(self) -> None:
        """Each reason in its own words."""
        expected: dict[str, Conversation] = {
            "does not begin with 0x80": [(TO_BACKEND, ask(NOOP) + b"get a\r\n" * 4)],
            "shorter than its key": [(TO_BACKEND, b"\x80\x00\x00\x05" + bytes(20))],
            "does not begin with 0x81": turn(ask(NOOP), b"ERROR Too many open connections\r\n"),
            "a response that is shorter": turn(ask(NOOP), b"\x81\x0a\x00\x05" + bytes(20)),
            "no request asked for": [(TO_BACKEND, ask(0x17)), (TO_CLIENT, tell(NOOP))],
            "does not fit the request (NOOP)": turn(ask(NOOP, opaque=1), tell(NOOP, opaque=2)),
            "among the responses to STAT": turn(ask(0x10), tell(0x10, b"1", b"pid") + tell(NOOP)),
        }
        for words, conversation in expected.items():
            self.assertIn(words, Recorder(Memcache().session()).play(conversation).error)

    def test_detection(self) -> None:
        """The first byte of the client decides, for the whole link."""
        text = Recorder(Memcache().session()).play(turn(b"get a\r\n", b"END\r\n"))
        text.feed(TO_BACKEND, ask(NOOP) + b"\r\n")
        self.assertIn("neither", text.error)
        early = Recorder(Memcache().session())
        early.play([(TO_CLIENT, b"ERROR Too many open"), (TO_BACKEND, ask(GET, b"a")), (TO_CLIENT, TRICKY)])
        self.assertIn("0x81", early.error)
        self.assertEqual(early.session.rest(TO_CLIENT), b"ERROR Too many open" + TRICKY)
