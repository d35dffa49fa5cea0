"""Conversations in the MySQL protocol, one for each thing that it can do; built by hand, from the manuals."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from txvaurien.protocols.mysql import wire
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Step

#: What every client of ours can, unless a sample says otherwise.
PLAIN = (
    wire.CLIENT_MYSQL
    | wire.CLIENT_PROTOCOL_41
    | wire.CLIENT_SECURE_CONNECTION
    | wire.CLIENT_PLUGIN_AUTH
    | wire.CLIENT_CONNECT_WITH_DB
)
MODERN = PLAIN | wire.CLIENT_DEPRECATE_EOF
#: What the server of the samples can.
EVERYTHING = 0xFFFFFFFF
NATIVE = "mysql_native_password"
SHA2 = "caching_sha2_password"


def packets(*payloads: bytes, seq: int = 0) -> bytes:
    """Packets in a row, numbered from `seq`; a payload may be as long as one packet can be."""
    return b"".join(wire.packet(payload, seq + number) for number, payload in enumerate(payloads))


def up(*payloads: bytes, seq: int = 0) -> Step:
    """The client says these packets."""
    return TO_BACKEND, packets(*payloads, seq=seq)


def down(*payloads: bytes, seq: int = 1) -> Step:
    """The server says these packets."""
    return TO_CLIENT, packets(*payloads, seq=seq)


def greeting(
    capabilities: int = EVERYTHING, version: bytes = b"8.0.36", plugin: str = NATIVE, extended: int = 0
) -> bytes:
    """The payload of a greeting."""
    flags = capabilities.to_bytes(4, "little")
    reserved = bytes(6) + extended.to_bytes(4, "little")
    return (
        b"\x0a" + version + b"\0" + b"\x07\0\0\0" + b"abcdefgh\0" + flags[:2] + b"\x2d\x02\0" + flags[2:]
        + b"\x15" + reserved + b"ijklmnopqrst\0" + plugin.encode() + b"\0"
    )  # fmt: skip


def mariadb_greeting(extended: int = 0xFF) -> bytes:
    """The payload of a greeting of MariaDB, which has capabilities of its own."""
    return greeting(EVERYTHING & ~wire.CLIENT_MYSQL, b"5.5.5-10.11.6-MariaDB", extended=extended)


def login(
    capabilities: int = PLAIN, plugin: str = NATIVE, extended: int = 0, database: bytes = b"shop"
) -> bytes:
    """The payload of a client's log-in."""
    flags = capabilities & 0xFFFFFFFF
    head = flags.to_bytes(4, "little") + b"\0\0\0\1\x2d" + bytes(19) + extended.to_bytes(4, "little")
    named = b"shop\0" if flags & wire.CLIENT_CONNECT_WITH_DB else b""
    return head + b"ann\0" + b"\x14" + b"P" * 20 + named + plugin.encode() + b"\0"


def ok(status: int = wire.STATUS_AUTOCOMMIT, *, rows: int = 0, header: int = 0, info: bytes = b"") -> bytes:
    """The payload of an OK packet."""
    return bytes((header, rows, 0)) + status.to_bytes(2, "little") + b"\0\0" + info


def eof(status: int = wire.STATUS_AUTOCOMMIT) -> bytes:
    """The payload of an EOF packet."""
    return b"\xfe\0\0" + status.to_bytes(2, "little")


def err(code: int = 1064, state: str = "42000", text: str = "You have an error") -> bytes:
    """The payload of an ERR packet."""
    return wire.error(code, state, text)


def column(name: bytes = b"id") -> bytes:
    """The payload of the definition of a column."""
    return b"\3def\4shop\1t\1t" + bytes((len(name),)) + name + b"\2id\x0c\x3f\0\x0b\0\0\0\3\0\0\0\0\0"


