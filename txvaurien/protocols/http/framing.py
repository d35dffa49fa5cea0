"""Where a head ends, whether it is one, and what kind of body follows it (RFC 9112)."""

from __future__ import annotations

import re

from txvaurien.errors import FramingError
from txvaurien.protocols.http.bodies import Body, Buffer, ChunkedBody, EndlessBody, SizedBody

#: The largest head, in bytes: more than common servers take by default (nginx 32 KiB, Node 16 KiB).
HEAD_LIMIT = 64 * 1024

#: How many CR and LF may stand before a request (RFC 9112 section 2.2).
MOST_BLANKS = 16

#: An empty line ends a head. A bare LF counts as a line end, as lenient servers take it.
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_BLANKS = re.compile(rb"[\r\n]*")

#: So much of an incomplete start line is looked at.
_PREFIX = 32
_METHOD = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_PREFIX = re.compile(rb"(?:" + _METHOD + rb"(?: .*)?)?", re.DOTALL)
_METHOD_ONLY = re.compile(_METHOD)
_VERSION = re.compile(rb"HTTP/1\.\d")
_STATUS_LINE = re.compile(rb"HTTP/1\.\d +\d{3}(?: .*)?\r?", re.DOTALL)
_HTTP = b"HTTP/1."

#: The fields that say how long the body is, their continuation lines included.
_FRAMING_FIELD = re.compile(
    rb"\n(content-length|transfer-encoding)([ \t]*):([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE
)

#: No message is longer than what so many digits can say.
_MOST_DIGITS = 18


class HeadFinder:
    """Finds the end of a head in a growing buffer, and looks early whether it can be one.

    What is not HTTP (a TLS handshake, say) is found out at its first bytes:
    whoever sends it may wait for an answer and never send an empty line.
    """

    __slots__ = ("_line_seen", "_searched")

    def __init__(self) -> None:
        #: How much of the head has been searched for its end before.
        self._searched = 0
        self._line_seen = False

    @property
    def begun(self) -> bool:
        """Whether a part of the next head was looked at."""
        return self._searched > 0

    def find(self, data: Buffer, at: int) -> int:
        """Where the head that begins at ``data[at]`` ends, -1 if it is not complete.

        :raises FramingError: it is not the head of a message, or too long.
        """
        limit = at + HEAD_LIMIT
        if not self._line_seen:
            self._check_start(data, at, limit)
        match = _EMPTY_LINE.search(data, max(at, at + self._searched - 2), limit) if self._line_seen else None
        if match is not None:
            self._searched = 0
            self._line_seen = False
            return match.end()
        if len(data) >= limit:
            raise FramingError(f"the head of a message is longer than {HEAD_LIMIT} bytes")
        self._searched = len(data) - at
        return -1

    def _check_start(self, data: Buffer, at: int, limit: int) -> None:
        start = self.skip(data, at)
        newline = data.find(b"\n", max(start, at + self._searched), limit)
        if newline < 0:
            self.check_prefix(bytes(data[start : start + _PREFIX]))
        else:
            self.check_line(bytes(data[start:newline]))
            self._line_seen = True
            # An empty line may begin with the end of the first, never before it.
            self._searched = newline - at + 2

    def skip(self, data: Buffer, at: int) -> int:
        """Where the start line begins."""
        return at

    def check_prefix(self, prefix: bytes) -> None:
        """See whether a start line may begin so."""
        raise NotImplementedError

    def check_line(self, line: bytes) -> None:
        """See whether this is a start line; it may still have its CR."""
        raise NotImplementedError


