"""The proxy as a Twisted service, for applications that embed it."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from txvaurien.addresses import parse_listen
from txvaurien.errors import ListenError
from txvaurien.proxy import Proxy, ProxyFactory

#: How many connections the kernel queues for us.
BACKLOG = 1024


class Listener:
    """One listening endpoint: how it starts, fails and stops.

    :param text: the address, for errors; `option` is the flag that chooses it.
    :ivar port: the TCP port, once it listens; None for other kinds of endpoints.
    """

    log = Logger()

    def __init__(self, endpoint: IStreamServerEndpoint, text: str, option: str) -> None:
        self._endpoint: Any = endpoint
        self._text = text
        self._option = option
        self._listening: Deferred[Any] | None = None
        self._listener: IListeningPort | None = None
        self.port: int | None = None

    def start(self, factory: IProtocolFactory) -> None:
        """Listen. What fails only later is logged.

        :raises ListenError: nothing can listen there, and it is known at once.
        """
        self._listening = listening = self._endpoint.listen(factory)
        failures: list[Failure] = []
        listening.addCallbacks(self._listens, failures.append)
        if failures:
            raise cannot_listen(self._text, failures[0], self._option)
        listening.addCallback(self._failed_late, failures)

    def _listens(self, listener: IListeningPort) -> None:
        self._listener = listener
        self.port = getattr(listener.getHost(), "port", None)

    def _failed_late(self, _: object, failures: Sequence[Failure]) -> None:
        for failure in failures:
            if not failure.check(CancelledError):
                self.log.critical("{why}", why=cannot_listen(self._text, failure, self._option))

    async def stop(self) -> None:
        """Stop listening; returns when the port is free."""
        listener, self._listener = self._listener, None
        if self._listening is not None:
            self._listening.cancel()
        if listener is not None:
            stopped = listener.stopListening()
            if stopped is not None:
                await stopped


class ProxyService(Service):
    """Listens for clients of one proxy.

    :param listen: an address as users write it (``localhost:8000``, port 0 for
        any), or a server endpoint.
    """

    def __init__(self, proxy: Proxy, listen: str | IStreamServerEndpoint, *, backlog: int = BACKLOG) -> None:
        self.proxy = proxy
        text = listen if isinstance(listen, str) else "the endpoint"
        endpoint: Any = (
            parse_listen(listen).endpoint(proxy.reactor, backlog) if isinstance(listen, str) else listen
        )
        self._listener = Listener(endpoint, text, "--proxy")

    @property
    def port(self) -> int | None:
        """The TCP port, once it listens; None for other kinds of endpoints."""
        return self._listener.port

    def startService(self) -> None:
        """Listen.

        :raises ListenError: nothing can listen there, and it is known at once.
        """
        self._listener.start(ProxyFactory.serving(self.proxy))
        Service.startService(self)

    def stopService(self) -> Deferred[None]:
        """Stop listening and end all links; fires when both is done."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        await self._listener.stop()
        await self.proxy.stop()


def cannot_listen(where: str, failure: Failure, option: str) -> ListenError:
    """Why nothing listens at `where`, and what to do; `option` is the flag that chooses it."""
    error: BaseException | None = failure.value
    if isinstance(error, CannotListenError):
        # A Unix socket has its path for a port, which is what the user wrote.
        if isinstance(error.port, int) and error.port:
            host = error.interface or "0.0.0.0"
            where = f"[{host}]:{error.port}" if ":" in host else f"{host}:{error.port}"
        error = error.socketError
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        why = f"the port is in use; stop the other process or choose another with {option}"
    elif number == errno.EACCES:
        why = f"permission denied; choose a port above 1023 with {option}"
    elif number is not None and number > 0:
        why = os.strerror(number).lower()
    else:
        # The resolver has numbers of its own, below nothing.
        why = getattr(error, "strerror", None) or str(error)
    return ListenError(f"cannot listen on {where}: {why}")
