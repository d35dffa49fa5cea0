"""Reading the head of a message: its arguments, or the first values of a reply.

The readers of `resp` have checked the lengths before; here they are only followed. What stands behind
the CR of a length is skipped, as the readers and the server do, not compared.
"""

from __future__ import annotations

from txvaurien.errors import FramingError
from txvaurien.protocols.redis.inline import split_inline

#: What begins with a length, or with a count.
_SIZED = b"$!=*~>%|"


def text(data: bytes) -> str:
    """Bytes as text: UTF-8, and what is not UTF-8 with backslashes."""
    return data.decode("utf-8", "backslashreplace")


def arguments(raw: bytes) -> list[bytes]:
    """The words of a command, as far as `raw` holds them whole."""
    if raw[:1] == b"*":
        return _bulks(raw)
    try:
        return split_inline(raw)
    except FramingError:
        # The beginning of a line that never ended.
        return []


def first_word(raw: bytes) -> bytes:
    """The name of a command, in upper case; ``b""`` if it has none."""
    if raw[4:5] == b"$" and raw[6:7] == b"\r" and raw[:1] == b"*":
        # One digit for the count and one for the length: nearly every command.
        return raw[8 : 8 + raw[5] - 48].upper()
    if raw[:1] != b"*":
        return b"".join(arguments(raw)[:1]).upper()
    at = raw.find(b"\r\n") + 3
    begin = raw.find(b"\r", at) + 2
    size = raw[at : begin - 2]
    return raw[begin : begin + int(size)].upper() if begin > at and size.isdigit() else b""


def declared(raw: bytes) -> int:
    """How many words the whole command has."""
    if raw[:1] != b"*":
        return len(arguments(raw))
    end = raw.find(b"\r\n")
    return max(int(raw[1:end]), 0) if end > 0 else 0


def _bulks(raw: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = raw.find(b"\r\n") + 2
    while 1 < at < len(raw):
        end = raw.find(b"\r", at)
        size = raw[at + 1 : end]
        # The last header may be half of one, which nobody has checked.
        if end < 0 or not size.isdigit():
            break
        at = end + int(size) + 4
        if at <= len(raw):
            found.append(raw[end + 2 : at - 2])
    return found


def error_code(raw: bytes) -> str:
    """The first word of the error that `raw` is the head of; ``""`` if it is none."""
    at = value_at(raw)
    kind = raw[at : at + 1]
    if kind == b"!":
        at = raw.find(b"\r\n", at) + 1
    elif kind != b"-":
        return ""
    words = raw[at + 1 : at + 129].split(None, 1)
    return text(words[0]) if words else ""


def value_at(raw: bytes) -> int:
    """Where a reply itself begins: behind its attributes. The end, if the head does not hold that."""
    at = 0
    while raw[at : at + 1] == b"|":
        at, left = _enter(raw, at)
        while left and at < len(raw):
            at, more = _enter(raw, at)
            left += more
    return min(at, len(raw))


def scalars(raw: bytes, limit: int) -> list[bytes]:
    """The first values of an aggregate reply, one after another whatever their nesting."""
    found: list[bytes] = []
    at = value_at(raw)
    while len(found) < limit and at < len(raw):
        kind, end = raw[at], _line_end(raw, at)
        begin = at + 1
        at, _ = _enter(raw, at)
        if end < 0 or at > len(raw):
            break
        if kind in b"$!=":
            found.append(raw[end + 2 : at - 2])
        elif kind in b"+-:,#(_":
            found.append(raw[begin:end])
    return found


def _enter(raw: bytes, at: int) -> tuple[int, int]:
    """Where the next value begins, and how many values more are to come because of this one."""
    end = _line_end(raw, at)
    kind, field = raw[at], raw[at + 1 : end]
    if end < 0 or (kind in _SIZED and not field.removeprefix(b"-").isdigit()):
        # Not all there, or nobody has said how long it is.
        return len(raw), -1
    if kind in b"$!=":
        size = int(field)
        return (end + 2 if size < 0 else end + size + 4), -1
    if kind in b"*~>%|":
        count = max(int(field), 0) * (2 if kind in b"%|" else 1)
        return end + 2, count - (kind != 124)
    return end + 2, -1


def _line_end(raw: bytes, at: int) -> int:
    """Where the first line of the value at `at` ends; -1 if it does not."""
    return raw.find(b"\r" if raw[at] in _SIZED else b"\r\n", at)
