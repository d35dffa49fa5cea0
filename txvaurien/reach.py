"""What the proxies of a process may connect to: not their own control server, and what is allowed.

It is asked twice: by name when a backend is set, and by address when a link connects, because
what a name leads to is somebody else's to change.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from zope.interface import directlyProvides, providedBy

from txvaurien.addresses import Backend
from txvaurien.allowed import Pattern, may_be_reached, may_be_set, numeric, parse_patterns, places
from txvaurien.errors import ConfigError
from txvaurien.itself import is_itself, reaches, reaches_path

if TYPE_CHECKING:
    from txvaurien.proxy import Proxy

#: How many answers are remembered for one backend.
_REMEMBERED = 64


class Refusal(OSError):
    """A proxy may not connect there. The text says why."""


class Said(Struct):
    """`Reach` for another process: patterns, none of them for anything, and addresses."""

    patterns: list[str]
    closed: list[str]


class Reach:
    """What the proxies of one process may connect to.

    :param patterns: where a backend may be that the control API sets; empty for anywhere.
    :param proxies: what gives all proxies of the process.
    """

    def __init__(
        self, patterns: Sequence[Pattern] = (), proxies: Callable[[], Iterable[Proxy]] = tuple
    ) -> None:
        self.patterns = tuple(patterns)
        self._proxies = proxies
        self._trusted: set[str] = set()
        self._closed: list[IAddress] = []

    def trust(self, backend: Backend) -> None:
        """Whoever started the process wants this backend: it is allowed, now and when it is set again."""
        self._trusted.add(backend.text)

    def close(self, address: IAddress) -> None:
        """Our control server listens here, so no proxy connects here.

        :raises ConfigError: one of them is to.
        """
        self._closed.append(address)
        try:
            for proxy in self._proxies():
                self._check_control(proxy.backend, f"the backend of {proxy.name}")
        except ConfigError:
            self._closed.remove(address)
            raise

    def reopen(self, address: IAddress) -> None:
        """It does not listen any more."""
        self._closed.remove(address)

    def check(self, backend: Backend, where: str = "backend") -> None:
        """Nothing, if the control API may set this backend.

        :raises ConfigError: it is not allowed, or is our control server.
        """
        self._check_control(backend, where)
        if self._limits(backend) and not may_be_set(self.patterns, backend):
            raise ConfigError(where, f"{backend.text!r} is not allowed as a backend", self._allowed)

    def check_circle(self, proxy: Proxy, listening: IAddress, backend: Backend, where: str) -> None:
        """Nothing, if a connection to `backend` does not come back to `listening`, where `proxy` listens.

        :raises ConfigError: it does, through other proxies of this process.
        """
        names = [proxy.name]
        left = [each for each in self._proxies() if each is not proxy]
        while not is_itself(listening, backend):
            reached = [each for each in left if each.gate and is_itself(each.gate.address, backend)]
            if not reached:
                return
            left.remove(reached[0])
            names.append(reached[0].name)
            backend = reached[0].backend
        raise ConfigError(
            where,
            f"connections would go round in a circle: {' to '.join([*names, proxy.name])}",
            "give the address of the server that is to be tested",
        )

    def way_to(self, backend: Backend) -> Way:
        """What connections to this backend may lead to."""
        return Way(backend, self.patterns if self._limits(backend) else None, self._closed)

    def said(self, backend: Backend) -> Said:
        """What another process has to know to keep to it, for connections to this backend."""
        patterns = [pattern.text for pattern in self.patterns] if self._limits(backend) else []
        return Said(patterns, [_text(address) for address in self._closed])

    @classmethod
    def of(cls, said: Said) -> Reach:
        """What was said by another process."""
        reach = cls(parse_patterns(",".join(said.patterns)))
        reach._closed = [_address(text) for text in said.closed]
        return reach

    @property
    def _allowed(self) -> str:
        return f"allowed are: {', '.join(pattern.text for pattern in self.patterns)} (--allow-backend)"

    def _limits(self, backend: Backend) -> bool:
        return bool(self.patterns) and backend.text not in self._trusted

    def _check_control(self, backend: Backend, where: str) -> None:
        if any(is_itself(address, backend) for address in self._closed):
            what = f"{backend.text!r} is where the control server of this process listens"
            raise ConfigError(where, what, "give the address of the server that is to be tested")


class Way:
    """What the connections of one proxy to its backend may lead to.

    :param patterns: what is allowed; None for anything.
    :param closed: where nothing may connect to; it may change.
    """

    def __init__(
        self, backend: Backend, patterns: Sequence[Pattern] | None, closed: Sequence[IAddress]
    ) -> None:
        self._backend = backend
        self._patterns = patterns
        self._closed = closed
        self._known: dict[tuple[str, int, int], str | None] = {}

    def may_connect(self, host: str, port: int) -> str | None:
        """Why a link may not connect to this numeric address; None if it may."""
        key = host, port, len(self._closed)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._why_not(host, port)
        return self._known[key]

    def may_connect_to_path(self, path: str) -> str | None:
        """As `may_connect`, for a Unix socket."""
        if any(reaches_path(address, path) for address in self._closed):
            return f"{path} is the control server of this process"
        if self._patterns is None or any(pattern.takes_path(path) for pattern in self._patterns):
            return None
        return f"{path} is not allowed by --allow-backend"

    def _why_not(self, host: str, port: int) -> str | None:
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if any(reaches(address, host, port) for address in self._closed):
            return f"{shown} is the control server of this process"
        if self._patterns is None or may_be_reached(self._patterns, self._backend, host, port):
            return None
        name, _, _ = places(self._backend)
        led = f", which is where {name!r} leads," if numeric(name) is None else ""
        return f"{shown}{led} is not allowed by --allow-backend"


class CheckedReactor:
    """A reactor that connects only to where a `Way` goes; all else of it is as it is.

    Every endpoint of Twisted that connects asks its reactor to, in the end, with the address that
    a name has led to.
    """

    def __init__(self, reactor: Any, way: Way) -> None:
        self._reactor = reactor
        self._way = way
        directlyProvides(self, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def connectTCP(self, host: str, port: int, *args: Any, **options: Any) -> Any:
        """Connect, unless it is forbidden.

        :raises Refusal: it is.
        """
        self._check(
            f"{host!r} has not been looked up; give the backend as {host}:{port}"
            if numeric(host) is None
            else self._way.may_connect(host, port)
        )
        return self._reactor.connectTCP(host, port, *args, **options)

    def connectUNIX(self, address: str, *args: Any, **options: Any) -> Any:
        """Connect, unless it is forbidden.

        :raises Refusal: it is.
        """
        self._check(self._way.may_connect_to_path(address))
        return self._reactor.connectUNIX(address, *args, **options)

    def _check(self, why_not: str | None) -> None:
        if why_not is not None:
            raise Refusal(why_not)


def _text(address: IAddress) -> str:
    if isinstance(address, IPv4Address | IPv6Address):
        return f"{address.host} {address.port}"
    return os.fsdecode(getattr(address, "name", None) or b"")


def _address(text: str) -> IAddress:
    host, space, port = text.rpartition(" ")
    if not space or text.startswith("/"):
        return UNIXAddress(os.fsencode(text))
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, int(port))
