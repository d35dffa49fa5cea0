"""A server that takes the command and never answers: the read time-out ends it."""

import time

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from txvaurien import chaos_proxy


def test_the_read_timeout_fires(redis_url: str) -> None:
    with (
        chaos_proxy(redis_url, "redis") as proxy,
        redis.from_url(proxy.url, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)) as client,
    ):
        client.set("stock", 7)
        with proxy.behavior("hang", verb="GET") as fault:
            begun = time.monotonic()
            with pytest.raises(redis.TimeoutError):
                client.get("stock")
            # Not before its time; and far from for ever, however busy the machine is.
            assert 0.4 < time.monotonic() - begun < 20
            assert fault.fired == 1
        # The late answer is nobody's: the client has thrown that connection away.
        assert client.get("stock") == b"7"
