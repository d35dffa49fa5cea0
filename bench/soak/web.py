"""http: a server and clients of ours, with nonces in every request and reply."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from bench.soak.conn import Conn, Cut
from bench.soak.content import Source
from bench.soak.ledger import Record
from bench.soak.visit import Scene, Wrong, hear_out, pause

#: How the length of a body is told. ``close``: it lasts until FIN.
LENGTH, CHUNKED, UNTIL_CLOSE = "length", "chunked", "close"


@dataclass(frozen=True)
class Head:
    """The head of a request or of a reply."""

    first: str
    fields: dict[str, str]


async def read_head(conn: Conn) -> Head:
    """:raises ValueError: it is none."""
    text = (await conn.until(b"\r\n\r\n")).decode("latin-1")
    first, *lines = text[:-4].split("\r\n")
    fields = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"{line!r} is no field")
        fields[name.lower()] = value.strip()
    return Head(first, fields)


async def read_body(conn: Conn, head: Head, until_close: bool) -> tuple[int, str]:
    """Its length, and the checksum of its content, whatever its size."""
    digest, size = hashlib.blake2b(digest_size=16), 0

    async def take(left: int) -> None:
        nonlocal size
        while left:
            data = await conn.some(min(left, 65536))
            if not data:
                raise Cut(f"{conn.ending} {left} bytes before the end of a body")
            digest.update(data)
            size += len(data)
            left -= len(data)

    if head.fields.get("transfer-encoding", "") == "chunked":
        while chunk := int(await conn.until(b"\r\n"), 16):
            await take(chunk)
            _check(await conn.exactly(2) == b"\r\n", "a chunk does not end where it should")
        _check(await conn.exactly(2) == b"\r\n", "there is something behind the last chunk")
    elif "content-length" in head.fields:
        await take(int(head.fields["content-length"]))
    elif until_close:
        while data := await conn.some():
            digest.update(data)
            size += len(data)
        if conn.ending != "fin":
            raise Cut(f"{conn.ending} in a body that ends with FIN")
    return size, digest.hexdigest()


def _check(good: bool, text: str) -> None:
    if not good:
        raise ValueError(text)


def checksum(source: Source) -> str:
    """Of a whole stream."""
    digest = hashlib.blake2b(digest_size=16)
    for piece in source.pieces():
        digest.update(piece)
    return digest.hexdigest()


async def send_body(conn: Conn, source: Source, style: str) -> None:
    """A body, as its head announced it."""
    for piece in source.pieces(20_000):
        await conn.send(b"%x\r\n%b\r\n" % (len(piece), piece) if style == CHUNKED else piece)
    if style == CHUNKED:
        await conn.send(b"0\r\n\r\n")


def body_fields(source: Source, style: str) -> str:
    """The field that announces a body."""
    return {
        LENGTH: f"Content-Length: {source.size}\r\n",
        CHUNKED: "Transfer-Encoding: chunked\r\n",
        UNTIL_CLOSE: "Connection: close\r\n",
    }[style]


class WebServer:
    """``GET /NONCE/SIZE/STYLE`` gives a body, ``POST`` takes one and tells its checksum."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def handle(self, conn: Conn) -> None:
        """One connection."""
        try:
            while await self._answer(conn):
                pass
        except ValueError:
            # Somebody has bent it on the way.
            await conn.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async def _answer(self, conn: Conn) -> bool:
        head = await read_head(conn)
        method, path, _ = head.first.split(" ")
        _, nonce, size, style = path.split("/")
        got, digest = await read_body(conn, head, until_close=False)
        _check(
            method in ("GET", "POST") and style in (LENGTH, CHUNKED, UNTIL_CLOSE) and size.isdecimal(), path
        )
        source = self._scene.source(f"http down {nonce}", min(int(size), 10_000_000))
        fields = f"X-Nonce: {nonce}\r\nX-Got: {got} {digest}\r\n{body_fields(source, style)}\r\n"
        await conn.send(f"HTTP/1.1 200 OK\r\n{fields}".encode())
        await send_body(conn, source, style)
        return style != UNTIL_CLOSE


@dataclass(frozen=True)
class Request:
    """One request, and what its reply has to be."""

    number: int
    nonce: str
    up: Source | None
    up_style: str
    down: Source
    style: str


async def talk(scene: Scene, conn: Conn, record: Record, draw: random.Random) -> None:
    """Some rounds of one or several requests at once."""
    number = 0
    for _ in range(draw.choice((1, 3, 10, 40, 200))):
        count = draw.choice((1, 1, 5))
        batch = [_drawn(scene, record, draw, number + each, alone=count == 1) for each in range(1, count + 1)]
        for request in batch:
            await _ask(conn, request)
        number += len(batch)
        for request in batch:
            if not await _check_reply(scene, conn, record, request):
                return
        await pause(scene, draw)
        if scene.stopping:
            break
    await hear_out(conn)


def _drawn(scene: Scene, record: Record, draw: random.Random, number: int, alone: bool) -> Request:
    nonce = f"{record.token}-{number}"
    size = draw.choice((0, 10, 600, 600, 5000, 80_000, 1_000_000 if draw.random() < 0.2 else 900))
    style = draw.choice((LENGTH, LENGTH, CHUNKED))
    if alone and draw.random() < 0.05:
        style = UNTIL_CLOSE
    up = None
    if draw.random() < 0.3:
        # The server may read no more while nobody takes what it says: of many at once all are small.
        up = scene.source(f"http up {nonce}", draw.choice((1, 300, 20_000, 200_000) if alone else (1, 300)))
    down = scene.source(f"http down {nonce}", size)
    return Request(number, nonce, up, draw.choice((LENGTH, CHUNKED)), down, style)


async def _ask(conn: Conn, request: Request) -> None:
    method = "GET" if request.up is None else "POST"
    head = f"{method} /{request.nonce}/{request.down.size}/{request.style} HTTP/1.1\r\nHost: soak\r\n"
    if request.up is not None:
        head += body_fields(request.up, request.up_style)
    await conn.send(f"{head}\r\n".encode())
    if request.up is not None:
        await send_body(conn, request.up, request.up_style)


async def _check_reply(scene: Scene, conn: Conn, record: Record, request: Request) -> bool:
    """Whether the connection goes on."""
    head = await read_head(conn)
    size, digest = await read_body(conn, head, until_close=True)
    scene.ledger.tally(record.proxy).requests += 1
    version, status, _ = head.first.split(" ", 2)
    _check(version == "HTTP/1.1" and status.isdecimal(), head.first)
    record.answered = request.number
    closes = head.fields.get("connection", "").lower() == "close"
    if status != "200":
        record.refused.add(request.number)
        record.odd("error", status, request.number)
        return not closes
    if head.fields.get("x-nonce") != request.nonce:
        raise Wrong("foreign", f"{head} is not for {request.nonce}", request.number)
    _check_content(head, size, digest, request)
    return not closes


def _check_content(head: Head, size: int, digest: str, request: Request) -> None:
    if size < request.down.size:
        raise Wrong("short", f"{size} of {request.down.size} bytes", request.number)
    if digest != checksum(request.down):
        raise Wrong("garbled", f"another body of {size} bytes", request.number)
    if request.up is not None and head.fields.get("x-got") != f"{request.up.size} {checksum(request.up)}":
        raise Wrong("garbled", f"the server got {head.fields.get('x-got')}", request.number)
