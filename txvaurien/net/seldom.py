"""What is worth a word in the log, but not for every client."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

#: How long nothing more is said, in seconds.
EVERY = 10.0


class Seldom:
    """Whether something may be said again."""

    __slots__ = ("_clock", "_quiet_until")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._quiet_until = 0.0

    def __call__(self) -> bool:
        """True once in `EVERY` seconds; then it is to be said."""
        now = self._clock.seconds()
        if now < self._quiet_until:
            return False
        self._quiet_until = now + EVERY
        return True
