"""One of the proxies of a process, with all that belongs to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger

from txvaurien.actions import Disable
from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend, Listen, parse_listen
from txvaurien.net.peers import address_text
from txvaurien.proxy import Proxy
from txvaurien.scenarios.playing import Playing
from txvaurien.service import ProxyService

if TYPE_CHECKING:
    from txvaurien.planning.faults import FaultReader
    from txvaurien.process.definition import Definition


class Watcher(Protocol):
    """What is told of every proxy that there is: the journal, the metrics."""

    def attach(self, proxy: Proxy, listen: str = "") -> None:
        """There is this proxy; it has no links yet."""

    def detach(self, proxy: Proxy) -> None:
        """It is gone."""


class Member:
    """A proxy, how it listens, its scenario, and what reads its faults.

    :param definition: what it was made of; None for a proxy that somebody else has made, and listens for.
    :ivar service: what listens; None for such a proxy.
    """

    log = Logger()

    def __init__(
        self,
        proxy: Proxy,
        reader: FaultReader,
        definition: Definition | None = None,
        playing: Playing | None = None,
    ) -> None:
        self.proxy = proxy
        self.reader = reader
        self.definition = definition
        self.playing = playing or Playing(proxy)
        #: Whether the journal and the like have been told of it.
        self.watched = False
        self.service: ProxyService | None = None if definition is None else definition.serve(proxy)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.proxy.name

    @property
    def listen(self) -> str:
        """Where it listens: the real address, if there is one, else what was asked for."""
        gate = self.proxy.gate
        real = address_text(gate.address) if gate is not None else ""
        return real or self._asked

    @property
    def _asked(self) -> str:
        return "" if self.service is None else self.service.listen

    @property
    def running(self) -> bool:
        """Whether its listener has been started; an action may hold it closed all the same."""
        return self.service is None or bool(self.service.running)

    @property
    def enabled(self) -> bool:
        """Whether clients can connect: it runs, and no action has closed its listener."""
        return self.running and Disable.name not in self.proxy.actions.standing

    def start(self) -> None:
        """Listen.

        :raises ListenError: nothing can listen there.
        :raises ConfigError: the backend is where the proxy itself listens.
        """
        if self.service is not None and not self.service.running:
            self.service.startService()

    def tell_created(self) -> None:
        """Say in the log and in the journal that there is such a proxy now."""
        proxy = self.proxy
        self.log.info(
            "{name}: created, on {listen} for {backend}",
            name=self.name,
            listen=self.listen,
            backend=proxy.backend.text,
        )
        proxy.event(
            "created",
            None,
            listen=self.listen,
            backend=proxy.backend.text,
            protocol=proxy.protocol.name,
            enabled=self.enabled,
        )

    async def enable(self) -> None:
        """Let clients connect; returns when they can.

        :raises ListenError: nothing can listen there (any more).
        """
        self.start()
        await self.proxy.actions.stop(Disable.name)
        await self.proxy.settled()

    async def disable(self) -> None:
        """Refuse clients and cut all links; the port stays the proxy's. Returns when it is done."""
        if self.running:
            await self.proxy.actions.start(Disable())
        await self.proxy.settled()

    async def adjust(self, backend: Backend | None, enabled: bool | None) -> None:
        """Connect elsewhere, which cuts the links, and let clients connect or not; None is as it is.

        :raises ListenError: nothing can listen there (any more); the backend is what it was.
        :raises ConfigError: it cannot connect there, or listens there itself; nothing has changed.
        """
        before = self.proxy.backend
        if backend is not None and not self.connects_to(backend):
            self.proxy.set_backend(backend, cut=True)
        try:
            if enabled is not None:
                await (self.enable() if enabled else self.disable())
        except Exception:
            if self.proxy.backend is not before:
                self.proxy.set_backend(before)
            raise

    def listens_at(self, listen: Listen) -> bool:
        """Whether this is where it listens, or is to. Any port, asked for once more, is the same one."""
        if self.service is None:
            return bool(self.listen) and _key(parse_listen(self.listen)) == _key(listen)
        known = [self._place, parse_listen(self._asked)]
        return any(_key(each) == _key(listen) for each in known)

    def connects_to(self, backend: Backend) -> bool:
        """Whether this is where its links go."""
        return _key(backend) == _key(self.proxy.backend)

    @property
    def _place(self) -> Listen:
        """Where it listens, with the real port; an endpoint string stands for itself."""
        asked = parse_listen(self._asked)
        return parse_listen(self.listen) if asked.host else asked

    def as_it_is(self) -> Definition:
        """What another one like it would be made of.

        :raises ConfigError: somebody else has made this one.
        """
        definition, _ = self._own("name")
        return replace(
            definition,
            listen=self._place,
            backend=self.proxy.backend,
            plan=self.proxy.plan,
            enabled=self.enabled,
        )

    def check_own(self) -> None:
        """:raises ConfigError: somebody else has made this proxy, and listens for it."""
        self._own("name")

    def _own(self, where: str) -> tuple[Definition, ProxyService]:
        if self.definition is None or self.service is None:
            raise ConfigError(where, "whoever made this proxy listens for it", "change it there")
        return self.definition, self.service

    async def move(self, listen: Listen, backend: Backend | None = None, enabled: bool | None = None) -> None:
        """Listen elsewhere, and connect elsewhere if that is said; links are cut, and actions end.

        :param enabled: whether clients can connect then; by default if they could before.
        :raises ListenError: nothing can listen there; it is where it was.
        :raises ConfigError: this proxy cannot listen elsewhere, or the backend is where it would listen.
        """
        definition, before = self._own("listen")
        if definition.workers > 1:
            raise ConfigError("listen", "a proxy with workers stays where it is", "restart the process")
        was, place, connected = self.enabled, self._place, self.proxy.backend
        if before.running:
            await before.stopService()
        try:
            # Now that nothing listens, no backend is the proxy itself. It is seen to at the start.
            self._settle(listen, backend, was if enabled is None else enabled)
        except Exception:
            self._settle_back(place, connected, was)
            raise
        self.proxy.event("listen", None, listen=self.listen)

    def _settle(self, listen: Listen, backend: Backend | None, enabled: bool) -> None:
        definition, _ = self._own("listen")
        if backend is not None and not self.connects_to(backend):
            self.proxy.set_backend(backend, cut=True)
        self.service = definition.serve(self.proxy, listen)
        if enabled:
            self.service.startService()

    def _settle_back(self, listen: Listen, backend: Backend, enabled: bool) -> None:
        try:
            self._settle(listen, backend, enabled)
        except Exception:
            self.log.failure("{name}: it cannot listen where it did, either: it is disabled", name=self.name)

    async def stop(self) -> None:
        """End its scenario, its actions and its links, and stop listening; takes a bounded time."""
        await self.playing.stop()
        await self._stop_serving()
        for activation in self.proxy.active.activations():
            # Nothing is to be heard of it any more, and its time need not be watched.
            if activation.expiry is not None or activation.awaited:
                activation.release()

    async def _stop_serving(self) -> None:
        if self.service is None:
            return
        if self.service.running:
            await self.service.stopService()
        else:
            # It has no links, but there may be an action that was begun meanwhile.
            await self.proxy.actions.stop_all()


def _key(address: Listen | Backend) -> tuple[str, int] | str:
    return (address.host, address.port) if address.host else address.text
