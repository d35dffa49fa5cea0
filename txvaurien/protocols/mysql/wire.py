"""The vocabulary of the MySQL client/server protocol: numbers, flags, and how values are written.

Sources: MySQL 8 internals manual, "Client/Server Protocol"; MariaDB knowledge base,
"Client/Server Protocol". Where they differ, the names say whose it is.
"""

from __future__ import annotations

#: The longest payload of one packet; a packet of just this length is continued by the next.
MAX_PAYLOAD = 0xFFFFFF

# Capabilities, of the greeting and of the log-in (32 bits), as far as they matter here.
CLIENT_MYSQL = 1 << 0  # MariaDB clears it: then the extended capabilities are there as well
CLIENT_CONNECT_WITH_DB = 1 << 3
CLIENT_COMPRESS = 1 << 5
CLIENT_PROTOCOL_41 = 1 << 9
CLIENT_SSL = 1 << 11
CLIENT_SECURE_CONNECTION = 1 << 15
CLIENT_PLUGIN_AUTH = 1 << 19
CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA = 1 << 21
CLIENT_DEPRECATE_EOF = 1 << 24
CLIENT_OPTIONAL_RESULTSET_METADATA = 1 << 25
CLIENT_ZSTD_COMPRESSION_ALGORITHM = 1 << 26
CLIENT_QUERY_ATTRIBUTES = 1 << 27
#: MariaDB's extended capabilities stand above the 32 bits that both have.
MARIADB_CLIENT_EXTENDED_METADATA = 1 << 35
MARIADB_CLIENT_CACHE_METADATA = 1 << 36

# Status flags of the server, in OK and EOF packets.
STATUS_IN_TRANS = 0x0001
STATUS_AUTOCOMMIT = 0x0002
STATUS_MORE_RESULTS = 0x0008
STATUS_CURSOR_EXISTS = 0x0040

# First bytes of what a server sends.
OK, MORE_DATA, LOCAL_INFILE, EOF, ERR = 0x00, 0x01, 0xFB, 0xFE, 0xFF

#: The error number that marks a progress report of MariaDB.
PROGRESS = 0xFFFF

#: The longest payload of an EOF packet, where CLIENT_DEPRECATE_EOF is not set, and one more.
EOF_LIMIT = 9

# Commands that are more than a name to us.
COM_QUIT = 0x01
COM_INIT_DB = 0x02
COM_QUERY = 0x03
COM_FIELD_LIST = 0x04
COM_STATISTICS = 0x09
COM_PROCESS_INFO = 0x0A
COM_CHANGE_USER = 0x11
COM_STMT_PREPARE = 0x16
COM_STMT_EXECUTE = 0x17
COM_STMT_SEND_LONG_DATA = 0x18
COM_STMT_CLOSE = 0x19
COM_STMT_RESET = 0x1A
COM_STMT_FETCH = 0x1C
COM_RESET_CONNECTION = 0x1F
COM_STMT_BULK_EXECUTE = 0xFA

#: After these the server streams what is no result: its log, a table, its files.
STREAMING = frozenset({0x12, 0x13, 0x1E, 0x20, 0x21})

COMMANDS = {
    0x00: "SLEEP",
    COM_QUIT: "QUIT",
    COM_INIT_DB: "INIT_DB",
    COM_QUERY: "QUERY",
    COM_FIELD_LIST: "FIELD_LIST",
    0x05: "CREATE_DB",
    0x06: "DROP_DB",
    0x07: "REFRESH",
    0x08: "SHUTDOWN",
    COM_STATISTICS: "STATISTICS",
    COM_PROCESS_INFO: "PROCESS_INFO",
    0x0B: "CONNECT_COMMAND",
    0x0C: "PROCESS_KILL",
    0x0D: "DEBUG",
    0x0E: "PING",
    0x0F: "TIME",
    0x10: "DELAYED_INSERT",
    COM_CHANGE_USER: "CHANGE_USER",
    0x12: "BINLOG_DUMP",
    0x13: "TABLE_DUMP",
    0x14: "CONNECT_OUT",
    0x15: "REGISTER_SLAVE",
    COM_STMT_PREPARE: "STMT_PREPARE",
    COM_STMT_EXECUTE: "STMT_EXECUTE",
    COM_STMT_SEND_LONG_DATA: "STMT_SEND_LONG_DATA",
    COM_STMT_CLOSE: "STMT_CLOSE",
    COM_STMT_RESET: "STMT_RESET",
    0x1B: "SET_OPTION",
    COM_STMT_FETCH: "STMT_FETCH",
    0x1D: "DAEMON",
    0x1E: "BINLOG_DUMP_GTID",
    COM_RESET_CONNECTION: "RESET_CONNECTION",
    0x20: "CLONE",
    0x21: "SUBSCRIBE_GROUP_REPLICATION_STREAM",
    COM_STMT_BULK_EXECUTE: "STMT_BULK_EXECUTE",
    0xFE: "MULTI",
}


class Short(Exception):
    """A value goes on beyond the bytes that are there. It never leaves this package."""


def lenenc(data: bytes, at: int) -> tuple[int, int]:
    """A length-encoded integer at `at`, and where it ends.

    :raises Short: it is not there whole, or what is there is no such integer.
    """
    if at >= len(data):
        raise Short
    first = data[at]
    if first < 0xFB:
        return first, at + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    if not size or at + 1 + size > len(data):
        raise Short
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


def skip_text(data: bytes, at: int) -> int:
    """Where the length-encoded string at `at` ends; it may be beyond the bytes that are there."""
    length, at = lenenc(data, at)
    return at + length


def text_at(data: bytes, at: int) -> tuple[bytes, int]:
    """The string at `at` that a zero byte ends, and where it ends; :raises Short: it goes on."""
    end = data.find(b"\0", at)
    if end < 0:
        raise Short
    return data[at:end], end + 1


def packet(payload: bytes, seq: int) -> bytes:
    """A packet of a payload below `MAX_PAYLOAD`; `seq` is taken modulo 256."""
    return len(payload).to_bytes(3, "little") + bytes((seq & 0xFF,)) + payload


def envelope(packets: bytes, seq: int) -> bytes:
    """Packets in one packet of the compressed protocol, in which they stand as they are."""
    return len(packets).to_bytes(3, "little") + bytes((seq & 0xFF, 0, 0, 0)) + packets


def error(code: int, state: str, text: str) -> bytes:
    """The payload of an ERR packet; without `state` as it is before the log-in."""
    marked = f"#{state}" if state else ""
    return b"\xff" + code.to_bytes(2, "little") + (marked + text).encode()


def status_of(head: bytes, terminator: bool = False) -> int:
    """The server's status flags in an OK or EOF packet, 0 if they are not there.

    :param terminator: the packet ends rows (0xFE) in the way of CLIENT_DEPRECATE_EOF,
        with the fields of an OK packet; else one with 0xFE has those of an EOF packet.
    """
    if head[:1] == b"\xfe" and not terminator:
        return int.from_bytes(head[3:5], "little")
    try:
        _, at = lenenc(head, 1)
        _, at = lenenc(head, at)
    except Short:
        return 0
    return int.from_bytes(head[at : at + 2], "little")


def error_code(head: bytes) -> int:
    """The number of the error in an ERR packet."""
    return int.from_bytes(head[1:3], "little")


def is_progress(head: bytes) -> bool:
    """Whether a packet is a progress report of MariaDB, which stands in the way of no reply."""
    return head[:3] == b"\xff\xff\xff"
