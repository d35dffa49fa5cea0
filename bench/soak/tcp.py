"""tcp: both ends are ours, and each knows what the other has to send."""

from __future__ import annotations

import asyncio
import random
import struct
import zlib
from dataclasses import dataclass

from bench.soak.conn import FIN, RESET, Conn, Cut
from bench.soak.content import Receiver, Source
from bench.soak.ledger import Record, Stream
from bench.soak.visit import Scene, pause

_HELLO = struct.Struct(">4s8sBIII")
_MAGIC = b"SOAK"
HELLO_SIZE = _HELLO.size + 4

#: Who ends it, and how.
CLIENT_FIRST, SERVER_FIRST, CLIENT_RESETS, SERVER_RESETS = range(4)


@dataclass(frozen=True)
class Hello:
    """What a client means to do, said at the beginning of its stream.

    :ivar turns: 0 for both sides talking at once, once; else how often one asks and one answers.
    :ivar up: bytes of each question, behind the hello.
    :ivar down: bytes of each answer.
    """

    token: str
    ender: int
    turns: int
    up: int
    down: int

    def encode(self) -> bytes:
        """As it is sent: with a checksum, so that a bent one is not believed."""
        body = _HELLO.pack(_MAGIC, self.token.encode(), self.ender, self.turns, self.up, self.down)
        return body + zlib.crc32(body).to_bytes(4, "big")

    @classmethod
    def decode(cls, data: bytes) -> Hello | None:
        """None for what is none."""
        body, check = data[:-4], data[-4:]
        if len(data) != HELLO_SIZE or zlib.crc32(body).to_bytes(4, "big") != check:
            return None
        magic, token, ender, turns, up, down = _HELLO.unpack(body)
        return cls(token.decode(), ender, turns, up, down) if magic == _MAGIC else None

    @property
    def times(self) -> int:
        """How many questions there are."""
        return max(1, self.turns)


def drawn(draw: random.Random, token: str) -> Hello:
    """What to do on one link: mostly short turns, at times long ones or a flood."""
    ender = draw.choices(range(4), (10, 5, 1, 1))[0]
    kind = draw.random()
    if kind < 0.6:
        return Hello(token, ender, draw.randint(1, 20), draw.randint(1, 2000), draw.randint(1, 8000))
    if kind < 0.8:
        return Hello(token, ender, draw.randint(20, 200), draw.randint(1, 300), draw.randint(1, 300))
    if kind < 0.9:
        return Hello(token, ender, draw.randint(1, 4), draw.randint(1, 400_000), draw.randint(1, 400_000))
    return Hello(token, CLIENT_FIRST, 0, draw.randint(1, 6_000_000), draw.randint(1, 6_000_000))


class Ends:
    """The streams of one link, as the two ends see them. The same for both."""

    def __init__(self, scene: Scene, hello: Hello) -> None:
        encoded = hello.encode()
        self.hello = hello
        self.up = scene.source(f"tcp up {hello.token}", hello.up * hello.times, encoded)
        self.down = scene.source(f"tcp down {hello.token}", hello.down * hello.times)


class TcpServer:
    """Answers what a hello announces, and notes in the client's record what it has received."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._records: dict[str, Record] = {}

    def expect(self, record: Record) -> None:
        """A client will come."""
        self._records[record.token] = record

    async def handle(self, conn: Conn) -> None:
        """One connection."""
        head = await conn.exactly(HELLO_SIZE)
        hello = Hello.decode(head)
        record = self._records.pop(hello.token, None) if hello is not None else None
        if hello is None or record is None:
            while await conn.some():
                pass
            return
        record.known = True
        up, down = record.streams
        ends = Ends(self._scene, hello)
        receiver = Receiver(ends.up)
        receiver.feed(head)
        try:
            await self._serve(conn, ends, receiver, down)
        except Cut:
            await conn.known()
        finally:
            up.received, up.ending, up.over = receiver.finish(), conn.ending, True

    async def _serve(self, conn: Conn, ends: Ends, receiver: Receiver, down: Stream) -> None:
        hello = ends.hello
        if not hello.turns:
            await _both(conn, ends.down, down, receiver)
            return
        for turn in range(1, hello.turns + 1):
            await _receive(conn, receiver, HELLO_SIZE + turn * hello.up)
            if hello.ender == SERVER_RESETS and turn == hello.turns:
                conn.abort()
                return
            await _send(conn, ends.down, down, turn * hello.down)
        if hello.ender == SERVER_FIRST:
            conn.finish()
        await _receive(conn, receiver, None)
        conn.finish()


async def talk(scene: Scene, server: TcpServer, conn: Conn, record: Record, draw: random.Random) -> None:
    """The client's part."""
    hello = drawn(draw, record.token)
    ends = Ends(scene, hello)
    # Who resets is told nothing any more.
    endings = {CLIENT_RESETS: (RESET, ""), SERVER_RESETS: ("", RESET)}.get(hello.ender, (FIN, FIN))
    down = Stream(upstream=False, wanted=endings[1])
    record.streams = (Stream(upstream=True, wanted=endings[0]), down)
    record.rude = hello.ender in (CLIENT_RESETS, SERVER_RESETS)
    server.expect(record)
    receiver = Receiver(ends.down)
    try:
        await _ask(scene, conn, record, ends, receiver, draw)
    except Cut:
        await conn.known()
        raise
    finally:
        down.received, down.ending, down.over = receiver.finish(), conn.ending, True


async def _ask(
    scene: Scene, conn: Conn, record: Record, ends: Ends, receiver: Receiver, draw: random.Random
) -> None:
    hello, up = ends.hello, record.streams[0]
    if not hello.turns:
        await _both(conn, ends.up, up, receiver)
        return
    for turn in range(1, hello.turns + 1):
        await _send(conn, ends.up, up, HELLO_SIZE + turn * hello.up)
        if hello.ender == CLIENT_RESETS and turn == hello.turns:
            conn.abort()
            return
        await _receive(conn, receiver, turn * hello.down)
        scene.ledger.tally(record.proxy).requests += 1
        await pause(scene, draw)
        if scene.stopping and hello.ender in (CLIENT_FIRST, SERVER_FIRST):
            break
    if hello.ender != SERVER_FIRST or scene.stopping:
        conn.finish()
    await _receive(conn, receiver, None)
    conn.finish()


async def _both(conn: Conn, source: Source, stream: Stream, receiver: Receiver) -> None:
    """Say and hear at once, then FIN in both directions."""

    async def say() -> None:
        await _send(conn, source, stream, source.size)
        conn.finish()

    saying = asyncio.ensure_future(say())
    try:
        await _receive(conn, receiver, None)
        await saying
    finally:
        saying.cancel()


async def _send(conn: Conn, source: Source, stream: Stream, upto: int) -> None:
    while stream.sent.length < min(upto, source.size):
        piece = source.piece(stream.sent.length, min(65536, upto - stream.sent.length))
        await conn.send(stream.sent.add(piece))


async def _receive(conn: Conn, receiver: Receiver, upto: int | None) -> None:
    """Until so many bytes have come in all, or until FIN for None.

    :raises Cut: it has ended before, or otherwise.
    """
    while upto is None or receiver.result.length < upto:
        data = await conn.some()
        if not data:
            if upto is None and conn.ending == FIN:
                return
            raise Cut(f"{conn.ending} after {receiver.result.length} bytes")
        receiver.feed(data)
