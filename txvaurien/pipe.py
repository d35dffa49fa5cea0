"""One side of a link: bytes out at once, back-pressure, and the ways a connection ends.

`Pipe` works over any ITransport. `SocketPipe` is for plain stream sockets: it
tries ``send`` right away and gives the transport only what the kernel did not
take, which halves the cost of a message.
"""

from __future__ import annotations

import fcntl
import struct
import sys
import termios
from collections import deque
from typing import Any, Protocol

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableDescriptor,
    IPullProducer,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from txvaurien.poller import Poller
from txvaurien.splicing import KernelPipe, PipePool

#: How long a side that was closed is still read, in seconds. Closing a socket with
#: unread input makes the kernel send RST, and the last reply would be lost.
DRAIN_TIME = 2.0

#: How much is read at once.
READ_SIZE = 65536

#: After so many reads that filled the buffer a stream is spliced, where nobody has to see
#: it; after twice as many splices that brought little it is read again.
STREAK = 4
LITTLE = 16384

#: How long a reset waits for what was sent before it, in seconds, and how often it looks.
RESET_WAIT = 1.0
RESET_POLL = 0.005


class PipeOwner(Protocol):
    """Who wants to know what a pipe can take."""

    def pipe_full(self, pipe: Pipe) -> None:
        """Do not write more for now."""

    def pipe_room(self, pipe: Pipe) -> None:
        """There is room again."""

    def pipe_broken(self, pipe: Pipe) -> None:
        """The peer has reset the connection; found out while writing, when nothing is read."""


class Intake(Protocol):
    """Where the bytes go that come from a socket (`txvaurien.traffic.Traffic`)."""

    def take(self, lane: Any, data: bytes) -> None:
        """Bytes came for a lane."""

    def splices_to(self, lane: Any) -> PolledPipe | None:
        """The connection to which bytes may go without being seen; None if somebody has to see them."""

    def spliced(self, lane: Any, count: int) -> None:
        """So many bytes have gone through unseen."""


class LinkProtocol(Protocol):
    """What a transport tells of its peer."""

    def intake(self) -> tuple[Intake, Any]:
        """What takes bytes in, and for which lane."""

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""

    def readConnectionLost(self) -> None:
        """The peer said FIN."""

    def hung_up(self) -> None:
        """The peer has reset the connection; found out while nothing was read."""


