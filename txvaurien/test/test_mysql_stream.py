"""Tests of packets: the ordinary ones, and those of the compressed protocol."""

from __future__ import annotations

import zlib
from unittest import mock

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import FramingError
from txvaurien.protocols.mysql import MySQL, wire
from txvaurien.protocols.mysql.compressed import CompressedStream, Unwrapped, deflate, zstd
from txvaurien.protocols.mysql.stream import HEAD_LIMIT, Stream
from txvaurien.test import mysql_samples as samples
from txvaurien.testing import TO_BACKEND, TO_CLIENT, collect


class StreamTests(SynchronousTestCase):
    """Ordinary packets."""

    def test_head(self) -> None:
        """The head is there when the payload is, or as much of it as is ever looked at."""
        stream = Stream()
        raw = samples.packets(b"x" * 5000, seq=3)
        for at in range(4 + HEAD_LIMIT):
            self.assertIsNone(stream.head())
            stream.feed(raw[at : at + 1])
        self.assertEqual(stream.head(), b"x" * HEAD_LIMIT)
        self.assertEqual((stream.length, stream.seq), (5000, 3))

    def test_passed_on(self) -> None:
        """The rest is passed over as it comes, and none of it is kept."""
        stream = Stream()
        stream.feed(samples.packets(b"x" * 5000)[:4500])
        stream.head()
        stream.take()
        self.assertFalse(stream.go_on())
        self.assertEqual((len(stream.cut()), stream.rest()), (4500, b""))

    def test_not_copied(self) -> None:
        """What arrived as whole messages is given out as the object that it was."""
        stream = Stream()
        raw = samples.packets(b"one")
        stream.feed(raw)
        stream.head()
        stream.take()
        self.assertTrue(stream.go_on())
        self.assertIs(stream.cut(), raw)

    def test_continued(self) -> None:
        """A packet of the greatest length goes on in the next one, be that empty."""
        stream = Stream()
        stream.feed(samples.packets(bytes(wire.MAX_PAYLOAD), b""))
        stream.head()
        stream.take()
        self.assertTrue(stream.go_on())
        self.assertEqual((stream.seq, stream.waiting), (1, 0))

    def test_rows(self) -> None:
        """Rows are passed over up to what may end them, or is not there whole."""
        stream = Stream()
        stream.feed(samples.packets(b"\1a", b"\1b", b"\xfe\0\0\2\0"))
        self.assertEqual(stream.take_rows(9), 2)
        self.assertEqual(stream.cut(), samples.packets(b"\1a", b"\1b"))
        stream.rest()
        stream.feed(samples.packets(b"\1a", b"\1b")[:-1])
        self.assertEqual(stream.take_rows(9), 1)
        self.assertEqual(stream.cut(), samples.packets(b"\1a"))

    def test_no_more_rows_than_wanted(self) -> None:
        """Packets behind those that are asked for are left alone."""
        for most in range(5):
            stream = Stream()
            stream.feed(samples.packets(*[b"\1a"] * 4))
            self.assertEqual(stream.take_rows(most), min(most, 4))
            self.assertEqual(stream.cut(), samples.packets(*[b"\1a"] * min(most, 4)))

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from((1, 5, 30, 300, 70_000))), max_size=5))
    def test_rows_alike(self, drawn: list[tuple[int, int]]) -> None:
        """Rows of one length are passed over at once, those of other lengths among them one by one."""
        rows = [b"\1" * size for count, size in drawn for _ in range(count if size < 70_000 else 1)]
        small = next((at for at, row in enumerate(rows) if len(row) > 0xFFFF), len(rows))
        for end in (b"\xfe\0\0\2\0", b"\xff" + b"e" * 29, b""):
            stream = Stream()
            stream.feed(samples.packets(*rows, end))
            self.assertEqual(stream.take_rows(wire.MAX_PAYLOAD), small)
            self.assertEqual(stream.cut(), samples.packets(*rows[:small]))


