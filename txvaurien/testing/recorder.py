"""Drive a session by hand, as a link without rules does, and keep what it gives out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from txvaurien.errors import FramingError
from txvaurien.model import Direction, Exchange, Frame
from txvaurien.protocols.base import Session

TO_BACKEND = Direction.TO_BACKEND
TO_CLIENT = Direction.TO_CLIENT

#: Bytes in the order in which they were sent. Empty bytes are that side's FIN;
#: a side that never says it is taken to send it at the end.
Step = tuple[Direction, bytes]
Conversation = Sequence[Step]


@dataclass
class Seen:
    """One exchange, as a link got to see it. `request` and `reply` are raw bytes."""

    exchange: Exchange
    unasked: bool
    replies: bool
    verb: str
    targets: tuple[str, ...]
    status: str = ""
    request: bytes = b""
    reply: bytes = b""
    done: set[Direction] = field(default_factory=set)

    def summary(self) -> tuple[object, ...]:
        """All that must not depend on how the stream was split."""
        done = tuple(direction.value for direction in Direction if direction in self.done)
        told = (self.unasked, self.replies, self.exchange.handshake)
        return (*told, self.verb, self.targets, self.status, self.request, self.reply, done)


class Recorder:
    """Drives a session as a link without rules does, and keeps what it gives out.

    :param decide: called with the session and an exchange at the first frame of its request,
        before anything of it is sent; True means that the request is not sent at all.
    """

    def __init__(self, session: Session, decide: Callable[[Session, Exchange], bool] | None = None) -> None:
        self.session = session
        self.seen: list[Seen] = []
        self.received = {direction: bytearray() for direction in Direction}
        self.yielded = {direction: bytearray() for direction in Direction}
        self.forwarded = {direction: bytearray() for direction in Direction}
        #: The text of the FramingError that ended it, else "". Later bytes are only kept.
        self.error = ""
        #: What frames did that they must not do, in words.
        self.faults: list[str] = []
        self._decide = decide
        self._by_exchange: dict[Exchange, Seen] = {}
        self._counts = {True: 0, False: 0}
        self._finished: set[Direction] = set()
        #: Whether what comes now may be sent on otherwise than it came.
        self._edits = True

    def feed(self, direction: Direction, data: bytes) -> list[Frame]:
        """Give bytes, or with ``b""`` a FIN; return the frames that they complete."""
        self.received[direction] += data
        if self.error:
            return []
        # What a link does not decide about, it sends on before it is framed, unless there are edits.
        self._edits = self.session.edits or (direction is TO_BACKEND and self._decide is not None)
        if data:
            return list(self._take(direction, self.session.receive(direction, data)))
        self._finished.add(direction)
        return list(self._take(direction, self.session.finish(direction)))

    def play(self, conversation: Iterable[Step]) -> Recorder:
        """Feed a whole conversation, without the FINs it does not tell of."""
        for direction, data in conversation:
            self.feed(direction, data)
        return self

    def end(self) -> Recorder:
        """Send the FINs that have not been sent."""
        for direction in Direction:
            if direction not in self._finished:
                self.feed(direction, b"")
        return self

    def held(self, direction: Direction) -> int:
        """How many bytes the session keeps to itself."""
        return len(self.received[direction]) - len(self.yielded[direction])

    def of(self, exchange: Exchange) -> Seen:
        """What was seen of this exchange."""
        return self._by_exchange[exchange]

    def _take(self, direction: Direction, frames: Iterable[Frame]) -> Iterator[Frame]:
        try:
            for frame in frames:
                self.yielded[direction] += frame.raw
                if self._note(direction, frame):
                    self.forwarded[direction] += frame.forward
                yield frame
        except FramingError as error:
            self.error = str(error) or "FramingError without a text"

    def _note(self, direction: Direction, frame: Frame) -> bool:
        exchange = frame.exchange
        changed = frame.forward != frame.raw and not self._edits
        self._fault(changed, "a frame is changed, and `edits` was false when its bytes came", frame)
        if exchange is None:
            self._fault(frame.forward != b"", "bytes of no exchange are forwarded", frame)
            return False
        seen = self._by_exchange.get(exchange) or self._meet(exchange)
        self._check(seen, direction, frame)
        if frame.last:
            seen.done.add(direction)
        if direction is TO_CLIENT:
            seen.reply += frame.raw
            return True
        seen.request += frame.raw
        if frame.first and self._decide is not None and self._decide(self.session, exchange):
            return False
        exchange.sent = exchange.sent or frame.first
        return exchange.sent

    def _meet(self, exchange: Exchange) -> Seen:
        message = exchange.message
        self._counts[exchange.unasked] += 1
        exchange.number = self._counts[exchange.unasked]
        targets = tuple(message.targets)
        seen = Seen(exchange, exchange.unasked, exchange.replies, message.verb, targets)
        self.seen.append(seen)
        self._by_exchange[exchange] = seen
        return seen

    def _check(self, seen: Seen, direction: Direction, frame: Frame) -> None:
        begun = seen.reply if direction is TO_CLIENT else seen.request
        self._fault(frame.first == bool(begun), "`first` is not (only) on the first frame", frame)
        self._fault(direction in seen.done, "a frame follows the last one", frame)
        if direction is TO_CLIENT and frame.first:
            response = seen.exchange.response
            self._fault(response is None, "`response` is not set at the reply's first frame", frame)
            seen.status = response.status if response else ""

    def _fault(self, wrong: bool, words: str, frame: Frame) -> None:
        if wrong:
            self.faults.append(f"{words}: {frame!r}")


def frames_of(session: Session, direction: Direction, data: bytes) -> list[Frame]:
    """The frames that these bytes complete, all of them taken."""
    return list(session.receive(direction, data))


def collect(session: Session, conversation: Iterable[Step]) -> Recorder:
    """Play a whole conversation, FINs included, and return what was seen of it."""
    return Recorder(session).play(conversation).end()


def runs(conversation: Iterable[Step]) -> list[Step]:
    """The conversation with neighbouring steps of one direction joined."""
    joined: list[tuple[Direction, bytearray]] = []
    fin = True
    for direction, data in conversation:
        if fin or not data or joined[-1][0] is not direction:
            joined.append((direction, bytearray()))
        joined[-1][1].extend(data)
        fin = not data
    return [(direction, bytes(data)) for direction, data in joined]


def split(conversation: Iterable[Step], size: Callable[[], int]) -> Iterator[Step]:
    """The same bytes in the same order, in pieces of ``size()`` bytes."""
    for direction, data in runs(conversation):
        at = 0
        while at < len(data) or not data:
            step = max(1, size())
            yield direction, data[at : at + step]
            at += step
            if not data:
                break


def upto(conversation: Iterable[Step], sent: int) -> Iterator[Step]:
    """The conversation until the client has sent its first `sent` bytes."""
    for direction, data in conversation:
        if direction is TO_BACKEND:
            yield direction, data[:sent]
            sent -= len(data)
            if sent <= 0:
                return
        else:
            yield direction, data
