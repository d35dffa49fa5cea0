"""What all clients share: one visit to a proxy is one link, and leaves one record."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.soak.conn import GAVE_UP, Conn, Cut, Unconnected, Warden
from bench.soak.content import Pad, Source
from bench.soak.ledger import Ledger, Record


class Wrong(Exception):
    """A reply cannot be what was asked for; the client leaves.

    :param kind: that of the `Oddity`.
    """

    def __init__(self, kind: str, text: str, exchange: int = 0) -> None:
        super().__init__(text)
        self.kind = kind
        self.exchange = exchange


@dataclass
class Scene:
    """What the clients and the servers of a run have in common.

    :ivar stopping: clients come to an end as soon as they can.
    :ivar pace: the mean pause between two things that one client does, in seconds.
    """

    pad: Pad
    warden: Warden
    ledger: Ledger
    pace: float = 0.02
    stopping: bool = False
    visits: set[asyncio.Task[None]] = field(default_factory=set)

    def source(self, name: str, size: int, head: bytes = b"") -> Source:
        """A stream with this name."""
        return Source(self.pad, name, size, head)


#: What one visit does with its connection. It returns when all is done, or raises.
Talk = Callable[[Conn, Record, random.Random], Awaitable[None]]


async def visit(scene: Scene, name: str, port: int, draw: random.Random, talk: Talk) -> None:
    """Connect, talk, hang up, and leave a record."""
    record = scene.ledger.open(name)
    try:
        conn = await scene.warden.connect(port)
    except Unconnected as error:
        record.client = error.local
        record.odd("cut" if error.local else "unconnected", str(error))
        scene.ledger.close(record)
        await asyncio.sleep(0.2)
        return
    record.client = conn.local
    await _talk(conn, record, draw, talk)
    record.ending = conn.ending
    await conn.close()
    record.sent, record.received = conn.sent, conn.received
    scene.ledger.close(record)


async def _talk(conn: Conn, record: Record, draw: random.Random, talk: Talk) -> None:
    try:
        await talk(conn, record, draw)
        record.whole = True
    except Cut as error:
        if not record.rude:
            record.odd("gave up" if conn.ending == GAVE_UP else "cut", str(error))
    except Wrong as error:
        record.odd(error.kind, str(error), error.exchange)
    except ValueError as error:
        record.odd("garbled", str(error))


async def hear_out(conn: Conn) -> None:
    """Say FIN, and wait for that of the other side: then all that was sent has been received.

    :raises Wrong: more came.
    """
    conn.finish()
    if rest := await conn.some():
        raise Wrong("garbled", f"behind the last reply came {rest[:60]!r}")


async def pause(scene: Scene, draw: random.Random) -> None:
    """Think."""
    if scene.pace:
        await asyncio.sleep(draw.expovariate(1.0 / scene.pace))
