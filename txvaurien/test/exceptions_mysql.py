"""Which exception each kind of the mysql catalogue becomes in which client library.

The tests drive each line through the proxy; the table in the docs is made from them.
"""

from __future__ import annotations

from typing import NamedTuple


class Raised(NamedTuple):
    """One line: what `how` raises in `client` when the proxy says `kind`.

    `how` is a statement, or ``LOGIN`` or ``CONNECT``.
    """

    kind: str
    client: str
    how: str
    exception: str
    number: int


_SELECT = "SELECT n FROM stock"
_INSERT = "INSERT INTO stock VALUES (1, 1)"

#: Kind, how it is met, and then for PyMySQL and mysqlclient: the exception, and its number.
_LINES: tuple[tuple[str, str, str, int, str, int], ...] = (
    ("too-many-connections", "CONNECT", "OperationalError", 1040, "OperationalError", 1040),
    ("host-blocked", "CONNECT", "OperationalError", 1129, "OperationalError", 1129),
    ("access-denied", "LOGIN", "OperationalError", 1045, "OperationalError", 1045),
    ("deadlock", _INSERT, "OperationalError", 1213, "OperationalError", 1213),
    ("lock-wait-timeout", _INSERT, "OperationalError", 1205, "OperationalError", 1205),
    ("duplicate-key", _INSERT, "IntegrityError", 1062, "IntegrityError", 1062),
    ("unknown-database", _SELECT, "OperationalError", 1049, "OperationalError", 1049),
    ("unknown-database", "LOGIN", "OperationalError", 1049, "OperationalError", 1049),
    ("syntax", _SELECT, "ProgrammingError", 1064, "ProgrammingError", 1064),
    ("read-only", _INSERT, "OperationalError", 1290, "OperationalError", 1290),
    ("server-shutdown", _SELECT, "OperationalError", 1053, "OperationalError", 1053),
    ("query-interrupted", _SELECT, "OperationalError", 1317, "OperationalError", 1317),
    ("statement-timeout", _SELECT, "OperationalError", 1969, "OperationalError", 1969),
    ("disk-full", _INSERT, "OperationalError", 1021, "OperationalError", 1021),
    ("out-of-memory", _SELECT, "OperationalError", 1041, "OperationalError", 1041),
    ("table-crashed", _SELECT, "OperationalError", 1194, "OperationalError", 1194),
    ("connection-killed", _SELECT, "OperationalError", 1927, "OperationalError", 1927),
    ("gone-away", _SELECT, "OperationalError", 2013, "OperationalError", 2013),
    ("lost-connection", _SELECT, "OperationalError", 2013, "OperationalError", 2013),
    ("error-in-rows", _SELECT, "OperationalError", 1317, "OperationalError", 1317),
    ("custom", _SELECT, "OperationalError", 1644, "OperationalError", 1644),
)

#: The text that goes with the kind `custom` here.
CUSTOM_TEXT = "1644 45000 No stock left"

EXPECTED: tuple[Raised, ...] = tuple(
    raised
    for kind, how, pure, pure_number, c, c_number in _LINES
    for raised in (
        Raised(kind, "PyMySQL", how, pure, pure_number),
        Raised(kind, "mysqlclient", how, c, c_number),
    )
)
