"""The Twisted glue: client connections come in, backend connections go out.

`Proxy` is what a proxy is, apart from where it listens: a backend, a protocol
and the plan it follows now. `ProxyFactory` serves it on any endpoint::

    endpoint.listen(RedisFactory("localhost:6379", Plan.only(Delay(sleep=2))))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProtocol,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer, implementer_only

from txvaurien.addresses import Backend, parse_backend
from txvaurien.interfaces import IStanding
from txvaurien.lane import End
from txvaurien.link import Link
from txvaurien.model import Direction, Side
from txvaurien.pipe import Pipe, make_pipe
from txvaurien.plan import Activation, ActivePlan, Plan, draw
from txvaurien.pool import Pool, PoolTimeout
from txvaurien.protocols.base import WireProtocol

#: How long nothing more is said of a backend that cannot be reached, in seconds.
COMPLAIN_EVERY = 10.0

_CLOSED = Failure(ConnectionDone())

#: How long a link may take to end when the proxy stops, in seconds.
STOP_TIME = 0.3


@dataclass
class Stats:
    """What a proxy has counted since it was made."""

    links: int = 0
    exchanges: int = 0
    #: Exchanges that a rule fired on, and exceptions that behaviors raised.
    fired: int = 0
    broken: int = 0
    #: Links that went opaque, and backend connections that were not to be had.
    opaque: int = 0
    failed: int = 0
    bytes_to_backend: int = 0
    bytes_to_client: int = 0


class Proxy:
    """A backend, a protocol and a plan, under one name.

    :param backend: an address as users write it, or parsed.
    :param reactor: provides IReactorTime and what the backend's endpoint needs.
    :param timeout: seconds that connecting to the backend may take.
    :param idle_timeout: seconds without a byte after which a link is closed; None for never.
    :param pool_max_size: backend connections at most; None for without limit.
    :param pool_timeout: seconds that a client waits for one of them.
    :param on_desync: ``opaque`` passes a stream through unread that is not of the
        protocol, ``close`` ends such a link.
    :raises ConfigError: a behavior of the plan does not fit the protocol.
    """

    log = Logger()

    def __init__(
        self,
        backend: Backend | str,
        protocol: WireProtocol,
        plan: Plan | None = None,
        *,
        reactor: Any,
        name: str = "proxy",
        timeout: float = 30.0,
        idle_timeout: float | None = None,
        pool_max_size: int | None = None,
        pool_timeout: float = 30.0,
        on_desync: Literal["opaque", "close"] = "opaque",
    ) -> None:
        self.name = name
        self.protocol = protocol
        self.reactor = reactor
        self.clock: IReactorTime = reactor
        self.timeout = timeout
        self.idle_timeout = idle_timeout
        self.close_on_desync = on_desync == "close"
        self.pool = Pool(self.clock, pool_max_size, pool_timeout)
        self.backend = parse_backend(backend) if isinstance(backend, str) else backend
        self.active = ActivePlan(plan or Plan(), protocol, name)
        self.links: dict[int, Link] = {}
        self.stats = Stats()
        #: Told of everything that the journal tells of: (event, link number, fields).
        self.observers: list[Callable[[str, int, dict[str, Any]], None]] = []
        self._dialling: dict[int, Deferred[Any]] = {}
        self._placed: set[int] = set()
        #: Backend connections that are there, and on which TLS is not yet agreed.
        self._shaking: dict[int, Any] = {}
        self._endpoint = self.backend.endpoint(reactor, timeout)
        self._quiet_until = 0.0
        self._all_gone: list[Deferred[None]] = []

    # The plan and the backend.

    @property
    def plan(self) -> Plan:
        """What the proxy does now."""
        return self.active.plan

    @property
    def seed(self) -> int:
        """What all draws depend on."""
        return self.active.seed

    def set_plan(self, plan: Plan) -> None:
        """Follow another plan, from the next exchange of every link on.

        Rules that both plans have keep their counters and what they hold. The
        others let go of what they hold before this returns.

        :raises ConfigError: a behavior does not fit the protocol; nothing has changed.
        """
        before = self.active
        self.active = ActivePlan(plan, self.protocol, self.name, before)
        old, new = set(before.activations()), set(self.active.activations())
        for activation in before.activations():
            if activation not in new:
                activation.release()
        self.log.info("{name}: plan {mix}, seed {seed}", name=self.name, mix=plan.mix_text, seed=self.seed)
        for activation in self.active.activations():
            if activation not in old and IStanding.providedBy(activation.rule.behavior):
                self._activate_on_links(activation)

    def _activate_on_links(self, activation: Activation) -> None:
        share = self.active.share_of(activation)
        behavior: Any = activation.rule.behavior
        for link in list(self.links.values()):
            if draw(self.seed, self.name, link.number, "activate", activation.key) < share:
                try:
                    behavior.on_activate(link)
                except Exception:
                    self.log.failure("behavior {name} failed on a standing link", name=behavior.name)
                    self.event("broken", link, rule=activation.key, why="on_activate failed")

    def set_backend(self, backend: Backend | str) -> None:
        """Connect new links to another backend; those that stand stay where they are.

        :raises ConfigError: it is no address.
        """
        parsed = parse_backend(backend) if isinstance(backend, str) else backend
        self._endpoint = parsed.endpoint(self.reactor, self.timeout)
        self.backend = parsed

    # What links ask of their proxy (`txvaurien.link.ProxySide`).

    def new_link(self, client_address: str) -> Link:
        """A link for a client that has just come."""
        self.stats.links += 1
        link = Link(self, self.stats.links, client_address)
        self.links[link.number] = link
        return link

    def dial(self, link: Link) -> None:
        """Connect a link to the backend, as soon as the pool has a place."""
        dialling: Deferred[Any] = self.pool.acquire()
        self._dialling[link.number] = dialling
        dialling.addCallback(self._connect, link)
        dialling.addErrback(self._dial_failed, link)
        dialling.addBoth(self._dialled, link)

    def _connect(self, _: None, link: Link) -> Deferred[Any]:
        self._placed.add(link.number)
        link.session.backend = self.backend.authority
        return self._endpoint.connect(BackendFactory(self, link))

    def _dial_failed(self, failure: Failure, link: Link) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(PoolTimeout):
            self.log.warn("{name}: {why}", name=self.name, why=failure.getErrorMessage())
            link.backend_failed(failure.getErrorMessage(), self.protocol.too_many_kind)
        else:
            self.backend_unreachable(link, failure)

    def backend_unreachable(self, link: Link, failure: Failure) -> None:
        """There is no backend connection for this link, and there will be none."""
        self.stats.failed += 1
        self._complain(failure.getErrorMessage())
        self.give_place_back(link)
        link.backend_failed(failure.getErrorMessage(), self.protocol.unreachable_kind)

    def _complain(self, why: str) -> None:
        """Say that the backend is not to be had, but not for every client."""
        now = self.clock.seconds()
        if now >= self._quiet_until:
            self._quiet_until = now + COMPLAIN_EVERY
            self.log.warn(
                "{name}: the backend {backend} cannot be reached: {why}",
                name=self.name,
                backend=self.backend.text,
                why=why,
            )

    def shaking_hands(self, link: Link, transport: Any) -> None:
        """The backend is there, and TLS is being agreed on."""
        self._shaking[link.number] = transport

    def shaken_hands(self, link: Link) -> None:
        """TLS has been agreed on, or never will be."""
        self._shaking.pop(link.number, None)

    def _dialled(self, _: Any, link: Link) -> None:
        self._dialling.pop(link.number, None)
        if link.number not in self.links:
            self.give_place_back(link)

    def hang_up(self, link: Link) -> None:
        """Stop dialling for a link that has ended."""
        dialling = self._dialling.get(link.number)
        if dialling is not None and link.backend is None:
            dialling.cancel()
        transport = self._shaking.get(link.number)
        if transport is not None:
            transport.abortConnection()

    def link_ended(self, link: Link) -> None:
        """Both connections of a link are gone."""
        self.links.pop(link.number, None)
        self.stats.exchanges += link.exchanges
        self.stats.bytes_to_backend += link.to_backend.bytes
        self.stats.bytes_to_client += link.to_client.bytes
        self.event("link-closed", link, exchanges=link.exchanges)
        if link.number not in self._dialling:
            self.give_place_back(link)
        if not self.links:
            waiting, self._all_gone = self._all_gone, []
            for each in waiting:
                each.callback(None)

    def give_place_back(self, link: Link) -> None:
        """This link has no backend connection any more."""
        if link.number in self._placed:
            self._placed.remove(link.number)
            self.pool.release()

    def event(self, name: str, link: Link, **fields: Any) -> None:
        """Something happened that the journal tells of."""
        if name == "fired":
            self.stats.fired += 1
            self.log.debug(
                "{name}: link {link}, exchange {exchange}: {behavior} on {verb} {target}",
                name=self.name,
                link=link.number,
                exchange=fields["exchange"],
                behavior=fields["behavior"],
                verb=fields.get("verb", ""),
                target=fields.get("target", ""),
            )
        elif name == "misfired":
            self.stats.fired -= 1
        elif name == "broken":
            self.stats.broken += 1
        elif name == "opaque":
            self.stats.opaque += 1
            self.log.warn(
                "{name}: link {link} from {client} is passed through unread from here on: {why}",
                name=self.name,
                link=link.number,
                client=link.client_address,
                why=fields["why"],
            )
        for observer in self.observers:
            observer(name, link.number, fields)

    # The end.

    def stop(self) -> Deferred[None]:
        """End all links; fires when they are gone, which takes a bounded time."""
        gone: Deferred[None] = Deferred()
        if self.links:
            self._all_gone.append(gone)
        else:
            gone.callback(None)
        for link in list(self.links.values()):
            link.close(STOP_TIME)
        return gone


@implementer(IHalfCloseableProtocol)
class _LinkEnd(Protocol):
    """What the two ends of a link have in common: tell the link what the transport says."""

    link: Link
    side: ClassVar[Side]
    direction: ClassVar[Direction]
    pipe: Pipe
    factory: Any

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self.link.received(self.direction, data)

    def readConnectionLost(self) -> None:
        """The peer said FIN."""
        self.pipe.fin_received()
        self.link.ended(self.direction, End.RST if self.pipe.broken else End.FIN)

    def writeConnectionLost(self) -> None:
        """Our FIN has gone out."""

    def connectionLost(self, reason: Failure = _CLOSED) -> None:
        """The connection is gone: by a reset, unless it was us who ended it."""
        asked_for = self.pipe.closing
        self.pipe.connection_lost()
        end = End.FIN if reason.check(ConnectionDone) and not self.pipe.broken else End.RST
        if not asked_for:
            self.link.ended(self.direction, end)
        self.link.lost(self.side, end)


class ProxyProtocol(_LinkEnd):
    """The client's end of a link."""

    side = Side.CLIENT
    direction = Direction.TO_BACKEND
    proxy: Proxy

    def connectionMade(self) -> None:
        """A client has come."""
        assert self.transport is not None
        self.link = self.proxy.new_link(address_text(self.transport.getPeer()))
        self.pipe = make_pipe(self.transport, self.proxy.clock, self.link)
        self.link.begin(self.pipe)


