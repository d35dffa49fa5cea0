"""Taking clients from a listening socket without a transport for each.

What Twisted makes of a client that comes costs more than all that happens on a short link. So where
a plain socket is listened on, and a poller watches links, the port gives the bare sockets away.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txvaurien.net.descriptors import exhausted
from txvaurien.net.peers import client_text
from txvaurien.net.seldom import Seldom

#: By how many more clients are taken at once the next time, if there were as many as could be.
MORE = 20

log = Logger()

#: Gets the socket of a client, not blocking, and the client's address as text.
Serve = Callable[[socket.socket, str], None]


class Accepting:
    """Stands where a port accepts. All else is the port's, and so is how many are taken at once.

    :param port: a `tcp.Port`, of TCP or of a Unix socket, that listens.
    """

    def __init__(self, port: Any, clock: IReactorTime, serve: Serve) -> None:
        self._port = port
        self._serve = serve
        #: While the port has another one (`Gate.hear`), that has a say in who is served.
        self._factory = port.factory
        self._accept_as_twisted = port.doRead
        self._may_complain = Seldom(clock)
        port.doRead = self.take

    def take(self) -> None:
        """Take the clients that wait, or as many of them as the port takes at once."""
        port, taken = self._port, 0
        most = port.numberAccepts
        accept = port.socket.accept
        while taken < most:
            try:
                client, address = accept()
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._complain(error)
                # It can do something about it: let a client in for just as long as it takes to end it.
                self._accept_as_twisted()
                return
            taken += 1
            self._welcome(client, address)
        port.numberAccepts = most + MORE if taken == most else max(1, taken)

    def _welcome(self, client: socket.socket, address: Any) -> None:
        try:
            if self._port.factory is not self._factory and not self._is_let_in(address):
                client.close()
                return
            client.setblocking(False)
            if isinstance(address, tuple):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(client, client_text(address))
        except Exception:
            log.failure("a client could not be served")
            client.close()

    def _is_let_in(self, address: Any) -> bool:
        kind = IPv6Address if self._port.socket.family is socket.AF_INET6 else IPv4Address
        return self._port.factory.buildProtocol(kind("TCP", *address[:2])) is not None

    def _complain(self, error: OSError) -> None:
        """Say why clients are not taken, but not for every one of them."""
        why = exhausted(error)
        if why and self._may_complain():
            log.warn("a client cannot be taken: {why}", why=why)


def accepts_itself(port: Any, factory: object) -> bool:
    """Whether a port has plain sockets, and nothing between them and this factory."""
    return isinstance(port, tcp.Port) and port.factory is factory
