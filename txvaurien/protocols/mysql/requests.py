"""What a client says: which message it is, and what will answer it."""

from __future__ import annotations

from txvaurien.errors import FramingError
from txvaurien.model import Exchange
from txvaurien.protocols.mysql.answers import (
    Answer,
    Authentication,
    Fetched,
    Fields,
    Prepared,
    Result,
    Single,
    Streaming,
    Text,
)
from txvaurien.protocols.mysql.context import Context
from txvaurien.protocols.mysql.messages import (
    Auth,
    ChangeUser,
    Command,
    Content,
    Execute,
    Login,
    Query,
    Request,
    TlsRequest,
)
from txvaurien.protocols.mysql.statements import Statements
from txvaurien.protocols.mysql.wire import (
    CLIENT_SSL,
    COM_CHANGE_USER,
    COM_FIELD_LIST,
    COM_PROCESS_INFO,
    COM_QUERY,
    COM_QUIT,
    COM_STATISTICS,
    COM_STMT_BULK_EXECUTE,
    COM_STMT_CLOSE,
    COM_STMT_EXECUTE,
    COM_STMT_FETCH,
    COM_STMT_PREPARE,
    COM_STMT_RESET,
    COM_STMT_SEND_LONG_DATA,
    STREAMING,
)

#: Commands on a prepared statement.
_ON_STATEMENTS = frozenset(
    {
        COM_STMT_EXECUTE,
        COM_STMT_BULK_EXECUTE,
        COM_STMT_FETCH,
        COM_STMT_RESET,
        COM_STMT_CLOSE,
        COM_STMT_SEND_LONG_DATA,
    }
)

#: Commands that are never answered.
_SILENT = frozenset({COM_QUIT, COM_STMT_CLOSE, COM_STMT_SEND_LONG_DATA})

#: The shapes of the answers that are not a single packet.
_SHAPES: dict[int, type[Answer]] = {
    COM_QUERY: Result,
    COM_PROCESS_INFO: Result,
    COM_STMT_EXECUTE: Result,
    COM_STMT_BULK_EXECUTE: Result,
    COM_STMT_FETCH: Fetched,
    COM_FIELD_LIST: Fields,
    COM_STATISTICS: Text,
    **dict.fromkeys(STREAMING, Streaming),
}


class Requests:
    """Tells the requests of one link apart."""

    __slots__ = ("_context", "_due", "_statements")

    def __init__(self, context: Context, statements: Statements, due: list[Answer]) -> None:
        self._context = context
        self._statements = statements
        self._due = due

    def read(self, head: bytes, seq: int) -> Exchange:
        """The exchange of a request that begins with `head`; its answer is due then.

        :param seq: the sequence number of its first packet.
        :raises FramingError: no such request can stand here.
        """
        context = self._context
        if not context.begun:
            return self._login(head)
        if context.content is not None:
            content, context.content = Content(head, name=context.content), None
            return self._expect(Result, content)
        if context.dialogue or not context.logged_in:
            context.dialogue = False
            return self._expect(Authentication, Auth(head), handshake=True)
        if not head:
            raise FramingError("the client sent an empty command")
        if seq and not context.compressed:
            raise FramingError(f"a command has the sequence number {seq}, where each begins with 0")
        return self.command(head)

    @property
    def at_ease(self) -> bool:
        """Whether the client can only say a command now, in the ordinary protocol."""
        context = self._context
        return (
            context.logged_in and not context.dialogue and context.content is None and not context.compressed
        )

    def _login(self, head: bytes) -> Exchange:
        context = self._context
        if not context.capabilities:
            context.agree(head)
            if context.capabilities & CLIENT_SSL and len(head) == 32:
                return Exchange(TlsRequest(head), replies=False, handshake=True)
        # After TLS has begun, servers do not look again at what stands before the user's name.
        context.begun = True
        login = Login(head, capabilities=context.capabilities)
        context.user, context.database = login.user, login.target or ""
        context.plugin = login.plugin or context.plugin
        return self._expect(Authentication, login, handshake=True)

    def command(self, head: bytes) -> Exchange:
        """The exchange of a command, of which `head` is the beginning; its answer is due then."""
        code, capabilities = head[0], self._context.capabilities
        if code == COM_QUERY:
            return self._expect(Result, Query(head, capabilities=capabilities))
        if code in _ON_STATEMENTS:
            execute = Execute(head, statement=self._statements.find(head))
            if code in _SILENT:
                return Exchange(execute, replies=False)
            return self._expect(_SHAPES.get(code, Single), execute)
        if code == COM_STMT_PREPARE:
            query = Query(head, capabilities=capabilities)
            exchange = Exchange(query)
            self._due.append(Prepared(self._context, exchange, self._statements.prepare(query)))
            return exchange
        if code == COM_CHANGE_USER:
            return self._expect(Authentication, ChangeUser(head, capabilities=capabilities), handshake=True)
        if code in _SILENT:
            return Exchange(Command(head), replies=False)
        return self._expect(_SHAPES.get(code, Single), Command(head))

    def _expect(self, shape: type[Answer], request: Request, handshake: bool = False) -> Exchange:
        exchange = Exchange(request, handshake=handshake)
        self._due.append(shape(self._context, exchange))
        return exchange
