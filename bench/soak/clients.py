"""The clients of all proxies: links are opened and closed all the time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType

from bench.soak import mail, memcache, redis, sql, tcp, visit, web
from bench.soak.services import ACCOUNT

#: How many there are at one time, by proxy.
CLIENTS: Mapping[str, int] = MappingProxyType(
    {"tcp": 8, "http": 8, "redis": 8, "memcache": 6, "smtp": 6, "mysql": 5}
)

#: The verbs that they say, for rules.
VERBS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "tcp": ("SAY", "CONNECT"),
        "http": ("GET", "POST", "CONNECT"),
        "redis": ("SET", "GET", "ECHO", "INCR", "DEL", "EXEC", "MULTI", "CONNECT"),
        "memcache": ("SET", "GET", "DELETE", "VERSION", "CONNECT"),
        "smtp": ("MAIL", "RCPT", "DATA", "CONTENT", "QUIT", "CONNECT"),
        "mysql": ("SELECT", "REPLACE", "COMMIT", "BEGIN", "DELETE", "CONNECT"),
    }
)


class Clients:
    """Starts them and lets them come to an end.

    :param ports: where the proxies listen, by name.
    """

    def __init__(
        self, scene: visit.Scene, office: mail.PostOffice, server: tcp.TcpServer, ports: Mapping[str, int]
    ) -> None:
        self._scene = scene
        self._ports = ports
        self._threads = ThreadPoolExecutor(CLIENTS["mysql"], "mysql")
        self._tasks: list[asyncio.Task[None]] = []
        self._talks: dict[str, visit.Talk] = {
            "tcp": partial(tcp.talk, scene, server),
            "http": partial(web.talk, scene),
            "redis": partial(redis.talk, scene),
            "memcache": partial(memcache.talk, scene),
            "smtp": partial(mail.talk, office),
        }

    def start(self, seed: str) -> None:
        """All of them; what they do depends on `seed`."""
        self._scene.stopping = False
        for name, count in CLIENTS.items():
            draws = [random.Random(f"{seed} {name} {number}") for number in range(count)]
            self._tasks += [asyncio.create_task(self._come_and_go(name, draw)) for draw in draws]

    async def end(self, limit: float) -> int:
        """Let them end, and cancel those that have not within `limit` seconds; how many these are.

        What a client of ours did not expect is raised.
        """
        self._scene.stopping = True
        tasks, self._tasks = self._tasks, []
        done, pending = await asyncio.wait(tasks, timeout=limit)
        for task in pending:
            task.cancel()
        for task in done:
            task.result()
        return len(pending)

    def stop(self) -> None:
        """At once."""
        self._scene.stopping = True
        for task in self._tasks:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _come_and_go(self, name: str, draw: random.Random) -> None:
        while not self._scene.stopping:
            if name == "mysql":
                await self._sql_visit(draw)
            else:
                await visit.visit(self._scene, name, self._ports[name], draw, self._talks[name])
            await asyncio.sleep(draw.expovariate(10.0))

    async def _sql_visit(self, draw: random.Random) -> None:
        work = partial(sql.visit, self._scene, "mysql", self._ports["mysql"], ACCOUNT, draw)
        record = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._scene.ledger.close(record)
        if not record.client:
            await asyncio.sleep(0.2)