class CompressedTests(SynchronousTestCase):
    """Packets of the compressed protocol."""

    def squeezed(self, data: bytes, body: bytes | None = None) -> bytes:
        """One packet of it."""
        body = zlib.compress(data) if body is None else body
        return len(body).to_bytes(3, "little") + b"\5" + len(data).to_bytes(3, "little") + body

    def test_inside(self) -> None:
        """The packets inside are those asked for; the raw bytes are those around them."""
        raw = self.squeezed(samples.packets(b"x" * 100_000))
        stream = CompressedStream(deflate())
        stream.feed(raw)
        self.assertEqual(stream.head(10), b"x" * 10)
        stream.take()
        self.assertTrue(stream.go_on() and stream.settled)
        self.assertEqual((stream.cut(), stream.outer), (raw, 5))

    def test_across(self) -> None:
        """An ordinary packet may go on in the next one."""
        data = samples.packets(b"y" * 100)
        raw = self.squeezed(data[:3]) + self.squeezed(data[3:50]) + self.squeezed(data[50:])
        stream = CompressedStream(deflate())
        for at in range(len(raw)):
            stream.feed(raw[at : at + 1])
            if stream.head() is not None:
                break
        self.assertEqual(stream.head(), b"y" * 100)

    def test_bomb(self) -> None:
        """A packet that inflates to more than it says is not inflated further than that."""
        bomb = zlib.compress(bytes(10_000_000))
        stream = CompressedStream(deflate())
        stream.feed(self.squeezed(bytes(100), bomb))
        self.assertRaises(FramingError, stream.head)

    def test_bomb_in_parts(self) -> None:
        """That is seen before all of the packet has come."""
        stream = CompressedStream(deflate())
        stream.feed(self.squeezed(bytes(100), zlib.compress(bytes(100_000)))[:60])
        self.assertRaises(FramingError, stream.head)

    def test_unwrapped(self) -> None:
        """For those who send the packets on by themselves; what was around them is not kept."""
        first, second = samples.packets(b"one"), samples.packets(b"y" * 50_000, seq=1)
        stream = Unwrapped(deflate())
        stream.feed(self.squeezed(first + second[:1000]) + self.squeezed(second[1000:]))
        self.assertEqual(stream.head(), b"one")
        self.assertTrue(stream.take())
        self.assertEqual(stream.cut(), first)
        self.assertEqual(stream.head(), b"y" * HEAD_LIMIT)
        self.assertTrue(stream.take())
        self.assertEqual((stream.cut(), stream.rest()), (second, b""))

    def test_zstd(self) -> None:
        """A conversation in zstd is framed as well."""
        conversation = samples.opened(samples.PLAIN | wire.CLIENT_ZSTD_COMPRESSION_ALGORITHM)
        for direction, data in samples.PING:
            body = zstandard.compress(data)
            header = len(body).to_bytes(3, "little") + (b"\0" if direction is TO_BACKEND else b"\1")
            conversation.append((direction, header + len(data).to_bytes(3, "little") + body))
        recorder = collect(MySQL().session(), conversation)
        self.assertEqual((recorder.error, recorder.seen[-1].verb), ("", "PING"))
        self.assertEqual(recorder.seen[-1].done, {TO_BACKEND, TO_CLIENT})

    def test_broken_zstd(self) -> None:
        """What is not zstd is told as such."""
        stream = CompressedStream(zstd())
        stream.feed(self.squeezed(b"12345678", b"no zstd at all"))
        self.assertRaises(FramingError, stream.head)

    def test_zstd_that_swells(self) -> None:
        """What inflates beyond what it announced is cut off early: 4 KB may stand for 128 MB."""
        block = (131072 << 3 | 1 << 1).to_bytes(3, "little") + b"x"
        swelling = b"\x28\xb5\x2f\xfd\x00\x58" + block * 1000
        make, _ = zstd()
        self.assertLess(len(make().decompress(swelling, 1 << 20)), 1 << 23)

    def test_without_zstd(self) -> None:
        """Where the package for it is missing, the words say what to do."""
        with mock.patch("importlib.import_module", side_effect=ImportError):
            error = self.assertRaises(FramingError, zstd)
        self.assertIn("--protocol-mysql-compression strip", str(error))
