"""Clients on Twisted: a connection that comes back by itself, and a request with a time-out."""

from typing import Any

import pytest
import treq
from twisted.application.internet import ClientService
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from twisted.web.client import ResponseNeverReceived

from txvaurien import chaos_proxy


class Asker(LineOnlyReceiver):
    """Speaks Redis as far as PING."""

    def connectionMade(self) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def ping(self) -> Deferred[bytes]:
        self.answer = Deferred()
        self.sendLine(b"PING")
        return self.answer

    def lineReceived(self, line: bytes) -> None:
        self.answer.callback(line)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.lost.callback(None)


async def test_the_service_connects_again(redis_url: str) -> None:
    async with chaos_proxy(redis_url, "redis") as proxy:
        endpoint = HostnameEndpoint(reactor, proxy.host, proxy.port)
        refused: Deferred[None] = Deferred()

        def pause(failed: int) -> float:
            if failed == 2:
                refused.callback(None)
            return min(0.05 * (failed + 1), 1.0)

        service = ClientService(endpoint, Factory.forProtocol(Asker), retryPolicy=pause)
        service.startService()
        client: Any = await service.whenConnected()
        assert await client.ping() == b"+PONG"

        async with proxy.kill():
            await client.lost
            await refused
        client = await service.whenConnected()
        assert await client.ping() == b"+PONG"
        await service.stopService()


async def test_a_silent_server_costs_one_timeout(web_url: str) -> None:
    async with chaos_proxy(web_url, "http") as proxy:
        async with proxy.behavior("hang", verb="GET") as fault:
            with pytest.raises((CancelledError, ResponseNeverReceived)):
                await treq.get(proxy.url, timeout=0.5, persistent=False)
            assert await fault.fired() == 1
        response = await treq.get(proxy.url, timeout=30, persistent=False)
        assert response.code == 200
        await response.content()
