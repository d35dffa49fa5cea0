"""How many backend connections a proxy may have at once, and the queue for them."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class PoolTimeout(Exception):
    """No place came free in time. Says how many are open and waiting."""

    def __init__(self, limit: int, waiting: int, seconds: float) -> None:
        self.limit = limit
        self.waiting = waiting
        self.seconds = seconds
        super().__init__(
            f"no backend connection came free within {seconds:g} s: {limit} are open and"
            f" {waiting} clients wait; raise --pool-max-size, or --pool-timeout"
        )


class Pool:
    """A counted number of places; clients beyond it wait in the order in which they came.

    :param limit: places, None for without limit.
    :param timeout: how long one waits, in seconds.
    """

    def __init__(self, clock: IReactorTime, limit: int | None, timeout: float) -> None:
        self._clock = clock
        self._limit = limit
        self._timeout = timeout
        self._waiting: deque[tuple[Deferred[None], IDelayedCall]] = deque()
        self.open = 0

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def take(self) -> bool:
        """Take a place, if one is free."""
        free = self._limit is None or self.open < self._limit
        self.open += free
        return free

    def acquire(self) -> Deferred[None]:
        """Wait for a place; may be cancelled.

        :raises PoolTimeout: none came free in time (as a failure of the Deferred).
        """
        place: Deferred[None] = Deferred(self._forget)
        if self.take():
            place.callback(None)
        else:
            self._waiting.append((place, self._clock.callLater(self._timeout, self._give_up, place)))
        return place

    def release(self) -> None:
        """Give a place back: to the one who has waited longest, if any."""
        if self._waiting:
            place, call = self._waiting.popleft()
            call.cancel()
            place.callback(None)
        else:
            self.open -= 1

    def _give_up(self, place: Deferred[None]) -> None:
        assert self._limit is not None
        waiting = self.waiting
        self._remove(place)
        place.errback(PoolTimeout(self._limit, waiting, self._timeout))

    def _forget(self, place: Deferred[None]) -> None:
        call = self._remove(place)
        if call is not None:
            call.cancel()

    def _remove(self, place: Deferred[None]) -> IDelayedCall | None:
        for entry in self._waiting:
            if entry[0] is place:
                self._waiting.remove(entry)
                return entry[1]
        return None
