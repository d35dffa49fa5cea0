"""Looking up where a backend is: numbers at once, names through the reactor's resolver."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from txvaurien.net.endpoints import LOOPBACK, LOOPBACK_V6

#: Where a socket connects to: the family of its address, and the address as `socket` has it.
Place = tuple[int, tuple[Any, ...]]


def numeric(host: str, port: int) -> list[Place] | None:
    """The addresses of what needs no looking up; None for a name.

    ``localhost`` is both kinds of loopback, without asking anybody.

    :raises OSError: this machine does not have the interface that an IPv6 address names.
    """
    if host == "localhost":
        hosts = [LOOPBACK, LOOPBACK_V6]
    elif isIPAddress(host) or isIPv6Address(host):
        hosts = [host]
    else:
        return None
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    found = (socket.getaddrinfo(each, port, type=socket.SOCK_STREAM, flags=flags)[0] for each in hosts)
    return [(family, address) for family, _, _, _, address in found]


class Names:
    """Looks names up. Who asks while an answer is on its way gets that; none is kept.

    :param reactor: provides IReactorPluggableNameResolver.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._asked: dict[tuple[str, int], list[Deferred[Sequence[Place]]]] = {}

    def look_up(self, host: str, port: int) -> Deferred[Sequence[Place]]:
        """The addresses of a name, the best first; DNSLookupError if it has none."""
        try:
            host.encode("idna")
        except UnicodeError:
            return fail(DNSLookupError(f"{host!r} cannot be the name of a host"))
        answer: Deferred[Sequence[Place]] = Deferred()
        waiting = self._asked.get((host, port))
        if waiting is not None:
            waiting.append(answer)
        else:
            self._asked[host, port] = [answer]
            self._ask(host, port)
        return answer

    def _ask(self, host: str, port: int) -> None:
        try:
            self._reactor.nameResolver.resolveHostName(_Found(self, host, port), host, port)
        except Exception as error:
            # There was no thread for it, say. Whoever comes later is not to wait for this.
            for waiting in self._asked.pop((host, port), ()):
                waiting.errback(DNSLookupError(f"{host} cannot be looked up: {error}"))

    def answered(self, host: str, port: int, places: Sequence[Place]) -> None:
        """The resolver has found these."""
        for waiting in self._asked.pop((host, port)):
            if places:
                waiting.callback(places)
            else:
                waiting.errback(DNSLookupError(f"no address is known for {host}"))


@implementer(IResolutionReceiver)
class _Found:
    """What the resolver says of one name."""

    def __init__(self, names: Names, host: str, port: int) -> None:
        self._names = names
        self._asked = host, port
        self._places: list[Place] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """It takes its time."""

    def addressResolved(self, address: IAddress) -> None:
        """One of its addresses."""
        if isinstance(address, IPv6Address):
            place = (address.host, address.port, address.flowInfo, address.scopeID)
            self._places.append((socket.AF_INET6, place))
        elif isinstance(address, IPv4Address):
            self._places.append((socket.AF_INET, (address.host, address.port)))

    def resolutionComplete(self) -> None:
        """That was all."""
        self._names.answered(*self._asked, self._places)
