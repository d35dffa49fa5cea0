"""Both clients: the proxies of a server, against a control server on a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txvaurien import VaurienError, __version__
from txvaurien.behaviors.delay import Delay
from txvaurien.client import AsyncClient
from txvaurien.clients.blocking import Client, ProxyHandle
from txvaurien.control.service import ControlService
from txvaurien.process.proxies import Proxies
from txvaurien.test.control_helpers import registry
from txvaurien.test.servers import free_port


class ServerCase(TestCase):
    """A server without proxies."""

    def setUp(self) -> None:
        self.proxies = Proxies(reactor, registry())
        self.proxies.startService()
        self.addCleanup(self.proxies.stopService)
        service = ControlService(self.proxies, port=0, reactor=reactor)
        service.startService()
        self.addCleanup(service.stopService)
        self.port = service.port
        self.backend = f"127.0.0.1:{free_port()}"


class AsyncTests(ServerCase):
    """`AsyncClient`."""

    async def test_life(self) -> None:
        """A proxy is created with its faults, asked, changed and removed; the handle has it all."""
        client = AsyncClient(port=self.port)
        self.assertEqual(await client.proxies(), [])
        async with await client.create(
            "a", self.backend, seed=7, plan={"rules": ["delay sleep=2 name=r"]}, toxics=[{"type": "latency"}]
        ) as proxy:
            self.assertEqual((proxy.name, proxy.listen), ("a", self.proxies.get("a").listen))
            self.assertEqual(proxy.listen, f"127.0.0.1:{proxy.port}")
            told = await proxy.describe()
            self.assertEqual((told["name"], told["upstream"], told["enabled"]), ("a", self.backend, True))
            self.assertEqual([each["name"] for each in await proxy.toxics()], ["latency_downstream"])
            self.assertEqual([each["name"] for each in await proxy.rules()], ["r"])
            await proxy.set_behavior("delay", sleep=3)
            behavior = self.proxies.get("a").proxy.plan.mix[0].rule.behavior
            self.assertEqual(behavior, Delay(sleep=3.0))
            await proxy.disable()
            self.assertFalse(self.proxies.get("a").enabled)
            await proxy.enable()
            self.assertTrue(self.proxies.get("a").enabled)
            elsewhere = free_port()
            await proxy.change(listen=f"127.0.0.1:{elsewhere}", backend="127.0.0.1:1")
            self.assertEqual(proxy.listen, self.proxies.get("a").listen)
            self.assertEqual(proxy.port, elsewhere)
            self.assertEqual(self.proxies.get("a").proxy.backend.text, "127.0.0.1:1")
            self.assertEqual([each["name"] for each in await client.proxies()], ["a"])
            self.assertEqual({each["proxy"] for each in await proxy.journal()}, {"a"})
        self.assertEqual(len(self.proxies), 0)

    async def test_one_of_several(self) -> None:
        """What concerns one is done to that one, and `reset` of a handle as well."""
        client = AsyncClient(port=self.port)
        for name in ("a", "a b"):
            await client.create(name, self.backend)
            await client.proxy(name).add_rule("delay", sleep=2)
        await client.proxy("a b").reset()
        counts = [len(each.proxy.plan.rules) for each in self.proxies]
        self.assertEqual(counts, [1, 0])
        with self.assertRaisesRegex(VaurienError, "there are several proxies: a, a b"):
            await client.rules()
        await client.reset()
        self.assertEqual(self.proxies.get("a").proxy.plan.rules, ())
        await client.proxy("a b").remove()
        self.assertEqual(await client.rules(), [])
        with self.assertRaisesRegex(VaurienError, "there is no proxy 'a b'"):
            await client.proxy("a b").rules()

    async def test_listings(self) -> None:
        """What a server has to offer."""
        client = AsyncClient(port=self.port)
        self.assertEqual(list(await client.list_protocols()), ["tcp"])
        self.assertEqual(sorted(await client.list_toxic_types()), ["bandwidth", "latency"])
        health = await client.health()
        self.assertEqual((health["status"], health["version"], health["proxies"]), ("ok", __version__, 0))

    async def test_texts(self) -> None:
        """What a server says of itself: its version, its metrics as a text, its API."""
        client = AsyncClient(port=self.port)
        blocking = Client(port=self.port)
        version, metrics, openapi = await deferToThread(
            lambda: (blocking.version(), blocking.metrics(), blocking.openapi())
        )
        self.assertEqual(version, await client.version())
        self.assertEqual(version["txvaurien"], __version__)
        self.assertIn("# TYPE vaurien_info gauge\n", metrics)
        self.assertIn("# TYPE vaurien_info gauge\n", await client.metrics())
        self.assertEqual(openapi["openapi"], "3.1.0")
        self.assertEqual(openapi, await client.openapi())

    async def test_mistyped(self) -> None:
        """A field that there is not is refused, though Toxiproxy's paths let it pass for others."""
        client = AsyncClient(port=self.port)
        with self.assertRaisesRegex(VaurienError, "colour"):
            await client.create("a", self.backend, colour="red")
        with self.assertRaisesRegex(VaurienError, "colour"):
            await client.populate([{"name": "a", "upstream": self.backend, "colour": "red"}])
        self.assertEqual(len(self.proxies), 0)
        proxy = await client.create("a", self.backend)
        with self.assertRaisesRegex(VaurienError, "latncy"):
            await proxy.add_toxic("latency", latncy=1)
        toxic = await proxy.add_toxic("latency", latency=1)
        with self.assertRaisesRegex(VaurienError, "latncy"):
            await toxic.change(latncy=1)
        with self.assertRaisesRegex(VaurienError, "colour"):
            await proxy.change(colour="red")
        # Below other paths of a proxy nothing is said of it.
        await proxy.add_rule("delay", position=0, sleep=1)
        self.assertEqual(await proxy.clear_rules(), 1)

    async def test_populate(self) -> None:
        """Those that are just so stay, others are replaced."""
        client = AsyncClient(port=self.port)
        wanted = [
            {"name": name, "listen": f"127.0.0.1:{free_port()}", "upstream": self.backend} for name in "ab"
        ]
        self.assertEqual([each["name"] for each in await client.populate(wanted)], ["a", "b"])
        before = self.proxies.get("a"), self.proxies.get("b")
        wanted[1]["upstream"] = "127.0.0.1:1"
        await client.populate(wanted)
        self.assertIs(self.proxies.get("a"), before[0])
        self.assertIsNot(self.proxies.get("b"), before[1])

    async def test_removed_by_somebody_else(self) -> None:
        """At the end of its block that is no error."""
        client = AsyncClient(port=self.port)
        async with await client.create("a", self.backend) as proxy:
            await client.proxy("a").remove()
        with self.assertRaises(VaurienError):
            await proxy.remove()


