"""What is noted of one proxy while traffic flows: connects always, exchanges if somebody asked for it."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
    TimeoutError,
)

from txvaurien.links.traffic import Traffic
from txvaurien.links.turns import Turns
from txvaurien.metrics.classes import Classes
from txvaurien.metrics.exchanges import MeteredTraffic, MeteredTurns
from txvaurien.metrics.figures import BOUNDS, Noted, Spread
from txvaurien.net.pool import PoolTimeout

if TYPE_CHECKING:
    from txvaurien.link import Link
    from txvaurien.model import Message
    from txvaurien.protocols.base import WireProtocol

#: How many pairs of a verb and a status, as they came, are remembered with their count.
_MOST_PAIRS = 4096

#: The classes of status that no protocol has: a fault answered; nobody did, or without a status.
BY_PROXY, NOBODY = "proxy", "none"

_REASONS = (
    ((ConnectionRefusedError,), "refused"),
    ((TimeoutError, TCPTimedOutError), "timeout"),
    ((DNSLookupError,), "dns"),
    ((PoolTimeout,), "pool"),
)


class Meter:
    """What one proxy notes.

    :param exchanges: note every exchange, too.
    """

    __slots__ = (
        "_backend",
        "_classes",
        "_connects",
        "_counts",
        "_errors",
        "_pairs",
        "_proxy",
        "exchanges",
        "late",
    )

    def __init__(self, protocol: WireProtocol, *, exchanges: bool = False) -> None:
        self.exchanges = exchanges
        self._connects = Spread()
        self._errors: dict[str, int] = {}
        self._classes = Classes(protocol)
        #: By what is shown; and by what came, of which there may be any number.
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._pairs: dict[tuple[str, str], list[int]] = {}
        self._backend = Spread()
        #: Only of exchanges that were held at all.
        self._proxy = Spread()
        #: Exchanges whose reply has begun to come, and is held.
        self.late = 0

    def parts(self, link: Link) -> tuple[Turns, Traffic]:
        """The parts of a link that see its exchanges."""
        if not self.exchanges:
            return Turns(link), Traffic(link)
        turns = MeteredTurns(link, self)
        return turns, MeteredTraffic(link, turns)

    def over(self, link: Link) -> None:
        """A link has ended."""
        if isinstance(link.turns, MeteredTurns):
            link.turns.over()

    # Connects.

    def connected(self, seconds: float) -> None:
        """A link has got its backend, after so long."""
        _note(self._connects, seconds)

    def unreachable(self, error: BaseException | None) -> None:
        """A link gets no backend."""
        if isinstance(error, (CancelledError, ConnectingCancelledError)):
            return
        reason = next((name for errors, name in _REASONS if isinstance(error, errors)), "other")
        self._errors[reason] = self._errors.get(reason, 0) + 1

    # Exchanges.

    def answered(self, message: Message, status: str, seconds: float | None) -> None:
        """The backend's reply begins to come.

        :param message: whose verb counts.
        :param seconds: since the request went out; None for what nobody asked for.
        """
        key = (message.verb, status)
        count = self._pairs.get(key)
        if count is None:
            count = self._count_of(message, key)
        count[0] += 1
        if seconds is not None:
            # Written out, because it is done for each exchange.
            spread, place = self._backend, bisect_left(BOUNDS, seconds)
            spread.counts[place] += 1
            spread.sums[place] += seconds

    def unanswered(self, message: Message) -> None:
        """Nobody answers this request, or is meant to."""
        self._folded((self._classes.verb(message), NOBODY))[0] += 1

    def answered_by_proxy(self, message: Message, seconds: float) -> None:
        """It was answered in the backend's place, so long after it came."""
        self._folded((self._classes.verb(message), BY_PROXY))[0] += 1
        _note(self._proxy, seconds)

    def held(self, seconds: float) -> None:
        """So long an exchange was held by us."""
        _note(self._proxy, seconds)

    def _count_of(self, message: Message, key: tuple[str, str]) -> list[int]:
        count = self._folded((self._classes.verb(message), self._classes.status(key[1])))
        if len(self._pairs) < _MOST_PAIRS:
            self._pairs[key] = count
        return count

    def _folded(self, shown: tuple[str, str]) -> list[int]:
        return self._counts.setdefault(shown, [0])

    def noted(self) -> Noted:
        """All of that, as it is now."""
        answers: dict[str, dict[str, int]] = {}
        for (verb, status), count in self._counts.items():
            answers.setdefault(verb, {})[status] = count[0]
        held = self._held_or_not(answers)
        return Noted(self._connects.copy(), dict(self._errors), answers, self._backend.copy(), held)

    def _held_or_not(self, answers: dict[str, dict[str, int]]) -> Spread:
        """With those that were not held, of which nothing was noted."""
        spread = self._proxy.copy()
        by_proxy = sum(each.get(BY_PROXY, 0) for each in answers.values())
        spread.counts[0] += self._backend.count + by_proxy - spread.count - self.late
        return spread


def _note(spread: Spread, seconds: float) -> None:
    place = bisect_left(BOUNDS, seconds)
    spread.counts[place] += 1
    spread.sums[place] += seconds
