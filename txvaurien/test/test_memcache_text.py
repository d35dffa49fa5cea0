"""What rules and logs see of the text protocol."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.memcache import Memcache
from txvaurien.protocols.memcache.commands import TextReply, read_command, words_of
from txvaurien.protocols.memcache.flow import LINE_LIMIT
from txvaurien.test.memcache_samples import TEXT, TEXT_QUIET, TRICKY, text_value, turn
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Recorder, collect


def seen(conversation: Conversation) -> list[tuple[str, tuple[str, ...], str]]:
    """Verb, targets and status of each exchange."""
    recorder = collect(Memcache().session(), conversation)
    return [(each.verb, each.targets, each.status) for each in recorder.seen]


class MessageTests(SynchronousTestCase):
    """Verbs, targets, statuses."""

    def test_requests(self) -> None:
        """The verb is the command; the targets are its keys, or its first argument."""
        expected = {
            b"get a b\r\n": ("GET", ["a", "b"]),
            b"gets a\r\n": ("GETS", ["a"]),
            b"gat 100 a b\r\n": ("GAT", ["a", "b"]),
            b"gats 100 a\r\n": ("GATS", ["a"]),
            b"set a 0 0 1\r\n": ("SET", ["a"]),
            b"cas a 0 0 1 5\r\n": ("CAS", ["a"]),
            b"incr a 1 noreply\r\n": ("INCR", ["a"]),
            b"mg a v\r\n": ("MG", ["a"]),
            b"mn\r\n": ("MN", []),
            b"stats\r\n": ("STATS", []),
            b"stats slabs\r\n": ("STATS", ["slabs"]),
            b"lru_crawler crawl all\r\n": ("LRU_CRAWLER", ["crawl"]),
            b"flush_all 10\r\n": ("FLUSH_ALL", []),
            b"quit\r\n": ("QUIT", []),
            b"get \xc3\xa4\xff\r\n": ("GET", ["ä\\xff"]),
            b"secret word\r\n": ("UNKNOWN", []),
            b"\r\n": ("UNKNOWN", []),
        }
        for line, (verb, targets) in expected.items():
            request = read_command(line)[0]
            self.assertEqual((request.verb, list(request.targets)), (verb, targets), line)

    def test_lengths(self) -> None:
        """How much data follows a line, with its newline."""
        expected = {
            b"set a 0 0 5\r\n": 7,
            b"set a 0 0 0 noreply\r\n": 2,
            b"set a 0 -1 +5\n": 7,
            b"set a 0 0 1_0\r\n": 0,
            b"set a 0 0 -5\r\n": 0,
            b"set a 0 0 5x\r\n": 0,
            b"set a 0 0\r\n": 0,
            b"ms a 5 q\r\n": 7,
            b"ms a 5x\r\n": 0,
            b"get 5 5 5 5 5\r\n": 0,
        }
        for line, length in expected.items():
            self.assertEqual(read_command(line)[1], length, line)

    def test_words(self) -> None:
        """Spaces part words, nothing else does; the newline is none of them."""
        self.assertEqual(words_of(b" a  b\tc \r\n"), [b"a", b"b\tc"])
        self.assertEqual(words_of(b"a\r\r\n"), [b"a\r"])
        self.assertEqual(words_of(b"a\n"), [b"a"])
        self.assertEqual(words_of(b"\r\n"), [])

    def test_statuses(self) -> None:
        """The status is the first word of the reply; a number is data and not shown."""
        self.assertEqual(seen(TEXT["get"]), [("GET", ("a",), "VALUE")])
        self.assertEqual(seen(TEXT["get that misses"]), [("GET", ("a",), "END")])
        statuses = [status for _, _, status in seen(TEXT["counting"])]
        self.assertEqual(statuses, ["OK", "OK", "NOT_FOUND", "CLIENT_ERROR"])
        statuses = [status for _, _, status in seen(TEXT["lru_crawler"])]
        self.assertEqual(statuses, ["OK", "OK", "OK", "OK", "BUSY"])
        self.assertEqual(seen(TEXT["the rest"])[-1], ("SHUTDOWN", (), "ERROR"))

    def test_sizes(self) -> None:
        """Head and content of a reply, for faults that cut it."""
        expected = {
            b"VALUE a 0 5\r\n": (13, 5),
            b"VA 5 t1\r\n": (9, 5),
            b"STORED\r\n": (8, 0),
            b"STAT pid 1\r\n": (0, None),
        }
        for line, sizes in expected.items():
            reply = TextReply(line)
            self.assertEqual((reply.head_size, reply.body_size), sizes, line)

    def test_quiet(self) -> None:
        """Each reply is the first request's that may have got it, by opaque and key where it says them."""
        statuses = [status for _, _, status in seen(TEXT_QUIET["quiet meta"])]
        self.assertEqual(statuses, ["", "VA", "", "", "NS", "NF", "CLIENT_ERROR", "", "MN"])

    def test_codes(self) -> None:
        """VALUE is no VA, and END no EN: what follows a quiet get is not taken for its answer."""
        conversation = turn(
            b"mg a v q\r\nme a q\r\nget a\r\nget b\r\n", text_value(b"a", b"1") + b"END\r\nEND\r\n"
        )
        statuses = [status for _, _, status in seen(conversation)]
        self.assertEqual(statuses, ["", "", "VALUE", "END"])

    def test_values_are_not_replies(self) -> None:
        """What a value contains is never taken for a line."""
        recorder = collect(Memcache().session(), TEXT["get of many"])
        self.assertEqual(len(recorder.seen), 1)
        self.assertIn(TRICKY, recorder.seen[0].reply)