def rows(*values: bytes, modern: bool = False, status: int = wire.STATUS_AUTOCOMMIT) -> list[bytes]:
    """The payloads of a result set of one column."""
    texts = [bytes((len(value),)) + value for value in values]
    if modern:
        return [b"\1", column(), *texts, ok(status, header=0xFE)]
    return [b"\1", column(), eof(), *texts, eof(status)]


def query(text: str) -> bytes:
    """The payload of a COM_QUERY."""
    return b"\x03" + text.encode()


def opened(capabilities: int = PLAIN, *, mariadb: bool = False, extended: int = 0) -> list[Step]:
    """A client logs in."""
    greets = mariadb_greeting() if mariadb else greeting()
    capabilities &= ~wire.CLIENT_MYSQL if mariadb else EVERYTHING
    return [down(greets, seq=0), up(login(capabilities, extended=extended), seq=1), down(ok(), seq=2)]


def squeezed(conversation: Iterable[Step], *, plain: bool = False) -> list[Step]:
    """The same in the compressed protocol, each step one packet of it; steps begin with a command."""
    squeezed = []
    for direction, data in conversation:
        body = data if plain else zlib.compress(data)
        before = 0 if plain else len(data)
        seq = 0 if direction is TO_BACKEND else 1
        header = len(body).to_bytes(3, "little") + bytes((seq,)) + before.to_bytes(3, "little")
        squeezed.append((direction, header + body))
    return squeezed


PREPARED = b"\0\7\0\0\0" + b"\1\0" + b"\2\0" + b"\0" + b"\0\0"
EXECUTE_FIRST = b"\x17\7\0\0\0\0\1\0\0\0" + b"\0\1" + b"\xfe\0\3\0" + b"\1x" + b"\5\0\0\0"
EXECUTE_AGAIN = b"\x17\7\0\0\0\0\1\0\0\0" + b"\0\0" + b"\1y" + b"\6\0\0\0"
BINARY_ROW = b"\0\0\x2a\0\0\0"
BINARY_RESULT = [b"\1", column(), eof(), BINARY_ROW, eof()]
PREPARE = b"\x16SELECT id FROM stock WHERE name = ? AND n > ?"
PREPARE_REPLY = [PREPARED, column(b"?"), column(b"?"), eof(), column(), eof()]

QUERIES: Conversation = [
    up(query("SELECT id FROM stock")),
    down(*rows(b"1", b"22", b"")),
    up(query("UPDATE stock SET n = 1")),
    down(ok(rows=3)),
    up(query("SELEKT")),
    down(err()),
    up(query("COMMIT")),
    down(ok()),
    up(b"\x0e"),
    down(ok()),
    up(b"\x02shop"),
    down(ok()),
    up(b"\x09"),
    down(b"Uptime: 12"),
    up(b"\x04stock\0%"),
    down(column(), column(b"n"), eof()),
    up(b"\x0d"),
    down(eof()),
    up(b"\x1b\1\0"),
    down(eof()),
    up(b"\x77"),
    down(err(1047, "08S01", "Unknown command")),
    up(b"\x01"),
]

STATEMENTS: Conversation = [
    up(PREPARE),
    down(*PREPARE_REPLY),
    up(EXECUTE_FIRST),
    down(*BINARY_RESULT),
    up(b"\x18\7\0\0\0\0\0" + b"long"),
    up(b"\x18\7\0\0\0\0\0" + b"er"),
    up(EXECUTE_AGAIN),
    down(*BINARY_RESULT),
    up(b"\x17\7\0\0\0\1\1\0\0\0" + b"\0\0" + b"\1z" + b"\1\0\0\0"),
    down(b"\1", column(), eof(wire.STATUS_AUTOCOMMIT | wire.STATUS_CURSOR_EXISTS)),
    up(b"\x1c\7\0\0\0\2\0\0\0"),
    down(BINARY_ROW, BINARY_ROW, eof(wire.STATUS_AUTOCOMMIT | wire.STATUS_CURSOR_EXISTS)),
    up(b"\x1a\7\0\0\0"),
    down(ok()),
    up(b"\x19\7\0\0\0"),
    up(b"\x17\7\0\0\0\0\1\0\0\0"),
    down(err(1243, "HY000", "Unknown prepared statement handler")),
    up(b"\x1f"),
    down(ok()),
]

