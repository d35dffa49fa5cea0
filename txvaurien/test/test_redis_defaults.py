"""What docs/protocols/redis.md says of redis-py as it is by default, with a real redis-server."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.rules import Rule
from txvaurien.service import ProxyService
from txvaurien.test.test_redis_live import RedisCase

_LOADING = Plan(rules=(Rule(Error(kind="loading"), "first-two", verbs=frozenset({"GET"}), times=2),))


class DefaultsTests(RedisCase):
    """The section Traps."""

    if int(redis.__version__.partition(".")[0]) < 8:
        skip = "the page tells of redis-py 8"

    def as_it_is(self, service: ProxyService) -> redis.Redis:
        """redis-py with its own retries."""
        made = redis.Redis(host="127.0.0.1", port=service.port or 0, socket_timeout=30.0)
        self.addCleanup(made.close)
        return made

    async def met(self, client: redis.Redis) -> list[Any]:
        """What three GETs give."""
        seen: list[Any] = []
        for _ in range(3):
            try:
                seen.append(await self.in_thread(client.get, "k"))
            except redis.RedisError as error:
                seen.append(type(error).__name__)
        return seen

    async def test_repeated(self) -> None:
        """By default LOADING is not seen; without retries it is. Each time the connection is another one."""
        for service, client, expected in (
            (first := self.proxied(_LOADING), self.as_it_is(first), [None] * 3),
            (
                second := self.proxied(_LOADING),
                self.client(second.port, retry=Retry(NoBackoff(), 0)),
                ["BusyLoadingError", "BusyLoadingError", None],
            ),
        ):
            self.assertEqual(await self.met(client), expected)
            self.assertEqual((service.proxy.stats.fired, service.proxy.stats.links), (2, 3))

    async def test_counted_twice(self) -> None:
        """An INCR whose reply was lost is sent again, and counts twice."""
        service = self.proxied(Plan(rules=(Rule(Abort(), "lost", verbs=frozenset({"INCRBY"}), times=1),)))
        self.assertEqual(await self.in_thread(self.as_it_is(service).incr, "n"), 2)

    async def test_before_the_first_command(self) -> None:
        """The first GET is the fifth exchange of its link, or the third of RESP2."""
        for options, number in (({}, 5), ({"protocol": 2}, 3)):
            service = self.proxied()
            await self.in_thread(self.client(service.port, **options).get, "k")
            (link,) = service.proxy.links.values()
            self.assertEqual(link.exchanges, number)
