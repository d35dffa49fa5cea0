"""Requests and responses as rules, behaviors and logs see them, and edits of their heads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from txvaurien.model import Message

#: A field line with its continuation lines (obsolete line folding, RFC 9112 section 5.2).
_FIELD = re.compile(rb"^([^:\s]+):(.*\n(?:[ \t].*\n)*)", re.MULTILINE)
_FOLD = re.compile(rb"\r?\n[ \t]+")

#: Requests whose replies have no body, or none by what their fields say (RFC 9112 section 6.3), begin so.
BARING = (b"HEAD ", b"CONNECT ")

#: The scheme and the authority of a request target in absolute form (RFC 9112 section 3.2.2).
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")

#: Where the part of a request target begins that no log shows.
_SECRET = re.compile("[?;#]")

#: A request up to the host and port of such a target, and these. CONNECT names its target otherwise.
_HOST_OF_TARGET = re.compile(
    rb"([\r\n]*[^\s]+ +[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#\s]*@)?)[^/?#@\s]+(?=[/?# ])"
)
_CONNECT = re.compile(rb"[\r\n]*CONNECT ")


class Headers(Mapping[str, str]):
    """The fields of a head by name, in any case. Several of one name are joined with commas."""

    __slots__ = ("_fields",)

    def __init__(self, head: bytes) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in _FIELD.findall(head):
            unfolded = _FOLD.sub(b" ", value).strip(b" \t\r\n").decode("latin-1")
            self._fields.setdefault(name.decode("latin-1").lower(), []).append(unfolded)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._fields[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def all(self, name: str) -> Sequence[str]:
        """The values of all fields of that name, in their order."""
        return self._fields.get(name.lower(), [])

    def tokens(self, name: str) -> list[str]:
        """The members of a comma-separated field, in lower case."""
        members = (member.strip().lower() for member in self.get(name, "").split(","))
        return [member for member in members if member]


class HttpMessage(Message):
    """What requests and responses share: a head, and its fields by name."""

    __slots__ = ("_headers", "head", "whole")

    #: The raw head, up to and with the empty line.
    head: bytes
    #: Whether the head came to its end before the connection did.
    whole: bool
    _headers: Headers | None

    @property
    def headers(self) -> Headers:
        """The header fields by name."""
        if self._headers is None:
            self._headers = Headers(self.head)
        return self._headers

    @property
    def start_line(self) -> str:
        """The request line or the status line."""
        return self.head.partition(b"\n")[0].rstrip(b" \r").decode("latin-1")


class Request(HttpMessage):
    """A request. ``verb`` is the method, ``target`` the path with the query."""

    __slots__ = ("has_content", "refused")

    def __init__(self, head: bytes, whole: bool = True, has_content: bool = False) -> None:
        # One is made for each exchange: the attributes that all messages have are set here as well.
        # Blank lines may stand before it (RFC 9112 section 2.2).
        self.head = head.lstrip(b"\r\n")
        self.whole = whole
        self._headers = None
        #: Whether a body follows.
        self.has_content = has_content
        #: The proxy has answered it, and the backend will, too.
        self.refused = False

    @property
    def method(self) -> bytes:
        """The method as it came: methods have a case (RFC 9110 section 9.1)."""
        return self.head[: max(0, self.head.find(b" "))]

    @property
    def verb(self) -> str:
        return self.start_line.partition(" ")[0].upper()

    @property
    def targets(self) -> Sequence[str]:
        """The path with the query; ``host:port`` for CONNECT; ``*``. Never the authority."""
        target = self.start_line.partition(" ")[2].rpartition(" ")[0].strip()
        if not target:
            return ()
        match = _AUTHORITY.match(target)
        return (target[match.end() :] or "/",) if match else (target,)

    @property
    def version(self) -> str:
        """``1.1`` or ``1.0``."""
        return self.start_line.rpartition("/")[2]

    @property
    def persistent(self) -> bool:
        """Whether the client wants to keep the connection (RFC 9112 section 9.3)."""
        options = self.headers.tokens("connection")
        if self.version == "1.0":
            return "keep-alive" in options and "close" not in options
        return "close" not in options

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits with its body for 100 Continue (RFC 9110 section 10.1.1)."""
        # Looked for first, because few requests have it and this is asked of each with a body.
        expected = b"100-" in self.head and "100-continue" in self.headers.tokens("expect")
        return expected and self.version != "1.0"

    @property
    def switches(self) -> bool:
        """Whether it asks for another protocol on this connection."""
        return self.verb == "CONNECT" or "upgrade" in self.headers

    def log_fields(self) -> dict[str, str]:
        """Verb and path. Query, path parameters, fragment and user are left out: they may hold secrets."""
        fields = super().log_fields()
        target = fields.get("target", "")
        if "@" in target and not target.startswith("/"):
            target = "...@" + target.rpartition("@")[2]
        secret = _SECRET.search(target)
        if target:
            fields["target"] = target[: secret.end()] + "..." if secret else target
        return fields


class Response(HttpMessage):
    """A response. ``status`` is the code."""

    __slots__ = ("body_size",)

    def __init__(self, head: bytes, body_size: int | None = None, *, whole: bool = True) -> None:
        self.head = head
        self.whole = whole
        self._headers = None
        #: How many bytes follow the head, None where the head does not tell.
        self.body_size: int | None = body_size

    @property
    def head_size(self) -> int:
        return len(self.head)

    @property
    def verb(self) -> str:
        """For rules about what the server sends unasked: ``INTERIM`` (100 to 199), else ``UNASKED``."""
        return "INTERIM" if self.status.startswith("1") else "UNASKED"

    @property
    def status(self) -> str:
        return self.start_line.partition(" ")[2].lstrip()[:3]


def with_host(head: bytes, host: bytes) -> bytes:
    """A request's head that is meant for this host and port.

    Where the target is a whole URL, its authority is changed as well, because a server goes by
    that and not by Host (RFC 9112 section 3.2.2). CONNECT is left alone: its target says where
    the tunnel leads, and Host has to be the same (section 3.2).
    """
    if _CONNECT.match(head):
        return head
    target = _HOST_OF_TARGET.match(head)
    if target is not None:
        head = target[1] + host + head[target.end() :]
    return _with_field(head, b"Host", host)


def _with_field(head: bytes, name: bytes, value: bytes) -> bytes:
    """A head in which each field called `name` has this value, or which has one such field more."""
    line = name + b": " + value + _line_end(head)
    edited, count = _lines_of(name).subn(lambda _: line, head)
    return edited if count else _append(head, line)


def with_only_field(head: bytes, name: bytes, value: bytes) -> bytes:
    """A head with one field called `name`, that of this value, after all others."""
    return _append(without_field(head, name), name + b": " + value + _line_end(head))


def without_field(head: bytes, name: bytes) -> bytes:
    """A head without fields of that name."""
    return _lines_of(name).sub(b"", head)


def _lines_of(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"^%s:.*\n(?:[ \t].*\n)*" % re.escape(name), re.MULTILINE | re.IGNORECASE)


def _line_end(head: bytes) -> bytes:
    return b"\r\n" if head.endswith(b"\r\n") else b"\n"


def _append(head: bytes, line: bytes) -> bytes:
    end = _line_end(head)
    return head[: -len(end)] + line + end
