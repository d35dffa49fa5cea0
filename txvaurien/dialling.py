"""The backend's end of a link: dialling, the connection, and when it cannot be had."""

from __future__ import annotations

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

from txvaurien.lane import End
from txvaurien.link import Link
from txvaurien.model import Direction, Side
from txvaurien.pipe import Pipe
from txvaurien.polled import Intake, make_pipe
from txvaurien.pool import Pool, PoolTimeout

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
        self._dialling: dict[int, Deferred[Any]] = {}
        self._placed: set[int] = set()
        #: Backend connections that are there, and on which TLS is not yet agreed.
        self._shaking: dict[int, Any] = {}
        self._quiet_until = 0.0

    def dial(self, link: Link) -> None:
        """Connect a link to the backend, as soon as the pool has a place."""
        dialling: Deferred[Any] = self._pool.acquire()
        self._dialling[link.number] = dialling
        dialling.addCallback(self._connect, link)
        dialling.addErrback(self._failed, link)
        dialling.addBoth(self._dialled, link)

    def _connect(self, _: None, link: Link) -> Deferred[Any]:
        self._placed.add(link.number)
        link.session.backend = self._proxy.backend.authority
        connecting: Deferred[Any] = self._proxy.endpoint.connect(BackendFactory(self._proxy, link))
        return connecting

    def _failed(self, failure: Failure, link: Link) -> None:
        if failure.check(CancelledError, ConnectingCancelledError):
            return
        if failure.check(PoolTimeout):
            proxy = self._proxy
            proxy.log.warn("{name}: {why}", name=proxy.name, why=failure.getErrorMessage())
            link.backend_failed(failure.getErrorMessage(), proxy.protocol.too_many_kind)
        else:
            self.unreachable(link, failure)

    def unreachable(self, link: Link, failure: Failure) -> None:
        """There is no backend connection for this link, and there will be none."""
        self._proxy.stats.failed += 1
        self._complain(failure.getErrorMessage())
        self.give_place_back(link)
        link.backend_failed(failure.getErrorMessage(), self._proxy.protocol.unreachable_kind)

    def _complain(self, why: str) -> None:
        """Say that the backend is not to be had, but not for every client."""
        proxy = self._proxy
        now = proxy.clock.seconds()
        if now >= self._quiet_until:
            self._quiet_until = now + COMPLAIN_EVERY
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

    def _dialled(self, _: Any, link: Link) -> None:
        self._dialling.pop(link.number, None)
        if link.number not in self._proxy.links:
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
        if link.number not in self._dialling:
            self.give_place_back(link)

    def give_place_back(self, link: Link) -> None:
        """This link has no backend connection any more."""
        if link.number in self._placed:
            self._placed.remove(link.number)
            self._pool.release()


@implementer(IHalfCloseableProtocol)
class LinkEnd(Protocol):
    """What the two ends of a link have in common: tell the link what the transport says."""

    link: Link
    side: ClassVar[Side]
    direction: ClassVar[Direction]
    pipe: Pipe
    factory: Any

    def intake(self) -> tuple[Intake, Any]:
        """What takes bytes in, and for which lane, with nothing in between."""
        return self.link.traffic, self.link.lane(self.direction)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self.link.received(self.direction, data)

    def readConnectionLost(self) -> None:
        """The peer said FIN."""
        self.pipe.fin_received()
        self.link.closing.ended(self.direction, End.RST if self.pipe.broken else End.FIN)

    def writeConnectionLost(self) -> None:
        """Our FIN has gone out."""

    def hung_up(self) -> None:
        """The peer has reset the connection; found out while nothing was read.

        What the backend said before is still to be read, and then the reset.
        """

    def connectionLost(self, reason: Failure = _CLOSED) -> None:
        """The connection is gone: by a reset, unless it was us who ended it."""
        asked_for = self.pipe.closing
        self.pipe.connection_lost()
        end = End.FIN if reason.check(ConnectionDone) and not self.pipe.broken else End.RST
        if not asked_for:
            self.link.closing.ended(self.direction, end)
        self.link.closing.lost(self.side, end)


class BackendProtocol(LinkEnd):
    """The backend's end of a link."""

    side = Side.BACKEND
    direction = Direction.TO_CLIENT

    def __init__(self, proxy: Proxy, link: Link) -> None:
        self.proxy = proxy
        self.link = link

    def connectionMade(self) -> None:
        """The backend has taken the connection."""
        self.pipe = make_pipe(self.transport, self.link.clock, self.link, self, self.proxy.poller)
        self.link.backend_connected(self.pipe)

    def connectionLost(self, reason: Failure = _CLOSED) -> None:
        """The backend is gone."""
        self.proxy.dialler.give_place_back(self.link)
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
        self.pipe = make_pipe(transport, self.link.clock, self.link, self, None)
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
            self.proxy.dialler.unreachable(self.link, reason)

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
