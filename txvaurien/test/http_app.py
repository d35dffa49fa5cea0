"""A small HTTP server for tests: a path for each thing that HTTP/1.1 can do. Run with a port."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = bytes(range(256)) * 256

#: What a server appends to the client's key for its accept key (RFC 6455 section 1.3).
WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def pieces(size: int) -> Iterator[bytes]:
    """So many bytes, piece by piece."""
    while size > 0:
        yield PIECE[:size]
        size -= len(PIECE)


class Handler(BaseHTTPRequestHandler):
    """Answers by the first word of the path; the second is its argument."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def answer(self) -> None:
        """Any method."""
        word, _, argument = self.path.partition("?")[0].strip("/").partition("/")
        reply = getattr(self, f"reply_{word}", None)
        if reply is None:
            self.send(404, b"no such path\n")
        else:
            reply(argument)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = answer

    def handle_expect_100(self) -> bool:
        """Want no body where the path says so."""
        if self.path.startswith("/unwilling"):
            self.close_connection = True
            self.send(417, b"no\n", ("Connection", "close"))
            self.wfile.flush()
            return False
        more: bool = super().handle_expect_100()
        self.wfile.flush()
        return more

    def body(self) -> bytes:
        """The request's body, sized or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def start(self, code: int, *fields: tuple[str, str]) -> None:
        """Send a head."""
        self.send_response(code)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def send(self, code: int, body: bytes, *fields: tuple[str, str]) -> None:
        """Send a whole response."""
        self.start(code, ("Content-Length", str(len(body))), *fields)
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_echo(self, _: str) -> None:
        """What the server got."""
        body = self.body()
        told = {
            "method": self.command,
            "path": self.path,
            "fields": sorted((name.lower(), value) for name, value in self.headers.items()),
            "size": len(body),
            "digest": hashlib.sha256(body).hexdigest(),
        }
        self.send(200, json.dumps(told).encode(), ("Content-Type", "application/json"))

    reply_unwilling = reply_echo

    def reply_status(self, code: str) -> None:
        """This code; the two without content have none."""
        self.body()
        if code in {"204", "304"}:
            self.start(int(code))
        else:
            self.send(int(code), b"status %s\n" % code.encode())

    def reply_bytes(self, size: str) -> None:
        """So many bytes, announced."""
        self.start(200, ("Content-Length", size))
        if self.command != "HEAD":
            for piece in pieces(int(size)):
                self.wfile.write(piece)

    def reply_chunks(self, size: str) -> None:
        """So many bytes in chunks, with an extension and trailers."""
        self.start(200, ("Transfer-Encoding", "chunked"), ("Trailer", "X-Size"))
        for piece in pieces(int(size)):
            self.wfile.write(b"%x;part=1\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\nX-Size: %s\r\n\r\n" % size.encode())

    def reply_close(self, size: str) -> None:
        """So many bytes until the connection ends."""
        self.close_connection = True
        self.start(200, ("Connection", "close"))
        for piece in pieces(int(size)):
            self.wfile.write(piece)

    def reply_events(self, number: str) -> None:
        """Server-sent events; each waits for nothing but the one before it."""
        self.close_connection = True
        self.start(200, ("Content-Type", "text/event-stream"), ("Connection", "close"))
        for each in range(int(number)):
            self.wfile.write(b"data: %d\n\n" % each)
            self.wfile.flush()

    def reply_hints(self, _: str) -> None:
        """Interim responses before the final one."""
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        self.send(200, b"hinted\n")

    def reply_silent(self, seconds: str) -> None:
        """Nothing for so long, then an answer."""
        time.sleep(float(seconds))
        self.send(200, b"late\n")

    def reply_socket(self, _: str) -> None:
        """A WebSocket without its framing: after the handshake every line comes back reversed."""
        key = self.headers["Sec-WebSocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET).digest()).decode()
        upgrade = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept))
        self.start(101, *upgrade)
        self.wfile.flush()
        self.close_connection = True
        for line in self.rfile:
            self.wfile.write(line.rstrip(b"\n")[::-1] + b"\n")
            self.wfile.flush()


class Server(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 1024


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
