"""A task that is cancelled in the middle of a query: the pool is as good as before."""

import asyncio

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
            # Once may be too little: before Python 3.12 wait_for swallows what comes just as it ends.
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=0.1)
            assert task.cancelled()
            assert await client.get("yours") == b"2"
        assert await client.mget("mine", "yours") == [b"1", b"2"]
        await client.aclose()
