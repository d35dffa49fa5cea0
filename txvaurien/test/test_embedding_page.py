"""docs/embedding.md: its examples are run, with a real Redis."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from types import MappingProxyType

from redis import ReadOnlyError, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from txvaurien.plugins import Registry
from txvaurien.proxy import Proxy, ProxyFactory
from txvaurien.test.servers import RedisServer, ServerProcess
from txvaurien.test.shellpages import PageFollower
from txvaurien.test.test_fault_docs import DocsCase

TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"


class Application(ServerProcess):
    """An example, in a process of its own."""

    def __init__(self, port: int, *arguments: str) -> None:
        super().__init__(port)
        self._arguments = arguments

    def command(self) -> Sequence[str]:
        return [sys.executable, *self._arguments]


class EmbeddingTests(PageFollower):
    """Each of the three blocks."""

    files = MappingProxyType({"python": ["app.py", "inside.py", "test_inside.py"]})

    def setUp(self) -> None:
        super().setUp()
        server = RedisServer()
        self.addCleanup(server.stop)
        server.start()
        self.replaced["6379"] = str(server.port)
        self.ports(6380)
        self.follow("embedding.md")

    def client(self, *arguments: str) -> Redis:
        """A client of an application that runs until the test ends."""
        application = Application(int(self.replaced["6380"]), *arguments)
        self.addCleanup(application.stop)
        application.start()
        client = Redis(port=application.port, retry=Retry(NoBackoff(), 0))
        self.addCleanup(client.close)
        return client

    def test_service(self) -> None:
        """The service refuses the first SET, and no other."""
        client = self.client(
            "-c", TWISTD, "--nodaemon", "--pidfile=", "--python", str(self.folder / "app.py")
        )
        self.assertRaises(ReadOnlyError, client.set, "colour", "red")
        self.assertTrue(client.set("colour", "red"))

    def test_endpoint(self) -> None:
        """The factory serves on an endpoint of Twisted."""
        self.assertTrue(self.client(str(self.folder / "inside.py")).ping())

    def test_changing(self) -> None:
        """The test of the page passes."""
        self.assertIn("PASSED (successes=1)", self.says("PYTHONPATH=. trial test_inside"))


class PageTests(DocsCase):
    """What the page says besides."""

    def test_factories(self) -> None:
        """Each factory that is named is in the module of its protocol, and no other is there."""
        named = set(re.findall(r"`(\w+Factory)`", self.page("embedding.md"))) - {"ProxyFactory"}
        self.assertEqual(named, {each.__name__ for each in self._factories()})

    def _factories(self) -> Iterator[type[ProxyFactory]]:
        for protocol in Registry.load().protocols.values():
            module = sys.modules[protocol.__module__]
            yield from (
                each
                for each in vars(module).values()
                if isinstance(each, type) and issubclass(each, ProxyFactory) and each is not ProxyFactory
            )

    def test_words(self) -> None:
        """What the page says of a proxy is there."""
        for name in re.findall(r"`(?:await )?proxy\.(\w+)", self.page("embedding.md")):
            known = hasattr(Proxy, name) or name in {"observers", "actions"}
            self.assertTrue(known, name)

    def test_links(self) -> None:
        """What the page refers to is there."""
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", self.page("embedding.md")):
            self.page(target)
