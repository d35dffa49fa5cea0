"""A proxy in memory: no sockets, a clock that stands until it is moved."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IHalfCloseableDescriptor, IHalfCloseableProtocol, ITransport
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from txvaurien.behaviors.base import Behavior
from txvaurien.link import Link
from txvaurien.plan import Plan
from txvaurien.protocols.base import WireProtocol
from txvaurien.proxy import Proxy, ProxyFactory
from txvaurien.test.lines import Lines


@implementer(ITransport, IHalfCloseableDescriptor)
class MemoryTransport:
    """One end of a connection; the test plays the peer."""

    def __init__(self, clock: MemoryReactorClock) -> None:
        self.clock = clock
        self.protocol: Any = None
        self.producer: Any = None
        self.streaming = False
        self.reading = True
        #: What the peer has received.
        self.received = b""
        #: How the peer saw it end: "", "fin", "rst".
        self.ended = ""
        self.lost = False
        #: Bytes are held back, as if the peer did not read.
        self.stuffed = False
        self._held = b""

    # What a pipe uses.

    def write(self, data: bytes) -> None:
        if self.ended or self.lost:
            return
        if self.stuffed:
            self._held += data
            if self.producer is not None and self.streaming:
                self.producer.pauseProducing()
        else:
            self.received += data

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer, self.streaming = producer, streaming

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def stopProducing(self) -> None:
        self.loseConnection()

    def loseWriteConnection(self) -> None:
        self.ended = self.ended or "fin"

    def writeConnectionLost(self, reason: Failure) -> None:
        self.protocol.writeConnectionLost()

    def readConnectionLost(self, reason: Failure) -> None:
        self.protocol.readConnectionLost()

    def loseConnection(self) -> None:
        self.loseWriteConnection()
        self._lose(ConnectionDone())

    def abortConnection(self) -> None:
        if not self.lost:
            self.ended = "rst"
            self.clock.callLater(0, self._lose, ConnectionAborted())

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 40000)

    getHost = getPeer

    # What the peer does.

    def says(self, data: bytes) -> None:
        """Send bytes to the proxy."""
        assert self.reading, "the proxy does not read"
        self.protocol.dataReceived(data)

    def fins(self) -> None:
        """Send FIN."""
        assert IHalfCloseableProtocol.providedBy(self.protocol)
        self.protocol.readConnectionLost()

    def resets(self) -> None:
        """Send RST."""
        self._lose(ConnectionLost())

    def drains(self) -> None:
        """Read what was held back."""
        self.stuffed = False
        self.received += self._held
        self._held = b""
        if self.producer is not None:
            self.producer.resumeProducing()

    def _lose(self, why: Exception) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(why))


class MemoryProxy:
    """A proxy with its clients and backends in memory."""

    def __init__(
        self,
        plan: Plan | Behavior | None = None,
        protocol: WireProtocol | None = None,
        *,
        backend: str = "127.0.0.1:6379",
        **options: Any,
    ) -> None:
        self.reactor = MemoryReactorClock()
        if isinstance(plan, Behavior):
            plan = Plan.only(plan, seed=1)
        self.proxy = Proxy(
            backend, protocol or Lines(), plan or Plan(seed=1), reactor=self.reactor, **options
        )
        self.events: list[tuple[str, int, dict[str, Any]]] = []
        self.proxy.observers.append(lambda *event: self.events.append(event))
        self._factory = ProxyFactory.serving(self.proxy)

    def client(self) -> MemoryTransport:
        """A client connects; the backend is dialled, but has not answered yet."""
        client = MemoryTransport(self.reactor)
        client.protocol = self._factory.buildProtocol(client.getPeer())
        client.protocol.makeConnection(client)
        return client

    def backend(self) -> MemoryTransport:
        """The backend takes the oldest connection that waits for it."""
        factory = self.reactor.tcpClients.pop(0)[2]
        backend = MemoryTransport(self.reactor)
        backend.protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 6379))
        backend.protocol.makeConnection(backend)
        return backend

    def refuse(self) -> None:
        """The backend refuses the oldest connection that waits for it."""
        factory: Any = self.reactor.tcpClients.pop(0)[2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def pair(self) -> tuple[MemoryTransport, MemoryTransport]:
        """A client and its backend, connected."""
        return self.client(), self.backend()

    @property
    def links(self) -> dict[int, Link]:
        """The links that stand."""
        return self.proxy.links

    def pass_time(self, *seconds: float) -> None:
        """Let time pass, in these steps (none: only what is due now)."""
        for step in seconds or (0.0,):
            self.reactor.advance(step)

    def named(self, name: str) -> list[dict[str, Any]]:
        """The fields of all events of that name."""
        return [fields for event, _, fields in self.events if event == name]
