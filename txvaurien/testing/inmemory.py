"""A client and a backend joined through a proxy, with no sockets, under a clock that the test moves.

For the tests of programs on Twisted::

    joined = JoinedProxy(EchoFactory(), Redis(), Plan.only(Delay(sleep=2)))
    client = joined.connect(MyClient())
    client.ask()
    joined.advance(2)

Bytes flow when the test says so: `JoinedProxy.flush` until nothing more flows, `JoinedProxy.advance` after
time has passed. Nothing here imports the reactor.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import (
    IConnector,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    ITCPTransport,
)
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from txvaurien.plan import Plan
from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy, ProxyFactory

ProtocolT = TypeVar("ProtocolT", bound=IProtocol)

#: How many bytes may be on the way before who sends them is told to pause.
WINDOW = 65536

#: How many turns a conversation may take that never falls silent.
TURNS = 100_000

_BACKEND = IPv4Address("TCP", "127.0.0.1", 6379)
_PROXY = IPv4Address("TCP", "127.0.0.1", 8000)

#: Clients come from the ports after this one.
_FIRST_PORT = 40000


@implementer(ITCPTransport, IHalfCloseableDescriptor)
class WireEnd:
    """One end of a connection in memory; what is written goes to `peer` in a turn of the clock.

    :ivar protocol: what is told of what comes.
    :ivar lost: the connection is gone, as far as this end knows.
    """

    disconnecting = False

    def __init__(self, clock: Clock, own: IPv4Address, other: IPv4Address) -> None:
        self.peer: WireEnd
        self.protocol: Any = None
        self.lost = False
        self._clock = clock
        self._own, self._other = own, other
        self._reading = True
        self._out = bytearray()
        #: FIN is to follow, and has gone.
        self._fin = self._fin_gone = False
        self._producer: Any = None
        self._scheduled = False

    # What protocols use (ITransport, IConsumer, IPushProducer, ITCPTransport).

    def write(self, data: bytes) -> None:
        """Send these bytes."""
        if self._fin or self.lost:
            return
        self._out += data
        if self._producer is not None and len(self._out) > WINDOW:
            self._producer.pauseProducing()
        self._schedule()

    def writeSequence(self, iovec: Any) -> None:
        """Send these bytes."""
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """Close, after what has been written."""
        self.disconnecting = True
        self.loseWriteConnection()

    def loseWriteConnection(self) -> None:
        """Send FIN, after what has been written."""
        self._fin = True
        self._schedule()

    def readConnectionLost(self, reason: Failure) -> None:
        """The other end has sent FIN."""
        self.protocol.readConnectionLost()

    def writeConnectionLost(self, reason: Failure) -> None:
        """FIN has gone out."""
        if not self.lost and IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    def abortConnection(self) -> None:
        """Send RST; what is on the way is lost."""
        if not self.lost:
            self._out.clear()
            self._clock.callLater(0, self.peer._lose, ConnectionLost())
            self._clock.callLater(0, self._lose, ConnectionAborted())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Tell this producer when to pause."""
        self._producer = producer
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Tell nobody."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Read nothing for now."""
        self._reading = False

    def resumeProducing(self) -> None:
        """Read on."""
        self._reading = True
        self.peer._schedule()

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    def getPeer(self) -> IPv4Address:
        """Where the other end is."""
        return self._other

    def getHost(self) -> IPv4Address:
        """Where this end is."""
        return self._own

    def getTcpNoDelay(self) -> bool:
        """There is nothing to delay."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is nothing to delay."""

    def getTcpKeepAlive(self) -> bool:
        """Nothing dies in memory."""
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing dies in memory."""

    # How bytes get there.

    def _schedule(self) -> None:
        if not self._scheduled and not self.lost:
            self._scheduled = True
            self._clock.callLater(0, self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        if self.peer.lost:
            self._find_nobody()
        elif not self.lost and self.peer._reading:
            self._hand_over()

    def _find_nobody(self) -> None:
        """The other end is closed: a kernel answers bytes with RST, and FIN with nothing."""
        if self._out:
            self._lose(ConnectionLost())
        elif self._fin:
            self._lose(ConnectionDone())

    def _hand_over(self) -> None:
        if self._out:
            data, self._out = bytes(self._out), bytearray()
            self.peer.protocol.dataReceived(data)
            if self._producer is not None and not self._out:
                self._producer.resumeProducing()
            self._schedule()
        elif self._fin and not self._fin_gone:
            self._fin_gone = True
            self._say_fin()

    def _say_fin(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.peer.protocol):
            self.peer.readConnectionLost(Failure(ConnectionDone()))
        else:
            self.peer.loseConnection()
        if self.peer._fin_gone:
            self.peer._lose(ConnectionDone())
            self._lose(ConnectionDone())
        elif self.disconnecting:
            self._lose(ConnectionDone())
            self.peer._schedule()
        else:
            self.writeConnectionLost(Failure(ConnectionDone()))

    def _lose(self, why: Exception) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(why))


def join(clock: Clock, client: Any, server: Any, client_port: int = _FIRST_PORT) -> tuple[WireEnd, WireEnd]:
    """Connect two protocols with each other."""
    here = IPv4Address("TCP", "127.0.0.1", client_port)
    one, other = WireEnd(clock, here, _PROXY), WireEnd(clock, _PROXY, here)
    one.peer, other.peer = other, one
    one.protocol, other.protocol = client, server
    server.makeConnection(other)
    client.makeConnection(one)
    return one, other


class _Reactor(MemoryReactorClock):
    """Connects to a backend that is a factory."""

    backend: IProtocolFactory | None = None

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> IConnector:
        """Connect in a turn of the clock."""
        connector: IConnector = super().connectTCP(host, port, factory, timeout, bindAddress)
        self.callLater(0, self._connect, factory, connector)
        return connector

    def turn(self) -> bool:
        """Do the next thing that is due; false if nothing is."""
        call = min(self.calls, key=lambda each: each.getTime(), default=None)
        if call is None or call.getTime() > self.seconds():
            return False
        self.calls.remove(call)
        call.called = 1
        call.func(*call.args, **call.kw)
        return True

    def _connect(self, factory: Any, connector: IConnector) -> None:
        server = None if self.backend is None else self.backend.buildProtocol(_PROXY)
        client = factory.buildProtocol(_BACKEND) if server is not None else None
        if client is None:
            factory.clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
        else:
            join(self, client, server)


class JoinedProxy:
    """A proxy between protocols of the test's own.

    :param backend: makes the backend's end of each link; None for a backend that is down.
    :param protocol: what is spoken, by default ``tcp``.
    :param plan: what goes wrong; nothing by default.
    :param options: what `Proxy` takes besides.
    :ivar clock: what the proxy takes the time from, an IReactorTime.
    :ivar proxy: the proxy: ``proxy.add_rule(...)``, ``proxy.set_plan(...)``, ``proxy.links``.
    :ivar events: what happened: name, number of the link, fields; as the journal has it.
    """

    def __init__(
        self,
        backend: IProtocolFactory | None,
        protocol: WireProtocol | None = None,
        plan: Plan | None = None,
        **options: Any,
    ) -> None:
        self.clock = reactor = _Reactor()
        self._reactor = reactor
        self.backend = backend
        self.proxy = Proxy(
            f"{_BACKEND.host}:{_BACKEND.port}", protocol or Tcp(), plan, reactor=reactor, **options
        )
        self.events: list[tuple[str, int, dict[str, Any]]] = []
        self.proxy.observers.append(lambda *event: self.events.append(event))
        self._factory = ProxyFactory.serving(self.proxy)
        self._port = _FIRST_PORT

    @property
    def backend(self) -> IProtocolFactory | None:
        """What makes the backend's end of links to come; None while it is down."""
        return self._reactor.backend

    @backend.setter
    def backend(self, backend: IProtocolFactory | None) -> None:
        self._reactor.backend = backend

    def connect(self, client: ProtocolT) -> ProtocolT:
        """A client comes; its `connectionMade` has run when this returns, and the backend is dialled."""
        self._port += 1
        server = self._factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", self._port))
        join(self.clock, client, server, self._port)
        return client

    def flush(self) -> None:
        """Let bytes flow until nothing more does without time passing.

        :raises RuntimeError: somebody always has something to say.
        """
        # Clock.advance would not come back from a conversation without an end.
        for _ in range(TURNS):
            if not self._reactor.turn():
                return
        raise RuntimeError(f"the conversation has not come to an end in {TURNS} turns")

    def advance(self, seconds: float) -> None:
        """Let bytes flow, let this time pass at once, and let bytes flow again."""
        self.flush()
        self.clock.rightNow += seconds
        self.flush()
