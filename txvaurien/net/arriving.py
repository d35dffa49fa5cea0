"""Clients that say first for whom they come (``--accept-proxy``): they are no links before that is known."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from txvaurien.net.poller import Poller
from txvaurien.net.proxyheader import LONGEST, Header, HeaderError, read_header

_LEFT = "it has left before its PROXY protocol header was complete"


def _too_late(timeout: float) -> str:
    return f"it has not sent its PROXY protocol header within {timeout:g} seconds"


#: Gets a client whose header has been read, and nothing of what comes behind that.
LetIn = Callable[[socket.socket, Header], None]
#: Gets a client that has none, and why; its socket is closed.
TurnAway = Callable[[str], None]


#: Gets a header, and what has come behind it.
Read = Callable[[Header, bytes], None]


class HeaderWait:
    """Waits for a header that is given to it piece by piece, as a transport of Twisted's does.

    :param timeout: seconds that it may take.
    """

    def __init__(self, clock: IReactorTime, timeout: float, read: Read, turn_away: TurnAway) -> None:
        self._read = read
        self._turn_away = turn_away
        self._got = b""
        self._limit = clock.callLater(timeout, turn_away, _too_late(timeout))

    def data(self, data: bytes) -> None:
        """Bytes came."""
        self._got += data
        try:
            header = read_header(self._got)
        except HeaderError as error:
            self._end(str(error))
            return
        if header is not None:
            self._limit.cancel()
            self._read(header, self._got[header.size :])

    def left(self) -> None:
        """The client has left."""
        self._end(_LEFT)

    def _end(self, why: str) -> None:
        if self._limit.active():
            self._limit.cancel()
            self._turn_away(why)


class Arrivals:
    """The clients that have not said yet for whom they come.

    :param timeout: seconds that a header may take.
    """

    def __init__(self, poller: Poller, clock: IReactorTime, timeout: float) -> None:
        self.poller = poller
        self._clock = clock
        self._timeout = timeout
        self._here: set[Arrival] = set()

    def ask(self, sock: socket.socket, let_in: LetIn, turn_away: TurnAway) -> None:
        """Wait for the header of a client; the socket does not block.

        :raises OSError: the socket cannot be watched.
        """
        arrival = Arrival(self, sock, let_in, turn_away)
        self.poller.watch(sock.fileno(), arrival, True, False)
        arrival.limit = self._clock.callLater(self._timeout, arrival.turn_away, _too_late(self._timeout))
        self._here.add(arrival)

    def gone(self, arrival: Arrival) -> None:
        """It is one no longer."""
        self._here.discard(arrival)

    def stop(self) -> None:
        """Send all of them away."""
        for each in list(self._here):
            each.turn_away("stopped")


class Arrival:
    """Reads the header from a plain socket, and not a byte of what comes behind it."""

    __slots__ = ("_arrivals", "_got", "_let_in", "_over", "_sock", "_turn_away", "limit")

    def __init__(self, arrivals: Arrivals, sock: socket.socket, let_in: LetIn, turn_away: TurnAway) -> None:
        self._arrivals = arrivals
        self._sock = sock
        self._let_in = let_in
        self._turn_away = turn_away
        self._got = b""
        self._over = False
        self.limit: Any = None

    def readable(self) -> None:
        """Something has come."""
        try:
            seen = self._sock.recv(LONGEST, socket.MSG_PEEK)
            header = read_header(self._got + seen) if seen else None
            # A part of a header is that and no more: it is taken, for else it would be shown again at once.
            size = len(seen) if header is None else header.size - len(self._got)
            self._got += self._sock.recv(size)
        except (BlockingIOError, InterruptedError):
            return
        except HeaderError as error:
            self.turn_away(str(error))
        except OSError:
            self.turn_away(_LEFT)
        else:
            if not seen:
                self.turn_away(_LEFT)
            elif header is not None:
                self._forget()
                self._let_in(self._sock, header)

    def writable(self) -> None:
        """Nothing is written."""

    def gone(self) -> None:
        """The client has reset the connection."""
        self.turn_away(_LEFT)

    def failed(self, error: Exception) -> None:
        """What came could not be handled; the log has why."""
        self.turn_away(str(error))

    def turn_away(self, why: str) -> None:
        """This is no client; its socket is closed."""
        if not self._over:
            self._forget()
            self._arrivals.poller.afterwards(self._sock.close)
            self._turn_away(why)

    def _forget(self) -> None:
        self._over = True
        if self.limit.active():
            self.limit.cancel()
        self._arrivals.poller.forget(self._sock.fileno())
        self._arrivals.gone(self)
