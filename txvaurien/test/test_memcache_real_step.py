"""The session counts the replies as a real memcached does, whatever the requests are."""

from __future__ import annotations

from random import Random

from txvaurien.protocols.memcache import Memcache
from txvaurien.test.memcache_samples import (
    DELTA,
    GET,
    GETKQ,
    GETQ,
    INCR,
    NOOP,
    SASL_LIST,
    SETQ,
    STAT,
    STORE,
    ask,
    tell,
    text_set,
)
from txvaurien.test.memcached_server import Memcached, say
from txvaurien.test.support import ProxyCase
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder, Seen

LONG = b"k" * 251

#: Command lines that are odd or broken, most of them with something that looks like data.
TEXT = (
    text_set(LONG, b"hello"),
    text_set(LONG, b"hello", b" noreply"),
    b"set a 0 0 -1\r\n",
    b"set a x 0 5\r\nhello\r\n",
    b"set a 0 y 5\r\nhello\r\n",
    b"set a 99999999999 0 5\r\nhello\r\n",
    b"set a 0 99999999999 5\r\nhello\r\n",
    b"set a 0 0 +5\r\nhello\r\n",
    b"set a 0 0 05\r\nhello\r\n",
    b"set a 0 0 5x\r\nhello\r\n",
    b"set a 0 0 5\t\r\nhello\r\n",
    b"set a 0 0 2\0\r\nhi\r\n",
    b"set a 0 0 \t2\r\nhi\r\n",
    b"set a 0 0 2147483646\r\n",
    b"set a 0 0 3\r\nhello\r\n",
    b"set a 0 0 5 noreply\r\nhellooo\r\n",
    b"set a 0 0 5 bogus\r\nhello\r\n",
    b"set a 0 0 noreply\r\n",
    b"set a 0 0\r\n",
    b"set a 0 0 5 6 noreply\r\nhello\r\n",
    b"set noreply 0 0 2\r\nhi\r\n",
    b"set b 0 0 2\nhi\r\n",
    b"  set  b 0  0 2 \r\nhi\r\n",
    text_set(b"a", b"x" * 2_000_000),
    text_set(b"a", b"x" * 2_000_000, b" noreply"),
    b"cas a 0 0 2 1\r\nhi\r\n",
    b"cas a 0 0 2 x\r\nhi\r\n",
    b"cas a 0 0 2\r\n",
    b"cas a 0 0 2 1 noreply\r\nhi\r\n",
    b"ms " + LONG + b" 5\r\nhello\r\n",
    b"ms a 5 !\r\nhello\r\n",
    b"ms a 5 c O12 k q\r\nhello\r\n",
    b"ms a x\r\n",
    b"ms a\r\n",
    b"ms\r\n",
    b"ms a 5 S5\r\nhello\r\n",
    b"ms a 3\r\nhello\r\n",
    b"ms a 3 q\r\nhello\r\n",
    b"ms a -1\r\n",
    b"ms a T0 2\r\nhi\r\n",
    b"ms a 2 q q\r\nhi\r\n",
    b"ms a 5 " + b" ".join(b"O%d" % number for number in range(25)) + b"\r\nhello\r\n",
    b"ms a 2000000 q O1\r\n" + b"x" * 2_000_000 + b"\r\n",
    b"ms a 2 q MR C99\r\nhi\r\nms a 2 ME q k O4\r\nhi\r\nms zzz 2 MR q k O4\r\nhi\r\nms z 2 MA k c\r\nhi\r\n",
    b"mg\r\n",
    b"mg no v O7 k q\r\nmg no v q\r\nmg no v\r\n",
    b"mg a q %\r\nmg a c c\r\nmg no q b\r\n",
    b"md no q O7 k\r\nmd no\r\nmd no q\r\n",
    b"ma no q O7 k\r\nma n N0 v q\r\nma n v\r\nma n v q\r\nma n q\r\nma n C5 q\r\n",
    b"me a\r\nme no\r\nme\r\nmx a\r\nmn foo\r\nmn q\r\n",
    b"\r\n",
    b"\n",
    b"\r\r\n",
    b"x\r\n",
    b" get a\r\n",
    b"GET a\r\n",
    b"get\r\nget \r\n",
    b"get  a   b\r\n",
    b"get noreply\r\n",
    b"get " + LONG + b"\r\n",
    b"get " + b" ".join(b"key%05d" % number for number in range(9_000)) + b"\r\n",
    b"gat 5 a\r\ngat a\r\ngats 0 a\r\ngat x a\r\nbget a\r\n",
    b"verbosity 0\r\nverbosity noreply\r\nverbosity 0 noreply\r\nverbosity\r\nverbosity 1 2 3\r\n",
    b"flush_all noreply\r\nflush_all x\r\nflush_all 0 noreply\r\nflush_all -1\r\nflush_all 1 2 3\r\n",
    b"delete a noreply\r\ndelete a 5 noreply\r\ndelete a 0\r\ndelete a 5\r\ndelete noreply\r\ndelete\r\n",
    b"incr a noreply\r\nincr a 1\r\nincr a x\r\nincr a\r\ntouch a\r\ntouch a noreply\r\ntouch a 0\r\n",
    b"stats nothing\r\nstats detail dump\r\nstats detail\r\nstats reset\r\nstats cachedump 1 1\r\n",
    b"stats\r\nstats items\r\nstats settings\r\nstats slabs\r\nstats sizes\r\nstats conns\r\n",
    b"lru_crawler enable\r\nlru_crawler crawl all\r\nlru_crawler\r\nlru_crawler nothing noreply\r\n",
    b"watch nothing\r\n",
    b"shutdown\r\nshutdown noreply\r\n",
    b"cache_memlimit 64 noreply\r\ncache_memlimit\r\nlru mode flat noreply\r\nlru\r\nlru noreply\r\n",
    b"slabs automove 1 noreply\r\nslabs automove 1\r\nslabs reassign 1 1\r\n",
    b"slabs automove noreply\r\nslabs noreply\r\nslabs a noreply\r\nextstore x y noreply\r\n",
    b"refresh_certs\r\nversion noreply\r\nunknown command noreply\r\n",
)

