"""How a client gets from the listener of the master to a worker, as an open socket.

The master accepts, so that links have numbers in the order in which clients come, are
spread evenly, and everything that an action does to the listener works as ever.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol

from txvaurien.errors import ConfigError
from txvaurien.net.gate import Gate
from txvaurien.proxy import ProxyFactory
from txvaurien.workers import wire

#: How long to wait before a client is offered again that no worker could take, in seconds.
RETRY = 0.01

#: How many clients a worker takes before it looks at its links again.
BATCH = 64

#: Why the gate is paused.
REASON = "workers"


class Taker(Protocol):
    """What takes clients: a worker."""

    def take(self, number: int, client: socket.socket) -> bool:
        """Whether it has; then the socket is closed here."""


class Handing:
    """Gives each client that comes a number, and to a worker.

    :param pick: those that take clients, the best first.
    """

    def __init__(self, clock: IReactorTime, pick: Callable[[], Iterable[Taker]]) -> None:
        self._clock = clock
        self._pick = pick
        self._last = 0
        self._held: deque[tuple[int, socket.socket]] = deque()
        self._call: IDelayedCall | None = None
        #: What is paused while clients are held.
        self.gate: Gate | None = None

    def over(self, client: socket.socket, *_: object) -> None:
        """Somebody has connected. This stands where a listener of Twisted makes its transport."""
        self._last += 1
        self._held.append((self._last, client))
        if self._call is None:
            self.pass_on()

    def pass_on(self) -> None:
        """Give away what is held; if that is not possible, take no more clients for a while."""
        self._cancel()
        while self._held:
            number, client = self._held[0]
            if not any(taker.take(number, client) for taker in self._pick()):
                self._wait()
                return
            self._held.popleft()
        if self.gate is not None:
            self.gate.resume(REASON)

    def drop(self) -> None:
        """End the connections that are held."""
        while self._held:
            self._held.popleft()[1].close()
        self.pass_on()

    def stop(self) -> None:
        """The listener is gone."""
        self.gate = None
        self.drop()

    def _wait(self) -> None:
        self._call = self._clock.callLater(RETRY, self.pass_on)
        if self.gate is not None:
            self.gate.pause(REASON)

    def _cancel(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None


class HandingFactory(ProxyFactory):
    """Serves nobody: every client goes to a worker."""

    def __init__(self) -> None:
        """Without a proxy."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """What Twisted wants to have; it gets no connection."""
        return TwistedProtocol()


def hand_over(listening: Any, factory: HandingFactory, handing: Handing) -> None:
    """Have a listener give its clients away, and not serve them.

    :raises ConfigError: it is of a kind that cannot.
    """
    if not isinstance(listening, tcp.Port) or listening.factory is not factory:
        raise ConfigError(
            "--workers",
            "this listener cannot be shared by processes",
            "listen on host:port or a Unix socket, without TLS, or leave --workers out",
        )
    # The class of the connections it makes. Ours is none, and keeps the socket.
    listener: Any = listening
    listener.transport = handing.over


class ClientReader(FileDescriptor):
    """Receives clients, in a worker.

    :param serve: called with the number of the link and the socket, which it closes; None for a client that
        could not be received, because the limit of open files is reached (the kernel drops it then).
    """

    def __init__(
        self, reactor: Any, sock: socket.socket, serve: Callable[[int, socket.socket | None], None]
    ) -> None:
        super().__init__(reactor)
        self._socket = sock
        self._serve = serve
        sock.setblocking(False)

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    def doRead(self) -> None:
        """Take some clients."""
        self._take(BATCH)

    def drain(self) -> None:
        """Take all clients that there are: what comes next is meant for them, too."""
        self._take(None)

    def _take(self, most: int | None) -> None:
        taken = 0
        while most is None or taken < most:
            try:
                said, descriptors, _, _ = socket.recv_fds(self._socket, wire.CLIENT.size, 1)
            except BlockingIOError:
                return
            number, family = wire.CLIENT.unpack(said)
            taken += 1
            client = socket.socket(family, socket.SOCK_STREAM, 0, descriptors[0]) if descriptors else None
            self._serve(number, client)
