"""A Redis Cluster and a Sentinel on this machine, each server with a proxy in front of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from twisted.internet import reactor

from txvaurien.protocols.redis import Redis
from txvaurien.protocols.redis.commands import key_slot
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.servers import RedisServer, ServerProcess, free_port, require, wait_until
from txvaurien.test.support import ProxyCase

HOST = "127.0.0.1"
SLOTS = 16384
#: What the clients under test are called in CLIENT LIST.
APP = "app"
MASTER = "mymaster"


class ClusterNode(RedisServer):
    """A node that knows no other."""

    def __init__(self) -> None:
        #: The bus is usually 10000 ports higher, and there is not always such a port.
        self.bus = free_port()
        super().__init__(
            *("--cluster-enabled", "yes", "--cluster-port", str(self.bus)),
            *("--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"),
        )


class SentinelServer(ServerProcess):
    """A sentinel that watches one master, and alone decides that it is down."""

    def __init__(self, master: int) -> None:
        super().__init__()
        self._master = master

    def command(self) -> Sequence[str]:
        # It writes into its file what it has learnt.
        settings = self.folder / "sentinel.conf"
        settings.write_text(
            f"port {self.port}\nbind {HOST}\ndir {self.folder}\n"
            f"sentinel monitor {MASTER} {HOST} {self._master} 1\n"
            f"sentinel down-after-milliseconds {MASTER} 1000\n"
            f"sentinel failover-timeout {MASTER} 3000\n"
        )
        return [require("redis-server", "redis-server"), str(settings), "--sentinel"]


def direct(port: int) -> Any:
    """A client of one server, which does not try again and is no client under test."""
    return redis.Redis(port=port, socket_timeout=30.0, retry=Retry(NoBackoff(), 0), decode_responses=True)


def until(ready: Callable[[], bool], what: str) -> None:
    """Block until something holds; not in the reactor's thread."""
    wait_until(ready, lambda: f"it was waited in vain until {what}")


class ProxiedServers(ProxyCase):
    """Servers that have proxies, each of which knows where all the others are."""

    def proxies(self, servers: Sequence[ServerProcess], *, remap: bool = True) -> list[ProxyService]:
        """A proxy in front of each server.

        :param remap: whether clients are told of the proxies.
        """
        ports = {server.port: free_port() for server in servers}
        table = {f"{HOST}:{port}": f"{HOST}:{proxied}" for port, proxied in ports.items()}
        return [self._proxy(server.port, ports[server.port], table if remap else {}) for server in servers]

    def _proxy(self, port: int, listen: int, table: Mapping[str, str]) -> ProxyService:
        proxy = Proxy(f"{HOST}:{port}", Redis(remap=dict(table)), None, reactor=reactor)
        service = ProxyService(proxy, f"{HOST}:{listen}")
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def admin(self, server: ServerProcess) -> Any:
        """A connection past the proxies."""
        client = direct(server.port)
        self.addCleanup(client.close)
        return client


class ClusterCase(ProxiedServers):
    """A cluster of three nodes without replicas."""

    def setUp(self) -> None:
        self.nodes = [self.start_server(ClusterNode()) for _ in range(3)]
        self.ports = [node.port for node in self.nodes]
        self.admins = [self.admin(node) for node in self.nodes]
        self._assign()
        for admin in self.admins:
            until(functools.partial(self._is_whole, admin), "the cluster is whole")

    def _assign(self) -> None:
        share = -(-SLOTS // len(self.nodes))
        for number, admin in enumerate(self.admins):
            admin.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            last = min(SLOTS, (number + 1) * share) - 1
            admin.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
        for node in self.nodes[1:]:
            self.admins[0].execute_command("CLUSTER MEET", HOST, node.port, node.bus)

    def _is_whole(self, admin: Any) -> bool:
        told = admin.execute_command("CLUSTER INFO")
        return bool(told["cluster_state"] == "ok" and told["cluster_slots_assigned"] == str(SLOTS))

    def node_of(self, key: str) -> int:
        """Which node has the slot of a key, at the beginning."""
        return key_slot(key.encode()) // -(-SLOTS // len(self.nodes))

    def key_on(self, node: int) -> str:
        """A key whose slot that node has, at the beginning."""
        return next(key for key in map("key:{}".format, range(1000)) if self.node_of(key) == node)

    def begin_to_move(self, key: str, source: int, target: int) -> None:
        """Begin to move the slot of a key; the key itself is on the target already."""
        slot = key_slot(key.encode())
        self.admins[target].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self._id(source))
        self.admins[source].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self._id(target))
        self.admins[source].execute_command("MIGRATE", HOST, self.ports[target], key, 0, 10_000)

    def end_move(self, key: str, target: int) -> None:
        """The slot belongs to the target, and every node knows it."""
        slot, owner = key_slot(key.encode()), self._id(target)
        for admin in (self.admins[target], *self.admins):
            admin.execute_command("CLUSTER SETSLOT", slot, "NODE", owner)

    def _id(self, node: int) -> str:
        return str(self.admins[node].execute_command("CLUSTER MYID"))

    def check_passage(self, proxies: Sequence[ProxyService]) -> None:
        """See that each connection that a client has at a node is one of the node's proxy."""
        for admin, service in zip(self.admins, proxies, strict=True):
            until(functools.partial(all_by_proxy, admin, service), "clients come through proxies only")


def app_clients(admin: Any) -> int:
    """How many connections a server has from clients under test."""
    return sum(client["name"] == APP for client in admin.client_list())


def all_by_proxy(admin: Any, service: ProxyService) -> bool:
    """Whether a server has as many connections from clients under test as its proxy has links."""
    return app_clients(admin) == len(service.proxy.links)


def succeeds(function: Callable[[], Any]) -> bool:
    """Whether it does, this time."""
    try:
        function()
    except (redis.RedisError, redis.exceptions.RedisClusterException):
        return False
    return True


def listening(proxies: Sequence[ProxyService]) -> list[int]:
    """The ports of proxies."""
    return [proxy.port or 0 for proxy in proxies]
