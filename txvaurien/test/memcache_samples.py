"""Conversations in both memcache protocols, as memcached 1.6 has them."""

from __future__ import annotations

from txvaurien.protocols.memcache.binary import HEADER
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation

#: A value that looks like protocol.
TRICKY = b"END\r\nVALUE x 0 3\r\nSTORED\r\n\0\x80\x81"

GET, SET, DELETE, INCR, QUIT, GETQ, NOOP = 0x00, 0x01, 0x04, 0x05, 0x07, 0x09, 0x0A
GETK, GETKQ, APPEND, STAT, SETQ, QUITQ = 0x0C, 0x0D, 0x0E, 0x10, 0x11, 0x17
SASL_LIST, SASL_AUTH, SASL_STEP = 0x20, 0x21, 0x22

#: The extras of a SET, of an INCR that creates nothing, and the flags in the reply to a GET.
STORE = bytes(8)
DELTA = (1).to_bytes(8, "big") + bytes(8) + b"\xff" * 4
FLAGS = bytes(4)


def ask(
    opcode: int, key: bytes = b"", value: bytes = b"", extras: bytes = b"", opaque: int = 0, cas: int = 0
) -> bytes:
    """A binary request."""
    return packet(0x80, opcode, key, value, extras, 0, opaque, cas)


def tell(
    opcode: int,
    value: bytes = b"",
    key: bytes = b"",
    extras: bytes = b"",
    status: int = 0,
    opaque: int = 0,
) -> bytes:
    """A binary response."""
    return packet(0x81, opcode, key, value, extras, status, opaque, 0)


def packet(
    magic: int, opcode: int, key: bytes, value: bytes, extras: bytes, status: int, opaque: int, cas: int
) -> bytes:
    """A packet of either kind; `status` is the virtual bucket in a request."""
    size = len(extras) + len(key) + len(value)
    header = HEADER.pack(
        magic, opcode, len(key), len(extras), 0, status, size, opaque.to_bytes(4, "big"), cas
    )
    return header + extras + key + value


def turn(request: bytes, reply: bytes) -> Conversation:
    """What the client says and what the server answers."""
    return [(TO_BACKEND, request), (TO_CLIENT, reply)]


def pipeline(*pairs: tuple[bytes, bytes]) -> Conversation:
    """Requests that are sent at once, and then the replies."""
    return turn(b"".join(asked for asked, _ in pairs), b"".join(said for _, said in pairs))


def text_set(key: bytes, value: bytes, more: bytes = b"") -> bytes:
    """A storage command."""
    return b"set %s 0 0 %d%s\r\n%s\r\n" % (key, len(value), more, value)


def text_value(key: bytes, value: bytes, more: bytes = b"") -> bytes:
    """One item of the reply to a get."""
    return b"VALUE %s 0 %d%s\r\n%s\r\n" % (key, len(value), more, value)


#: A no-op in each protocol: fits at any point.
TEXT_PROBE = turn(b"mn\r\n", b"MN\r\n")
BINARY_PROBE = turn(ask(NOOP, opaque=77), tell(NOOP, opaque=77))

