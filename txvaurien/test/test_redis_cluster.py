"""redis-py's cluster client stays behind its proxies (``remap``), with a real cluster."""

from __future__ import annotations

import asyncio
from typing import Any

import redis
from redis.asyncio.cluster import RedisCluster as AsyncCluster

from txvaurien.test.redis_clusters import (
    APP,
    HOST,
    ClusterCase,
    app_clients,
    direct,
    listening,
    succeeds,
    until,
)

KEYS = [f"item:{number}" for number in range(60)]


def cluster(port: int) -> Any:
    """The cluster client of redis-py, as it is."""
    return redis.RedisCluster(host=HOST, port=port, client_name=APP, socket_timeout=30.0)


def ports_of(client: Any) -> set[int]:
    """Where a cluster client believes the nodes to be."""
    return {node.port for node in client.get_nodes()}


class ClusterTests(ClusterCase):
    """A cluster of three nodes, and a proxy in front of each."""

    def setUp(self) -> None:
        super().setUp()
        self.behind = self.proxies(self.nodes)
        self.proxied = listening(self.behind)

    def client(self) -> Any:
        """A cluster client that is told of the first proxy."""
        client = cluster(self.proxied[0])
        self.addCleanup(client.close)
        return client

    async def test_traffic(self) -> None:
        """The client finds all nodes and talks to them, through their proxies only."""

        def run() -> None:
            client = self.client()
            for key in KEYS:
                client.set(key, key)
            self.assertEqual([client.get(key) for key in KEYS], [key.encode() for key in KEYS])
            pipe = client.pipeline()
            for key in KEYS:
                pipe.append(key, "!").strlen(key)
            self.assertEqual(pipe.execute()[1::2], [len(key) + 1 for key in KEYS])
            self.assertEqual(client.mset_nonatomic({"a": 1, "b": 2, "c": 3}), [True] * 3)
            self.assertEqual(ports_of(client), set(self.proxied))
            self.check_passage(self.behind)
            self.assertTrue(all(app_clients(admin) for admin in self.admins))

        await self.in_thread(run)

    async def test_without_remap(self) -> None:
        """Without it the client is told of the nodes, and passes the proxies by."""
        plain = self.proxies(self.nodes, remap=False)

        def run() -> None:
            client = cluster(listening(plain)[0])
            self.addCleanup(client.close)
            for key in KEYS:
                client.set(key, key)
            self.assertEqual(ports_of(client), set(self.ports))
            self.assertGreater(app_clients(self.admins[1]), len(plain[1].proxy.links))

        await self.in_thread(run)

    async def test_what_is_told(self) -> None:
        """SLOTS, SHARDS and NODES name the proxies, and are else what the node says, in both protocols."""

        def run() -> None:
            for protocol in (2, 3):
                for command in ("SLOTS", "SHARDS"):
                    told, said = (
                        self.asked(self.proxied[0], protocol, command),
                        self.asked(self.ports[0], protocol, command),
                    )
                    for port, proxied in zip(self.ports, self.proxied, strict=True):
                        said = said.replace(f" {port}", f" {proxied}")
                    self.assertEqual(told, said)
                told = self.asked(self.proxied[0], protocol, "NODES")
                for port, proxied in zip(self.ports, self.proxied, strict=True):
                    self.assertIn(f"{HOST}:{proxied}@", told)
                    self.assertNotIn(f"{HOST}:{port}@", told)

        await self.in_thread(run)

    def asked(self, port: int, protocol: int, command: str) -> str:
        """The reply to CLUSTER and this, as text, without what changes with time."""
        client = self.connection(port, protocol)
        client.send_command("CLUSTER", command)
        return str(client.read_response())

    def connection(self, port: int, protocol: int) -> Any:
        """A connection of redis-py, which says what replies say and follows nothing."""
        client = redis.Connection(HOST, port, protocol=protocol, socket_timeout=30.0)
        self.addCleanup(client.disconnect)
        return client

    async def test_moved(self) -> None:
        """After a slot has gone to another node, MOVED leads to the proxy of that."""

        def run() -> None:
            key, client, single = self.key_on(0), self.client(), direct(self.proxied[0])
            client.set(key, "value")
            self.begin_to_move(key, 0, 2)
            self.end_move(key, 2)
            error = self.assertRaises(redis.exceptions.MovedError, single.get, key)
            single.close()
            self.assertEqual((error.host, error.port), (HOST, self.proxied[2]))
            self.assertEqual(client.get(key), b"value")
            self.assertTrue(client.set(key, "other"))
            self.assertEqual(self.admins[2].get(key), "other")
            self.assertEqual(ports_of(client), set(self.proxied))
            self.check_passage(self.behind)

        await self.in_thread(run)

    async def test_ask(self) -> None:
        """In the middle of that, ASK leads there for one command."""

        def run() -> None:
            key, client, single = self.key_on(0), self.client(), direct(self.proxied[0])
            client.set(key, "value")
            self.begin_to_move(key, 0, 1)
            error = self.assertRaises(redis.exceptions.AskError, single.get, key)
            single.close()
            self.assertEqual((error.host, error.port), (HOST, self.proxied[1]))
            self.assertEqual(client.get(key), b"value")
            self.assertTrue(client.set(key, "other"))
            # Not yet its own: only who asks for it gets it.
            self.assertRaises(redis.exceptions.MovedError, self.admins[1].get, key)
            self.end_move(key, 1)
            self.assertEqual(client.get(key), b"other")
            self.check_passage(self.behind)

        await self.in_thread(run)

    async def test_in_a_transaction(self) -> None:
        """Behind MULTI the redirection comes at once, and EXEC tells addresses of the proxies."""

        def run() -> None:
            client = self.connection(self.proxied[0], 2)
            for command in (["MULTI"], ["CLUSTER", "SLOTS"], ["ROLE"], ["PING"], ["EXEC"]):
                client.send_command(*command)
                reply = client.read_response()
            told = str(reply)
            for port, proxied in zip(self.ports, self.proxied, strict=True):
                self.assertIn(f" {proxied}", told)
                self.assertNotIn(f" {port}", told)
            client.send_command("MULTI")
            client.read_response()
            client.send_command("SET", self.key_on(1), 1)
            error = self.assertRaises(redis.exceptions.MovedError, client.read_response)
            self.assertEqual(error.port, self.proxied[1])

        await self.in_thread(run)

    async def test_node_killed(self) -> None:
        """With a node down the others serve on; when it is back, so are its keys' slots."""

        def run() -> None:
            client = self.client()
            near, far = self.key_on(0), self.key_on(2)
            client.mset_nonatomic({near: 1, far: 2})
            self.nodes[2].kill()
            self.assertFalse(succeeds(lambda: client.get(far)))
            self.assertEqual(client.get(near), b"1")
            self.nodes[2].start()
            until(lambda: succeeds(lambda: client.set(far, 3)), "the node serves again")
            self.assertEqual(self.admins[2].get(far), "3")
            self.assertEqual(ports_of(client), set(self.proxied))
            self.check_passage(self.behind)

        await self.in_thread(run)

    async def test_asyncio(self) -> None:
        """The client for asyncio: traffic, MOVED, ASK, a pipeline."""

        async def use() -> None:
            moved, asked = self.key_on(0), self.key_on(1)
            client = AsyncCluster(host=HOST, port=self.proxied[0], client_name=APP, socket_timeout=30.0)
            async with client:
                for key in (*KEYS, moved, asked):
                    await client.set(key, key)
                await asyncio.to_thread(self.begin_to_move, moved, 0, 2)
                await asyncio.to_thread(self.end_move, moved, 2)
                await asyncio.to_thread(self.begin_to_move, asked, 1, 2)
                for key in (*KEYS, moved, asked):
                    self.assertEqual(await client.get(key), key.encode())
                pipe: Any = client.pipeline()
                for key in KEYS:
                    pipe.strlen(key)
                self.assertEqual(await pipe.execute(), [len(key) for key in KEYS])
                self.assertEqual(ports_of(client), set(self.proxied))
                await asyncio.to_thread(self.check_passage, self.behind)

        await self.in_thread(asyncio.run, use())
