"""What a statement is about, as far as that is plain to see: its first word, and its table.

This is a glance, not a parser: it looks at the beginning of the text and gives
up on whatever is not plain.
"""

from __future__ import annotations

import re

#: How much of a statement is looked at, in bytes.
GLANCE = 1024

#: What may stand before the first word: space, comments, brackets. The head of an executable
#: comment (``/*!50003 ...*/``, ``/*M! ...*/``) is passed over, as the server runs what is inside.
_LEAD = re.compile(rb"(?:[\s(;]+|/\*M?!\d*|/\*(?!M?!).*?\*/|--(?=\s).*?\n|#.*?\n)*", re.DOTALL)
_WORD = re.compile(rb"[A-Za-z_]+")

#: Quoted names, which are kept; texts and comments, also those that are cut off.
_APART = re.compile(
    rb"""`(?:[^`]|``)+` | '(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z)
    | /\*(?!M?!).*?(?:\*/|\Z) | --(?=\s).*?(?:\n|\Z) | \#.*?(?:\n|\Z)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED_QUOTE = re.compile(rb"\\(?=['\"])")

_NAME = rb"((?:`(?:[^`]|``)+`|[\w$\x80-\xff]+)(?:\s*\.\s*(?:`(?:[^`]|``)+`|[\w$\x80-\xff]+))?)"
_GAP = rb"(?:\s|/\*.*?\*/)+"


def _after(*words: bytes) -> re.Pattern[bytes]:
    """A pattern for the name after the first of some words."""
    return re.compile(rb"\b(?:" + rb"|".join(words) + rb")" + _GAP + _NAME, re.IGNORECASE | re.DOTALL)


_FROM = _after(rb"FROM")
_HINTS = rb"(?:(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE|ONLY)" + _GAP + rb")*"
_INTO = re.compile(
    rb"\b(?:INSERT|REPLACE)" + _GAP + _HINTS + rb"(?:INTO" + _GAP + rb")?" + _NAME, re.IGNORECASE | re.DOTALL
)
_UPDATE = re.compile(rb"\bUPDATE" + _GAP + _HINTS + _NAME, re.IGNORECASE | re.DOTALL)
_TABLE = re.compile(
    rb"\b(?:TABLES?|ON)" + _GAP + rb"(?:IF" + _GAP + rb"(?:NOT" + _GAP + rb")?EXISTS" + _GAP + rb")?" + _NAME,
    re.IGNORECASE | re.DOTALL,
)
_FIRST = _after(rb"DESCRIBE", rb"DESC", rb"USE", rb"CALL", rb"HANDLER", rb"TABLE")

_WHERE = {
    "SELECT": _FROM,
    "DELETE": _FROM,
    "WITH": _FROM,
    "SHOW": _FROM,
    "INSERT": _INTO,
    "REPLACE": _INTO,
    "UPDATE": _UPDATE,
    "LOAD": _after(rb"TABLE"),
    "TRUNCATE": re.compile(rb"\bTRUNCATE" + _GAP + rb"(?:TABLE" + _GAP + rb")?" + _NAME, re.I | re.DOTALL),
    "CREATE": _TABLE,
    "ALTER": _TABLE,
    "DROP": _TABLE,
    "RENAME": _TABLE,
    "LOCK": _TABLE,
    "ANALYZE": _TABLE,
    "OPTIMIZE": _TABLE,
    "REPAIR": _TABLE,
    "CHECK": _TABLE,
    "DESCRIBE": _FIRST,
    "DESC": _FIRST,
    "USE": _FIRST,
    "CALL": _FIRST,
    "HANDLER": _FIRST,
    "TABLE": _FIRST,
}


def first_word(statement: bytes) -> str:
    """The statement's first word in upper case, ``""`` if it has none near its beginning."""
    word = _WORD.match(statement, _start(statement))
    return word[0].decode().upper() if word else ""


def table(statement: bytes) -> str | None:
    """The first table (database, procedure) of a statement; None where it is not plain to see."""
    pattern = _WHERE.get(first_word(statement))
    if pattern is None:
        return None
    plain = _plain(statement)
    found = pattern.search(plain, _start(plain), GLANCE)
    return unquoted(found[1]) if found else None


def _plain(statement: bytes) -> bytes:
    """A statement without its literals and comments: what stands there is no name, and may be a secret."""
    # Whether a backslash escapes depends on the server's mode: behind such a quote nothing is plain.
    escape = _ESCAPED_QUOTE.search(statement)
    known = statement[: escape.end()] if escape else statement
    return _APART.sub(lambda match: match[0] if match[0][:1] == b"`" else b" ", known)


def unquoted(name: bytes) -> str:
    """A name as it is called, without back quotes and the space around its dot."""
    parts = re.findall(rb"`(?:[^`]|``)+`|[^`.\s]+", name)
    plain = [part[1:-1].replace(b"``", b"`") if part[:1] == b"`" else part for part in parts]
    return b".".join(plain).decode("utf-8", "replace")


def _start(statement: bytes) -> int:
    lead = _LEAD.match(statement, 0, GLANCE)
    return lead.end() if lead else 0
