"""One side of a link: bytes out at once, back-pressure, and the ways a connection ends.

`Pipe` is what all of them have in common. `txvaurien.net.transportpipe` has those over transports
of Twisted's, `txvaurien.net.polled` the one that needs none.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

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