class RequestHeads(HeadFinder):
    """Finds the heads of requests."""

    __slots__ = ()

    def skip(self, data: Buffer, at: int) -> int:
        match = _BLANKS.match(data, at, at + MOST_BLANKS + 1)
        start = match.end() if match is not None else at
        if start - at > MOST_BLANKS:
            raise FramingError("there are blank lines where a request should be")
        return start

    def check_prefix(self, prefix: bytes) -> None:
        if not _REQUEST_PREFIX.fullmatch(prefix):
            raise FramingError("this is not an HTTP/1 request")

    def check_line(self, line: bytes) -> None:
        if line.startswith(b"PRI * HTTP/2"):
            raise FramingError("HTTP/2 with prior knowledge is not followed")
        method, _, rest = line.rstrip(b" \r").partition(b" ")
        target, _, version = rest.rpartition(b" ")
        if not (_METHOD_ONLY.fullmatch(method) and target.strip() and _VERSION.fullmatch(version)):
            raise FramingError("this is not an HTTP/1 request")


class ResponseHeads(HeadFinder):
    """Finds the heads of responses."""

    __slots__ = ()

    def check_prefix(self, prefix: bytes) -> None:
        if prefix[: len(_HTTP)] != _HTTP[: len(prefix)]:
            raise FramingError("this is not an HTTP/1 response")

    def check_line(self, line: bytes) -> None:
        if not _STATUS_LINE.fullmatch(line):
            raise FramingError("this is not an HTTP/1 response")


def request_body(head: bytes) -> Body | None:
    """The body that follows a request's head, None for none (RFC 9112 section 6.3).

    :param head: without blank lines before it.
    :raises FramingError: its fields contradict each other; nothing is guessed.
    """
    size, codings = _framing_fields(head)
    if codings is None:
        return SizedBody(size) if size else None
    if codings[-1:] != ["chunked"]:
        raise FramingError("the transfer coding of a request does not end with chunked")
    return ChunkedBody()


def response_body(head: bytes, status: bytes, method: bytes) -> tuple[Body | None, int | None]:
    """The body that follows a response's head, and its size if that is known.

    :param method: of the request, as it came: methods have a case (RFC 9110 section 9.1).
    :raises FramingError: its fields contradict each other.
    """
    if method == b"HEAD" or status in {b"204", b"304"} or status.startswith(b"1"):
        return None, 0
    if method == b"CONNECT" and status.startswith(b"2"):
        return None, 0
    size, codings = _framing_fields(head)
    if codings is not None:
        return (ChunkedBody() if codings[-1:] == ["chunked"] else EndlessBody()), None
    if size is None:
        return EndlessBody(), None
    return (SizedBody(size) if size else None), size


def _framing_fields(head: bytes) -> tuple[int | None, list[str] | None]:
    """The content length, and the transfer codings; None where there is no such field."""
    if head.count(b"\r") != head.count(b"\r\n"):
        raise FramingError("a head has a CR that ends no line")
    if head[head.find(b"\n") + 1 :][:1] in {b" ", b"\t"}:
        raise FramingError("a head begins with a continuation line")
    lengths: list[bytes] = []
    codings: list[bytes] = []
    for name, space, value in _FRAMING_FIELD.findall(head):
        if space:
            raise FramingError("a framing field has blanks before its colon")
        (lengths if len(name) == len(b"content-length") else codings).append(value)
    if not codings:
        return (_length(b",".join(lengths)) if lengths else None), None
    if lengths:
        raise FramingError("a message has both Content-Length and Transfer-Encoding")
    return None, _codings(head, b",".join(codings))


def _length(value: bytes) -> int:
    sizes = {size.strip(b" \t\r\n") for size in value.split(b",")}
    size = sizes.pop()
    if sizes or not size.isdigit() or len(size) > _MOST_DIGITS:
        raise FramingError("a Content-Length is no number, or there are several that differ")
    return int(size)


def _codings(head: bytes, value: bytes) -> list[str]:
    start_line = head.partition(b"\n")[0].rstrip()
    if start_line.endswith(b"HTTP/1.0") or start_line.startswith(b"HTTP/1.0"):
        raise FramingError("a message of HTTP/1.0 has a Transfer-Encoding")
    members = (member.partition(b";")[0] for member in value.split(b","))
    names = [member.strip(b" \t\r\n").lower().decode("latin-1") for member in members]
    if "" in names or "chunked" in names[:-1]:
        raise FramingError("a Transfer-Encoding cannot be understood")
    return names
