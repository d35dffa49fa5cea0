"""Inline commands: a line of words, quoted as in redis-server's sdssplitargs (``sds.c``)."""

from __future__ import annotations

import re

from txvaurien.errors import FramingError

_BLANKS = b" \t\n\v\f\r"

# A word may begin bare, and a quoted part ends it: after the closing quote comes a blank or nothing.
_WORD = re.compile(
    rb"""([^ \n\r\t"']*)(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\'|\\(?!'))*)')?(?=[ \t\n\v\f\r]|\Z)""",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def split_inline(line: bytes) -> list[bytes]:
    """The words of a line.

    :raises FramingError: quotes are not balanced, or there is a NUL, which ends a string in C.
    """
    if b"\0" in line:
        raise FramingError("neither RESP nor an inline command (TLS?)")
    words: list[bytes] = []
    line = line.strip(_BLANKS)
    at = 0
    while at < len(line):
        word = _WORD.match(line, at)
        if word is None:
            raise FramingError("unbalanced quotes in request")
        bare, double, single = word.groups()
        words.append(bare + _unescaped(double or b"") + (single or b"").replace(b"\\'", b"'"))
        at = word.end()
        while at < len(line) and line[at] in _BLANKS:
            at += 1
    return words


def _unescaped(text: bytes) -> bytes:
    return _ESCAPE.sub(_character, text) if b"\\" in text else text


def _character(escape: re.Match[bytes]) -> bytes:
    code, letter = escape.groups()
    return bytes.fromhex(code.decode()) if code is not None else _ESCAPED.get(letter, letter)
