"""The control server as a Twisted service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IAddress

from txvaurien.control.api import ControlApi
from txvaurien.control.security import AllowedHosts, Guard
from txvaurien.control.site import ClosingFactory, ControlSite
from txvaurien.errors import ConfigError
from txvaurien.journal import Journal
from txvaurien.metrics.watcher import Metrics
from txvaurien.process.proxies import Proxies
from txvaurien.service import Listener
from txvaurien.settings.access import Access, allowed_names, bound_host, control_listen
from txvaurien.settings.tokens import check_token

#: How many connections the kernel queues for us.
BACKLOG = 50


class ControlService(Service):
    """Serves the control of proxies over HTTP.

    :param host: where to listen; ``localhost`` is 127.0.0.1.
    :param port: 0 for any port that is free.
    :param reactor: provides IReactorTCP and IReactorTime.
    :param hosts: further names under which the server may be asked.
    :param token: what every request has to show; nothing, if it is empty.
    :param access: all of that in one; the others do not count then.
    :param journal: what is recorded of the proxies; by default a journal in memory is begun.
    :param metrics: what is measured of them; by default that is begun, without their exchanges.
    :raises ConfigError: `host` and `port` are no address, the token is too short, or there is none
        although other machines could connect.
    """

    def __init__(
        self,
        proxies: Proxies,
        host: str = "localhost",
        port: int = 8080,
        *,
        reactor: Any,
        hosts: Iterable[str] = (),
        token: str = "",
        access: Access | None = None,
        journal: Journal | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        if access is None:
            known = check_token(token, "token") if token else ""
            access = Access(control_listen(host, port), allowed_names(",".join(hosts), "hosts"), known)
        self.access = access
        self._reactor = reactor
        self._reach = proxies.reach
        self._address: IAddress | None = None
        self._listener = Listener(
            access.listen.endpoint(reactor, BACKLOG),
            access.listen.text,
            *access.flags,
            listens=self._listens,
        )
        if journal is None:
            journal = Journal(reactor)
            proxies.watch_with(journal)
        self._api = api = ControlApi(proxies, journal, secured=bool(access.token), metrics=metrics)
        root = Guard(api.resource(), AllowedHosts(bound_host(access.listen), access.hosts), access.token)
        self._factory = ClosingFactory(ControlSite(root, reactor))

    @property
    def port(self) -> int:
        """The port that was asked for; once it listens, the real one."""
        return self._listener.port or self.access.port

    def startService(self) -> None:
        """Listen.

        :raises ListenError: the port is taken, or nothing can listen there.
        :raises ConfigError: it is the backend of a proxy.
        """
        self._listener.start(self._factory)
        Service.startService(self)

    def stopService(self) -> Deferred[None]:
        """Stop listening and end all connections; fires when both is done."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    def _listens(self, listening: Any) -> None:
        address: IAddress = listening.getHost()
        try:
            self._reach.close(address)
        except ConfigError:
            ensureDeferred(self._listener.stop())
            raise
        self._address = address

    async def _stop(self) -> None:
        await self._listener.stop()
        if self._address is not None:
            self._reach.reopen(self._address)
            self._address = None
        self._api.stop()
        await self._factory.close(self._reactor)
