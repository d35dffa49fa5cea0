"""One delayed call that can be set, moved and stopped."""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: A time that does not come.
NEVER = math.inf


class Alarm:
    """Calls `ring` at a time, once.

    :ivar due: the time that it is set to, or was set to last, in seconds of the clock.
    """

    __slots__ = ("_call", "_clock", "_ring", "_rung", "due")

    def __init__(self, clock: IReactorTime, ring: Callable[[], object]) -> None:
        self._clock = clock
        self._ring = ring
        self._call: IDelayedCall | None = None
        self._rung = -NEVER
        self.due = NEVER

    def now(self) -> float:
        """The time. Never before that at which it rang last.

        Adding and subtracting seconds rounds, and a call may come a hair before the time
        that it was asked for: who waited for that time would wait for nothing again and again.
        """
        return max(self._clock.seconds(), self._rung)

    def set(self, due: float) -> None:
        """Ring at `due` and at no other time; for `NEVER` not at all."""
        if self._call is not None:
            if due == self.due:
                return
            self.stop()
        self.due = due
        if due != NEVER:
            self._call = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._rings)

    def stop(self) -> None:
        """Do not ring."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _rings(self) -> None:
        self._call = None
        self._rung = self.due
        self._ring()
