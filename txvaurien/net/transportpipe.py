"""Pipes over transports of Twisted's.

`TransportPipe` works over any ITransport. `SocketPipe` is for those that are plain stream sockets:
it tries ``send`` right away and gives the transport only what the kernel did not take, which halves
the cost of a message.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IPullProducer,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from zope.interface import implementer

from txvaurien.net.pipe import Pipe
from txvaurien.net.pipeowner import Intake, PipeOwner


@implementer(IPushProducer)
class TransportPipe(Pipe):
    """A pipe over any transport of Twisted's."""

    __slots__ = ("_half_closeable", "transport")

    def __init__(
        self, transport: Any, clock: IReactorTime, owner: PipeOwner, intake: Intake, lane: Any
    ) -> None:
        super().__init__(clock, owner, intake, lane)
        self.transport = transport
        # A TLS transport says of itself what the socket below it could do.
        self._half_closeable = bool(
            IHalfCloseableDescriptor.providedBy(transport) and not ISSLTransport.providedBy(transport)
        )
        # Some versions of Twisted give Unix sockets the interface of TCP, and not what it promises.
        if ITCPTransport.providedBy(transport) and not isinstance(transport.getHost(), UNIXAddress):
            transport.setTcpNoDelay(True)
        self._watch()

    def _watch(self) -> None:
        self.transport.registerProducer(self, True)

    def data(self, data: bytes) -> None:
        if not (self.ended or self.lost):
            self.sent += len(data)
            self.transport.write(data)

    def _half_close(self) -> None:
        if self._half_closeable:
            self.transport.loseWriteConnection()
        else:
            # TLS and pipes of other kinds know no half-close: the end of one way is the end.
            self._lose()

    def _stop_reading(self) -> None:
        self.transport.pauseProducing()

    def _start_reading(self) -> None:
        self.transport.resumeProducing()

    # What the transport says.

    def pauseProducing(self) -> None:
        """The transport holds more than it likes."""
        if not self.full:
            self.full = True
            self.owner.pipe_full(self)

    def resumeProducing(self) -> None:
        """The transport has sent what it held."""
        if self.full:
            self.full = False
            self._close_if_done()
            self.owner.pipe_room(self)

    def stopProducing(self) -> None:
        """The transport is going away; it says so by itself."""

    def _drained(self) -> None:
        # TLS has been closed already, and waits for the peer to agree.
        if not self._half_closeable:
            self._timer = None
            self._abort()
        else:
            super()._drained()

    def _lose(self) -> None:
        self._stop_timer()
        # A transport does not close while a producer may still write.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _abort(self) -> None:
        self._stop_timer()
        self.transport.abortConnection()


@implementer(IPullProducer)
class SocketPipe(TransportPipe):
    """A pipe over a transport that is a plain stream socket: writes at once."""

    __slots__ = ("_socket",)

    def _watch(self) -> None:
        self._socket: socket.socket = self.transport.getHandle()

    def data(self, data: bytes) -> None:
        if self.ended or self.lost or self.broken:
            return
        self.sent += len(data)
        if self.full:
            self.transport.write(data)
            return
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._broke()
            return
        if sent < len(data):
            self._hand_over(data[sent:])

    def _hand_over(self, rest: bytes) -> None:
        """Leave it to the transport, which says as a pull producer's consumer when all is sent."""
        self.transport.write(rest)
        # Registering asks for more at once; only a later call means that the buffer is empty.
        self.transport.registerProducer(self, False)
        self.full = True
        self.owner.pipe_full(self)

    def resumeProducing(self) -> None:
        if not self.full:
            return
        self.full = False
        self.transport.unregisterProducer()
        if self.ended and not self.resetting:
            self._half_close()
        self._close_if_done()
        self.owner.pipe_room(self)

    def _half_close(self) -> None:
        if not self.full:
            self.transport.loseWriteConnection()

    def unsent(self) -> int:
        return self._unsent_of(self._socket)
