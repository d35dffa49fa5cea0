"""requests and urllib3: what is asked again, and what must not be."""

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from txvaurien import chaos_proxy


def make_session() -> requests.Session:
    """Three attempts more, for what may be repeated; Retry-After is honoured unless told otherwise."""
    retry = Retry(total=3, status_forcelist=[502, 503], backoff_factor=0.01, respect_retry_after_header=False)
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retry))
    return session


def test_unavailable_twice_then_well(web_url: str) -> None:
    with (
        chaos_proxy(web_url, "http") as proxy,
        proxy.behavior("error", kind="503", verb="GET", times=2) as fault,
        make_session() as session,
    ):
        assert session.get(proxy.url, timeout=30).status_code == 200
        assert fault.fired == 2


def test_a_post_is_not_repeated(web_url: str) -> None:
    with chaos_proxy(web_url, "http") as proxy, make_session() as session:
        # The server has the order; only its answer is lost. To ask again might order twice.
        with proxy.behavior("abort", wait=True, verb="POST") as fault:
            with pytest.raises(requests.ConnectionError):
                session.post(proxy.url, data=b"one tea", timeout=30)
            assert fault.fired == 1
        assert proxy.saw(verb="POST") == 1


def test_a_download_that_stops_short_is_an_error(web_url: str) -> None:
    with (
        chaos_proxy(web_url, "http") as proxy,
        proxy.behavior("truncate", share=0.5, verb="GET") as fault,
        make_session() as session,
    ):
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            session.get(proxy.url, timeout=30)
        assert fault.fired == 1
