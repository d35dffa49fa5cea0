"""What a listener can do besides listening: let nobody in, one by one, or not be there at all.

A `Gate` stands over the IListeningPort that serves a proxy. Only the actions of
the proxy (`txvaurien.actions`) use it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IReactorTime
from twisted.python.failure import Failure

from txvaurien.errors import ConfigError, ListenError
from txvaurien.net.plug import Plug, WithoutFillers, can_plug, queue_of
from txvaurien.net.sockets import INTERNET

#: More connections than any queue of the kernel holds: take all that there are.
_ALL = 1 << 20


class Gate:
    """The listener of one proxy.

    :param inherited: the socket was opened by somebody else (systemd), who has it too.
    :param explain: makes the error of a failure to listen.
    :ivar address: where it listens, also while it does not.
    """

    def __init__(
        self,
        port: IListeningPort,
        clock: IReactorTime,
        *,
        inherited: bool = False,
        explain: Callable[[Failure], ListenError],
    ) -> None:
        self._port: Any = port
        self._clock = clock
        self._inherited = inherited
        self._explain = explain
        self.address: IAddress = port.getHost()
        #: Why connections are not taken as they come.
        self._reasons: set[str] = set()
        self._plug: Plug | None = None
        self._deaf = False
        self._place: _Place | None = None
        self._kind_of_place = _SharedPlace if inherited else _Place
        #: Opening and closing take a turn of the reactor.
        self._turn = DeferredLock()
        #: It has been stopped for good.
        self._over = False

    @property
    def listening(self) -> bool:
        """Whether the port is open."""
        return not (self._over or self._place)

    # One by one.

    def pause(self, reason: str) -> None:
        """Take no connection until every reason is gone; the kernel queues them meanwhile.

        :raises ConfigError: it is not a listener of Twisted's own on a stream socket.
        """
        if not isinstance(self._port, tcp.Port):
            raise ConfigError(
                reason,
                "this listener does not let itself be paused",
                "listen on host:port, or on another endpoint of Twisted's own",
            )
        self._reasons.add(reason)
        self._follow()

    def resume(self, reason: str) -> None:
        """Take one reason away."""
        self._reasons.discard(reason)
        self._follow()

    def accept_one(self) -> None:
        """Take one connection of those that wait, if there are any."""
        if self.listening and not self._deaf:
            self._port.numberAccepts = 1
            self._port.doRead()

    def _follow(self) -> None:
        if not self.listening or not isinstance(self._port, tcp.Port):
            return
        if self._reasons:
            self._port.stopReading()
        else:
            self._port.startReading()

    # Deaf.

    async def deafen(self) -> None:
        """Leave further SYNs unanswered; returns when that is so.

        :raises ConfigError: it is no TCP port, this is not Linux, or the proxy cannot
            connect to its own port.
        """
        if not (isinstance(self._port, tcp.Port) and can_plug(self._port.addressFamily)):
            raise ConfigError(
                "deaf",
                "only a listener on a plain TCP port can be deaf, and only on Linux",
                "listen on host:port, or use disable",
            )
        self._deaf = True
        self.pause("deaf")
        await self._put_plug()

    async def _put_plug(self) -> None:
        if not self.listening:
            return
        self._plug = Plug(self._port.socket, self._clock)
        try:
            await self._plug.fill()
        except OSError as error:
            self.hear()
            raise ConfigError(
                "deaf",
                f"the proxy cannot connect to its own port, to keep its queue full ({error.strerror})",
                "see what filters connections of this machine to itself",
            ) from error

    def hear(self) -> None:
        """The opposite of `deafen`; real clients that got into the queue are served."""
        self._deaf = False
        plug, self._plug = self._plug, None
        if plug is not None and self.listening:
            fillers = plug.pull()
            plug.restore()
            # All at once: only now is it certain which of them are ours.
            self._accept_all(fillers)
        self.resume("deaf")

    def _accept_all(self, fillers: frozenset[tuple[str, int]]) -> None:
        factory: IProtocolFactory = self._port.factory
        self._port.factory = WithoutFillers(factory, fillers)
        self._port.numberAccepts = _ALL
        try:
            self._port.doRead()
        finally:
            self._port.factory = factory

    # Open and closed.

    async def close(self) -> None:
        """Stop listening; clients are refused when this returns, and the port stays ours.

        :raises ConfigError: the socket is somebody else's too, and of a kind that has to stay open.
        """
        await self._turn.run(_as_deferred, self._close)

    async def open(self) -> None:
        """Listen again, on the same port.

        :raises ListenError: it is not to be had; the gate is still closed.
        """
        await self._turn.run(_as_deferred, self._open)

    async def stop(self) -> None:
        """Stop listening for good, whatever stands; returns when the port is free."""
        self._over = True
        if self._plug is not None:
            self._plug.pull()
        await self._turn.run(_as_deferred, self._stop)

    async def _close(self) -> None:
        if not self.listening:
            return
        backlog = None if self._plug is None else self._plug.limit
        # Set first: nothing may begin to read while the port goes away.
        self._place = place = self._kind_of_place(self._port, backlog)
        if self._plug is not None:
            self._plug.pull()
            self._plug = None
        if not self._inherited:
            await self._stop_listening()
            place.hold()

    async def _open(self) -> None:
        if self._over or self._place is None:
            return
        try:
            self._place.listen()
        except (CannotListenError, OSError) as error:
            raise self._explain(Failure(error)) from error
        self._place.release()
        self._place = None
        self._follow()
        if self._deaf:
            await self._put_plug()

    async def _stop(self) -> None:
        plug, self._plug = self._plug, None
        place, self._place = self._place, None
        if plug is not None and self._inherited:
            plug.restore()
        if place is not None:
            place.release()
        if place is None or self._inherited:
            await self._stop_listening()

    async def _stop_listening(self) -> None:
        stopped = self._port.stopListening()
        if stopped is not None:
            await stopped


def _as_deferred(work: Callable[[], Coroutine[Any, Any, None]]) -> Deferred[None]:
    return Deferred.fromCoroutine(work())


class _Place:
    """The place of a port that does not listen now, kept so that nobody else takes it.

    A socket that is bound and does not listen refuses clients, and another one may
    be bound there beside it as long as both have SO_REUSEADDR: socket(7).
    """

    def __init__(self, port: Any, backlog: int | None) -> None:
        del backlog
        self._port = port
        self._socket: socket.socket | None = None
        self._family: int | None = None
        if isinstance(port, tcp.Port) and port.addressFamily in INTERNET:
            self._family, self._address = port.addressFamily, port.socket.getsockname()
            # Where any port was asked for, it is to be this one the next time.
            port.port = self._address[1]

    def hold(self) -> None:
        """The port is closed: bind another socket there."""
        if self._family is None:
            return
        self._socket = socket.socket(self._family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Then it cannot be kept; whether it is free shows when it is wanted again.
        with suppress(OSError):
            self._socket.bind(self._address)

    def listen(self) -> None:
        """Listen there again."""
        self._port.startListening()

    def release(self) -> None:
        """Somebody listens there again, or nobody ever will."""
        if self._socket is not None:
            self._socket.close()


class _SharedPlace(_Place):
    """The place of a socket that others have open as well: closing our descriptor would refuse nobody.

    shutdown(2) takes a TCP socket on Linux out of listening, whoever has it; it stays bound.
    """

    def __init__(self, port: Any, backlog: int | None) -> None:
        if not (isinstance(port, tcp.Port) and can_plug(port.addressFamily)):
            raise ConfigError(
                "disable",
                "the listening socket was handed over by another process (systemd), which keeps it open",
                "only a TCP port on Linux can be disabled then; let the proxy open its socket itself",
            )
        super().__init__(port, backlog)
        self._listening = port.socket
        self._backlog = queue_of(self._listening)[1] if backlog is None else backlog
        self._listens = False
        port.stopReading()
        self._listening.shutdown(socket.SHUT_RDWR)

    def listen(self) -> None:
        """Listen again."""
        self._listening.listen(self._backlog)
        self._listens = True

    def release(self) -> None:
        """Leave the socket as it was found: listening."""
        if not self._listens:
            self.listen()
