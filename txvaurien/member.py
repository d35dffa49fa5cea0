"""One of the proxies of a process, with all that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txvaurien.actions import Disable
from txvaurien.addresses import Listen, parse_listen
from txvaurien.errors import ConfigError
from txvaurien.playing import Playing
from txvaurien.proxy import Proxy, address_text
from txvaurien.service import ProxyService

if TYPE_CHECKING:
    from txvaurien.definition import Definition
    from txvaurien.faults import FaultReader


class Member:
    """A proxy, how it listens, its scenario, and what reads its faults.

    :param definition: what it was made of; None for a proxy that somebody else has made, and listens for.
    :ivar service: what listens; None for such a proxy.
    """

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

    async def listen_at(self, listen: Listen) -> None:
        """Listen elsewhere; its links are cut.

        :raises ListenError: nothing can listen there; it listens where it did.
        :raises ConfigError: this proxy cannot listen elsewhere.
        """
        definition, before = self.definition, self.service
        if definition is None or before is None:
            raise ConfigError("listen", "whoever made this proxy listens for it", "change it there")
        if definition.workers > 1:
            raise ConfigError("listen", "a proxy with workers stays where it is", "restart the process")
        if not before.running:
            self.service = definition.serve(self.proxy, listen)
            return
        enabled, known = self.enabled, self.listen
        await before.stopService()
        self.service = definition.serve(self.proxy, listen)
        try:
            if enabled:
                self.service.startService()
        except Exception:
            self.service = definition.serve(self.proxy, parse_listen(known))
            self.service.startService()
            raise
        self.proxy.event("listen", None, listen=self.listen)

    async def stop(self) -> None:
        """End its scenario, its actions and its links, and stop listening; takes a bounded time."""
        await self.playing.stop()
        if self.service is not None and self.service.running:
            await self.service.stopService()
