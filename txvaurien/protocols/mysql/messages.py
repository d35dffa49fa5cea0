"""The messages, seen from outside. What is in them is worked out when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec

from txvaurien.model import Message
from txvaurien.protocols.mysql import sql
from txvaurien.protocols.mysql.wire import (
    CLIENT_CONNECT_WITH_DB,
    CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA,
    CLIENT_QUERY_ATTRIBUTES,
    CLIENT_SECURE_CONNECTION,
    COM_FIELD_LIST,
    COM_INIT_DB,
    COM_QUERY,
    COM_STMT_BULK_EXECUTE,
    COM_STMT_EXECUTE,
    COM_STMT_PREPARE,
    COMMANDS,
    EOF,
    ERR,
    LOCAL_INFILE,
    MORE_DATA,
    Short,
    error_code,
    lenenc,
    skip_text,
    text_at,
)

#: How long a value of a parameter is in the binary protocol, by its type; else it is a
#: length-encoded string. (MySQL manual, "Binary Protocol Value".)
_SIZES = {0x01: 1, 0x02: 2, 0x0D: 2, 0x03: 4, 0x09: 4, 0x04: 4, 0x05: 8, 0x08: 8, 0x06: 0}
_DATES = frozenset({0x07, 0x0A, 0x0B, 0x0C})


class _Head(Message, msgspec.Struct, eq=False):
    """A message of which `head` is the beginning of the payload, at most `HEAD_LIMIT` bytes.

    There are so many that it counts how fast they are made.
    """

    head: bytes

    def __repr__(self) -> str:
        # The message itself may be a secret.
        return f"<{type(self).__name__} {self.log_fields()}>"


class Request(_Head, dict=True):
    """What a client says. `seq` is the sequence number of its last packet so far."""

    seq: int = 0
    #: The same of the packet of the compressed protocol around it.
    outer: int = 0
    #: Whether its last packet is known, and `seq` with it.
    whole: bool = False


class TlsRequest(Request):
    """The client asks for TLS: a log-in that ends before the user's name."""

    @property
    def verb(self) -> str:
        return "SSL_REQUEST"


class Login(Request, kw_only=True):
    """The client's answer to the greeting. `target` is the database that it asks for."""

    capabilities: int

    @property
    def verb(self) -> str:
        return "LOGIN"

    @cached_property
    def user(self) -> str:
        """Who logs in."""
        return _text(self._fields[0])

    @property
    def targets(self) -> Sequence[str]:
        database = self._fields[1]
        return (_text(database),) if database else ()

    @cached_property
    def plugin(self) -> str:
        """The authentication plug-in that the client begins with, if it says so."""
        return _text(self._fields[2])

    @cached_property
    def _fields(self) -> tuple[bytes, bytes, bytes]:
        user = database = plugin = b""
        try:
            user, at = text_at(self.head, 32)
            at = self._after_password(at)
            if self.capabilities & CLIENT_CONNECT_WITH_DB:
                database, at = text_at(self.head, at)
            plugin, _ = text_at(self.head, at)
        except Short:
            pass
        return user, database, plugin

    def _after_password(self, at: int) -> int:
        if self.capabilities & CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA:
            return skip_text(self.head, at)
        if self.capabilities & CLIENT_SECURE_CONNECTION:
            return at + 1 + int.from_bytes(self.head[at : at + 1], "little")
        return text_at(self.head, at)[1]


class Auth(Request):
    """What the client says later in an authentication. Nothing of it is ever shown."""

    @property
    def verb(self) -> str:
        return "AUTH"


class Content(Request, kw_only=True):
    """The file that the client sends for LOAD DATA LOCAL INFILE; `target` is its name."""

    name: bytes

    @property
    def verb(self) -> str:
        return "CONTENT"

    @property
    def targets(self) -> Sequence[str]:
        return (_text(self.name),)


class Command(Request):
    """A command that carries no statement; `target` is the database or table that it names."""

    @property
    def code(self) -> int:
        """Which command."""
        return self.head[0] if self.head else -1

    @property
    def name(self) -> str:
        """What the command is called, without the ``COM_``."""
        return COMMANDS.get(self.code, f"COM_{self.code:#04x}")

    @property
    def verb(self) -> str:
        return self.name

    @property
    def targets(self) -> Sequence[str]:
        if self.code == COM_INIT_DB:
            return (_text(self.head[1:]),)
        if self.code in (COM_FIELD_LIST, 0x05, 0x06):
            return (_text(self.head[1:].partition(b"\0")[0]),)
        return ()


