"""redis-py's sentinel client stays behind its proxies (``remap``), over real failovers, too."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import redis
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.sentinel import Sentinel

from txvaurien.test.redis_clusters import (
    APP,
    HOST,
    MASTER,
    ProxiedServers,
    SentinelServer,
    all_by_proxy,
    app_clients,
    direct,
    listening,
    succeeds,
    until,
)
from txvaurien.test.servers import RedisServer


class SentinelTests(ProxiedServers):
    """A master, its replica and a sentinel, and a proxy in front of each."""

    def setUp(self) -> None:
        # Without a delay the replica gets its data at once.
        self.master = self.start_server(RedisServer("--repl-diskless-sync-delay", "0"))
        self.replica = self.start_server(RedisServer("--replicaof", f"{HOST} {self.master.port}"))
        self.sentinel = self.start_server(SentinelServer(self.master.port))
        self.watch = self.admin(self.sentinel)
        master = self.admin(self.master)
        until(lambda: bool(master.role()[2]), "the replica has the data")
        until(lambda: bool(self.watch.sentinel_slaves(MASTER)), "the sentinel knows the replica")
        self.behind = self.proxies([self.master, self.replica, self.sentinel])
        self.proxied = listening(self.behind)

    def reach(self) -> Any:
        """redis-py's sentinel client, told of the sentinel's proxy."""
        return Sentinel(
            [(HOST, self.proxied[2])],
            socket_timeout=30.0,
            client_name=APP,
            sentinel_kwargs={"socket_timeout": 30.0},
        )

    def fail_over(self) -> None:
        """Kill the master, and wait until the replica has taken its place."""
        self.master.kill()
        until(self.has_new_master, "there is a new master")

    def has_new_master(self) -> bool:
        """Whether the replica is the master, for itself and for the sentinel, which has heard of it since."""
        told = self.watch.sentinel_master(MASTER)
        known = told["port"] == self.replica.port and told["flags"] == "master"
        return known and bool(self.admin(self.replica).role()[0] == "master")

    async def test_discovery(self) -> None:
        """Whatever a sentinel is asked, and what servers say of each other, names the proxies."""

        def run() -> None:
            sentinel = self.reach()
            self.assertEqual(sentinel.discover_master(MASTER), (HOST, self.proxied[0]))
            until(lambda: sentinel.discover_slaves(MASTER) != [], "the replica is up")
            self.assertEqual(sentinel.discover_slaves(MASTER), [(HOST, self.proxied[1])])
            asked = sentinel.sentinels[0]
            self.assertEqual(asked.sentinel_get_master_addr_by_name(MASTER)[1], self.proxied[0])
            self.assertEqual(asked.sentinel_master(MASTER)["port"], self.proxied[0])
            (replica,) = asked.sentinel_slaves(MASTER)
            self.assertEqual(replica["name"], f"{HOST}:{self.proxied[1]}")
            self.assertEqual(asked.info("sentinel")["master0"]["address"], f"{HOST}:{self.proxied[0]}")
            self.replication()

        await self.in_thread(run)

    def replication(self) -> None:
        """What master and replica say of each other."""
        master, replica = direct(self.proxied[0]), direct(self.proxied[1])
        self.addCleanup(master.close)
        self.addCleanup(replica.close)
        self.assertEqual(replica.info("replication")["master_port"], self.proxied[0])
        self.assertEqual(master.info("replication")["slave0"]["port"], self.proxied[1])
        self.assertEqual(replica.role()[1:3], [HOST, self.proxied[0]])
        self.assertEqual(master.role()[2][0][:2], [HOST, str(self.proxied[1])])

    async def test_failover(self) -> None:
        """After a failover the client is at the new master, through its proxy; the event says so, too."""

        def run() -> None:
            sentinel = self.reach()
            master = sentinel.master_for(MASTER)
            self.addCleanup(master.close)
            self.assertTrue(master.set("key", "old"))
            self.assertTrue(all_by_proxy(self.admin(self.master), self.behind[0]))
            with self.events() as heard:
                self.fail_over()
                until(lambda: succeeds(lambda: master.set("key", "new")), "the client is at the new master")
                old, new = (f"{HOST} {port}" for port in self.proxied[:2])
                until(lambda: f"{MASTER} {old} {new}" in heard, "the event has come")
            self.assertEqual(sentinel.discover_master(MASTER), (HOST, self.proxied[1]))
            self.assertEqual(self.admin(self.replica).get("key"), "new")
            clients = self.admin(self.replica)
            self.assertTrue(app_clients(clients))
            until(lambda: all_by_proxy(clients, self.behind[1]), "clients come through proxies only")

        await self.in_thread(run)

    @contextlib.contextmanager
    def events(self) -> Iterator[list[str]]:
        """What is published on +switch-master meanwhile."""
        client = direct(self.proxied[2])
        heard: list[str] = []
        with client, client.pubsub() as channel:
            channel.subscribe("+switch-master")
            self.assertEqual(channel.get_message(timeout=30.0)["type"], "subscribe")
            over = threading.Event()

            def listen() -> None:
                while not over.is_set():
                    message = channel.get_message(timeout=0.05)
                    heard.extend([message["data"]] if message else [])

            thread = threading.Thread(target=listen)
            thread.start()
            try:
                yield heard
            finally:
                over.set()
                thread.join()

    async def test_asyncio(self) -> None:
        """The same with the client for asyncio."""

        async def use() -> None:
            sentinel = AsyncSentinel([(HOST, self.proxied[2])], socket_timeout=30.0, client_name=APP)
            async with sentinel.master_for(MASTER) as master:
                self.assertTrue(await master.set("key", "old"))
                self.assertEqual(await sentinel.discover_master(MASTER), (HOST, self.proxied[0]))
                await asyncio.to_thread(self.fail_over)
                self.assertEqual(await sentinel.discover_master(MASTER), (HOST, self.proxied[1]))
                # The old master, until the sentinel has missed it for long enough.
                replicas = await sentinel.discover_slaves(MASTER)
                self.assertIn(replicas, ([], [(HOST, self.proxied[0])]))
                self.assertTrue(await self.set_new(master) or await self.set_new(master))
            for each in sentinel.sentinels:
                await each.aclose()
            self.assertEqual(await asyncio.to_thread(self.admin(self.replica).get, "key"), "new")

        await self.in_thread(asyncio.run, use())

    async def set_new(self, master: Any) -> bool:
        """Whether the write is taken; it is not if the connection to the old master is lost with it."""
        try:
            return bool(await master.set("key", "new"))
        except redis.RedisError:
            return False
