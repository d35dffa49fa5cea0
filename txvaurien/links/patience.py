"""How long a backend may be silent when something is up to it."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txvaurien.model import Exchange, Frame
from txvaurien.net.pipe import Pipe

#: How often, within its limit, a backend is looked at while something is up to it.
LOOKS = 4


class PatienceOwner(Protocol):
    """What the link tells of itself, and what it is told."""

    backend: Pipe | None

    def awaited(self) -> Exchange | None:
        """What the client waits for next; None as long as a reply could not be heard."""

    def give_up(self, exchange: Exchange) -> None:
        """The backend has been silent for too long: answer in its place, and end."""


class Patience:
    """Watches the exchanges of one link that the backend has and has not begun to answer.

    Time counts where the backend has to do the next thing: it has the whole request, or the
    client holds the rest back until it is told to go on, or it does not take what is there to
    be sent. Every sign of life begins it anew: the end of the reply before, an interim reply,
    bytes that are taken. A client that is slow to send or to read costs the backend nothing,
    and a reply that has begun may take as long as it likes.

    :param limit: in seconds.
    """

    def __init__(self, clock: IReactorTime, limit: float, owner: PatienceOwner) -> None:
        self._clock = clock
        self._limit = limit
        self._owner = owner
        self._owed: deque[_Debt] = deque()
        #: When the backend last showed life; None while it is in the middle of a reply.
        self._alive: float | None = clock.seconds()
        #: How much the backend had not taken when it was last looked at.
        self._unsent: int | None = None
        self._call: IDelayedCall | None = None

    def asked(self, frame: Frame) -> None:
        """The backend is given this frame of a request."""
        exchange = frame.exchange
        if exchange is None or not exchange.replies:
            return
        if frame.first:
            self._owed.append(_Debt(exchange))
            if self._call is None:
                self._unsent = None
                self._look_in(self._limit / LOOKS)
        last = self._owed[-1] if self._owed else None
        if last is not None and last.exchange is exchange:
            last.since = self._clock.seconds()
            last.whole = frame.last

    def heard(self, frame: Frame) -> None:
        """The backend says this."""
        self._alive = self._clock.seconds() if frame.last else None
        if frame.first and any(debt.exchange is frame.exchange for debt in self._owed):
            while self._owed.popleft().exchange is not frame.exchange:
                pass

    def moved(self) -> None:
        """Bytes that waited have gone: the backend took them, or can be heard again."""
        if self._alive is not None:
            self._alive = self._clock.seconds()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._owed.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look_in(self, seconds: float) -> None:
        self._call = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._call = None
        if not self._owed:
            return
        self._notice_progress()
        debt, pause = self._due(), self._limit / LOOKS
        if debt is not None and self._alive is not None:
            left = self._limit + max(debt.since, self._alive) - self._clock.seconds()
            if left <= 0:
                self._owner.give_up(debt.exchange)
                return
            pause = min(pause, left)
        self._look_in(pause)

    def _notice_progress(self) -> None:
        """A full buffer says little: see whether the peer's kernel acknowledges what it holds."""
        backend = self._owner.backend
        unsent = 0 if backend is None or backend.lost else backend.unsent()
        if self._unsent not in {None, unsent}:
            self.moved()
        self._unsent = unsent

    def _due(self) -> _Debt | None:
        """What the client waits for, if the backend is the one who has to do something about it."""
        awaited, backend = self._owner.awaited(), self._owner.backend
        for debt in self._owed:
            if debt.exchange is awaited:
                stuck = backend is not None and backend.full
                return debt if debt.whole or debt.exchange.prompt or stuck else None
        return None


class _Debt:
    """An answer that the backend owes, or will."""

    __slots__ = ("exchange", "since", "whole")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        #: When the backend was last given something of the request.
        self.since = 0.0
        #: It has been given all of it.
        self.whole = False
