"""Where clients are to go in place of the addresses that servers announce: the option ``remap``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from twisted.logger import Logger

from txvaurien.errors import ConfigError

log = Logger()

#: A host and a port, as bytes: they are found in replies, and put there.
Place = tuple[bytes, bytes]

_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]/@,=\s]+)):(?P<port>\d{1,5})", re.ASCII)
_HIGHEST_PORT = 65535

#: How servers write that they do not know the host: the one that was asked is meant. ``?`` stands where
#: a name is preferred and none is announced (Redis Cluster specification; CLUSTER SLOTS).
_NO_HOST = frozenset({b"", b"?"})

#: So many addresses are warned of. A server that announces more invents them.
_MOST_WARNED = 1000


class Remap:
    """The table of a proxy: announced addresses, and those of the proxies in front of them.

    :param pairs: ``10.0.0.1:7000`` to ``127.0.0.1:17000``. ``localhost`` is 127.0.0.1.
    :raises ConfigError: one of them is not an address, or two of the names are the same place.
    """

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._places: dict[Place, Place] = {}
        for announced, proxied in pairs.items():
            place = _known_as(*_place(announced))
            if place in self._places:
                raise ConfigError("remap", f"{announced!r} is there twice", "say each address once")
            self._places[place] = _place(proxied)
        # Whoever announces the proxies themselves needs nothing.
        self._good = {_known_as(*place) for place in self._places.values()}
        self._warned: set[Place] = set()

    def find(self, asked: str, port: bytes, *hosts: bytes) -> Place | None:
        """Where to go in place of a node, by the first of its names that there is an entry for.

        :param asked: the host and port of the node that was asked, ``""`` if that has none: the host is
            meant where the first of `hosts` is not known.
        """
        names = (asked_host(asked) if hosts[0] in _NO_HOST else hosts[0], *hosts[1:])
        for name in names:
            found = self._places.get(_known_as(name, port))
            if found is not None:
                return found
        self._warn(_known_as(names[0], port))
        return None

    def _warn(self, place: Place) -> None:
        if place in self._good or place in self._warned or place[1] == b"0":
            return
        if len(self._warned) < _MOST_WARNED:
            self._warned.add(place)
            log.warn(
                "redis: {address} is announced, and has no entry in remap: clients that go there"
                " pass this proxy by; add it, with the address of a proxy in front of it",
                address=b":".join(place).decode("utf-8", "backslashreplace"),
            )


def asked_host(asked: str) -> bytes:
    """The host of ``host:port`` or ``[IPv6]:port``."""
    return asked.rpartition(":")[0].strip("[]").encode()


def is_known(host: bytes) -> bool:
    """Whether a server that announces this host knows it."""
    return host not in _NO_HOST


def _known_as(host: bytes, port: bytes) -> Place:
    host = host.lower()
    return b"127.0.0.1" if host == b"localhost" else host, port


def _place(text: str) -> Place:
    """:raises ConfigError: it is not an address."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or not 0 < int(match["port"]) <= _HIGHEST_PORT:
        raise _no_address(text)
    host = match["host"]
    if match["v6"]:
        try:
            host = ipaddress.IPv6Address(match["v6"]).compressed
        except ValueError:
            raise _no_address(text) from None
    return host.encode(), b"%d" % int(match["port"])


def _no_address(text: str) -> ConfigError:
    allowed = "write host:port or [IPv6]:port, as in 10.0.0.1:7000=127.0.0.1:17000"
    return ConfigError("remap", f"{text!r} is not an address", allowed)
