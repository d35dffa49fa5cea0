"""How frames go through a link: from what arrived to what is written.

Each lane feeds the session, asks the plan at the first frame of an exchange,
and writes what may go on; a frame that has to wait makes its lane wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from txvaurien.errors import FramingError
from txvaurien.exchange import LiveExchange
from txvaurien.links.lane import End, Lane
from txvaurien.links.stream import Sink
from txvaurien.model import Cut, Direction, Exchange, Frame, Hook, Then
from txvaurien.net.polled import PolledPipe
from txvaurien.protocols.opaque import OpaqueSession

if TYPE_CHECKING:
    from txvaurien.link import Link

#: How much of the body of a refused request is read and thrown away before the
#: link is closed. More than any server of our protocols takes (Redis: 512 MB).
REFUSED_BODY_LIMIT = 1 << 30

# To look a member of an enumeration up takes longer than to compare it.
_TO_BACKEND = Direction.TO_BACKEND


class Traffic:
    """What happens to frames. Works on behalf of one `Link`."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def take(self, lane: Lane, data: bytes) -> None:
        """Bytes came for a lane."""
        if lane.over or self._link.over:
            return
        lane.bytes += len(data)
        self._link.last_bytes = self._link.clock.seconds()
        if lane.waiting or lane.running:
            lane.keep(data)
        elif lane.sink is not None and self._may_write_first(lane):
            self._write_first(lane, lane.sink, data)
        else:
            lane.inside += len(data)
            lane.frames = iter(lane.session.receive(lane.direction, data))
            self.run(lane)

    def splices_to(self, lane: Lane) -> PolledPipe | None:
        """The connection to which bytes may go without being seen; None if somebody has to see them."""
        sink, session = lane.sink, lane.session
        if (
            isinstance(sink, PolledPipe)
            and isinstance(session, OpaqueSession)
            and session.goes_on(lane.direction)
            and not (lane.waiting or lane.running or lane.over or lane.kept)
            and self._link.proxy.active.idle
            and self._may_write_first(lane)
        ):
            return sink
        return None

    def spliced(self, lane: Lane, count: int) -> None:
        """So many bytes have gone through unseen."""
        lane.bytes += count
        self._link.last_bytes = self._link.clock.seconds()

    def _may_write_first(self, lane: Lane) -> bool:
        link = self._link
        active = link.proxy.active
        if not active.idle and (lane.direction is _TO_BACKEND or not active.asks_clients_only):
            return False
        if link.turns.ours or lane.session.edits or link.patience:
            return False
        # What the session got while there was something to decide goes first.
        return lane.inside == lane.ahead

    def _write_first(self, lane: Lane, sink: Sink, data: bytes) -> None:
        """Nothing can be decided: send, then look at what it was."""
        sink.data(data)
        lane.ahead += len(data)
        lane.inside += len(data)
        try:
            frames = lane.session.receive(lane.direction, data)
            if lane.direction is _TO_BACKEND:
                self._follow_requests(lane, frames)
            else:
                self._follow_replies(lane, frames)
        except FramingError as error:
            self._link.switchover.go_opaque(lane, error)

    # One loop each, with as little in it as can be: this is done for every message of undisturbed links.

    def _follow_requests(self, lane: Lane, frames: Iterable[Frame]) -> None:
        """Count what has been sent already."""
        admit = self._link.turns.admit
        size = 0
        try:
            for frame in frames:
                size += len(frame.raw)
                if frame.first and frame.exchange is not None:
                    admit(frame.exchange)
        finally:
            lane.ahead -= size
            lane.inside -= size

    def _follow_replies(self, lane: Lane, frames: Iterable[Frame]) -> None:
        """See whose turn it is after what has been sent already."""
        turns = self._link.turns
        size = 0
        try:
            for frame in frames:
                size += len(frame.raw)
                exchange = frame.exchange
                if exchange is None:
                    continue
                if frame.first and exchange.request is None:
                    turns.count_unasked(exchange)
                if frame.last:
                    turns.mid_message = False
                    turns.reply_done(exchange)
                else:
                    turns.mid_message = not exchange.open_ended
        finally:
            lane.ahead -= size
            lane.inside -= size

    def run(self, lane: Lane) -> None:
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
            kept = lane.take()
            if lane.sink is not None and self._may_write_first(lane):
                self._write_first(lane, lane.sink, kept)
            else:
                lane.inside += len(kept)
                lane.frames = iter(lane.session.receive(lane.direction, kept))
        elif lane.end is End.FIN and not lane.ending:
            lane.ending = True
            lane.frames = iter(lane.session.finish(lane.direction))
            self._pump(lane)
        elif lane.end is not None:
            self._link.closing.pass_end(lane)
        else:
            return False
        return True

    def _pump(self, lane: Lane) -> None:
        """Handle frame after frame, until there are no more or one has to wait."""
        handle = self._handle_request if lane.direction is _TO_BACKEND else self._handle_reply
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
                lane.inside -= len(frame.raw)
                frame = next(frames, None)
        except FramingError as error:
            lane.flush()
            self._link.switchover.go_opaque(lane, error)
            return
        lane.flush()
        if lane.frames is frames:
            lane.frames = None
            if self._link.opaque and lane.session is not self._link.session:
                self._link.switchover.switch(lane)

    def wake(self, lane: Lane) -> None:
        """What the lane waited for may have come."""
        if lane.waiting and (lane.sink is not None or self._link.refuse_all):
            lane.waiting = False
            self.run(lane)

    def _handle_request(self, lane: Lane, frame: Frame) -> bool:
        """Send a frame to the backend, or do with it what a rule says; false: it has to wait."""
        exchange = frame.exchange
        if exchange is None:
            return True
        if frame.first and exchange is self._link.turns.foretold:
            self._link.turns.admit(exchange)
        elif frame.first and exchange.number == 0:
            self._link.turns.admit(exchange)
            # What has begun to go out unframed cannot be called back.
            if not lane.ahead:
                self._link.turns.choose(exchange)
        live = exchange.live
        if live is not None:
            if self._is_asking(lane, live):
                return False
            live = exchange.live
        if exchange.announces is not None:
            self._foretell(lane, exchange)
        if lane.over:
            return True
        if exchange.answer is not None:
            self._answered_by_session(frame, exchange)
        elif live is not None:
            self._pass_request(lane, frame, live)
        elif self._link.refuse_all:
            self._link.refuse_and_end(exchange, self._link.refuse_all)
        else:
            lane.out.append(lane.pass_by(frame))
            if self._link.patience is not None:
                self._link.patience.asked(frame)
            if frame.secures:
                self._link.switchover.secure(lane)
        return True

    def _is_asking(self, lane: Lane, live: LiveExchange) -> bool:
        """Run the hook before the backend, once; whether it still waits for something.

        A rule that misfires leaves the exchange to those after it.
        """
        asking: LiveExchange | None = live
        while asking is not None and not asking.asked:
            live = asking
            live.asked = True
            if live.wants(Hook.BEFORE):
                live.run(Hook.BEFORE, lambda: self.wake(lane))
            asking = self._link.turns.choose_again(live) if live.missed else None
        return live.busy and live.hook is Hook.BEFORE

    def _foretell(self, lane: Lane, exchange: Exchange) -> None:
        """Decide about what a request announces, while the backend does not expect it yet.

        A hook that waits does not hold the announcement back, only what was announced.
        """
        coming, live = exchange.announces, exchange.live
        if coming is None or coming.number or lane.ahead or (live is not None and live.request_gone):
            return
        self._link.turns.foretold = coming
        coming.number = exchange.number + 1
        self._link.turns.choose(coming)
        if coming.live is not None:
            self._is_asking(lane, coming.live)

    def _answered_by_session(self, frame: Frame, exchange: Exchange) -> None:
        """The session answers this request: no rule has a say in it any more."""
        self._link.turns.answering = True
        if exchange.live is not None:
            self._link.turns.retire(exchange.live)
            exchange.live = None
        if frame.last:
            self._link.turns.flush()

    def _pass_request(self, lane: Lane, frame: Frame, live: LiveExchange) -> None:
        if live.request_gone:
            self._discard(lane, frame)
        elif self._link.refuse_all:
            self._link.refuse_and_end(live.exchange, self._link.refuse_all)
        else:
            live.exchange.sent = True
            self._put(lane, live.edited(live.request_edit, lane.pass_by(frame)))
            if self._link.patience is not None:
                self._link.patience.asked(frame)
            if frame.secures:
                self._link.switchover.secure(lane)
        if lane.over:
            return
        if frame.last:
            lane.flush()
            self._link.turns.request_written(live)
        elif live.request_gone and live.exchange.prompt:
            self._link.turns.flush()

    def _put(self, lane: Lane, data: bytes | Cut) -> None:
        """Send what a hook made of a frame, which may be the last that goes that way."""
        if isinstance(data, bytes):
            lane.out.append(data)
            return
        lane.out.append(data.data)
        end = End.RST if data.then is Then.RESET else End.FIN
        if lane is self._link.to_client:
            self._link.hang_up(end)
        else:
            self._link.hang_up(End.FIN, end)

    def _discard(self, lane: Lane, frame: Frame) -> None:
        """Read and forget the body of a request that the backend does not get."""
        lane.discarded = (0 if frame.first else lane.discarded) + len(frame.raw)
        if lane.discarded > REFUSED_BODY_LIMIT:
            self._link.hang_up(End.FIN)

    def _handle_reply(self, lane: Lane, frame: Frame) -> bool:
        """Send a frame to the client, or do with it what a rule says; false: it has to wait."""
        exchange = frame.exchange
        if exchange is None:
            return True
        if self._link.patience is not None:
            self._link.patience.heard(frame)
        if frame.first and exchange.unasked and exchange.number == 0:
            self._link.turns.count_unasked(exchange)
            if not lane.ahead:
                self._link.turns.choose(exchange)
        live = exchange.live
        dropped = live is not None and live.response_gone
        if frame.first and not dropped and not self._link.turns.is_turn_of(exchange):
            return False
        if frame.first and live is None and not lane.ahead:
            live = self._link.turns.choose_late(exchange)
        if live is not None:
            if not live.began:
                live.response_began()
                self._link.turns.ask_between(live)
                dropped = live.response_gone
            if live.busy and live.hook is Hook.BETWEEN and not dropped:
                return False
        if lane.over:
            return True
        if dropped:
            lane.pass_by(frame)
            self._link.turns.answer_unasked(live)
        else:
            self._pass_reply(lane, frame, live)
        if frame.last and not lane.over:
            lane.flush()
            self._link.turns.reply_done(exchange)
            if frame.secures:
                self._link.switchover.secure(lane, dropped)
            if frame.then is not Then.KEEP and not dropped:
                self._link.hang_up(End.RST if frame.then is Then.RESET else End.FIN)
        return True

    def _pass_reply(self, lane: Lane, frame: Frame, live: LiveExchange | None) -> None:
        data = lane.pass_by(frame)
        if live is None:
            lane.out.append(data)
        else:
            live.passed_on = True
            self._put(lane, live.edited(live.response_edit, data))
        if frame.exchange is not None:
            self._link.turns.mid_message = not frame.last and not frame.exchange.open_ended
