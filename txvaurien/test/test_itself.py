"""A backend that is the proxy itself."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import parse_backend
from txvaurien.net.itself import is_itself, refuse_itself


def listening(host: str) -> IAddress:
    """Port 8000 of this host."""
    kind = IPv6Address if ":" in host else IPv4Address
    address: IAddress = kind("TCP", host, 8000)
    return address


class ItselfTests(SynchronousTestCase):
    """Told by addresses alone, without a connection."""

    def test_itself(self) -> None:
        """The same address, in whatever form."""
        for host, backend in (
            ("127.0.0.1", "127.0.0.1:8000"),
            ("127.0.0.1", "localhost:8000"),
            ("127.0.0.1", "0.0.0.0:8000"),
            ("::1", "localhost:8000"),
            ("::1", "[::1]:8000"),
            ("::1", "[0:0::1]:8000"),
            ("0.0.0.0", "127.0.0.2:8000"),
            ("0.0.0.0", "localhost:8000"),
            ("::", "127.0.0.1:8000"),
            ("::", "[::1]:8000"),
            ("127.0.0.1", "tcp:localhost:8000"),
            ("127.0.0.1", "tcp:host=127.0.0.1:port=8000"),
            ("127.0.0.1", "tls:localhost:8000"),
            # An IPv4 address, written as IPv6 (RFC 4291, 2.5.5.2).
            ("127.0.0.1", "[::ffff:127.0.0.1]:8000"),
            ("0.0.0.0", "[::ffff:7f00:2]:8000"),
        ):
            self.assertTrue(is_itself(listening(host), parse_backend(backend)), (host, backend))

    def test_somebody_else(self) -> None:
        """Another port, or another address, is a backend like any other."""
        for host, backend in (
            ("127.0.0.1", "127.0.0.1:8001"),
            ("127.0.0.1", "127.0.0.2:8000"),
            ("127.0.0.1", "[::1]:8000"),
            ("0.0.0.0", "[::1]:8000"),
            # For documentation, and so of no machine: RFC 5737.
            ("0.0.0.0", "192.0.2.1:8000"),
            ("::", "192.0.2.1:8000"),
            ("127.0.0.1", "example.org:8000"),
            ("127.0.0.1", "unix:/run/x.sock"),
        ):
            self.assertFalse(is_itself(listening(host), parse_backend(backend)), (host, backend))

    def test_unix(self) -> None:
        """A path is compared as the kernel would follow it."""
        address = UNIXAddress(b"/run/x.sock")
        self.assertTrue(is_itself(address, parse_backend("unix:/run/../run/x.sock")))
        self.assertTrue(is_itself(address, parse_backend("unix:path=/run/x.sock")))
        self.assertFalse(is_itself(address, parse_backend("unix:/run/y.sock")))
        self.assertFalse(is_itself(address, parse_backend("localhost:8000")))

    def test_refused(self) -> None:
        """The error names the place, and what to do."""
        backend = parse_backend("localhost:8000")
        error = self.assertRaises(ConfigError, refuse_itself, listening("127.0.0.1"), backend, "--backend")
        self.assertEqual(
            str(error),
            "--backend: 'localhost:8000' is where the proxy itself listens;"
            " give the address of the server, or have the proxy listen elsewhere",
        )
        refuse_itself(listening("127.0.0.1"), parse_backend("localhost:8001"))
