"""A whole reply as values whose places are known, so that some of them can be replaced and the rest stays.

Nothing is put together anew: what is not replaced goes on byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence

from txvaurien.protocols.redis.heads import value_at

#: What servers tell of themselves is nested less deep.
_MAX_DEPTH = 16

_STRINGS = frozenset(b"$!=")
_AGGREGATES = frozenset(b"*~>%")
_LINES = frozenset(b"+-:,#(")


class NotRead(ValueError):
    """A reply that is nested too deep, cut off, streamed, or has attributes inside: nothing is replaced."""


class Value:
    """One value.

    :param kind: its type byte.
    :param start: where it begins; it ends before `end`.
    :param text: what a string or a line says; None for nulls and aggregates. Of a verbatim
        string without its format.
    :param items: what an aggregate holds, names and values of a map in turn; else empty.
    """

    __slots__ = ("end", "items", "kind", "start", "text")

    def __init__(
        self, kind: int, start: int, end: int, text: bytes | None, items: Sequence[Value] = ()
    ) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.text = text
        self.items = items

    @property
    def words(self) -> bytes:
        """What it says; nothing if it is a null or an aggregate."""
        return self.text or b""

    @property
    def is_aggregate(self) -> bool:
        """Whether it holds others, or could."""
        return self.kind in _AGGREGATES

    def named(self) -> dict[bytes, Value]:
        """The items as names and values: a map of RESP3, or an array of RESP2 that stands for one."""
        names = [item.words for item in self.items[::2]]
        return dict(zip(names, self.items[1::2], strict=False))

    def saying(self, text: bytes) -> bytes:
        """The same value with another text; a null becomes a string."""
        if self.kind in _LINES:
            return b"%c%b\r\n" % (self.kind, text)
        if self.kind == 61:
            # INFO and CLUSTER NODES are of no other format.
            return b"=%d\r\ntxt:%b\r\n" % (len(text) + 4, text)
        return b"%c%d\r\n%b\r\n" % (self.kind if self.kind in _STRINGS else 36, len(text), text)


def read_value(raw: bytes) -> Value:
    """The reply that `raw` is, without its attributes.

    :raises NotRead: it cannot be read.
    """
    try:
        return _read(raw, value_at(raw), 0)
    except NotRead:
        raise
    except (ValueError, IndexError) as error:
        raise NotRead("that is no whole reply") from error


def _read(raw: bytes, at: int, depth: int) -> Value:
    end = raw.index(b"\r\n", at)
    kind, field = raw[at], raw[at + 1 : end]
    end += 2
    if kind in _LINES:
        return Value(kind, at, end, field)
    if kind in _STRINGS:
        return _string(raw, at, end, int(field))
    if kind == 95:
        return Value(kind, at, end, None)
    if kind not in _AGGREGATES or depth == _MAX_DEPTH:
        raise NotRead("nothing of this kind is read here")
    count = int(field) * (2 if kind == 37 else 1)
    return _aggregate(raw, Value(kind, at, end, None), count, depth)


def _string(raw: bytes, at: int, begin: int, size: int) -> Value:
    if size < 0:
        return Value(raw[at], at, begin, None)
    end = begin + size + 2
    if end > len(raw):
        raise NotRead("that is not all of it")
    if raw[at] == 61:
        begin += 4
    return Value(raw[at], at, end, raw[begin : end - 2])


def _aggregate(raw: bytes, value: Value, count: int, depth: int) -> Value:
    items: list[Value] = []
    while len(items) < count:
        item = _read(raw, value.end, depth + 1)
        value.end = item.end
        if item.kind != 62:
            # A push in there is one more, as in `Replies`.
            items.append(item)
    value.items = items
    return value
