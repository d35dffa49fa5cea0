"""Who may use the control server: whoever is on this machine, but no web page of somebody else.

A page from anywhere can make a browser send requests to localhost. It can be told
by what it cannot forge: the ``Host`` that it was reached by (against DNS rebinding),
``Origin``, and ``Sec-Fetch-Site``. `Guard` stands at the root of the resource tree,
so that no path can be forgotten; `ControlRequest` bounds what a request may bring.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import Request
from zope.interface import implementer

from txvaurien.control.answers import JSON_HEADERS, Refused

#: The largest body that is taken, in bytes.
MAX_BODY = 1 << 20

#: How long a client whose body is refused may take to read why, in seconds.
LINGER = 5.0

_WILDCARDS = frozenset({"0.0.0.0", "::"})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::\d*)?")
_ORIGIN = re.compile(rf"https?://({_HOST.pattern})")


class AllowedHosts:
    """The names and addresses under which this server may be asked.

    Those are loopback's, the one that it was told to listen on, and `more`. Where
    that is every address, any numeric one is right: only a name can be rebound.
    """

    def __init__(self, http_host: str, more: Iterable[str] = ()) -> None:
        self._names = {"localhost", *(_plain(name) for name in (http_host, *more))}
        self._any_address = _plain(http_host) in _WILDCARDS

    def allow(self, host: str) -> bool:
        """Whether a ``Host``, with or without a port, is one of ours."""
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = _plain(match[1])
        return name in self._names or self._is_our_address(name)

    def allow_origin(self, origin: str) -> bool:
        """Whether a page of this ``Origin`` may ask; ``null`` may not."""
        match = _ORIGIN.fullmatch(origin)
        return match is not None and self.allow(match[1])

    def _is_our_address(self, name: str) -> bool:
        try:
            return ipaddress.ip_address(name).is_loopback or self._any_address
        except ValueError:
            return False


@implementer(IResource)
class Guard:
    """Lets the requests through to `guarded` that come from here. To be the root of a `Site`."""

    isLeaf = True

    def __init__(self, guarded: IResource, hosts: AllowedHosts) -> None:
        self._guarded = guarded
        self._hosts = hosts

    def render(self, request: Request) -> int | bytes:
        """Answer as `guarded` does, or with 400 or 403 and the reason."""
        request.responseHeaders.removeHeader(b"server")
        try:
            self._check_host(request)
            self._check_origin(request)
            _check_path(request)
        except Refused as refused:
            return refused.answer(request)
        answer: int | bytes = self._guarded.render(request)
        return answer

    def getChildWithDefault(self, name: bytes, request: Request) -> IResource:
        """Not asked of a leaf."""
        raise RuntimeError(f"a guard is a leaf and has no child {name!r}")

    def putChild(self, path: bytes, child: IResource) -> None:
        """Not possible: what is not behind the guard is not guarded."""
        raise RuntimeError("add it to the resource that is guarded")

    def _check_host(self, request: Request) -> None:
        hosts = _values(request, "Host")
        if not hosts and request.clientproto == b"HTTP/1.0":
            # HTTP/1.0 knows no Host, and what speaks it is no browser.
            return
        if len(hosts) != 1:
            raise Refused.because(400, "header", "Host", f"there must be one Host header, not {len(hosts)}")
        if not self._hosts.allow(hosts[0]):
            raise Refused.because(
                403,
                "header",
                "Host",
                f"the host {hosts[0]!r} is not one of this server; ask for localhost,"
                " or start the proxy with that name as --http-host",
            )

    def _check_origin(self, request: Request) -> None:
        for origin in _values(request, "Origin"):
            if not self._hosts.allow_origin(origin):
                raise Refused.because(
                    403, "header", "Origin", f"a page of {origin!r} may not control this proxy"
                )
        if "cross-site" in _values(request, "Sec-Fetch-Site"):
            raise Refused.because(
                403, "header", "Sec-Fetch-Site", "a page of another site may not control this proxy"
            )


class ControlRequest(Request):
    """A request whose body is bounded, before it is kept anywhere.

    The length that is announced decides where there is one, what has come otherwise.
    """

    content: BytesIO
    _received = 0
    _refused = False
    _deadline: IDelayedCall | None = None

    def gotLength(self, length: int | None) -> None:
        """The headers are complete; `length` is None for a chunked body."""
        self.content = BytesIO()
        if length is not None and length > MAX_BODY:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body came. After a refusal the rest is dropped."""
        self._received += len(data)
        if self._refused:
            return
        if self._received > MAX_BODY:
            self._refuse()
        else:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is complete."""
        if self._refused:
            self.channel.loseConnection()
            return
        # Twisted would try to read a form; here a body is JSON, whatever its type says.
        self.requestHeaders.removeHeader(b"content-type")
        # It would answer for ``*`` itself, past the guard.
        Request.requestReceived(self, command, b"/*" if path == b"*" else path, version)

    def connectionLost(self, reason: object) -> None:
        """The client is gone."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        Request.connectionLost(self, reason)

    def _refuse(self) -> None:
        self._refused = True
        self.content = BytesIO()
        # The client is not to go on, so it must not be told to.
        self.requestHeaders.removeHeader(b"expect")
        self._answer(Refused.because(413, "body", "", f"the body is larger than {MAX_BODY} bytes"))
        # Closing with input unread would reset the connection, and the reason would be lost.
        channel: Any = self.channel
        channel.transport.loseWriteConnection()
        self._deadline = channel.callLater(LINGER, channel.transport.abortConnection)

    def _answer(self, refused: Refused) -> None:
        headers = Headers({name: [value] for name, value in JSON_HEADERS.items()})
        headers.setRawHeaders(b"content-length", [b"%d" % len(refused.body)])
        headers.setRawHeaders(b"connection", [b"close"])
        self.channel.writeHeaders(b"HTTP/1.1", b"%d" % refused.status, b"Content Too Large", headers)
        self.channel.write(refused.body)


def _check_path(request: Request) -> None:
    try:
        b"/".join(request.postpath or []).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused.because(400, "path", "", "the path is not UTF-8") from None


def _values(request: Request, header: str) -> list[str]:
    raw = request.requestHeaders.getRawHeaders(header.encode("ascii"), [])
    return [value.decode("latin-1") for value in raw]


def _plain(name: str) -> str:
    return name.strip("[]").rstrip(".").lower()