BINARY = (
    ask(GETQ, b"no") + ask(GETQ, b"a") + ask(GETKQ, b"no") + ask(GETKQ, b"a") + ask(GET, b"no"),
    ask(SETQ, b"a", b"1", STORE) + ask(SETQ, b"no", b"1", STORE, cas=5) + ask(SETQ, b"a", b"1", STORE, cas=5),
    ask(SETQ, b"a", b"x" * 2_000_000, STORE),
    ask(0x12, b"a", b"1", STORE) + ask(0x13, b"no", b"1", STORE) + ask(0x14, b"no") + ask(0x14, b"a"),
    ask(0x15, b"no", extras=DELTA) + ask(0x15, b"a", extras=DELTA) + ask(INCR, b"a", extras=DELTA),
    ask(0x18) + ask(0x19, b"no", b"1") + ask(0x1A, b"no", b"1"),
    ask(0x1E, b"no", extras=bytes(4)) + ask(0x24, b"a", extras=bytes(4)) + ask(0x23, b"no", extras=bytes(4)),
    ask(STAT) + ask(STAT, b"settings") + ask(STAT, b"nothing") + ask(STAT, b"reset") + ask(STAT, b"items"),
    ask(SASL_LIST) + ask(0x0B) + ask(0x77),
)


def changed(data: bytes, random: Random) -> bytes:
    """With some bytes replaced, lost or doubled."""
    at = random.randrange(len(data))
    upto = at + random.randint(0, 5)
    return data[:at] + random.choice((b"", b"\r\n", b"9", b"\0", data[at:upto] * 2)) + data[upto:]


class InStepTests(ProxyCase):
    """A request of each kind and another, sent to the server directly; the session sees both sides."""

    async def pair_up(self, port: int, request: bytes, end: tuple[bytes, bytes]) -> list[Seen]:
        """What the session makes of a request and of what the server answers to it."""
        said = await self.in_thread(say, port, request + end[0], end[1])
        recorder = Recorder(Memcache().session())
        recorder.feed(TO_BACKEND, request + end[0])
        recorder.feed(TO_CLIENT, said)
        self.assertEqual((recorder.error, recorder.faults), ("", []), request[:80])
        self.assertEqual(recorder.seen[-1].reply, end[1], request[:80])
        waiting = [seen for seen in recorder.seen if seen.replies and TO_CLIENT not in seen.done]
        self.assertEqual(waiting, [], request[:80])
        self.assertFalse(any(seen.unasked for seen in recorder.seen), request[:80])
        return recorder.seen

    async def test_text(self) -> None:
        """The text protocol."""
        server = self.start_server(Memcached())
        for request in TEXT:
            await self.pair_up(server.port, request, (b"mg nobody O4711\r\n", b"EN O4711\r\n"))

    async def test_mutated(self) -> None:
        """Captures of a real server with a few bytes changed: only FramingError, and no byte is lost."""
        server = self.start_server(Memcached())
        random = Random(1)
        for request in (*TEXT, *BINARY):
            end = (ask(NOOP), tell(NOOP)) if request[0] == 0x80 else (b"mn\r\n", b"MN\r\n")
            said = await self.in_thread(say, server.port, request + end[0], end[1])
            for _ in range(10):
                recorder = Recorder(Memcache().session())
                for direction, data in ((TO_BACKEND, request + end[0]), (TO_CLIENT, said)):
                    recorder.feed(direction, changed(data, random))
                    there = recorder.yielded[direction] + recorder.session.rest(direction)
                    if not recorder.error:
                        self.assertEqual(there, recorder.received[direction])
                    self.assertTrue(recorder.received[direction].startswith(there))

    async def test_binary(self) -> None:
        """The binary protocol."""
        server = self.start_server(Memcached())
        store = ask(0x01, b"a", b"value", STORE)
        for request in BINARY:
            seen = await self.pair_up(server.port, store + request, (ask(NOOP), tell(NOOP)))
            for each in seen:
                # What was taken for the reply to a request with a key is the one to that key.
                if each.reply and each.targets and each.reply[2:4] != b"\0\0" and each.verb != "STATS":
                    self.assertIn(each.targets[0].encode(), each.reply)
