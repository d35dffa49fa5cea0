"""The addresses of the two ends of a connection, as users see them."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

#: A host and a port.
HostPort = tuple[str, int]


def host_port(host: str, port: int | str) -> str:
    """``host:port``, an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def client_text(address: Any) -> str:
    """The address of a client, as `socket` has it, as ``host:port``; of a Unix socket its path."""
    if not isinstance(address, tuple):
        return address.decode(errors="replace") if isinstance(address, bytes) else str(address)
    host, port, *rest = address
    if not rest:
        return f"{host}:{port}"
    if rest[-1]:
        # An address that means something only on one interface of this machine (RFC 4007): name that.
        host, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    return f"[{host}]:{port}"


def host_port_of(address: Any) -> HostPort | None:
    """The host and the port of an address as `socket` has it; None for what has none."""
    if isinstance(address, tuple) and isinstance(address[0], str) and isinstance(address[1], int):
        return address[0], address[1]
    return None


def address_text(address: Any) -> str:
    """An address as ``host:port``, or whatever else it is called."""
    host: Any = getattr(address, "host", None)
    port: Any = getattr(address, "port", None)
    if host is None:
        name = getattr(address, "name", None)
        return name.decode(errors="replace") if isinstance(name, bytes) else ""
    return host_port(host, port)


def ip_of(address: str) -> IPv4Address | IPv6Address | None:
    """The IP address in ``host:port``; None where there is none."""
    try:
        found = ip_address(address.rpartition(":")[0].strip("[]"))
    except ValueError:
        return None
    # A listener for both kinds shows IPv4 clients so.
    return getattr(found, "ipv4_mapped", None) or found
