"""asyncpg's pool: used up, with connections that are dead without looking it, and after a cancelled query."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from txvaurien import chaos_proxy

AWAY = (OSError, asyncpg.PostgresConnectionError, asyncio.TimeoutError)


class PoolExhausted(Exception):
    """Nobody has given a connection back in time."""


@asynccontextmanager
async def acquired(pool: asyncpg.Pool, patience: float) -> AsyncIterator[Any]:
    try:
        connection = await pool.acquire(timeout=patience)
    except asyncio.TimeoutError:
        used = pool.get_size() - pool.get_idle_size()
        state = f"{used} of {pool.get_max_size()} connections are in use"
        raise PoolExhausted(f"no connection in {patience:g} s: {state}") from None
    try:
        yield connection
    finally:
        await pool.release(connection)


async def test_the_pool_is_used_up(postgres_url: str) -> None:
    async with (
        chaos_proxy(postgres_url) as proxy,
        asyncpg.create_pool(proxy.url, min_size=2, max_size=2) as pool,
    ):

        async def ask(patience: float) -> object:
            async with acquired(pool, patience) as connection:
                return await connection.fetchval("SELECT 1")

        async with proxy.behavior("hang") as fault:
            slow = [asyncio.create_task(ask(30)) for _ in range(2)]
            await fault.wait(2, timeout=30)
            with pytest.raises(PoolExhausted, match="2 of 2 connections are in use"):
                await ask(0.2)
            # Who may wait longer stands in the queue, and opens no third connection.
            queued = asyncio.create_task(ask(30))
            assert len(await proxy.links()) == 2
        assert await asyncio.gather(*slow, queued) == [1, 1, 1]


async def checked_out(pool: asyncpg.Pool, patience: float) -> Any:
    """A connection that has just answered; those that do not are thrown away."""
    while True:
        connection = await pool.acquire()
        try:
            await connection.fetchval("SELECT 1", timeout=patience)
            return connection
        except AWAY:
            connection.terminate()
            await pool.release(connection)


async def test_a_dead_connection_is_recycled(postgres_url: str) -> None:
    async with (
        chaos_proxy(postgres_url) as proxy,
        asyncpg.create_pool(proxy.url, min_size=1, max_size=1) as pool,
    ):
        # One turn hangs: that of the connection in the pool. A new one is served.
        async with proxy.behavior("hang", times=1) as fault:
            connection = await checked_out(pool, 1.0)
            assert await fault.fired() == 1
            assert await connection.fetchval("SELECT 42") == 42
            await pool.release(connection)
        assert 1 not in [link.number for link in await proxy.links()]
        assert pool.get_size() == 1


async def test_a_cancelled_query_leaves_the_pool_usable(postgres_url: str) -> None:
    async with (
        chaos_proxy(postgres_url) as proxy,
        asyncpg.create_pool(proxy.url, min_size=1, max_size=1) as pool,
    ):
        async with proxy.behavior("delay", sleep=60, before=False, times=1) as fault:
            query = asyncio.create_task(pool.fetchval("SELECT 'mine'"))
            await fault.wait(1, timeout=30)
            query.cancel()
        # What was held comes now: nobody else may take it for his answer.
        with pytest.raises(asyncio.CancelledError):
            await query
        assert await pool.fetchval("SELECT 'yours'") == "yours"


async def test_fifty_cycles_leave_nothing(postgres_url: str) -> None:
    async with (
        chaos_proxy(postgres_url) as proxy,
        asyncpg.create_pool(proxy.url, min_size=1, max_size=2) as pool,
    ):
        for _ in range(50):
            async with acquired(pool, 30) as connection:
                assert await connection.fetchval("SELECT 1") == 1
        # One connection has done it all.
        assert [link.number for link in await proxy.links()] == [1]
        assert (pool.get_size(), pool.get_idle_size()) == (1, 1)
