"""The header of the PROXY protocol: read and written as HAProxy's specification has it."""

from __future__ import annotations

import contextlib
import socket
import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net.proxyheader import Header, HeaderError, header_for, read_header

V2 = b"\r\n\r\n\x00\r\nQUIT\n"
V1 = b"PROXY TCP4 9.8.7.6 1.2.3.4 77 88\r\n"


def v2(command: int, family: int, addresses: bytes) -> bytes:
    """A header as section 2.2 of the specification has it."""
    return V2 + struct.pack("!BBH", 0x20 | command, family, len(addresses)) + addresses


def v2_tcp4() -> bytes:
    """From 9.8.7.6:77, to 1.2.3.4:88, with a TLV that nobody knows behind it."""
    pair = socket.inet_aton("9.8.7.6") + socket.inet_aton("1.2.3.4")
    return v2(1, 0x11, pair + struct.pack("!HH", 77, 88) + b"\xee\x00\x02hi")


def crc32c(data: bytes) -> int:
    """The checksum of RFC 4960, appendix B, bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


class ReadTests(SynchronousTestCase):
    """What clients begin with."""

    def test_v1(self) -> None:
        """The line of version 1, and not what stands behind it."""
        self.assertEqual(read_header(V1 + b"PING\r\n"), Header(len(V1), "9.8.7.6:77", ("1.2.3.4", 88)))

    def test_v1_ipv6(self) -> None:
        """An IPv6 client has brackets, as everywhere."""
        header = read_header(b"PROXY TCP6 2001:db8::1 ::1 77 88\r\n")
        assert header is not None
        self.assertEqual((header.client, header.server), ("[2001:db8::1]:77", ("::1", 88)))

    def test_v1_unknown(self) -> None:
        """Where nobody knows for whom, nobody is named."""
        for line in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"):
            self.assertEqual(read_header(line), Header(len(line)))

    def test_v2(self) -> None:
        """Version 2, with what it carries besides."""
        data = v2_tcp4()
        self.assertEqual(read_header(data + b"x"), Header(len(data), "9.8.7.6:77", ("1.2.3.4", 88)))

    def test_v2_local(self) -> None:
        """A health check of the balancer's own names nobody, whatever addresses it has."""
        for data in (v2(0, 0, b""), v2(0, 0x11, b"\0" * 12)):
            self.assertEqual(read_header(data), Header(len(data)))

    def test_v2_unix(self) -> None:
        """A client with a Unix socket has a path."""
        data = v2(1, 0x31, b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0"))
        header = read_header(data)
        assert header is not None
        self.assertEqual((header.client, header.server), ("/run/a", None))

    def test_pieces(self) -> None:
        """Every beginning of a header is one that is not complete."""
        for whole in (V1, v2_tcp4()):
            for size in range(len(whole)):
                self.assertIsNone(read_header(whole[:size]), (whole, size))

    def test_no_header(self) -> None:
        """What a client of another kind says is known for that at its first byte that differs."""
        for data in (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"PROXX", b"\r\n\r\n\x01", b"*1\r\n"):
            error = self.assertRaises(HeaderError, read_header, data)
            self.assertEqual(str(error), "it does not begin with a PROXY protocol header")

    def test_wrong(self) -> None:
        """A header that says nonsense is refused, and nothing but `HeaderError` is raised."""
        for data in (
            b"PROXY TCP4 300.1.1.1 1.2.3.4 77 88\r\n",
            b"PROXY TCP4 1.1.1.1 1.2.3.4 77\r\n",
            b"PROXY TCP4 1.1.1.1 1.2.3.4 77 99999\r\n",
            b"PROXY UDP4 1.1.1.1 1.2.3.4 77 88\r\n",
            b"PROXY TCP4 \xff 1.2.3.4 77 88\r\n",
            v2(1, 0x11, b"short"),
            v2(7, 0x11, b"\0" * 12),
            V2 + b"\x31\x11\x00\x00",
        ):
            self.assertRaises(HeaderError, read_header, data)

    def test_checksum(self) -> None:
        """A checksum (section 2.2.4) is no address."""
        # The CRC-32C of the whole header, with zeros for itself.
        pair = socket.inet_aton("9.8.7.6") + socket.inet_aton("1.2.3.4") + struct.pack("!HH", 77, 88)
        blank = v2(1, 0x11, pair + b"\x03\x00\x04" + bytes(4))
        good = blank[:-4] + struct.pack("!I", crc32c(blank))
        self.assertEqual(read_header(good), Header(len(good), "9.8.7.6:77", ("1.2.3.4", 88)))

    def test_long_line(self) -> None:
        """A line longer than any of version 1 is none, before it has an end."""
        self.assertIsNone(read_header(b"PROXY ".ljust(106, b"x")))
        self.assertRaises(HeaderError, read_header, b"PROXY ".ljust(107, b"x"))

    @given(st.binary(max_size=40), st.sampled_from([b"", b"PROXY ", V2, V2 + b"\x21\x11\x00\x0c"]))
    def test_garbage(self, data: bytes, begin: bytes) -> None:
        """Whatever comes, it is a header, a part of one, or none."""
        with contextlib.suppress(HeaderError):
            read_header(begin + data)


class WriteTests(SynchronousTestCase):
    """What backends get."""

    def test_v1(self) -> None:
        """The line of version 1."""
        self.assertEqual(header_for("v1", "9.8.7.6:77", ("1.2.3.4", 88)), V1)
        self.assertEqual(
            header_for("v1", "[2001:db8::1]:77", ("::1", 88)), b"PROXY TCP6 2001:db8::1 ::1 77 88\r\n"
        )

    def test_v2_is_a_stream(self) -> None:
        """The family of version 2 says TCP, without which HAProxy takes nothing."""
        self.assertEqual(header_for("v2", "9.8.7.6:77", ("1.2.3.4", 88))[12:14], b"\x21\x11")
        self.assertEqual(header_for("v2", "[::2]:77", ("::1", 88))[12:14], b"\x21\x21")

    def test_both_ways(self) -> None:
        """What is written is read again."""
        for client, server in (("9.8.7.6:77", ("1.2.3.4", 88)), ("[2001:db8::1]:77", ("::1", 88))):
            for version in ("v1", "v2"):
                data = header_for("v1" if version == "v1" else "v2", client, server)
                self.assertEqual(read_header(data), Header(len(data), client, server))

    def test_two_kinds(self) -> None:
        """A header has one kind of addresses: an IPv4 address beside an IPv6 one is written as such."""
        data = header_for("v2", "9.8.7.6:77", ("::1", 88))
        self.assertEqual(data[16:32], socket.inet_pton(socket.AF_INET6, "::ffff:9.8.7.6"))
        self.assertEqual(read_header(data), Header(len(data), "9.8.7.6:77", ("::1", 88)))

    def test_scope(self) -> None:
        """The interface of a link-local address means nothing to others."""
        header = read_header(header_for("v1", "[fe80::1%eth0]:77", ("fe80::2%eth0", 88)))
        assert header is not None
        self.assertEqual((header.client, header.server), ("[fe80::1]:77", ("fe80::2", 88)))

    def test_nobody(self) -> None:
        """A client without an address (a Unix socket) is named nowhere."""
        for client in ("", "/run/client", "@abstract"):
            self.assertTrue(header_for("v1", client, None).startswith(b"PROXY UNKNOWN"))
            self.assertEqual(header_for("v2", client, None)[12:14], b"\x21\x00", client)
