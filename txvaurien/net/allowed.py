"""Where the control API may point a proxy at, and where no proxy may ever connect to.

A pattern of ``--allow-backend`` is one of these, with ports or without (then it is for any port):

- a network or an address, ``10.0.0.0/8:6379``, ``127.0.0.1``, ``[2001:db8::]/32:*``: whatever the backend
  is called, the address that is connected to is in it;
- a name, ``localhost:*``, ``*.example.org:443``, ``*:5432``: the backend is called so, as it was written,
  without regard to case; ``*`` stands for any run of characters. Who decides what the name resolves to
  decides where it leads. But for ``*`` and ``localhost`` (which is 127.0.0.1 and ::1) no name stands for an
  address that was written as one;
- a path, ``unix:/run/*``: ``*`` stands for characters within one directory.

Ports are ``*``, one port, or a range such as ``8000-8099``.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import HIGHEST_PORT, HOST_PORT, Backend
from txvaurien.net.endpoints import LOOPBACK, LOOPBACK_V6, Description, Numeric, is_client_type, numeric

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PATTERN = re.compile(
    r"(?:\[(?P<v6>[^\]]*)\](?P<bits>/\d+)?|(?P<host>[^:\[\]\s]+))(?::(?P<ports>[^:]*))?", re.ASCII
)
_GLOB = re.compile(r"[*?\[]")
_PORTS = re.compile(r"(?P<first>\d{1,20})(?:-(?P<last>\d{1,20}))?", re.ASCII)
#: The endpoint strings that can be set over HTTP, and their arguments; without names only these two.
_ASKED = frozenset({"tcp", "tls", "unix"})
_ARGUMENTS = frozenset({"host", "port", "path", "timeout", "verify", "name"})
_HOST_AND_PORT = 2
_FORMS = (
    "write HOST:PORT, NETWORK:PORT or unix:PATH, such as localhost:*, 10.0.0.0/8:6379 or *.example.org:443"
)


@dataclass(frozen=True)
class Pattern:
    """One of the places that a backend may be at.

    :param text: as the user wrote it.
    :param glob: what a name has to look like, in lower case; or a path, if `is_path`.
    :param network: where an address has to be in; None for a name or a path.
    """

    text: str
    glob: str = ""
    network: _Network | None = None
    ports: range = range(1, HIGHEST_PORT + 1)
    is_path: bool = False

    def takes_name(self, host: str, port: int) -> bool:
        """Whether a backend that was written so may be connected to, wherever that leads."""
        if self.is_path or self.network is not None or port not in self.ports:
            return False
        # A pattern for a name is none for an address, unless it is for everything.
        if numeric(host) is not None:
            return self.glob == "*"
        return fnmatch.fnmatchcase(host.rstrip(".").lower(), self.glob)

    def takes_address(self, address: Numeric, port: int) -> bool:
        """Whether this address may be connected to, whatever name led there."""
        if port not in self.ports:
            return False
        if self.network is None:
            # With us, ``localhost`` is these two addresses and no name that is looked up.
            return self.glob == "localhost" and str(address) in (LOOPBACK, LOOPBACK_V6)
        return address in self.network

    def takes_path(self, path: str) -> bool:
        """Whether this Unix socket may be connected to; links are followed first."""
        if not self.is_path:
            return False
        given, wanted = os.path.realpath(path).split("/"), self.glob.split("/")
        return len(given) == len(wanted) and all(map(fnmatch.fnmatchcase, given, wanted))


def parse_patterns(text: str, where: str = "--allow-backend") -> tuple[Pattern, ...]:
    """The patterns of a list with commas.

    :raises ConfigError: one of them is none.
    """
    return tuple(_pattern(part, where) for part in (part.strip() for part in text.split(",")) if part)


def check_asked(text: str, where: str = "backend") -> None:
    """Nothing, if whoever asks over HTTP may write a backend so: no file of this machine is read for it.

    It need not be an address; that is seen to when it is parsed, which may read files.

    :raises ConfigError: it is an endpoint string with arguments that name files, or of a kind of which
        nobody knows what it does.
    """
    if not text.isprintable():
        what = f"{text!r} has characters that no address has"
        raise ConfigError(where, what, "give host:port, tls:host:port or unix:/path")
    described = Description.of(text.strip())
    if HOST_PORT.fullmatch(text.strip()) or not is_client_type(described.kind):
        return
    known = set(described.named) <= _ARGUMENTS and len(described.positional) <= _HOST_AND_PORT
    if described.kind not in _ASKED or not (known and described.exact):
        what = f"{text!r} is not a backend that can be set over HTTP"
        raise ConfigError(where, what, "give host:port, tls:host:port or unix:/path, without more arguments")


def places(backend: Backend) -> tuple[str, list[int], str]:
    """What a backend names: its host, its ports and its path. All of them empty for what nobody knows."""
    if backend.host:
        return backend.host, [backend.port], ""
    described = Description.of(backend.text)
    if described.kind == "unix":
        return "", [], described.named.get("path", next(iter(described.positional), ""))
    return described.host, described.ports, ""


def may_be_set(patterns: Sequence[Pattern], backend: Backend) -> bool:
    """Whether a backend may be set, by what is written: a name that a network may stand for, too.

    What such a name leads to is looked at when it is connected to (`may_be_reached`).
    """
    host, ports, path = places(backend)
    if path:
        return any(pattern.takes_path(path) for pattern in patterns)
    if not host or len(ports) != 1:
        return False
    found = [LOOPBACK, LOOPBACK_V6] if host == "localhost" else [host]
    addresses = [address for address in map(numeric, found) if address is not None]
    if any(pattern.takes_name(host, ports[0]) for pattern in patterns):
        return True
    if addresses:
        return any(pattern.takes_address(each, ports[0]) for pattern in patterns for each in addresses)
    return any(pattern.network is not None and ports[0] in pattern.ports for pattern in patterns)


def may_be_reached(patterns: Sequence[Pattern], backend: Backend, host: str, port: int) -> bool:
    """Whether this address may be connected to for this backend.

    :param host: the address that the backend's name has led to.
    """
    address, (name, _, _) = numeric(host), places(backend)
    if any(pattern.takes_name(name, port) for pattern in patterns):
        return True
    return address is not None and any(pattern.takes_address(address, port) for pattern in patterns)


def _pattern(text: str, where: str) -> Pattern:
    kind, colon, path = text.partition(":")
    if kind.lower() == "unix" and colon:
        if not path.startswith("/"):
            raise ConfigError(where, f"{text!r} has no absolute path", _FORMS)
        return Pattern(text, _real(path), is_path=True)
    match = _PATTERN.fullmatch(text)
    bare = _network(text)
    if match is None and bare is None:
        raise ConfigError(where, f"{text!r} is no pattern", _FORMS)
    if match is None:
        return Pattern(text, network=bare)
    return _with_host(text, match, where)


def _real(path: str) -> str:
    """A path with ``*`` in it, with the links followed before that."""
    *above, last = path.split("/")
    fixed = next((n for n, part in enumerate(above) if _GLOB.search(part)), len(above))
    return "/".join([os.path.realpath("/".join(above[:fixed]) or "/").rstrip("/"), *above[fixed:], last])


def _with_host(text: str, match: re.Match[str], where: str) -> Pattern:
    ports = _ports(text, match["ports"], where)
    host = match["host"]
    network = _network(match["v6"] + (match["bits"] or "") if host is None else host)
    if network is not None:
        return Pattern(text, network=network, ports=ports)
    if host is None or "/" in host:
        raise ConfigError(where, f"{text!r} has no such network", "a network has no bits behind its /N")
    return Pattern(text, host.rstrip(".").lower(), ports=ports)


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _ports(text: str, ports: str | None, where: str) -> range:
    if ports is None or ports == "*":
        return range(1, HIGHEST_PORT + 1)
    match = _PORTS.fullmatch(ports)
    first = int(match["first"]) if match else 0
    last = int(match["last"] or first) if match else 0
    if not 1 <= first <= last <= HIGHEST_PORT:
        allowed = f"they are *, one of 1 to {HIGHEST_PORT}, or a range such as 8000-8099"
        raise ConfigError(where, f"{text!r} has no such ports", allowed)
    return range(first, last + 1)
