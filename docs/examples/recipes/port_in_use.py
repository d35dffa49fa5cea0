"""A port that is in use: the error says so, at once, and where the test began it."""

import socket

import pytest

from txvaurien import ListenError, chaos_proxy


def test_the_port_is_in_use(redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match="in use"):
            chaos_proxy(redis_url, "redis", listen=f"127.0.0.1:{port}").start()
    # Without listen= there is no such error: each proxy finds a port of its own.
    with chaos_proxy(redis_url, "redis") as one, chaos_proxy(redis_url, "redis") as two:
        assert one.port != two.port
