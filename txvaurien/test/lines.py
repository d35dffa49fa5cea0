"""A small protocol for tests of the link: a line is a message."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import ClassVar

from txvaurien.errors import FramingError, NotLegal
from txvaurien.model import Connect, Direction, ErrorKind, Exchange, Frame, Message, Refusal, Then, Where
from txvaurien.protocols.base import Session, WireProtocol


class Line(Message):
    """``VERB target...``, or a reply."""

    __slots__ = ("_words",)

    def __init__(self, line: bytes) -> None:
        self._words = line.decode().split()

    @property
    def verb(self) -> str:
        return self._words[0].upper()

    @property
    def targets(self) -> Sequence[str]:
        return self._words[1:]

    @property
    def status(self) -> str:
        return self._words[0]


class LineSession(Session):
    """Requests end with a newline; so do replies. The first word decides:

    ``quiet`` has no reply; ``!news`` from the backend was not asked for; ``#``
    cannot be framed; ``body N`` is followed by N bytes that belong to it.
    """

    def __init__(self) -> None:
        self._buffers = dict.fromkeys(Direction, b"")
        self._pending: deque[Exchange] = deque()
        self._body: dict[Direction, tuple[Exchange, int] | None] = dict.fromkeys(Direction)

    def receive(self, direction: Direction, data: bytes) -> Iterator[Frame]:
        self._buffers[direction] += data
        while True:
            body = self._body[direction]
            if body is not None:
                yield from self._more_of(direction, *body)
                if self._body[direction] is not None:
                    return
            line, newline, _ = self._buffers[direction].partition(b"\n")
            if not newline:
                return
            if line.startswith(b"#"):
                raise FramingError("a comment cannot be framed")
            yield self._take(direction, line + newline)

    def _more_of(self, direction: Direction, exchange: Exchange, missing: int) -> Iterator[Frame]:
        part = self._buffers[direction][:missing]
        if not part:
            return
        self._buffers[direction] = self._buffers[direction][len(part) :]
        left = missing - len(part)
        self._body[direction] = (exchange, left) if left else None
        yield Frame(part, exchange, first=False, last=not left)

    def _take(self, direction: Direction, raw: bytes) -> Frame:
        exchange = self._asked(raw) if direction is Direction.TO_BACKEND else self._answered(raw)
        self._buffers[direction] = self._buffers[direction][len(raw) :]
        words = raw.split()
        last = words[0].lstrip(b"!") != b"body"
        if not last:
            self._body[direction] = (exchange, int(words[1]))
        return Frame(raw, exchange, last=last)

    def _asked(self, raw: bytes) -> Exchange:
        exchange = Exchange(Line(raw), replies=not raw.startswith(b"quiet"))
        if exchange.replies:
            self._pending.append(exchange)
        return exchange

    def _answered(self, raw: bytes) -> Exchange:
        if raw.startswith(b"!"):
            return Exchange(response=Line(raw[1:]))
        if not self._pending:
            raise FramingError("a reply to nothing")
        exchange = self._pending.popleft()
        exchange.response = Line(raw)
        return exchange

    def finish(self, direction: Direction) -> Iterator[Frame]:
        rest = self.rest(direction)
        if rest:
            yield Frame(rest, Exchange(Line(rest), replies=False), last=True)

    def rest(self, direction: Direction) -> bytes:
        rest, self._buffers[direction] = self._buffers[direction], b""
        return rest

    def legal(self, exchange: Exchange) -> Sequence[str]:
        where = Where.CONNECT if isinstance(exchange.request, Connect) else Where.COMMAND
        return [kind.name for kind in Lines.error_kinds if kind.where is where]

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        if kind not in self.legal(exchange):
            raise NotLegal(f"{kind} cannot be said here")
        if not exchange.sent:
            self.withdraw(exchange)
        then = {"bye": Then.CLOSE, "full": Then.CLOSE, "gone": Then.CLOSE}.get(kind, Then.KEEP)
        return Refusal(f"-{kind}{text}\n".encode(), b"undo\n" if kind == "undo" else b"", then)

    def withdraw(self, exchange: Exchange) -> None:
        if exchange in self._pending:
            self._pending.remove(exchange)


class Lines(WireProtocol, frozen=True, kw_only=True):
    """Lines, for tests."""

    name: ClassVar[str] = "lines"
    error_kinds: ClassVar[Sequence[ErrorKind]] = (
        ErrorKind("no", Where.COMMAND, "a plain error"),
        ErrorKind("bye", Where.COMMAND, "an error after which the server closes"),
        ErrorKind("undo", Where.COMMAND, "an error of which the backend is told", drawn=False),
        ErrorKind("full", Where.CONNECT, "in place of being served"),
        ErrorKind("who", Where.HANDSHAKE, "to a log-in"),
        ErrorKind("gone", Where.COMMAND, "what a gateway says", drawn=False),
    )
    too_many_kind: ClassVar[str] = "full"
    unreachable_kind: ClassVar[str] = ""

    def session(self) -> Session:
        return LineSession()


class GatewayLines(Lines, frozen=True, kw_only=True):
    """Lines that have words for a backend which cannot be reached."""

    name: ClassVar[str] = "gateway-lines"
    unreachable_kind: ClassVar[str] = "gone"
