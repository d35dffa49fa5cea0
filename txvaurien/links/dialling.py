"""The backend's end of a link: dialling, the connection, and when it cannot be had."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProtocol,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer, implementer_only

from txvaurien.link import Link
from txvaurien.model import Direction
from txvaurien.net.addresses import Backend
from txvaurien.net.connecting import Connecting, makes_sockets
from txvaurien.net.descriptors import exhausted
from txvaurien.net.names import Names, Place, numeric
from txvaurien.net.pipe import Pipe
from txvaurien.net.polled import PolledPipe, make_pipe
from txvaurien.net.poller import Poller
from txvaurien.net.pool import Pool, PoolTimeout

if TYPE_CHECKING:
    from txvaurien.proxy import Proxy

#: How long nothing more is said of a backend that cannot be reached, in seconds.
COMPLAIN_EVERY = 10.0

_CLOSED = Failure(ConnectionDone())


class Dialler:
    """Connects the links of one proxy to its backend."""

    def __init__(self, proxy: Proxy, pool: Pool) -> None:
        self._proxy = proxy
        self._pool = pool
        #: What can be cancelled, of links that have no backend yet.
        self._dialling: dict[int, Connecting | Deferred[Any]] = {}
        #: Links that have a place in the pool, and when they got it.
        self._placed: dict[int, float] = {}
        #: Backend connections that are there, and on which TLS is not yet agreed.
        self._shaking: dict[int, Any] = {}
        self._quiet_until = 0.0
        self._names = Names(proxy.reactor)
        #: What links are connected to now, and its addresses; None for a name.
        self._backend: Backend | None = None
        self._authority = ""
        self._places: list[Place] | None = None

    def dial(self, link: Link) -> None:
        """Connect a link to the backend, as soon as the pool has a place."""
        if self._pool.take():
            self._connect(link)
            return
        waiting = self._pool.acquire()
        self._dialling[link.number] = waiting
        waiting.addCallbacks(self._placed_late, self._failed, (link,), {}, (link,), {})

    def _placed_late(self, _: None, link: Link) -> None:
        del self._dialling[link.number]
        self._connect(link)

    def _connect(self, link: Link) -> None:
        proxy = self._proxy
        self._placed[link.number] = proxy.clock.seconds()
        if self._backend is not proxy.backend and not self._settle(link, proxy.backend):
            return
        link.session.backend = self._authority
        if proxy.poller is None or not proxy.backend.host or not makes_sockets(proxy.reactor):
            self._connect_endpoint(link)
            return
        connecting = Connecting(self, link, proxy.poller, proxy.clock, proxy.timeout, proxy.way)
        if self._places is None:
            self._look_up(link, connecting)
        elif connecting.begin(self._places):
            self._dialling[link.number] = connecting

    def _settle(self, link: Link, backend: Backend) -> bool:
        """Find out what is the same for all links to this backend; whether that is possible."""
        try:
            self._places = numeric(backend.host, backend.port) if backend.host else None
        except OSError as error:
            self.unreachable(link, error)
            return False
        self._backend, self._authority = backend, backend.authority
        return True

    def _look_up(self, link: Link, connecting: Connecting) -> None:
        self._dialling[link.number] = connecting
        connecting.wait()
        backend = self._proxy.backend
        found = self._names.look_up(backend.host, backend.port)
        found.addCallbacks(connecting.begin, lambda failure: connecting.fail(failure.value))

    def connected(self, whose: Link, sock: socket.socket) -> None:
        """The backend of a link has taken a connection."""
        proxy = self._proxy
        self._dialling.pop(whose.number, None)
        self._note_connected(whose)
        assert proxy.poller is not None
        try:
            pipe = PolledPipe(sock, proxy.clock, whose, whose.traffic, whose.to_client, proxy.poller)
        except OSError as error:
            # The kernel does not watch any more sockets for this user.
            sock.close()
            self.unreachable(whose, error)
        else:
            whose.backend_connected(pipe)

    def failed(self, whose: Link, error: Exception) -> None:
        """The backend of a link is not to be had."""
        self._dialling.pop(whose.number, None)
        self.unreachable(whose, error)

    def _connect_endpoint(self, link: Link) -> None:
        connecting: Deferred[Any] = self._proxy.endpoint.connect(BackendFactory(self._proxy, link))
        self._dialling[link.number] = connecting
        connecting.addCallbacks(self._connected, self._failed, (link,), {}, (link,), {})

    def _connected(self, _: Any, link: Link) -> None:
        self._note_connected(link)
        self._dialled(link)

    def _note_connected(self, link: Link) -> None:
        meter = self._proxy.meter
        if meter is not None and link.number in self._placed:
            meter.connected(self._proxy.clock.seconds() - self._placed[link.number])

    def _failed(self, failure: Failure, link: Link) -> None:
        self._dialled(link)
        if failure.check(CancelledError, ConnectingCancelledError):
            self.give_place_back(link)
        elif failure.check(PoolTimeout):
            proxy = self._proxy
            proxy.log.warn("{name}: {why}", name=proxy.name, why=failure.getErrorMessage())
            self._note_failed(failure.value)
            link.backend_failed(failure.getErrorMessage(), proxy.protocol.too_many_kind)
        else:
            self.unreachable(link, failure.value)

    def _dialled(self, link: Link) -> None:
        self._dialling.pop(link.number, None)
        if link.number not in self._proxy.links:
            self.give_place_back(link)

    def unreachable(self, link: Link, error: BaseException | None) -> None:
        """There is no backend connection for this link, and there will be none."""
        self._proxy.stats.failed += 1
        self._note_failed(error)
        limit = exhausted(error)
        why = limit or str(error)
        self._complain(why, limit)
        self.give_place_back(link)
        link.backend_failed(why, self._proxy.protocol.unreachable_kind)

    def _note_failed(self, error: BaseException | None) -> None:
        if self._proxy.meter is not None:
            self._proxy.meter.unreachable(error)

    def _complain(self, why: str, limit: str) -> None:
        """Say that the backend is not to be had, but not for every client."""
        proxy = self._proxy
        now = proxy.clock.seconds()
        if now < self._quiet_until:
            return
        self._quiet_until = now + COMPLAIN_EVERY
        if limit:
            proxy.log.warn("{name}: no connection to the backend: {why}", name=proxy.name, why=why)
        else:
            proxy.log.warn(
                "{name}: the backend {backend} cannot be reached: {why}",
                name=proxy.name,
                backend=proxy.backend.text,
                why=why,
            )

    def shaking_hands(self, link: Link, transport: Any) -> None:
        """The backend is there, and TLS is being agreed on."""
        self._shaking[link.number] = transport

    def shaken_hands(self, link: Link) -> None:
        """TLS has been agreed on, or never will be."""
        self._shaking.pop(link.number, None)

    def hang_up(self, link: Link) -> None:
        """Stop dialling for a link that has ended."""
        if link.backend is None and link.number in self._dialling:
            self._dialling[link.number].cancel()
            if self._dialling.pop(link.number, None) is not None:
                self.give_place_back(link)
        transport = self._shaking.get(link.number)
        if transport is not None:
            transport.abortConnection()

    def link_ended(self, link: Link) -> None:
        """Both connections of a link are gone."""
        if link.number not in self._dialling:
            self.give_place_back(link)

    def give_place_back(self, link: Link) -> None:
        """This link has no backend connection any more."""
        if link.number in self._placed:
            del self._placed[link.number]
            self._pool.release()


@implementer(IHalfCloseableProtocol)
class LinkEnd(Protocol):
    """What the two ends of a link have in common: tell the link what the transport says.

    Where a poller watches the socket there is no transport any more, and nothing comes this way.
    """

    link: Link
    direction: ClassVar[Direction]
    pipe: Pipe
    factory: Any

    def make_pipe(self, poller: Poller | None) -> Pipe:
        """The connection, as the link sees it."""
        link = self.link
        lane = link.lane(self.direction)
        self.pipe = make_pipe(self.transport, link.clock, link, link.traffic, lane, poller)
        return self.pipe

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self.link.received(self.direction, data)

    def readConnectionLost(self) -> None:
        """The peer said FIN."""
        self.link.pipe_finished(self.pipe)

    def writeConnectionLost(self) -> None:
        """Our FIN has gone out."""

    def connectionLost(self, reason: Failure = _CLOSED) -> None:
        """The connection is gone."""
        self.link.pipe_lost(self.pipe, not reason.check(ConnectionDone))


class BackendProtocol(LinkEnd):
    """The backend's end of a link."""

    direction = Direction.TO_CLIENT

    def __init__(self, proxy: Proxy, link: Link) -> None:
        self.proxy = proxy
        self.link = link

    def connectionMade(self) -> None:
        """The backend has taken the connection."""
        self.link.backend_connected(self.make_pipe(self.proxy.poller))


# Endpoints show of a protocol one interface only, and TLS knows no half-close.
@implementer_only(IProtocol, IHandshakeListener)
class TlsBackendProtocol(BackendProtocol):
    """The backend's end of a link, over TLS: it is there when both sides have agreed."""

    _agreed = False
    _limit: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """The backend has taken the connection; now it has to show its certificate."""
        transport: Any = self.transport
        self.make_pipe(None)
        self.proxy.dialler.shaking_hands(self.link, transport)
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
            self.proxy.dialler.unreachable(self.link, reason.value)

    def _stop_waiting(self) -> None:
        self.proxy.dialler.shaken_hands(self.link)
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
