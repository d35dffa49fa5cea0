"""What the hooks of one exchange wait for: time, and the reply."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Waits:
    """The sleepers of an exchange, and who waits for its reply."""

    __slots__ = ("_clock", "_ends", "_sleepers", "_starts")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._sleepers: dict[Deferred[bool], tuple[IDelayedCall | None, bool]] = {}
        #: Who waits for the beginning of the reply, and for its end.
        self._starts: list[Deferred[bool]] = []
        self._ends: list[Deferred[bool]] = []

    def sleep(self, seconds: float | None, leaves: bool) -> Deferred[bool]:
        """Fires with True when the time is up, with False when `wake_all` comes before.

        :param leaves: the client's FIN ends it.
        """
        sleeper: Deferred[bool] = Deferred(self._cancelled)
        call = None
        if seconds is not None:
            call = self._clock.callLater(seconds, self._wake, sleeper, True)
        self._sleepers[sleeper] = (call, leaves)
        return sleeper

    @property
    def leaves_on_fin(self) -> bool:
        """Whether somebody sleeps in a way that the client's FIN ends."""
        return any(leaves for _, leaves in self._sleepers.values())

    def wake_all(self) -> None:
        """Nobody sleeps any longer."""
        while self._sleepers:
            # One that wakes may cancel others.
            sleeper, (call, _) = next(iter(self._sleepers.items()))
            if call is not None:
                call.cancel()
            self._wake(sleeper, False)

    def for_start(self) -> Deferred[bool]:
        """Fires when the reply begins to come; with False if none will."""
        return _waiting(self._starts)

    def for_end(self) -> Deferred[bool]:
        """Fires when the whole reply has come; with False if it was cut short."""
        return _waiting(self._ends)

    def started(self, value: bool = True) -> None:
        """The reply begins."""
        _fire(self._starts, value)

    def ended(self, value: bool = True) -> None:
        """The reply is over."""
        _fire(self._ends, value)

    def _wake(self, sleeper: Deferred[bool], in_full: bool) -> None:
        del self._sleepers[sleeper]
        sleeper.callback(in_full)

    def _cancelled(self, sleeper: Deferred[bool]) -> None:
        call, _ = self._sleepers.pop(sleeper)
        if call is not None:
            call.cancel()


def already(value: bool) -> Deferred[bool]:
    """What has come before anybody waited for it."""
    done: Deferred[bool] = Deferred()
    done.callback(value)
    return done


def _waiting(waiters: list[Deferred[bool]]) -> Deferred[bool]:
    waiter: Deferred[bool] = Deferred(waiters.remove)
    waiters.append(waiter)
    return waiter


def _fire(waiters: list[Deferred[bool]], value: bool) -> None:
    while waiters:
        waiters.pop().callback(value)
