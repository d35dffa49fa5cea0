"""How a reply goes on, packet by packet: one class for each shape that replies have.

Sources: MySQL manual, "Command Phase"; MariaDB knowledge base, "Server Response Packets".
"""

from __future__ import annotations

from collections.abc import Callable

from txvaurien.errors import FramingError
from txvaurien.model import Exchange
from txvaurien.protocols.mysql.context import Context
from txvaurien.protocols.mysql.messages import AuthReply, Reply, Statement, Statistics
from txvaurien.protocols.mysql.wire import (
    CLIENT_OPTIONAL_RESULTSET_METADATA,
    EOF,
    EOF_LIMIT,
    ERR,
    LOCAL_INFILE,
    MARIADB_CLIENT_CACHE_METADATA,
    MAX_PAYLOAD,
    MORE_DATA,
    OK,
    STATUS_CURSOR_EXISTS,
    STATUS_MORE_RESULTS,
    Short,
    lenenc,
    status_of,
    text_at,
)

#: More columns than a server can have (4096 in a table) mean that this is no result set.
MOST_COLUMNS = 0xFFFF


class Answer:
    """A reply that is due, or under way.

    :ivar exchange: whose reply it is; None if it answers what the proxy said.
    :ivar rows: whether ordinary rows come now, which nobody has to look at.
    :ivar left: how many packets come before something else does, as far as that is known:
        definitions, which nobody has to look at either, but for the last one.
    """

    __slots__ = ("context", "exchange", "left", "rows")

    reply: type[Reply] = Reply

    def __init__(self, context: Context, exchange: Exchange | None) -> None:
        self.context = context
        self.exchange = exchange
        self.rows = False
        self.left = 0

    def packet(self, head: bytes, length: int) -> bool:
        """Take the head of the next packet and the length of its payload; whether it is the last.

        :raises FramingError: no such packet can stand here.
        """
        raise NotImplementedError

    def note(self, head: bytes, terminator: bool = False) -> int:
        """Remember and return the server's status in an OK or EOF packet."""
        status = self.context.status = status_of(head, terminator)
        return status


class Single(Answer):
    """One packet: OK, EOF or ERR."""

    __slots__ = ()

    def packet(self, head: bytes, length: int) -> bool:
        if head[:1] in (b"\x00", b"\xfe"):
            self.note(head, self.context.deprecate_eof)
        return True


class Text(Answer):
    """One packet of text, for COM_STATISTICS."""

    __slots__ = ()

    reply = Statistics

    def packet(self, head: bytes, length: int) -> bool:
        return True


class Streaming(Answer):
    """An error, or what is no reply but a stream without end: the log, a table, the server's files."""

    __slots__ = ()

    def packet(self, head: bytes, length: int) -> bool:
        if head[:1] != b"\xff":
            raise FramingError("the server sends its log, or other things that are no reply")
        return True


class Result(Answer):
    """Results, of text or binary rows: an OK, or definitions and rows, as often as it says "more".

    :ivar content: the name of the file that the server asks for, which ends the reply.
    """

    __slots__ = ("_step", "content")

    def __init__(self, context: Context, exchange: Exchange | None) -> None:
        super().__init__(context, exchange)
        #: What takes the next packet. Not a bound method: that would be a cycle, for the collector to find.
        self._step: Callable[[Result, bytes, int], bool] = Result._header
        self.content: bytes | None = None

    def packet(self, head: bytes, length: int) -> bool:
        return head[:1] == b"\xff" or self._step(self, head, length)

    def _header(self, head: bytes, length: int) -> bool:
        if not length:
            raise FramingError("the server answers with an empty packet")
        if head[0] == OK or (head[0] == EOF and length < EOF_LIMIT):
            return not self.note(head) & STATUS_MORE_RESULTS
        if head[0] == LOCAL_INFILE:
            self.content = head[1:]
            return True
        return self._columns(head)

    def _columns(self, head: bytes) -> bool:
        try:
            count, at = lenenc(head, 0)
        except Short:
            raise FramingError("the server's answer is no result set") from None
        if count > MOST_COLUMNS:
            raise FramingError(f"the server announces {count} columns")
        optional = MARIADB_CLIENT_CACHE_METADATA | CLIENT_OPTIONAL_RESULTSET_METADATA
        if self.context.capabilities & optional and head[at : at + 1] == b"\0":
            count = 0
        self.left = count
        if count:
            self._step = Result._definition
        else:
            self._defined()
        return False

    def _definition(self, head: bytes, length: int) -> bool:
        self.left -= 1
        if not self.left:
            self._defined()
        return False

    def _defined(self) -> None:
        """All definitions are there."""
        if self.context.deprecate_eof:
            self.rows, self._step = True, Result._row
        else:
            self._step = Result._definitions_end

    def _definitions_end(self, head: bytes, length: int) -> bool:
        if head[:1] != b"\xfe":
            raise FramingError("the definitions of a result set do not end where they should")
        if self.note(head) & STATUS_CURSOR_EXISTS:
            return self._ended()
        self.rows, self._step = True, Result._row
        return False

    def _row(self, head: bytes, length: int) -> bool:
        modern = self.context.deprecate_eof
        if head[:1] != b"\xfe" or length >= (MAX_PAYLOAD if modern else EOF_LIMIT):
            return False
        self.note(head, modern)
        return self._ended()

    def _ended(self) -> bool:
        """A result is over; whether it was the last one."""
        self.rows, self._step = False, Result._header
        return not self.context.status & STATUS_MORE_RESULTS


