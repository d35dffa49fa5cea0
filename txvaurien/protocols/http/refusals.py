"""The error catalogue of http: what a server or a gateway answers when it does not serve."""

from __future__ import annotations

import html
import json
from http import HTTPStatus

from txvaurien.model import ErrorKind, Where
from txvaurien.protocols.http.messages import Request


def _kind(code: int, help: str, drawn: bool = False) -> ErrorKind:
    return ErrorKind(str(code), Where.COMMAND, f"{REASONS[str(code)]}: {help}", drawn)


#: Codes with the reason phrases of RFC 9110; 413 had another name before it.
REASONS = {
    "400": "Bad Request",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "Not Found",
    "408": "Request Timeout",
    "409": "Conflict",
    "413": "Content Too Large",
    "429": "Too Many Requests",
    "500": "Internal Server Error",
    "501": "Not Implemented",
    "502": "Bad Gateway",
    "503": "Service Unavailable",
    "504": "Gateway Timeout",
}

KINDS = (
    _kind(400, "the server cannot make sense of the request, and closes"),
    _kind(401, "asks for Basic authentication"),
    _kind(403, "the server will not do it"),
    _kind(404, "there is no such thing"),
    _kind(408, "the request took too long, and the server closes"),
    _kind(409, "it contradicts the state of the resource"),
    _kind(413, "for requests with a body"),
    _kind(429, "with Retry-After"),
    _kind(500, "the server failed", drawn=True),
    _kind(501, "the server does not know how", drawn=True),
    _kind(502, "the gateway got no usable answer; also said when the backend cannot be reached", drawn=True),
    _kind(503, "with Retry-After", drawn=True),
    _kind(504, "the gateway got no answer in time"),
)

#: After these a server does not read on: it cannot trust what follows (RFC 9110 section 15.5).
CLOSING = frozenset({"400", "408"})

#: What clients are told to log in to.
REALM = "txvaurien"


def answer(request: Request, kind: str, text: str, *, close: bool, retry_after: int) -> bytes:
    """The whole response to `request`.

    :param kind: the code.
    :param text: words of the user's for the body, ``""`` for none.
    :param close: the connection is closed after it.
    :param retry_after: seconds, for 429 and 503.
    """
    media, body = _content(request, kind, text)
    fields = [f"Content-Type: {media}; charset=utf-8", f"Content-Length: {len(body)}"]
    if kind == "401":
        fields.append(f'WWW-Authenticate: Basic realm="{REALM}", charset="UTF-8"')
    elif kind in {"429", "503"}:
        fields.append(f"Retry-After: {retry_after}")
    # Some of the codes may be cached without being asked for (RFC 9110 section 15.1).
    fields.append("Cache-Control: no-store")
    if close:
        fields.append("Connection: close")
    elif request.version == "1.0":
        fields.append("Connection: keep-alive")
    head = "\r\n".join((f"HTTP/1.1 {kind} {REASONS[kind]}", *fields, "", ""))
    return head.encode() + (b"" if request.method == b"HEAD" else body)


def _content(request: Request, kind: str, text: str) -> tuple[str, bytes]:
    reason = REASONS[kind]
    detail = text or HTTPStatus(int(kind)).description or reason
    if wants_json(request.headers.get("accept", "")):
        # The member names are those of RFC 9457.
        told = {"title": reason, "status": int(kind), "detail": detail}
        return "application/json", json.dumps(told).encode() + b"\n"
    title = f"{kind} {reason}"
    page = f"<!doctype html>\n<title>{title}</title>\n<h1>{title}</h1>\n<p>{html.escape(detail)}</p>\n"
    return "text/html", page.encode()


def wants_json(accept: str) -> bool:
    """Whether this Accept field prefers JSON to HTML (RFC 9110 section 12.5.1).

    Named types go before wildcards of the same quality; where nothing tells, it is HTML.
    """
    json_rank = html_rank = (0.0, 0)
    for member in accept.lower().split(","):
        media, *parameters = (part.strip() for part in member.split(";"))
        quality = _quality(parameters)
        if media == "application/json" or (media.startswith("application/") and media.endswith("+json")):
            json_rank = max(json_rank, (quality, 2))
        elif media in {"text/html", "application/xhtml+xml"}:
            html_rank = max(html_rank, (quality, 2))
        elif media == "application/*":
            json_rank = max(json_rank, (quality, 1))
        elif media == "text/*":
            html_rank = max(html_rank, (quality, 1))
    return json_rank > html_rank and json_rank[0] > 0


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
