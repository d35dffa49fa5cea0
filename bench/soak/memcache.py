"""memcache: the text protocol, pipelined, on a real server."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from bench.soak.conn import Conn
from bench.soak.ledger import Record
from bench.soak.values import NOTHING, Store
from bench.soak.visit import Scene, Wrong, hear_out, pause

#: What a reply begins with that is an error, or that a fault may say in place of a good one.
_REFUSALS = ("ERROR", "CLIENT_ERROR", "SERVER_ERROR", "NOT_STORED", "EXISTS", "BUSY")

#: A command, its number, and what reads its reply.
Asked = tuple[bytes, int, Callable[[str], Awaitable[None]]]


class MemcacheTalk:
    """One client."""

    def __init__(self, scene: Scene, conn: Conn, record: Record, draw: random.Random) -> None:
        self._conn = conn
        self._record = record
        self._draw = draw
        self._tally = scene.ledger.tally(record.proxy)
        self._store = Store(scene, record, draw, largest=300_000)

    async def round(self) -> None:
        """One command, or several at once."""
        asked = [self._command() for _ in range(self._draw.choice((1, 1, 1, 20)))]
        await self._conn.send(b"".join(command for command, _, _ in asked))
        for _, number, read in asked:
            line = (await self._conn.until(b"\r\n"))[:-2].decode("latin-1")
            self._tally.requests += 1
            if line.startswith(_REFUSALS):
                self._record.odd("error", line, number)
            else:
                await read(line)

    def _command(self) -> Asked:
        number = self._store.next()
        make = self._draw.choices((self._set, self._get, self._delete, self._version), (4, 6, 1, 1))[0]
        return make(number)

    def _set(self, number: int) -> Asked:
        key = self._store.key()
        version, size, value = self._store.new_value(key)

        async def read(line: str) -> None:
            if line != "STORED":
                raise Wrong("foreign", f"set is answered with {line[:60]!r}", number)
            self._store.stored(key, version, size)

        return f"set {key} {version} 600 {len(value)}\r\n".encode() + value + b"\r\n", number, read

    def _get(self, number: int) -> Asked:
        key = self._store.key()

        async def read(line: str) -> None:
            if line == "END":
                if not self._store.check(key, None, number):
                    # A fault can say so, too.
                    self._record.odd("error", f"{key} is not there", number)
                return
            value = await self._value(line, key, number)
            self._store.check(key, value, number)

        return f"get {key}\r\n".encode(), number, read

    async def _value(self, line: str, key: str, number: int) -> bytes:
        words = line.split(" ")
        if len(words) != 4 or words[:2] != ["VALUE", key] or not words[3].isdecimal():
            raise Wrong("foreign", f"get {key} is answered with {line[:60]!r}", number)
        data = await self._conn.exactly(int(words[3]) + 7)
        if data[-7:] != b"\r\nEND\r\n":
            raise Wrong("garbled", f"a value ends with {data[-7:]!r}", number)
        return data[:-7]

    def _delete(self, number: int) -> Asked:
        key = self._store.key()

        async def read(line: str) -> None:
            if line not in ("DELETED", "NOT_FOUND"):
                raise Wrong("foreign", f"delete is answered with {line[:60]!r}", number)
            if line == "DELETED":
                self._store.stored(key, NOTHING)
            elif not self._store.check(key, None, number):
                self._record.odd("error", f"there is no {key} to delete", number)

        return f"delete {key}\r\n".encode(), number, read

    def _version(self, number: int) -> Asked:
        async def read(line: str) -> None:
            if not line.startswith("VERSION "):
                raise Wrong("foreign", f"version is answered with {line[:60]!r}", number)

        return b"version\r\n", number, read


async def talk(scene: Scene, conn: Conn, record: Record, draw: random.Random) -> None:
    """Some rounds."""
    memcache = MemcacheTalk(scene, conn, record, draw)
    for _ in range(draw.choice((1, 5, 20, 100, 400))):
        await memcache.round()
        await pause(scene, draw)
        if scene.stopping:
            break
    await hear_out(conn)
