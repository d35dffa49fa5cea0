"""Connecting to a backend without a transport: a socket, and the poller to say when it is connected.

What an endpoint of Twisted does for a connection costs more than all that follows it on a short
link. Several addresses are tried as RFC 8305 has it (Happy Eyeballs), in a simple form: the next
one when the one before has failed, or has taken its time, and the first that is there is taken.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.error import TimeoutError, getConnectError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.posixbase import PosixReactorBase

from txvaurien.net.names import Place
from txvaurien.net.poller import Poller
from txvaurien.net.reach import Refusal, Way

#: How long an address is tried before the next one is tried as well, in seconds (RFC 8305, section 5).
ATTEMPT_DELAY = 0.25

_CONNECTED = frozenset({0, errno.EISCONN})
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EALREADY})


def makes_sockets(reactor: Any) -> bool:
    """Whether this is a reactor of Twisted's that connects sockets; one in memory plays the network."""
    return isinstance(reactor, PosixReactorBase)


class Caller(Protocol):
    """Who wants a connection."""

    def connected(self, whose: Any, sock: socket.socket) -> None:
        """Here it is, not blocking."""

    def failed(self, whose: Any, error: Exception) -> None:
        """It is not to be had."""


class Connecting:
    """One attempt to connect to whichever of several addresses takes the connection.

    :param whose: what `caller` knows it by.
    :param timeout: seconds for all of it.
    :param way: what it may lead to; None for anything.
    """

    __slots__ = (
        "_caller",
        "_clock",
        "_error",
        "_limit",
        "_next",
        "_over",
        "_places",
        "_poller",
        "_timeout",
        "_trials",
        "_way",
        "_whose",
    )

    def __init__(
        self,
        caller: Caller,
        whose: Any,
        poller: Poller,
        clock: IReactorTime,
        timeout: float,
        way: Way | None = None,
    ) -> None:
        self._caller = caller
        self._whose = whose
        self._poller = poller
        self._clock = clock
        self._timeout = timeout
        self._way = way
        self._places: list[Place] = []
        self._trials: list[_Trial] = []
        self._error: Exception | None = None
        self._limit: IDelayedCall | None = None
        self._next: IDelayedCall | None = None
        self._over = False

    def wait(self) -> None:
        """Let the time count; the addresses come later."""
        self._limit = self._clock.callLater(self._timeout, self._too_late)

    def begin(self, places: Sequence[Place]) -> bool:
        """Try these addresses, in order; whether that takes longer than this call."""
        if not self._over:
            self._places = list(places)
            self._try_next()
        return not self._over

    def cancel(self) -> None:
        """Nobody wants it any more; the caller is told nothing."""
        self._end()

    def fail(self, error: Exception) -> None:
        """It cannot be done."""
        if not self._over:
            self._end()
            self._caller.failed(self._whose, error)

    def _try_next(self) -> None:
        self._next = None
        while self._places and not self._try(*self._places.pop(0)):
            pass
        if self._over:
            return
        if not self._trials:
            self.fail(self._error or TimeoutError())
            return
        if self._limit is None:
            self.wait()
        if self._places:
            self._next = self._clock.callLater(ATTEMPT_DELAY, self._try_next)

    def _try(self, family: int, address: tuple[Any, ...]) -> bool:
        """Whether there is a connection, or may be one."""
        why_not = None if self._way is None else self._way.may_connect(*address[:2])
        if why_not is not None:
            self._note(Refusal(why_not))
            return False
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            self._note(error)
            return False
        try:
            code = _begin(sock, address)
            if code in _UNDER_WAY:
                trial = _Trial(self, sock)
                self._poller.watch(sock.fileno(), trial, False, True)
                self._trials.append(trial)
                return True
        except OSError as error:
            sock.close()
            self._note(error)
            return False
        if code not in _CONNECTED:
            sock.close()
            self._note(connect_error(code))
            return False
        self._won(sock)
        return True

    def _note(self, error: Exception) -> None:
        # Of the first address is said what was wrong: it is the one that was meant.
        self._error = self._error or error

    def ready(self, trial: _Trial) -> None:
        """One of the sockets is connected, or will never be."""
        code = trial.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _checked(trial.sock)
        self._trials.remove(trial)
        if not code:
            self._won(trial.sock)
            return
        trial.close(self._poller)
        self._note(connect_error(code))
        if self._next is not None:
            self._next.cancel()
        if self._places or not self._trials:
            self._try_next()

    def _won(self, sock: socket.socket) -> None:
        self._end()
        self._caller.connected(self._whose, sock)

    def _too_late(self) -> None:
        self._limit = None
        self.fail(TimeoutError(string=f"no connection within {self._timeout:g} seconds"))

    def _end(self) -> None:
        self._over = True
        for call in (self._limit, self._next):
            if call is not None:
                call.cancel()
        self._limit = self._next = None
        while self._trials:
            self._trials.pop().close(self._poller)


class _Trial:
    """A socket that is being connected."""

    __slots__ = ("_connecting", "sock")

    def __init__(self, connecting: Connecting, sock: socket.socket) -> None:
        self._connecting = connecting
        self.sock = sock

    def writable(self) -> None:
        """It is connected, or will never be."""
        self._connecting.ready(self)

    readable = gone = writable

    def failed(self, error: Exception) -> None:
        """Nobody knows what became of it."""
        self._connecting.fail(error)

    def close(self, poller: Poller) -> None:
        """Nobody wants it."""
        poller.forget(self.sock.fileno())
        poller.afterwards(self.sock.close)


def connect_error(code: int) -> Exception:
    """What Twisted calls this error of connect(2)."""
    error: Exception = getConnectError((code, os.strerror(code)))
    return error


def _begin(sock: socket.socket, address: tuple[Any, ...]) -> int:
    """Begin to connect; the number of the error that says how far it is."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = sock.connect_ex(address)
    if code in _UNDER_WAY:
        # On the same machine it is done by now, and asking costs less than being told.
        code = sock.connect_ex(address)
    # The ports differ, nearly always, and to ask for more of it takes longer.
    return _checked(sock) if code in _CONNECTED and sock.getsockname()[1] == address[1] else code


def _checked(sock: socket.socket) -> int:
    """Nobody listens where a socket is connected to itself; 0 for all others.

    The kernel may give it just the port to which it connects, if that is one of those for clients and
    nobody has it; then its SYN meets itself (RFC 9293, section 3.5, simultaneous open).
    """
    try:
        return errno.ECONNREFUSED if sock.getsockname() == sock.getpeername() else 0
    except OSError:
        # The peer has reset it already; reading tells.
        return 0
