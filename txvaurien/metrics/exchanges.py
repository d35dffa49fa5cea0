"""How a link notes its exchanges: the same turns and the same traffic, with a look at the clock.

Links without ``--metrics`` do not have these, so that to note nothing costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from txvaurien.links.lane import Lane
from txvaurien.links.traffic import Traffic
from txvaurien.links.turns import Turns
from txvaurien.model import Exchange, Frame

if TYPE_CHECKING:
    from txvaurien.exchange import LiveExchange
    from txvaurien.link import Link
    from txvaurien.metrics.meter import Meter


class MeteredTurns(Turns):
    """Turns that note when a request came, and who answered it when."""

    __slots__ = ("_asked", "_held", "_late", "_meter", "_seconds", "_since")

    def __init__(self, link: Link, meter: Meter) -> None:
        super().__init__(link)
        self._meter = meter
        self._seconds = link.clock.seconds
        #: When the requests came, or went on to the backend, that have no reply yet.
        self._asked: dict[Exchange, float] = {}
        #: Since when requests and replies are held; how long those were that have gone on.
        self._since: dict[Exchange, float] = {}
        self._held: dict[Exchange, float] = {}
        #: Those whose reply is counted already, and held.
        self._late: set[Exchange] = set()

    def admit(self, exchange: Exchange) -> None:
        super().admit(exchange)
        if exchange.replies:
            self._asked[exchange] = self._seconds()
        else:
            self._meter.unanswered(exchange.message)

    def began(self, exchange: Exchange) -> bool:
        """The first byte of a reply is here; said again if it had to wait.

        :return: whether it is the first reply of the backend to a request.
        """
        asked = self._asked.pop(exchange, None)
        request, response = exchange.request, exchange.response
        if asked is not None and request is not None:
            status = response.status if response is not None else ""
            self._meter.answered(request, status, self._seconds() - asked)
            return True
        if request is None and response is not None and exchange not in self._since:
            self._meter.answered(response, response.status, None)
        return False

    @property
    def holds(self) -> bool:
        """Whether anything waits."""
        return bool(self._since)

    def hold(self, exchange: Exchange, *, counted: bool = False) -> None:
        """Something of it has to wait; said again as often as it is tried.

        :param counted: it is a reply that has just been counted.
        """
        self._since.setdefault(exchange, self._seconds())
        if counted:
            self._late.add(exchange)
            self._meter.late += 1

    def let_go(self, exchange: Exchange) -> None:
        """What had to wait goes on."""
        since = self._since.pop(exchange, None)
        if since is not None:
            self._held[exchange] = self._held.get(exchange, 0.0) + self._seconds() - since

    def sent(self, exchange: Exchange) -> None:
        """A part of the request that is not its first, or had to wait, has gone on to the backend."""
        self.let_go(exchange)
        if exchange in self._asked:
            self._asked[exchange] = self._seconds()

    def passed(self, exchange: Exchange, *, counted: bool) -> None:
        """The beginning of the reply has gone on to the client."""
        if not (self._since or self._held):
            return
        self.let_go(exchange)
        held = self._held.pop(exchange, 0.0)
        if exchange in self._late:
            self._late.remove(exchange)
            self._meter.late -= 1
            counted = True
        if counted:
            self._meter.held(held)

    def answer(self, live: LiveExchange) -> None:
        # First: the answer may end the link.
        self._answered_here(live.exchange, said=live.answer is not None)
        super().answer(live)

    def _next(self) -> Exchange:
        exchange = super()._next()
        if exchange.answer is not None:
            self._answered_here(exchange, said=True)
        return exchange

    def _answered_here(self, exchange: Exchange, *, said: bool) -> None:
        self.let_go(exchange)
        asked, held = self._asked.pop(exchange, None), self._held.pop(exchange, 0.0)
        if asked is None:
            return
        if said:
            self._meter.answered_by_proxy(exchange.message, held + self._seconds() - asked)
        else:
            self._meter.unanswered(exchange.message)

    def over(self) -> None:
        """The link is gone: nobody answers what is left."""
        for exchange in self._asked:
            self._meter.unanswered(exchange.message)
        for exchange in list(self._late):
            self.passed(exchange, counted=True)
        for left in (self._asked, self._since, self._held):
            left.clear()


class MeteredTraffic(Traffic):
    """Traffic that tells the turns when a reply begins to come."""

    __slots__ = ("_turns",)

    def __init__(self, link: Link, turns: MeteredTurns) -> None:
        super().__init__(link)
        self._turns = turns

    def _follow_requests(self, lane: Lane, frames: Iterable[Frame]) -> None:
        super()._follow_requests(lane, self._requests(frames))

    def _requests(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if frame.exchange is not None and not frame.first:
                self._turns.sent(frame.exchange)
            yield frame

    def _follow_replies(self, lane: Lane, frames: Iterable[Frame]) -> None:
        super()._follow_replies(lane, self._replies(frames))

    def _replies(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if frame.exchange is not None and frame.first:
                self._turns.began(frame.exchange)
            yield frame

    def _handle_request(self, lane: Lane, frame: Frame) -> bool:
        handled = super()._handle_request(lane, frame)
        exchange = frame.exchange
        if exchange is not None:
            if not handled:
                self._turns.hold(exchange)
            elif self._turns.holds or not frame.first:
                self._turns.sent(exchange)
        return handled

    def _handle_reply(self, lane: Lane, frame: Frame) -> bool:
        exchange = frame.exchange
        if exchange is None or not frame.first:
            return super()._handle_reply(lane, frame)
        counted = self._turns.began(exchange)
        handled = super()._handle_reply(lane, frame)
        if handled:
            self._turns.passed(exchange, counted=counted)
        else:
            self._turns.hold(exchange, counted=counted)
        return handled
