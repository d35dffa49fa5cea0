"""A graceful shutdown: what is in flight is answered, nothing new is taken, and it ends in any case."""

import asyncio

import asyncpg
import pytest

from txvaurien import chaos_proxy


class ShuttingDown(Exception):
    """Ask somebody else."""


class Application:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.closing = False

    async def handle(self, number: int) -> object:
        if self.closing:
            raise ShuttingDown
        return await self.pool.fetchval("SELECT $1::int", number)

    async def shut_down(self, patience: float) -> bool:
        """Whether all that was in flight has been answered."""
        self.closing = True
        try:
            await asyncio.wait_for(self.pool.close(), patience)
        except asyncio.TimeoutError:
            self.pool.terminate()
            return False
        return True


async def test_requests_in_flight_are_answered(postgres_url: str) -> None:
    async with chaos_proxy(postgres_url) as proxy:
        application = Application(await asyncpg.create_pool(proxy.url, min_size=2, max_size=2))
        async with proxy.behavior("hang") as fault:
            requests = [asyncio.create_task(application.handle(number)) for number in (1, 2)]
            await fault.wait(2, timeout=30)
            ending = asyncio.create_task(application.shut_down(30))
            await asyncio.sleep(0)
            with pytest.raises(ShuttingDown):
                await application.handle(3)
            assert not ending.done()
        assert await asyncio.gather(*requests) == [1, 2]
        assert await ending


async def test_it_does_not_wait_for_ever(postgres_url: str) -> None:
    async with chaos_proxy(postgres_url) as proxy:
        application = Application(await asyncpg.create_pool(proxy.url, min_size=1, max_size=1))
        async with proxy.behavior("hang") as fault:
            request = asyncio.create_task(application.handle(1))
            await fault.wait(1, timeout=30)
            assert not await asyncio.wait_for(application.shut_down(0.2), 10)
            with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
                await asyncio.wait_for(request, 10)
