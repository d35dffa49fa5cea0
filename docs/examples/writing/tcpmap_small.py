"""The smallest protocol that can be used: Postfix's TCP map, in which a line is a message."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import ClassVar

from txvaurien.errors import FramingError
from txvaurien.model import Direction, Exchange, Frame, Message
from txvaurien.protocols.base import Session, WireProtocol

#: The longest line, its newline included (tcp_table(5), "REPLY FORMAT").
LONGEST = 4096


class TcpMapSession(Session):
    """One link: a line is a message, and replies come in the order of the requests."""

    def __init__(self) -> None:
        self._held = {direction: bytearray() for direction in Direction}
        self._pending: deque[Exchange] = deque()

    def receive(self, direction: Direction, data: bytes) -> Iterator[Frame]:
        held = self._held[direction]
        held += data
        while end := held.find(b"\n", 0, LONGEST) + 1:
            exchange = self._exchange(direction)
            line = bytes(held[:end])
            del held[:end]
            yield Frame(line, exchange)
        if len(held) >= LONGEST:
            raise FramingError(f"a line is longer than {LONGEST} bytes")

    def _exchange(self, direction: Direction) -> Exchange:
        if direction is Direction.TO_BACKEND:
            asked = Exchange(request=Message())
            self._pending.append(asked)
            return asked
        if not self._pending:
            raise FramingError("the server answers what nobody has asked")
        answered = self._pending.popleft()
        answered.response = Message()
        return answered

    def finish(self, direction: Direction) -> Iterator[Frame]:
        if self._held[direction]:
            exchange = self._exchange(direction)
            yield Frame(self.rest(direction), exchange)

    def rest(self, direction: Direction) -> bytes:
        rest = bytes(self._held[direction])
        self._held[direction].clear()
        return rest

    def withdraw(self, exchange: Exchange) -> None:
        self._pending.remove(exchange)


class TcpMap(WireProtocol, frozen=True, kw_only=True):
    """Postfix's TCP map."""

    name: ClassVar[str] = "tcpmap"

    def session(self) -> Session:
        return TcpMapSession()
