"""Bytes whose place in a stream can be told by looking at them, and what came of a stream of them.

Every stream is cut out of one pad of random bytes: `Source` says from where. Sixteen bytes of the pad stand
nowhere else in it, so that a receiver can tell a hole, foreign bytes and changed ones from each other.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: A prime, so that no length of ours is a multiple of it; longer than any stream, so that a hole in one
#: is no riddle, however large.
PAD_SIZE = 8_388_593

#: So many bytes tell their place.
WINDOW = 16
#: How many bytes are looked at to decide what has happened to them.
_LOOK = 256
#: The share of differing bytes up to which they count as changed in place, not as others.
_CHANGED = 0.25
#: Sources give out pieces of at most so many bytes.
_PIECE = 256 * 1024


class Pad:
    """Random bytes, the same for the same seed; it has no end, as it begins again."""

    def __init__(self, seed: int, size: int = PAD_SIZE) -> None:
        self.size = size
        once = random.Random(seed).randbytes(size)
        self._bytes = once + once[: min(size, _PIECE)]

    def piece(self, at: int, size: int) -> bytes:
        """`size` bytes from place `at` on, at most 256 KiB."""
        begin = at % self.size
        return self._bytes[begin : begin + size]

    def find(self, window: bytes) -> int | None:
        """The place of these bytes, None if they are not of the pad."""
        found = self._bytes.find(window)
        return None if found < 0 else found


class Source:
    """One stream: a head, then `size` bytes of the pad.

    :param name: what the place in the pad is derived from; streams have names of their own.
    """

    def __init__(self, pad: Pad, name: str, size: int, head: bytes = b"") -> None:
        self.pad = pad
        self.head = head
        self.start = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") % pad.size
        self.size = len(head) + size

    def piece(self, offset: int, size: int) -> bytes:
        """The bytes from `offset` on: up to `size` of them, fewer where the head ends, or the stream."""
        if offset < len(self.head):
            return self.head[offset : offset + size]
        size = min(size, _PIECE, self.size - offset)
        return self.pad.piece(self.start + offset - len(self.head), size) if size > 0 else b""

    def pieces(self, size: int = 65536, begin: int = 0) -> Iterator[bytes]:
        """The whole stream."""
        while begin < self.size:
            piece = self.piece(begin, size)
            yield piece
            begin += len(piece)

    def whole(self) -> bytes:
        """The whole stream, for small ones."""
        return b"".join(self.pieces())

    def offset_of(self, window: bytes, near: int) -> int | None:
        """Which offset these bytes have, the next one to `near` if there are several."""
        place = self.pad.find(window)
        if place is None:
            return None
        shift = (place - self.start - (near - len(self.head))) % self.pad.size
        back = near + shift - self.pad.size
        return near + shift if shift <= self.pad.size // 2 or back < 0 else back


@dataclass
class Received:
    """What an end has received of a stream, compared with what the other end meant to send.

    :ivar length: bytes that came.
    :ivar digest: of all of them.
    :ivar at: the offset that comes next.
    :ivar changed: bytes that are others than were sent, at their place.
    :ivar holes: bytes that are missing in the middle.
    :ivar strange: bytes that were not sent here: noise, or of another stream.
    :ivar first: the offset of the first deviation, -1 if there is none.
    """

    length: int = 0
    digest: bytes = b""
    at: int = 0
    changed: int = 0
    holes: int = 0
    strange: int = 0
    first: int = -1

    @property
    def exact(self) -> bool:
        """Whether all that came is the beginning of what was sent."""
        return self.first < 0


class Receiver:
    """Compares a stream with its source while it comes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.result = Received()
        self._digest = hashlib.blake2b(digest_size=16)
        self._held = b""
        self._lost = False

    def feed(self, data: bytes) -> None:
        """Bytes came."""
        self.result.length += len(data)
        self._digest.update(data)
        self._compare(self._held + data if self._held else data, last=False)

    def finish(self) -> Received:
        """Nothing more will come."""
        held, self._held = self._held, b""
        self._compare(held, last=True)
        self.result.digest = self._digest.digest()
        return self.result

    def _compare(self, data: bytes, last: bool) -> None:
        begin = 0
        while begin < len(data) and not self._lost:
            expected = self.source.piece(self.result.at, len(data) - begin)
            same = _common(expected, data, begin)
            begin += same
            self.result.at += same
            if same == len(expected) and same:
                continue
            if len(data) - begin < _LOOK and not last:
                self._held = data[begin:]
                return
            begin += self._deviates(data[begin : begin + _LOOK])
        self._held = b""
        if self._lost:
            self.result.strange += len(data) - begin

    def _deviates(self, seen: bytes) -> int:
        """The first of these bytes is wrong: note why; how many of them are dealt with."""
        result = self.result
        result.first = result.at if result.first < 0 else result.first
        if self._changed_in_place(seen):
            result.changed += 1
            result.at += 1
            return 1
        for skipped in range(max(1, len(seen) - WINDOW + 1)):
            window = seen[skipped : skipped + WINDOW]
            offset = self.source.offset_of(window, result.at) if len(window) == WINDOW else None
            if offset is not None and offset >= result.at:
                if offset - result.at == skipped:
                    # As many as should be there: they are others, and none is missing.
                    result.changed += skipped
                else:
                    result.strange += skipped
                    result.holes += offset - result.at
                result.at = offset
                return skipped
        self._lost = True
        return 0

    def _changed_in_place(self, seen: bytes) -> bool:
        expected = b""
        while len(expected) < len(seen):
            more = self.source.piece(self.result.at + len(expected), len(seen) - len(expected))
            if not more:
                break
            expected += more
        if len(expected) < len(seen):
            seen = seen[: len(expected)]
        differing = sum(one != other for one, other in zip(seen, expected, strict=True))
        # Of a short rest even one byte may be a quarter.
        return bool(seen) and differing <= max(1, int(len(seen) * _CHANGED))


def _common(expected: bytes, data: bytes, begin: int) -> int:
    """How many bytes of `expected` stand in `data` at `begin`."""
    if data.startswith(expected, begin):
        return len(expected)
    low, high = 0, len(expected)
    while high - low > 1:
        middle = (low + high) // 2
        if data.startswith(expected[:middle], begin):
            low = middle
        else:
            high = middle
    return low


@dataclass
class Sent:
    """What an end has given to its connection.

    :ivar length: bytes.
    """

    length: int = 0
    _digest: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def add(self, data: bytes) -> bytes:
        """Count these, and give them back."""
        self.length += len(data)
        self._digest.update(data)
        return data

    @property
    def digest(self) -> bytes:
        """Of all of it."""
        return bytes(self._digest.digest())
