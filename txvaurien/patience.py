"""How long a backend may be silent when it owes an answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txvaurien.model import Exchange, Frame


class Patience:
    """Watches the exchanges of one link that the backend has and has not begun to answer.

    Time counts from the moment when the backend has the whole request and has answered
    the ones before it. A reply that has begun may take as long as it likes.

    :param limit: in seconds.
    :param give_up: called with the exchange whose time is over; returns whether that was the end.
    """

    def __init__(self, clock: IReactorTime, limit: float, give_up: Callable[[Exchange], bool]) -> None:
        self._clock = clock
        self._limit = limit
        self._give_up = give_up
        self._owed: deque[tuple[Exchange, float]] = deque()
        #: When the backend was last done with a reply; None while it is in the middle of one.
        self._free_since: float | None = clock.seconds()
        self._call: IDelayedCall | None = None

    def asked(self, frame: Frame) -> None:
        """The backend is given this frame of a request."""
        exchange = frame.exchange
        if not frame.last or exchange is None or not exchange.replies or exchange.response is not None:
            return
        self._owed.append((exchange, self._clock.seconds()))
        if self._call is None:
            self._call = self._clock.callLater(self._limit, self._check)

    def heard(self, frame: Frame) -> None:
        """The backend says this."""
        self._free_since = self._clock.seconds() if frame.last else None
        if frame.first and any(exchange is frame.exchange for exchange, _ in self._owed):
            while self._owed.popleft()[0] is not frame.exchange:
                pass

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._owed.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _check(self) -> None:
        self._call = None
        if not self._owed:
            return
        exchange, since = self._owed[0]
        now = self._clock.seconds()
        left = self._limit
        if self._free_since is not None:
            left += max(since, self._free_since) - now
        if left > 0:
            self._call = self._clock.callLater(left, self._check)
            return
        # Where something before it is still held back it is watched on: its turn will come.
        if self._give_up(exchange) and self._owed:
            self._owed.popleft()
        if self._owed:
            self._call = self._clock.callLater(self._limit, self._check)
