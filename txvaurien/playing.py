"""Which scenario a proxy plays now: at most one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txvaurien.player import Player, ProxyTarget

if TYPE_CHECKING:
    from txvaurien.proxy import Proxy
    from txvaurien.scenario import Scenario


class Playing:
    """The scenario of one proxy.

    :ivar player: the last that was begun, be it over; None before, and after `stop`.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.player: Player | None = None

    async def play(self, scenario: Scenario) -> Player:
        """Begin a scenario, in place of the one that is played."""
        await self.stop()
        self.player = player = Player(scenario, ProxyTarget(self._proxy), self._proxy.clock)
        player.start()
        return player

    async def stop(self) -> None:
        """End what is played; all that it added is gone when this returns."""
        player, self.player = self.player, None
        if player is not None:
            await player.stop()

    async def panic(self) -> None:
        """Stop the scenario, and remove every fault from the proxy."""
        await self.stop()
        await self._proxy.panic()
