"""Bytes without further meaning: what tcp is, and what a link becomes that cannot be followed.

An exchange is a turn: what the client says until the server speaks, and what the
server says until the client speaks again. Where a chunk ends is an accident of
the kernel, where a turn ends is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from txvaurien.model import Direction, Exchange, Frame, Message
from txvaurien.protocols.base import Session


class Turn(Message):
    """One side has its say."""

    __slots__ = ("_verb",)

    def __init__(self, verb: str) -> None:
        self._verb = verb

    @property
    def verb(self) -> str:
        """``SAY`` for the client's part, ``GREET`` for a server that speaks first."""
        return self._verb


class OpaqueSession(Session):
    """Turns. Nothing is ever held back, so there is no `rest` and nothing to finish."""

    def __init__(self) -> None:
        self._turn: Exchange | None = None
        self._answered = False

    def receive(self, direction: Direction, data: bytes) -> Sequence[Frame]:
        if not data:
            return ()
        return (self._said(data) if direction is Direction.TO_BACKEND else self._heard(data),)

    def goes_on(self, direction: Direction) -> bool:
        """Whether what comes next in this direction belongs to what came last."""
        if direction is Direction.TO_BACKEND:
            return self._turn is not None and not self._answered
        return self._answered

    def _said(self, data: bytes) -> Frame:
        first = self._turn is None or self._answered
        if self._turn is None or self._answered:
            self._turn = Exchange(Turn("SAY"), prompt=True, open_ended=True)
            self._answered = False
        return Frame(data, self._turn, first, last=False)

    def _heard(self, data: bytes) -> Frame:
        first = not self._answered
        if self._turn is None:
            self._turn = Exchange(response=Turn("GREET"), prompt=True, open_ended=True)
        elif first:
            self._turn.response = Turn("SAY")
        self._answered = True
        return Frame(data, self._turn, first, last=False)

    def finish(self, direction: Direction) -> Iterator[Frame]:
        turn = self._turn
        if turn is None:
            return
        if not self._answered if direction is Direction.TO_BACKEND else turn.response is not None:
            yield Frame(b"", turn, first=False, last=True)

    def rest(self, direction: Direction) -> bytes:
        return b""

    def withdraw(self, exchange: Exchange) -> None:
        # Answered by somebody else: what the client says next is a new turn.
        if exchange is self._turn:
            self._answered = True
