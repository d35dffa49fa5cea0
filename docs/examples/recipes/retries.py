"""Retries: two failures, then success; and no more attempts than were meant."""

import pytest
import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from txvaurien import chaos_proxy


def make_client(url: str) -> redis.Redis:
    # While it loads its data set a server says LOADING, which redis-py takes for a ConnectionError.
    patience = Retry(ExponentialBackoff(cap=0.05, base=0.01), 3)
    return redis.from_url(url, retry=patience, retry_on_error=[redis.ConnectionError])


def test_two_failures_then_success(redis_url: str) -> None:
    with chaos_proxy(redis_url, "redis") as proxy, make_client(proxy.url) as client:
        client.set("user:1", "ann")
        with proxy.behavior("error", kind="loading", verb="GET", target="user:*", times=2) as fault:
            assert client.get("user:1") == b"ann"
            assert (fault.fired, fault.matched) == (2, 3)
        assert [each["target"] for each in fault.exchanges] == ["user:1", "user:1"]


def test_it_gives_up_in_the_end(redis_url: str) -> None:
    with (
        chaos_proxy(redis_url, "redis") as proxy,
        proxy.behavior("error", kind="loading", verb="GET") as fault,
        make_client(proxy.url) as client,
    ):
        with pytest.raises(redis.BusyLoadingError):
            client.get("user:1")
        assert fault.fired == 4  # once, and three times again
