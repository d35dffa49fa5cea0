"""Every call of Toxiproxy's Python client (toxiproxy-python), unchanged, with real traffic."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from txvaurien.control.toxiproxy import VERSION
from txvaurien.test.manyproxies import ProxiesCase
from txvaurien.test.servers import free_port
from txvaurien.test.support import connect

toxiproxy: Any = importlib.import_module("toxiproxy")
consumer: Any = importlib.import_module("toxiproxy.api").APIConsumer
exceptions: Any = importlib.import_module("toxiproxy.exceptions")

T = TypeVar("T")


def port_of(listen: str) -> int:
    """The port of an address."""
    return int(listen.rpartition(":")[2])


def ask(listen: str, data: bytes = b"hello") -> bytes:
    """What the backend answers, up to `data`, or to the end."""
    with connect(port_of(listen)) as client:
        client.sendall(data)
        received = b""
        while not received.endswith(data):
            more = client.recv(65536)
            if not more:
                break
            received += more
        return received


class PythonCase(ProxiesCase):
    """Runs the client in a thread, as it blocks."""

    def setUp(self) -> None:
        super().setUp()
        self.upstream = f"127.0.0.1:{self.backend}"
        self.client = toxiproxy.Toxiproxy()
        # It keeps the address of its server in a class.
        self.addCleanup(self.client.update_api_consumer, consumer.host, consumer.port)
        self.client.update_api_consumer("127.0.0.1", self.start_control())

    def run_it(self, test: Callable[[], T]) -> Deferred[T]:
        """Run a test of blocking calls."""
        return deferToThread(test)

    def create(self, name: str = "redis", **options: object) -> Any:
        """A proxy in front of the backend."""
        return self.client.create(upstream=self.upstream, name=name, **options)


class ServerTests(PythonCase):
    """`Toxiproxy`."""

    def test_version(self) -> Deferred[None]:
        """running and version."""

        def test() -> None:
            self.assertTrue(self.client.running())
            self.assertIn(VERSION.encode(), self.client.version())

        return self.run_it(test)

    def test_create(self) -> Deferred[None]:
        """create: on any port, on this one, and disabled; a second one of a name is refused."""

        def test() -> None:
            proxy = self.create()
            self.assertEqual((proxy.name, proxy.upstream, proxy.enabled), ("redis", self.upstream, True))
            self.assertEqual(ask(proxy.listen), b"one:hello")
            listen = f"127.0.0.1:{free_port()}"
            other = self.create("other", listen=listen, enabled=False)
            self.assertEqual((other.listen, other.enabled), (listen, False))
            self.assertRaises(ConnectionRefusedError, ask, listen)
            self.assertRaises(exceptions.ProxyExists, self.create)
            body = {"name": "redis", "upstream": self.upstream}
            self.assertRaises(exceptions.ProxyExists, consumer.post, "/proxies", json=body)

        return self.run_it(test)

    def test_proxies(self) -> Deferred[None]:
        """proxies and get_proxy."""

        def test() -> None:
            self.assertEqual(self.client.proxies(), {})
            made = self.create()
            self.assertEqual(
                {name: vars(each) for name, each in self.client.proxies().items()}, {"redis": vars(made)}
            )
            self.assertEqual(vars(self.client.get_proxy("redis")), vars(made))
            self.assertIsNone(self.client.get_proxy("other"))

        return self.run_it(test)

    def test_destroy(self) -> Deferred[None]:
        """destroy and destroy_all."""

        def test() -> None:
            made = [self.create(name) for name in ("a", "my b", "ü")]
            self.assertTrue(self.client.destroy(made[0]))
            self.assertFalse(self.client.destroy("my b"))
            self.assertEqual(set(self.client.proxies()), {"my b", "ü"})
            self.assertRaises(ConnectionRefusedError, ask, made[0].listen)
            self.assertRaises(exceptions.NotFound, made[0].destroy)
            self.client.destroy_all()
            self.assertEqual(self.client.proxies(), {})

        return self.run_it(test)

    def test_populate(self) -> Deferred[None]:
        """populate: new ones, equal ones, and others in their place."""

        def test() -> None:
            listen = f"127.0.0.1:{free_port()}"
            first = {"name": "a", "upstream": self.upstream, "listen": listen}
            made = self.client.populate(
                [first, {"name": "b", "upstream": self.upstream, "listen": "127.0.0.1:0"}]
            )
            self.assertEqual([each.name for each in made], ["a", "b"])
            self.assertEqual(self.client.populate([first]), [])
            (moved,) = self.client.populate([{**first, "listen": f"127.0.0.1:{free_port()}"}])
            self.assertEqual(ask(moved.listen), b"one:hello")
            self.assertRaises(ConnectionRefusedError, ask, listen)

        return self.run_it(test)

    def test_reset(self) -> Deferred[None]:
        """reset enables all and removes all toxics."""

        def test() -> None:
            proxy = self.create()
            proxy.add_toxic(type="timeout", attributes={"timeout": 1})
            proxy.disable()
            self.assertTrue(self.client.reset())
            self.assertEqual((proxy.toxics(), self.client.get_proxy("redis").enabled), ({}, True))
            self.assertEqual(ask(proxy.listen), b"one:hello")

        return self.run_it(test)


class ProxyTests(PythonCase):
    """`Proxy`."""

    def test_down(self) -> Deferred[None]:
        """disable, enable and down: clients are refused and links cut meanwhile."""

        def test() -> None:
            proxy = self.create()
            with connect(port_of(proxy.listen)) as client:
                client.sendall(b"x")
                self.assertEqual(client.recv(10), b"one:x")
                with proxy.down():
                    self.assertFalse(proxy.enabled)
                    self.assertEqual(client.recv(10), b"")
                    self.assertRaises(ConnectionRefusedError, ask, proxy.listen)
            self.assertTrue(proxy.enabled)
            self.assertEqual(ask(proxy.listen), b"one:hello")
            proxy.disable()
            self.assertRaises(ConnectionRefusedError, ask, proxy.listen)
            proxy.enable()
            self.assertEqual(ask(proxy.listen), b"one:hello")

        return self.run_it(test)

    def test_toxics(self) -> Deferred[None]:
        """add_toxic, toxics, get_toxic and destroy_toxic."""

        def test() -> None:
            proxy = self.create()
            proxy.add_toxic(type="latency", stream="upstream", attributes={"latency": 1.0, "jitter": 0})
            proxy.add_toxic(
                type="limit_data", name="short", stream="downstream", toxicity=1.0, attributes={"bytes": 3}
            )
            self.assertEqual(set(proxy.toxics()), {"latency_upstream", "short"})
            toxic = proxy.get_toxic("short")
            self.assertEqual((toxic.type, toxic.stream, toxic.toxicity), ("limit_data", "downstream", 1.0))
            self.assertEqual(toxic.attributes, {"bytes": 3})
            self.assertIsNone(proxy.get_toxic("other"))
            self.assertEqual(ask(proxy.listen), b"one")
            self.assertTrue(proxy.destroy_toxic("short"))
            self.assertEqual(ask(proxy.listen), b"one:hello")
            self.assertRaises(exceptions.NotFound, proxy.destroy_toxic, "short")

        return self.run_it(test)

    def test_wrong_toxics(self) -> Deferred[None]:
        """What will not do is the exception that the client has for it."""

        def test() -> None:
            proxy = self.create()
            for fields in ({"type": "latenzy"}, {"type": "latency", "stream": "sideways"}):
                self.assertRaises(exceptions.InvalidToxic, proxy.add_toxic, **fields)
            proxy.add_toxic(type="latency")
            self.assertRaises(exceptions.ProxyExists, proxy.add_toxic, type="latency")
            proxy.destroy()
            self.assertRaises(exceptions.NotFound, proxy.add_toxic, type="latency")
            self.assertRaises(exceptions.NotFound, proxy.toxics)

        return self.run_it(test)

    def test_every_type(self) -> Deferred[None]:
        """Each of Toxiproxy's toxics does to the traffic what it is for."""

        def test() -> None:
            proxy = self.create()
            lossy = {
                "timeout": {"timeout": 1},
                "limit_data": {"bytes": 0},
            }
            harmless = {
                "latency": {"latency": 1, "jitter": 1},
                "bandwidth": {"rate": 1000},
                "slow_close": {"delay": 1},
                "slicer": {"average_size": 2, "size_variation": 1, "delay": 1},
            }
            for kind, attributes in {**lossy, **harmless}.items():
                proxy.add_toxic(type=kind, name=kind, attributes=attributes)
                self.assertEqual(ask(proxy.listen), b"" if kind in lossy else b"one:hello", kind)
                proxy.destroy_toxic(kind)
            proxy.add_toxic(type="reset_peer", attributes={"timeout": 0})
            with socket.create_connection(("127.0.0.1", port_of(proxy.listen)), timeout=30) as client:
                client.sendall(b"x")
                self.assertRaises(ConnectionResetError, client.recv, 10)

        return self.run_it(test)
