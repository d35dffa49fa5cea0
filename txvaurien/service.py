"""The proxy as a Twisted service, for applications that embed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, maybeDeferred
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from txvaurien.errors import ConfigError, ListenError
from txvaurien.net.accepting import Accepting, accepts_itself
from txvaurien.net.addresses import parse_listen
from txvaurien.net.gate import Gate
from txvaurien.net.itself import refuse_itself
from txvaurien.net.listening import cannot_listen
from txvaurien.proxy import Proxy, ProxyFactory

#: How many connections the kernel queues for us.
BACKLOG = 1024


class Listener:
    """One listening endpoint: how it starts, fails and stops.

    :param text: the address, for errors.
    :param option: the flag that chooses it, or its port if `host_option` chooses the host.
    :param listens: called with what listens, once it does; an error that it raises is one of the start.
    :ivar port: the TCP port, once it listens; None for other kinds of endpoints.
    """

    log = Logger()

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        text: str,
        option: str,
        host_option: str | None = None,
        *,
        listens: Callable[[Any], None] | None = None,
    ) -> None:
        self._endpoint: Any = endpoint
        self._text = text
        self._option = option
        self._host_option = host_option
        self._tell = listens
        self._starting: Deferred[Any] | None = None
        self._listening: Any = None
        self._stopping: Deferred[Any] | None = None
        self.port: int | None = None

    def start(self, factory: IProtocolFactory) -> None:
        """Listen. What fails only later is logged.

        :raises ListenError: nothing can listen there, and it is known at once.
        """
        self._starting = starting = self._endpoint.listen(factory)
        failures: list[Failure] = []
        starting.addCallback(self._listens)
        starting.addErrback(failures.append)
        if failures:
            raise self._error(failures[0])
        starting.addCallback(self._failed_late, failures)

    def _listens(self, listening: IListeningPort) -> None:
        self._listening = listening
        self.port = getattr(listening.getHost(), "port", None)
        if self._tell is not None:
            self._tell(listening)

    def explain(self, failure: Failure) -> ListenError:
        """Why it does not listen, and what to do."""
        return cannot_listen(self._text, failure, self._option, self._host_option)

    def _error(self, failure: Failure) -> Exception:
        value = failure.value
        return value if isinstance(value, ConfigError) else self.explain(failure)

    def _failed_late(self, _: object, failures: Sequence[Failure]) -> None:
        for failure in failures:
            if not failure.check(CancelledError):
                self.log.critical("{why}", why=self._error(failure))

    async def stop(self, gate: Gate | None = None) -> None:
        """Stop listening; returns when the port is free.

        :param gate: what stands over the port, if anything does.
        """
        listening, self._listening = self._listening, None
        if self._starting is not None:
            self._starting.cancel()
        if gate is not None:
            await gate.stop()
        elif listening is not None:
            # What stdio: gives is a connection.
            stop = getattr(listening, "stopListening", None) or listening.loseConnection
            self._stopping = maybeDeferred(stop)
        if self._stopping is not None:
            await self._stopping


class ProxyService(Service):
    """Listens for clients of one proxy.

    :param listen: an address as users write it (``localhost:8000``, port 0 for
        any), or a server endpoint.
    :param places: where a user has said ``proxy`` and ``backend``, for errors.
    """

    def __init__(
        self,
        proxy: Proxy,
        listen: str | IStreamServerEndpoint,
        *,
        backlog: int = BACKLOG,
        places: Mapping[str, str] | None = None,
    ) -> None:
        self.proxy = proxy
        self._places = {"proxy": "--proxy", "backend": "--backend", **(places or {})}
        #: Where it is to listen, as users write it.
        self.listen = text = listen if isinstance(listen, str) else "the endpoint"
        endpoint: Any = listen
        if isinstance(listen, str):
            parsed = parse_listen(listen, self._places["proxy"])
            if parsed.has_header:
                proxy.accept_header()
                parsed = parsed.without_header()
            if parsed.tls is not None:
                proxy.listen_with(parsed.tls)
            endpoint = parsed.without_tls().endpoint(proxy.reactor, backlog)
        self._serving = ProxyFactory.serving(proxy)
        self._inherited = isinstance(endpoint, AdoptedStreamServerEndpoint)
        self._listener = Listener(endpoint, text, self._places["proxy"], listens=self._listens)

    @property
    def port(self) -> int | None:
        """The TCP port, once it listens; None for other kinds of endpoints."""
        return self._listener.port

    def startService(self) -> None:
        """Listen.

        :raises ListenError: nothing can listen there, and it is known at once.
        :raises ConfigError: the backend is where the proxy itself listens.
        """
        self._listener.start(self._serving)
        Service.startService(self)

    def _listens(self, listening: Any) -> None:
        try:
            self._check_backend(listening.getHost())
        except ConfigError:
            ensureDeferred(self._listener.stop())
            raise
        # What stdio: gives is no port.
        if IListeningPort.providedBy(listening):
            if self.proxy.poller is not None and accepts_itself(listening, self._serving):
                Accepting(listening, self.proxy.clock, self.proxy.welcome)
            self.proxy.gate = Gate(
                listening, self.proxy.clock, inherited=self._inherited, explain=self._listener.explain
            )

    def _check_backend(self, address: IAddress) -> None:
        proxy, where = self.proxy, self._places["backend"]
        refuse_itself(address, proxy.backend, where)
        if proxy.reach is not None:
            proxy.reach.check_circle(proxy, address, proxy.backend, where)

    def stopService(self) -> Deferred[None]:
        """Stop listening, and end all actions and links; fires when that is done."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        gate, self.proxy.gate = self.proxy.gate, None
        # The listener first: what an action ends with is not to let clients in again.
        await self._listener.stop(gate)
        await self.proxy.actions.stop_all()
        await self.proxy.stop()
