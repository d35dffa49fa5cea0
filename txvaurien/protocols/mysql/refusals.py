"""What a refusal says, to the client and to the backend, in the packets of the moment."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from txvaurien.errors import NotLegal
from txvaurien.model import Connect, Exchange, Refusal, Then
from txvaurien.protocols.mysql import catalogue
from txvaurien.protocols.mysql.answers import Answer, Fetched, Result
from txvaurien.protocols.mysql.catalogue import Situation
from txvaurien.protocols.mysql.context import Context
from txvaurien.protocols.mysql.messages import Command, Content, Execute, Query, Request
from txvaurien.protocols.mysql.rowcut import RowCut
from txvaurien.protocols.mysql.statements import Statements, types_of
from txvaurien.protocols.mysql.wire import (
    CLIENT_QUERY_ATTRIBUTES,
    COM_QUERY,
    COM_STMT_FETCH,
    COM_STMT_PREPARE,
    COM_STMT_RESET,
    STATUS_AUTOCOMMIT,
    STREAMING,
    envelope,
    error,
    packet,
)


class Refusals:
    """What one link's session says in place of the backend, and tells the backend for it.

    :param due: the replies that the session waits for.
    """

    __slots__ = ("_context", "_due", "_late", "_statements")

    def __init__(self, context: Context, statements: Statements, due: list[Answer]) -> None:
        self._context = context
        self._statements = statements
        self._due = due
        #: A refusal whose words wait for the end of the request.
        self._late: tuple[Exchange, Situation, str, str] | None = None

    def legal(self, exchange: Exchange) -> Sequence[str]:
        """See `ISession.legal`."""
        at = Situation.of(exchange, self._context)
        names = catalogue.legal(at)
        if self._only_ends(exchange, at):
            return [name for name in names if ends(at, name) or name == catalogue.ERROR_IN_ROWS.name]
        return names

    def _only_ends(self, exchange: Exchange, at: Situation) -> bool:
        """Whether nothing can be said that leaves both sides in step."""
        if exchange.sent:
            # The server may ask for a file and would wait for it, or its answer has no end.
            return at.word == "LOAD" or (isinstance(at.request, Command) and at.request.code in STREAMING)
        if not isinstance(exchange.request, Execute):
            return False
        types = types_of(exchange.request, self._context.capabilities)
        return types is None or (types != b"" and self._context.compressed)

    def refuse(self, exchange: Exchange, kind: str, text: str) -> Refusal:
        """See `ISession.refuse`."""
        if kind not in self.legal(exchange):
            raise NotLegal(f"{kind} cannot be said to {exchange.message.verb or 'this'} here")
        at = Situation.of(exchange, self._context)
        if kind == catalogue.ERROR_IN_ROWS.name:
            return Refusal(b"", edit=self._cut(at))
        to_backend = b"" if ends(at, kind) else self._tell(exchange, at, kind)
        if not exchange.sent:
            self._take_out(exchange)
        if isinstance(at.request, Request) and not at.request.whole:
            # The sequence number of the answer depends on how the request ends.
            self._late = (exchange, at, kind, text)
            return Refusal(b"", to_backend)
        return refusal(at, kind, text, to_backend)

    def _cut(self, at: Situation) -> RowCut:
        """What puts an error among the rows of the backend's reply."""
        request, context = at.request, copy(self._context)
        assert isinstance(request, Command)
        shape = Fetched if request.code == COM_STMT_FETCH else Result
        interrupted = catalogue.BY_NAME["query-interrupted"].payload(at)
        return RowCut(shape(context, None), request, error(*interrupted))

    def withdraw(self, exchange: Exchange) -> bytes | None:
        """See `ISession.withdraw`."""
        told = self._tell(exchange, Situation.of(exchange, self._context), "")
        self._take_out(exchange)
        return told or None

    def complete(self, exchange: Exchange) -> None:
        """The client has said all of a request: if its refusal waited for that, it can be worded now."""
        if self._late is not None and self._late[0] is exchange:
            _, at, kind, text = self._late
            self._late = None
            exchange.answer = refusal(at, kind, text)

    def _tell(self, exchange: Exchange, at: Situation, kind: str) -> bytes:
        """What makes the backend what the client believes it to be; its answers are due then."""
        compressed, told = self._context.compressed, []
        request = exchange.request
        if isinstance(request, Content) and not exchange.sent:
            seq, outer = self._context.asked_with
            told.append(command(b"", compressed, seq + 1, outer + 1))
        if isinstance(request, Execute) and request.leaves_long_data and not exchange.sent:
            told.append(command(bytes((COM_STMT_RESET,)) + request.head[1:5], compressed))
        # BEGIN may be among what was asked before and is not answered yet.
        unsure = any(answer.exchange is not exchange for answer in self._due)
        if undoes(at, kind, exchange.sent, unsure):
            told.append(rollback(at))
        self._due.extend(Result(self._context, None) for _ in told)
        return b"".join(told)

    def _take_out(self, exchange: Exchange) -> None:
        """The backend will never hear of this request."""
        for answer in reversed(self._due):
            if answer.exchange is exchange:
                self._due.remove(answer)
                break
        request = exchange.request
        if isinstance(request, Query) and request.code == COM_STMT_PREPARE:
            self._statements.refused()
        elif isinstance(request, Execute) and request.statement is not None:
            statement = request.statement
            statement.types = types_of(request, self._context.capabilities) or statement.types
            if request.leaves_long_data:
                statement.long_data = False


