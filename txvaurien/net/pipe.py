"""One side of a link: bytes out at once, back-pressure, and the ways a connection ends.

`Pipe` is what all of them have in common. `TransportPipe` works over any ITransport.
`SocketPipe` is for those that are plain stream sockets: it tries ``send`` right away and
gives the transport only what the kernel did not take, which halves the cost of a message.
`txvaurien.net.polled` has the one that needs no transport at all.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableDescriptor,
    IPullProducer,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from zope.interface import implementer

from txvaurien.net.pipeowner import Intake, PipeOwner

#: How long a side that was closed is still read, in seconds. Closing a socket with
#: unread input makes the kernel send RST, and the last reply would be lost.
DRAIN_TIME = 2.0

#: How long a reset waits for what was sent before it, in seconds, and how often it looks.
RESET_WAIT = 1.0
RESET_POLL = 0.005


#: Nothing keeps a pipe from reading.
_NONE: frozenset[str] = frozenset()


class Pipe:
    """A connection, as the link sees it. How it is written and read is up to the subclass."""

    __slots__ = (
        "_reasons",
        "_reset_by",
        "_timer",
        "broken",
        "clock",
        "closing",
        "ended",
        "full",
        "intake",
        "lane",
        "lost",
        "owner",
        "read_ended",
        "resetting",
        "sent",
    )

    def __init__(self, clock: IReactorTime, owner: PipeOwner, intake: Intake, lane: Any) -> None:
        self.clock = clock
        self.owner = owner
        #: What takes the bytes in that come, and for which lane.
        self.intake = intake
        self.lane = lane
        #: Bytes wait to be sent.
        self.full = False
        #: How many bytes it was given to send.
        self.sent = 0
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
        self._reasons = _NONE
        self._timer: IDelayedCall | None = None
        self._reset_by = 0.0

    # Writing.

    def data(self, data: bytes) -> None:
        """Send bytes, in order."""
        raise NotImplementedError

    def preface(self, data: bytes) -> None:
        """Send bytes before anything else, and as they are, even if the rest is said in TLS."""
        self.data(data)
        self.sent -= len(data)

    def end(self) -> None:
        """Send FIN after what was written; the other direction stays open."""
        if not (self.ended or self.lost):
            self.ended = True
            self._half_close()

    def _half_close(self) -> None:
        """Send FIN."""
        raise NotImplementedError

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
        if not (self._close_if_done() or self.lost):
            self._timer = self.clock.callLater(drain, self._drained)

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
        self._reasons |= {reason}

    def resume(self, reason: str) -> None:
        """Take one reason not to read away."""
        if reason in self._reasons:
            self._reasons -= {reason}
            if not self._reasons and not (self.read_ended or self.lost or self.resetting):
                self._start_reading()

    def _stop_reading(self) -> None:
        raise NotImplementedError

    def _start_reading(self) -> None:
        raise NotImplementedError

    # What becomes of the connection.

    def fin_received(self) -> None:
        """The peer said FIN."""
        self.read_ended = True
        self._close_if_done()

    def connection_lost(self) -> None:
        """The connection is gone."""
        self.lost = True
        self._stop_timer()

    def read_on(self) -> None:
        """Read again, whatever there was not to."""
        if self._reasons:
            self._reasons = _NONE
            if not self.read_ended:
                self._start_reading()

    def _close_if_done(self) -> bool:
        done = self.closing and not self.resetting and self.read_ended and not self.full
        if done:
            self._lose()
        return done

    def _hurry(self, drain: float) -> None:
        by = self.clock.seconds() + drain
        self._reset_by = min(self._reset_by, by)
        if not self.resetting and self._timer is not None and self._timer.getTime() > by:
            self._timer.reset(drain)

    def _drained(self) -> None:
        """The peer has not said FIN in time."""
        self._timer = None
        if self.full:
            self._abort()
        else:
            self._lose()

    def _lose(self) -> None:
        """Close: all is sent, and what comes is not wanted."""
        raise NotImplementedError

    def _abort(self) -> None:
        """Close with RST."""
        raise NotImplementedError

    def _reset_when_sent(self) -> None:
        self._timer = None
        if self.clock.seconds() >= self._reset_by or self.unsent() == 0:
            self._abort()
        else:
            self._timer = self.clock.callLater(RESET_POLL, self._reset_when_sent)

    def unsent(self) -> int:
        """How many bytes the peer has not acknowledged, as far as one can know."""
        return int(self.full)

    def _unsent_of(self, sock: socket.socket) -> int:
        if self.broken or not sys.platform.startswith("linux"):
            return int(self.full and not self.broken)
        # SIOCOUTQ, which has the number of TIOCOUTQ: tcp(7).
        held = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        return int(struct.unpack("i", held)[0]) + int(self.full)

    def _broke(self) -> None:
        """The peer sent RST. Reading tells so as well, after what it sent before; look there."""
        self.broken = True
        if self.read_ended:
            self.clock.callLater(0, self._tell_broken)
        elif self._reasons:
            self._reasons = _NONE
            self._start_reading()

    def _tell_broken(self) -> None:
        if not self.lost:
            self.owner.pipe_broken(self)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


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
