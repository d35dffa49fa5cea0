"""Certificates: does the client check them? redis-py and requests, over TLS with the proxy."""

import pytest
import redis
import requests
from redis.backoff import NoBackoff
from redis.retry import Retry

from txvaurien import chaos_proxy

BAD = ("expired", "not-yet-valid", "wrong-name", "unknown-authority", "self-signed")


def make_client(url: str, ca_file: str, timeout: float = 30) -> redis.Redis:
    return redis.from_url(url, ssl_ca_certs=ca_file, socket_timeout=timeout, retry=Retry(NoBackoff(), 0))


def test_redis_py_checks(redis_url: str) -> None:
    with chaos_proxy(redis_url, "redis", tls="auto") as proxy:
        with make_client(proxy.url, proxy.ca_file) as client:
            assert client.ping()
        for kind in BAD:
            with (
                proxy.behavior("tls", kind=kind) as fault,
                make_client(proxy.url, proxy.ca_file) as client,
                pytest.raises(redis.ConnectionError, match="certificate verify failed"),
            ):
                client.ping()
            assert fault.fired == 1
        assert proxy.saw("PING") == 1  # no stranger has been told what the client wanted


def test_handshakes_that_fail(redis_url: str) -> None:
    with chaos_proxy(redis_url, "redis", tls="auto") as proxy:
        for kind in ("refused", "reset"):
            with (
                proxy.behavior("tls", kind=kind),
                make_client(proxy.url, proxy.ca_file) as client,
                pytest.raises(redis.ConnectionError),
            ):
                client.ping()
        with (
            proxy.behavior("tls", kind="stalled"),
            make_client(proxy.url, proxy.ca_file, timeout=0.5) as client,
            pytest.raises(redis.TimeoutError),
        ):
            client.ping()


def test_requests_checks(web_url: str) -> None:
    with chaos_proxy(web_url, "http", tls="auto") as proxy:
        assert requests.get(proxy.url, verify=proxy.ca_file, timeout=30).ok
        for kind in BAD:
            with (
                proxy.behavior("tls", kind=kind) as fault,
                pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"),
            ):
                requests.get(proxy.url, verify=proxy.ca_file, timeout=30)
            assert fault.fired == 1


def test_who_does_not_check_is_found_out(web_url: str) -> None:
    with chaos_proxy(web_url, "http", tls="auto") as proxy, proxy.behavior("tls kind=expired") as fault:
        with pytest.warns(Warning, match="Unverified HTTPS request"):
            assert requests.get(proxy.url, verify=False, timeout=30).ok
        # It has seen the certificate that expired, and went on.
        assert fault.fired == 1
