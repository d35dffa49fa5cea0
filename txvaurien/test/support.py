"""The proxy in front of a real server, in the test's own reactor, with blocking clients in threads."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.plan import Plan
from txvaurien.protocols.base import WireProtocol
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.servers import ServerProcess

T = TypeVar("T")
ServerT = TypeVar("ServerT", bound=ServerProcess)


class ProxyCase(TestCase):
    """Tests in which real clients talk through the proxy to a real server."""

    timeout = 120

    def start_server(self, server: ServerT) -> ServerT:
        """Start a server that ends with the test."""
        self.addCleanup(server.stop)
        server.start()
        return server

    def start_proxy(
        self, protocol: WireProtocol, backend: int, plan: Plan | Behavior | None = None, **options: Any
    ) -> ProxyService:
        """A proxy in front of 127.0.0.1:`backend`, on a free port, that ends with the test."""
        if isinstance(plan, Behavior):
            plan = Plan.only(plan, seed=1)
        proxy = Proxy(f"127.0.0.1:{backend}", protocol, plan, reactor=reactor, **options)
        service = ProxyService(proxy, "127.0.0.1:0")
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def in_thread(self, function: Callable[..., T], *arguments: Any, **keywords: Any) -> Deferred[T]:
        """Run a blocking client in a thread, while the proxy works in this one."""
        return deferToThread(function, *arguments, **keywords)

    async def until(self, ready: Callable[[], bool]) -> None:
        """Let the reactor turn until something holds; the test's own time-out is the limit."""
        while not ready():
            await deferLater(reactor, 0.002)

    async def turn(self) -> None:
        """Let the reactor turn once."""
        await deferLater(reactor, 0)


def connect(port: int) -> socket.socket:
    """A client's socket, with a time-out that turns a hang into a failure."""
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