@implementer(IPushProducer)
class Pipe:
    """A transport, as the link sees it."""

    def __init__(self, transport: Any, clock: IReactorTime, owner: PipeOwner) -> None:
        self.transport = transport
        self.clock = clock
        self.owner = owner
        #: Bytes wait to be sent.
        self.full = False
        #: The peer said FIN.
        self.read_ended = False
        #: We said FIN, or will as soon as all is sent.
        self.ended = False
        #: Nothing may be written any more; what still comes is thrown away.
        self.closing = False
        self.resetting = False
        #: The connection is gone.
        self.lost = False
        #: The peer has reset the connection.
        self.broken = False
        self._reasons: set[str] = set()
        self._timer: IDelayedCall | None = None
        self._reset_by = 0.0
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

    # Writing.

    def data(self, data: bytes) -> None:
        """Send bytes, in order."""
        if not (self.ended or self.lost):
            self.transport.write(data)

    def end(self) -> None:
        """Send FIN after what was written; the other direction stays open."""
        if not (self.ended or self.lost):
            self.ended = True
            self._half_close()

    def _half_close(self) -> None:
        if self._half_closeable:
            self.transport.loseWriteConnection()
        else:
            # TLS and pipes of other kinds know no half-close: the end of one way is the end.
            self._lose()

    def close(self, drain: float = DRAIN_TIME) -> None:
        """End in an orderly way: FIN after what was written, read on for a while, close.

        :param drain: seconds to wait for the peer's FIN; a second call may make it less.
        """
        if self.closing or self.lost:
            self._hurry(drain)
            return
        self.closing = True
        self.end()
        self.read_on()
        self._timer = self.clock.callLater(drain, self._drained)
        self._close_if_done()

    def reset(self) -> None:
        """End with RST, once the kernel has sent what was written (waiting is bounded)."""
        if self.resetting or self.lost:
            return
        self.closing = self.ended = self.resetting = True
        self._stop_timer()
        self._reset_by = self.clock.seconds() + RESET_WAIT
        self._reset_when_sent()

    # Reading.

    def pause(self, reason: str) -> None:
        """Stop reading; it goes on when every reason is gone."""
        if not self._reasons and not self.closing:
            self._stop_reading()
        self._reasons.add(reason)

    def resume(self, reason: str) -> None:
        """Take one reason not to read away."""
        if reason in self._reasons:
            self._reasons.remove(reason)
            if not self._reasons and not (self.read_ended or self.lost or self.resetting):
                self._start_reading()

    def _stop_reading(self) -> None:
        self.transport.pauseProducing()

    def _start_reading(self) -> None:
        self.transport.resumeProducing()

    # What the transport says.

    def fin_received(self) -> None:
        """The peer said FIN."""
        self.read_ended = True
        self._close_if_done()

    def connection_lost(self) -> None:
        """The transport is gone."""
        self.lost = True
        self._stop_timer()

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

    def read_on(self) -> None:
        """Read again, whatever there was not to."""
        if self._reasons:
            self._reasons.clear()
            if not self.read_ended:
                self._start_reading()

    def _close_if_done(self) -> None:
        if self.closing and not self.resetting and self.read_ended and not self.full:
            self._lose()

    def _hurry(self, drain: float) -> None:
        by = self.clock.seconds() + drain
        self._reset_by = min(self._reset_by, by)
        if not self.resetting and self._timer is not None and self._timer.getTime() > by:
            self._timer.reset(drain)

    def _drained(self) -> None:
        self._timer = None
        # TLS has been closed already, and waits for the peer to agree.
        if self.full or not self._half_closeable:
            self._abort()
        else:
            self._lose()

    def _lose(self) -> None:
        self._stop_timer()
        # A transport does not close while a producer may still write.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _abort(self) -> None:
        self._stop_timer()
        self.transport.abortConnection()

    def _reset_when_sent(self) -> None:
        self._timer = None
        if self.clock.seconds() >= self._reset_by or self.unsent() == 0:
            self._abort()
        else:
            self._timer = self.clock.callLater(RESET_POLL, self._reset_when_sent)

    def unsent(self) -> int:
        """How many bytes the peer has not acknowledged, as far as one can know."""
        return int(self.full)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


@implementer(IPullProducer)
class SocketPipe(Pipe):
    """A pipe over a plain stream socket: writes at once."""

    transport: Connection

    def _watch(self) -> None:
        self._socket = self.transport.getHandle()

    def data(self, data: bytes) -> None:
        if self.ended or self.lost or self.broken:
            return
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

    def _broke(self) -> None:
        """The peer sent RST. Reading tells so as well, after what it sent before; look there."""
        self.broken = True
        if self.read_ended:
            self.clock.callLater(0, self._tell_broken)
        elif self._reasons:
            self._reasons.clear()
            self._start_reading()

    def _tell_broken(self) -> None:
        if not self.lost:
            self.owner.pipe_broken(self)

    def unsent(self) -> int:
        if self.broken or not sys.platform.startswith("linux"):
            return int(self.full and not self.broken)
        # SIOCOUTQ, which has the number of TIOCOUTQ: tcp(7).
        held = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        return int(struct.unpack("i", held)[0]) + int(self.full)


