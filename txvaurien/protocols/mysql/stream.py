"""One direction of a link as packets: where each begins, what it begins with, how far it has come.

A stream is fed with raw bytes and asked, packet by packet, for the head of the
payload; the rest of a packet is passed over as it comes, and never collected.
"""

from __future__ import annotations

from txvaurien.protocols.mysql.wire import EOF, MAX_PAYLOAD

#: How much of a payload is held back until it is there, at most, in bytes.
HEAD_LIMIT = 4096


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

    def take(self, until_empty: bool = False) -> None:
        """Begin to pass over the packet whose head was asked for, with those that continue it.

        :param until_empty: with all packets up to and with an empty one.
        """
        self._until_empty = until_empty
        self._take_one()

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

    def take_rows(self) -> None:
        """Pass over rows that are there whole, up to the first packet that may end them."""
        data, at, end = self._data, self._at, len(self._data)
        while at + 4 < end:
            length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            after = at + 4 + length
            if after > end or not length or length == MAX_PAYLOAD or data[at + 4] >= EOF:
                break
            at = after
        self._at = at

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
