"""The kind `error-in-rows`: the backend's rows, and before they are all there an error."""

from __future__ import annotations

from txvaurien.model import Missed
from txvaurien.protocols.mysql.answers import Result
from txvaurien.protocols.mysql.compressed import Unwrapped, algorithm_of
from txvaurien.protocols.mysql.messages import Request
from txvaurien.protocols.mysql.stream import Stream
from txvaurien.protocols.mysql.wire import ERR, MAX_PAYLOAD, envelope, is_progress, packet


class RowCut:
    """Passes a reply on until its first row is through, says an error then, and drops the rest.

    An edit, as `Refusal.edit` is one: it gets the raw bytes of one reply in pieces, as they
    come. Where there are no rows the error stands in place of their end. A reply without a
    result set, or with an error of the server's own before the first row, passes as it is.

    :param answer: how the reply goes on, with a context of its own.
    :param request: what it is the reply to.
    :param error: the payload of the error.
    """

    __slots__ = ("_answer", "_error", "_inside", "_outer", "_over", "_request", "_row", "_said", "_stream")

    def __init__(self, answer: Result, request: Request, error: bytes) -> None:
        self._answer = answer
        self._request = request
        self._error = error
        context = answer.context
        self._stream = Unwrapped(algorithm_of(context.capabilities)) if context.compressed else Stream()
        #: How many packets of the compressed protocol were sent.
        self._outer = 0
        #: The present packet is not at its end; it is the reply's last one; it is a row.
        self._inside = self._over = self._row = False
        self._said = False

    def __call__(self, data: bytes) -> bytes | Missed:
        if self._said:
            return b""
        self._stream.feed(data)
        seq = self._read()
        passed = self._stream.cut()
        if seq is not None:
            self._said = True
            self._stream.rest()
            return self._wrapped(passed + packet(self._error, seq))
        if self._over and not self._inside and self._stream.settled:
            return Missed(self._wrapped(passed), "the reply has no rows among which an error could stand")
        return self._wrapped(passed)

    def _read(self) -> int | None:
        """Pass over what the client gets; the error's sequence number when it is the error's turn."""
        stream = self._stream
        while self._inside or not self._over:
            if not self._inside:
                head = stream.head()
                if head is None:
                    return None
                if self._ends_rows(head):
                    return stream.seq
                stream.take()
                self._inside = True
            if not stream.go_on():
                return None
            self._inside = False
            if self._row:
                return stream.seq + 1
        return None

    def _ends_rows(self, head: bytes) -> bool:
        """Take note of a packet; whether it ends rows, as they should end."""
        if is_progress(head):
            return False
        among = self._answer.rows
        self._over = self._answer.packet(head, self._stream.length)
        self._row = among and self._answer.rows and not self._over
        return among and not self._row and head[0] != ERR

    def _wrapped(self, packets: bytes) -> bytes:
        """Packets as the client has to get them; in the compressed protocol these are numbered anew."""
        if not self._stream.compressed:
            return packets
        wrapped = bytearray()
        for start in range(0, len(packets), MAX_PAYLOAD):
            self._outer += 1
            wrapped += envelope(packets[start : start + MAX_PAYLOAD], self._request.outer + self._outer)
        return bytes(wrapped)
