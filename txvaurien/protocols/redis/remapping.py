"""A session that replaces the addresses which servers announce, around the one that frames.

Only replies to commands that ask for addresses, events of sentinels, and errors are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.logger import Logger

from txvaurien.model import Direction, Exchange, Frame, Refusal
from txvaurien.protocols.base import Session
from txvaurien.protocols.redis.announced import (
    Announced,
    Look,
    event,
    is_event,
    look_into,
    look_of,
    redirection,
)
from txvaurien.protocols.redis.asking import Queued, is_exec
from txvaurien.protocols.redis.forecast import Transaction
from txvaurien.protocols.redis.messages import Request, Unasked
from txvaurien.protocols.redis.remap import Remap
from txvaurien.protocols.redis.session import RedisSession
from txvaurien.protocols.redis.values import NotRead

log = Logger()

#: So much of a reply with addresses is held back until it is complete. That is room for the slots
#: of some 5000 nodes; to read it takes a tenth of a second.
REPLY_LIMIT = 1 << 20

_TO_CLIENT = Direction.TO_CLIENT
_ERROR = 45
_QUEUED = b"+QUEUED\r\n"
_MESSAGES = frozenset({"MESSAGE", "PMESSAGE"})


class RemappingSession(Session):
    """What `RedisSession` frames, with other addresses."""

    #: A redirection may be the answer to any command.
    edits = True

    def __init__(self, table: Remap) -> None:
        self.inner = RedisSession()
        self._table = table
        # The reply that is held back, how much of it there is, and how to look for addresses in it.
        self._held: list[bytes] = []
        self._size = 0
        self._look: Look | None = None
        # The transaction that is being answered: how many commands are queued, and which are looked at.
        self._transaction: Transaction | None = None
        self._queued = 0
        self._looks: dict[int, Look] = {}

    def receive(self, direction: Direction, data: bytes) -> Iterable[Frame]:
        frames = self.inner.receive(direction, data)
        return map(self._remapped, frames) if direction is _TO_CLIENT else frames

    def finish(self, direction: Direction) -> Iterable[Frame]:
        frames = self.inner.finish(direction)
        return map(self._remapped, frames) if direction is _TO_CLIENT else frames

    def rest(self, direction: Direction) -> bytes:
        rest = self.inner.rest(direction)
        # What is held back was yielded, but nothing to be sent on for it.
        return b"".join([*self._held, rest]) if direction is _TO_CLIENT else rest

    def legal(self, exchange: Exchange) -> Sequence[str]:
        return self.inner.legal(exchange)

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        return self.inner.refuse(exchange, kind, text)

    def withdraw(self, exchange: Exchange) -> bytes | None:
        return self.inner.withdraw(exchange)

    def _remapped(self, frame: Frame) -> Frame:
        exchange = frame.exchange
        if exchange is None or frame.forward is not frame.raw:
            return frame
        if not frame.first:
            if self._look is not None:
                self._more(frame, self._look)
        elif not frame.raw:
            # It ends a request that is not answered.
            return frame
        elif isinstance(exchange.request, Request):
            self._answer(frame, exchange.request)
        elif frame.last and isinstance(exchange.response, Unasked):
            self._unasked(frame, exchange.response)
        return frame

    def _answer(self, frame: Frame, request: Request) -> None:
        """The first frame of a reply, most often the only one."""
        raw = frame.raw
        self._look = None
        if raw[0] == _ERROR:
            frame.edited = redirection(raw, self._table, self.backend)
            return
        look = look_of(request)
        if isinstance(request, Queued):
            look = self._look_in_transaction(look, request, raw)
        if look is None:
            return
        if frame.last:
            frame.edited = self._edited(raw, look)
        else:
            self._look = look
            self._size = 0
            self._more(frame, look)

    def _look_in_transaction(self, look: Look | None, request: Queued, raw: bytes) -> Look | None:
        """How to look into the reply to a command behind MULTI. That it is queued is noted for EXEC."""
        if request.transaction is not self._transaction:
            self._transaction, self._queued, self._looks = request.transaction, 0, {}
        if raw == _QUEUED:
            if look is not None:
                self._looks[self._queued] = look
            self._queued += 1
            return None
        if is_exec(request):
            return look_into(self._looks) if self._looks else None
        # It is carried out at once, or MULTI was refused.
        return look

    def _more(self, frame: Frame, look: Look) -> None:
        """Hold back a frame of a large reply until that is complete."""
        self._held.append(frame.raw)
        self._size += len(frame.raw)
        frame.edited = b""
        if self._size > REPLY_LIMIT:
            log.warn(
                "redis: a reply with addresses has more than {limit} bytes: it is passed on as it is",
                limit=REPLY_LIMIT,
            )
            frame.edited = self._let_go()
        elif frame.last:
            frame.edited = self._edited(self._let_go(), look)

    def _let_go(self) -> bytes:
        held = b"".join(self._held)
        self._held = []
        self._look = None
        return held

    def _unasked(self, frame: Frame, message: Unasked) -> None:
        if message.verb in _MESSAGES and is_event(message.target or ""):
            frame.edited = self._edited(frame.raw, event)

    def _edited(self, raw: bytes, look: Look) -> bytes:
        try:
            return Announced(raw, self._table, self.backend).edited(look)
        except NotRead:
            return raw
