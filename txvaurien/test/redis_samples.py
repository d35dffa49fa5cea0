"""Sample conversations of redis: at least one for each thing that the protocol can do."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st

from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Step


def cmd(*words: str | bytes) -> bytes:
    """A command as clients send it. One word is split at its blanks."""
    if len(words) == 1 and isinstance(words[0], str):
        words = tuple(words[0].split(" "))
    return array(*words)


def bulk(word: str | bytes) -> bytes:
    """A bulk string."""
    data = word.encode() if isinstance(word, str) else word
    return b"$%d\r\n%b\r\n" % (len(data), data)


def array(*words: str | bytes, kind: bytes = b"*") -> bytes:
    """An array (or push) of bulk strings."""
    return b"%b%d\r\n" % (kind, len(words)) + b"".join(bulk(word) for word in words)


def confirmed(kind: str, channel: str | None, count: int, lead: bytes = b"*") -> bytes:
    """The confirmation of a subscription."""
    name = b"$-1\r\n" if channel is None else bulk(channel)
    return lead + b"3\r\n" + bulk(kind) + name + b":%d\r\n" % count


def ask(*commands: str | bytes) -> Step:
    """The client sends these commands in one go."""
    return TO_BACKEND, b"".join(each if isinstance(each, bytes) else cmd(each) for each in commands)


def say(*replies: bytes) -> Step:
    """The server sends these replies in one go."""
    return TO_CLIENT, b"".join(replies)


#: For hypothesis: the same examples everywhere, and no clock.
steady = settings(max_examples=150, deadline=None, derandomize=True, database=None)

OK = b"+OK\r\n"
PONG = b"+PONG\r\n"
QUEUED = b"+QUEUED\r\n"
NULL = b"$-1\r\n"
DISCARD = cmd("DISCARD")
EMPTY = b"*0\r\n"

#: One that fits everywhere.
PROBE: Conversation = [ask("PING"), say(PONG)]

#: Every type of RESP2 and RESP3, nested and streamed.
VALUES: Sequence[bytes] = (
    OK,
    b"-WRONGTYPE Operation against a key\r\n",
    b"-ERR\r\n",
    b":-42\r\n",
    b"$0\r\n\r\n",
    b"$7\r\na\r\nb\r\nc\r\n",
    NULL,
    b"*0\r\n",
    b"*-1\r\n",
    b"_\r\n",
    b"#t\r\n",
    b",3.1415e10\r\n",
    b",inf\r\n",
    b"(3492890328409238509324850943850943825024385\r\n",
    b"!22\r\nSYNTAX invalid\r\nsyntax\r\n",
    b"=15\r\ntxt:Some string\r\n",
    b"%2\r\n+first\r\n:1\r\n$6\r\nsecond\r\n*2\r\n#f\r\n_\r\n",
    b"~3\r\n+a\r\n:1\r\n~0\r\n",
    b"|1\r\n+key-popularity\r\n%2\r\n$1\r\na\r\n,0.19\r\n$1\r\nb\r\n,0.0012\r\n*2\r\n:2039123\r\n:9543892\r\n",
    b"*3\r\n:1\r\n|1\r\n+ttl\r\n:3600\r\n:2\r\n:3\r\n",
    b"|1\r\n|1\r\n+a\r\n:1\r\n+k\r\n+v\r\n|1\r\n+x\r\n+y\r\n-ERR with attributes\r\n",
    b"$?\r\n;4\r\nHell\r\n;6\r\no worl\r\n;1\r\nd\r\n;0\r\n",
    b"*?\r\n:1\r\n*?\r\n:2\r\n.\r\n$?\r\n;1\r\nx\r\n;0\r\n.\r\n",
    b"%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n",
    b"~?\r\n+a\r\n.\r\n",
    b"*3\r\n*2\r\n*1\r\n$100\r\n" + b"x" * 100 + b"\r\n*-1\r\n$-1\r\n%1\r\n+k\r\n~1\r\n,1\r\n",
    b"+" + b"long" * 40 + b"\r\n",
)

BIG = bytes(range(256)) * 600  # 150 KB, with line ends in it

CONVERSATIONS: dict[str, Conversation] = {
    "one": [ask("GET key"), say(bulk("value"))],
    "pipeline": [
        ask("SET a 1", "GET a", "INCR a", "LPUSH a x", "MGET a b"),
        say(OK, bulk("1"), b":2\r\n", b"-WRONGTYPE Operation\r\n", b"*2\r\n$1\r\n2\r\n$-1\r\n"),
    ],
    "values": [ask(*["GET key"] * len(VALUES)), say(*VALUES)],
    "inline": [
        (TO_BACKEND, b"PING\r\nset  k \"a\\x41\\n b\"\nGET 'it\\'s'\r\n\r\n  \r\nEXISTS k\n"),
        say(PONG, OK, NULL, b":1\r\n"),
    ],
    "empty commands": [(TO_BACKEND, b"*0\r\n*-1\r\n\r\n" + cmd("PING") + b"\n"), say(PONG)],
    "long and short lengths": [
        ask(cmd("SET", "k" * 120, "v" * 1200), cmd("MSET", *["x"] * 24), b"*1\r\n$04\r\nPING\r\n"),
        say(OK, OK, PONG),
    ],
    "big value": [
        ask(cmd("SET", "big", BIG), cmd("GET", "big"), "PING"),
        say(OK, bulk(BIG), PONG),
    ],
    "exactly a head": [
        ask(cmd("SET", "k", b"v" * (65536 - 35)), cmd("SET", "k", b"v" * (65536 - 34)), "GET k"),
        say(OK, OK, b"+" + b"s" * 70_000 + b"\r\n"),
    ],
    "big in parts": [
        ask(cmd("MSET", *[f"key:{number:05}" for number in range(6000)]), "GET x"),
        say(OK, b"*6000\r\n" + b"$9\r\nkey:00000\r\n" * 5999 + b"+last\r\n"),
    ],
    "transaction": [
        ask("WATCH k", "MULTI", "SET k 1", "GET k", "EXEC", "GET k"),
        say(OK, OK, QUEUED, QUEUED, b"*2\r\n+OK\r\n$1\r\n1\r\n", bulk("1")),
    ],
    "transaction, step by step": [
        ask("MULTI"),
        say(OK),
        ask("LPUSH k 1"),
        say(QUEUED),
        ask("EVALSHA abc 1 k"),
        say(QUEUED),
        ask("DISCARD"),
        say(OK),
        ask("MULTI", "PING"),
        say(OK, QUEUED),
        ask("EXEC"),
        say(b"*-1\r\n"),
    ],
    "transactions that fail": [
        ask("MULTI", "MULTI", "SET", "EXEC x", "EXEC", "EXEC", "DISCARD"),
        say(OK, b"-ERR MULTI calls can not be nested\r\n", *[b"-ERR wrong number\r\n"] * 2),
        say(b"-EXECABORT Transaction\r\n", b"-ERR EXEC without MULTI\r\n", b"-ERR DISCARD without MULTI\r\n"),
    ],
    "MULTI refused": [ask("MULTI", "GET a", "SUBSCRIBE c"), say(*[b"-NOAUTH a\r\n"] * 3)],
    "pubsub, RESP2": [
        ask("SUBSCRIBE a b", "PSUBSCRIBE p*", "PING", "PING hello", "GET k", "SUBSCRIBE a"),
        say(confirmed("subscribe", "a", 1), array("message", "a", "early"), confirmed("subscribe", "b", 2)),
        say(confirmed("psubscribe", "p*", 3), array("pong", "")),
        say(array("message", "b", "m"), array("pong", "hello")),
        say(b"-ERR Can't execute 'get'\r\n", confirmed("subscribe", "a", 3)),
        say(array("pmessage", "p*", "pq", "text"), array("message", "__redis__:invalidate", "k")),
        ask("SSUBSCRIBE s", "UNSUBSCRIBE", "PUNSUBSCRIBE", "UNSUBSCRIBE", "SUNSUBSCRIBE s", "LRANGE l 0 -1"),
        say(confirmed("ssubscribe", "s", 1), confirmed("unsubscribe", "b", 2), array("smessage", "s", "m")),
        say(confirmed("unsubscribe", "a", 1), confirmed("punsubscribe", "p*", 0)),
        say(confirmed("unsubscribe", None, 0), confirmed("sunsubscribe", "s", 0)),
        say(array("message", "a", "no message")),
    ],
    "pubsub, RESP3": [
        ask("HELLO 3"),
        say(b"%2\r\n+server\r\n+redis\r\n+proto\r\n:3\r\n"),
        ask("SUBSCRIBE a b", "GET k", "LRANGE l 0 -1", "UNSUBSCRIBE", "PING"),
        say(confirmed("subscribe", "a", 1, b">"), confirmed("subscribe", "b", 2, b">")),
        say(array("message", "a", "m", kind=b">"), bulk("v"), array("message", "a", "b")),
        say(confirmed("unsubscribe", "a", 1, b">"), array("invalidate", "k", kind=b">")),
        say(b">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        say(confirmed("unsubscribe", "b", 0, b">"), PONG),
        say(b">2\r\n+invalidate\r\n_\r\n", b"|1\r\n+a\r\n+b\r\n>2\r\n+tracking-redir-broken\r\n:7\r\n"),
    ],
    "a message inside of EXEC": [
        ask("HELLO 3", "SUBSCRIBE a", "MULTI", "PUBLISH a m", "PING", "EXEC", "GET k"),
        say(b"%0\r\n", confirmed("subscribe", "a", 1, b">"), OK, QUEUED, QUEUED),
        say(b"*2\r\n", array("message", "a", "m", kind=b">"), b":1\r\n", PONG, bulk("v")),
    ],
    "a shard moves away": [
        ask("SSUBSCRIBE a b"),
        say(confirmed("ssubscribe", "a", 1), confirmed("ssubscribe", "b", 2)),
        say(confirmed("sunsubscribe", "a", 1), array("smessage", "b", "m")),
        ask("SUNSUBSCRIBE", "PING"),
        say(confirmed("sunsubscribe", "b", 0), PONG),
    ],
    "subscription refused": [
        ask("SUBSCRIBE a b c", "SUBSCRIBE", "GET k"),
        say(b"-NOPERM no channels\r\n", b"-ERR wrong number of arguments\r\n", NULL),
    ],
    "monitor": [
        ask("PING", "MONITOR", "GET k"),
        say(PONG, OK, b'+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"\r\n'),
        say(b"-ERR Replica can't interact\r\n"),
        say(b'+1339518087.877697 [0 lua] "dbsize"\r\n'),
        ask("MONITOR", "PING", "RESET", "ECHO x"),
        say(PONG, b"+RESET\r\n", b"+1339518087.877697 [0 of a reply]\r\n"),
    ],
    "reset": [
        ask("HELLO 3", "SUBSCRIBE a", "MULTI", "GET k", "RESET", "GET k"),
        say(b"%1\r\n+proto\r\n:3\r\n", confirmed("subscribe", "a", 1, b">"), OK, QUEUED, b"+RESET\r\n", NULL),
        ask("SUBSCRIBE b"),
        say(confirmed("subscribe", "b", 1)),
    ],
    "replies off": [
        ask("GET a", "CLIENT REPLY OFF", "SET a 1", "SET b 2"),
        ask("CLIENT REPLY SKIP", "PING", "CLIENT REPLY ON", "GET a"),
        say(NULL, OK, bulk("1")),
        ask("CLIENT REPLY OFF", "MULTI", "SET a 1", "EXEC", "HELLO 3", "RESET", "PING"),
        say(b"+RESET\r\n", PONG),
    ],
    "replies skipped": [
        ask("CLIENT REPLY SKIP", "SET a 1", "GET a"),
        ask("client reply skip", b"\r\n", "GET a", "CLIENT REPLY MAYBE"),
        say(bulk("1"), bulk("1"), b"-ERR syntax error\r\n"),
        ask("CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "PING"),
        ask("CLIENT REPLY SKIP", "CLIENT REPLY ON", "PING"),
        say(PONG, OK, PONG),
        ask("CLIENT REPLY SKIP", "RESET", "PING", "CLIENT REPLY SKIP", "MULTI", "SET a 1", "EXEC"),
        say(PONG, QUEUED, b"*1\r\n+OK\r\n"),
    ],
    "pubsub with replies off": [
        ask("CLIENT REPLY OFF", "SUBSCRIBE a", "GET k", "CLIENT REPLY ON", "PING", "SUBSCRIBE b"),
        say(confirmed("subscribe", "a", 1), array("message", "a", "m"), confirmed("subscribe", "b", 2)),
        ask("UNSUBSCRIBE", "CLIENT REPLY ON", "PING"),
        say(confirmed("unsubscribe", "a", 1), confirmed("unsubscribe", "b", 0), OK, PONG),
        ask("CLIENT REPLY OFF", "SUBSCRIBE", "RESET", "PING"),
        say(b"+RESET\r\n", PONG),
    ],
    "pubsub with replies off, RESP3": [
        ask("HELLO 3", "CLIENT REPLY OFF", "SUBSCRIBE a", "GET k", "CLIENT REPLY ON", "PING"),
        say(b"%0\r\n", confirmed("subscribe", "a", 1, b">"), OK, PONG),
        ask("CLIENT REPLY OFF", "HELLO 2", "CLIENT REPLY ON", "UNSUBSCRIBE a", "CLIENT REPLY ON"),
        say(confirmed("unsubscribe", "a", 0), OK),
        *PROBE,
    ],
    "silence that is barred": [
        ask("SUBSCRIBE a", "CLIENT REPLY OFF", "MULTI", "PING", "UNSUBSCRIBE a", "CLIENT REPLY SKIP"),
        say(confirmed("subscribe", "a", 1), *[b"-ERR Can't execute\r\n"] * 2, array("pong", "")),
        say(confirmed("unsubscribe", "a", 0)),
        ask("GET k", "GET k"),
        say(NULL),
    ],
    "silence refused": [ask("CLIENT REPLY OFF"), say(b"-NOAUTH Authentication required.\r\n"), *PROBE],
    "silence refused, too late": [
        ask("CLIENT REPLY OFF", "SET a 1"),
        say(b"-NOAUTH Authentication required.\r\n", b"-NOAUTH Authentication required.\r\n"),
    ],
    "forbidden behind a silence": [
        ask("CLIENT REPLY SKIP", "SET a 1", "GET b"),
        say(b"-NOPERM this user has no permissions to run the 'get' command\r\n"),
    ],
    "silence of an acknowledgement": [
        ask("REPLCONF listening-port 1", "REPLCONF ACK 1", "PING"),
        say(OK, PONG),
    ],
    "log in": [
        ask("AUTH secret", "HELLO 3 AUTH user secret", "HELLO", "HELLO 4", "SELECT 1"),
        say(OK, b"%0\r\n", b"%0\r\n", b"-NOPROTO unsupported protocol version\r\n", OK),
    ],
    "quit": [ask("GET a", "QUIT"), say(NULL, OK), (TO_CLIENT, b""), (TO_BACKEND, b"")],
    "half closed": [ask("BLPOP a 0"), (TO_BACKEND, b""), say(array("a", "1")), (TO_CLIENT, b"")],
    "broken off": [(TO_BACKEND, cmd("GET a") + b"*2\r\n$3\r\nGE"), say(b"*2\r\n$1\r\na\r\n$5\r\nab")],
    "broken off, big": [(TO_BACKEND, cmd("SET", "k", BIG)[:100_000]), (TO_BACKEND, b"")],
    "commands with many keys": [
        ask("XREADGROUP GROUP g c STREAMS a b > >", "EVAL script 2 a b c"),
        ask("ZUNIONSTORE d 2 a b", "BITOP AND d a b"),
        say(b"*-1\r\n", NULL, b":1\r\n", b":1\r\n"),
        ask("SORT k BY w LIMIT 0 1 STORE d", "GEORADIUS k 1 2 3 km STORE d"),
        ask("JSON.SET doc $ 1", "RENAME a b"),
        say(b":1\r\n", b":1\r\n", OK, OK),
    ],
    "replication": [ask("PING", "PSYNC ? -1"), say(PONG, b"+FULLRESYNC 0123 0\r\n$3\r\n\x00\x01\x02")],
    "trouble in EXEC": [
        ask("MULTI", "SUBSCRIBE a b", "EXEC", "PING"),
        say(OK, QUEUED, b"*1\r\n", confirmed("subscribe", "a", 1), confirmed("subscribe", "b", 2), PONG),
    ],
    "full": [say(b"-ERR max number of clients reached\r\n"), (TO_CLIENT, b"")],
    "stray": [ask("PING"), say(PONG, OK)],
    "not redis": [(TO_BACKEND, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")],
    "bad length": [(TO_BACKEND, cmd("GET a") + b"*1\r\n$x\r\n"), say(NULL)],
    "bad reply": [ask("GET a", "GET b"), say(NULL, b"HTTP/1.1 400 Bad Request\r\n\r\n")],
}


#: Commands, and the keys of each.
KEYS: dict[str, str] = {
    "GET k": "k",
    "get k": "k",
    "PING": "",
    "GET": "",
    "MSET a 1 b 2 c 3": "a b c",
    "MSETEX 2 a 1 b 2 EX 10": "a b",
    "BLPOP a b c 0": "a b c",
    "LCS a b LEN": "a b",
    "BITOP AND d a b": "d a b",
    "EVAL script 2 a b c": "a b",
    "EVAL script 0 a": "",
    "EVAL script x a": "",
    "EVAL script 99 a b": "",
    "ZUNIONSTORE d 2 a b WEIGHTS 1 2": "d a b",
    "LMPOP 2 a b LEFT": "a b",
    "BLMPOP 0 1 a LEFT": "a",
    "XREAD COUNT 2 BLOCK 0 STREAMS a b 0 0": "a b",
    "XREADGROUP GROUP streams c STREAMS a >": "a",
    "SORT k BY w_* LIMIT 0 5 STORE d": "k d",
    "SORT k STORE": "k",
    "GEORADIUS k 1 2 3 km STOREDIST d": "k d",
    "MIGRATE h 1 k 0 5": "k",
    "OBJECT ENCODING k": "k",
    "OBJECT HELP": "",
    "XGROUP CREATE k g $": "k",
    "MEMORY USAGE k": "k",
    "RENAME a b": "a b",
    "JSON.SET k $ 1": "k",
}


def values() -> st.SearchStrategy[bytes]:
    """Any RESP value, as bytes."""
    line = st.text(st.characters(codec="ascii", exclude_characters="\r\n"), max_size=20).map(str.encode)
    integer = st.integers().map(b"%d".__mod__)
    data = st.binary(max_size=300)
    leaves = st.one_of(
        st.tuples(st.sampled_from([b"+", b"-", b",", b"#", b"("]), line).map(b"%b%b\r\n".__mod__),
        integer.map(b":%b\r\n".__mod__),
        data.map(bulk),
        data.map(lambda each: b"=" + bulk(b"txt:" + each)[1:]),
        st.sampled_from([b"$-1\r\n", b"*-1\r\n", b"_\r\n"]),
        st.lists(data.filter(bool)).map(lambda parts: b"$?\r\n" + b"".join(map(_chunk, parts)) + b";0\r\n"),
    )

    def aggregates(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
        some = st.lists(inner, max_size=5)
        return st.one_of(
            st.builds(_counted, st.sampled_from([b"*", b"~"]), some),
            some.map(lambda each: b"%%%d\r\n" % len(each) + b"".join(each + each)),
            st.builds(lambda pair, value: b"|1\r\n" + pair + pair + value, inner, inner),
            some.map(lambda each: b"*?\r\n" + b"".join(each) + b".\r\n"),
        )

    return st.recursive(leaves, aggregates, max_leaves=20)


def _chunk(data: bytes) -> bytes:
    return b";" + bulk(data)[1:]


def _counted(kind: bytes, each: list[bytes]) -> bytes:
    return b"%b%d\r\n" % (kind, len(each)) + b"".join(each)
