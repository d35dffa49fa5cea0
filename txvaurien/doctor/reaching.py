"""Whether a backend can be reached: its addresses, and connections to each of them."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from txvaurien.doctor.addressing import described_in, path_of
from txvaurien.net.addresses import Backend
from txvaurien.net.names import Place, numeric
from txvaurien.net.peers import host_port

#: How long a server has to take a connection, in seconds.
CONNECT_LIMIT = 3.0

#: What is read of one answer at most, in bytes.
MOST = 1 << 16


@dataclass(frozen=True)
class Attempt:
    """A place that a backend may be at, and how connecting to it went.

    :param seconds: how long that took.
    :param error: why it did not work; ``""`` if it did.
    """

    place: Place
    seconds: float
    error: str = ""

    @property
    def shown(self) -> str:
        """The address as users write it."""
        family, address = self.place
        if family == socket.AF_UNIX:
            return str(address[0])
        return host_port(*address[:2])


def places_of(backend: Backend) -> Sequence[Place] | None:
    """Every address of a backend, in the order in which they are tried; None where that cannot be told.

    :raises OSError: its host cannot be resolved, or this machine does not have the interface that it names.
    """
    path = "" if backend.host else path_of(backend.text)
    if path:
        return [(socket.AF_UNIX, (path,))]
    host, port = backend.host, backend.port
    if not host:
        described = described_in(backend.text)
        host, port = described.host, next(iter(described.ports), 0)
    if not host or not port:
        return None
    known = numeric(host, port)
    if known is not None:
        return known
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


@dataclass(frozen=True)
class Way:
    """How connections to one address of a backend are made.

    :param context: TLS is spoken from the first byte on; None for no TLS.
    :param name: what the server is called, for SNI and for its certificate; ``""`` where it has no name.
    :param header: what comes before everything else: that of the PROXY protocol.
    """

    place: Place
    context: ssl.SSLContext | None = None
    name: str = ""
    header: bytes = b""

    def connect(self, limit: float = CONNECT_LIMIT) -> socket.socket:
        """A new connection, with TLS where there is to be TLS.

        :raises OSError: there is none to be had (`ssl.SSLError` among that).
        """
        family, address = self.place
        sock = self.opened()
        try:
            sock.settimeout(limit)
            sock.connect(address[0] if family == socket.AF_UNIX else address)
            if family != socket.AF_UNIX and sock.getsockname() == sock.getpeername():
                # The kernel gave it the very port to which it connects (RFC 9293, section 3.5).
                raise ConnectionRefusedError("nobody listens there")
            sock.sendall(self.header)
            return sock if self.context is None else self._secured(sock, self.context)
        except BaseException:
            sock.close()
            raise

    def opened(self) -> socket.socket:
        """A socket that is not connected yet."""
        return socket.socket(self.place[0], socket.SOCK_STREAM)

    def _secured(self, sock: socket.socket, context: ssl.SSLContext) -> socket.socket:
        return context.wrap_socket(sock, server_hostname=self.name or None)

    @contextmanager
    def talk(self) -> Iterator[Talk]:
        """A connection for one probe; it is closed at the end.

        :raises OSError: there is none to be had.
        """
        sock = self.connect()
        try:
            yield Talk(sock)
        finally:
            sock.close()


class Talk:
    """A conversation with a server, each step of which has a limit in time and in bytes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        #: Whether the server has closed the connection.
        self.over = False

    def say(self, data: bytes) -> None:
        """Send it, if the server still listens."""
        try:
            self._sock.sendall(data)
        except OSError:
            self.over = True

    def hear(self, limit: float, *, ends: bytes = b"", size: int = 1) -> bytes:
        """What comes until it has so many bytes and contains `ends`, or the time is up.

        :param limit: seconds for all of it.
        """
        heard, deadline = b"", time.monotonic() + limit
        while not self.over and (len(heard) < size or ends not in heard) and len(heard) < MOST:
            more = self._some(deadline - time.monotonic())
            if not more:
                break
            heard += more
        return heard

    def exactly(self, size: int, limit: float) -> bytes:
        """So many bytes and no more; fewer if the time is up or the server has closed."""
        heard, deadline = b"", time.monotonic() + limit
        while not self.over and len(heard) < size:
            more = self._some(deadline - time.monotonic(), size - len(heard))
            if not more:
                break
            heard += more
        return heard

    def _some(self, limit: float, size: int = MOST) -> bytes:
        if limit <= 0:
            return b""
        self._sock.settimeout(limit)
        try:
            data = self._sock.recv(size)
        except TimeoutError:
            return b""
        except OSError:
            data = b""
        self.over = not data
        return data


def explain(problem: OSError) -> str:
    """Why there is no connection, in a word or two."""
    if isinstance(problem, TimeoutError):
        return f"no answer within {CONNECT_LIMIT:g} seconds"
    if isinstance(problem, ConnectionRefusedError):
        return "refused"
    return (problem.strerror or str(problem)).lower()
