"""The binary protocol (the Binary Protocol Revamped page of memcached's wiki; protocol_binary.h)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from txvaurien.errors import FramingError
from txvaurien.model import Message
from txvaurien.protocols.memcache.dialect import Dialect
from txvaurien.protocols.memcache.flow import Flow
from txvaurien.protocols.memcache.messages import Asked, Request

REQUEST, RESPONSE = 0x80, 0x81

#: Magic, opcode, key length, extras length, data type, vbucket or status, body length, opaque, cas.
HEADER = struct.Struct(">BBHBBHI4sQ")


@dataclass(frozen=True)
class Operation:
    """One opcode. Quiet and key-returning forms have the verb of the plain one.

    :param quiet: answered only if there is something to say.
    :param key: the reply repeats the key, to a miss as well.
    """

    verb: str
    quiet: bool = False
    key: bool = False
    replies: bool = True


OPERATIONS = {
    0x00: Operation("GET"),
    0x01: Operation("SET"),
    0x02: Operation("ADD"),
    0x03: Operation("REPLACE"),
    0x04: Operation("DELETE"),
    0x05: Operation("INCR"),
    0x06: Operation("DECR"),
    0x07: Operation("QUIT"),
    0x08: Operation("FLUSH_ALL"),
    0x09: Operation("GET", quiet=True),
    0x0A: Operation("NOOP"),
    0x0B: Operation("VERSION"),
    0x0C: Operation("GET", key=True),
    0x0D: Operation("GET", quiet=True, key=True),
    0x0E: Operation("APPEND"),
    0x0F: Operation("PREPEND"),
    0x10: Operation("STATS"),
    0x11: Operation("SET", quiet=True),
    0x12: Operation("ADD", quiet=True),
    0x13: Operation("REPLACE", quiet=True),
    0x14: Operation("DELETE", quiet=True),
    0x15: Operation("INCR", quiet=True),
    0x16: Operation("DECR", quiet=True),
    0x17: Operation("QUIT", replies=False),
    0x18: Operation("FLUSH_ALL", quiet=True),
    0x19: Operation("APPEND", quiet=True),
    0x1A: Operation("PREPEND", quiet=True),
    0x1B: Operation("VERBOSITY"),
    0x1C: Operation("TOUCH"),
    0x1D: Operation("GAT"),
    0x1E: Operation("GAT", quiet=True),
    0x20: Operation("SASL_LIST_MECHS"),
    0x21: Operation("SASL_AUTH"),
    0x22: Operation("SASL_STEP"),
    0x23: Operation("GAT", key=True),
    0x24: Operation("GAT", quiet=True, key=True),
}

UNKNOWN = Operation("UNKNOWN")

#: Opcodes whose replies repeat the key.
WITH_KEY = frozenset(opcode for opcode, operation in OPERATIONS.items() if operation.key)

#: STAT is answered by a packet for each figure; one without a key is the last.
STAT = 0x10

#: Logging in.
SASL = (0x20, 0x21, 0x22)

STATUSES = {
    0x00: "OK",
    0x01: "NOT_FOUND",
    0x02: "EXISTS",
    0x03: "TOO_LARGE",
    0x04: "INVALID",
    0x05: "NOT_STORED",
    0x06: "NON_NUMERIC",
    0x20: "AUTH_ERROR",
    0x21: "AUTH_CONTINUE",
    0x81: "UNKNOWN_COMMAND",
    0x82: "OUT_OF_MEMORY",
    0x83: "NOT_SUPPORTED",
    0x84: "INTERNAL_ERROR",
    0x85: "BUSY",
    0x86: "TEMPORARY_FAILURE",
}


class BinaryRequest(Request):
    """The header of a request, with its extras and its key."""

    __slots__ = ("head", "operation", "quiet", "replies")

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.operation = OPERATIONS.get(head[1], UNKNOWN)
        self.quiet = self.operation.quiet
        self.replies = self.operation.replies

    @property
    def opcode(self) -> int:
        """The number of the command."""
        return self.head[1]

    @property
    def opaque(self) -> bytes:
        """What the reply repeats."""
        return self.head[12:16]

    @property
    def cas(self) -> bytes:
        """The version that the item must have; zeros for any."""
        return self.head[16:24]

    @property
    def extras(self) -> bytes:
        """Flags, expiration and the like, by command."""
        return self.head[24 : 24 + self.head[4]]

    @property
    def key(self) -> bytes:
        """The key; for SASL the mechanism."""
        return self.head[24 + self.head[4] :]

    @property
    def verb(self) -> str:
        """The command by the name that it has in the text protocol."""
        return self.operation.verb

    @property
    def targets(self) -> Sequence[str]:
        """The key, if there is one."""
        return [self.key.decode(errors="backslashreplace")] if self.key else []

    def answered_by(self, head: bytes) -> bool:
        """Whether a response with this header can be the one to this request."""
        if head[1] != self.head[1] or head[12:16] != self.head[12:16]:
            return False
        key = head[24 + head[4] :]
        return not key or key == self.key


class BinaryReply(Message):
    """The header of a response."""

    __slots__ = ("_head",)

    def __init__(self, head: bytes) -> None:
        self._head = head

    @property
    def status(self) -> str:
        """The name of its status: OK, NOT_FOUND, TEMPORARY_FAILURE; else its number in hexadecimal."""
        code = int.from_bytes(self._head[6:8], "big")
        return STATUSES.get(code, f"0x{code:02x}")

    @property
    def head_size(self) -> int:
        """The header, the extras and the key; 0 for figures, which come as several packets."""
        if self._many:
            return 0
        return HEADER.size + self._head[4] + int.from_bytes(self._head[2:4], "big")

    @property
    def body_size(self) -> int | None:
        """The length of the value; None for figures."""
        if self._many:
            return None
        return HEADER.size + int.from_bytes(self._head[8:12], "big") - self.head_size

    @property
    def _many(self) -> bool:
        return self._head[1] == STAT and self._head[2:4] != b"\0\0"


class BinaryDialect(Dialect):
    """Packets: a header of 24 bytes, then extras, key and value."""

    lines: ClassVar[bool] = False
    no_op_opaque: ClassVar[bytes] = b"nudg"
    no_op: ClassVar[bytes] = HEADER.pack(REQUEST, 0x0A, 0, 0, 0, 0, 0, no_op_opaque, 0)
    no_op_reply: ClassVar[bytes] = bytes([RESPONSE, 0x0A])

    def next_request(self) -> tuple[Asked, int] | None:
        flow = self.asked
        if not self._has(flow, HEADER.size):
            return None
        magic, opcode, key, extras, _, _, body, _, _ = HEADER.unpack_from(flow.buffer, flow.at)
        if magic != REQUEST:
            raise FramingError("a request that does not begin with 0x80")
        if extras + key > body:
            raise FramingError("a request that is shorter than its key")
        head = HEADER.size + extras + key
        if not self._has(flow, head):
            return None
        request = BinaryRequest(flow.buffer[flow.at : flow.at + head])
        asked = Asked(request, replies=request.replies, handshake=opcode in SASL)
        return asked, HEADER.size + body

    @staticmethod
    def _has(flow: Flow, size: int) -> bool:
        flow.need = size
        return flow.size() >= size

    def whole_request(self, data: bytes) -> Asked | None:
        if len(data) < HEADER.size:
            return None
        magic, opcode, key, extras, _, _, body, _, _ = HEADER.unpack_from(data)
        if magic != REQUEST or extras + key > body or len(data) != HEADER.size + body:
            return None
        request = BinaryRequest(data[: HEADER.size + extras + key])
        return Asked(request, replies=request.replies, handshake=opcode in SASL)

    def whole_reply(self, data: bytes) -> bytes | None:
        if len(data) < HEADER.size:
            return None
        magic, opcode, key, extras, _, _, body, _, _ = HEADER.unpack_from(data)
        if magic != RESPONSE or extras + key > body or len(data) != HEADER.size + body or opcode == STAT:
            return None
        return data[: HEADER.size + (extras + key if opcode in WITH_KEY else 0)]

    def next_part(self) -> tuple[bytes, int, bool] | None:
        flow = self.said
        if not self._has(flow, HEADER.size):
            return None
        magic, opcode, key, extras, _, status, body, _, _ = HEADER.unpack_from(flow.buffer, flow.at)
        if magic != RESPONSE:
            raise FramingError("a response that does not begin with 0x81")
        if extras + key > body:
            raise FramingError("a response that is shorter than its key")
        if flow.exchange is not None and opcode != STAT:
            raise FramingError("something else among the responses to STAT")
        # Many quiet gets may have the same opaque: then the key tells which of them this answers.
        size = HEADER.size + (extras + key if opcode in WITH_KEY else 0)
        if not self._has(flow, size):
            return None
        head = flow.buffer[flow.at : flow.at + size]
        return head, HEADER.size + body, opcode == STAT and status == 0 and key > 0

    def reply(self, head: bytes, request: Request | None) -> Message:
        return BinaryReply(head)

    def stray(self, head: bytes) -> bool:
        return False
