"""The HTTP side of the control server: its limits, and the end of its connections."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request
from twisted.web.server import Site
from zope.interface import implementer

from txvaurien.control.answers import Refused
from txvaurien.control.requests import ControlRequest, end_of_answer
from txvaurien.control.security import Guard

#: How long a connection may be silent between two requests, and how long one may take to come in
#: from its first byte to its last, in seconds.
IDLE = 60.0

#: How many headers a request may have. Together with its first line they may have 16 KiB.
MAX_HEADERS = 100

#: How many connections are served at one time.
MAX_CONNECTIONS = 256

#: How many more are told that there are too many; any beyond those are closed at once.
MAX_TURNED_AWAY = 64

#: How long a client that was turned away may take to read why, in seconds.
TURN_AWAY_TIME = 1.0

#: How long answers that are under way may take when the server stops, in seconds.
STOP_TIME = 0.3


class ControlChannel(HTTPChannel):
    """A connection on which a request gets no more time for each byte that it brings."""

    maxHeaders = MAX_HEADERS
    _begun = False

    def resetTimeout(self) -> None:
        """Bytes came: the time of a request begins with the first of them."""
        if not self._begun:
            self._begun = True
            HTTPChannel.resetTimeout(self)

    def requestDone(self, request: Request) -> None:
        """A request has been answered; the next one has not begun."""
        self._begun = False
        HTTPChannel.requestDone(self, request)


class ControlSite(Site):
    """Bounded requests, and a line in the debug log for each."""

    noisy = False
    logger = Logger()

    def __init__(self, root: Guard, reactor: Any) -> None:
        Site.__init__(self, root, requestFactory=ControlRequest, timeout=IDLE, reactor=reactor)
        self.guard = root
        # What stands there otherwise chooses between two versions of HTTP first.
        factory: Any = self
        factory.protocol = ControlChannel

    def log(self, request: Request) -> None:
        """The access log: where debugging is logged, and nowhere else."""
        self.logger.debug(
            "{method} {path} {code}",
            method=request.method.decode("ascii", "replace"),
            path=request.path.decode("ascii", "replace"),
            code=request.code,
        )


class _TurnedAway(Protocol):
    """Says that there are too many connections, whatever is asked.

    :param time: seconds until it is closed; 0 to say nothing and close at once.
    """

    _limit: IDelayedCall | None = None

    def __init__(self, clock: IReactorTime, time: float) -> None:
        self._clock = clock
        self._time = time

    def connectionMade(self) -> None:
        """One connection too many."""
        transport: Any = self.transport
        if not self._time:
            transport.abortConnection()
            return
        why = f"there are {MAX_CONNECTIONS} connections already; close some"
        refused = Refused.because(503, "server", "", why)
        head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
        length = f"Retry-After: 1\r\nContent-Length: {len(refused.body)}\r\n\r\n"
        transport.write((head + length).encode("ascii") + refused.body)
        # What is asked meanwhile is read and dropped: unread, it would reset the connection.
        end_of_answer(transport)
        self._limit = self._clock.callLater(self._time, transport.abortConnection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client has read it, or its time is over."""
        if self._limit is not None and self._limit.active():
            self._limit.cancel()


@implementer(IProtocolNegotiationFactory)
class ClosingFactory(WrappingFactory):
    """Knows its connections: there are never too many, and none is left when the server has stopped."""

    noisy = False

    def __init__(self, site: Site) -> None:
        self.wrappedFactory = self._site = site
        self.protocols: dict[ProtocolWrapper, int] = {}
        self._gone: Deferred[None] | None = None

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS can agree upon (ALPN, RFC 7301): what is wrapped is not asked, and none would end it."""
        return [b"http/1.1"]

    def close(self, clock: IReactorTime) -> Deferred[None]:
        """End all connections, unsent answers first; fires when they are gone."""
        self._gone = gone = Deferred[None]()
        if not self.protocols:
            gone.callback(None)
            return gone
        for connection in list(self.protocols):
            connection.loseConnection()
        abort = clock.callLater(STOP_TIME, self._abort)
        return gone.addCallback(lambda _: abort.cancel() if abort.active() else None)

    def buildProtocol(self, addr: IAddress | None) -> ProtocolWrapper:
        """What serves a new connection, or says that there are too many."""
        standing = len(self.protocols)
        if standing < MAX_CONNECTIONS:
            return WrappingFactory.buildProtocol(self, addr)
        told = standing < MAX_CONNECTIONS + MAX_TURNED_AWAY
        return ProtocolWrapper(self, _TurnedAway(self._site.reactor, TURN_AWAY_TIME if told else 0))

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """A connection is gone."""
        del self.protocols[p]
        if self._gone is not None and not self.protocols and not self._gone.called:
            self._gone.callback(None)

    def _abort(self) -> None:
        for connection in list(self.protocols):
            transport: Any = connection.transport
            transport.abortConnection()
