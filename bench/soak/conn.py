"""One TCP connection of the soak, with what it has counted and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import cast

HOST = "127.0.0.1"

#: How much is kept of what nobody has asked for yet, in bytes; then reading pauses.
_MOST = 256 * 1024

OPEN, FIN, RESET, CLOSED, GAVE_UP = "open", "fin", "reset", "closed", "gave up"


class Cut(Exception):
    """The connection has ended before what was asked for had come."""


class Unconnected(Exception):
    """There is no connection.

    :ivar local: host and port of ours, where there was one for a moment: it was cut before we could look.
    """

    def __init__(self, text: str, local: str = "") -> None:
        super().__init__(text)
        self.local = local


def address_of(raw: socket.socket) -> str:
    """Host and port of our end."""
    host, port = raw.getsockname()[:2]
    return f"{host}:{port}"


class Conn(asyncio.Protocol):
    """A connection to read from and to write to.

    :ivar ending: how the other side ended it: open, fin or reset; closed and gave up where we did.
    :ivar received: bytes that were read off the socket.
    :ivar sent: bytes that were given to it.
    """

    def __init__(self, made: Callable[[Conn], None] | None = None) -> None:
        self._made = made
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._paused = False
        self._waiting_since = 0.0
        self._progress = time.monotonic()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self.ending = OPEN
        self.received = 0
        self.sent = 0
        self.local = ""

    # What the loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("sockname")
        self.local = f"{name[0]}:{name[1]}"
        if self._made is not None:
            self._made(self)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self._progress = time.monotonic()
        self._buffer += data
        if len(self._buffer) > _MOST and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        if self.ending == OPEN:
            self.ending = FIN
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self.ending in (OPEN, FIN):
            self.ending = CLOSED if exc is None else RESET
        if not self.gone.done():
            self.gone.set_result(None)
        self._wake()
        self._more_room()

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        self._progress = time.monotonic()
        self._more_room()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _more_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # Reading.

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        return self.ending != OPEN

    async def some(self, most: int = 65536) -> bytes:
        """What has come, at least one byte; nothing if the stream has ended."""
        while not self._buffer and not self.over:
            await self._wait()
        return self._take(min(most, len(self._buffer)))

    async def exactly(self, size: int) -> bytes:
        """:raises Cut: it ended before."""
        while len(self._buffer) < size:
            if self.over:
                raise Cut(f"{self.ending} after {len(self._buffer)} of {size} bytes")
            await self._wait(size)
        return self._take(size)

    async def until(self, mark: bytes, most: int = 16384) -> bytes:
        """Up to and with `mark`.

        :raises Cut: it ended before.
        :raises ValueError: it is not within `most` bytes.
        """
        looked = 0
        while (found := self._buffer.find(mark, looked)) < 0:
            if len(self._buffer) > most:
                raise ValueError(f"no {mark!r} in {most} bytes")
            if self.over:
                raise Cut(f"{self.ending} in {bytes(self._buffer[:40])!r}")
            looked = max(0, len(self._buffer) - len(mark) + 1)
            await self._wait()
        return self._take(found + len(mark))

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        if self._paused and len(self._buffer) <= _MOST // 2 and self._transport is not None:
            self._resume()
        return taken

    async def _wait(self, size: int = 0) -> None:
        if self._paused:
            # Somebody asks for more than we keep.
            self._resume()
        self._waiter = self._loop.create_future()
        await self._patiently(self._waiter)
        self._waiter = None

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    async def _patiently(self, future: asyncio.Future[None]) -> None:
        self._waiting_since = time.monotonic()
        try:
            await future
        finally:
            self._waiting_since = 0.0

    async def known(self) -> None:
        """Return when it is known how it has ended, if a write has found out already that it has."""
        if self.ending == OPEN and self._transport is not None and self._transport.is_closing():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.gone), 5.0)

    # Writing.

    async def send(self, data: bytes) -> None:
        """Write, and wait for room.

        :raises Cut: the connection is gone.
        """
        self.write(data)
        if self._room is not None:
            await self._patiently(self._room)

    def write(self, data: bytes) -> None:
        """:raises Cut: the connection is gone."""
        if self._transport is None or self._transport.is_closing():
            raise Cut(f"{self.ending} before it was written to")
        self.sent += len(data)
        self._transport.write(data)

    def finish(self) -> None:
        """Say FIN behind what was written; reading goes on."""
        if self._transport is not None and not self._transport.is_closing():
            # It may be gone without our having been told yet; then it is told at once.
            with contextlib.suppress(OSError):
                self._transport.write_eof()

    # Ending.

    def stuck_for(self, now: float) -> float:
        """For how long somebody has waited here in vain, in seconds."""
        return now - max(self._waiting_since, self._progress) if self._waiting_since else 0.0

    def give_up(self) -> None:
        """Nothing has moved for too long: RST."""
        self.ending = GAVE_UP
        self.abort()

    def abort(self) -> None:
        """RST, whatever was written."""
        if self._transport is None:
            return
        raw = self._transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def close(self) -> None:
        """Say FIN if we have not, and be done with it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
        self._more_room()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.gone), 5.0)
        if not self.gone.done():
            self.abort()


class Warden:
    """Knows all connections, and gives up those on which somebody has waited for too long.

    :param patience: how long, in seconds, at the side of the clients. Servers wait twice as long.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._clients: set[Conn] = set()
        self._served: set[Conn] = set()

    async def watch(self) -> None:
        """Look each second, until it is cancelled."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for conns, patience in ((self._clients, self.patience), (self._served, 2 * self.patience)):
                for conn in [each for each in conns if each.gone.done()]:
                    conns.discard(conn)
                for conn in conns:
                    if conn.ending in (OPEN, FIN) and conn.stuck_for(now) > patience:
                        conn.give_up()

    async def connect(self, port: int) -> Conn:
        """A connection.

        :raises Unconnected: refused, cut at once, or not within the patience.
        """
        loop = asyncio.get_running_loop()
        # With its protocol named, asyncio knows that it is one to switch Nagle's algorithm off for.
        raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        raw.setblocking(False)
        try:
            await asyncio.wait_for(loop.sock_connect(raw, (HOST, port)), self.patience)
            _, conn = await loop.create_connection(Conn, sock=raw)
        except (OSError, asyncio.TimeoutError) as error:
            local = address_of(raw) if isinstance(error, ConnectionResetError) else ""
            raw.close()
            raise Unconnected(str(error) or "not in time", local) from None
        self._clients.add(conn)
        return conn

    async def serve(self, port: int, handle: Callable[[Conn], Awaitable[None]]) -> asyncio.Server:
        """Listen, and have each connection handled; they are closed afterwards."""
        tasks: set[asyncio.Task[None]] = set()

        async def serve_one(conn: Conn) -> None:
            with contextlib.suppress(Cut):
                await handle(conn)
            await conn.close()

        def made(conn: Conn) -> None:
            self._served.add(conn)
            task = asyncio.get_running_loop().create_task(serve_one(conn))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Conn(made), HOST, port, backlog=512)

    @property
    def served(self) -> int:
        """How many connections the servers have now."""
        return sum(not conn.gone.done() for conn in self._served)
