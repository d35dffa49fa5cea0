"""The proxy as a Twisted service, for applications that embed it."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from txvaurien.addresses import parse_listen
from txvaurien.errors import ListenError
from txvaurien.proxy import Proxy, ProxyFactory

#: How many connections the kernel queues for us.
BACKLOG = 1024


class ProxyService(Service):
    """Listens for clients of one proxy.

    :param listen: an address as users write it (``localhost:8000``, port 0 for
        any), or a server endpoint.
    :ivar port: the TCP port, once it listens; None for other kinds of endpoints.
    """

    log = Logger()

    def __init__(self, proxy: Proxy, listen: str | IStreamServerEndpoint, *, backlog: int = BACKLOG) -> None:
        self.proxy = proxy
        self.listen_text = listen if isinstance(listen, str) else "the endpoint"
        self._endpoint: Any = (
            parse_listen(listen).endpoint(proxy.reactor, backlog) if isinstance(listen, str) else listen
        )
        self._listening: Deferred[Any] | None = None
        self._listener: IListeningPort | None = None
        self.port: int | None = None

    def startService(self) -> None:
        """Listen.

        :raises ListenError: nothing can listen there, and it is known at once.
        """
        Service.startService(self)
        failures: list[Failure] = []
        listening = self._endpoint.listen(ProxyFactory.serving(self.proxy))
        listening.addCallbacks(self._listens, failures.append)
        self._listening = listening
        if failures:
            self.running = 0
            raise cannot_listen(self.listen_text, failures[0], "--proxy")

    def _listens(self, listener: IListeningPort) -> None:
        self._listener = listener
        self.port = getattr(listener.getHost(), "port", None)

    def stopService(self) -> Deferred[None]:
        """Stop listening and end all links; fires when both is done."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        listener, self._listener = self._listener, None
        if self._listening is not None:
            self._listening.cancel()
        if listener is not None:
            stopped = listener.stopListening()
            if stopped is not None:
                await stopped
        await self.proxy.stop()


def cannot_listen(where: str, failure: Failure, option: str) -> ListenError:
    """Why nothing listens at `where`, and what to do; `option` is the flag that chooses it."""
    error: BaseException | None = failure.value
    if isinstance(error, CannotListenError):
        where = f"{error.interface or '0.0.0.0'}:{error.port}" if error.port else where
        error = error.socketError
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        why = f"the port is in use; stop the other process or choose another with {option}"
    elif number == errno.EACCES:
        why = f"permission denied; choose a port above 1023 with {option}"
    else:
        why = os.strerror(number).lower() if number else str(error)
    return ListenError(f"cannot listen on {where}: {why}")
