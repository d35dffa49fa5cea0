"""A cache that goes silent under a web application: pages come late once, and then as ever."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheError

from txvaurien import chaos_proxy


class Pages:
    """Renders pages, and keeps them in a cache that it can do without."""

    def __init__(self, host: str, port: int) -> None:
        self.cache = Client((host, port), connect_timeout=0.5, timeout=0.5)
        self.lock = threading.Lock()
        self.usable = True
        self.rendered = 0

    def page(self, path: str) -> bytes:
        with self.lock:
            page: bytes | None = self.ask("get", path)
            if page is None:
                page = self.render(path)
                self.ask("set", path, page)
            return page

    def ask(self, method: str, *arguments: object) -> Any:
        """The cache's answer; None where it has none, or does not answer."""
        if not self.usable:
            return None
        try:
            return getattr(self.cache, method)(*arguments)
        except (OSError, MemcacheError):
            # One visitor has waited; the others need not.
            self.usable = False
            return None

    def render(self, path: str) -> bytes:
        self.rendered += 1
        return f"<h1>{path}</h1>".encode()


@contextmanager
def serving(pages: Pages) -> Iterator[str]:
    """A web server for these pages; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.page(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            pages.cache.close()


def test_pages_without_a_cache(memcached_url: str) -> None:
    with chaos_proxy(memcached_url, "memcache") as proxy:
        pages = Pages(proxy.host, proxy.port)
        with serving(pages) as site:

            def get() -> requests.Response:
                return requests.get(f"{site}/tea", timeout=30)

            assert get().content == get().content
            assert (pages.rendered, proxy.saw(verb="SET", target="/tea")) == (1, 1)
            with proxy.behavior("hang") as fault:
                answers = [get() for _ in range(3)]
                assert {(each.status_code, each.content) for each in answers} == {(200, b"<h1>/tea</h1>")}
                # The cache was asked once, not by each visitor.
                assert fault.fired == 1
            # Somebody, or a timer, says that it is well again.
            pages.usable = True
            get()
            assert pages.rendered == 4
