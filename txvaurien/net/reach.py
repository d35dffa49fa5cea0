"""What the proxies of a process may connect to: not their own control server, and what is allowed.

It is asked twice: by name when a backend is set, and by address when a link connects, because
what a name leads to is somebody else's to change. A proxy that connected to itself, or to others that lead
back to it, would do so until no descriptor is left.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from zope.interface import directlyProvides, providedBy

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend
from txvaurien.net.allowed import Pattern, may_be_reached, may_be_set, parse_patterns, places
from txvaurien.net.endpoints import numeric
from txvaurien.net.itself import is_itself, reaches, reaches_path
from txvaurien.net.peers import host_port

if TYPE_CHECKING:
    from txvaurien.proxy import Proxy

#: How many answers are remembered for one backend.
_REMEMBERED = 64


class Refusal(OSError):
    """A proxy may not connect there. The text says why."""


#: Whether connections to a backend may come to what listens at an address.
_Leads = Callable[[IAddress, Backend], bool]


class Said(Struct):
    """`Reach` for another process: patterns, none of them for anything, and addresses.

    :param back: where connections would come back to the proxy that they are from.
    """

    patterns: list[str]
    closed: list[str]
    back: list[str] = field(default_factory=list)


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
        #: What another process has said of the one proxy that is here.
        self._back: list[IAddress] = []

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
        names = self._way_back(proxy, listening, backend, is_itself)
        if names:
            raise ConfigError(
                where,
                f"connections would go round in a circle: {' to '.join([proxy.name, *names])}",
                "give the address of the server that is to be tested",
            )

    def _way_back(self, proxy: Proxy, listening: IAddress, backend: Backend, leads: _Leads) -> list[str]:
        """The names of the proxies on a way from `backend` to `listening`; empty if there is none."""
        ways: list[tuple[list[str], Backend]] = [([], backend)]
        left = [each for each in self._proxies() if each is not proxy and each.gate is not None]
        while ways:
            names, backend = ways.pop()
            if leads(listening, backend):
                return [*names, proxy.name]
            reached = [each for each in left if each.gate is not None and leads(each.gate.address, backend)]
            left = [each for each in left if each not in reached]
            ways += [([*names, each.name], each.backend) for each in reached]
        return []

    def comes_back(self, proxy: Proxy, reaches: Callable[[IAddress], bool]) -> str:
        """Why a connection of this proxy may come back to it; empty if it does not.

        :param reaches: whether it comes to what listens there.
        """
        if proxy.gate is None:
            return ""
        if reaches(proxy.gate.address):
            return "is where the proxy itself listens"
        for each in self._proxies():
            if each is not proxy and each.gate is not None and reaches(each.gate.address):
                names = self._way_back(proxy, proxy.gate.address, each.backend, _may_lead)
                if names:
                    return f"would go round in a circle: {' to '.join([proxy.name, each.name, *names])}"
        return ""

    def way_to(self, backend: Backend, proxy: Proxy | None = None) -> Way:
        """What connections to this backend may lead to.

        :param proxy: whose connections they are; they are not to come back to it.
        """
        patterns = self.patterns if self._limits(backend) else None
        if self._back:
            return Way(backend, patterns, self._closed, self._comes_back_there)
        comes_back = None if proxy is None else partial(self.comes_back, proxy)
        return Way(backend, patterns, self._closed, comes_back)

    def _comes_back_there(self, reaches: Callable[[IAddress], bool]) -> str:
        """As `comes_back`, in another process than the one that listens."""
        return "leads back to the proxy itself" if any(map(reaches, self._back)) else ""

    def said(self, backend: Backend, proxy: Proxy | None = None) -> Said:
        """What another process has to know to keep to it, for connections to this backend."""
        patterns = [pattern.text for pattern in self.patterns] if self._limits(backend) else []
        back = [] if proxy is None else [_text(address) for address in self._all_back(proxy)]
        return Said(patterns, [_text(address) for address in self._closed], back)

    def _all_back(self, proxy: Proxy) -> Iterator[IAddress]:
        """Where listens what leads to this proxy."""
        if proxy.gate is None:
            return
        yield proxy.gate.address
        for each in self._proxies():
            if each is proxy or each.gate is None:
                continue
            if self._way_back(proxy, proxy.gate.address, each.backend, _may_lead):
                yield each.gate.address

    @classmethod
    def of(cls, said: Said) -> Reach:
        """What was said by another process."""
        reach = cls(parse_patterns(",".join(said.patterns)))
        reach._closed = [_address(text) for text in said.closed]
        reach._back = [_address(text) for text in said.back]
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
    :param comes_back: why a connection would come back to the proxy, given what says where it leads; empty
        if it would not. It may change, so nothing of it is remembered.
    """

    def __init__(
        self,
        backend: Backend,
        patterns: Sequence[Pattern] | None,
        closed: Sequence[IAddress],
        comes_back: Callable[[Callable[[IAddress], bool]], str] | None = None,
    ) -> None:
        self._backend = backend
        self._patterns = patterns
        self._closed = closed
        self._comes_back = comes_back
        #: What is written as an address was looked at when it was set.
        self._by_name = _is_name(backend)
        self._known: dict[tuple[str, int, int], str | None] = {}

    def may_connect(self, host: str, port: int) -> str | None:
        """Why a link may not connect to this numeric address; None if it may."""
        key = host, port, len(self._closed)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._why_not(host, port)
        if self._known[key] is None and self._by_name and self._comes_back is not None:
            why = self._comes_back(lambda address: reaches(address, host, port))
            return f"{host_port(host, port)} {why}" if why else None
        return self._known[key]

    def may_connect_to_path(self, path: str) -> str | None:
        """As `may_connect`, for a Unix socket."""
        if any(reaches_path(address, path) for address in self._closed):
            return f"{path} is the control server of this process"
        why = "" if self._comes_back is None else self._comes_back(lambda at: reaches_path(at, path))
        if why:
            return f"{path} {why}"
        if self._patterns is None or any(pattern.takes_path(path) for pattern in self._patterns):
            return None
        return f"{path} is not allowed by --allow-backend"

    def _why_not(self, host: str, port: int) -> str | None:
        shown = host_port(host, port)
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


def _is_name(backend: Backend) -> bool:
    """Whether it shows only when it is looked up where it leads."""
    host, _, path = places(backend)
    return not path and host != "localhost" and numeric(host) is None


def _may_lead(listening: IAddress, backend: Backend) -> bool:
    """As `is_itself`; a name may be one of anything that listens on its port."""
    if is_itself(listening, backend):
        return True
    _, ports, _ = places(backend)
    return _is_name(backend) and getattr(listening, "port", None) in ports


def _text(address: IAddress) -> str:
    if isinstance(address, IPv4Address | IPv6Address):
        return f"{address.host} {address.port}"
    return os.fsdecode(getattr(address, "name", None) or b"")


def _address(text: str) -> IAddress:
    host, space, port = text.rpartition(" ")
    if not space or text.startswith("/"):
        return UNIXAddress(os.fsencode(text))
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, int(port))