def refusal(at: Situation, kind: str, text: str, to_backend: bytes = b"") -> Refusal:
    """The `Refusal` of a kind that is legal here, to a request that has come to its end."""
    if isinstance(at.request, Connect):
        code, _, words = catalogue.BY_NAME[kind].payload(at)
        # Nobody has said yet what it can: as servers do it, the SQLSTATE is left out.
        return Refusal(packet(error(code, "", words), 0), then=Then.CLOSE)
    request = at.request
    assert isinstance(request, Request)
    said = _said(at, kind, text, request.seq + 1)
    if at.context.compressed and said:
        said = envelope(said, request.outer + 1)
    return Refusal(said, to_backend, Then.CLOSE if ends(at, kind) else Then.KEEP)


def ends(at: Situation, kind: str) -> bool:
    """Whether the server hangs up after it."""
    if kind in (catalogue.GONE_AWAY.name, catalogue.LOST_CONNECTION.name) or at.logs_in:
        return True
    words = catalogue.BY_NAME.get(kind)
    return words is not None and words.ends


def undoes(at: Situation, kind: str, sent: bool, unsure: bool) -> bool:
    """Whether the client then believes that its transaction was rolled back, while it was not.

    A COMMIT that fails ends the transaction; so does a deadlock, whatever it was said to.
    While it is unsure whether there is a transaction, one ROLLBACK too many does no harm.
    """
    words = catalogue.BY_NAME.get(kind)
    if words is not None and words.undoes and (at.context.in_transaction or unsure):
        return True
    return at.word == "COMMIT" and not sent


def rollback(at: Situation) -> bytes:
    """The command that rolls back."""
    attributes = b"\0\1" if at.context.capabilities & CLIENT_QUERY_ATTRIBUTES else b""
    return command(bytes((COM_QUERY,)) + attributes + b"ROLLBACK", at.context.compressed)


def command(payload: bytes, compressed: bool, seq: int = 0, outer: int = 0) -> bytes:
    """A packet to the backend."""
    packets = packet(payload, seq)
    return envelope(packets, outer) if compressed else packets


def _said(at: Situation, kind: str, text: str, seq: int) -> bytes:
    """The packet that stands in place of the reply, or what there is of it."""
    if kind == catalogue.GONE_AWAY.name:
        return b""
    if kind == catalogue.LOST_CONNECTION.name:
        return packet(b"\0\0\0" + STATUS_AUTOCOMMIT.to_bytes(2, "little") + b"\0\0", seq)[:-3]
    custom = kind == catalogue.CUSTOM.name
    return packet(error(*(catalogue.custom(text) if custom else catalogue.BY_NAME[kind].payload(at))), seq)
