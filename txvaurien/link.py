"""One link: how it begins, what it says by itself, and how it ends.

A link has two lanes, one for each direction (`txvaurien.lane`). How frames go
through them is in `txvaurien.traffic`, the order of exchanges in `txvaurien.turns`.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from txvaurien.errors import NotLegal
from txvaurien.exchange import LiveExchange
from txvaurien.interfaces import ILinkControl
from txvaurien.lane import End, Lane, Nowhere
from txvaurien.model import Connect, Direction, Exchange, Hook, Side, Then
from txvaurien.patience import Patience
from txvaurien.pipe import DRAIN_TIME, Pipe
from txvaurien.plan import ActivePlan
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.traffic import Traffic
from txvaurien.turns import Turns


class ProxySide(Protocol):
    """What a link needs of the proxy that it belongs to."""

    protocol: WireProtocol
    active: ActivePlan
    clock: IReactorTime
    idle_timeout: float | None
    #: A link whose stream cannot be followed is closed rather than passed through unread.
    close_on_desync: bool

    def dial(self, link: Link) -> None:
        """Connect to the backend, then call `backend_connected` or `backend_failed`."""

    def hang_up(self, link: Link) -> None:
        """Stop dialling for this link."""

    def link_ended(self, link: Link) -> None:
        """Both connections of the link are gone."""

    def event(self, name: str, link: Link, **fields: Any) -> None:
        """Something happened that the journal tells of."""


@implementer(ILinkControl)
class Link:
    """One client connection with its backend connection.

    The transport side calls `begin`, `received`, `ended` and `lost`; behaviors
    act through the `LiveExchange` of each exchange on which a rule fired.
    """

    def __init__(self, proxy: ProxySide, number: int, client_address: str) -> None:
        self.proxy = proxy
        self.protocol = proxy.protocol
        self.clock = proxy.clock
        self.number = number
        self.client_address = client_address
        self.session: Session = proxy.protocol.session()
        self.client: Pipe | None = None
        self.backend: Pipe | None = None
        self.to_backend = Lane(Direction.TO_BACKEND, self.session)
        self.to_client = Lane(Direction.TO_CLIENT, self.session)
        self.opened = proxy.clock.seconds()
        self.opaque = ""
        self.turns = Turns(self)
        self.traffic = Traffic(self)
        #: Called with a direction and the bytes that came from its source.
        self.received = self.traffic.received
        #: Every request is refused with this kind: there is no backend.
        self.refuse_all = ""
        self._connect = Exchange(Connect())
        self.lingering: LiveExchange | None = None
        self._linger_call: IDelayedCall | None = None
        self._idle_call: IDelayedCall | None = None
        self.last_bytes = self.opened
        #: Set where the backend may not be silent for as long as it likes.
        self.patience: Patience | None = None
        if self.protocol.answer_timeout:
            self.patience = Patience(self.clock, self.protocol.answer_timeout, self._give_up)
        self.over = False

    # The client comes; the backend is dialled.

    def begin(self, client: Pipe) -> None:
        """A client has connected."""
        self.client = client
        self.to_backend.source = client
        self.to_backend.waiting = True
        self.to_client.sink = client
        self.proxy.event("link-opened", self, client=self.client_address)
        self._watch_idle()
        verdict = self.proxy.active.verdict(self.number, self._connect, self.turns.tallies)
        if verdict is None:
            self.proxy.dial(self)
            return
        live = self.turns.bring_to_life(self._connect, verdict)
        if live.run(Hook.CONNECT, lambda: self._connect_decided(live)):
            self._connect_decided(live)

    def _connect_decided(self, live: LiveExchange) -> None:
        self.turns.retire(live)
        if self.over:
            return
        if live.answer is None or self.client is None:
            self.proxy.dial(self)
        else:
            self._say_and_end(live.answer, live.answer_then)

    def backend_connected(self, backend: Pipe) -> None:
        """The backend has taken the connection."""
        if self.over:
            backend.close()
            return
        self.backend = backend
        self.to_backend.sink = backend
        self.to_client.source = backend
        self.traffic.wake(self.to_backend)

    def backend_failed(self, why: str, kind: str) -> None:
        """There will be no backend.

        :param why: for the journal.
        :param kind: what the protocol says for it; ``""`` for a reset.
        """
        self.proxy.event("backend-refused", self, why=why)
        if self.over:
            return
        if not kind:
            self.hang_up(End.RST)
            return
        self.session.closing = True
        try:
            refusal = self.session.refuse(self._connect, kind)
        except NotLegal:
            # It can be said only in answer to a request: wait for the first.
            self.refuse_all = kind
            self.traffic.wake(self.to_backend)
        else:
            self._say_and_end(refusal.to_client, refusal.then)

    def _say_and_end(self, data: bytes, then: Then) -> None:
        assert self.client is not None
        self.client.data(data)
        self.hang_up(End.RST if then is Then.RESET else End.FIN)

    def ended(self, direction: Direction, end: End) -> None:
        """The side that speaks in `direction` will say no more."""
        lane = self.to_backend if direction is Direction.TO_BACKEND else self.to_client
        if lane.end is not None or lane.over:
            return
        lane.end = end
        if lane is self.to_backend and end is End.RST:
            self._client_gone(end)
            return
        self.traffic.run(lane)
        if lane is self.to_backend:
            self.leave_if_waiting()

    @property
    def client_left(self) -> bool:
        """Whether the client has said FIN."""
        return self.to_backend.end is not None

    def leave_if_waiting(self) -> None:
        """End the link of a client that has said FIN, if only a hook that a FIN ends is left.

        Nobody can tell whether such a client is still there. Replies to what it
        asked before are still owed to it.
        """
        if self.over or not self.client_left or not any(live.leaves_on_fin() for live in self.turns.lives):
            return
        if not self.turns.owes_replies():
            self._client_gone(End.FIN)

    def _give_up(self, exchange: Exchange) -> bool:
        """The backend has owed an answer for too long; false if the client waits for another one first."""
        if not self.turns.queue or self.turns.queue[0] is not exchange:
            return False
        self.proxy.event("silent", self, exchange=exchange.number, seconds=self.protocol.answer_timeout)
        exchange.sent = self.session.closing = True
        self.refuse_and_end(exchange, self.protocol.silent_kind)
        return True

    def refuse_and_end(self, exchange: Exchange, kind: str) -> None:
        """Answer a request with this kind of error, and serve no other."""
        self.turns.queue.clear()
        try:
            refusal = self.session.refuse(exchange, kind)
        except NotLegal:
            self.hang_up(End.RST)
        else:
            self._say_and_end(refusal.to_client, refusal.then)

    # Answers that the proxy makes itself.

    def say(self, data: bytes, then: Then) -> None:
        """Send what no backend said, after what is on its way, and do `then`."""
        if self.client is None:
            return
        self.to_client.flush()
        if data:
            self.client.data(data)
            if self.client.full:
                self.client.pause("answers")
        if then is not Then.KEEP:
            self.hang_up(End.RST if then is Then.RESET else End.FIN)

    @property
    def exchanges(self) -> int:
        """How many requests the client has sent."""
        return self.turns.exchanges

    def tell_backend(self, data: bytes) -> None:
        """Send bytes to the backend that no client said, after what was said before."""
        self.to_backend.flush()
        if self.to_backend.sink is not None:
            self.to_backend.sink.data(data)

    def changed(self, live: LiveExchange) -> None:
        """A hook decided something; if it waits now, this may let others go on."""
        if live.busy:
            # Not at once: the hook is in the middle of a step.
            self.clock.callLater(0, self.traffic.wake, self.to_client)

    def misfired(self, live: LiveExchange, why: str) -> None:
        """The rule did not fire after all."""
        self.proxy.event("misfired", self, rule=live.activation.key, exchange=live.number, why=why)

    def broke(self, live: LiveExchange, why: str) -> None:
        """The behavior raised an exception; the exchange goes on."""
        self.proxy.event("broken", self, rule=live.activation.key, exchange=live.number, why=why)

    # The end.

    def pass_end(self, lane: Lane) -> None:
        """Pass FIN on as FIN, and RST as RST, after what came before it."""
        if lane is self.to_client:
            for live in list(self.turns.lives):
                live.response_ended(whole=False)
            if self.over or self.turns.answer_pending():
                lane.waiting = True
                return
        lane.over = True
        if lane.end is End.RST:
            self.hang_up(End.RST, End.RST)
            return
        if lane.sink is not None:
            lane.sink.end()
        elif self.refuse_all:
            # It has left without a request that could be refused.
            self.hang_up(End.FIN)
        if (self.to_client.over and self.to_backend.over) or (self.backend and self.backend.lost):
            self.hang_up(End.FIN)

    def _client_gone(self, end: End) -> None:
        """The client has left: nothing is worth waiting for."""
        self.to_backend.over = True
        if self.lingering is None:
            self.hang_up(end, end)

    def cut(self, side: Side, then: Then, linger: float, live: LiveExchange) -> None:
        """End the link because a behavior says so (`IExchange.close`, `IExchange.reset`)."""
        if self.over or self.lingering is not None:
            return
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
        self.lingering = live
        self._linger_call = self.clock.callLater(seconds, self.hang_up, End.FIN)
        assert self.client is not None
        (self.client.reset if end is End.RST else self.client.close)()
        self.to_backend.over = True
        self.to_client.sink = Nowhere()
        for each in list(self.turns.lives):
            each.response_gone = True
            if each is not live:
                self.turns.retire(each)
        self.turns.queue.clear()
        self.traffic.wake(self.to_client)

    def close(self, drain: float = DRAIN_TIME) -> None:
        """End the link with FIN on both sides."""
        self.hang_up(End.FIN, drain=drain)

    def reset(self) -> None:
        """End the link with RST to the client and FIN to the backend."""
        self.hang_up(End.RST)

    def hang_up(self, client: End, backend: End = End.FIN, drain: float = DRAIN_TIME) -> None:
        """End both connections; what was written before still goes out."""
        if not self.over:
            self.over = True
            self.to_client.flush()
            self.to_backend.flush()
            self.to_backend.over = self.to_client.over = True
            self._stop_calls()
            for live in list(self.turns.lives):
                self.turns.retire(live)
            self.proxy.hang_up(self)
        for pipe, end in ((self.client, client), (self.backend, backend)):
            if pipe is not None:
                if end is End.RST:
                    pipe.reset()
                else:
                    pipe.close(drain)
        self._check_gone()

    def lost(self, side: Side, end: End) -> None:
        """A connection of the link is gone for good."""
        lane = self.to_backend if side is Side.CLIENT else self.to_client
        # What the backend said before it went is still to be passed on, then its end.
        on_its_way = lane.end is not None and not lane.over and side is Side.BACKEND
        if not (self.over or on_its_way or self.lingering is not None):
            self.hang_up(end, end)
        self._check_gone()

    def _check_gone(self) -> None:
        gone = all(pipe is None or pipe.lost for pipe in (self.client, self.backend))
        if gone and self.over and self.client is not None:
            self.client = self.backend = None
            self.proxy.link_ended(self)

    # Pipes.

    def pipe_full(self, pipe: Pipe) -> None:
        """One side takes no more for now: stop reading the other."""
        other = self.backend if pipe is self.client else self.client
        if other is not None:
            other.pause("full")

    def pipe_room(self, pipe: Pipe) -> None:
        """There is room again."""
        other = self.backend if pipe is self.client else self.client
        if other is not None:
            other.resume("full")
        pipe.resume("answers")
        if pipe is self.client:
            self.turns.flush()

    def pipe_broken(self, pipe: Pipe) -> None:
        """The peer of this pipe has reset the connection."""
        self.hang_up(End.RST, End.RST)

    # Time.

    def _watch_idle(self) -> None:
        if self.proxy.idle_timeout is not None:
            self._idle_call = self.clock.callLater(self.proxy.idle_timeout, self._check_idle)

    def _check_idle(self) -> None:
        limit = self.proxy.idle_timeout
        assert limit is not None
        left = self.last_bytes + limit - self.clock.seconds()
        if left > 0:
            self._idle_call = self.clock.callLater(left, self._check_idle)
        else:
            self.proxy.event("idle", self, seconds=limit)
            self.close()

    def _stop_calls(self) -> None:
        calls: list[IDelayedCall | None] = [self._linger_call, self._idle_call]
        for call in calls:
            if call is not None and call.active():
                call.cancel()
        self.stop_patience()

    def stop_patience(self) -> None:
        """The backend may be silent from now on."""
        if self.patience is not None:
            self.patience.stop()
            self.patience = None