#: Each reply to a statement in the way of CLIENT_DEPRECATE_EOF.
MODERN_STATEMENTS: Conversation = [
    up(PREPARE),
    down(PREPARED, column(b"?"), column(b"?"), column()),
    up(EXECUTE_FIRST),
    down(b"\1", column(), BINARY_ROW, ok(header=0xFE)),
    up(b"\x17\7\0\0\0\1\1\0\0\0" + b"\0\0" + b"\1z" + b"\1\0\0\0"),
    down(b"\1", column(), ok(wire.STATUS_AUTOCOMMIT | wire.STATUS_CURSOR_EXISTS, header=0xFE)),
    up(b"\x1c\7\0\0\0\2\0\0\0"),
    down(BINARY_ROW, ok(header=0xFE)),
    up(b"\x04stock\0%"),
    down(column(), ok(header=0xFE)),
    up(query("SELECT id FROM stock")),
    down(*rows(b"a", b"b" * 200, modern=True)),
    up(query("SET NAMES utf8mb4")),
    down(ok(0x4002, info=b"\0\x0e\0\x0c\x08some_var\x02on")),
]

MORE = wire.STATUS_AUTOCOMMIT | wire.STATUS_MORE_RESULTS

#: What a client can meet, by name. The session must be told apart from one byte to the next.
CONVERSATIONS: dict[str, Conversation] = {
    "queries": [*opened(), *QUERIES],
    "statements": [*opened(), *STATEMENTS],
    "modern": [*opened(MODERN), *MODERN_STATEMENTS],
    "several results": [
        *opened(),
        up(query("INSERT INTO a VALUES (1); SELECT 1; CALL p()")),
        down(ok(MORE), *rows(b"1", status=MORE), *rows(b"2", b"3", status=MORE), ok()),
        up(query("SELECT 1; SELEKT")),
        down(*rows(b"1", status=MORE), err()),
    ],
    "error among rows": [
        *opened(),
        up(query("SELECT id FROM stock")),
        down(b"\1", column(), eof(), b"\0011", err(1317, "70100", "Query execution was interrupted")),
    ],
    "local file": [
        *opened(),
        up(query("LOAD DATA LOCAL INFILE 'a.csv' INTO TABLE stock")),
        down(b"\xfba.csv"),
        up(b"1,2\n", b"3,4\n", b"", seq=2),
        down(ok(rows=2), seq=5),
        up(query("LOAD DATA LOCAL INFILE 'b.csv' INTO TABLE stock")),
        down(b"\xfbb.csv"),
        up(b"", seq=2),
        down(err(1062, "23000", "Duplicate entry"), seq=3),
    ],
    "auth switch": [
        down(greeting(plugin=SHA2), seq=0),
        up(login(plugin=SHA2), seq=1),
        down(b"\xfe" + NATIVE.encode() + b"\0" + b"s" * 20 + b"\0", seq=2),
        up(b"H" * 20, seq=3),
        down(ok(), seq=4),
    ],
    "sha2, known": [
        down(greeting(plugin=SHA2), seq=0),
        up(login(plugin=SHA2), seq=1),
        down(b"\1\3", ok(), seq=2),
    ],
    "sha2, full": [
        down(greeting(plugin=SHA2), seq=0),
        up(login(plugin=SHA2), seq=1),
        down(b"\1\4", seq=2),
        up(b"\2", seq=3),
        down(b"\1-----BEGIN PUBLIC KEY-----", seq=4),
        up(b"R" * 256, seq=5),
        down(ok(), seq=6),
    ],
    "denied": [
        down(greeting(), seq=0),
        up(login(), seq=1),
        down(err(1045, "28000", "Access denied for user 'ann'@'localhost'"), seq=2),
    ],
    "too many": [down(wire.error(1040, "", "Too many connections"), seq=0)],
    "change user": [
        *opened(),
        up(b"\x11bob\0\x14" + b"Q" * 20 + b"other\0\x2d\0" + NATIVE.encode() + b"\0"),
        down(b"\xfe" + NATIVE.encode() + b"\0" + b"s" * 20 + b"\0"),
        up(b"H" * 20, seq=2),
        down(ok(), seq=3),
        up(b"\x0e"),
        down(ok()),
    ],
    "killed": [*opened(), down(err(1927, "70100", "Connection was killed"), seq=0)],
    "progress": [
        *opened(mariadb=True),
        up(query("ALTER TABLE stock ADD COLUMN x INT")),
        down(b"\xff\xff\xff\1\1\2\x10\x27\0\x0bcopy to tmp"),
        down(b"\xff\xff\xff\1\1\2\x20\x4e\0\x0bcopy to tmp", seq=2),
        down(ok(), seq=3),
    ],
    "cached metadata": [
        *opened(MODERN, mariadb=True, extended=wire.MARIADB_CLIENT_CACHE_METADATA >> 32),
        up(PREPARE),
        down(PREPARED, column(b"?"), column(b"?"), column()),
        up(EXECUTE_FIRST),
        down(b"\1\1", column(), BINARY_ROW, ok(header=0xFE)),
        up(EXECUTE_AGAIN),
        down(b"\1\0", BINARY_ROW, ok(header=0xFE)),
        up(b"\xfa\7\0\0\0\x80\0\xfe\0\3\0\0\1x\0\1\0\0\0"),
        down(ok()),
    ],
    "attributes": [
        *opened(MODERN | wire.CLIENT_QUERY_ATTRIBUTES),
        up(b"\x03\0\1SELECT id FROM stock"),
        down(*rows(b"1", modern=True)),
        up(b"\x03\2\1\0\1\xfe\0\1a\3\0\1b" + b"\2hi" + b"\1\0\0\0" + b"DELETE FROM stock"),
        down(ok()),
        up(b"\x03COMMIT"[:1] + b"\0\1COMMIT"),
        down(ok()),
    ],
    "long": [
        *opened(MODERN),
        up(query("INSERT INTO stock VALUES ('" + "x" * 9000 + "')")),
        down(ok()),
        up(query("SELECT id FROM stock")),
        down(b"\1", column(), b"\xfc\x40\x1f" + b"y" * 8000, b"\1z", ok(header=0xFE)),
    ],
    "pipelined": [
        *opened(),
        up(PREPARE),
        up(b"\x17\xff\xff\xff\xff\0\1\0\0\0" + b"\0\1" + b"\xfe\0\3\0" + b"\1x" + b"\5\0\0\0"),
        down(*PREPARE_REPLY),
        down(*BINARY_RESULT),
    ],
    "binlog": [*opened(), up(b"\x12\4\0\0\0\0\0\1\0\0\0log.1"), down(b"\0" + b"event" * 20)],
    "tls": [
        down(greeting(), seq=0),
        up((PLAIN | wire.CLIENT_SSL).to_bytes(4, "little") + bytes(28), seq=1),
        (TO_BACKEND, b"\x16\3\1\2\0hello"),
    ],
}

SQUEEZED: dict[str, Conversation] = {
    "queries": [*opened(PLAIN | wire.CLIENT_COMPRESS), *squeezed(QUERIES)],
    "stored": [*opened(PLAIN | wire.CLIENT_COMPRESS), *squeezed(QUERIES, plain=True)],
    "statements": [*opened(PLAIN | wire.CLIENT_COMPRESS), *squeezed(STATEMENTS)],
}

PING: Conversation = [up(b"\x0e"), down(ok())]
RESET = packets(b"\x1a\7\0\0\0")
ROLLBACK = packets(query("ROLLBACK"))
EMPTY = packets(b"", seq=2)
