"""PostgreSQL goes away and comes back: noticed within five seconds, working again within ten."""

import asyncio
import time

import asyncpg
import pytest

from txvaurien import chaos_proxy

#: What it looks like from here when the database is away.
AWAY = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncio.TimeoutError)


class Database:
    """Asks, and asks again with longer and longer pauses while the database is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.in_trouble = asyncio.Event()

    async def ask(self, statement: str, patience: float = 60.0) -> object:
        deadline = time.monotonic() + patience
        pause = 0.05
        while True:
            try:
                return await self.pool.fetchval(statement, timeout=2)
            except AWAY:
                self.in_trouble.set()
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)


async def test_a_lost_connection_is_noticed_and_found_again(postgres_url: str) -> None:
    async with chaos_proxy(postgres_url) as proxy, asyncpg.create_pool(proxy.url, min_size=0) as pool:
        database = Database(pool)
        assert await database.ask("SELECT 1") == 1
        # A query hangs in the proxy, and the server dies.
        async with proxy.behavior("hang") as fault:
            query = asyncio.create_task(pool.fetchval("SELECT 1"))
            await fault.wait(1, timeout=30)
            killed = await proxy.kill()
            with pytest.raises((ConnectionError, asyncpg.PostgresConnectionError)):
                await asyncio.wait_for(query, 5)

        answer = asyncio.create_task(database.ask("SELECT 42"))
        await asyncio.wait_for(database.in_trouble.wait(), 30)
        await killed.end()
        assert await asyncio.wait_for(answer, 10) == 42


async def test_a_silent_server_is_noticed(postgres_url: str) -> None:
    """No FIN, no RST: nothing but a time-out can tell that a cable was cut."""
    async with chaos_proxy(postgres_url) as proxy:
        connection = await asyncpg.connect(proxy.url)
        async with proxy.half_open():
            query = asyncio.create_task(connection.fetchval("SELECT 1", timeout=1))
            await asyncio.wait([query], timeout=5)
            assert query.done()
            assert isinstance(query.exception(), asyncio.TimeoutError)
            connection.terminate()
        connection = await asyncpg.connect(proxy.url, timeout=10)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
