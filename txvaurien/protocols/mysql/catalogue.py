"""The errors of MySQL and MariaDB: number, SQLSTATE and words, and to what they can be said.

The words are those of the servers' message files (errmsg-utf8.txt of MariaDB 10.11, the
error reference of MySQL 8.0), with likely values where the server would put its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from txvaurien.model import Connect, ErrorKind, Exchange, Message, Where
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
)
from txvaurien.protocols.mysql.wire import (
    COM_INIT_DB,
    COM_STMT_BULK_EXECUTE,
    COM_STMT_EXECUTE,
    COM_STMT_FETCH,
    COM_STMT_PREPARE,
)

#: Statements that write.
_DEFINES = {"CREATE", "ALTER", "DROP", "RENAME", "GRANT", "REVOKE", "OPTIMIZE", "REPAIR", "TRUNCATE"}
_WRITES = frozenset(_DEFINES | {"INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "CALL", "COMMIT"})
#: Statements that can meet an entry which is there already.
_ENTERS = frozenset(("INSERT", "REPLACE", "UPDATE", "LOAD", "ALTER", "CREATE", "CALL"))
#: Statements that wait for no lock of a row or a table.
_LOCKLESS = frozenset(("BEGIN", "START", "ROLLBACK", "SET", "USE", "SHOW", "KILL", "PREPARE", "DEALLOCATE"))
#: Statements that answer with rows, or may do so.
_READS = frozenset(
    ("SELECT", "WITH", "SHOW", "TABLE", "VALUES", "EXPLAIN", "DESCRIBE", "DESC", "CALL", "EXECUTE", "ANALYZE")
)

#: ``1234 HY000 words`` of the `custom` kind; number and state may be missing.
_CUSTOM = re.compile(r"(?:(\d{4,5}) )?(?:([0-9A-Z]{5}) )?(.*)", re.DOTALL)

_EXECUTIONS = (COM_STMT_EXECUTE, COM_STMT_BULK_EXECUTE)


@dataclass(frozen=True)
class Situation:
    """What a kind is to be said to."""

    request: Message | None
    replies: bool
    context: Context

    @classmethod
    def of(cls, exchange: Exchange, context: Context) -> Situation:
        """The situation of an exchange."""
        return cls(exchange.request, exchange.replies, context)

    @property
    def word(self) -> str:
        """The first word of the statement that is run; ``""`` if none is."""
        request = self.request
        if isinstance(request, Query):
            return request.word if request.code != COM_STMT_PREPARE else ""
        return request.word if isinstance(request, Execute) else ""

    @property
    def runs(self) -> bool:
        """Whether a statement is run, or goes on to be."""
        request = self.request
        if isinstance(request, Query):
            return request.code != COM_STMT_PREPARE
        ran = (*_EXECUTIONS, COM_STMT_FETCH)
        return isinstance(request, Content) or (isinstance(request, Execute) and request.code in ran)

    @property
    def logs_in(self) -> bool:
        """Whether it is a step of an authentication."""
        return isinstance(self.request, (Login, Auth, ChangeUser))

    @property
    def table(self) -> str:
        """The table that it is about."""
        return (self.request.target if self.request else None) or "t"

    @property
    def database(self) -> str:
        """The database that it is about."""
        target = (self.request.target if self.request else None) or ""
        if isinstance(self.request, Query) and "." not in target and self.word != "USE":
            target = ""
        return target.partition(".")[0] or self.context.database or "test"

    @property
    def brand(self) -> str:
        """Who made the server, as it calls itself."""
        return "MariaDB" if self.context.mariadb else "MySQL"

    @property
    def near(self) -> str:
        """What a parser that stumbles at once quotes of a statement."""
        statement = self.request.statement if isinstance(self.request, Query) else b""
        return statement[:80].decode("utf-8", "replace")


def _locks(at: Situation) -> bool:
    return at.runs and at.word not in _LOCKLESS


def _commands(at: Situation) -> bool:
    return at.replies and isinstance(at.request, Command) and not at.logs_in


def _has_rows(at: Situation) -> bool:
    request = at.request
    if isinstance(request, Execute) and request.code == COM_STMT_EXECUTE:
        # With a cursor the rows come later. What a procedure answers is not known when it is prepared.
        plain = request.head[5:6] in (b"\x00", b"\x08")
        return (
            plain and request.statement is not None and (request.statement.columns > 0 or at.word == "CALL")
        )
    fetches = isinstance(request, Execute) and request.code == COM_STMT_FETCH
    return fetches or at.word in _READS


@dataclass(frozen=True)
class Words:
    """One kind: what the server says, and when.

    `text` is for both servers, or for each of them.
    """

    kind: ErrorKind
    code: int
    state: str
    text: Callable[[Situation], str]
    fits: Callable[[Situation], bool]
    #: The server hangs up after it.
    ends: bool = False
    #: The transaction is rolled back by it.
    undoes: bool = False
    #: In place of the number, on a MariaDB.
    mariadb: tuple[int, str] | None = None

    def payload(self, at: Situation) -> tuple[int, str, str]:
        """Number, SQLSTATE and text."""
        code, state = self.mariadb if self.mariadb and at.context.mariadb else (self.code, self.state)
        return code, state, self.text(at)


def _kind(name: str, where: Where, help: str, drawn: bool = True) -> ErrorKind:
    return ErrorKind(name, where, help, drawn)


def _access_denied(at: Situation) -> str:
    user = at.request.user if isinstance(at.request, ChangeUser) else at.context.user
    return f"Access denied for user '{user}'@'localhost' (using password: YES)"


def _statement_timeout(at: Situation) -> str:
    if at.context.mariadb:
        return "Query execution was interrupted (max_statement_time exceeded)"
    return "Query execution was interrupted, maximum statement execution time exceeded"


def _out_of_memory(at: Situation) -> str:
    if at.context.mariadb:
        return "Out of memory."
    return (
        "Out of memory; check if mysqld or some other process uses all available memory; if not, you may"
        " have to use 'ulimit' to allow mysqld to use more memory or you can add more swap space"
    )


def _duplicate_key(at: Situation) -> str:
    key = "PRIMARY" if at.context.mariadb else f"{at.table.rpartition('.')[2]}.PRIMARY"
    return f"Duplicate entry '1' for key '{key}'"


def _syntax(at: Situation) -> str:
    return (
        f"You have an error in your SQL syntax; check the manual that corresponds to your {at.brand} server"
        f" version for the right syntax to use near '{at.near}' at line 1"
    )


def _read_only(at: Situation) -> str:
    return f"The {at.brand} server is running with the --read-only option so it cannot execute this statement"


def _disk_full(at: Situation) -> str:
    if at.context.mariadb:
        table, why = "#sql-temptable-1-1-1.MAI", '28 "No space left on device"'
    else:
        table, why = "#sql1_1_1", "28 - No space left on device"
    return f"Disk full (/tmp/{table}); waiting for someone to free some space... (errno: {why})"


WORDS: tuple[Words, ...] = (
    Words(
        _kind("too-many-connections", Where.CONNECT, "1040, in place of the greeting"),
        1040,
        "08004",
        lambda at: "Too many connections",
        lambda at: isinstance(at.request, Connect),
        ends=True,
    ),
    Words(
        _kind("host-blocked", Where.CONNECT, "1129, in place of the greeting"),
        1129,
        "HY000",
        lambda at: (
            "Host 'localhost' is blocked because of many connection errors;"
            " unblock with 'mysqladmin flush-hosts'"
        ),
        lambda at: isinstance(at.request, Connect),
        ends=True,
    ),
    Words(
        _kind("access-denied", Where.HANDSHAKE, "1045, to a log-in (verbs LOGIN, AUTH, CHANGE_USER)"),
        1045,
        "28000",
        _access_denied,
        lambda at: at.logs_in,
        ends=True,
    ),
    Words(
        _kind("deadlock", Where.COMMAND, "1213, and the transaction is rolled back"),
        1213,
        "40001",
        lambda at: "Deadlock found when trying to get lock; try restarting transaction",
        _locks,
        undoes=True,
    ),
    Words(
        _kind("lock-wait-timeout", Where.COMMAND, "1205; the transaction stays open"),
        1205,
        "HY000",
        lambda at: "Lock wait timeout exceeded; try restarting transaction",
        _locks,
    ),
    Words(
        _kind("duplicate-key", Where.COMMAND, "1062, to statements that write a key"),
        1062,
        "23000",
        _duplicate_key,
        lambda at: at.word in _ENTERS or isinstance(at.request, Content),
    ),
    Words(
        _kind("unknown-database", Where.COMMAND, "1049, to statements, INIT_DB and log-ins that name one"),
        1049,
        "42000",
        lambda at: f"Unknown database '{at.database}'",
        lambda at: (
            isinstance(at.request, Query)
            or (isinstance(at.request, Command) and at.request.code == COM_INIT_DB)
            or (at.logs_in and at.request is not None and at.request.target is not None)
        ),
    ),
    Words(
        _kind("syntax", Where.COMMAND, "1064, to statements and their preparation"),
        1064,
        "42000",
        _syntax,
        lambda at: isinstance(at.request, Query),
    ),
    Words(
        _kind("read-only", Where.COMMAND, "1290, to statements that write, and COMMIT"),
        1290,
        "HY000",
        _read_only,
        lambda at: at.word in _WRITES,
    ),
    Words(
        _kind("server-shutdown", Where.COMMAND, "1053, and the connection is closed"),
        1053,
        "08S01",
        lambda at: "Server shutdown in progress",
        lambda at: _commands(at) or at.logs_in,
        ends=True,
    ),
    Words(
        _kind("query-interrupted", Where.COMMAND, "1317, as by KILL QUERY"),
        1317,
        "70100",
        lambda at: "Query execution was interrupted",
        lambda at: at.runs,
    ),
    Words(
        _kind("statement-timeout", Where.COMMAND, "3024 (MySQL, to SELECT) or 1969 (MariaDB)"),
        3024,
        "HY000",
        _statement_timeout,
        lambda at: at.runs and (at.context.mariadb or at.word == "SELECT"),
        mariadb=(1969, "70100"),
    ),
    Words(
        _kind("disk-full", Where.COMMAND, "1021, to statements that write or sort"),
        1021,
        "HY000",
        _disk_full,
        lambda at: at.word in _WRITES or at.word == "SELECT" or isinstance(at.request, Content),
    ),
    Words(
        _kind("out-of-memory", Where.COMMAND, "1041, to statements and their preparation"),
        1041,
        "HY000",
        _out_of_memory,
        lambda at: at.runs or isinstance(at.request, Query),
    ),
    Words(
        _kind("table-crashed", Where.COMMAND, "1194, to statements on a table"),
        1194,
        "HY000",
        lambda at: f"Table '{at.table.rpartition('.')[2]}' is marked as crashed and should be repaired",
        lambda at: (
            (isinstance(at.request, Query) or at.runs)
            and bool(at.request and at.request.targets)
            and at.word != "USE"
        ),
    ),
    Words(
        _kind("connection-killed", Where.COMMAND, "1927 (MariaDB only), and the connection is closed"),
        1927,
        "70100",
        lambda at: "Connection was killed",
        lambda at: _commands(at) and at.context.mariadb,
        ends=True,
    ),
)

#: Kinds that are not one error packet.
GONE_AWAY = _kind("gone-away", Where.COMMAND, "the connection is closed before the request is answered")
LOST_CONNECTION = _kind("lost-connection", Where.COMMAND, "the connection is closed in the middle of a reply")
ERROR_IN_ROWS = _kind(
    "error-in-rows", Where.COMMAND, "the backend's first row, then 1317 in place of the others"
)
CUSTOM = _kind("custom", Where.COMMAND, "your own: NUMBER SQLSTATE TEXT, or TEXT for 1105 HY000", drawn=False)

KINDS: tuple[ErrorKind, ...] = (
    *(words.kind for words in WORDS),
    GONE_AWAY,
    LOST_CONNECTION,
    ERROR_IN_ROWS,
    CUSTOM,
)

BY_NAME = {words.kind.name: words for words in WORDS}


def legal(at: Situation) -> list[str]:
    """The names of the kinds that the server could say in this situation, in catalogue order."""
    names = [words.kind.name for words in WORDS if words.fits(at)]
    if isinstance(at.request, Request):
        names.append(GONE_AWAY.name)
        if at.replies:
            names.append(LOST_CONNECTION.name)
        if _has_rows(at):
            names.append(ERROR_IN_ROWS.name)
        if at.replies:
            names.append(CUSTOM.name)
    return names


def custom(text: str) -> tuple[int, str, str]:
    """Number, SQLSTATE and text of a user's own error; 1105 is "Unknown error"."""
    found = _CUSTOM.fullmatch(text)
    number, state, words = found.groups() if found else (None, None, text)
    code = int(number) if number and int(number) <= 0xFFFE else 1105
    return code, state or "HY000", words or "Unknown error"
