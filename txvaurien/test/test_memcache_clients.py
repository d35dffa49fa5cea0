"""Each kind of the catalogue, as client libraries meet it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from txvaurien.behaviors.error import Error
from txvaurien.behaviors.transient import Transient
from txvaurien.protocols.memcache import Memcache
from txvaurien.test.exceptions_memcache import BINARY, EXPECTED, PYMEMCACHE
from txvaurien.test.memcached_server import Memcached, binary_client, text_client
from txvaurien.test.support import ProxyCase

#: How a client meets an error.
CALLS: Mapping[str, Mapping[str, Callable[[Any], object]]] = {
    PYMEMCACHE: {
        "get": lambda client: client.get("key"),
        "get_many": lambda client: client.get_many(["key", "other"]),
        "set": lambda client: client.set("key", "value", noreply=False),
        "add": lambda client: client.add("key", "value", noreply=False),
        "cas": lambda client: client.cas("key", "value", 1, noreply=False),
        "delete": lambda client: client.delete("key", noreply=False),
        "incr": lambda client: client.incr("key", 1),
        "touch": lambda client: client.touch("key", 1, noreply=False),
        "crawl": lambda client: client.raw_command("lru_crawler crawl all"),
    },
    BINARY: {
        "get": lambda client: client.get("key"),
        "get_multi": lambda client: client.get_multi(["key", "other"]),
        "set": lambda client: client.set("key", "value"),
        "add": lambda client: client.add("key", "value"),
        "cas": lambda client: client.cas("key", "value", 1),
        "delete": lambda client: client.delete("key"),
        "incr": lambda client: client.incr("key", 1),
    },
}

CLIENTS: Mapping[str, Callable[[int | None], Any]] = {PYMEMCACHE: text_client, BINARY: binary_client}


def outcome(call: Callable[[Any], object], client: Any) -> str:
    """What becomes of a call, in the words of the table."""
    try:
        return f"returns {call(client)!r}"
    except Exception as error:
        return f"{type(error).__module__}.{type(error).__qualname__}"


class ExceptionTests(ProxyCase):
    """The table of exceptions_memcache.py, against the libraries."""

    async def test_table(self) -> None:
        """Each kind becomes the exception, or the value, that the table says."""
        server = self.start_server(Memcached())
        for kind, library, how, expected in EXPECTED:
            proxy = self.start_proxy(Memcache(), server.port, Error(kind=kind))
            client = CLIENTS[library](proxy.port)
            seen = await self.in_thread(outcome, CALLS[library][how], client)
            self.assertEqual(seen, expected, f"{kind}: {library} {how}")

    def test_table_is_complete(self) -> None:
        """Every kind of the catalogue is in the table, with every client that can meet it."""
        kinds = {kind.name for kind in Memcache.error_kinds}
        self.assertEqual({kind for kind, *_ in EXPECTED}, kinds)
        text = {kind for kind, library, *_ in EXPECTED if library == PYMEMCACHE}
        self.assertEqual(kinds - text, {"temporary-failure"})
        binary = {kind for kind, library, *_ in EXPECTED if library == BINARY}
        self.assertEqual(kinds, binary)

    async def test_in_step(self) -> None:
        """After an error the same connection goes on: the next call gets its own answer."""
        server = self.start_server(Memcached())
        for library, make in CLIENTS.items():
            proxy = self.start_proxy(Memcache(), server.port, Transient(kind="server-error"))
            client, calls = make(proxy.port), CALLS[library]

            def turns(client: Any = client, calls: Mapping[str, Any] = calls) -> list[str]:
                return [outcome(calls[how], client) for how in ("set", "set", "get")]

            # In one thread: python-binary-memcached has a connection for each.
            refused, stored, fetched = await self.in_thread(turns)
            self.assertNotIn("returns", refused)
            self.assertEqual(stored, "returns True")
            self.assertIn("value", fetched)
            # pymemcache drops its connection after any error.
            self.assertEqual(proxy.proxy.stats.links, 2 if library == PYMEMCACHE else 1)
