"""What the text and the binary protocol have in common: the order of requests and replies.

Replies come in the order of the requests. Quiet requests (``q`` of a meta command, the
binary commands whose names end in Q) are answered only if something is worth saying, and
that they were not shows when a later request is answered: then the reply to the quiet one
is given out as a frame without bytes, so that whoever waits for its turn gets it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import dropwhile
from typing import ClassVar

from txvaurien.errors import FramingError
from txvaurien.model import Direction, Exchange, Frame, Message
from txvaurien.protocols.memcache.flow import Flow
from txvaurien.protocols.memcache.messages import Asked, Nudge, Partial, Request, Silence

#: Looked up for each read: a member of an enumeration is slow to find.
_UP = Direction.TO_BACKEND


class Dialect(ABC):
    """One of the two protocols, both directions together."""

    #: Whether heads are lines.
    lines: ClassVar[bool]
    #: A request that does nothing, and what its reply begins with.
    no_op: ClassVar[bytes]
    no_op_reply: ClassVar[bytes]

    def __init__(self) -> None:
        self.asked = Flow(lines=self.lines)
        self.said = Flow(lines=self.lines)
        #: Requests that may still be answered, in their order. An empty deque would take 760 bytes,
        #: in every idle link.
        self.pending: list[Asked] = []
        #: Whether another part of the reply follows the one that has begun.
        self._more = False
        #: How many no-ops of ours have not been answered yet.
        self.nudged = 0

    @abstractmethod
    def next_request(self) -> tuple[Asked, int] | None:
        """Read the head of the next request, if it is complete.

        :return: the exchange that begins, and the length of the whole request in
            bytes, or UNTIL_NEWLINE.
        """

    @abstractmethod
    def whole_request(self, data: bytes) -> Asked | None:
        """The exchange of these bytes if they are one request; None where that is not plain to see."""

    @abstractmethod
    def whole_reply(self, data: bytes) -> bytes | None:
        """The head of the reply if these bytes are one; None where that is not plain to see."""

    @abstractmethod
    def next_part(self) -> tuple[bytes, int, bool] | None:
        """Read the head of the next part of a reply, if it is complete.

        :return: the head, the length of the part in bytes, and whether another
            part follows it.
        """

    @abstractmethod
    def reply(self, head: bytes, request: Request | None) -> Message:
        """The message that a reply to `request` is which begins with `head`."""

    @abstractmethod
    def stray(self, head: bytes) -> bool:
        """Whether a server may say this when it owes no reply."""

    # Bytes to frames.

    def receive(self, direction: Direction, data: bytes) -> Iterable[Frame]:
        """Take bytes, give frames. What arrives as one message, as most do, needs no generator."""
        if direction is _UP:
            frame = self._request(data) if self.asked.idle else None
            if frame is None:
                self.asked.feed(data)
                return self._requests()
        else:
            frame = self._reply(data) if self.pending and self.said.idle else None
            if frame is None:
                self.said.feed(data)
                return self._replies()
        return (frame,)

    def _request(self, data: bytes) -> Frame | None:
        exchange = self.whole_request(data)
        if exchange is None:
            return None
        if exchange.replies:
            self.pending.append(exchange)
        return Frame(data, exchange)

    def _reply(self, data: bytes) -> Frame | None:
        if self.nudged:
            return None
        exchange = self.pending[0]
        head = self.whole_reply(data)
        if head is None or not exchange.request.answered_by(head):
            return None
        del self.pending[0]
        exchange.response = self.reply(head, exchange.request)
        return Frame(data, exchange)

    def rest(self, direction: Direction) -> bytes:
        """What was received and not yielded."""
        return (self.asked if direction is _UP else self.said).rest()

    def _requests(self) -> Iterator[Frame]:
        flow = self.asked
        while True:
            exchange = flow.exchange
            first = exchange is None
            if exchange is None:
                begun = self.next_request()
                if begun is None:
                    break
                exchange, flow.left = begun
                flow.exchange = exchange
                if exchange.replies:
                    self.pending.append(begun[0])
            start = flow.at
            flow.advance()
            if flow.at == start:
                break
            last = flow.left == 0
            if last:
                flow.exchange = None
            yield Frame(flow.since(start), exchange, first, last)
        flow.hold()

    def _replies(self) -> Iterator[Frame]:
        flow = self.said
        while True:
            exchange = flow.exchange
            first = exchange is None
            if exchange is None:
                part = self.next_part()
                if part is None:
                    break
                yield from self._silences(part[0])
                exchange = flow.exchange = self.answered(part[0])
                flow.left, self._more = part[1:]
            start = flow.at
            last = self._advance(start)
            if flow.at == start:
                break
            if last:
                flow.exchange = None
            yield self._frame(flow.since(start), exchange, first, last)
        flow.hold()

    def _frame(self, raw: bytes, exchange: Exchange, first: bool, last: bool) -> Frame:
        if isinstance(exchange.request, Nudge):
            self.nudged -= last
            return Frame(raw, None, first, last, b"")
        return Frame(raw, exchange, first, last)

    def _advance(self, start: int) -> bool:
        """Go over all the parts of this reply that are here; true at its end."""
        flow = self.said
        while True:
            flow.advance()
            if flow.left:
                return False
            if not self._more:
                return True
            try:
                part = self.next_part()
            except FramingError:
                # What came before is still good: give it out, and meet the error again.
                if flow.at == start:
                    raise
                return False
            if part is None:
                return False
            flow.left, self._more = part[1:]

    def _silences(self, head: bytes) -> Iterator[Frame]:
        """End the quiet requests that `head` shows to be unanswered."""
        pending = self.pending
        while pending and pending[0].request.quiet and not pending[0].request.answered_by(head):
            yield self._silence()

    def _silence(self) -> Frame:
        exchange = self.pending.pop(0)
        exchange.response = Silence()
        return Frame(b"", exchange)

    def answered(self, head: bytes) -> Exchange:
        """Find the exchange that a reply which begins with `head` belongs to."""
        if not self.pending:
            if not self.stray(head):
                raise FramingError("the server sent a reply that no request asked for")
            return Exchange(response=self.reply(head, None))
        exchange = self.pending[0]
        if not exchange.request.answered_by(head):
            raise FramingError(f"the server's reply does not fit the request ({exchange.request.verb})")
        del self.pending[0]
        exchange.response = self.reply(head, exchange.request)
        return exchange

    # The end of a direction.

    def finish(self, direction: Direction) -> Iterator[Frame]:
        """That side sent FIN: nothing that is held will be completed."""
        if direction is _UP:
            yield from self._finish_requests()
        else:
            yield from self._finish_replies()

    def _finish_requests(self) -> Iterator[Frame]:
        flow = self.asked
        exchange, flow.exchange = flow.exchange, None
        rest = flow.rest()
        if exchange is not None:
            yield Frame(rest, exchange, first=False)
        elif rest:
            yield Frame(rest, Asked(Partial()))

    def _finish_replies(self) -> Iterator[Frame]:
        flow = self.said
        exchange, flow.exchange = flow.exchange, None
        rest = flow.rest()
        if exchange is not None:
            yield self._frame(rest, exchange, False, True)
        elif rest:
            exchange = self.pending.pop(0) if self.pending else Exchange()
            exchange.response = Silence()
            yield self._frame(rest, exchange, True, True)
        while self.pending and self.pending[0].request.quiet:
            yield self._silence()

    # Refusals.

    def withdraw(self, exchange: Exchange) -> None:
        """The backend will never hear of this request."""
        pending = self.pending
        if pending and pending[-1] is exchange:
            pending.pop()
        elif isinstance(exchange, Asked) and exchange in pending:
            pending.remove(exchange)

    def nudge(self, exchange: Exchange) -> bytes:
        """A no-op, if without it nobody would learn that what stands before `exchange` is silent."""
        if exchange.sent:
            later = list(dropwhile(lambda each: each is not exchange, self.pending))
            # In the middle of another request nothing can be said.
            needed = bool(later) and all(each.request.quiet for each in later) and self.asked.exchange is None
        else:
            needed = bool(self.pending) and self.pending[-1].request.quiet
        if not needed:
            return b""
        self.nudged += 1
        self.pending.append(Asked(Nudge(self.no_op_reply)))
        return self.no_op