class ChangeUser(Command, kw_only=True):
    """COM_CHANGE_USER: `target` is the database."""

    capabilities: int

    @property
    def user(self) -> str:
        """Who logs in."""
        return _text(self.head[1:].partition(b"\0")[0])

    @property
    def targets(self) -> Sequence[str]:
        try:
            _, at = text_at(self.head, 1)
            if self.capabilities & CLIENT_SECURE_CONNECTION:
                at += 1 + int.from_bytes(self.head[at : at + 1], "little")
            else:
                _, at = text_at(self.head, at)
            database, _ = text_at(self.head, at)
        except Short:
            return ()
        return (_text(database),) if database else ()


class Query(Command, kw_only=True):
    """A statement: COM_QUERY, or COM_STMT_PREPARE."""

    capabilities: int

    @property
    def verb(self) -> str:
        if self.code == COM_STMT_PREPARE:
            return self.name
        return self.word or self.name

    @cached_property
    def statement(self) -> bytes:
        """The beginning of the statement's text."""
        at = 1
        if self.capabilities & CLIENT_QUERY_ATTRIBUTES and self.code == COM_QUERY:
            try:
                at = after_attributes(self.head, at)
            except Short:
                return b""
        return self.head[at : at + sql.GLANCE]

    @cached_property
    def word(self) -> str:
        """The statement's first word."""
        return sql.first_word(self.statement)

    @cached_property
    def targets(self) -> Sequence[str]:
        table = sql.table(self.statement)
        return (table,) if table else ()


class Statement:
    """A prepared statement: what both sides know of it."""

    __slots__ = ("columns", "long_data", "parameters", "query", "types")

    def __init__(self, query: Query) -> None:
        self.query = query
        self.columns = 0
        self.parameters = 0
        #: Parts of parameters were sent ahead and not used up.
        self.long_data = False
        #: The parameters' types, which the client believes the server to know, while it does not.
        self.types = b""


class Execute(Command, kw_only=True):
    """A command on a prepared statement; an execution has the verb and target of its text."""

    statement: Statement | None

    @property
    def verb(self) -> str:
        return self.word or self.name

    @property
    def leaves_long_data(self) -> bool:
        """Whether parts of parameters wait at the server for this execution."""
        return self.code == COM_STMT_EXECUTE and self.statement is not None and self.statement.long_data

    @property
    def word(self) -> str:
        """The first word of the prepared text, if this runs it."""
        runs = self.code in (COM_STMT_EXECUTE, COM_STMT_BULK_EXECUTE)
        return self.statement.query.word if runs and self.statement else ""

    @property
    def targets(self) -> Sequence[str]:
        return self.statement.query.targets if self.statement else ()


class Reply(_Head, gc=False):
    """The head of what a server says."""

    @property
    def status(self) -> str:
        """``OK``, the number of an error (``1213``), or ``LOCAL_INFILE``."""
        first = self.head[:1]
        if first == bytes((ERR,)):
            return str(error_code(self.head))
        return "LOCAL_INFILE" if first == bytes((LOCAL_INFILE,)) else "OK"


class AuthReply(Reply):
    """The head of what a server says in an authentication."""

    @property
    def status(self) -> str:
        """``OK``, the number of an error, ``SWITCH`` (to another plug-in) or ``MORE_DATA``."""
        first = self.head[0] if self.head else -1
        words = {ERR: str(error_code(self.head)), 0: "OK", EOF: "SWITCH", MORE_DATA: "MORE_DATA"}
        return words.get(first, "MORE_DATA")


class Statistics(Reply):
    """The answer to COM_STATISTICS: a line of text."""

    @property
    def status(self) -> str:
        return "OK"


class Greeting(Reply):
    """The server's first packet: a greeting, or an error in its place."""

    @property
    def verb(self) -> str:
        return "GREETING"


class Notice(Reply):
    """What the server says unasked: an error before it hangs up, or how far a long command has come."""

    _verb: str

    @property
    def verb(self) -> str:
        """``PROGRESS`` or ``NOTICE``."""
        return self._verb

    @property
    def status(self) -> str:
        return "" if self._verb == "PROGRESS" else super().status


def after_attributes(data: bytes, at: int) -> int:
    """Where the attributes of a query end (CLIENT_QUERY_ATTRIBUTES) and its text begins.

    :raises Short: they go on beyond the bytes that are there.
    """
    count, at = lenenc(data, at)
    _, at = lenenc(data, at)
    if not count:
        return at
    nulls, at = at, at + (count + 7) // 8
    at += 1  # new_params_bind_flag, always 1 here
    types = []
    for _ in range(count):
        types.append(int.from_bytes(data[at : at + 1], "little"))
        at = skip_text(data, at + 2)
    for number, type_ in enumerate(types):
        if at > len(data):
            raise Short
        if not data[nulls + number // 8] >> number % 8 & 1:
            at = _after_value(data, at, type_)
    return at


def _after_value(data: bytes, at: int, type_: int) -> int:
    if type_ in _SIZES:
        return at + _SIZES[type_]
    if type_ in _DATES:
        return at + 1 + int.from_bytes(data[at : at + 1], "little")
    return skip_text(data, at)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
