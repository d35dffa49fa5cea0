"""The header of HAProxy's PROXY protocol, versions 1 and 2: for whom somebody connects.

The library `proxy-protocol` reads and writes headers. Twisted has parsers as well (the endpoint
``haproxy:``), but they do not take a header that comes in pieces, and behind their wrapper
there is no half-close. A checksum is looked at where the package crc32c is installed.

Facts: HAProxy's doc/proxy-protocol.txt, sections 2.1 and 2.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import SOCK_STREAM
from typing import Literal

from proxyprotocol import ProxyProtocol, ProxyProtocolChecksumError
from proxyprotocol.result import (
    ProxyResult,
    ProxyResultIPv4,
    ProxyResultIPv6,
    ProxyResultUnknown,
    is_ipv4,
    is_ipv6,
    is_unix,
)
from proxyprotocol.v1 import ProxyProtocolV1
from proxyprotocol.v2 import ProxyProtocolV2

from txvaurien.net.peers import HostPort, host_port

_V1 = b"PROXY "
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"

#: The longest line of version 1, its CR LF included; what version 2 begins with, and can have behind it.
_LONGEST_LINE = 107
_V2_HEAD = 16
LONGEST = _V2_HEAD + 65535


class HeaderError(ValueError):
    """What a client says first is no header. The text says why."""


@dataclass(frozen=True)
class Header:
    """A header that was read.

    :param size: how many bytes it has.
    :param client: the client's address as ``host:port``, or its path; ``""`` if the header does not say.
    :param server: where the client has connected to; None if the header does not say.
    """

    size: int
    client: str = ""
    server: HostPort | None = None


def read_header(data: bytes) -> Header | None:
    """The header that `data` begins with; None if that has only a part of it.

    :raises HeaderError: it does not begin with one.
    """
    if data[: len(_V2)] == _V2[: len(data)]:
        if len(data) < _V2_HEAD:
            return None
        size = _V2_HEAD + int.from_bytes(data[_V2_HEAD - 2 : _V2_HEAD], "big")
        return None if len(data) < size else _read(ProxyProtocolV2(), data[:size])
    if data[: len(_V1)] != _V1[: len(data)]:
        raise HeaderError("it does not begin with a PROXY protocol header")
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(data) >= _LONGEST_LINE:
            raise HeaderError(f"its PROXY protocol line is longer than {_LONGEST_LINE} bytes")
        return None
    return _read(ProxyProtocolV1(), data[: end + 2])


def _read(protocol: ProxyProtocol, data: bytes) -> Header:
    try:
        result = protocol.unpack(data)
    except ProxyProtocolChecksumError as error:
        raise HeaderError("the checksum of its PROXY protocol header is wrong") from error
    except (ValueError, struct.error) as error:
        raise HeaderError(f"its PROXY protocol header cannot be read ({error})") from error
    if is_unix(result):
        return Header(len(data), result.source)
    if is_ipv4(result) or is_ipv6(result):
        (host, port), (there, at) = result.source, result.dest
        return Header(len(data), host_port(str(_plain(host)), port), (str(_plain(there)), at))
    return Header(len(data))


def header_for(version: Literal["v1", "v2"], client: str, server: HostPort | None) -> bytes:
    """The header for a backend.

    :param client: ``host:port``; anything else is nobody that a header could name.
    :param server: where the client has connected to.
    """
    protocol: ProxyProtocol = ProxyProtocolV1() if version == "v1" else ProxyProtocolV2()
    return protocol.pack(_result(client, server))


def _result(client: str, server: HostPort | None) -> ProxyResult:
    host, _, port = client.rpartition(":")
    try:
        source = _address(host.strip("[]"))
        # Both are of one kind; where only one is, as a dual-stack socket shows it, it is written as IPv6.
        dest = _address(server[0]) if server is not None else type(source)(0)
        places = int(port), 0 if server is None else server[1]
    except ValueError:
        return ProxyResultUnknown()
    if isinstance(source, IPv4Address) and isinstance(dest, IPv4Address):
        return ProxyResultIPv4((source, places[0]), (dest, places[1]), protocol=SOCK_STREAM)
    return ProxyResultIPv6((_as_v6(source), places[0]), (_as_v6(dest), places[1]), protocol=SOCK_STREAM)


def _address(text: str) -> IPv4Address | IPv6Address:
    return _plain(ip_address(text.partition("%")[0]))


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that is written as IPv6 is the former."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _as_v6(address: IPv4Address | IPv6Address) -> IPv6Address:
    return address if isinstance(address, IPv6Address) else IPv6Address(f"::ffff:{address}")