class PolledPipe(SocketPipe):
    """A pipe over a plain stream socket that a poller watches, not its transport's reactor."""

    def __init__(
        self, transport: Connection, clock: IReactorTime, owner: PipeOwner, end: LinkProtocol, poller: Poller
    ) -> None:
        self._poller = poller
        self._end = end
        self._intake, self._lane = end.intake()
        #: How many reads in a row have filled the buffer; below 0: how many splices have brought little.
        self._streak = 0
        #: What the kernel holds for this connection, before what `_rest` does.
        self._kernel: KernelPipe | None = None
        self._reading = True
        #: What the kernel has not taken yet.
        self._rest: deque[memoryview] = deque()
        super().__init__(transport, clock, owner)

    def _watch(self) -> None:
        super()._watch()
        self._descriptor = self._socket.fileno()
        self._recv, self._send = self._socket.recv, self._socket.send
        self.transport.pauseProducing()
        self._poller.watch(self._descriptor, self, True, False)

    # Reading.

    def _stop_reading(self) -> None:
        self._reading = False
        if not self.lost:
            self._poller.watch(self._descriptor, self, False, self.full)

    def _start_reading(self) -> None:
        self._reading = True
        self._poller.watch(self._descriptor, self, True, self.full)

    def readable(self) -> None:
        """There is something to read, or an error to be found by reading."""
        if self._streak >= STREAK and self._splice():
            return
        try:
            data = self._recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._die(error)
            return
        if data:
            self._streak = self._streak + 1 if len(data) == READ_SIZE else 0
            self._intake.take(self._lane, data)
        else:
            self._finished()

    def _finished(self) -> None:
        self._stop_reading()
        self._end.readConnectionLost()

    def _splice(self) -> bool:
        """Pass a stream on in the kernel; false if somebody has to see it, or it is none any more."""
        sink = self._intake.splices_to(self._lane)
        pipes = self._poller.pipes
        if pipes is None or sink is None or sink.full:
            return False
        try:
            kernel = pipes.take()
        except OSError:
            # No descriptor is left.
            return False
        try:
            count = kernel.take(self._descriptor)
        except (BlockingIOError, InterruptedError):
            pipes.give_back(kernel)
            return True
        except OSError as error:
            kernel.close()
            self._die(error)
            return True
        if count < LITTLE:
            self._streak -= 1
        else:
            self._streak = 2 * STREAK
        if count:
            self._intake.spliced(self._lane, count)
            sink.take(kernel, pipes)
        else:
            pipes.give_back(kernel)
            self._finished()
        return True

    def gone(self) -> None:
        """The peer is gone, and nothing is read or written at the moment."""
        self._poller.forget(self._descriptor)
        self._end.hung_up()

    def _die(self, error: OSError) -> None:
        self._forget()
        self.transport.connectionLost(Failure(ConnectionLost(str(error))))

    # Writing.

    def data(self, data: bytes) -> None:
        if self.ended or self.lost or self.broken:
            return
        if self.full:
            self._rest.append(memoryview(data))
            return
        try:
            sent = self._send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._broke()
            return
        if sent < len(data):
            self._rest.append(memoryview(data)[sent:])
            self._fill()

    def take(self, kernel: KernelPipe, pipes: PipePool) -> None:
        """Send what is in a pipe of the kernel; nothing else is waiting to be sent."""
        if self.ended or self.lost or self.broken:
            kernel.close()
            return
        try:
            done = kernel.give(self._descriptor)
        except OSError:
            kernel.close()
            self._broke()
            return
        if done:
            pipes.give_back(kernel)
        else:
            self._kernel = kernel
            self._fill()

    def _fill(self) -> None:
        """The kernel takes no more for now."""
        self.full = True
        self._poller.watch(self._descriptor, self, self._reading, True)
        self.owner.pipe_full(self)

    def writable(self) -> None:
        """There is room, or an error to be found by writing."""
        rest = self._rest
        try:
            if self._kernel is not None:
                if not self._kernel.give(self._descriptor):
                    return
                if self._poller.pipes is not None:
                    self._poller.pipes.give_back(self._kernel)
                self._kernel = None
            while rest:
                sent = self._send(rest[0])
                if sent < len(rest[0]):
                    rest[0] = rest[0][sent:]
                    return
                rest.popleft()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop_rest()
            self._poller.watch(self._descriptor, self, self._reading, False)
            self._broke()
            return
        self._poller.watch(self._descriptor, self, self._reading, False)
        self.full = False
        if self.ended and not self.resetting:
            self._half_close()
        self._close_if_done()
        self.owner.pipe_room(self)

    def _drop_rest(self) -> None:
        self._rest.clear()
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None

    # The end.

    def _forget(self) -> None:
        self._reading = False
        self._drop_rest()
        self._poller.forget(self._descriptor)

    def connection_lost(self) -> None:
        super().connection_lost()
        self._forget()

    def _lose(self) -> None:
        self._forget()
        super()._lose()

    def _abort(self) -> None:
        self._forget()
        super()._abort()


def make_pipe(
    transport: Any, clock: IReactorTime, owner: PipeOwner, end: LinkProtocol, poller: Poller | None
) -> Pipe:
    """The fastest pipe that this transport allows.

    :param end: what is told of bytes and of their end, as a transport's protocol is.
    :param poller: None where descriptors cannot be watched.
    """
    if isinstance(transport, Connection) and not transport.TLS:
        if poller is not None:
            return PolledPipe(transport, clock, owner, end, poller)
        return SocketPipe(transport, clock, owner)
    return Pipe(transport, clock, owner)
