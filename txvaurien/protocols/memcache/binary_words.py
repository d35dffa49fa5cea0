"""What a server says in the binary protocol when something is wrong, as memcached words it.

From proto_bin.c of memcached 1.6. Busy, temporary failure and internal error are in the
specification, and said by servers other than memcached (Couchbase).
"""

from __future__ import annotations

from txvaurien.protocols.memcache.binary import HEADER, RESPONSE, SASL, BinaryRequest
from txvaurien.protocols.memcache.words import STORES, Unsayable, one_line

#: A status, and the text that goes with it.
_Status = tuple[int, bytes]

_NOT_FOUND = (0x01, b"Not found")
_EXISTS = (0x02, b"Data exists for key.")
_NOT_STORED = (0x05, b"Not stored.")

#: After these memcached closes the connection (a protocol error, an unauthenticated command).
_CLOSING = frozenset({"client-error", "auth-error"})

_ANYWHERE: dict[str, _Status] = {
    "error": (0x81, b"Unknown command"),
    "client-error": (0x04, b"Invalid arguments"),
    "server-error": (0x84, b"Internal error"),
    "busy": (0x85, b"Busy"),
    "temporary-failure": (0x86, b"Temporary failure"),
    "auth-error": (0x20, b"Auth failure."),
}

_BY_VERB: dict[str, dict[str, _Status]] = {
    "out-of-memory": {
        **dict.fromkeys(STORES, (0x82, b"Out of memory allocating item")),
        **dict.fromkeys(("INCR", "DECR"), (0x82, b"Out of memory allocating new item")),
        "STATS": (0x82, b"Out of memory generating stats"),
    },
    "too-large": dict.fromkeys(STORES, (0x03, b"Too large.")),
    "miss": dict.fromkeys(("GET", "GAT", "TOUCH", "DELETE", "INCR", "DECR", "SET", "REPLACE"), _NOT_FOUND),
    # memcached says of an add that the key is there, and of a replace that it is not.
    "not-stored": {**dict.fromkeys(STORES, _NOT_STORED), "ADD": _EXISTS, "REPLACE": _NOT_FOUND},
    "exists": {**dict.fromkeys(("SET", "REPLACE", "DELETE", "INCR", "DECR"), _EXISTS), "ADD": _EXISTS},
}

#: For the expiration of INCR and DECR: do not create the item.
_CREATE_NOT = b"\xff\xff\xff\xff"


def binary_answer(request: BinaryRequest, kind: str, text: str) -> bytes:
    """As `text_answer`, for the binary protocol."""
    status = _status(request, kind)
    if request.quiet and kind == "miss" and request.verb in ("GET", "GAT"):
        return b""
    if request.operation.key and kind == "miss":
        return _packet(request, status[0], key=request.key)
    says_text = kind in ("client-error", "server-error") and text
    return _packet(request, status[0], body=one_line(text) if says_text else status[1])


def _status(request: BinaryRequest, kind: str) -> _Status:
    if not request.replies:
        raise Unsayable
    status = _ANYWHERE.get(kind) or _BY_VERB.get(kind, {}).get(request.verb)
    if status is None or (kind in ("miss", "exists") and not _can_miss(request, kind)):
        raise Unsayable
    return status


def _can_miss(request: BinaryRequest, kind: str) -> bool:
    """Whether the item, its absence or its version makes a difference to this request."""
    verb = request.verb
    versioned = request.cas != bytes(8)
    if kind == "exists":
        return versioned or verb == "ADD"
    if verb in ("INCR", "DECR"):
        return request.extras[16:20] == _CREATE_NOT
    return verb != "SET" or versioned


def _packet(request: BinaryRequest, status: int, key: bytes = b"", body: bytes = b"") -> bytes:
    size = len(key) + len(body)
    return HEADER.pack(RESPONSE, request.opcode, len(key), 0, 0, status, size, request.opaque, 0) + key + body


def binary_closes(request: BinaryRequest, kind: str) -> bool:
    """Whether memcached closes the connection after saying this."""
    return kind in _CLOSING and not (kind == "auth-error" and request.opcode in SASL)