class DesyncTests(SynchronousTestCase):
    """Streams that cannot be followed, and say why."""

    def error(self, conversation: Conversation) -> str:
        """What the session says to it."""
        return Recorder(Memcache().session()).play(conversation).error

    def test_errors(self) -> None:
        """Each reason in its own words."""
        expected = {
            "neither a command": [(TO_BACKEND, b"\x16\x03\x01\n")],
            "more than 65536 bytes": [(TO_BACKEND, b"set " + b"k" * LINE_LIMIT)],
            "no request asked for": turn(b"set a 0 0 1 noreply\r\n1\r\n", b"STORED\r\n"),
            "does not fit the request (GET)": turn(b"get a\r\n", b"STORED\r\n"),
            "does not fit the request (SET)": turn(b"set a 0 0 1\r\n1\r\n", text_value(b"a", b"1")),
            "without its length": turn(b"get a\r\n", b"VALUE a 0\r\n"),
            "goes on with something else": turn(b"get a\r\n", text_value(b"a", b"1") + b"STORED\r\n"),
            "in a reply": turn(b"version\r\n", b"VERSION " + b"1" * LINE_LIMIT),
            "log on this connection": [*turn(b"watch\r\n", b"OK\r\n"), (TO_CLIENT, b"ts=1\r\n")],
        }
        for words, conversation in expected.items():
            self.assertIn(words, self.error(conversation))

    def test_what_came_before(self) -> None:
        """The good part of a reply that breaks off is given out before the error."""
        recorder = Recorder(Memcache().session())
        value = text_value(b"a", b"1")
        recorder.play(turn(b"get a b\r\n", value + b"nonsense\r\n"))
        self.assertNotEqual(recorder.error, "")
        self.assertEqual(recorder.seen[0].reply, value)
        self.assertEqual(recorder.session.rest(TO_CLIENT), b"nonsense\r\n")


class LogInTests(SynchronousTestCase):
    """The option `login`."""

    def test_login(self) -> None:
        """The first set, and each one after a failure, is part of the handshake until one is taken."""
        log_in = b"set x 0 0 3 noreply\r\na b\r\n"
        recorder = Recorder(Memcache(login=True).session())
        recorder.play(turn(b"get a\r\n", b"CLIENT_ERROR unauthenticated\r\n"))
        recorder.play(turn(log_in, b"CLIENT_ERROR authentication failure\r\n"))
        recorder.play(turn(log_in, b"STORED\r\n"))
        recorder.play(turn(b"set x 0 0 1\r\n1\r\n", b"STORED\r\n"))
        handshakes = [each.exchange.handshake for each in recorder.seen]
        self.assertEqual(handshakes, [False, True, True, False])
        self.assertEqual(recorder.error, "")
