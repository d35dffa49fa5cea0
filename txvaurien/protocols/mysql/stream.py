"""One direction of a link as packets: where each begins, what it begins with, how far it has come.

A stream is fed with raw bytes and asked, packet by packet, for the head of the
payload; the rest of a packet is passed over as it comes, and never collected.
"""

from __future__ import annotations

import struct

from txvaurien.protocols.mysql.wire import EOF, MAX_PAYLOAD

#: How much of a payload is held back until it is there, at most, in bytes.
HEAD_LIMIT = 4096

#: Of a packet: its length, in two parts, and the first byte of its payload.
_BEGINNING = struct.Struct("<HBxB").unpack_from

#: How many packets are compared at once, and how few of them must be alike for that to have paid.
_MOST_ALIKE, _LEAST_ALIKE = 512, 16


class Stream:
    """The ordinary protocol: packets of a length, a sequence number and a payload.

    :ivar length: of the payload of the packet whose head was last asked for.
    :ivar seq: its sequence number.
    :ivar outer: the sequence number of the compressed packet around it; 0 here.
    """

    __slots__ = ("_at", "_data", "_missing", "_more", "_start", "_until_empty", "length", "outer", "seq")

    #: Whether packets stand in packets of the compressed protocol.
    compressed = False

    def __init__(self) -> None:
        self._data = b""
        #: From where on the bytes have not been given out.
        self._start = 0
        #: Up to where they have been passed over.
        self._at = 0
        #: What has still to come of the packet that is being passed over.
        self._missing = 0
        #: Another packet continues that one, and how it is told.
        self._more = False
        self._until_empty = False
        self.length = 0
        self.seq = 0
        self.outer = 0

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived."""
        self._data = self._data[self._start :] + data if self._start < len(self._data) else data
        self._at -= self._start
        self._start = 0

    @property
    def waiting(self) -> int:
        """How many bytes are there that were not passed over."""
        return len(self._data) - self._at

    @property
    def settled(self) -> bool:
        """Whether a message may end where the last packet ended."""
        return True

    def head(self, limit: int = HEAD_LIMIT) -> bytes | None:
        """The beginning of the next packet's payload, None if it is not there yet.

        At most `limit` bytes, at least the whole payload or that.
        """
        while True:
            data, at = self._data, self._at
            if len(data) - at >= 4:
                length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
                end = at + 4 + (length if length < limit else limit)
                if len(data) >= end:
                    self.length, self.seq = length, data[at + 3]
                    return data[at + 4 : end]
            if not self._pull():
                return None

    def take(self, until_empty: bool = False) -> bool:
        """Pass over the packet whose head was asked for, with those that continue it.

        :param until_empty: with all packets up to and with an empty one.
        :return: whether its end is reached; if not, it is for `go_on` to reach it.
        """
        self._until_empty = until_empty
        end = self._at + 4 + self.length
        if end <= len(self._data) and self.length < MAX_PAYLOAD and not until_empty:
            self._at = end
            return True
        self._take_one()
        return self.go_on()

    def _take_one(self) -> None:
        self._missing = 4 + self.length
        self._more = self.length == MAX_PAYLOAD or (self._until_empty and self.length > 0)

    def go_on(self) -> bool:
        """Pass over what is there of it; whether its end is reached."""
        while True:
            step = min(self._missing, len(self._data) - self._at)
            self._at += step
            self._missing -= step
            if self._missing:
                if not self._pull():
                    return False
            elif not self._more:
                return True
            elif self.head(0) is None:
                return False
            else:
                self._take_one()

    def _pull(self) -> bool:
        """Get more packets out of what was fed; false if there is nothing to be had."""
        return False

    def take_rows(self, most: int) -> int:
        """Pass over packets that are there whole, up to the first that may end rows or is very large.

        :param most: so many of them at most.
        :return: how many they were.
        """
        data, at, end = self._data, self._at, len(self._data)
        count = before = 0
        comparing = True
        while count < most and at + 4 < end:
            length, large, first = _BEGINNING(data, at)
            after = at + 4 + length
            if first >= EOF or large or not length or after > end:
                break
            at = after
            count += 1
            if length == before and comparing:
                alike = packets_alike(data, at, length, most - count)
                at += alike * (4 + length)
                count += alike
                comparing = alike >= _LEAST_ALIKE
            before = length
        self._at = at
        return count

    def cut(self) -> bytes:
        """The raw bytes of what was passed over since the last cut."""
        data, start, at = self._data, self._start, self._at
        if at < len(data):
            self._start = at
            return data[start:at]
        # An idle link does not keep what came last, which may have been large.
        self._data, self._start, self._at = b"", 0, 0
        return data[start:]

    def rest(self) -> bytes:
        """Hand over all that was not given out."""
        rest = self._data[self._start :]
        self._data, self._start, self._at, self._missing, self._more = b"", 0, 0, 0, False
        return rest


def packets_alike(data: bytes, at: int, length: int, most: int) -> int:
    """How many packets with payloads of `length` bytes come one behind the other, and may be rows.

    Rows of numbers are often of one length. Then a byte of every header can be had with one slice.

    :param length: below 65536.
    :param most: so many of them are looked for at most.
    """
    step = 4 + length
    count = min((len(data) - at) // step, most, _MOST_ALIKE)
    for place, byte in enumerate(length.to_bytes(3, "little"), at):
        column = data[place : at + count * step : step]
        count = len(column) - len(column.lstrip(bytes((byte,))))
    firsts = data[at + 4 : at + count * step : step]
    ends = [end for end in (firsts.find(b"\xfe"), firsts.find(b"\xff")) if end >= 0]
    return min(ends, default=count)
