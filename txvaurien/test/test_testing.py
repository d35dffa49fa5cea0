"""txvaurien.testing: a protocol of lines that keeps every law, and such as each break one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import FramingError, NotLegal
from txvaurien.model import Connect, Direction, ErrorKind, Exchange, Frame, Message, Refusal, Then, Where
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, Recorder, SessionLaws, collect, runs, split

LIMIT = 1000


class Line(Message):
    """One line; the first word is the verb of a request and the status of a reply."""

    __slots__ = ("_line", "_reply")

    def __init__(self, line: bytes, reply: bool) -> None:
        self._line = line
        self._reply = reply

    @property
    def verb(self) -> str:
        return "" if self._reply else self._line.split(b" ")[0].decode("latin-1").strip()

    @property
    def status(self) -> str:
        return self._line.split(b" ")[0].decode("latin-1").strip() if self._reply else ""


class LineSession(Session):
    """A line is answered by a line; ``!`` begins a line that the server sends unasked."""

    def __init__(self) -> None:
        self.buffers = {direction: bytearray() for direction in Direction}
        self.pending: deque[Exchange | None] = deque()

    def receive(self, direction: Direction, data: bytes) -> Iterator[Frame]:
        self.buffers[direction] += data
        return self.frames(direction)

    def frames(self, direction: Direction) -> Iterator[Frame]:
        buffer = self.buffers[direction]
        while (end := buffer.find(b"\n") + 1) > 0:
            yield self.framed(direction, bytes(buffer[:end]))
        if len(buffer) > LIMIT:
            raise FramingError("the line is too long")

    def framed(self, direction: Direction, line: bytes) -> Frame:
        if direction is TO_BACKEND:
            exchange = Exchange(Line(line, reply=False))
            self.pending.append(exchange)
        elif line.startswith(b"!"):
            exchange = Exchange(response=Line(line, reply=True))
        else:
            return self.replied(line)
        del self.buffers[direction][: len(line)]
        return Frame(line, exchange)

    def replied(self, line: bytes) -> Frame:
        if not self.pending:
            raise FramingError("nobody asked for this")
        exchange = self.pending.popleft()
        del self.buffers[TO_CLIENT][: len(line)]
        self.edits = None in self.pending
        if exchange is None:
            return Frame(line, None, edited=b"")
        exchange.response = Line(line, reply=True)
        return Frame(line, exchange)

    def finish(self, direction: Direction) -> Iterator[Frame]:
        return iter(())

    def rest(self, direction: Direction) -> bytes:
        return bytes(self.buffers[direction])

    def legal(self, exchange: Exchange) -> Sequence[str]:
        if isinstance(exchange.request, Connect):
            return ["full"]
        return [] if exchange.unasked else ["broken", "custom"]

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        if kind not in self.legal(exchange):
            raise NotLegal(f"{kind} cannot be said here")
        if kind == "full":
            return Refusal(b"full\n", then=Then.CLOSE)
        to_backend = b""
        if exchange.sent:
            self.pending.append(None)
            self.edits = True
            to_backend = b"undo\n"
        else:
            self.withdraw(exchange)
        return Refusal(text.encode() + b"\n" if text else b"broken\n", to_backend)

    def withdraw(self, exchange: Exchange) -> None:
        self.pending.remove(exchange)


class Lines(WireProtocol, frozen=True, kw_only=True):
    """Lines."""

    name: ClassVar[str] = "lines"
    error_kinds: ClassVar[Sequence[ErrorKind]] = (
        ErrorKind("full", Where.CONNECT, "no place is free"),
        ErrorKind("broken", Where.COMMAND, "something broke"),
        ErrorKind("custom", Where.COMMAND, "a text of yours", drawn=False),
    )
    too_many_kind: ClassVar[str] = "full"

    #: What makes the sessions.
    factory: ClassVar[type[LineSession]] = LineSession

    def session(self) -> Session:
        return self.factory()


CONVERSATIONS: dict[str, Conversation] = {
    "one": [(TO_BACKEND, b"get a\n"), (TO_CLIENT, b"fine\n")],
    "pipeline": [(TO_BACKEND, b"get a\nget b\n"), (TO_CLIENT, b"fine\n!news\n"), (TO_CLIENT, b"bad x\n")],
    "half-closed": [(TO_BACKEND, b"get a\n"), (TO_BACKEND, b""), (TO_CLIENT, b"fine\n")],
    "broken off": [(TO_BACKEND, b"get a\nge"), (TO_CLIENT, b"fine\nsurplus\n")],
}


class LineLaws(SessionLaws, SynchronousTestCase):
    """The laws hold for a session that is right."""

    protocol = Lines()
    conversations = CONVERSATIONS
    probe: ClassVar[Conversation] = [(TO_BACKEND, b"ping\n"), (TO_CLIENT, b"pong\n")]
    answers: ClassVar[dict[bytes, bytes]] = {b"undo\n": b"undone\n"}
    held_limit = LIMIT


class _Cut(LineSession):
    """Takes each chunk for a line."""

    def frames(self, direction: Direction) -> Iterator[Frame]:
        if self.buffers[direction]:
            yield self.framed(direction, bytes(self.buffers[direction]))


class _Lossy(LineSession):
    """Takes white space away from what it has not framed."""

    def rest(self, direction: Direction) -> bytes:
        return super().rest(direction).strip()


class _Raising(LineSession):
    """Lets an exception of its own out."""

    def replied(self, line: bytes) -> Frame:
        line.decode("ascii")
        return super().replied(line)


class _Hoarding(LineSession):
    """Waits for the end of a line forever."""

    def frames(self, direction: Direction) -> Iterator[Frame]:
        buffer = self.buffers[direction]
        while (end := buffer.find(b"\n") + 1) > 0:
            yield self.framed(direction, bytes(buffer[:end]))


class _Forgetful(LineSession):
    """Leaves a refused request in the queue, and does not expect the answer to ``undo``."""

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        if kind not in self.legal(exchange):
            raise NotLegal(f"{kind} cannot be said here")
        return Refusal(b"broken\n", b"undo\n" if exchange.sent else b"")


class _Unannounced(LineSession):
    """Keeps a reply from the client, and does not say before that there will be edits."""

    def receive(self, direction: Direction, data: bytes) -> Iterator[Frame]:
        yield from super().receive(direction, data)
        self.edits = False


class _Speechless(LineSession):
    """Says something that is no reply."""

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        refusal = super().refuse(exchange, kind, text)
        return Refusal(b"! " + refusal.to_client, refusal.to_backend, refusal.then)


class _Obliging(LineSession):
    """Says whatever it is asked to say, legal or not."""

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        return Refusal(b"broken\n")


class _Eager(LineSession):
    """Reads everything as soon as it comes."""

    def receive(self, direction: Direction, data: bytes) -> Iterator[Frame]:
        return iter(list(super().receive(direction, data)))


class _Unmarked(LineSession):
    """Never says that a message is over, and does not tell what the reply was."""

    def framed(self, direction: Direction, line: bytes) -> Frame:
        frame = super().framed(direction, line)
        if frame.exchange is not None:
            frame.exchange.response = None
        return Frame(line, frame.exchange, last=False)


class BrokenLaws(SynchronousTestCase):
    """Each law can fail: it finds the session that breaks it."""

    def broken(self, session: type[LineSession], law: str) -> None:
        """Assert that `law` fails for the protocol with these sessions."""
        protocol = type("Broken", (Lines,), {"factory": session})()
        case = type("Laws", (LineLaws,), {"protocol": protocol, "__module__": __name__})(law)
        self.assertRaises((self.failureException, UnicodeDecodeError), getattr(case, law))

    def test_right(self) -> None:
        """A session without a fault breaks none of the laws that follow."""
        for law in ("test_any_split", "test_bounded", "test_garbage", "test_refused_before"):
            with self.assertRaises(self.failureException):
                self.broken(LineSession, law)

    def test_any_split(self) -> None:
        """Messages that depend on the chunks are found."""
        self.broken(_Cut, "test_any_split")

    def test_lost(self) -> None:
        """Bytes that get lost are found."""
        self.broken(_Lossy, "test_garbage")
        self.broken(_Eager, "test_abandoned")

    def test_raising(self) -> None:
        """Another exception than FramingError is found."""
        self.broken(_Raising, "test_mutations")

    def test_bounded(self) -> None:
        """A buffer without a bound is found."""
        self.broken(_Hoarding, "test_bounded")

    def test_refused(self) -> None:
        """Refusals that leave the session out of step are found."""
        self.broken(_Forgetful, "test_refused_before")
        self.broken(_Forgetful, "test_refused_between")

    def test_unannounced(self) -> None:
        """A reply that is swallowed, where a link would have sent it on already, is found."""
        self.broken(_Unannounced, "test_refused_between")

    def test_replies(self) -> None:
        """A refusal that no server could say as a reply is found."""
        self.broken(_Speechless, "test_refusals_are_replies")

    def test_not_legal(self) -> None:
        """A refusal where it is not legal is found."""
        self.broken(_Obliging, "test_not_legal")

    def test_frames(self) -> None:
        """Frames without their marks are found."""
        self.broken(_Unmarked, "test_frames")


class Helpers(SynchronousTestCase):
    """Conversations are split, joined and recorded."""

    def test_runs(self) -> None:
        """Neighbouring steps of one direction are one; a FIN stands alone."""
        steps = [(TO_BACKEND, b"a"), (TO_BACKEND, b"b"), (TO_BACKEND, b""), (TO_CLIENT, b"c")]
        self.assertEqual(runs(steps), [(TO_BACKEND, b"ab"), (TO_BACKEND, b""), (TO_CLIENT, b"c")])

    def test_split(self) -> None:
        """The pieces are the same bytes in the same order."""
        steps = [(TO_BACKEND, b"abcde"), (TO_BACKEND, b""), (TO_CLIENT, b"f")]
        pieces = [(TO_BACKEND, b"ab"), (TO_BACKEND, b"cd"), (TO_BACKEND, b"e"), *steps[1:]]
        self.assertEqual(list(split(steps, lambda: 2)), pieces)

    def test_recorder(self) -> None:
        """A recorder keeps each exchange, what is held, and how it ended."""
        recorder = Recorder(LineSession()).play([(TO_BACKEND, b"get a\nge"), (TO_CLIENT, b"!x\nfine\n")])
        self.assertEqual([seen.verb for seen in recorder.seen], ["get", ""])
        self.assertEqual([seen.status for seen in recorder.seen], ["fine", "!x"])
        self.assertEqual([seen.exchange.number for seen in recorder.seen], [1, 1])
        self.assertTrue(recorder.seen[0].exchange.sent)
        self.assertEqual((recorder.held(TO_BACKEND), recorder.held(TO_CLIENT)), (2, 0))
        recorder.feed(TO_CLIENT, b"more\n")
        self.assertEqual(recorder.error, "nobody asked for this")

    def test_refused(self) -> None:
        """What `decide` keeps back is not forwarded, and not marked as sent."""
        recorder = Recorder(LineSession(), lambda session, exchange: exchange.number == 1)
        recorder.feed(TO_BACKEND, b"get a\nget b\n")
        self.assertEqual(bytes(recorder.forwarded[TO_BACKEND]), b"get b\n")
        self.assertEqual([seen.exchange.sent for seen in recorder.seen], [False, True])

    def test_collect(self) -> None:
        """A FIN that is not told of comes at the end, and only then."""
        recorder = collect(LineSession(), CONVERSATIONS["half-closed"])
        self.assertEqual([seen.done for seen in recorder.seen], [{TO_BACKEND, TO_CLIENT}])
