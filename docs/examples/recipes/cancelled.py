"""A task that is cancelled in the middle of a query: the pool is as good as before."""

import asyncio

import pytest
import redis.asyncio as redis

from txvaurien import chaos_proxy


async def test_the_pool_survives_a_cancelled_query(redis_url: str) -> None:
    async with chaos_proxy(redis_url, "redis") as proxy:
        client = redis.from_url(proxy.url, max_connections=1, socket_timeout=30)
        await client.mset({"mine": "1", "yours": "2"})
        # Held after the server has answered: what a reused connection would read as its own reply.
        async with proxy.behavior("delay", sleep=60, before=False, target="mine") as fault:
            task = asyncio.ensure_future(client.get("mine"))
            await fault.wait(1, timeout=30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.get("yours") == b"2"
        assert await client.mget("mine", "yours") == [b"1", b"2"]
        await client.aclose()
