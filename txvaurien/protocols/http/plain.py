"""Heads as nearly all are, read with few searches over the whole of them.

What is read here is what `txvaurien.protocols.http.framing` would say of the same bytes; None only says
that it has to be asked. A head is plain if all its lines end with CR LF, and at most one field says how
long the body is, in the ordinary way.
"""

from __future__ import annotations

import re

from txvaurien.protocols.http.bodies import Buffer
from txvaurien.protocols.http.framing import HEAD_LIMIT

#: A plain head, and how many bytes follow it.
Plain = tuple[bytes, int]

#: In place of that number: the body is in chunks.
CHUNKED = -1

_REQUEST_LINE = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.[01]\r\n(?![ \t])")
# Interim responses, 204 and 304 have no body, whatever their fields say.
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (?!204|304)[2-5]\d\d(?: [^\r\n]*)?\r\n(?![ \t])")

#: The fields that have a say in what follows. The first group is a length, the second says chunks, both in
#: the ordinary way and not continued on the next line; without a group it is anything else.
_SAYING = re.compile(
    rb"\n(?=[cCtTeE])(?i:"
    rb"content-length(?::[ \t]*(\d{1,18})[ \t]*\r\n(?![ \t]))?"
    rb"|transfer-encoding(?::[ \t]*(chunked)[ \t]*\r\n(?![ \t]))?"
    rb"|expect)"
)


def plain_request(data: Buffer, at: int) -> Plain | None:
    """The head of a request that begins at ``data[at]``, if it is there and plain."""
    return _read(data, at, 0) if _REQUEST_LINE.match(data, at) else None


def plain_response(data: Buffer, at: int) -> Plain | None:
    """The same for a response; not for one that lasts until the connection ends.

    It does not hold for what answers HEAD or CONNECT.
    """
    return _read(data, at, None) if _STATUS_LINE.match(data, at) else None


def _read(data: Buffer, at: int, unsaid: int | None) -> Plain | None:
    """The head and the size of its body; `unsaid` where no field tells it."""
    end = data.find(b"\r\n\r\n", at, at + HEAD_LIMIT) + 4
    if end < 4:
        return None
    head = bytes(data[at:end])
    lines = head.count(b"\n")
    if head.count(b"\r") != lines or head.count(b"\r\n") != lines:
        # An empty line may have come before, in another way.
        return None
    said = _SAYING.search(head)
    if said is None:
        return None if unsaid is None else (head, unsaid)
    if said.lastindex is None or _SAYING.search(head, said.end() - 1):
        return None
    if said.lastindex == 1:
        return head, int(said[1])
    return None if b"HTTP/1.0" in head else (head, CHUNKED)
