"""Which scenario a proxy plays now: at most one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredLock

if TYPE_CHECKING:
    from txvaurien.proxy import Proxy
    from txvaurien.scenarios.player import Player
    from txvaurien.scenarios.scenario import Scenario


class Playing:
    """The scenario of one proxy.

    :ivar player: the last that was begun, be it over; None before, and after `stop`.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.player: Player | None = None
        #: One scenario ends before the next one begins.
        self._turn = DeferredLock()
        #: How often everything was stopped.
        self._stops = 0

    async def play(self, scenario: Scenario) -> Player:
        """Begin a scenario, in place of the one that is played."""
        # Few proxies play one.
        from txvaurien.scenarios.player import Player, ProxyTarget

        player = Player(scenario, ProxyTarget(self._proxy), self._proxy.clock)
        stops = self._stops
        async with self._turn:
            await self._end()
            if stops == self._stops:
                self.player = player
                player.start()
        return player

    async def stop(self) -> None:
        """End what is played; all that it added is gone when this returns."""
        self._stops += 1
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        player, self.player = self.player, None
        if player is not None:
            await player.stop()

    async def panic(self) -> None:
        """Stop the scenario, and remove every fault from the proxy."""
        stopping = Deferred.fromCoroutine(self.stop())
        await self._proxy.panic()
        await stopping
