"""Who may use the control server: whoever is on this machine or shows the token, but no foreign web page.

A page from anywhere can make a browser send requests to localhost. It can be told
by what it cannot forge: the ``Host`` that it was reached by (against DNS rebinding),
``Origin``, ``Sec-Fetch-Site`` and the type of a body, which a page can only choose
freely where it asks before. `Guard` stands at the root of the resource tree, so that no
path can be forgotten.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable

from twisted.web.resource import IResource
from twisted.web.server import Request
from zope.interface import implementer

from txvaurien.control.answers import Problem, Refused
from txvaurien.settings.tokens import TOKEN_VARIABLE

_WILDCARDS = frozenset({"0.0.0.0", "::"})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::\d*)?")
_ORIGIN = re.compile(rf"https?://({_HOST.pattern})")
_BEARER = re.compile(rb"bearer +([^\s]+)", re.IGNORECASE)
_JSON = re.compile(r"\s*application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)

#: Paths whose clients are Toxiproxy's, which send no type, or another.
_OF_TOXIPROXY = re.compile(rb"/(?:populate|reset|proxies(?:/[^/]+(?:/toxics(?:/[^/]+)?)?)?)/?")


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
        return self._is_ours(name) or (self._any_address and _address(name) is not None)

    def allow_origin(self, origin: str, host: str = "") -> bool:
        """Whether a page of this ``Origin`` may ask; ``null`` may not.

        :param host: the ``Host`` of the request: a page that came from there is one of this server.
        """
        match = _ORIGIN.fullmatch(origin)
        asked = _HOST.fullmatch(host)
        if match is None:
            return False
        name = _plain(match[2])
        # Any address may be ours, but then the page is so only if it asks where it came from.
        return self._is_ours(name) or (asked is not None and name == _plain(asked[1]))

    def _is_ours(self, name: str) -> bool:
        address = _address(name)
        return name in self._names or (address is not None and address.is_loopback)


@implementer(IResource)
class Guard:
    """Lets the requests through to `guarded` that come from here. To be the root of a `Site`.

    :param token: what every request has to show; ``""`` for nothing.
    """

    isLeaf = True

    def __init__(self, guarded: IResource, hosts: AllowedHosts, token: str = "") -> None:
        self._guarded = guarded
        self._hosts = hosts
        self._token = token.encode("ascii")

    def render(self, request: Request) -> int | bytes:
        """Answer as `guarded` does, or with 400, 401, 403 or 415 and the reason."""
        request.responseHeaders.removeHeader(b"server")
        try:
            self._check_host(request)
            if not self.knows(request):
                raise self.unknown(request)
            self._check_origin(request)
            _check_path(request)
            _check_type(request)
        except Refused as refused:
            return refused.answer(request)
        _drop_last_slash(request)
        answer: int | bytes = self._guarded.render(request)
        return answer

    def knows(self, request: Request) -> bool:
        """Whether the request shows the token, where one is asked for."""
        if not self._token:
            return True
        said = request.requestHeaders.getRawHeaders(b"authorization", [])
        match = _BEARER.fullmatch(said[0]) if len(said) == 1 else None
        return match is not None and hmac.compare_digest(match[1], self._token)

    def unknown(self, request: Request) -> Refused:
        """The refusal of a request that does not show the token."""
        said = request.requestHeaders.hasHeader(b"authorization")
        why = "this is not the token of this server" if said else "this server wants its token"
        advice = f"send Authorization: Bearer TOKEN; vaurienctl takes it from --token or {TOKEN_VARIABLE}"
        # RFC 6750, section 3: no error code where nothing was shown.
        challenge = b'Bearer realm="txvaurien"' + (b', error="invalid_token"' if said else b"")
        problem = Problem("header", "Authorization", f"{why}; {advice}")
        return Refused(401, [problem], {b"www-authenticate": challenge})

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
                " or start the proxy with that name as --http-allow-host",
            )

    def _check_origin(self, request: Request) -> None:
        host = next(iter(_values(request, "Host")), "")
        for origin in _values(request, "Origin"):
            if not self._hosts.allow_origin(origin, host):
                raise Refused.because(
                    403, "header", "Origin", f"a page of {origin!r} may not control this proxy"
                )
        if "cross-site" in _values(request, "Sec-Fetch-Site"):
            raise Refused.because(
                403, "header", "Sec-Fetch-Site", "a page of another site may not control this proxy"
            )


def _check_path(request: Request) -> None:
    try:
        b"/".join(request.postpath or []).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused.because(400, "path", "", "the path is not UTF-8") from None


def _drop_last_slash(request: Request) -> None:
    """``/proxies/redis/`` is ``/proxies/redis``; Klein would look for an empty name below it."""
    path = request.postpath or []
    if len(path) > 1 and not path[-1]:
        path.pop()


def _check_type(request: Request) -> None:
    """A body is JSON and says so; of what is no browser it may also say nothing, as Vaurien's client does."""
    content = request.content
    if content is None or not content.read(1):
        return
    content.seek(0)
    types = _values(request, "Content-Type")
    if len(types) == 1 and _JSON.fullmatch(types[0]):
        return
    by_browser = _values(request, "Origin") or _values(request, "Sec-Fetch-Site")
    if not by_browser and (not types or _OF_TOXIPROXY.fullmatch(request.path)):
        return
    raise Refused(
        415,
        [Problem("header", "Content-Type", f"{_types_text(types)}; a body is JSON: {_HOW_TO_SEND}")],
        {b"accept": b"application/json"},
    )


_HOW_TO_SEND = (
    "send Content-Type: application/json (curl does with --json '{...}', or with -d and"
    " -H 'Content-Type: application/json')"
)


def _types_text(types: list[str]) -> str:
    return f"the body is said to be {', '.join(types)!r}" if types else "the body is not said to be anything"


def _values(request: Request, header: str) -> list[str]:
    raw = request.requestHeaders.getRawHeaders(header.encode("ascii"), [])
    return [value.decode("latin-1") for value in raw]


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _plain(name: str) -> str:
    return name.strip("[]").rstrip(".").lower()
