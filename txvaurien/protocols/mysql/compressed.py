"""The compressed protocol: packets of it carry the ordinary ones, from the log-in's OK on.

A packet is a length (3 bytes), a sequence number of its own (1), the length of what is
in it (3; 0 for "as it is") and that, deflated by zlib or zstd. An ordinary packet may go
on in the next one. All that servers and clients write of one message ends with a packet,
so the raw bytes of a message can be told apart; where two messages share one, they cannot.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from txvaurien.errors import FramingError
from txvaurien.protocols.mysql.stream import Stream
from txvaurien.protocols.mysql.wire import CLIENT_COMPRESS

#: How much is inflated at a time, in bytes of the wire.
CHUNK = 16 * 1024

#: Length, sequence number, length before compression.
HEADER = 7


class Inflater(Protocol):
    """What undoes the compression of one packet."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """The next bytes, at most so many."""


#: What makes an `Inflater`, and what that raises.
Algorithm = tuple[Callable[[], Inflater], tuple[type[Exception], ...]]

#: How many compressed bytes are inflated before their outcome is measured.
_SLICE = 64


class _Zstandard:
    """One packet's worth of zstd by way of the zstandard package."""

    def __init__(self, inflater: Any) -> None:
        self._inflater = inflater

    def decompress(self, data: bytes, max_length: int) -> bytes:
        # Four bytes can stand for 128 KB: in small slices nothing grows far beyond what is allowed.
        inflated = bytearray()
        for start in range(0, len(data), _SLICE):
            inflated += self._inflater.decompress(data[start : start + _SLICE])
            if len(inflated) >= max_length:
                break
        return bytes(inflated)


def zstd() -> Algorithm:
    """What makes an `Inflater` for zstd, and what that raises.

    :raises FramingError: this Python cannot read zstd.
    """
    try:
        library = importlib.import_module("zstandard")
    except ImportError:
        raise FramingError(
            "the client and the server agreed on zstd, which needs the package zstandard;"
            " install it, or set --protocol-mysql-compression strip"
        ) from None
    context = library.ZstdDecompressor()
    return (lambda: _Zstandard(context.decompressobj())), (library.ZstdError,)


def deflate() -> Algorithm:
    """The same for zlib."""
    return zlib.decompressobj, (zlib.error,)


def algorithm_of(capabilities: int) -> Algorithm:
    """What undoes the compression that a client and a server have agreed on.

    :raises FramingError: this Python cannot.
    """
    return deflate() if capabilities & CLIENT_COMPRESS else zstd()


class CompressedStream(Stream):
    """A direction of the compressed protocol. The packets that are asked for are those inside."""

    __slots__ = ("_body", "_errors", "_inflated", "_inflater", "_make", "_raw", "_raw_at", "_raw_start")

    compressed = True

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__()
        self._make, self._errors = algorithm
        self._raw = b""
        self._raw_start = 0
        self._raw_at = 0
        #: What is still to come of the packet's body, on the wire and inflated.
        self._body = 0
        self._inflated = 0
        self._inflater: Inflater | None = None

    def feed(self, data: bytes) -> None:
        self._raw = self._raw[self._raw_start :] + data
        self._raw_at -= self._raw_start
        self._raw_start = 0

    @property
    def settled(self) -> bool:
        """A message may end only where a packet of this protocol ends.

        :raises FramingError: another message goes on in the same packet.
        """
        while self._body:
            if not self._pull():
                return False
        if self.waiting:
            raise FramingError("two messages share a packet of the compressed protocol")
        return True

    def cut(self) -> bytes:
        raw = self._raw[self._raw_start : self._raw_at]
        self._raw_start = self._raw_at
        if self._raw_at == len(self._raw):
            self._raw, self._raw_start, self._raw_at = b"", 0, 0
        return raw

    def rest(self) -> bytes:
        super().rest()
        rest = self._raw[self._raw_start :]
        self._raw, self._raw_start, self._raw_at, self._body = b"", 0, 0, 0
        return rest

    def _pull(self) -> bool:
        if not self._body and not self._open():
            return False
        chunk = self._raw[self._raw_at : self._raw_at + min(self._body, CHUNK)]
        self._raw_at += len(chunk)
        self._body -= len(chunk)
        self._data = self._data[self._at :] + self._inflate(chunk)
        self._start = self._at = 0
        return bool(chunk) or not self._body

    def _open(self) -> bool:
        """Read the header of the next packet."""
        header = self._raw[self._raw_at : self._raw_at + HEADER]
        if len(header) < HEADER:
            return False
        self._raw_at += HEADER
        self._body = int.from_bytes(header[:3], "little")
        if not self._body:
            raise FramingError("a packet of the compressed protocol is empty")
        self.outer = header[3]
        self._inflated = int.from_bytes(header[4:], "little")
        self._inflater = self._make() if self._inflated else None
        return True

    def _inflate(self, chunk: bytes) -> bytes:
        if self._inflater is None:
            return chunk
        try:
            data = self._inflater.decompress(chunk, self._inflated + 1) if chunk else b""
        except self._errors as error:
            raise FramingError(f"a packet of the compressed protocol is broken ({error})") from None
        self._inflated -= len(data)
        if self._inflated < 0 or (self._inflated and not self._body):
            raise FramingError("a packet of the compressed protocol is not as long as it says")
        return data


class Unwrapped(CompressedStream):
    """The same, for somebody who sends the packets on by themselves: these are what is cut."""

    __slots__ = ("_passed",)

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__(algorithm)
        #: What was passed over since the last cut, but for what is still in `_data`.
        self._passed = bytearray()

    def cut(self) -> bytes:
        super().cut()
        self._put_by()
        passed = bytes(self._passed)
        self._passed.clear()
        return passed

    def _pull(self) -> bool:
        self._put_by()
        return super()._pull()

    def _put_by(self) -> None:
        self._passed += self._data[self._start : self._at]
        self._start = self._at
