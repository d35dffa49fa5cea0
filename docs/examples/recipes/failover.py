"""Failover: the first server dies, and the work goes on with the second one."""

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from txvaurien import chaos_proxy


class Cluster:
    """Writes to the first of several servers that takes it."""

    def __init__(self, *urls: str) -> None:
        patience = Retry(NoBackoff(), 0)
        self.clients = [redis.from_url(url, retry=patience, socket_timeout=5) for url in urls]

    def set(self, key: str, value: str) -> None:
        for client in self.clients:
            try:
                client.set(key, value)
                return
            except (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError):
                continue
        raise RuntimeError("no server takes writes")

    def close(self) -> None:
        for client in self.clients:
            client.close()


def test_the_application_goes_to_the_second(redis_url: str, second_redis_url: str) -> None:
    with chaos_proxy(redis_url, "redis") as first, chaos_proxy(second_redis_url, "redis") as second:
        cluster = Cluster(first.url, second.url)
        cluster.set("where", "first")
        assert (first.saw(verb="SET"), second.saw(verb="SET")) == (1, 0)
        with first.kill():
            cluster.set("where", "second")
        # Not every failover begins with a death: this one answers, and takes no writes any more.
        with first.behavior("error", kind="readonly", verb="SET"):
            cluster.set("where", "second again")
        assert second.saw(verb="SET") == 2
        cluster.set("where", "first again")
        assert second.saw(verb="SET") == 2
        cluster.close()


def test_the_address_goes_to_the_second(redis_url: str, second_redis_url: str) -> None:
    """As with a virtual address: the application knows one server, and meets another one."""
    with redis.from_url(redis_url) as one, redis.from_url(second_redis_url) as two:
        one.set("who", "first")
        two.set("who", "second")
    once_more = Retry(NoBackoff(), 1)
    with (
        chaos_proxy(redis_url, "redis") as proxy,
        redis.from_url(proxy.url, retry=once_more, retry_on_error=[redis.ConnectionError]) as client,
    ):
        assert client.get("who") == b"first"
        with proxy.repoint(second_redis_url, cut=True):
            assert client.get("who") == b"second"


def test_nobody_is_left(redis_url: str) -> None:
    with chaos_proxy(redis_url, "redis") as proxy, proxy.kill():
        cluster = Cluster(proxy.url)
        with pytest.raises(RuntimeError, match="no server"):
            cluster.set("where", "nowhere")
