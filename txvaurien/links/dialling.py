"""The backend's end of a link: dialling, the connection, and when it cannot be had."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from txvaurien.link import Link
from txvaurien.model import Side
from txvaurien.net.addresses import Backend
from txvaurien.net.connecting import Connecting, makes_sockets
from txvaurien.net.descriptors import exhausted
from txvaurien.net.names import Names, Place, numeric
from txvaurien.net.pipe import Pipe
from txvaurien.net.pipeowner import Intake, PipeOwner
from txvaurien.net.polled import make_pipe, make_polled
from txvaurien.net.pool import Pool, PoolTimeout
from txvaurien.net.seldom import Seldom
from txvaurien.tls.engine import TlsError

if TYPE_CHECKING:
    from txvaurien.proxy import Proxy
    from txvaurien.tls.linktls import LinkTls

#: The end of a connection that was closed in an orderly way.
CLOSED = Failure(ConnectionDone())


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
        self._shaking: dict[int, Pipe] = {}
        self._may_complain = Seldom(proxy.clock)
        self._names = Names(proxy.reactor)
        #: What links are connected to now, and its addresses; None for a name.
        self._backend: Backend | None = None
        self._authority = ""
        self._host, self._port = "", 0
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
        if proxy.poller is None or not self._host or not makes_sockets(proxy.reactor):
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
            self._host, self._port = backend.direct
            self._places = numeric(self._host, self._port) if self._host else None
        except OSError as error:
            self.unreachable(link, error)
            return False
        self._backend, self._authority = backend, backend.authority
        return True

    def _look_up(self, link: Link, connecting: Connecting) -> None:
        self._dialling[link.number] = connecting
        connecting.wait()
        found = self._names.look_up(self._host, self._port)
        found.addCallbacks(connecting.begin, lambda failure: connecting.fail(failure.value))

    def connected(self, whose: Link, sock: socket.socket) -> None:
        """The backend of a link has taken a connection."""
        proxy = self._proxy
        self._dialling.pop(whose.number, None)
        self._note_connected(whose)
        assert proxy.poller is not None
        make = partial(make_polled, sock, proxy.clock, whose.to_client, proxy.poller)
        try:
            pipe = proxy.pipe_at(Side.BACKEND, whose, make)
        except OSError as error:
            # The kernel does not watch any more sockets for this user.
            sock.close()
            self.unreachable(whose, error)
        else:
            self.up(whose, pipe)

    def up(self, link: Link, pipe: Pipe) -> None:
        """The backend has taken the connection: agree on TLS, where it is spoken from the first byte on."""
        self._introduce(link, pipe)
        secure = self._proxy.tls
        if secure is None or secure.later or not secure.with_backend:
            link.backend_connected(pipe)
        else:
            self._shaking[link.number] = pipe
            Shaking(self, link, pipe).begin(secure, self._proxy.timeout)

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

    def unreachable(self, link: Link, error: BaseException | None, why: str = "") -> None:
        """There is no backend connection for this link, and there will be none.

        :param why: in words, if the error has not enough of them.
        """
        self._proxy.stats.failed += 1
        self._note_failed(error)
        limit = exhausted(error)
        why = limit or why or str(error)
        self._complain(why, limit)
        self.give_place_back(link)
        link.backend_failed(why, self._proxy.protocol.unreachable_kind)

    def _note_failed(self, error: BaseException | None) -> None:
        if self._proxy.meter is not None:
            self._proxy.meter.unreachable(error)

    def _complain(self, why: str, limit: str) -> None:
        """Say that the backend is not to be had, but not for every client."""
        proxy = self._proxy
        if not self._may_complain():
            return
        if limit:
            proxy.log.warn("{name}: no connection to the backend: {why}", name=proxy.name, why=why)
        else:
            proxy.log.warn(
                "{name}: the backend {backend} cannot be reached: {why}",
                name=proxy.name,
                backend=proxy.backend.text,
                why=why,
            )

    def _introduce(self, link: Link, pipe: Pipe) -> None:
        """Tell the backend who the client is, if it is to know."""
        version = self._proxy.ends.send_proxy
        if version != "off":
            from txvaurien.net.proxyheader import header_for

            pipe.preface(header_for(version, link.client_address, link.server))

    def shaken_hands(self, link: Link) -> None:
        """TLS has been agreed on."""
        self._shaking.pop(link.number, None)

    def not_agreed(self, link: Link, error: Exception) -> None:
        """TLS has not been agreed on."""
        if self._shaking.pop(link.number, None) is None:
            # It was us who did not want to any more.
            return
        advice = error.advice if isinstance(error, TlsError) else ""
        self.unreachable(link, error, f"no TLS: {error}{advice}")

    def hang_up(self, link: Link) -> None:
        """Stop dialling for a link that has ended."""
        if link.backend is None and link.number in self._dialling:
            self._dialling[link.number].cancel()
            if self._dialling.pop(link.number, None) is not None:
                self.give_place_back(link)
        pipe = self._shaking.pop(link.number, None)
        if pipe is not None:
            pipe.reset()

    def link_ended(self, link: Link) -> None:
        """Both connections of a link are gone."""
        if link.number not in self._dialling:
            self.give_place_back(link)

    def give_place_back(self, link: Link) -> None:
        """This link has no backend connection any more."""
        if link.number in self._placed:
            del self._placed[link.number]
            self._pool.release()


class Shaking:
    """A backend connection on which TLS is not yet agreed; the link does not know of it."""

    def __init__(self, dialler: Dialler, link: Link, pipe: Pipe) -> None:
        self._dialler = dialler
        self._link = link
        self._pipe = pipe
        self._told = False

    def begin(self, secure: LinkTls, timeout: float) -> None:
        """Begin; the dialler and the link are told of the outcome."""
        self._pipe.owner = self
        secure.shake(self._pipe, self._settle, timeout)

    def _settle(self, error: TlsError | None) -> None:
        if error is not None:
            self._fail(error)
            self._pipe.close(0.0)
            return
        self._told = True
        self._pipe.owner = self._link
        self._dialler.shaken_hands(self._link)
        self._link.backend_connected(self._pipe)

    def _fail(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._dialler.not_agreed(self._link, error)

    # See `PipeOwner`.

    def pipe_full(self, pipe: Pipe) -> None:
        """Nothing is said but what TLS needs."""

    def pipe_room(self, pipe: Pipe) -> None:
        """Nothing waits for it."""

    def pipe_broken(self, pipe: Pipe) -> None:
        """The backend has reset the connection."""
        pipe.reset()

    def pipe_finished(self, pipe: Pipe) -> None:
        """It has failed, or will have."""

    def pipe_hung_up(self, pipe: Pipe) -> bool:
        """Nothing that was said before counts."""
        return True

    def pipe_lost(self, pipe: Pipe, reset: bool) -> None:
        """The connection is gone."""
        pipe.connection_lost()
        self._fail(ConnectionLost())


@implementer(IHalfCloseableProtocol)
class LinkProtocol(Protocol):
    """What the two ends of a link have in common: tell the link what the transport says.

    Where a poller watches the socket there is no transport any more, and nothing comes this way.
    """

    link: Link
    proxy: Proxy
    side: ClassVar[Side]
    pipe: Pipe
    factory: Any

    def make_pipe(self) -> Pipe:
        """The connection, as the link sees it."""
        return self.proxy.pipe_at(self.side, self.link, self._make)

    def _make(self, owner: PipeOwner, intake: Intake) -> Pipe:
        link = self.link
        lane = link.to_backend if self.side is Side.CLIENT else link.to_client
        self.pipe = make_pipe(self.transport, link.clock, owner, intake, lane, self.proxy.poller)
        return self.pipe

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self.pipe.intake.take(self.pipe.lane, data)

    def readConnectionLost(self) -> None:
        """The peer said FIN."""
        self.pipe.owner.pipe_finished(self.pipe)

    def writeConnectionLost(self) -> None:
        """Our FIN has gone out."""

    def connectionLost(self, reason: Failure = CLOSED) -> None:
        """The connection is gone."""
        self.pipe.owner.pipe_lost(self.pipe, not reason.check(ConnectionDone))


class BackendProtocol(LinkProtocol):
    """The backend's end of a link."""

    side = Side.BACKEND

    def __init__(self, proxy: Proxy, link: Link) -> None:
        self.proxy = proxy
        self.link = link

    def connectionMade(self) -> None:
        """The backend has taken the connection."""
        self.proxy.dialler.up(self.link, self.make_pipe())


class BackendFactory(Factory):
    """Makes the backend's end of one link."""

    noisy = False

    def __init__(self, proxy: Proxy, link: Link) -> None:
        self._proxy = proxy
        self._link = link

    def buildProtocol(self, addr: IAddress | None) -> BackendProtocol:
        """The backend's end."""
        return BackendProtocol(self._proxy, self._link)
