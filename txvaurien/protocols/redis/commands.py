"""What redis-server knows of its commands: what can be said against them, and where their keys are.

The table was made from the COMMAND reply of redis-server 7.0 (flags, key specifications and, for
``t``, the groups of COMMAND DOCS; a test compares it with a running server), with the commands of
7.2 to 8.4 added from the ``commands/*.json`` of its source. What a script does only the server can
tell: EVAL and FCALL are taken to write, as a script with a shebang line is.

Flags: ``w`` write, ``m`` denied when out of memory, ``l`` allowed while loading, ``s`` allowed on stale
data, ``a`` allowed before AUTH, ``b`` allowed while a script is busy, ``t`` answers WRONGTYPE to a key
of another type.

Keys, as in the server's key specifications: ``1`` is that argument; ``1..`` all from there, ``1..-2`` but
the last, ``1../2`` every second; ``2#`` as many as argument 2 says, behind it; ``STREAMS@1..half`` the first
half of what follows that word, searched from argument 1 on (from ``-2`` on backwards).
"""

from __future__ import annotations

import functools
import re
from binascii import crc_hqx
from collections.abc import Sequence
from dataclasses import dataclass

#: Flags, keys, names; ``a|b,c`` are the subcommands ``a b`` and ``a c``.
_TABLE = """\
- [] acl asking bgrewriteaof bgsave client cluster config dbsize function keys latency lolwut memory
    module object pfselftest ping psync pubsub randomkey save scan script slowlog sync wait waitaof xgroup
    xinfo function|dump,list memory|doctor,malloc-stats,purge,stats module|list,load,loadex,unload
    script|debug,exists,flush
- [1] dump expiretime pexpiretime pttl ttl type
- [1 2] lcs
- [1..] exists mget touch
- [2] memory|usage object|encoding,freq,idletime,refcount
b [] function|kill,stats script|kill
ls [] command debug echo exec info lastsave monitor psubscribe publish punsubscribe readonly readwrite
    role select subscribe time unsubscribe acl|cat,deluser,dryrun,genpass,getuser,help,list,load,log,save
    acl|setuser,users,whoami client|caching,getname,getredir,help,id,info,kill,list,no-evict
    client|no-touch,pause,reply,setinfo,setname,tracking,trackinginfo client|unblock,unpause cluster|help
    command|count,docs,getkeys,getkeysandflags,help,info,list config|get,help,resetstat,rewrite,set
    function|help latency|doctor,graph,help,histogram,history,latest,reset memory|help module|help
    object|help pubsub|channels,help,numpat,numsub,shardchannels,shardnumsub script|help
    slowlog|get,help,len,reset xgroup|help xinfo|help
ls [1] spublish
ls [1..] ssubscribe sunsubscribe
lsab [] auth hello quit reset
lsb [] discard multi replconf shutdown unwatch
lsb [1..] watch
s [] failover replicaof slaveof cluster|addslots,addslotsrange,bumpepoch,count-failure-reports
    cluster|countkeysinslot,delslots,delslotsrange,failover,flushslots
    cluster|forget,getkeysinslot,info,keyslot,links,meet,myid,myshardid
    cluster|nodes,replicas,replicate,reset,saveconfig,set-config-epoch
    cluster|setslot,shards,slaves,slot-stats,slots script|load
s [2#] eval_ro evalsha_ro fcall_ro
t [1] bitcount bitfield_ro bitpos digest geodist geohash geopos georadius_ro georadiusbymember_ro
    geosearch get getbit getrange hexists hexpiretime hget hgetall hkeys hlen hmget hpexpiretime hpttl
    hrandfield hscan hstrlen httl hvals lindex llen lpos lrange scard sismember smembers smismember
    sort_ro srandmember sscan strlen substr xlen xpending xrange xrevrange zcard zcount zlexcount zmscore
    zrandmember zrange zrangebylex zrangebyscore zrank zrevrange zrevrangebylex zrevrangebyscore zrevrank
    zscan zscore
t [1#] sintercard zdiff zinter zintercard zunion
t [1..] pfcount sdiff sinter sunion
t [2] xinfo|consumers,groups,stream
t [STREAMS@1..half] xread
w [] flushall flushdb swapdb function|delete,flush
w [1] expire expireat move persist pexpire pexpireat
w [1 2] rename renamenx
w [1..] del unlink
w [3 KEYS@-2..] migrate
wm [] function|load,restore
wm [1] psetex restore restore-asking set setex setnx
wm [1 2] copy
wm [1#/2] msetex
wm [1../2] mset msetnx
wm [2] pfdebug
wm [2#] eval evalsha fcall
wmt [1] append bitfield decr decrby geoadd getset hexpire hexpireat hincrby hincrbyfloat hmset hpexpire
    hpexpireat hset hsetex hsetnx incr incrby incrbyfloat linsert lpush lpushx lset pfadd rpush rpushx
    sadd setbit setrange xadd xsetid zadd zincrby
wmt [1 2] blmove brpoplpush geosearchstore lmove rpoplpush zrangestore
wmt [1 2#] zdiffstore zinterstore zunionstore
wmt [1 2..] pfmerge sdiffstore sinterstore sunionstore
wmt [1 STORE@2] sort
wmt [1 STORE@5 STOREDIST@5] georadiusbymember
wmt [1 STORE@6 STOREDIST@6] georadius
wmt [2] xgroup|create,createconsumer
wmt [2 3..] bitop
wt [1] delex getdel getex hdel hgetdel hgetex hpersist lpop lrem ltrim rpop spop srem xack xackdel
    xautoclaim xclaim xdel xdelex xtrim zpopmax zpopmin zrem zremrangebylex zremrangebyrank
    zremrangebyscore
wt [1 2] smove
wt [1#] lmpop zmpop
wt [1..-2] blpop brpop bzpopmax bzpopmin
wt [2] xgroup|delconsumer,destroy,setid
wt [2#] blmpop bzmpop
wt [STREAMS@4..half] xreadgroup
"""

