"""The addresses of the two ends of a connection, as users see them."""

from __future__ import annotations

import socket

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net.peers import address_text, host_port, host_port_of


class TextTests(SynchronousTestCase):
    """Hosts and ports, written."""

    def test_host_port(self) -> None:
        """Only an IPv6 address is in brackets."""
        written = [host_port(host, 80) for host in ("127.0.0.1", "example.org", "::1", "fe80::1%eth0")]
        self.assertEqual(written, ["127.0.0.1:80", "example.org:80", "[::1]:80", "[fe80::1%eth0]:80"])

    def test_address_text(self) -> None:
        """Of the addresses that Twisted has; a Unix socket has its path, or nothing."""
        self.assertEqual(address_text(IPv4Address("TCP", "127.0.0.1", 80)), "127.0.0.1:80")
        self.assertEqual(address_text(IPv6Address("TCP", "::1", 80)), "[::1]:80")
        self.assertEqual(address_text(UNIXAddress("/run/x.sock")), "/run/x.sock")
        self.assertEqual(address_text(UNIXAddress(None)), "")


class HostPortTests(SynchronousTestCase):
    """Hosts and ports of the addresses that `socket` has."""

    def test_internet(self) -> None:
        """The first two of what such an address consists of."""
        self.assertEqual(host_port_of(("127.0.0.1", 80)), ("127.0.0.1", 80))
        self.assertEqual(host_port_of(("::1", 80, 0, 0)), ("::1", 80))

    def test_none(self) -> None:
        """A Unix socket has neither."""
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.addCleanup(there.close)
        self.assertIsNone(host_port_of(here.getsockname()))
        self.assertIsNone(host_port_of((None, None)))
