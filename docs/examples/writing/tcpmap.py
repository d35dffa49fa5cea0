"""Postfix's TCP map (tcp_table(5)): what is asked, what is answered, and errors in the server's own words."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from txvaurien.errors import FramingError, NotLegal
from txvaurien.model import Connect, Direction, ErrorKind, Exchange, Frame, Message, Refusal, Then, Where
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.proxy import ProxyFactory, ProxyProtocol

#: What each error says. The status comes first, and 400 asks the client to try again later.
LINES: Mapping[str, bytes] = {
    "missing": b"500 no such key\n",
    "unavailable": b"400 try again later\n",
    "custom": b"%s\n",
    "closed": b"",
}


class Line(Message):
    """``get key``, ``put key value``, or ``200 value``."""

    __slots__ = ("_line",)

    def __init__(self, line: bytes) -> None:
        self._line = line

    @property
    def verb(self) -> str:
        return self._words[0].upper()

    @property
    def targets(self) -> Sequence[str]:
        return self._words[1:2]

    @property
    def _words(self) -> Sequence[str]:
        return self._line.decode("ascii", "replace").split() or [""]


class Reply(Line):
    """A reply has a status in place of a verb, and its text is nobody's business."""

    __slots__ = ()

    @property
    def verb(self) -> str:
        return ""

    @property
    def targets(self) -> Sequence[str]:
        return ()

    @property
    def status(self) -> str:
        return self._words[0]


class Lines:
    """What has come in one direction and was not given out yet."""

    __slots__ = ("_held", "_longest", "_searched")

    def __init__(self, longest: int) -> None:
        self._held = bytearray()
        self._longest = longest
        #: So many bytes have no newline. They are not looked at again.
        self._searched = 0

    def feed(self, data: bytes) -> None:
        """Bytes have come."""
        self._held += data

    def line(self) -> bytes:
        """The first line that is complete, which stays; empty if there is none."""
        end = self._held.find(b"\n", self._searched, self._longest) + 1
        if end:
            return bytes(self._held[:end])
        if len(self._held) >= self._longest:
            raise FramingError(f"a line is longer than {self._longest} bytes")
        self._searched = len(self._held)
        return b""

    def take(self, size: int) -> bytes:
        """The first so many bytes, which are gone then."""
        taken = bytes(self._held[:size])
        del self._held[:size]
        self._searched = 0
        return taken

    def __len__(self) -> int:
        return len(self._held)


class TcpMapSession(Session):
    """One link: a line is a message, and replies come in the order of the requests."""

    def __init__(self, longest: int) -> None:
        self._lines = {direction: Lines(longest) for direction in Direction}
        #: What the backend still has to answer.
        self._pending: deque[Exchange] = deque()

    def receive(self, direction: Direction, data: bytes) -> Iterator[Frame]:
        lines = self._lines[direction]
        lines.feed(data)
        while line := lines.line():
            # May raise: then the line is still there, for `rest`.
            exchange = self._exchange(direction, line)
            yield Frame(lines.take(len(line)), exchange)

    def _exchange(self, direction: Direction, line: bytes) -> Exchange:
        """The exchange that a line begins, or answers."""
        if direction is Direction.TO_CLIENT:
            if not self._pending:
                raise FramingError("the server answers what nobody has asked")
            answered = self._pending.popleft()
            answered.response = Reply(line)
            return answered
        asked = Exchange(request=Line(line))
        self._pending.append(asked)
        return asked

    def finish(self, direction: Direction) -> Iterator[Frame]:
        lines = self._lines[direction]
        if lines:
            # Cut short by the FIN: it is passed on all the same.
            yield self._last(direction, lines)

    def _last(self, direction: Direction, lines: Lines) -> Frame:
        if direction is Direction.TO_BACKEND:
            return Frame(lines.take(len(lines)), Exchange(request=Line(b""), replies=False))
        exchange = self._exchange(direction, b"")
        return Frame(lines.take(len(lines)), exchange)

    def rest(self, direction: Direction) -> bytes:
        lines = self._lines[direction]
        return lines.take(len(lines))

    def legal(self, exchange: Exchange) -> Sequence[str]:
        if isinstance(exchange.request, Connect) or not exchange.replies:
            return ()
        return [kind.name for kind in TcpMap.error_kinds]

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        if kind not in self.legal(exchange):
            raise NotLegal(f"{kind} cannot be said here")
        if kind == "custom" and not self._fits(text):
            raise NotLegal("the text of custom has to be one line of ASCII, such as '500 not today'")
        if not exchange.sent:
            self.withdraw(exchange)
        line = LINES[kind].replace(b"%s", text.encode())
        return Refusal(line, then=Then.KEEP if line else Then.CLOSE)

    def _fits(self, text: str) -> bool:
        return text.isascii() and text.isprintable() and text[:3] in {"200", "400", "500"}

    def withdraw(self, exchange: Exchange) -> None:
        if exchange in self._pending:
            self._pending.remove(exchange)


class TcpMap(WireProtocol, frozen=True, kw_only=True):
    """Postfix's TCP map: lookups in a table that a server has."""

    name: ClassVar[str] = "tcpmap"
    verbs: ClassVar[Sequence[str]] = ("GET", "PUT")
    error_kinds: ClassVar[Sequence[ErrorKind]] = (
        ErrorKind("missing", Where.COMMAND, "500: there is no such key"),
        ErrorKind("unavailable", Where.COMMAND, "400: the client is to try again later"),
        ErrorKind("custom", Where.COMMAND, "the line that is given as text", drawn=False),
        ErrorKind("closed", Where.COMMAND, "the connection is closed without a reply"),
    )
    unreachable_kind: ClassVar[str] = "unavailable"

    longest: Annotated[
        int, Meta(ge=16, le=65_536, description="bytes that a line may have, its newline included")
    ] = 4096

    def session(self) -> Session:
        return TcpMapSession(self.longest)


class TcpMapProtocol(ProxyProtocol):
    """The client's end of a link that speaks Postfix's TCP map."""


class TcpMapFactory(ProxyFactory):
    """Serves a proxy for it: ``endpoint.listen(TcpMapFactory("localhost:10023", plan))``."""

    protocol = TcpMapProtocol
    wire = TcpMap()
