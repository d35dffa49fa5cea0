"""The recipes of docs/recipes-connections.md, with real servers and clients."""

from __future__ import annotations

from txvaurien.test.recipe_support import RecipeCase


class ConnectionTests(RecipeCase):
    """Connections that are lost, silent or refused."""

    async def test_dropped(self) -> None:
        """PyMySQL says so, before, in the middle of and after a query."""
        await self.play("dropped")

    async def test_lost_reply(self) -> None:
        """A commit whose reply is lost is not done twice."""
        await self.play("lost_reply")

    async def test_silent_server(self) -> None:
        """The read time-out of redis-py fires within its bounds."""
        await self.play("silent_server")

    async def test_retries(self) -> None:
        """redis-py tries as often as it is told to."""
        await self.play("retries")

    async def test_cancelled(self) -> None:
        """After a cancelled query redis-py's pool gives nobody somebody else's answer."""
        await self.play("cancelled")

    async def test_restarted(self) -> None:
        """An application is back when its server is."""
        await self.play("restarted")

    async def test_failover(self) -> None:
        """The work goes on with the second server."""
        await self.play("failover")

    async def test_certificates(self) -> None:
        """redis-py and requests take no certificate with which something is wrong."""
        await self.play("certificates")

    async def test_port_in_use(self) -> None:
        """The error comes where the proxy is started."""
        await self.play("port_in_use")