_LINE = re.compile(r"(\S+) \[(.*?)\] (.*)")
_SPEC = re.compile(r"(?:([A-Z]+)@)?(-?\d+)(?:(\.\.)(half|-\d+)?|(#))?(?:/(\d+))?")


@dataclass(frozen=True)
class KeySpec:
    """Where some keys of a command are. See the module's docstring."""

    word: bytes
    begin: int
    #: None for one key; else the last argument that is a key, from the end.
    last: int | None = None
    half: bool = False
    counted: bool = False
    step: int = 1

    def find(self, args: Sequence[bytes], count: int) -> list[bytes]:
        """The keys among `args`, which are the first of `count`."""
        first = self._search(args, count) if self.word else self.begin
        if not 0 < first < len(args):
            return []
        if self.counted:
            # What has more digits is no number for the server either, and Python would not read it.
            number = int(args[first]) if args[first].isdigit() and len(args[first]) < 20 else 0
            end = first + 1 + number * self.step
            # More than there are arguments is an error, and names no keys.
            return list(args[first + 1 : end : self.step]) if end <= count else []
        if self.half:
            return list(args[first : first + (count - first) // 2])
        end = first + 1 if self.last is None else count + self.last + 1
        return list(args[first : max(end, first) : self.step])

    def _search(self, args: Sequence[bytes], count: int) -> int:
        """As in the server, a word that is the very last argument is none."""
        if self.begin > 0:
            where = range(self.begin, min(count - 1, len(args)))
        else:
            where = range(min(count + self.begin, len(args) - 1), 1, -1)
        return next((at + 1 for at in where if args[at].upper() == self.word), 0)


@dataclass(frozen=True)
class Command:
    """A command, or a subcommand (``client|reply``). `flags` are the letters of the table."""

    name: str
    flags: str
    specs: tuple[KeySpec, ...] = ()

    def keys_of(self, args: Sequence[bytes], count: int) -> list[bytes]:
        """The keys among `args`, which are the first of `count` words of a command."""
        found = [key for spec in self.specs for key in spec.find(args, count)]
        # MIGRATE has an empty key where its keys are listed at the end.
        return [key for key in found if key] if self.name == "migrate" else found


#: A command of a module, most likely: everything may be said against it.
UNKNOWN = Command("", "wmt", (KeySpec(b"", 1),))


def lookup(args: Sequence[bytes]) -> Command:
    """The command that these words are."""
    if not args:
        return Command("", "lsab")
    table = _commands()
    name = args[0].lower().decode("latin-1")
    command = table.get(name, UNKNOWN)
    if len(args) > 1 and command is not UNKNOWN:
        return table.get(f"{name}|{args[1].lower().decode('latin-1')}", command)
    return command


def command_names() -> frozenset[str]:
    """Every command in upper case, without the subcommands."""
    return frozenset(name.upper() for name in _commands() if "|" not in name)


def key_slot(key: bytes) -> int:
    """The hash slot of a key in a cluster (Redis Cluster specification, hash tags)."""
    begin = key.find(b"{")
    end = key.find(b"}", begin + 1)
    if begin >= 0 and end > begin + 1:
        key = key[begin + 1 : end]
    # CRC16 of the XMODEM kind, which is what crc_hqx() computes.
    return crc_hqx(key, 0) % 16384


@functools.cache
def _commands() -> dict[str, Command]:
    return {command.name: command for line in _lines() for command in _parsed(line)}


def _lines() -> list[str]:
    return _TABLE.strip().replace("\n    ", " ").split("\n")


def _parsed(line: str) -> list[Command]:
    match = _LINE.fullmatch(line)
    assert match is not None, line
    flags, specs, names = match.groups()
    keys = tuple(_spec(spec) for spec in specs.split())
    commands = []
    for name in names.split():
        parent, bar, children = name.partition("|")
        full = [f"{parent}|{child}" for child in children.split(",")] if bar else [name]
        commands += [Command(each, flags, keys) for each in full]
    return commands


def _spec(text: str) -> KeySpec:
    match = _SPEC.fullmatch(text)
    assert match is not None, text
    word, begin, range_, last, counted, step = match.groups()
    return KeySpec(
        (word or "").encode(),
        int(begin),
        last=None if not range_ else -1 if last in (None, "half") else int(last),
        half=last == "half",
        counted=bool(counted),
        step=int(step or 1),
    )
