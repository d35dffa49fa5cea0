"""Pipes over plain sockets that a poller watches: reading, writing and splicing without a transport."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

from txvaurien.pipe import Pipe, PipeOwner, SocketPipe
from txvaurien.poller import Poller
from txvaurien.splicing import KernelPipe, PipePool

#: How much is read at once.
READ_SIZE = 65536

#: After so many reads that filled the buffer a stream is spliced, where nobody has to see
#: it; after twice as many splices that brought little it is read again.
STREAK = 4
LITTLE = 16384


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
