"""Streams that can be told from each other, and what came of them."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from bench.soak.content import Pad, Received, Receiver, Sent, Source

PAD = Pad(1)
HEAD = b"the head of the stream"


def source(name: str = "a", size: int = 5000) -> Source:
    """A stream."""
    return Source(PAD, name, size, HEAD)


def received(data: bytes, of: Source, piece: int = 700) -> Received:
    """What a receiver makes of these bytes, which come in pieces."""
    receiver = Receiver(of)
    for begin in range(0, len(data), piece):
        receiver.feed(data[begin : begin + piece])
    return receiver.finish()


class SourceTests(SynchronousTestCase):
    """What is sent."""

    def test_pieces(self) -> None:
        """However it is cut, it is the same stream, of the size that was asked for."""
        whole = source().whole()
        self.assertEqual(len(whole), len(HEAD) + 5000)
        self.assertTrue(whole.startswith(HEAD))
        for size in (1, 7, 4096, 10**6):
            self.assertEqual(b"".join(source().pieces(size)), whole)

    def test_larger_than_the_pad(self) -> None:
        """A stream that is longer than the pad goes on from its beginning."""
        pad = Pad(1, size=1009)
        long = Source(pad, "a", 5000).whole()
        self.assertEqual(len(long), 5000)
        self.assertEqual(long[:3000], long[1009:4009])

    def test_names(self) -> None:
        """Streams of other names are others; the same seed and name give the same."""
        self.assertNotEqual(source("a").whole(), source("b").whole())
        self.assertEqual(Source(Pad(1), "a", 50).whole(), Source(Pad(1), "a", 50).whole())
        self.assertNotEqual(Source(Pad(2), "a", 50).whole(), Source(Pad(1), "a", 50).whole())


class ReceiverTests(SynchronousTestCase):
    """What is received."""

    def test_exact(self) -> None:
        """A stream that came whole has the digest of what was sent."""
        whole, sent = source().whole(), Sent()
        sent.add(whole)
        for piece in (1, 13, 700, 10**6):
            got = received(whole, source(), piece)
            self.assertTrue(got.exact)
            self.assertEqual((got.length, got.digest), (sent.length, sent.digest))

    def test_prefix(self) -> None:
        """A stream that was cut is exact as far as it came."""
        for size in (0, 1, len(HEAD), 255, 4999):
            got = received(source().whole()[:size], source())
            self.assertEqual((got.exact, got.length, got.at), (True, size, size))

    def test_changed(self) -> None:
        """Bytes that are others at their place are counted, each of them, and nothing else."""
        draw = random.Random(5)
        for count in (1, 20):
            bent = bytearray(source().whole())
            places = draw.sample(range(len(bent)), count)
            for place in places:
                bent[place] ^= 0x55
            got = received(bytes(bent), source())
            self.assertEqual((got.changed, got.holes, got.strange), (count, 0, 0))
            self.assertEqual((got.first, got.length), (min(places), len(bent)))

    def test_last_byte_changed(self) -> None:
        """The end of a stream is looked at, too."""
        whole = source().whole()
        got = received(whole[:-1] + bytes([whole[-1] ^ 1]), source())
        self.assertEqual((got.changed, got.first), (1, len(whole) - 1))

    def test_hole(self) -> None:
        """Bytes that are missing in the middle are counted, wherever the pieces end."""
        whole = source().whole()
        for piece in (1, 100, 10**6):
            got = received(whole[:1000] + whole[1800:], source(), piece)
            self.assertEqual((got.holes, got.changed, got.strange, got.first), (800, 0, 0, 1000))
            self.assertEqual(got.at, len(whole))

    def test_large_hole(self) -> None:
        """A hole may be as large as a stream, and at its beginning."""
        stream = source(size=4_000_000)
        whole = stream.whole()
        for begin, end in ((len(HEAD), 1_500_000), (0, 970_752), (3, 3_900_000)):
            got = received(whole[:begin] + whole[end:], stream, 65536)
            self.assertEqual((got.holes, got.changed, got.strange), (end - begin, 0, 0))
            self.assertEqual(got.at, len(whole))

    def test_many_changed(self) -> None:
        """Where nearly all bytes of a short rest are others, still none is missing."""
        whole = source().whole()
        spoilt = bytes(255 - byte for byte in whole[-60:-20])
        got = received(whole[:-60] + spoilt + whole[-20:], source())
        self.assertEqual((got.holes, got.strange, got.changed), (0, 0, 40))
        self.assertEqual(got.at, len(whole))

    def test_noise(self) -> None:
        """Bytes that were put in are counted, and what follows is in its place again."""
        whole, noise = source().whole(), random.Random(7).randbytes(100)
        got = received(whole[:2000] + noise + whole[2000:], source())
        self.assertEqual((got.strange, got.holes, got.changed), (100, 0, 0))
        self.assertEqual(got.at, len(whole))

    def test_foreign(self) -> None:
        """The bytes of another stream are not taken for a part of this one."""
        got = received(source().whole()[:500] + random.Random(9).randbytes(900), source())
        self.assertEqual((got.strange, got.first), (900, 500))
        self.assertFalse(got.exact)

    def test_twice(self) -> None:
        """What comes a second time was not sent again."""
        whole = source().whole()
        got = received(whole[:3000] + whole[1000:], source())
        self.assertFalse(got.exact)
        self.assertTrue(got.strange)

    def test_too_much(self) -> None:
        """Nothing may come behind the end."""
        got = received(source().whole() + b"more", source())
        self.assertEqual((got.strange, got.exact), (4, False))