class Fetched(Result):
    """Rows without definitions, for COM_STMT_FETCH."""

    __slots__ = ()

    def __init__(self, context: Context, exchange: Exchange | None) -> None:
        super().__init__(context, exchange)
        self.rows, self._step = True, Result._row

    def _ended(self) -> bool:
        return True


class Fields(Answer):
    """Definitions up to an EOF, for COM_FIELD_LIST."""

    __slots__ = ()

    def packet(self, head: bytes, length: int) -> bool:
        if head[:1] == b"\xfe":
            self.note(head, self.context.deprecate_eof)
        return head[:1] in (b"\xfe", b"\xff")


class Prepared(Answer):
    """The answer to COM_STMT_PREPARE: numbers, then definitions of parameters and columns.

    :ivar number: what the server calls the statement; None as long as it has not said so.
    """

    __slots__ = ("number", "statement")

    def __init__(self, context: Context, exchange: Exchange | None, statement: Statement) -> None:
        super().__init__(context, exchange)
        self.statement = statement
        self.number: int | None = None

    def packet(self, head: bytes, length: int) -> bool:
        if head[:1] == b"\xff":
            return True
        if self.number is None:
            self._numbers(head)
        else:
            self.left -= 1
        return not self.left

    def _numbers(self, head: bytes) -> None:
        if head[:1] != b"\0" or len(head) < 9:
            raise FramingError("the server does not answer to a preparation as it should")
        self.number = int.from_bytes(head[1:5], "little")
        columns = self.statement.columns = int.from_bytes(head[5:7], "little")
        parameters = self.statement.parameters = int.from_bytes(head[7:9], "little")
        if self.context.capabilities & CLIENT_OPTIONAL_RESULTSET_METADATA and head[12:13] == b"\0":
            return
        ends = 0 if self.context.deprecate_eof else bool(columns) + bool(parameters)
        self.left = columns + parameters + ends


class Authentication(Answer):
    """What the server says to a step of an authentication.

    :ivar accepted: the client is logged in.
    :ivar refused: it is not, and the server hangs up.
    """

    __slots__ = ("accepted", "refused")

    reply = AuthReply

    def __init__(self, context: Context, exchange: Exchange | None) -> None:
        super().__init__(context, exchange)
        self.accepted = False
        self.refused = False

    def packet(self, head: bytes, length: int) -> bool:
        first = head[0] if head else MORE_DATA
        if first == OK:
            self.accepted = True
            self.note(head)
        elif first == ERR:
            self.refused = True
        elif first == EOF:
            self._switch(head)
        # The password was known already: OK follows, and the client has nothing to say.
        return head != b"\x01\x03" or self.context.plugin != "caching_sha2_password"

    def _switch(self, head: bytes) -> None:
        try:
            self.context.plugin = text_at(head, 1)[0].decode("latin-1")
        except Short:
            self.context.plugin = "mysql_old_password"