class BackendProtocol(_LinkEnd):
    """The backend's end of a link."""

    side = Side.BACKEND
    direction = Direction.TO_CLIENT

    def __init__(self, proxy: Proxy, link: Link) -> None:
        self.proxy = proxy
        self.link = link

    def connectionMade(self) -> None:
        """The backend has taken the connection."""
        self.pipe = make_pipe(self.transport, self.link.clock, self.link)
        self.link.backend_connected(self.pipe)

    def connectionLost(self, reason: Failure = _CLOSED) -> None:
        """The backend is gone."""
        self.proxy.give_place_back(self.link)
        super().connectionLost(reason)


# Endpoints show of a protocol one interface only, and TLS knows no half-close.
@implementer_only(IProtocol, IHandshakeListener)
class TlsBackendProtocol(BackendProtocol):
    """The backend's end of a link, over TLS: it is there when both sides have agreed."""

    _agreed = False
    _limit: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """The backend has taken the connection; now it has to show its certificate."""
        transport: Any = self.transport
        self.pipe = make_pipe(transport, self.link.clock, self.link)
        self.proxy.shaking_hands(self.link, transport)
        self._limit = self.link.clock.callLater(self.proxy.timeout, transport.abortConnection)

    def handshakeCompleted(self) -> None:
        """TLS has been agreed on, the certificate included."""
        self._agreed = True
        self._stop_waiting()
        self.link.backend_connected(self.pipe)

    def connectionLost(self, reason: Failure = _CLOSED) -> None:
        """The backend is gone; or was never agreed with."""
        self._stop_waiting()
        if self._agreed:
            # Many servers close without saying so in TLS, which looks as a reset does from up here.
            super().connectionLost(_CLOSED)
        else:
            self.pipe.connection_lost()
            self.proxy.backend_unreachable(self.link, reason)

    def _stop_waiting(self) -> None:
        self.proxy.shaken_hands(self.link)
        if self._limit is not None and self._limit.active():
            self._limit.cancel()


