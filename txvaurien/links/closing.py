"""How a link ends: which side has left, what is passed on, and who is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

from txvaurien.exchange import LiveExchange
from txvaurien.links.lane import End, Lane, Nowhere
from txvaurien.model import Direction, Side, Then
from txvaurien.net.pipe import DRAIN_TIME

if TYPE_CHECKING:
    from txvaurien.link import Link


class Closing:
    """The end of a link. Works on behalf of one `Link`."""

    __slots__ = ("_idle_call", "_linger_call", "_link")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._linger_call: IDelayedCall | None = None
        self._idle_call: IDelayedCall | None = None

    def ended(self, direction: Direction, end: End) -> None:
        """The side that speaks in `direction` will say no more."""
        lane = self._link.lane(direction)
        if lane.over:
            self._ended_late(lane, end)
        if lane.end is not None or lane.over:
            return
        lane.end = end
        side = Side.CLIENT if lane is self._link.to_backend else Side.BACKEND
        self._link.why = self._link.why or f"{side.value} {end.value}"
        if lane is self._link.to_backend and end is End.RST:
            self._client_gone(end)
            return
        self._link.traffic.run(lane)
        if lane is self._link.to_backend:
            self.leave_if_waiting()

    def _ended_late(self, lane: Lane, end: End) -> None:
        """A side ends whose words did not count any more."""
        client = self._link.client
        if self._link.half_open and not self._link.over and lane is self._link.to_backend:
            self.hang_up(end, now=True)
        elif self._link.over and lane is self._link.to_client and (not client or client.lost):
            # What toxics still hold comes from nobody, for nobody.
            self.hang_up(End.FIN, now=True)

    def leave_if_waiting(self) -> None:
        """End the link of a client that has said FIN, if only a hook that a FIN ends is left.

        Nobody can tell whether such a client is still there. Replies to what it
        asked before are still owed to it.
        """
        if (
            self._link.over
            or not self._link.client_left
            or not any(live.leaves_on_fin() for live in self._link.turns.lives)
        ):
            return
        if not self._link.turns.owes_replies():
            self._client_gone(End.FIN)

    def pass_end(self, lane: Lane) -> None:
        """Pass FIN on as FIN, and RST as RST, after what came before it."""
        if lane is self._link.to_client:
            for live in list(self._link.turns.lives):
                live.response_ended(whole=False)
            if self._link.over or self._link.turns.answer_pending():
                lane.waiting = True
                return
        lane.over = True
        if lane.end is End.RST:
            self.hang_up(End.RST, End.RST)
            return
        if lane.sink is not None:
            lane.sink.end()
        elif self._link.refuse_all:
            # It has left without a request that could be refused.
            self.hang_up(End.FIN)
        if (self._link.to_client.over and self._link.to_backend.over) or (
            self._link.backend and self._link.backend.lost
        ):
            self.hang_up(End.FIN)

    def _client_gone(self, end: End) -> None:
        """The client has left: nothing is worth waiting for."""
        self._link.to_backend.over = True
        if self._link.lingering is None:
            self.hang_up(end, end)

    def cut(self, side: Side, then: Then, linger: float, live: LiveExchange) -> None:
        """End the link because a behavior says so (`IExchange.close`, `IExchange.reset`)."""
        if self._link.over or self._link.lingering is not None:
            return
        self._link.why = self._link.why or f"rule {live.activation.key}"
        end = End.RST if then is Then.RESET else End.FIN
        if side is Side.CLIENT and linger > 0 and live.exchange.sent and not live.complete:
            self._linger(live, linger, end)
            return
        live.detach()
        if side is Side.CLIENT:
            self.hang_up(end)
        else:
            self.hang_up(End.FIN, end)

    def _linger(self, live: LiveExchange, seconds: float, end: End) -> None:
        """Cut the client, but keep the backend until it has answered."""
        self._link.lingering = live
        self._linger_call = self._link.clock.callLater(seconds, self.hang_up, End.FIN)
        assert self._link.client is not None
        way_out = self._link.chains.way_out(self._link.to_client, self._link.client)
        (way_out.reset if end is End.RST else way_out.close)()
        self._link.to_backend.over = True
        self._link.to_client.sink = Nowhere()
        if self._link.backend is not None:
            self._link.backend.read_on()
        for each in list(self._link.turns.lives):
            each.response_gone = True
            if each is not live:
                self._link.turns.retire(each)
        self._link.turns.clear()
        self._link.traffic.wake(self._link.to_client)

    def kill(self, how: Then, why: str = "killed", drain: float = DRAIN_TIME) -> None:
        """End both connections at once, whatever hooks and toxics hold.

        :param how: CLOSE for FIN, RESET for RST.
        :param drain: seconds to read on after a FIN.
        """
        self._link.why = self._link.why or why
        end = End.RST if how is Then.RESET else End.FIN
        self.hang_up(end, end, drain, now=True)

    def lose_backend(self) -> None:
        """The backend's side is gone, and the client is not told: what it says goes nowhere."""
        if self._link.over or self._link.half_open:
            return
        if self._link.lingering is not None:
            # There is no client any more who could wait for a backend.
            self.hang_up(End.FIN)
            return
        self._link.half_open = True
        self._stand_still()
        self._link.chains.abandon()
        if self._link.client is not None:
            # What it says goes nowhere, and that there is room for.
            self._link.client.read_on()
        if self._link.backend is not None:
            self._link.backend.close()

    def _stand_still(self) -> None:
        """Neither direction goes on, and nothing is waited for."""
        link = self._link
        link.to_client.flush()
        link.to_backend.flush()
        link.to_backend.over = link.to_client.over = True
        self._stop_calls()
        for live in list(link.turns.lives):
            link.turns.retire(live)
        link.proxy.hang_up(link)

    def hang_up(
        self, client: End, backend: End = End.FIN, drain: float = DRAIN_TIME, now: bool = False
    ) -> None:
        """End both connections; what was written before still goes out.

        :param now: but not what toxics hold.
        """
        link = self._link
        if not link.over:
            link.over = True
            self._stand_still()
        if now:
            link.chains.abandon()
        for (lane, pipe), end in zip(link.ways(), (client, backend), strict=True):
            if pipe is not None:
                way_out = link.chains.way_out(lane, pipe)
                if end is End.RST:
                    way_out.reset()
                else:
                    way_out.close(drain)
        self._check_gone()

    def lost(self, side: Side, end: End) -> None:
        """A connection of the link is gone for good."""
        lane = self._link.to_backend if side is Side.CLIENT else self._link.to_client
        gone = self._link.client if side is Side.CLIENT else self._link.backend
        if gone is not None:
            self._link.chains.abandon(gone)
        if self._link.half_open and side is Side.BACKEND:
            self._check_gone()
            return
        # What the backend said before it went is still to be passed on, then its end.
        on_its_way = lane.end is not None and not lane.over and side is Side.BACKEND
        if not (self._link.over or on_its_way or self._link.lingering is not None):
            self.hang_up(end, end)
        self._check_gone()

    def _check_gone(self) -> None:
        link = self._link
        client, backend = link.client, link.backend
        if not link.over or client is None or not client.lost or (backend is not None and not backend.lost):
            return
        link.to_client.sent, link.to_backend.sent = client.sent, 0 if backend is None else backend.sent
        link.client = link.backend = None
        link.chains.over()
        link.proxy.link_ended(link)

    def watch_idle(self) -> None:
        if self._link.proxy.idle_timeout is not None:
            self._idle_call = self._link.clock.callLater(self._link.proxy.idle_timeout, self._check_idle)

    def _check_idle(self) -> None:
        limit = self._link.proxy.idle_timeout
        assert limit is not None
        left = self._link.last_bytes + limit - self._link.clock.seconds()
        if left > 0:
            self._idle_call = self._link.clock.callLater(left, self._check_idle)
        else:
            self._link.proxy.event("idle", self._link, seconds=limit)
            self._link.why = self._link.why or "idle"
            self.hang_up(End.FIN)

    def _stop_calls(self) -> None:
        for call in (self._linger_call, self._idle_call):
            if call is not None and call.active():
                call.cancel()
        self._link.stop_patience()