class BlockingTests(ServerCase):
    """`Client`: each of its calls, in a thread."""

    async def test_life(self) -> None:
        """The same, blocking."""
        done = await deferToThread(self.live, Client(port=self.port))
        self.assertEqual(done, "done")
        self.assertEqual(len(self.proxies), 0)

    def live(self, client: Client) -> str:
        """What happens in the thread."""
        self.assertEqual(client.proxies(), [])
        with client.create("a", self.backend, enabled=False) as proxy:
            self.assertFalse(proxy.describe()["enabled"])
            proxy.add_rule("delay", sleep=1)
            self.assertEqual(proxy.clear_rules(), 1)
            proxy.enable()
            self.assertTrue(proxy.describe()["enabled"])
            proxy.disable()
            proxy.change(listen="127.0.0.1:0")
            with proxy.add_rule("delay", sleep=2) as rule:
                self.assertEqual(rule.fired, 0)
            with proxy.add_toxic("latency", latency=5) as toxic:
                toxic.change(latency=6)
                self.assertEqual(client.proxy("a").toxics()[0]["attributes"]["latency"], 6)
            self.assertEqual(proxy.toxics(), [])
            self.assertEqual({each["proxy"] for each in proxy.journal()}, {"a"})
            client.proxy("a").remove()
        self.assertEqual(list(client.list_protocols()), ["tcp"])
        self.assertEqual(sorted(client.list_toxic_types()), ["bandwidth", "latency"])
        self.assertEqual(client.health()["proxies"], 0)
        wanted = {"name": "p", "listen": "127.0.0.1:0", "upstream": self.backend}
        self.assertEqual([each["name"] for each in client.populate([wanted])], ["p"])
        client.proxy("p").remove()
        return "done"


class HandleTests(SynchronousTestCase):
    """`ProxyHandle` before anybody is asked."""

    def test_port(self) -> None:
        """The port in `listen`, if there is one."""
        client = Client(port=1)
        made: Callable[..., Any] = ProxyHandle
        for listen, port in (("127.0.0.1:80", 80), ("[::1]:81", 81), ("unix:/run/x", 0), ("", 0)):
            self.assertEqual(made(client, "a", listen).port, port)