class BackendFactory(Factory):
    """Makes the backend's end of one link."""

    noisy = False

    def __init__(self, proxy: Proxy, link: Link) -> None:
        self._proxy = proxy
        self._link = link

    def buildProtocol(self, addr: IAddress | None) -> BackendProtocol:
        """The backend's end."""
        made = TlsBackendProtocol if self._proxy.backend.tls else BackendProtocol
        return made(self._proxy, self._link)


class ProxyFactory(Factory):
    """Serves a proxy on whatever endpoint listens with it.

    Subclasses name the protocol they frame in `wire`. For options that are not
    here, make the `Proxy` yourself and use `ProxyFactory.serving`.

    :param backend: where to connect to, as users write it (``localhost:6379``).
    :param plan: what to do; nothing by default.
    :param reactor: the one that runs, by default.
    """

    noisy = False
    protocol = ProxyProtocol
    wire: ClassVar[WireProtocol]

    def __init__(self, backend: Backend | str, plan: Plan | None = None, *, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self.proxy = Proxy(backend, self.wire, plan, reactor=reactor)

    @classmethod
    def serving(cls, proxy: Proxy) -> ProxyFactory:
        """A factory for a proxy that exists."""
        factory = cls.__new__(cls)
        factory.proxy = proxy
        return factory

    def buildProtocol(self, addr: IAddress | None) -> ProxyProtocol:
        """The client's end of a new link."""
        built = self.protocol()
        built.factory, built.proxy = self, self.proxy
        return built


def address_text(address: Any) -> str:
    """An address as ``host:port``, or whatever else it is called."""
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None:
        name = getattr(address, "name", None)
        return name.decode(errors="replace") if isinstance(name, bytes) else ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
