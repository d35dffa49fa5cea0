"""The control server as a Twisted service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred

from txvaurien.addresses import parse_listen
from txvaurien.control.api import ControlApi
from txvaurien.control.security import AllowedHosts, Guard
from txvaurien.control.site import ClosingFactory, ControlSite
from txvaurien.journal import Journal
from txvaurien.proxies import Proxies
from txvaurien.service import Listener

#: How many connections the kernel queues for us.
BACKLOG = 50


class ControlService(Service):
    """Serves the control of proxies over HTTP.

    :param host: where to listen; ``localhost`` is 127.0.0.1.
    :param port: 0 for any port that is free.
    :param reactor: provides IReactorTCP and IReactorTime.
    :param hosts: further names under which the server may be asked.
    :param journal: what is recorded of the proxies; by default a journal in memory is begun.
    :raises ConfigError: `host` and `port` are no address.
    """

    def __init__(
        self,
        proxies: Proxies,
        host: str = "localhost",
        port: int = 8080,
        *,
        reactor: Any,
        hosts: Iterable[str] = (),
        journal: Journal | None = None,
    ) -> None:
        self._wanted = port
        self._reactor = reactor
        text = f"[{host}]:{port}" if ":" in host and "[" not in host else f"{host}:{port}"
        self._listener = Listener(
            parse_listen(text, "--http-host").endpoint(reactor, BACKLOG), text, "--http-port", "--http-host"
        )
        if journal is None:
            journal = Journal(reactor)
            proxies.watch_with(journal)
        api = ControlApi(proxies, journal)
        root = Guard(api.resource(), AllowedHosts(host, hosts))
        self._factory = ClosingFactory(ControlSite(root, reactor))

    @property
    def port(self) -> int:
        """The port that was asked for; once it listens, the real one."""
        return self._listener.port or self._wanted

    def startService(self) -> None:
        """Listen.

        :raises ListenError: the port is taken, or nothing can listen there.
        """
        self._listener.start(self._factory)
        Service.startService(self)

    def stopService(self) -> Deferred[None]:
        """Stop listening and end all connections; fires when both is done."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        await self._listener.stop()
        await self._factory.close(self._reactor)
