"""Pipes over plain sockets that a poller watches: reading, writing and splicing without a transport."""

from __future__ import annotations

import socket
from collections import deque
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.tcp import Connection

from txvaurien.net.pipe import Pipe
from txvaurien.net.pipeowner import Intake, PipeOwner
from txvaurien.net.poller import Poller
from txvaurien.net.sockets import reset_on_close, send_at_once
from txvaurien.net.splicing import KernelPipe, PipePool
from txvaurien.net.transportpipe import SocketPipe, TransportPipe

#: How much is read at once.
READ_SIZE = 65536

#: After so many reads that filled the buffer a stream is spliced, where nobody has to see
#: it; after twice as many splices that brought little it is read again.
STREAK = 4
LITTLE = 16384


class PolledPipe(Pipe):
    """A plain stream socket that a poller watches. There is no transport: the socket is the pipe's own.

    :param sock: connected, not blocking, and with TCP_NODELAY if it is of TCP.
    """

    __slots__ = (
        "_descriptor",
        "_kernel",
        "_poller",
        "_reading",
        "_rest",
        "_socket",
        "_streak",
    )

    def __init__(
        self,
        sock: socket.socket,
        clock: IReactorTime,
        owner: PipeOwner,
        intake: Intake,
        lane: Any,
        poller: Poller,
    ) -> None:
        super().__init__(clock, owner, intake, lane)
        self._socket = sock
        #: -1 when it is not used any more.
        self._descriptor = sock.fileno()
        self._poller = poller
        #: How many reads in a row have filled the buffer; below 0: how many splices have brought little.
        self._streak = 0
        #: What the kernel holds for this connection, before what `_rest` does.
        self._kernel: KernelPipe | None = None
        self._reading = True
        #: What the kernel has not taken yet.
        self._rest: deque[memoryview] | None = None
        poller.watch(self._descriptor, self, True, False)

    # Reading.

    def _watch(self) -> None:
        if self._descriptor >= 0:
            self._poller.watch(self._descriptor, self, self._reading, self.full)

    def _stop_reading(self) -> None:
        self._reading = False
        self._watch()

    def _start_reading(self) -> None:
        self._reading = True
        self._watch()

    def readable(self) -> None:
        """There is something to read, or an error to be found by reading."""
        if self._streak >= STREAK and self._splice():
            return
        try:
            data = self._socket.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._die()
            return
        if data:
            self._streak = self._streak + 1 if len(data) == READ_SIZE else 0
            self.intake.take(self.lane, data)
        else:
            self._finished()

    def _finished(self) -> None:
        self._reading = False
        self.owner.pipe_finished(self)
        # That was often the end of it, and nothing need be said to the kernel.
        self._watch()

    def _splice(self) -> bool:
        """Pass a stream on in the kernel; false if somebody has to see it, or it is none any more."""
        sink = self.intake.splices_to(self.lane)
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
        except OSError:
            kernel.close()
            self._die()
            return True
        if count < LITTLE:
            self._streak -= 1
        else:
            self._streak = 2 * STREAK
        if count:
            self.intake.spliced(self.lane, count)
            sink.take(kernel, pipes)
        else:
            pipes.give_back(kernel)
            self._finished()
        return True

    def gone(self) -> None:
        """The peer is gone, and nothing is read or written at the moment."""
        self._poller.forget(self._descriptor)
        if self.owner.pipe_hung_up(self) and self._was_reset():
            self._die()

    def _was_reset(self) -> bool:
        # It looks the same when both have said FIN, or a peer with a Unix socket has closed it (EPOLLHUP):
        # then what was said before is still to be read, and counts.
        return self.broken or self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def failed(self, error: Exception) -> None:
        """What came was not handled to its end. Better no link than one on which a side waits for ever."""
        if not self.lost:
            self.owner.pipe_broken(self)

    def _die(self) -> None:
        """There is no connection any more."""
        self._poller.afterwards(self._socket.close)
        self.owner.pipe_lost(self, True)

    # Writing.

    def data(self, data: bytes) -> None:
        if self.ended or self.lost or self.broken:
            return
        self.sent += len(data)
        if self.full:
            self._keep(memoryview(data))
            return
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._broke()
            return
        if sent < len(data):
            self._keep(memoryview(data)[sent:])
            self._fill()

    def _keep(self, rest: memoryview) -> None:
        if self._rest is None:
            self._rest = deque()
        self._rest.append(rest)

    def take(self, kernel: KernelPipe, pipes: PipePool) -> None:
        """Send what is in a pipe of the kernel; nothing else is waiting to be sent."""
        if self.ended or self.lost or self.broken:
            kernel.close()
            return
        self.sent += kernel.held
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
        self._watch()
        self.owner.pipe_full(self)

    def writable(self) -> None:
        """There is room, or an error to be found by writing."""
        try:
            if not self._send_rest():
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop_rest()
            self._poller.watch(self._descriptor, self, self._reading, False)
            self._broke()
            return
        self.full = False
        self._watch()
        if self.ended and not self.resetting:
            self._half_close()
        self._close_if_done()
        self.owner.pipe_room(self)

    def _send_rest(self) -> bool:
        """Whether all that waited has been sent.

        :raises OSError: the kernel takes no more, or the peer has reset the connection.
        """
        if self._kernel is not None:
            if not self._kernel.give(self._descriptor):
                return False
            if self._poller.pipes is not None:
                self._poller.pipes.give_back(self._kernel)
            self._kernel = None
        rest = self._rest
        while rest:
            sent = self._socket.send(rest[0])
            if sent < len(rest[0]):
                rest[0] = rest[0][sent:]
                return False
            rest.popleft()
        self._rest = None
        return True

    def _drop_rest(self) -> None:
        self._rest = None
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None

    def unsent(self) -> int:
        return self._unsent_of(self._socket)

    def _half_close(self) -> None:
        # What the kernel does not know of is sent first.
        if self.full:
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            # It is not connected any more; reading tells.
            return

    # The end.

    def _forget(self) -> None:
        self._reading = False
        self._drop_rest()
        if self._descriptor >= 0:
            self._poller.forget(self._descriptor)
            self._descriptor = -1

    def connection_lost(self) -> None:
        super().connection_lost()
        self._forget()

    def _lose(self) -> None:
        self._stop_timer()
        self._forget()
        self._poller.afterwards(self._closed)

    def _abort(self) -> None:
        self._stop_timer()
        self._forget()
        with suppress(OSError):
            reset_on_close(self._socket)
        self._poller.afterwards(self._aborted)

    def _closed(self) -> None:
        self._gone(False)

    def _aborted(self) -> None:
        self._gone(True)

    def _gone(self, reset: bool) -> None:
        if not self.lost:
            self._socket.close()
            self.owner.pipe_lost(self, reset)


def make_polled(
    sock: socket.socket, clock: IReactorTime, lane: Any, poller: Poller, owner: PipeOwner, intake: Intake
) -> Pipe:
    """A `PolledPipe`, for whoever knows last whose it is."""
    return PolledPipe(sock, clock, owner, intake, lane, poller)


def make_pipe(
    transport: Any,
    clock: IReactorTime,
    owner: PipeOwner,
    intake: Intake,
    lane: Any,
    poller: Poller | None,
) -> Pipe:
    """The fastest pipe that this transport allows.

    :param intake: what takes the bytes of `lane` in, where nothing is between it and the socket.
    :param poller: None where descriptors cannot be watched.
    """
    if isinstance(transport, Connection) and not transport.TLS:
        if poller is None:
            return SocketPipe(transport, clock, owner, intake, lane)
        # Nobody but the reactor knows this transport, and soon nobody: its socket is all that is needed.
        transport.stopReading()
        sock = transport.getHandle()
        send_at_once(sock)
        return PolledPipe(sock, clock, owner, intake, lane, poller)
    return TransportPipe(transport, clock, owner, intake, lane)