TEXT: dict[str, Conversation] = {
    "set": turn(text_set(b"a", b"hello"), b"STORED\r\n"),
    "set of nothing": turn(text_set(b"a", b""), b"STORED\r\n"),
    "set of something tricky": turn(text_set(b"a", TRICKY), b"STORED\r\n"),
    "get": turn(b"get a\r\n", text_value(b"a", b"hello") + b"END\r\n"),
    "get that misses": turn(b"get a\r\n", b"END\r\n"),
    "get of many": turn(
        b"get a b  c\r\n",
        text_value(b"a", b"1") + text_value(b"b", TRICKY) + text_value(b"c", b"") + b"END\r\n",
    ),
    "gets": turn(b"gets a\r\n", text_value(b"a", b"hello", b" 17") + b"END\r\n"),
    "gat": pipeline(
        (b"gat 10 a b\r\n", text_value(b"b", b"2") + b"END\r\n"),
        (b"gats 10 a\r\n", text_value(b"a", b"1", b" 3") + b"END\r\n"),
        (b"gat x a\r\n", b"CLIENT_ERROR invalid exptime argument\r\n"),
    ),
    "get that breaks off": turn(b"get a b\r\n", text_value(b"a", b"1") + b"SERVER_ERROR out of memory\r\n"),
    "storage": pipeline(
        (b"add a 0 0 1\r\n1\r\n", b"NOT_STORED\r\n"),
        (b"replace a 5 60 1\r\n1\r\n", b"STORED\r\n"),
        (b"append a 0 0 1\r\n1\r\n", b"STORED\r\n"),
        (b"prepend a 0 0 +1\r\n1\r\n", b"STORED\r\n"),
        (b"cas a 0 0 1 9\r\n1\r\n", b"EXISTS\r\n"),
        (b"cas nobody 0 0 1 9\r\n1\r\n", b"NOT_FOUND\r\n"),
    ),
    "noreply": pipeline(
        (text_set(b"a", TRICKY, b" noreply"), b""),
        (b"cas a 0 0 2 7 noreply\r\nhi\r\n", b""),
        (b"incr a 1 noreply\r\n", b""),
        (b"touch a 0 noreply\r\ndelete a noreply\r\nflush_all noreply\r\nverbosity 0 noreply\r\n", b""),
        (b"get a\r\n", b"END\r\n"),
        (b"delete a 0 noreply\r\n", b""),
    ),
    "counting": pipeline(
        (b"incr a 1\r\n", b"6\r\n"),
        (b"decr a 10\r\n", b"0 \r\n"),
        (b"incr b 1\r\n", b"NOT_FOUND\r\n"),
        (b"incr a x\r\n", b"CLIENT_ERROR invalid numeric delta argument\r\n"),
    ),
    "the rest": pipeline(
        (b"touch a 10\r\n", b"TOUCHED\r\n"),
        (b"delete a\r\n", b"DELETED\r\n"),
        (b"version\r\n", b"VERSION 1.6.18\r\n"),
        (b"verbosity 1\r\n", b"OK\r\n"),
        (b"flush_all 10\r\n", b"OK\r\n"),
        (b"cache_memlimit 64\r\n", b"OK\r\n"),
        (b"slabs reassign 1 2\r\n", b"BUSY currently processing reassign request\r\n"),
        (b"lru mode flat\r\n", b"OK\r\n"),
        (b"shutdown\r\n", b"ERROR: shutdown not enabled\r\n"),
    ),
    "stats": pipeline(
        (b"stats\r\n", b"STAT pid 1\r\nSTAT version END\r\nEND\r\n"),
        (b"stats settings\r\n", b"END\r\n"),
        (b"stats reset\r\n", b"RESET\r\n"),
        (b"stats detail on\r\n", b"OK\r\n"),
        (b"stats detail dump\r\n", b"PREFIX a get 1 hit 0 set 0 del 0\r\nEND\r\n"),
        (b"stats cachedump 1 1\r\n", b"ITEM a [1 b; 0 s]\r\nEND\r\n"),
        (b"stats nothing\r\n", b"ERROR\r\n"),
    ),
    "lru_crawler": pipeline(
        (b"lru_crawler enable\r\n", b"OK\r\n"),
        (b"lru_crawler crawl all\r\n", b"OK\r\n"),
        (b"lru_crawler metadump all\r\n", b"key=a exp=-1 la=1\r\nkey=b exp=-1 la=1\r\nEND\r\n"),
        (b"lru_crawler mgdump all\r\n", b"mg a\r\nmg b\r\nEN\r\n"),
        (b"lru_crawler metadump 1\r\n", b"BUSY currently processing crawler request\r\n"),
    ),
    "lines that are not as they should be": pipeline(
        (b"\r\n", b"ERROR\r\n"),
        (b"GET a\r\n", b"ERROR\r\n"),
        (b"get\r\n", b"ERROR\r\n"),
        (b"nonsense with words\n", b"ERROR\r\n"),
        (b"set a 0 0\r\n", b"ERROR\r\n"),
        (b"set a 0 0 5 6 noreply\r\n", b"ERROR\r\n"),
        (b"set a 0 0 -1\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"set a x 0 2\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"hi\r\n", b"ERROR\r\n"),
        (b"set " + b"k" * 251 + b" 0 0 2\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"set a 0 0 noreply\r\n", b""),
        (b" get a\n", b"END\r\n"),
    ),
    "meta": pipeline(
        (b"mg a\r\n", b"HD\r\n"),
        (b"mg a v t O7 k\r\n", b"VA 27 t-1 O7 ka\r\n" + TRICKY[:27].ljust(27) + b"\r\n"),
        (b"mg a v O8 k\r\n", b"EN O8 ka\r\n"),
        (b"ms a 5 c O9\r\nhello\r\n", b"HD c5 O9\r\n"),
        (b"ms YQ== 1 b k ME\r\n1\r\n", b"NS kYQ== b\r\n"),
        (b"md a C1\r\n", b"EX\r\n"),
        (b"ma a N0 J5 v\r\n", b"VA 1\r\n5\r\n"),
        (b"me a\r\n", b"ME a exp=-1 la=3\r\n"),
        (b"me b\r\n", b"EN\r\n"),
        (b"ms a x\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"mn\r\n", b"MN\r\n"),
    ),
    "watch that is refused": [*turn(b"watch nothing\r\n", b"ERROR\r\n"), *TEXT_PROBE],
    "quit": [(TO_BACKEND, b"get a\r\nquit\r\n"), (TO_CLIENT, b"END\r\n")],
}

#: With quiet requests, several of which an error line may be the answer to.
TEXT_QUIET: dict[str, Conversation] = {
    "quiet meta": pipeline(
        (b"mg a v q O1\r\n", b""),
        (b"mg b v q O2\r\n", b"VA 1 O2\r\n2\r\n"),
        (b"mg c v q O3\r\n", b""),
        (b"ms d 1 q k\r\n1\r\n", b""),
        (b"ms e 1 q k ME\r\n1\r\n", b"NS ke\r\n"),
        (b"md f q\r\n", b"NF\r\n"),
        (b"ma g q\r\n", b""),
        (b"mg h q %\r\n", b"CLIENT_ERROR invalid flag\r\n"),
        (b"mn\r\n", b"MN\r\n"),
    ),
    "quiet meta without an end": pipeline(
        (b"mg a v q\r\n", b""), (b"ms d 1 q\r\n1\r\n", b""), (b"md d q\r\n", b"")
    ),
}

#: In these the stream breaks off, or a reply comes before its request is complete.
TEXT_ENDS: dict[str, Conversation] = {
    "set too large": [
        (TO_BACKEND, b"set a 0 0 3000\r\n" + b"x" * 1000),
        (TO_CLIENT, b"SERVER_ERROR object too large for cache\r\n"),
        (TO_BACKEND, b"x" * 2000 + b"\r\n"),
        *TEXT_PROBE,
    ],
    "watch": [*turn(b"watch fetchers\r\n", b"OK\r\n"), (TO_CLIENT, b"ts=1 gid=1 type=item_get key=a\r\n")],
    "too many connections": [(TO_CLIENT, b"ERROR Too many open connections\r\n"), (TO_CLIENT, b"")],
    "too many connections, said late": turn(b"get a\r\n", b"ERROR Too many open connections\r\n"),
    "a get longer than the limit": turn(
        b"get " + b" ".join(b"key%05d" % number for number in range(9000)) + b"\r\n",
        text_value(b"key00001", b"x") + b"END\r\n",
    ),
    "cut off": [
        (TO_BACKEND, b"get a b\r\nset c 0 0 10\r\nabc"),
        (TO_CLIENT, b"VALUE a 0 10\r\nabc"),
        (TO_CLIENT, b""),
        (TO_BACKEND, b""),
    ],
    "cut off in a line": [
        (TO_BACKEND, b"get a\r\ndelete x"),
        (TO_CLIENT, b"EN"),
        (TO_CLIENT, b""),
        (TO_BACKEND, b""),
    ],
    "TLS": [(TO_BACKEND, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200) + b"\n")],
}

BINARY: dict[str, Conversation] = {
    "get": turn(ask(GET, b"a", opaque=1), tell(GET, TRICKY, extras=FLAGS, opaque=1)),
    "get that misses": turn(ask(GET, b"a", opaque=1), tell(GET, b"Not found", status=1, opaque=1)),
    "set": turn(ask(SET, b"a", TRICKY, STORE), tell(SET)),
    "pipeline": pipeline(
        (ask(SET, b"a", b"1", STORE, opaque=1), tell(SET, opaque=1)),
        (ask(INCR, b"a", extras=DELTA, opaque=2), tell(INCR, bytes(7) + b"\2", opaque=2)),
        (ask(APPEND, b"a", b"0", opaque=3), tell(APPEND, opaque=3)),
        (ask(DELETE, b"a", opaque=4, cas=9), tell(DELETE, b"Data exists for key.", status=2, opaque=4)),
        (ask(GETK, b"b", opaque=5), tell(GETK, key=b"b", status=1, opaque=5)),
        (ask(0x02, b"a", b"1", STORE, opaque=6), tell(0x02, b"Data exists for key.", status=2, opaque=6)),
        (ask(0x1C, b"a", extras=bytes(4), opaque=7), tell(0x1C, extras=FLAGS, opaque=7)),
        (ask(0x1D, b"a", extras=bytes(4), opaque=7), tell(0x1D, b"10", extras=FLAGS, opaque=7)),
        (ask(0x08), tell(0x08)),
        (ask(0x0B), tell(0x0B, b"1.6.18")),
        (ask(0x77, b"key", b"value"), tell(0x77, b"Unknown command", status=0x81)),
    ),
    "quiet": pipeline(
        (ask(GETKQ, b"a", opaque=1), b""),
        (ask(GETKQ, b"b", opaque=2), tell(GETKQ, b"2", b"b", FLAGS, opaque=2)),
        (ask(GETQ, b"c", opaque=3), b""),
        (ask(SETQ, b"d", b"4", STORE, opaque=4), b""),
        (ask(SETQ, b"d", b"4", STORE, opaque=5, cas=9), tell(SETQ, b"Not found", status=1, opaque=5)),
        (ask(0x14, b"d", opaque=6), b""),
        (ask(NOOP, opaque=7), tell(NOOP, opaque=7)),
    ),
    "quiet without an end": pipeline((ask(GETQ, b"a"), b""), (ask(SETQ, b"a", b"1", STORE), b"")),
    "stats": pipeline(
        (ask(STAT), tell(STAT, b"1", b"pid") + tell(STAT, b"1.6.18", b"version") + tell(STAT)),
        (ask(STAT, b"none"), tell(STAT, b"Not found", status=1)),
        (ask(STAT, b"reset"), tell(STAT)),
    ),
    "SASL": [
        *turn(ask(SASL_LIST), tell(SASL_LIST, b"PLAIN CRAM-MD5")),
        *turn(ask(SASL_AUTH, b"CRAM-MD5"), tell(SASL_AUTH, b"<1@here>", status=0x21)),
        *turn(ask(SASL_STEP, b"CRAM-MD5", b"me 0123"), tell(SASL_STEP, b"Auth failure.", status=0x20)),
        *turn(ask(SASL_AUTH, b"PLAIN", b"\0me\0secret"), tell(SASL_AUTH, b"Authenticated")),
    ],
    "quit": turn(ask(QUIT), tell(QUIT)),
    "quiet quit": [(TO_BACKEND, ask(GET, b"a") + ask(QUITQ)), (TO_CLIENT, tell(GET, b"1", extras=FLAGS))],
}

BINARY_ENDS: dict[str, Conversation] = {
    "set too large": [
        (TO_BACKEND, ask(SET, b"a", b"x" * 3000, STORE)[:1000]),
        (TO_CLIENT, tell(SET, b"Too large.", status=3)),
        (TO_BACKEND, ask(SET, b"a", b"x" * 3000, STORE)[1000:]),
        *BINARY_PROBE,
    ],
    "cut off": [
        (TO_BACKEND, ask(GET, b"a") + ask(SET, b"a", b"12345", STORE)[:-3]),
        (TO_CLIENT, tell(GET, b"12345", extras=FLAGS)[:-2]),
        (TO_CLIENT, b""),
        (TO_BACKEND, b""),
    ],
    "cut off in a header": [
        (TO_BACKEND, ask(GET, b"a") + ask(GET, b"b")[:10]),
        (TO_CLIENT, tell(GET)[:10]),
        (TO_CLIENT, b""),
        (TO_BACKEND, b""),
    ],
    "text in reply": turn(ask(NOOP), b"ERROR Too many open connections\r\n"),
    "large": turn(ask(SET, b"a", b"v" * 100_000, STORE), tell(SET)),
}
