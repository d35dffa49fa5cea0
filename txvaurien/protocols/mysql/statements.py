"""The prepared statements of a link, and what a refused execution takes away from them.

A client sends the types of the parameters with its first execution only, because the
server keeps them. If the backend never hears of that execution, it never gets them; so
they are kept here and put into the next one that leaves them out.
"""

from __future__ import annotations

from txvaurien.protocols.mysql.messages import Execute, Query, Statement
from txvaurien.protocols.mysql.sql import GLANCE
from txvaurien.protocols.mysql.wire import (
    CLIENT_QUERY_ATTRIBUTES,
    COM_STMT_BULK_EXECUTE,
    COM_STMT_EXECUTE,
    MAX_PAYLOAD,
    Short,
    lenenc,
    skip_text,
)

#: How many statements are remembered; more than servers allow (max_prepared_stmt_count, 16382).
MOST_STATEMENTS = 16384

#: MariaDB's name for the statement that was prepared last, whose number is still on its way.
LAST = b"\xff\xff\xff\xff"

#: A number that no server gives to a statement.
NOBODY = b"\0\0\0\0"

#: With this flag an execution says how many parameters it has (CLIENT_QUERY_ATTRIBUTES).
_PARAMETER_COUNT = 0x08
#: With this flag a bulk execution of MariaDB carries types.
_SEND_TYPES = 0x80


class Statements:
    """What has been prepared on a link and not been closed."""

    __slots__ = ("_by_number", "_last", "_refused")

    def __init__(self) -> None:
        self._by_number: dict[int, Statement] = {}
        self._last: Statement | None = None
        #: The last preparation was refused: the backend's "last" is not the client's.
        self._refused = False

    @property
    def edits(self) -> bool:
        """Whether an execution may come that has to be mended."""
        known = self._last is not None and self._last.types != b""
        return self._refused or known or any(each.types for each in self._by_number.values())

    def prepare(self, query: Query) -> Statement:
        """A statement is about to be prepared."""
        # It is kept for its first word and its table only.
        query.head = query.head[: 1 + GLANCE]
        self._last = Statement(query)
        self._refused = False
        return self._last

    def prepared(self, number: int, statement: Statement) -> None:
        """The server has said what it calls the statement."""
        if len(self._by_number) >= MOST_STATEMENTS:
            del self._by_number[next(iter(self._by_number))]
        self._by_number[number] = statement

    def refused(self) -> None:
        """The last preparation was withheld from the backend."""
        self._last = None
        self._refused = True

    def find(self, head: bytes) -> Statement | None:
        """The statement that a command is about."""
        if head[1:5] == LAST:
            return self._last
        return self._by_number.get(int.from_bytes(head[1:5], "little"))

    def close(self, head: bytes) -> None:
        """The client has no more use for a statement."""
        self._by_number.pop(int.from_bytes(head[1:5], "little"), None)

    def clear(self) -> None:
        """The server has forgotten them all."""
        self._by_number.clear()
        self._last = None

    def mended(self, request: Execute, raw: bytes, capabilities: int) -> bytes:
        """The first frame of an execution as the backend has to see it."""
        if self._refused and request.head[1:5] == LAST:
            return raw[:5] + NOBODY + raw[9:]
        statement = request.statement
        if statement is None or not statement.types:
            return raw
        place = types_at(request, capabilities)
        longer = int.from_bytes(raw[:3], "little") + len(statement.types)
        if place is None or has_types(request, place) or longer >= MAX_PAYLOAD:
            return raw
        return longer.to_bytes(3, "little") + raw[3:4] + _with_types(request, raw[4:], place, statement.types)


def types_at(request: Execute, capabilities: int) -> int | None:
    """Where in an execution the types of its parameters stand, or would; None if there are none."""
    head, statement = request.head, request.statement
    if request.code == COM_STMT_BULK_EXECUTE:
        return 7
    if request.code != COM_STMT_EXECUTE or statement is None:
        return None
    count, at = statement.parameters, 10
    if capabilities & CLIENT_QUERY_ATTRIBUTES and head[5:6] and head[5] & _PARAMETER_COUNT:
        try:
            count, at = lenenc(head, at)
        except Short:
            return None
    return at + (count + 7) // 8 + 1 if count else None


def has_types(request: Execute, place: int) -> bool:
    """Whether an execution carries types."""
    if request.code == COM_STMT_BULK_EXECUTE:
        return bool(int.from_bytes(request.head[5:7], "little") & _SEND_TYPES)
    return request.head[place - 1 : place] == b"\1"


def types_of(request: Execute, capabilities: int) -> bytes | None:
    """The types that an execution carries: ``b""`` if none, None if they cannot be told apart."""
    if request.code not in (COM_STMT_EXECUTE, COM_STMT_BULK_EXECUTE):
        return b""
    if request.statement is None:
        return None
    place = types_at(request, capabilities)
    if place is None or not has_types(request, place):
        return b""
    end = _types_end(request, place, capabilities)
    return request.head[place:end] if end is not None and end <= len(request.head) else None


def _types_end(request: Execute, place: int, capabilities: int) -> int | None:
    assert request.statement is not None
    count = request.statement.parameters
    named = capabilities & CLIENT_QUERY_ATTRIBUTES and request.code == COM_STMT_EXECUTE
    if not named:
        return place + 2 * count
    try:
        if request.head[5] & _PARAMETER_COUNT:
            count, _ = lenenc(request.head, 10)
        for _ in range(count):
            place = skip_text(request.head, place + 2)
    except Short:
        return None
    return place


def _with_types(request: Execute, payload: bytes, place: int, types: bytes) -> bytes:
    """The payload with types put in, and the flag that says so."""
    if request.code == COM_STMT_BULK_EXECUTE:
        flags = int.from_bytes(payload[5:7], "little") | _SEND_TYPES
        return payload[:5] + flags.to_bytes(2, "little") + types + payload[place:]
    return payload[: place - 1] + b"\1" + types + payload[place:]
