"""Where to listen and where to connect, as users write it.

Three forms are understood:

- ``host:port``: ``localhost:8000``, ``127.0.0.1:0``, ``[::1]:8000``. To listen, ``:8000`` is
  loopback too; every interface has to be asked for, with ``0.0.0.0:8000`` or ``[::]:8000``.
- ``localhost`` is 127.0.0.1. As a backend it is ::1 as well, where 127.0.0.1 refuses.
- An endpoint string of Twisted (`txvaurien.net.endpoints`): ``unix:/run/redis.sock``,
  ``tls:example.org:465``, ``tcp:8000:interface=::1``, ``systemd:domain=INET:index=0``, and
  those of plug-ins. A ``name:digits`` whose name is such a type (``tcp:8000``) is one.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IResolutionReceiver,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from txvaurien.errors import ConfigError
from txvaurien.net.endpoints import (
    LOOPBACK,
    Description,
    LocalhostEndpoint,
    TimedEndpoint,
    client_endpoint,
    is_client_type,
    is_server_type,
    server_endpoint,
    try_client,
    try_server,
)
from txvaurien.net.tlsarguments import (
    TLS_TYPES,
    ArgumentError,
    BackendTlsArguments,
    ListenTlsArguments,
    backend_arguments,
    listen_arguments,
)

HIGHEST_PORT = 65535

#: What stands before an endpoint string whose clients begin with a header of the PROXY protocol.
_HEADER = "haproxy"

#: ``host:port`` as it is written; which host that is, and whether there is such a port, is another question.
#: Python reads no number of thousands of digits.
HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:\[\]/=\s]*)):(?P<port>\d{1,20})", re.ASCII)


@dataclass(frozen=True)
class Backend:
    """Where the proxy connects to: a host and a port, or an endpoint string.

    ``text`` is what the user wrote. ``host`` is empty for an endpoint string.

    :param tls: what that says of TLS, which is spoken from the first byte on then; None if it is not.
    """

    text: str
    host: str = ""
    port: int = 0
    tls: BackendTlsArguments | None = None

    @property
    def authority(self) -> str:
        """Host and port as a URL has them, ``""`` for what has none (a Unix socket)."""
        if self.host:
            return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        described = Description.of(self.text)
        port = next(iter(described.ports), None)
        return f"{described.host}:{port}" if described.host and port is not None else described.host

    @property
    def named_host(self) -> str:
        """The host, in whichever form it is written; ``""`` for what has none."""
        return self.host or Description.of(self.text).host

    @property
    def direct(self) -> tuple[str, int]:
        """The host and the port that a socket can be connected to; ``""`` if only an endpoint knows how."""
        if self.host or self.tls is None or self.tls.plain:
            return self.host, self.port
        return _known_host(self.tls.host), self.tls.port

    def endpoint(self, reactor: Any, timeout: float) -> IStreamClientEndpoint:
        """An endpoint that connects, without TLS, and whose attempts end after `timeout` seconds.

        A ``timeout=`` in an endpoint string stands for itself.

        :param reactor: provides IReactorTCP and IReactorTime, and what an endpoint string needs.
        """
        host, port = self.direct
        if not host:
            return client_endpoint(reactor, self.text if self.tls is None else self.tls.plain, timeout)
        if host == "localhost":
            return LocalhostEndpoint(reactor, port, timeout)
        if isIPAddress(host):
            return TCP4ClientEndpoint(reactor, host, port, timeout)
        if isIPv6Address(host):
            return TCP6ClientEndpoint(reactor, host, port, timeout)
        return TimedEndpoint(reactor, HostnameEndpoint(reactor, host, port, timeout), timeout)

    def resolve(self, where: str = "") -> None:
        """Look the name up, blocking; nothing is done for numeric addresses and paths.

        :raises ConfigError: there is no such host.
        """
        host = self.named_host
        if not _is_name(host):
            return
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise self._unresolved(host, where, f" ({reason})") from error

    def look_up(self, reactor: Any, where: str = "") -> Deferred[None]:
        """As `resolve`, without blocking.

        :param reactor: provides IReactorPluggableNameResolver.
        """
        host = self.named_host
        done: Deferred[None] = Deferred()
        if _is_name(host):
            try:
                reactor.nameResolver.resolveHostName(_Resolution(done), host)
            except UnicodeError as error:
                done.errback(error)
            done.addErrback(self._not_found, host, where)
        else:
            done.callback(None)
        return done

    def _not_found(self, failure: Failure, host: str, where: str) -> None:
        failure.trap(DNSLookupError, UnicodeError)
        raise self._unresolved(host, where)

    def _unresolved(self, host: str, where: str, reason: str = "") -> ConfigError:
        return ConfigError(
            where,
            f"the host {host!r} of {self.text!r} cannot be resolved{reason}",
            "check the spelling and the name server, or give a numeric address",
        )


def _is_name(host: str) -> bool:
    return bool(host) and host != "localhost" and not isIPAddress(host) and not isIPv6Address(host)


@implementer(IResolutionReceiver)
class _Resolution:
    """Waits for the first address of a name."""

    def __init__(self, done: Deferred[None]) -> None:
        self._done = done
        self._found = False

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """It takes its time."""

    def addressResolved(self, address: IAddress) -> None:
        """There is one."""
        self._found = True

    def resolutionComplete(self) -> None:
        """That was all."""
        if self._found:
            self._done.callback(None)
        else:
            self._done.errback(DNSLookupError())


@dataclass(frozen=True)
class Listen:
    """Where the proxy listens: a host and a port, or an endpoint string.

    ``text`` is what the user wrote. ``host`` is empty for an endpoint string,
    else a numeric address or a name of this machine.
    """

    text: str
    host: str = ""
    port: int = 0

    @property
    def tls(self) -> ListenTlsArguments | None:
        """What it says of TLS; None if it says nothing, or what only Twisted understands."""
        return None if self.host else listen_arguments(Description.of(self.text))

    @property
    def has_header(self) -> bool:
        """Whether clients begin with a header of the PROXY protocol (``haproxy:``)."""
        return not self.host and Description.of(self.text).kind == _HEADER

    def without_header(self) -> Listen:
        """The place behind ``haproxy:``, where the header is left to somebody else (`has_header`)."""
        return parse_listen(self.text.partition(":")[2]) if self.has_header else self

    def without_tls(self) -> Listen:
        """The same place, where TLS is left to somebody else (`tls`)."""
        return self if self.tls is None else replace(self, text=self.tls.plain)

    def endpoint(self, reactor: Any, backlog: int) -> IStreamServerEndpoint:
        """An endpoint with a queue of `backlog` connections, unless an endpoint string has its own."""
        if not self.host:
            return server_endpoint(reactor, self.text, backlog)
        if isIPv6Address(self.host):
            return TCP6ServerEndpoint(reactor, self.port, backlog, self.host)
        return TCP4ServerEndpoint(reactor, self.port, backlog, self.host)


@dataclass(frozen=True)
class _Use:
    """What differs between the two things an address can be for."""

    forms: str
    is_type: Callable[[str], bool]
    attempt: Callable[[str], None]


def _try_backend(text: str) -> None:
    described = Description.of(text)
    if described.kind not in TLS_TYPES:
        try_client(text)
        return
    plain = backend_arguments(described).plain
    if plain:
        try_client(plain)


_CONNECT = _Use(
    "write host:port, [IPv6]:port, or an endpoint string such as unix:/run/x.sock or tls:host:465",
    is_client_type,
    _try_backend,
)
_LISTEN = _Use(
    "write host:port, :port (loopback), [IPv6]:port, or an endpoint string such as tcp:8000",
    is_server_type,
    try_server,
)


def parse_backend(text: str, where: str = "") -> Backend:
    """What `text` means as a backend.

    :param where: the place that an error names, such as ``--backend``.
    :raises ConfigError: it is no address, or the arguments of an endpoint string are wrong.
    """
    text = text.strip()
    plain = _host_and_port(text, _CONNECT, where)
    if plain is None:
        described = Description.of(text)
        return Backend(text, tls=backend_arguments(described) if described.kind in TLS_TYPES else None)
    host, port = plain
    if not host:
        raise ConfigError(where, f"{text!r} names no host", _CONNECT.forms)
    if port == 0:
        raise ConfigError(where, f"{text!r}: nothing can be reached at port 0", "ports are 1 to 65535")
    return Backend(text, host, port)


def parse_listen(text: str, where: str = "") -> Listen:
    """What `text` means as a place to listen; port 0 is any free port.

    :param where: the place that an error names, such as ``--proxy``.
    :raises ConfigError: it is no address, or the arguments of an endpoint string are wrong.
    """
    text = text.strip()
    kind, colon, inner = text.partition(":")
    if colon and kind.lower() == _HEADER and HOST_PORT.fullmatch(text) is None:
        parse_listen(inner, where)
        return Listen(text)
    plain = _host_and_port(text, _LISTEN, where)
    if plain is None:
        _check_is_no_backend(text, where)
        return Listen(text)
    host, port = plain
    return Listen(text, LOOPBACK if host in {"", "localhost"} else host, port)


def _check_is_no_backend(text: str, where: str) -> None:
    """Twisted's ``tls:FOLDER:ENDPOINT`` has a folder of certificates where a backend has its host.

    :raises ConfigError: there is no such folder.
    """
    described = Description.of(text)
    if described.kind == "tls" and not os.path.isdir(next(iter(described.positional), "")):
        what = f"{text!r} names no folder of certificates to listen with"
        raise ConfigError(where, what, "write host:port, and --tls auto or --tls FILE beside it")


def _host_and_port(text: str, use: _Use, where: str) -> tuple[str, int] | None:
    """Host and port, or None if `text` is an endpoint string (which has been checked)."""
    match = HOST_PORT.fullmatch(text)
    if match is None or _is_type_with_number(match["name"], use):
        _check_endpoint_string(text, use, where)
        return None
    if match["v6"] is not None and not isIPv6Address(match["v6"]):
        raise ConfigError(where, f"{match['v6']!r} in {text!r} is not an IPv6 address", use.forms)
    port = int(match["port"])
    if port > HIGHEST_PORT:
        raise ConfigError(where, f"there is no port {port} ({text!r})", f"ports end at {HIGHEST_PORT}")
    host = match["v6"] or match["name"]
    return _known_host(host), port


def _known_host(host: str) -> str:
    return "localhost" if host.lower() == "localhost" else host


def _is_type_with_number(name: str | None, use: _Use) -> bool:
    # Asking for the plug-ins imports all of them, so the usual names do without.
    if not name or name == "localhost" or isIPAddress(name):
        return False
    return use.is_type(name)


def _check_endpoint_string(text: str, use: _Use, where: str) -> None:
    if isIPv6Address(text) or isIPv6Address(text.rpartition(":")[0]):
        raise ConfigError(where, f"{text!r} has an IPv6 address without brackets", "write [IPv6]:port")
    kind, colon, _ = text.partition(":")
    if not colon or not use.is_type(kind):
        raise ConfigError(where, f"{text!r} is not an address", use.forms)
    if any(port > HIGHEST_PORT for port in Description.of(text).ports):
        raise ConfigError(where, f"there is no such port ({text!r})", f"ports end at {HIGHEST_PORT}")
    try:
        use.attempt(text)
    except ArgumentError as error:
        raise ConfigError(where, f"{text!r} is not a usable endpoint ({error})", use.forms) from error
    except Exception as error:  # whatever Twisted and the TLS library say of bad arguments
        raise ConfigError(
            where, f"{text!r} is not a usable endpoint ({_reason(error)})", use.forms
        ) from error


def _reason(error: Exception) -> str:
    """What is wrong with an endpoint string, where Twisted speaks of its own functions."""
    said = str(error)
    named = re.findall(r"'(\w*)'", said)
    if isinstance(error, TypeError) and "missing" in said:
        return f"it lacks: {', '.join(named)}"
    if isinstance(error, TypeError) and "keyword argument" in said:
        # A name is there if it could be that of an argument.
        return f"it has no argument {named[-1]!r}" if named else "what stands before an = is no name"
    if isinstance(error, TypeError) and "positional argument" in said:
        return "it has too many parts"
    if isinstance(error, ValueError) and "invalid literal for int()" in said:
        return f"{said.rpartition(': ')[2]} is not a number"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fspath(error.filename)!r}: {error.strerror}"
    return f"{type(error).__name__}: {said}"
