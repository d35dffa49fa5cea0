"""The session of one link: bytes to frames, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from txvaurien.errors import FramingError
from txvaurien.model import Direction, Exchange, Frame, Refusal
from txvaurien.protocols.base import Session
from txvaurien.protocols.redis import refusing
from txvaurien.protocols.redis.asking import SPECIAL, Asking
from txvaurien.protocols.redis.heads import first_word
from txvaurien.protocols.redis.messages import Reply, Request
from txvaurien.protocols.redis.replies import Replies
from txvaurien.protocols.redis.resp import HEAD_LIMIT, Requests
from txvaurien.protocols.redis.runs import RUN_LIMIT, commands, replies

#: What a reply begins with that may need a second look: a push, an attribute.
_NOT_JUST_REPLIES = frozenset(b">|")


class RedisSession(Session):
    """RESP2 and RESP3, as redis-server and its clients speak them."""

    def __init__(self) -> None:
        self._requests = Requests()
        self._replies = Replies()
        self._asking = Asking()
        self._matcher = self._asking.matcher

    def receive(self, direction: Direction, data: bytes) -> Iterator[Frame]:
        if direction is Direction.TO_CLIENT:
            self._replies.push(data)
            return self._heard()
        self._requests.push(data)
        self._matcher.spoken = True
        return self._said()

    def rest(self, direction: Direction) -> bytes:
        return (self._replies if direction is Direction.TO_CLIENT else self._requests).rest()

    def finish(self, direction: Direction) -> Iterator[Frame]:
        """What is held is half a message, and the other half will never come."""
        if direction is Direction.TO_CLIENT:
            piece = self._replies.last_piece()
            if piece is not None:
                yield from self._reply_frames(*piece)
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

    def _said(self) -> Iterator[Frame]:
        reader, asking, pending = self._requests, self._asking, self._matcher.pending
        while True:
            if asking.undecided is not None:
                self._settle()
            if reader.fresh and asking.plain:
                for raw in commands(reader.data, reader.start, reader.start + RUN_LIMIT):
                    if not raw:
                        break
                    reader.at = reader.start = reader.start + len(raw)
                    exchange = Exchange(Request(raw))
                    pending.append(exchange)
                    yield Frame(raw, exchange)
                    if not asking.plain:
                        break
            if reader.start >= len(reader.data):
                reader.forget()
                return
            try:
                complete = reader.scan()
            except FramingError:
                for piece in reader.before_error():
                    yield self._request_frame(*piece)
                raise
            held = reader.piece(complete)
            if held is None:
                return
            yield self._request_frame(*held)

    def _request_frame(self, raw: bytes, first: bool, last: bool) -> Frame:
        return self._asking.ask(raw, last) if first else Frame(raw, self._asking.latest, False, last)

    def _settle(self) -> None:
        self._asking.settle()
        self.edits = self._asking.edits

    # Replies.

    def _heard(self) -> Iterator[Frame]:
        reader, matcher, pending = self._replies, self._matcher, self._matcher.pending
        while reader.start < len(reader.data):
            if reader.fresh:
                for raw in replies(reader.data, reader.start, reader.start + RUN_LIMIT):
                    if not raw:
                        break
                    reader.at = reader.start = reader.start + len(raw)
                    exchange = pending[0] if pending else None
                    if type(exchange) is Exchange and matcher.calm:
                        pending.popleft()
                        exchange.response = Reply(raw)
                        yield Frame(raw, exchange)
                        continue
                    yield from self._reply_frames(raw, True, True)
                    if not reader.fresh:
                        # It has been put back, to be matched with what comes next.
                        break
                if reader.start >= len(reader.data):
                    break
            try:
                complete = reader.scan()
            except FramingError:
                for piece in reader.before_error():
                    yield from self._reply_frames(*piece)
                raise
            held = reader.piece(complete)
            if held is None:
                return
            yield from self._reply_frames(*held)
        reader.forget()

    def _reply_frames(self, raw: bytes, first: bool, last: bool) -> Iterator[Frame]:
        if not first:
            yield self._matcher.more(raw, last)
            return
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
        yield frame
