"""The session in step with a real redis-server: what was recorded, in any pieces."""

from __future__ import annotations

from random import Random

from txvaurien.protocols.redis import Redis
from txvaurien.test.redis_peer import Peer, RealCase, conversation
from txvaurien.test.redis_samples import OK, bulk, cmd
from txvaurien.testing import TO_CLIENT, Seen, collect, runs, split

#: One of each type that DEBUG PROTOCOL can answer with.
DEBUG_KINDS = (
    *("string", "integer", "double", "bignum", "null", "array", "set", "map"),
    *("attrib", "push", "verbatim", "true", "false"),
)


class CaptureTests(RealCase):
    """Recorded conversations, in any pieces."""

    def setUp(self) -> None:
        self.server = self.start("--enable-debug-command", "yes")

    def captured(self, peer: Peer) -> list[Seen]:
        """The exchanges of what was recorded; they are the same for every split."""
        told = conversation(peer)
        expected = collect(Redis().session(), runs(told))
        random = Random(1)
        for size in (lambda: 1, lambda: 5, lambda: random.randint(1, 40), lambda: random.randint(1, 9000)):
            recorder = collect(Redis().session(), split(told, size))
            self.assertEqual((recorder.error, recorder.faults), ("", []))
            summaries = [each.summary() for each in recorder.seen]
            self.assertEqual(summaries, [each.summary() for each in expected.seen])
            self.assertEqual(recorder.yielded, recorder.received)
        unanswered = [each.verb for each in expected.seen if each.replies and TO_CLIENT not in each.done]
        self.assertEqual(unanswered, [])
        return expected.seen

    def statuses(self, seen: list[Seen]) -> list[str]:
        """What became of each request: OK, an error's word, ``-`` for nothing; then what was unasked."""
        asked = [(each.status if each.reply else "-") for each in seen if not each.unasked]
        return asked + [f"*{each.verb}" for each in seen if each.unasked]

    def test_pipeline(self) -> None:
        """Commands of all kinds, at once; with big values, and inline ones."""
        peer = self.peer(self.server)
        big = "x" * 300_000
        peer.call(
            cmd("SET", "big", big),
            "GET big",
            "LPUSH big v",
            cmd("RPUSH", "list", *map(str, range(20_000))),
            "LRANGE list 0 -1",
            b"SET inline 'a b'\r\nGET inline\r\n\r\n",
            "GET nothing",
            "BLPOP nothing 0.01",
            "NO SUCH COMMAND",
        )
        wanted = ["OK", "OK", "WRONGTYPE", "OK", "OK", "OK", "OK", "-", "OK", "OK", "ERR", "OK"]
        seen = self.captured(peer)
        self.assertEqual(self.statuses(seen), wanted)
        self.assertEqual(seen[1].reply, bulk(big))
        self.assertEqual(seen[6].reply, bulk("a b"))

    def test_transactions(self) -> None:
        """MULTI, EXEC, DISCARD and WATCH, with errors on the way and at the end."""
        peer, other = self.peer(self.server), self.peer(self.server)
        peer.call("MULTI", "SET a 1", "INCR a", "LPUSH a x", "EXEC")
        peer.call("MULTI", "SET", "EXEC", "EXEC", "MULTI", "MULTI", "DISCARD", "DISCARD")
        peer.call("WATCH a")
        other.call("SET a 5")
        peer.call("MULTI", "GET a", "EXEC", "MULTI", "WATCH a", "EXEC x", "RESET")
        wanted = (
            "OK OK OK OK OK OK OK ERR EXECABORT ERR OK ERR OK ERR OK OK OK OK OK OK OK ERR EXECABORT OK OK"
        )
        self.assertEqual(" ".join(self.statuses(self.captured(peer))), wanted)

    def test_pubsub(self) -> None:
        """Subscriptions of RESP2: messages before, between and after their confirmations."""
        peer, other = self.peer(self.server), self.peer(self.server)
        peer.send("SUBSCRIBE a b", "PSUBSCRIBE a*", "SSUBSCRIBE s", "PING", "GET a", "PING end")
        peer.hear(bulk("end"))
        other.call("PUBLISH a one", "SPUBLISH s two", "PUBLISH b three")
        peer.hear(bulk("three"))
        peer.send("UNSUBSCRIBE a", "PSUBSCRIBE a*", "UNSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE")
        peer.send("SUNSUBSCRIBE", "PUNSUBSCRIBE x y", "PING end")
        peer.hear(bulk("end"))
        wanted = "OK OK OK OK ERR OK OK OK OK OK OK OK OK OK *MESSAGE *PMESSAGE *SMESSAGE *MESSAGE"
        self.assertEqual(" ".join(self.statuses(self.captured(peer))), wanted)

    def test_resp3(self) -> None:
        """RESP3 with all its types, pushes in between, and back to RESP2 by RESET."""
        peer, other = self.peer(self.server), self.peer(self.server)
        peer.send("HELLO 3", "CLIENT TRACKING ON", "GET watched", "SUBSCRIBE a b", "PING end")
        peer.hear(bulk("end"))
        other.call("SET watched 1", "PUBLISH a text")
        peer.send(*[f"DEBUG PROTOCOL {kind}" for kind in DEBUG_KINDS])
        peer.send("ZADD z 1.5 m", "ZSCORE z m", "HSET h f v", "HGETALL h", "SADD s m", "SMEMBERS s")
        peer.send("CONFIG GET save", "LOLWUT", "UNSUBSCRIBE", "UNSUBSCRIBE", "GET nothing", "FLUSHALL")
        peer.send("RESET", "SMEMBERS s", "PING end")
        peer.hear(bulk("end"))
        seen = self.captured(peer)
        self.assertEqual({status for status in self.statuses(seen) if status[0] != "*"}, {"OK"})
        unasked = {each.verb for each in seen if each.unasked}
        self.assertLessEqual({"MESSAGE", "INVALIDATE"}, unasked)
        self.assertIn(b"*0\r\n", [each.reply for each in seen])

    def test_monitor(self) -> None:
        """Lines of MONITOR between replies, until RESET."""
        peer, other = self.peer(self.server), self.peer(self.server)
        peer.send("MONITOR")
        peer.hear(OK)
        other.call("SET a 1")
        peer.hear(b'"-- end --"\r\n')
        peer.send("PING", "MONITOR", "GET a", "RESET", "ECHO over")
        peer.hear(bulk("over"))
        seen = self.captured(peer)
        self.assertGreaterEqual(sum(each.verb == "MONITOR" and each.unasked for each in seen), 2)
        asked = [(each.verb, each.replies, each.status) for each in seen if not each.unasked]
        self.assertEqual(
            asked,
            [
                ("MONITOR", True, "OK"),
                ("PING", True, "OK"),
                ("MONITOR", False, ""),
                ("GET", True, "ERR"),
                ("RESET", True, "OK"),
                ("ECHO", True, "OK"),
            ],
        )

    def test_silence(self) -> None:
        """CLIENT REPLY in all its forms."""
        peer = self.peer(self.server)
        on, off, skip = (f"CLIENT REPLY {mode}" for mode in ("ON", "OFF", "SKIP"))
        peer.call(off, "SET a 1", "GET a", skip, "GET a", on, "GET a")
        peer.call(skip, "GET a", "GET a", skip, b"*0\r\n", "GET a")
        peer.call(skip, skip, "GET a", "GET a", skip, on)
        peer.call(skip, "MULTI", "GET a", "EXEC", "CLIENT REPLY X", skip, "RESET")
        peer.call(off, "SUBSCRIBE", "SUBSCRIBE c", "UNSUBSCRIBE", "GET", "RESET", "REPLCONF ACK 1")
        peer.call(off, "HELLO 3", "SUBSCRIBE c", on, "UNSUBSCRIBE", "SMEMBERS none")
        seen = self.captured(peer)
        self.assertEqual(seen[-2].reply, b"~0\r\n")
        self.assertEqual(seen[-1].verb, "ECHO")

    def test_quit(self) -> None:
        """QUIT is answered, then the connection ends."""
        peer = self.peer(self.server)
        peer.send("SET a 1", "QUIT")
        peer.hear()
        self.assertEqual(self.statuses(self.captured(peer)), ["OK", "OK"])
