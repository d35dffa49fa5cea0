"""The table of commands against a real redis-server: the same facts as COMMAND tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis

from txvaurien.protocols.redis.catalogue import Asked, say
from txvaurien.protocols.redis.commands import lookup
from txvaurien.protocols.redis.messages import Request
from txvaurien.test.redis_peer import RealCase
from txvaurien.test.redis_samples import KEYS, cmd


class TableTests(RealCase):
    """The table of commands against COMMAND."""

    #: Scripts are taken to write, which the server finds out when it knows the script.
    SCRIPTS = frozenset({"eval", "evalsha", "fcall"})

    LETTERS = (
        ("write", "w"),
        ("denyoom", "m"),
        ("loading", "l"),
        ("stale", "s"),
        ("no_auth", "a"),
        ("allow_busy", "b"),
    )

    def setUp(self) -> None:
        server = self.start("--enable-debug-command", "yes")
        self.client = redis.Redis(host="127.0.0.1", port=server.port)
        self.addCleanup(self.client.close)

    def ask(self, *words: str) -> Any:
        """The reply to a command, as it came."""
        connection = self.client.connection_pool.get_connection()
        try:
            connection.send_command(*words)
            return connection.read_response()
        finally:
            self.client.connection_pool.release(connection)

    def every(self) -> Iterator[tuple[str, set[str]]]:
        """The names and flags of all commands and subcommands that the server has."""
        entries = list(self.ask("COMMAND"))
        while entries:
            entry = entries.pop()
            entries += entry[9]
            yield entry[0].decode(), {flag.decode() for flag in entry[2]}

    def test_flags(self) -> None:
        """Every command of this server is there, with its flags."""
        for name, flags in self.every():
            command = lookup([word.encode() for word in name.split("|")])
            self.assertEqual(command.name, name)
            if name not in self.SCRIPTS:
                wanted = {letter for flag, letter in self.LETTERS if flag in flags}
                self.assertEqual(set(command.flags) - set("t-"), wanted, name)

    def test_keys(self) -> None:
        """The keys of commands are where COMMAND GETKEYS finds them."""
        known = {name for name, _ in self.every()}
        for command, keys in KEYS.items():
            if keys and lookup([word.encode() for word in command.split()]).name in known:
                found = self.ask("COMMAND", "GETKEYS", *command.split())
                self.assertEqual(b" ".join(found).decode(), keys, command)

    def test_wrong_type(self) -> None:
        """Those that are marked so answer WRONGTYPE to a key of another type, others do not."""
        self.client.xadd("stream", {"a": "1"})
        self.client.set("text", "v")
        marked = {name for name, _ in self.every() if "t" in lookup(name.encode().split(b"|")).flags}
        tried = {}
        for command in TYPED.strip().splitlines():
            request = Request(cmd(command))
            tried[request.command.name] = self.error(command)
        self.assertEqual(set(tried), marked)
        wrongtype = say("wrongtype", Asked(lookup([b"GET"]), [b"k"], [b"GET", b"k"]))[1:-2].decode()
        self.assertEqual({name: said for name, said in tried.items() if said != wrongtype}, {})
        for command in UNTYPED.strip().splitlines():
            self.assertNotIn("t", Request(cmd(command)).command.flags)
            self.assertNotIn("WRONGTYPE", self.error(command), command)

    def error(self, command: str) -> str:
        """What the server answers, if that is an error."""
        try:
            self.ask(*command.split())
        except redis.ResponseError as error:
            return str(error)
        return ""


#: One of each command that answers WRONGTYPE, with a key that makes it do so.
TYPED = """
APPEND stream v
BITCOUNT stream
BITFIELD stream GET u4 0
BITFIELD_RO stream GET u4 0
BITOP AND d stream
BITPOS stream 1
BLMOVE text d LEFT LEFT 1
BLMPOP 1 1 text LEFT
BLPOP text 1
BRPOP text 1
BRPOPLPUSH text d 1
BZMPOP 1 1 text MIN
BZPOPMAX text 1
BZPOPMIN text 1
DECR stream
DECRBY stream 1
GEOADD text 1 2 m
GEODIST text a b
GEOHASH text a
GEOPOS text a
GEORADIUS text 1 2 3 km
GEORADIUSBYMEMBER text m 3 km
GEORADIUSBYMEMBER_RO text m 3 km
GEORADIUS_RO text 1 2 3 km
GEOSEARCH text FROMMEMBER m BYRADIUS 1 km
GEOSEARCHSTORE d text FROMMEMBER m BYRADIUS 1 km
GET stream
GETBIT stream 1
GETDEL stream
GETEX stream
GETRANGE stream 0 1
GETSET stream v
HDEL text f
HEXISTS text f
HGET text f
HGETALL text
HINCRBY text f 1
HINCRBYFLOAT text f 1
HKEYS text
HLEN text
HMGET text f
HMSET text f v
HRANDFIELD text
HSCAN text 0
HSET text f v
HSETNX text f v
HSTRLEN text f
HVALS text
INCR stream
INCRBY stream 1
INCRBYFLOAT stream 1
LINDEX text 0
LINSERT text BEFORE a b
LLEN text
LMOVE text d LEFT LEFT
LMPOP 1 text LEFT
LPOP text
LPOS text a
LPUSH text a
LPUSHX text a
LRANGE text 0 1
LREM text 0 a
LSET text 0 a
LTRIM text 0 1
PFADD stream a
PFCOUNT stream
PFMERGE d stream
RPOP text
RPOPLPUSH text d
RPUSH text a
RPUSHX text a
SADD text m
SCARD text
SDIFF text
SDIFFSTORE d text
SETBIT stream 1 1
SETRANGE stream 1 a
SINTER text
SINTERCARD 1 text
SINTERSTORE d text
SISMEMBER text m
SMEMBERS text
SMISMEMBER text m
SMOVE text d m
SORT text
SORT_RO text
SPOP text
SRANDMEMBER text
SREM text m
SSCAN text 0
STRLEN stream
SUBSTR stream 0 1
SUNION text
SUNIONSTORE d text
XACK text g 1-1
XADD text * a 1
XAUTOCLAIM text g c 1 1-1
XCLAIM text g c 1 1-1
XDEL text 1-1
XGROUP CREATE text g $
XGROUP CREATECONSUMER text g c
XGROUP DELCONSUMER text g c
XGROUP DESTROY text g
XGROUP SETID text g $
XINFO CONSUMERS text g
XINFO GROUPS text
XINFO STREAM text
XLEN text
XPENDING text g
XRANGE text - +
XREAD STREAMS text 1-1
XREADGROUP GROUP g c STREAMS text >
XREVRANGE text + -
XSETID text 1-1
XTRIM text MAXLEN 1
ZADD text 1 m
ZCARD text
ZCOUNT text 0 1
ZDIFF 1 text
ZDIFFSTORE d 1 text
ZINCRBY text 1 m
ZINTER 1 text
ZINTERCARD 1 text
ZINTERSTORE d 1 text
ZLEXCOUNT text - +
ZMPOP 1 text MIN
ZMSCORE text m
ZPOPMAX text
ZPOPMIN text
ZRANDMEMBER text
ZRANGE text 0 1
ZRANGEBYLEX text - +
ZRANGEBYSCORE text 0 1
ZRANGESTORE d text 0 1
ZRANK text m
ZREM text m
ZREMRANGEBYLEX text - +
ZREMRANGEBYRANK text 0 1
ZREMRANGEBYSCORE text 0 1
ZREVRANGE text 0 1
ZREVRANGEBYLEX text + -
ZREVRANGEBYSCORE text 1 0
ZREVRANK text m
ZSCAN text 0
ZSCORE text m
ZUNION 1 text
ZUNIONSTORE d 1 text
"""

#: Others with keys do not mind the type, or complain of it in other words.
UNTYPED = """
COPY stream other
DUMP stream
EXISTS stream
EXPIRE stream 1000
LCS stream text
MGET stream
MSET other 1
MSETNX stream 1
OBJECT ENCODING stream
PERSIST stream
RENAME other another
SETEX another 1000 v
SETNX stream v
TOUCH stream
TTL stream
TYPE stream
WATCH stream
DEL stream
SET stream v
UNLINK stream
"""
