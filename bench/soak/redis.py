"""redis: RESP2, pipelines and transactions, on a real server."""

from __future__ import annotations

import random
from collections.abc import Callable

from bench.soak.conn import Conn
from bench.soak.ledger import Record
from bench.soak.values import NOTHING, Store
from bench.soak.visit import Scene, Wrong, hear_out, pause


class RedisError(Exception):
    """A reply that begins with ``-``."""


#: Checks one reply. An error does not come here.
Check = Callable[[object], None]

#: A command, its number, and what is to be said of its reply.
Asked = tuple[bytes, int, Check]


def encode(*words: str | bytes) -> bytes:
    """A command, as the protocol has it."""
    parts = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


async def read_reply(conn: Conn) -> object:
    """A text as str, a bulk as bytes, a number, a list, None, or an error.

    :raises ValueError: it is no reply.
    """
    line = (await conn.until(b"\r\n"))[:-2]
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest.decode("latin-1")
    if kind == b"-":
        return RedisError(rest.decode("latin-1"))
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return await _bulk(conn, int(rest))
    if kind == b"*":
        return [await read_reply(conn) for _ in range(min(int(rest), 1000))]
    raise ValueError(f"{line[:60]!r} is no reply")


async def _bulk(conn: Conn, size: int) -> bytes | None:
    if size < 0:
        return None
    if size > 100_000_000:
        raise ValueError(f"a value of {size} bytes")
    value = await conn.exactly(size + 2)
    if value[-2:] != b"\r\n":
        raise ValueError(f"a value does not end where it should: {value[-10:]!r}")
    return value[:-2]


class RedisTalk:
    """One client."""

    def __init__(self, scene: Scene, conn: Conn, record: Record, draw: random.Random) -> None:
        self._conn = conn
        self._record = record
        self._draw = draw
        self._tally = scene.ledger.tally(record.proxy)
        self._store = Store(scene, record, draw, largest=1_000_000)
        self._counter: set[int] = {0}

    async def round(self) -> None:
        """One command, several at once, or a transaction."""
        kind = self._draw.random()
        if kind < 0.1:
            await self._transaction()
            return
        await self._pipeline(1 if kind < 0.6 else self._draw.randint(2, 40))

    async def _pipeline(self, count: int) -> None:
        asked = [self._command() for _ in range(count)]
        await self._conn.send(b"".join(command for command, _, _ in asked))
        for _, number, check in asked:
            reply = await self._reply(number)
            if isinstance(reply, RedisError):
                # Refused before the server has heard of it: what was there is there.
                self._record.odd("error", str(reply), number)
            else:
                check(reply)

    async def _reply(self, number: int) -> object:
        reply = await read_reply(self._conn)
        self._tally.requests += 1
        self._record.answered = number
        if isinstance(reply, RedisError):
            self._record.refused.add(number)
        return reply

    def _command(self) -> Asked:
        """One of those that there are."""
        number = self._store.next()
        make = self._draw.choices(
            (self._set, self._get, self._echo, self._count, self._delete), (3, 4, 2, 2, 1)
        )
        return make[0](number)

    def _set(self, number: int) -> Asked:
        key = self._store.key()
        version, size, value = self._store.new_value(key)

        def check(reply: object) -> None:
            self._is(reply, "OK", number)
            self._store.stored(key, version, size)

        return encode("SET", key, value, "EX", "600"), number, check

    def _get(self, number: int) -> Asked:
        key = self._store.key()

        def check(reply: object) -> None:
            if reply is not None and not isinstance(reply, bytes):
                raise Wrong("foreign", f"GET is answered with {reply!r}", number)
            if not self._store.check(key, reply, number):
                raise Wrong("stale", f"{key} is gone", number)

        return encode("GET", key), number, check

    def _delete(self, number: int) -> Asked:
        key = self._store.key()

        def check(reply: object) -> None:
            if reply not in (0, 1):
                raise Wrong("foreign", f"DEL is answered with {reply!r}", number)
            self._store.stored(key, NOTHING)

        return encode("DEL", key), number, check

    def _echo(self, number: int) -> Asked:
        nonce = f"{self._record.token}-{number}".encode()
        return encode("ECHO", nonce), number, lambda reply: self._is(reply, nonce, number)

    def _count(self, number: int) -> Asked:
        counter = f"{self._record.token}:counter"

        def check(reply: object) -> None:
            if not isinstance(reply, int) or reply - 1 not in self._counter:
                raise Wrong("stale", f"INCR gives {reply!r} after {sorted(self._counter)}", number)
            self._counter = {reply}

        return encode("INCR", counter), number, check

    async def _transaction(self) -> None:
        """MULTI, two ECHO, EXEC: all of it or nothing, whatever is refused."""
        first = self._store.number + 1
        nonces = [f"{self._record.token}-{self._store.next()}".encode() for _ in range(4)][1:3]
        commands = [encode("MULTI"), *(encode("ECHO", nonce) for nonce in nonces), encode("EXEC")]
        await self._conn.send(b"".join(commands))
        replies = [await self._reply(first + place) for place in range(len(commands))]
        errors = [reply for reply in replies if isinstance(reply, RedisError)]
        for error in errors:
            # A refused part makes the server refuse EXEC: the rule has been at another exchange.
            self._record.odd("error", f"{error} in a transaction from {first} on")
        if not errors and replies != ["OK", "QUEUED", "QUEUED", nonces]:
            raise Wrong("foreign", f"a transaction is answered with {replies!r}", first)

    def _is(self, reply: object, wanted: object, number: int) -> None:
        if reply != wanted:
            raise Wrong("foreign", f"{str(reply)[:80]!r} in place of {wanted!r}", number)


async def talk(scene: Scene, conn: Conn, record: Record, draw: random.Random) -> None:
    """Some rounds."""
    redis = RedisTalk(scene, conn, record, draw)
    for _ in range(draw.choice((1, 5, 20, 100, 400))):
        await redis.round()
        await pause(scene, draw)
        if scene.stopping:
            break
    await hear_out(conn)
