"""Keeping the accept queue of a listening socket full, so that the kernel drops further SYNs.

Not accepting is not enough: the kernel goes on completing handshakes until the
queue is full. With a backlog of 0 the queue of Linux has room for one
connection; `Plug` makes that connection itself. What the queue holds and how
much it may hold is read from TCP_INFO, where the two fields that count packets
mean this for a socket that listens (``tcpi_unacked`` and ``tcpi_sacked`` of
tcp(7), in the order of ``linux/tcp.h``).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from txvaurien.net.sockets import INTERNET, reset_on_close

#: How long our own connection may take, in seconds; and how often it is looked at.
FILL_TIME = 0.5
FILL_POLL = 0.005

#: Where the two lengths are in struct tcp_info, behind eight octets and four words.
_LENGTHS = struct.Struct("=24xII")


def can_plug(family: int) -> bool:
    """Whether the queue of a listening socket of this address family can be kept full."""
    return sys.platform.startswith("linux") and family in INTERNET


def queue_of(listening: socket.socket) -> tuple[int, int]:
    """How many connections wait in the queue of a listening socket, and its backlog."""
    raw = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LENGTHS.size)
    queued, limit = _LENGTHS.unpack(raw)
    return int(queued), int(limit)


class Plug:
    """What fills the queue of one listening socket.

    :ivar limit: the backlog that the socket had.
    """

    def __init__(self, listening: socket.socket, clock: IReactorTime) -> None:
        self._listening = listening
        self._clock = clock
        self._fillers: list[socket.socket] = []
        self._pulled = False
        self.limit = queue_of(listening)[1]

    @property
    def full(self) -> bool:
        """Whether the kernel drops SYNs."""
        queued, limit = queue_of(self._listening)
        return queued > limit

    async def fill(self) -> None:
        """Returns when the queue is full, or our own SYN has gone unanswered for `FILL_TIME`.

        :raises OSError: no connection can be made to the port.
        """
        self._listening.listen(0)
        by = self._clock.seconds() + FILL_TIME
        waiting = None
        while not (self._pulled or self.full) and self._clock.seconds() < by:
            if waiting is None:
                waiting = self._connect()
            else:
                await deferLater(self._clock, FILL_POLL)
            if _connected(waiting):
                waiting = None

    def _connect(self) -> socket.socket:
        filler = socket.socket(self._listening.family, socket.SOCK_STREAM)
        self._fillers.append(filler)
        filler.setblocking(False)
        # Reset, not closed, and so with nothing left of it.
        reset_on_close(filler)
        code = filler.connect_ex(_reachable(self._listening.getsockname()))
        if code not in {0, errno.EINPROGRESS}:
            raise OSError(code, os.strerror(code))
        return filler

    def pull(self) -> frozenset[tuple[str, int]]:
        """Take our connections away. Those that got into the queue still fill it, until somebody accepts.

        :return: the addresses from which they came.
        """
        self._pulled = True
        ours = frozenset(_name(*filler.getsockname()[:2]) for filler in self._fillers)
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        return ours

    def restore(self) -> None:
        """Give the socket its backlog again."""
        self._listening.listen(self.limit)


@implementer(IProtocolFactory)
class WithoutFillers:
    """Another factory, for all connections but our own."""

    def __init__(self, factory: IProtocolFactory, fillers: frozenset[tuple[str, int]]) -> None:
        self._factory = factory
        self._fillers = fillers
        self.doStart = factory.doStart
        self.doStop = factory.doStop

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """None for our own, which closes them."""
        address: Any = addr
        if _name(address.host, address.port) in self._fillers:
            return None
        built: IProtocol | None = self._factory.buildProtocol(addr)
        return built


def _connected(filler: socket.socket) -> bool:
    code = filler.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    try:
        filler.getpeername()
    except OSError:
        return False
    return True


def _reachable(address: tuple[Any, ...]) -> tuple[Any, ...]:
    """Where to connect to what listens at `address`, which may be every address."""
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return (loopback.get(address[0], address[0]), *address[1:])


def _name(host: str, port: int) -> tuple[str, int]:
    """Host and port, without the zone that only some functions give to an IPv6 address."""
    return host.partition("%")[0], port
