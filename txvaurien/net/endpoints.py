"""Endpoint strings of Twisted, and the two client endpoints that Twisted has not.

The strings are those of `twisted.internet.endpoints.clientFromString` and
`serverFromString`, with one relief: the colons of an IPv6 address in brackets, or in a named
argument (``interface=::1``) need no backslashes.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    clientFromString,
    serverFromString,
)
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import (
    IHostnameResolver,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import getPlugins
from twisted.python.failure import Failure
from zope.interface import implementer

LOOPBACK = "127.0.0.1"
LOOPBACK_V6 = "::1"

Numeric = ipaddress.IPv4Address | ipaddress.IPv6Address

_CLIENT_TYPES = frozenset({"tcp", "ssl", "unix", "tls"})
_SERVER_TYPES = frozenset({"tcp", "tcp6", "ssl", "unix", "tls", "systemd", "stdio", "haproxy"})
_TYPES_WITH_BACKLOG = frozenset({"tcp", "tcp6", "ssl", "unix", "tls"})

_PART = re.compile(r"(?:\\.|[^:\\])+", re.DOTALL)
_COLONS = re.compile(r"\\.|:", re.DOTALL)
_IPV6_VALUE = re.compile(
    r"(?<==)[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?(?=:[a-z]\w*=|$)", re.ASCII | re.IGNORECASE
)
_IPV6_BRACKETS = re.compile(
    r"(?<=[:=])\[([0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?)\](?=:|$)", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True)
class Description:
    """An endpoint string, taken apart: its type in lower case and its arguments.

    :ivar exact: whether Twisted takes it apart just so. It counts arguments that are empty, too, and finds
        a name behind a backslash.
    """

    kind: str
    positional: tuple[str, ...]
    named: dict[str, str]
    exact: bool = True

    @classmethod
    def of(cls, text: str) -> Description:
        """Take `text` apart; it need not be a sensible endpoint string."""
        escaped = _escaped(text)
        kind, *rest = _PART.findall(escaped) or [""]
        positional: list[str] = []
        named: dict[str, str] = {}
        for part in rest:
            name, equals, value = part.partition("=")
            if equals and name.isidentifier():
                named[name] = _unescaped(value)
            else:
                positional.append(_unescaped(part))
        full = _COLONS.findall(escaped).count(":") == len(rest)
        exact = full and not any("=" in part for part in positional)
        return cls(kind.lower(), tuple(positional), named, exact)

    @property
    def ports(self) -> list[int]:
        """What stands where Twisted's own TCP types take a port."""
        if self.kind not in {"tcp", "tcp6", "ssl", "tls"}:
            return []
        said = (*self.positional, self.named.get("port", ""))
        # Python reads no number of thousands of digits, and neither does Twisted, which says so.
        return [int(text) for text in said if text.isdecimal() and len(text) < 20]

    @property
    def host(self) -> str:
        """The host that one of Twisted's own types connects to, or ``""``."""
        if self.kind not in {"tcp", "ssl", "tls"} or "endpoint" in self.named:
            return ""
        return self.named.get("host", self.positional[0] if self.positional else "")


def numeric(host: str) -> Numeric | None:
    """The address that a text is, None for a name; a scope (``%eth0``) is no part of it.

    An IPv4 address that is written as IPv6 is the former: so does the kernel take it.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_client_type(kind: str) -> bool:
    """Whether `kind` begins an endpoint string for connecting, plug-ins included."""
    return kind.lower() in _CLIENT_TYPES or _is_prefix(kind, IStreamClientEndpointStringParserWithReactor)


def is_server_type(kind: str) -> bool:
    """Whether `kind` begins an endpoint string for listening, plug-ins included."""
    return kind.lower() in _SERVER_TYPES or _is_prefix(kind, IStreamServerEndpointStringParser)


def _is_prefix(kind: str, interface: Any) -> bool:
    return any(plugin.prefix.lower() == kind.lower() for plugin in getPlugins(interface))


def try_client(text: str) -> None:
    """Find out whether Twisted takes the arguments of `text`; whatever it raises comes through.

    Plug-ins are not tried: they may do anything with a reactor.
    """
    _try(text, _CLIENT_TYPES, clientFromString)


def try_server(text: str) -> None:
    """As `try_client`, for listening. Certificates that it names are read."""
    _try(text, _SERVER_TYPES, serverFromString)


def _try(text: str, known: frozenset[str], make: Callable[[Any, str], object]) -> None:
    if Description.of(text).kind in known:
        make(_NoReactor(), _escaped(text))


def client_endpoint(reactor: Any, text: str, timeout: float) -> IStreamClientEndpoint:
    """The endpoint of `text`, whose attempts end after `timeout` seconds, unless it says ``timeout=``."""
    description = Description.of(text)
    text = _escaped(text)
    if "timeout" in description.named:
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
        return endpoint
    # Twisted's own types give up after 30 seconds by themselves, and count in whole seconds.
    own = description.kind in _CLIENT_TYPES and "endpoint" not in description.named
    described = f"{text}:timeout={math.ceil(timeout)}" if own else text
    return TimedEndpoint(reactor, clientFromString(reactor, described), timeout)


def server_endpoint(reactor: Any, text: str, backlog: int) -> IStreamServerEndpoint:
    """The endpoint of `text`, with this backlog where its type has one and it says no ``backlog=``."""
    description = Description.of(text)
    text = _escaped(text)
    if description.kind in _TYPES_WITH_BACKLOG and "backlog" not in description.named:
        text = f"{text}:backlog={backlog}"
    endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    return endpoint


@implementer(IStreamClientEndpoint)
class TimedEndpoint:
    """Another endpoint, with a limit to the whole attempt: name lookup and every address."""

    def __init__(self, reactor: Any, endpoint: IStreamClientEndpoint, timeout: float) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; TimeoutError of twisted.internet.error when the time is up."""
        connected: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)

        def explain(result: object, timeout: float) -> Failure:
            del result
            return Failure(TimeoutError(string=f"no connection within {timeout:g} seconds"))

        return connected.addTimeout(self._timeout, self._reactor, onTimeoutCancel=explain)


@implementer(IStreamClientEndpoint)
class LocalhostEndpoint:
    """127.0.0.1, and ::1 if that refuses, without the thread pool of a name lookup."""

    def __init__(self, reactor: Any, port: int, timeout: float) -> None:
        self._first = TCP4ClientEndpoint(reactor, LOOPBACK, port, timeout)
        self._second = TCP6ClientEndpoint(reactor, LOOPBACK_V6, port, timeout)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; where both fail, the error is that of 127.0.0.1."""

        def refused(failure: Failure) -> Deferred[IProtocol]:
            failure.trap(ConnectionRefusedError)
            second: Deferred[IProtocol] = self._second.connect(protocolFactory)
            return second.addErrback(lambda _: failure)

        return self._first.connect(protocolFactory).addErrback(refused)


@implementer(IReactorPluggableNameResolver)
class _NoReactor:
    """Enough of a reactor for Twisted's own endpoints to be made, and thrown away."""

    nameResolver: Any = None

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        raise NotImplementedError("nothing is resolved while an address is parsed")


def _escaped(text: str) -> str:
    text = _IPV6_BRACKETS.sub(lambda match: match[1].replace(":", r"\:"), text)
    return _IPV6_VALUE.sub(lambda match: match[0].replace(":", r"\:"), text)


def _unescaped(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL)
