"""One link: how it begins, what it says by itself, and how it ends.

A link has two lanes, one for each direction (`txvaurien.links.lane`). How frames go
through them is in `txvaurien.links.traffic`, the order of exchanges in `txvaurien.links.turns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from zope.interface import implementer

from txvaurien.errors import NotLegal
from txvaurien.exchange import LiveExchange
from txvaurien.interfaces import ILinkControl
from txvaurien.links.chains import Chains
from txvaurien.links.closing import Closing
from txvaurien.links.lane import End, Lane
from txvaurien.links.patience import Patience
from txvaurien.links.proxyside import ProxySide
from txvaurien.links.switchover import Switchover
from txvaurien.links.traffic import Traffic
from txvaurien.links.turns import Turns
from txvaurien.model import Connect, Direction, Exchange, Hook, Side, Then
from txvaurien.net.peers import HostPort, ip_of
from txvaurien.net.pipe import DRAIN_TIME, Pipe
from txvaurien.protocols.base import Session
from txvaurien.rules import Activation, Address, label_of


@implementer(ILinkControl)
class Link:
    """One client connection with its backend connection.

    The transport side calls `begin`, `received`, and what `txvaurien.net.pipeowner.PipeOwner` says;
    behaviors act through the `LiveExchange` of each exchange on which a rule fired.
    """

    __slots__ = (
        "_client_ip",
        "_connect",
        "backend",
        "chains",
        "client",
        "client_address",
        "clock",
        "closing",
        "half_open",
        "last_bytes",
        "lingering",
        "number",
        "opaque",
        "opened",
        "over",
        "patience",
        "protocol",
        "proxy",
        "refuse_all",
        "server",
        "session",
        "spoiled",
        "switchover",
        "to_backend",
        "to_client",
        "traffic",
        "turns",
        "why",
    )

    def __init__(self, proxy: ProxySide, number: int, client_address: str) -> None:
        self.proxy = proxy
        self.protocol = proxy.protocol
        self.clock = proxy.clock
        self.number = number
        self.client_address = client_address
        #: The address and the port that the client has connected to, where somebody is told of it.
        self.server: HostPort | None = None
        #: False until somebody asks for it.
        self._client_ip: Address | Literal[False] | None = False
        self.session: Session = self.protocol.session()
        self.client: Pipe | None = None
        self.backend: Pipe | None = None
        self.to_backend = Lane(Direction.TO_BACKEND, self.session)
        self.to_client = Lane(Direction.TO_CLIENT, self.session)
        self.opened = self.last_bytes = self.clock.seconds()
        self.opaque = ""
        meter = proxy.meter
        self.turns, self.traffic = (Turns(self), Traffic(self)) if meter is None else meter.parts(self)
        self.chains = Chains(self)
        self.closing = Closing(self)
        self.switchover = Switchover(self)
        #: Every request is refused with this kind: there is no backend.
        self.refuse_all = ""
        #: What `on_connect` sees; None before and after.
        self._connect: Exchange | None = None
        self.lingering: LiveExchange | None = None
        #: Set where the backend may not be silent for as long as it likes.
        self.patience: Patience | None = None
        if self.protocol.answer_timeout:
            self.patience = Patience(self.clock, self.protocol.answer_timeout, self)
        #: How the TLS handshake with the client is to fail, and by which rule.
        self.spoiled: tuple[str, Activation] | None = None
        self.over = False
        #: The backend's side is gone, and the client is not told.
        self.half_open = False
        #: How it ended, in words for the journal.
        self.why = ""

    @property
    def client_ip(self) -> Address | None:
        """The client's address; None for one that has none."""
        if self._client_ip is False:
            self._client_ip = ip_of(self.client_address)
        return self._client_ip

    @property
    def age(self) -> float:
        """Seconds since the client came."""
        return self.clock.seconds() - self.opened

    # The client comes; the backend is dialled.

    def begin(self, client: Pipe) -> None:
        """A client has connected."""
        self.client = client
        self.to_backend.source = client
        self.to_backend.waiting = True
        self.to_client.sink = client
        self.proxy.event("link-opened", self, client=self.client_address)
        # Whoever was told may have ended the link, or put it under toxics.
        if not self.over and self.to_client.sink is client:
            self.to_client.sink = self.chains.sink(self.to_client, client)
        if self.over:
            return
        self.closing.watch_idle()
        if self.proxy.active.idle:
            self.switchover.begin()
            return
        self._connect = Exchange(Connect())
        verdict = self.proxy.active.verdict(self, self._connect, self.turns.tallies)
        if verdict is None:
            self.switchover.begin()
            return
        live = self.turns.bring_to_life(self._connect, verdict)
        if live.run(Hook.CONNECT, lambda: self._connect_decided(live)):
            self._connect_decided(live)

    def _connect_decided(self, live: LiveExchange) -> None:
        self.turns.retire(live)
        if self.over:
            return
        if live.answer is None or self.client is None:
            self.switchover.begin()
            return
        self.switchover.begin(dial=False)
        self._say_and_end(live.answer, live.answer_then)

    def fail_handshake(self, kind: str, rule: Activation) -> None:
        """Have the TLS handshake with the client fail (`IExchange.fail_handshake`)."""
        self.switchover.spoil(kind, rule)

    def backend_connected(self, backend: Pipe) -> None:
        """The backend has taken the connection."""
        if self.over:
            backend.close()
            return
        self.backend = backend
        self._connect = None
        self.to_backend.sink = self.chains.sink(self.to_backend, backend)
        self.to_client.source = backend
        self.traffic.wake(self.to_backend)

    def backend_failed(self, why: str, kind: str) -> None:
        """There will be no backend.

        :param why: for the journal.
        :param kind: what the protocol says for it; ``""`` for a reset.
        """
        if self.half_open:
            return
        self.proxy.event("backend-refused", self, why=why)
        self.why = self.why or "backend refused"
        if self.over:
            return
        if not kind:
            self.hang_up(End.RST)
            return
        self.session.closing = True
        try:
            refusal = self.session.refuse(self._connect or Exchange(Connect()), kind)
        except NotLegal:
            # It can be said only in answer to a request: wait for the first.
            self.refuse_all = kind
            self.traffic.wake(self.to_backend)
        else:
            self._say_and_end(refusal.to_client, refusal.then)

    def _say_and_end(self, data: bytes, then: Then) -> None:
        assert self.to_client.sink is not None
        self.to_client.sink.data(data)
        self.hang_up(End.RST if then is Then.RESET else End.FIN)

    @property
    def client_left(self) -> bool:
        """Whether the client has said FIN."""
        return self.to_backend.end is not None

    def leave_if_waiting(self) -> None:
        """End the link of a client that has said FIN, if only a hook that a FIN ends is left."""
        self.closing.leave_if_waiting()

    def received(self, direction: Direction, data: bytes) -> None:
        """Bytes came from the client (TO_BACKEND) or from the backend (TO_CLIENT)."""
        self.traffic.take(self.lane(direction), data)

    def hang_up(
        self, client: End, backend: End = End.FIN, drain: float = DRAIN_TIME, now: bool = False
    ) -> None:
        """End both connections (`Closing.hang_up`)."""
        self.closing.hang_up(client, backend, drain, now)

    def kill(self, how: Then, why: str = "killed", drain: float = DRAIN_TIME) -> None:
        """End both connections at once (`Closing.kill`)."""
        self.closing.kill(how, why, drain)

    def lose_backend(self) -> None:
        """The backend's side is gone, and the client is not told."""
        self.closing.lose_backend()

    def cut(self, side: Side, then: Then, linger: float, live: LiveExchange) -> None:
        """End the link because a behavior says so."""
        self.closing.cut(side, then, linger, live)

    def close(self) -> None:
        """End the link with FIN on both sides."""
        self.hang_up(End.FIN)

    def reset(self) -> None:
        """End the link with RST to the client and FIN to the backend."""
        self.hang_up(End.RST)

    def awaited(self) -> Exchange | None:
        """What the client waits for next; None as long as a reply to it could not be heard."""
        sink = self.to_client.sink
        deaf = self.to_client.waiting or sink is None or sink.full
        first = None if deaf else self.turns.first
        return None if first and first.live and first.live.response_gone else first

    def give_up(self, exchange: Exchange) -> None:
        """The backend has been silent for too long: answer in its place, and end."""
        self.proxy.event("silent", self, exchange=exchange.number, seconds=self.protocol.answer_timeout)
        self.why = self.why or "silent"
        exchange.sent = self.session.closing = True
        self.refuse_and_end(exchange, self.protocol.silent_kind)

    def refuse_and_end(self, exchange: Exchange, kind: str) -> None:
        """Answer a request with this kind of error, and serve no other."""
        self.turns.clear()
        try:
            refusal = self.session.refuse(exchange, kind)
        except NotLegal:
            self.hang_up(End.RST)
        else:
            self._say_and_end(refusal.to_client, refusal.then)

    # Answers that the proxy makes itself.

    def say(self, data: bytes, then: Then) -> None:
        """Send what no backend said, after what is on its way, and do `then`."""
        if self.client is None or self.to_client.sink is None:
            return
        self.to_client.flush()
        if data:
            self.to_client.sink.data(data)
            if self.to_client.sink.full:
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

    def fired(self, live: LiveExchange) -> None:
        """A rule has done, or begun, the first thing."""
        self.proxy.fired(self, live)

    def acted(self, live: LiveExchange, did: Sequence[str]) -> None:
        """It has done more."""
        self._tell("acted", live, did=did)

    def misfired(self, live: LiveExchange, why: str, told: bool) -> None:
        """The rule did not fire after all."""
        if live.activation.tally.misfired == 1:
            self.proxy.warn_of_misfire(live.activation, why)
        self._tell("misfired", live, why=why, told=told)

    def broke(self, live: LiveExchange, why: str) -> None:
        """The behavior raised an exception; the exchange goes on."""
        self._tell("broken", live, why=why)

    def _tell(self, event: str, live: LiveExchange, **fields: Any) -> None:
        self.proxy.event(event, self, rule=live.activation.key, exchange=label_of(live.exchange), **fields)

    def ways(self) -> tuple[tuple[Lane, Pipe | None], tuple[Lane, Pipe | None]]:
        """Each lane, with the connection that it writes to."""
        return (self.to_client, self.client), (self.to_backend, self.backend)

    def lane(self, direction: Direction) -> Lane:
        """The lane of a direction."""
        return self.to_backend if direction is Direction.TO_BACKEND else self.to_client

    def source_of(self, direction: Direction) -> Pipe | None:
        """The connection that a direction comes from."""
        return self.client if direction is Direction.TO_BACKEND else self.backend

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
        if self.patience is not None:
            self.patience.moved()
        self.chains.room(pipe)
        if pipe is self.client:
            self.answers_may_flow()

    def answers_may_flow(self) -> None:
        """The client takes more again."""
        sink = self.to_client.sink
        if self.client is not None and sink is not None and not sink.full:
            if self.patience is not None:
                self.patience.moved()
            self.client.resume("answers")
            self.turns.flush()

    def pipe_broken(self, pipe: Pipe) -> None:
        """The peer of this pipe has reset the connection."""
        self.hang_up(End.RST, End.RST)

    def pipe_finished(self, pipe: Pipe) -> None:
        """The peer of this pipe said FIN."""
        pipe.fin_received()
        self._ended(pipe, self._direction_from(pipe), End.RST if pipe.broken else End.FIN)

    def _ended(self, pipe: Pipe, direction: Direction, end: End) -> None:
        """The peer of this pipe will say no more."""
        if direction is Direction.TO_CLIENT and not self.to_client.bytes:
            self.proxy.heard_nothing(self, pipe)
        self.closing.ended(direction, end)

    def pipe_hung_up(self, pipe: Pipe) -> bool:
        """Its peer has reset the connection, and nothing is read: whether that is the end.

        Nobody waits for anything when the client is gone. What the backend said before is still
        to be read, and then the reset.
        """
        return pipe is self.client

    def pipe_lost(self, pipe: Pipe, reset: bool) -> None:
        """The connection is gone: by a reset, unless it was us who ended it."""
        direction, asked_for = self._direction_from(pipe), pipe.closing
        pipe.connection_lost()
        if direction is Direction.TO_CLIENT:
            self.proxy.backend_lost(self)
        end = End.RST if reset or pipe.broken else End.FIN
        if not asked_for:
            self._ended(pipe, direction, end)
        self.closing.lost(Side.CLIENT if direction is Direction.TO_BACKEND else Side.BACKEND, end)

    def _direction_from(self, pipe: Pipe) -> Direction:
        return Direction.TO_BACKEND if pipe is self.client else Direction.TO_CLIENT

    def stop_patience(self) -> None:
        """The backend may be silent from now on."""
        if self.patience is not None:
            self.patience.stop()
            self.patience = None
