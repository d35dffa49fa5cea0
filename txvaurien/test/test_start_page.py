"""docs/start.md: what a reader does in the first five minutes, done."""

from __future__ import annotations

from types import MappingProxyType

from txvaurien.test.servers import RedisServer
from txvaurien.test.shellpages import PageFollower


class StartPageTests(PageFollower):
    """Every command of the page, in its order, with a real Redis."""

    files = MappingProxyType({"ini": ["vaurien.ini"], "python": ["test_colours.py"]})

    def test_page(self) -> None:
        """Each command can be given, and says what stands below it."""
        self.needs(redis_cli="redis-tools")
        server = RedisServer()
        self.addCleanup(server.stop)
        server.start()
        self.replaced["6379"] = str(server.port)
        self.ports(6380)
        self.assertEqual(self.follow("start.md"), 24)
