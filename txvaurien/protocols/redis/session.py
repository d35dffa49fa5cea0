"""The session of one link: bytes to frames, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from txvaurien.errors import FramingError
from txvaurien.model import Direction, Exchange, Frame, Refusal
from txvaurien.protocols.base import Session
from txvaurien.protocols.redis import refusing
from txvaurien.protocols.redis.asking import SPECIAL, Asking
from txvaurien.protocols.redis.heads import first_word
from txvaurien.protocols.redis.messages import Reply, Request
from txvaurien.protocols.redis.replies import Replies
from txvaurien.protocols.redis.resp import Requests
from txvaurien.protocols.redis.runs import RUN_LIMIT, commands, replies

# Looking a member up costs more than the comparison.
_TO_CLIENT = Direction.TO_CLIENT

_NONE: Sequence[bytes] = ()

#: What a reply begins with that may need a second look: a push, an attribute.
_NOT_JUST_REPLIES = frozenset(b">|")


class RedisSession(Session):
    """RESP2 and RESP3, as redis-server and its clients speak them."""

    def __init__(self) -> None:
        self._requests = Requests()
        self._replies = Replies()
        self._asking = Asking()
        self._matcher = self._asking.matcher

    def receive(self, direction: Direction, data: bytes) -> Iterable[Frame]:
        return self._from_backend(data) if direction is _TO_CLIENT else self._from_client(data)

    def rest(self, direction: Direction) -> bytes:
        return (self._replies if direction is Direction.TO_CLIENT else self._requests).rest()

    def finish(self, direction: Direction) -> Iterator[Frame]:
        """What is held is half a message, and the other half will never come."""
        if direction is Direction.TO_CLIENT:
            piece = self._replies.last_piece()
            if piece is not None:
                yield self._reply_frame(*piece)
            return
        self._settle()
        piece = self._requests.last_piece()
        if piece is not None:
            raw, first, _ = piece
            # The server drops half a command without a word.
            exchange = Exchange(Request(raw), replies=False) if first else self._asking.latest
            yield Frame(raw, exchange, first)

    def legal(self, exchange: Exchange) -> Sequence[str]:
        return refusing.legal(self._asking, exchange)

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        refusal = refusing.refuse(self._asking, exchange, kind, text)
        self.edits = self._asking.edits
        return refusal

    def withdraw(self, exchange: Exchange) -> bytes | None:
        told = refusing.withdraw(self._asking, exchange)
        self.edits = self._asking.edits
        return told or None

    # Requests.

    def _from_client(self, data: bytes) -> Iterable[Frame]:
        reader, asking, run = self._requests, self._asking, _NONE
        self._matcher.spoken = True
        if reader.idle and asking.plain and asking.undecided is None:
            run = commands(data, 0, RUN_LIMIT)
            if len(run) == 1 and run[0]:
                # A single command, as most reads have it, needs no reader.
                return (self._plain(data),)
        reader.push(data)
        return self._said(run)

    def _said(self, run: Sequence[bytes]) -> Iterator[Frame]:
        """The frames of all that has come, of which `run` is the beginning."""
        reader, asking, pending = self._requests, self._asking, self._matcher.pending
        self._settle()
        while True:
            for raw in run:
                if not (raw and asking.plain):
                    break
                reader.at = reader.start = reader.start + len(raw)
                exchange = Exchange(Request(raw))
                pending.append(exchange)
                yield Frame(raw, exchange)
            if reader.start >= len(reader.data):
                reader.forget()
                return
            try:
                piece = reader.piece(reader.scan())
            except FramingError:
                for each in reader.before_error():
                    yield self._request_frame(*each)
                raise
            if piece is None:
                return
            yield self._request_frame(*piece)
            self._settle()
            at, plain = reader.start, reader.fresh and asking.plain
            run = commands(reader.data, at, at + RUN_LIMIT) if plain else _NONE

    def _plain(self, raw: bytes) -> Frame:
        """The frame of a command that is just a command."""
        exchange = Exchange(Request(raw))
        self._matcher.pending.append(exchange)
        return Frame(raw, exchange)

    def _request_frame(self, raw: bytes, first: bool, last: bool) -> Frame:
        if not first:
            return Frame(raw, self._asking.latest, False, last)
        if last and self._asking.plain and first_word(raw) not in SPECIAL:
            return self._plain(raw)
        return self._asking.ask(raw, last)

    def _settle(self) -> None:
        if self._asking.undecided is not None:
            self._asking.settle()
            self.edits = self._asking.edits

    # Replies.

    def _from_backend(self, data: bytes) -> Iterable[Frame]:
        reader, run = self._replies, _NONE
        if reader.idle:
            run = replies(data, 0, RUN_LIMIT)
            frame = self._answer(data) if len(run) == 1 and run[0] else None
            if frame is not None:
                return (frame,)
        reader.push(data)
        return self._heard(run)

    def _heard(self, run: Sequence[bytes]) -> Iterator[Frame]:
        """The frames of all that has come, of which `run` is the beginning."""
        reader, matcher, pending = self._replies, self._matcher, self._matcher.pending
        while True:
            for raw in run:
                if not (raw and reader.fresh):
                    break
                reader.at = reader.start = reader.start + len(raw)
                exchange = pending[0] if pending else None
                if type(exchange) is Exchange and matcher.calm:
                    pending.popleft()
                    exchange.response = Reply(raw)
                    yield Frame(raw, exchange)
                else:
                    # This may put it back, to be matched with what is awaited next.
                    yield self._reply_frame(raw, True, True)
            if reader.start >= len(reader.data):
                reader.forget()
                return
            try:
                piece = reader.piece(reader.scan())
            except FramingError:
                for each in reader.before_error():
                    yield self._reply_frame(*each)
                raise
            if piece is None:
                return
            yield self._reply_frame(*piece)
            run = replies(reader.data, reader.start, reader.start + RUN_LIMIT) if reader.fresh else _NONE

    def _answer(self, raw: bytes) -> Frame | None:
        """The frame of a reply that is no push, if it answers a command that is just a command."""
        pending = self._matcher.pending
        exchange = pending[0] if pending else None
        if type(exchange) is not Exchange or not self._matcher.calm:
            return None
        pending.popleft()
        exchange.response = Reply(raw)
        return Frame(raw, exchange)

    def _reply_frame(self, raw: bytes, first: bool, last: bool) -> Frame:
        if not first:
            return self._matcher.more(raw, last)
        answer = self._answer(raw) if last and raw[0] not in _NOT_JUST_REPLIES else None
        if answer is not None:
            return answer
        try:
            frame = self._matcher.match(raw, last)
        except FramingError:
            self._replies.unread(len(raw))
            raise
        if not frame.raw:
            # It is for a request that is not answered; the reply is still to be matched.
            self._replies.unread(len(raw))
        self._asking.review()
        self.edits = self._asking.edits
        return frame
