"""Sample conversations of HTTP/1: one for each thing that the protocol can do."""

from __future__ import annotations

from collections.abc import Mapping

from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation


def request(line: str, *fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """A request with a Host field."""
    return _message(f"{line} HTTP/{version}", ("Host: example.org", *fields), body)


def response(status: str, *fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """A response."""
    return _message(f"HTTP/{version} {status}", fields, body)


def sized(status: str, body: bytes, *fields: str) -> bytes:
    """A response that says how long its body is."""
    return response(status, f"Content-Length: {len(body)}", *fields, body=body)


def _message(start: str, fields: tuple[str, ...], body: bytes) -> bytes:
    return "\r\n".join((start, *fields, "", "")).encode() + body


GET = request("GET /a?b=c")
OK = sized("200 OK", b"hello")
CHUNKS = b"5;name=value\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
TRAILED = b"5\r\nhello\r\n0\r\nX-Digest: abc\r\nX-More: def\r\n\r\n"
POST = request("POST /form", "Content-Length: 3", body=b"x=1")
EXPECT = request("PUT /big", "Content-Length: 4", "Expect: 100-continue")
UPGRADE = request("GET /socket", "Connection: Upgrade", "Upgrade: websocket")

#: A request and a response that fit wherever a connection is kept.
PROBE: Conversation = ((TO_BACKEND, request("GET /probe")), (TO_CLIENT, sized("200 OK", b"probe")))

CONVERSATIONS: Mapping[str, Conversation] = {
    "get": ((TO_BACKEND, GET), (TO_CLIENT, OK)),
    "post": ((TO_BACKEND, POST), (TO_CLIENT, sized("201 Created", b""))),
    "large": ((TO_BACKEND, GET), (TO_CLIENT, sized("200 OK", bytes(range(256)) * 400))),
    "upload": (
        (TO_BACKEND, request("PUT /x", "Content-Length: 70000", body=b"\r\n" * 35000)),
        (TO_CLIENT, OK),
    ),
    "kept alive": ((TO_BACKEND, GET), (TO_CLIENT, OK), (TO_BACKEND, POST), (TO_CLIENT, OK)),
    "pipelined": (
        (TO_BACKEND, GET + POST + request("HEAD /") + GET),
        (TO_CLIENT, OK + OK + response("200 OK", "Content-Length: 5") + OK),
    ),
    "chunked": (
        (TO_BACKEND, request("POST /", "Transfer-Encoding: chunked", body=CHUNKS)),
        (TO_CLIENT, response("200 OK", "transfer-encoding: Chunked", body=CHUNKS)),
    ),
    "trailers": (
        (TO_BACKEND, request("POST /", "Transfer-Encoding: gzip, chunked", body=TRAILED)),
        (TO_CLIENT, response("200 OK", "Trailer: X-Digest", "Transfer-Encoding: chunked", body=TRAILED)),
    ),
    "chunked, bare LF": (
        (TO_BACKEND, GET),
        (TO_CLIENT, response("200 OK", "Transfer-Encoding: chunked", body=CHUNKS.replace(b"\r\n", b"\n"))),
    ),
    "bare LF": ((TO_BACKEND, GET.replace(b"\r\n", b"\n")), (TO_CLIENT, OK.replace(b"\r\n", b"\n"))),
    "1.0": (
        (TO_BACKEND, request("GET /", version="1.0")),
        (TO_CLIENT, response("200 OK", body=b"old", version="1.0")),
    ),
    "1.0 kept alive": (
        (TO_BACKEND, request("GET /", "Connection: keep-alive", version="1.0")),
        (TO_CLIENT, sized("200 OK", b"hello", "Connection: keep-alive")),
        (TO_BACKEND, GET),
        (TO_CLIENT, OK),
    ),
    "without a body": (
        (TO_BACKEND, request("HEAD /") + request("DELETE /x") + GET),
        (TO_CLIENT, response("200 OK", "Content-Length: 1000") + response("204 No Content")),
        (TO_CLIENT, response("304 Not Modified", "Content-Length: 1000")),
    ),
    "head of chunked": (
        (TO_BACKEND, request("HEAD /") + GET),
        (TO_CLIENT, response("200 OK", "Transfer-Encoding: chunked") + OK),
    ),
    "continue": (
        (TO_BACKEND, EXPECT),
        (TO_CLIENT, response("100 Continue")),
        (TO_BACKEND, b"body"),
        (TO_CLIENT, OK),
    ),
    "continue not awaited": ((TO_BACKEND, EXPECT + b"body"), (TO_CLIENT, response("100 Continue") + OK)),
    "expectation failed": (
        (TO_BACKEND, EXPECT),
        (TO_CLIENT, sized("417 Expectation Failed", b"", "Connection: close")),
    ),
    "early hints": (
        (TO_BACKEND, GET),
        (TO_CLIENT, response("103 Early Hints", "Link: </style.css>") + response("102 Processing") + OK),
    ),
    "answered early": (
        (TO_BACKEND, request("POST /", "Content-Length: 6", body=b"abc")),
        (TO_CLIENT, sized("413 Content Too Large", b"no")),
        (TO_BACKEND, b"def" + GET),
        (TO_CLIENT, OK),
    ),
    "unasked": ((TO_CLIENT, sized("408 Request Timeout", b"bye", "Connection: close")),),
    "upgrade": (
        (TO_BACKEND, UPGRADE),
        (TO_CLIENT, response("101 Switching Protocols", "Upgrade: websocket") + b"\x81\x02hi"),
        (TO_BACKEND, b"\x81\x82mask"),
    ),
    "upgrade declined": ((TO_BACKEND, UPGRADE), (TO_CLIENT, OK), (TO_BACKEND, GET), (TO_CLIENT, OK)),
    "connect": (
        (TO_BACKEND, request("CONNECT example.org:443")),
        (TO_CLIENT, response("200 Connection Established", "Content-Length: 5") + b"\x16\x03\x01"),
    ),
    "connect refused": (
        (TO_BACKEND, request("CONNECT example.org:443")),
        (TO_CLIENT, sized("403 Forbidden", b"no")),
    ),
    "folded": (
        (TO_BACKEND, request("POST /", "X-Folded: one", "\ttwo", "Content-Length:", " 3", body=b"abc")),
        (TO_CLIENT, sized("200 OK", b"hello", "X: a", "  b")),
    ),
    "repeated length": (
        (TO_BACKEND, request("POST /", "Content-Length: 3", "Content-Length: 3", body=b"abc")),
        (TO_CLIENT, response("200 OK", "Content-Length: 5, 5", body=b"hello")),
    ),
    "blank lines": ((TO_BACKEND, b"\r\n\r\n" + GET + b"\r\n" + POST + b"\r\n"), (TO_CLIENT, OK + OK)),
    "absolute": (
        (TO_BACKEND, request("GET http://example.org/x?y=z") + request("OPTIONS *")),
        (TO_CLIENT, OK + OK),
    ),
    "http/2": ((TO_BACKEND, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"), (TO_CLIENT, b"\0\0\0\4")),
    "not http": ((TO_BACKEND, b"\x16\x03\x01\x02\x00\x01"), (TO_CLIENT, b"\x15\x03\x01")),
}

#: Conversations after which the connection cannot go on.
ENDING: Mapping[str, Conversation] = {
    "until the end": ((TO_BACKEND, GET), (TO_CLIENT, response("200 OK", body=b"as long as it\r\n\r\nlasts"))),
    "other coding": (
        (TO_BACKEND, GET),
        (TO_CLIENT, response("200 OK", "Transfer-Encoding: gzip", body=b"as long as it lasts")),
    ),
    "broken off": (
        (TO_BACKEND, POST[:-2]),
        (TO_BACKEND, b""),
        (TO_CLIENT, OK[:-2]),
        (TO_CLIENT, b""),
    ),
    "head broken off": ((TO_BACKEND, GET + GET[:-2]), (TO_CLIENT, OK + OK[:20])),
}
