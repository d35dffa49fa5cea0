"""One link: the order of messages, hooks, back-pressure, and how it ends.

A link has two lanes, one for each direction. A lane feeds what arrived to the
session, asks the plan at the first frame of each exchange, and writes what may
go on. While a hook holds a frame back its lane waits: later bytes of that
direction are kept, within a bound, and the other lane goes on.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from txvaurien.errors import FramingError, NotLegal
from txvaurien.exchange import LiveExchange
from txvaurien.interfaces import ILinkControl
from txvaurien.lane import End, Lane, Nowhere
from txvaurien.model import Connect, Cut, Direction, Exchange, Frame, Hook, Side, Then
from txvaurien.patience import Patience
from txvaurien.pipe import DRAIN_TIME, Pipe
from txvaurien.plan import ActivePlan
from txvaurien.protocols.base import Session, WireProtocol
from txvaurien.protocols.opaque import OpaqueSession
from txvaurien.turns import Turns

#: How much of the body of a refused request is read and thrown away before the
#: link is closed. More than any server of our protocols takes (Redis: 512 MB).
REFUSED_BODY_LIMIT = 1 << 30


class ProxySide(Protocol):
    """What a link needs of the proxy that it belongs to."""

    protocol: WireProtocol
    active: ActivePlan
    clock: IReactorTime
    idle_timeout: float | None

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
        #: Every request is refused with this kind: there is no backend.
        self._refuse_all = ""
        self._connect = Exchange(Connect())
        self.lingering: LiveExchange | None = None
        self._linger_call: IDelayedCall | None = None
        self._idle_call: IDelayedCall | None = None
        self._last_bytes = self.opened
        #: Set where the backend may not be silent for as long as it likes.
        self._patience: Patience | None = None
        if self.protocol.answer_timeout:
            self._patience = Patience(self.clock, self.protocol.answer_timeout, self._give_up)
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
        self.wake(self.to_backend)

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
            self._refuse_all = kind
            self.wake(self.to_backend)
        else:
            self._say_and_end(refusal.to_client, refusal.then)

    def _say_and_end(self, data: bytes, then: Then) -> None:
        assert self.client is not None
        self.client.data(data)
        self.hang_up(End.RST if then is Then.RESET else End.FIN)

    # Bytes.

    def received(self, direction: Direction, data: bytes) -> None:
        """Bytes came from the client (TO_BACKEND) or from the backend (TO_CLIENT)."""
        lane = self.to_backend if direction is Direction.TO_BACKEND else self.to_client
        if lane.over or self.over:
            return
        lane.bytes += len(data)
        self._last_bytes = self.clock.seconds()
        if lane.waiting or lane.running:
            lane.keep(data)
        elif lane.sink is not None and self._may_write_first(lane):
            self._write_first(lane, lane.sink, data)
        else:
            lane.frames = iter(lane.session.receive(direction, data))
            self._run(lane)

    def _may_write_first(self, lane: Lane) -> bool:
        return self.proxy.active.idle and not (self.turns.lives or lane.session.edits or self._patience)

    def _write_first(self, lane: Lane, sink: Pipe | Nowhere, data: bytes) -> None:
        """Nothing can be decided: send, then look at what it was."""
        sink.data(data)
        lane.ahead += len(data)
        follow = self._follow_request if lane.direction is Direction.TO_BACKEND else self._follow_reply
        try:
            for frame in lane.session.receive(lane.direction, data):
                lane.ahead -= len(frame.raw)
                if frame.exchange is not None:
                    follow(frame, frame.exchange)
        except FramingError as error:
            self._go_opaque(lane, error)

    def _follow_request(self, frame: Frame, exchange: Exchange) -> None:
        if frame.first:
            self.turns.admit(exchange)

    def _follow_reply(self, frame: Frame, exchange: Exchange) -> None:
        if frame.first and exchange.unasked:
            self.turns.count_unasked(exchange)
        self.turns.mid_message = not frame.last and not exchange.open_ended
        if frame.last:
            self.turns.reply_done(exchange)

    def ended(self, direction: Direction, end: End) -> None:
        """The side that speaks in `direction` will say no more."""
        lane = self.to_backend if direction is Direction.TO_BACKEND else self.to_client
        if lane.end is not None or lane.over:
            return
        lane.end = end
        if lane is self.to_backend and (end is End.RST or self._leaves_on_fin()):
            self._client_gone(end)
        else:
            self._run(lane)

    def _leaves_on_fin(self) -> bool:
        return any(live.leaves_on_fin() for live in self.turns.lives)

    def _run(self, lane: Lane) -> None:
        """Handle everything that can be handled now."""
        if lane.running:
            return
        lane.running = True
        try:
            while self._step(lane):
                pass
        finally:
            lane.running = False

    def _step(self, lane: Lane) -> bool:
        """Handle what the session has, or feed it more; false if there is nothing to do."""
        if lane.waiting or lane.over:
            return False
        if lane.frames is not None:
            self._pump(lane)
        elif lane.kept:
            lane.frames = iter(lane.session.receive(lane.direction, lane.take()))
        elif lane.end is End.FIN and not lane.ending:
            lane.ending = True
            lane.frames = iter(lane.session.finish(lane.direction))
        elif lane.end is not None:
            self._pass_end(lane)
        else:
            return False
        return True

    def _pump(self, lane: Lane) -> None:
        """Handle frame after frame, until there are no more or one has to wait."""
        handle = self._handle_request if lane.direction is Direction.TO_BACKEND else self._handle_reply
        assert lane.frames is not None
        frames = lane.frames
        try:
            frame = lane.held or next(frames, None)
            while frame is not None and not lane.over:
                lane.held = None
                if not handle(lane, frame):
                    lane.held = frame
                    lane.waiting = True
                    lane.flush()
                    return
                frame = next(frames, None)
        except FramingError as error:
            lane.flush()
            self._go_opaque(lane, error)
            return
        lane.flush()
        if lane.frames is frames:
            lane.frames = None
            if self.opaque and lane.session is not self.session:
                self._switch(lane)

    def wake(self, lane: Lane) -> None:
        """What the lane waited for may have come."""
        if lane.waiting and (lane.sink is not None or self._refuse_all):
            lane.waiting = False
            self._run(lane)

    # Requests.

    def _handle_request(self, lane: Lane, frame: Frame) -> bool:
        """Send a frame to the backend, or do with it what a rule says; false: it has to wait."""
        exchange = frame.exchange
        if exchange is None:
            return True
        if frame.first and exchange is self.turns.foretold:
            self.turns.admit(exchange)
        elif frame.first and exchange.number == 0:
            self.turns.admit(exchange)
            # What has begun to go out unframed cannot be called back.
            if not lane.ahead:
                self.turns.choose(exchange)
        live = exchange.live
        if live is not None and self._is_asking(lane, live):
            return False
        if exchange.announces is not None:
            self._foretell(lane, exchange)
        if lane.over:
            return True
        if exchange.answer is not None:
            self._answered_by_session(frame, exchange)
        elif live is not None:
            self._pass_request(lane, frame, live)
        elif self._refuse_all:
            self._refuse_and_end(exchange, self._refuse_all)
        else:
            lane.out.append(lane.pass_by(frame))
            if self._patience is not None:
                self._patience.asked(frame)
        return True

    def _is_asking(self, lane: Lane, live: LiveExchange) -> bool:
        """Run the hook before the backend, once; whether it still waits for something."""
        if not live.asked:
            live.asked = True
            if live.wants(Hook.BEFORE):
                live.run(Hook.BEFORE, lambda: self.wake(lane))
        return live.busy and live.hook is Hook.BEFORE

    def _foretell(self, lane: Lane, exchange: Exchange) -> None:
        """Decide about what a request announces, while the backend does not expect it yet.

        A hook that waits does not hold the announcement back, only what was announced.
        """
        coming, live = exchange.announces, exchange.live
        if coming is None or coming.number or lane.ahead or (live is not None and live.request_gone):
            return
        self.turns.foretold = coming
        coming.number = exchange.number + 1
        self.turns.choose(coming)
        if coming.live is not None:
            self._is_asking(lane, coming.live)

    def _answered_by_session(self, frame: Frame, exchange: Exchange) -> None:
        """The session answers this request: no rule has a say in it any more."""
        if exchange.live is not None:
            self.turns.retire(exchange.live)
            exchange.live = None
        if frame.last:
            self.turns.flush()

    def _pass_request(self, lane: Lane, frame: Frame, live: LiveExchange) -> None:
        if live.request_gone:
            self._discard(lane, frame)
        elif self._refuse_all:
            self._refuse_and_end(live.exchange, self._refuse_all)
        else:
            live.exchange.sent = True
            self._put(lane, live.edited(live.request_edit, lane.pass_by(frame)))
            if self._patience is not None:
                self._patience.asked(frame)
        if lane.over:
            return
        if frame.last:
            lane.flush()
            self.turns.request_written(live)
        elif live.request_gone and live.exchange.prompt:
            self.turns.flush()

    def _put(self, lane: Lane, data: bytes | Cut) -> None:
        """Send what a hook made of a frame, which may be the last that goes that way."""
        if isinstance(data, bytes):
            lane.out.append(data)
            return
        lane.out.append(data.data)
        end = End.RST if data.then is Then.RESET else End.FIN
        if lane is self.to_client:
            self.hang_up(end)
        else:
            self.hang_up(End.FIN, end)

    def _discard(self, lane: Lane, frame: Frame) -> None:
        """Read and forget the body of a request that the backend does not get."""
        lane.discarded = (0 if frame.first else lane.discarded) + len(frame.raw)
        if lane.discarded > REFUSED_BODY_LIMIT:
            self.hang_up(End.FIN)

    def _give_up(self, exchange: Exchange) -> None:
        """The backend has owed an answer for too long."""
        if self.turns.queue and self.turns.queue[0] is exchange:
            self.proxy.event("silent", self, exchange=exchange.number, seconds=self.protocol.answer_timeout)
            exchange.sent = self.session.closing = True
            self._refuse_and_end(exchange, self.protocol.silent_kind)

    def _refuse_and_end(self, exchange: Exchange, kind: str) -> None:
        self.turns.queue.clear()
        try:
            refusal = self.session.refuse(exchange, kind)
        except NotLegal:
            self.hang_up(End.RST)
        else:
            self._say_and_end(refusal.to_client, refusal.then)

    # Replies.

    def _handle_reply(self, lane: Lane, frame: Frame) -> bool:
        """Send a frame to the client, or do with it what a rule says; false: it has to wait."""
        exchange = frame.exchange
        if exchange is None:
            return True
        if self._patience is not None:
            self._patience.heard(frame)
        if frame.first and exchange.unasked and exchange.number == 0:
            self.turns.count_unasked(exchange)
            if not lane.ahead:
                self.turns.choose(exchange)
        live = exchange.live
        dropped = live is not None and live.response_gone
        if frame.first and not dropped and not self.turns.is_turn_of(exchange):
            return False
        if live is not None:
            if not live.began:
                live.response_began()
                self.turns.ask_between(live)
                dropped = live.response_gone
            if live.busy and live.hook is Hook.BETWEEN and not dropped:
                return False
        if lane.over:
            return True
        if dropped:
            lane.pass_by(frame)
            self.turns.answer_unasked(live)
        else:
            self._pass_reply(lane, frame, live)
        if frame.last and not lane.over:
            lane.flush()
            self.turns.reply_done(exchange)
            if frame.then is not Then.KEEP and not dropped:
                self.hang_up(End.RST if frame.then is Then.RESET else End.FIN)
        return True

    def _pass_reply(self, lane: Lane, frame: Frame, live: LiveExchange | None) -> None:
        data = lane.pass_by(frame)
        if live is None:
            lane.out.append(data)
        else:
            live.passed_on = True
            self._put(lane, live.edited(live.response_edit, data))
        if frame.exchange is not None:
            self.turns.mid_message = not frame.last and not frame.exchange.open_ended

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
            self.clock.callLater(0, self.wake, self.to_client)

    def misfired(self, live: LiveExchange, why: str) -> None:
        """The rule did not fire after all."""
        self.proxy.event("misfired", self, rule=live.activation.key, exchange=live.number, why=why)

    # Opaque.

    def _go_opaque(self, lane: Lane, error: FramingError) -> None:
        """The stream cannot be followed: from here on bytes flow as those of tcp."""
        self.opaque = str(error) or "the stream is not of this protocol"
        self.session = OpaqueSession()
        self.proxy.event("opaque", self, direction=lane.direction.value, why=self.opaque)
        self._stop_patience()
        self.turns.forget_replies()
        self._switch(lane)
        other = self.to_client if lane is self.to_backend else self.to_backend
        if other.frames is None and not other.running:
            self._switch(other)
        self.wake(other)

    def _switch(self, lane: Lane) -> None:
        """Give what the old session held, and all that comes, to the opaque one."""
        rest = lane.session.rest(lane.direction)[lane.ahead :]
        lane.ahead = 0
        lane.session = self.session
        lane.held = None
        lane.frames = iter(self.session.receive(lane.direction, rest))
        self._run(lane)

    # The end.

    def _pass_end(self, lane: Lane) -> None:
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
        self.wake(self.to_client)

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
        left = self._last_bytes + limit - self.clock.seconds()
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
        self._stop_patience()

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
