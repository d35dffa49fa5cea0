"""Whether a backend is the proxy itself, which would connect to itself until no descriptor is left."""

from __future__ import annotations

import ipaddress
import os
import socket
from contextlib import suppress

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend
from txvaurien.net.endpoints import LOOPBACK, LOOPBACK_V6, Description, Numeric, numeric


def refuse_itself(listening: IAddress, backend: Backend, where: str = "") -> None:
    """Nothing, if `backend` is somebody else. Names other than ``localhost`` are not looked up.

    :param listening: where the proxy listens.
    :param where: the place that the error names, such as ``--backend``.
    :raises ConfigError: it is the proxy itself.
    """
    if is_itself(listening, backend):
        raise ConfigError(
            where,
            f"{backend.text!r} is where the proxy itself listens",
            "give the address of the server, or have the proxy listen elsewhere",
        )


def is_itself(listening: IAddress, backend: Backend) -> bool:
    """Whether what connects to `backend` may reach what listens at `listening`."""
    described = None if backend.host else Description.of(backend.text)
    if isinstance(listening, UNIXAddress):
        return reaches_path(listening, _path(described))
    host, ports = backend.host, [backend.port]
    if described is not None:
        host, ports = described.host, described.ports
    return any(reaches(listening, host, port) for port in ports)


def reaches(listening: IAddress, host: str, port: int) -> bool:
    """Whether what connects to this numeric address and port reaches what listens at `listening`."""
    if not isinstance(listening, IPv4Address | IPv6Address) or listening.port != port:
        return False
    return any(_reaches(each, listening.host) for each in _addresses(host))


def reaches_path(listening: IAddress, path: str) -> bool:
    """Whether what connects to this Unix socket reaches what listens at `listening`."""
    if not path or not isinstance(listening, UNIXAddress) or not listening.name:
        return False
    return os.path.realpath(path) == os.path.realpath(os.fsdecode(listening.name))


def _path(described: Description | None) -> str:
    if described is None or described.kind != "unix":
        return ""
    return described.named.get("path", described.positional[0] if described.positional else "")


def _addresses(host: str) -> list[Numeric]:
    written = (LOOPBACK, LOOPBACK_V6) if host == "localhost" else (host,)
    return [address for address in map(numeric, written) if address is not None]


def _reaches(target: Numeric, listening: str) -> bool:
    [here] = _addresses(listening)
    if target.is_unspecified:
        # What connects to "every address" is connected to this machine's loopback.
        target = ipaddress.ip_address(LOOPBACK if target.version == 4 else LOOPBACK_V6)
    if here == target:
        return True
    # A socket for every IPv6 address takes IPv4 as well, unless it was told not to.
    takes = here.is_unspecified and here.version >= target.version
    return takes and is_ours(target)


def is_ours(address: Numeric) -> bool:
    """Whether it is an address of this machine: only such a one can be bound."""
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((str(address), 0))
        return True
    return False
