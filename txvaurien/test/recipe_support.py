"""Runs the files of docs/examples/recipes; what their functions take is the URL of a server."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest import fail
from twisted.trial.unittest import SkipTest

from txvaurien.test.http_servers import PythonServer
from txvaurien.test.mailservers import Aiosmtpd
from txvaurien.test.memcached_server import Memcached
from txvaurien.test.mysql_support import PASSWORD, USER, MariaDBServer
from txvaurien.test.postgres import PostgresServer
from txvaurien.test.servers import RedisServer, ServerProcess
from txvaurien.test.support import ProxyCase

RECIPES = Path(__file__).parents[2] / "docs" / "examples" / "recipes"

#: The servers that a recipe may ask for, and what it is given: a URL, with this text around the port.
SERVERS: Mapping[str, tuple[Callable[[], ServerProcess], str]] = {
    "memcached_url": (Memcached, "memcached://127.0.0.1:{port}"),
    "mysql_url": (MariaDBServer, f"mysql://{USER}:{PASSWORD}@127.0.0.1:{{port}}/shop"),
    "postgres_url": (PostgresServer, f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{{port}}/postgres"),
    "redis_url": (RedisServer, "redis://127.0.0.1:{port}/0"),
    "second_redis_url": (RedisServer, "redis://127.0.0.1:{port}/0"),
    "smtp_url": (Aiosmtpd, "smtp://127.0.0.1:{port}"),
    "web_url": (PythonServer, "http://127.0.0.1:{port}/bytes/20000"),
}


def recipes() -> Sequence[str]:
    """The names of the files."""
    if not RECIPES.exists():
        raise SkipTest("the recipes are in the repository, not in the installed package")
    return sorted(path.stem for path in RECIPES.glob("*.py"))


def load(name: str) -> ModuleType:
    """One of the files, as a module that nobody else sees."""
    if name not in recipes():
        raise AssertionError(f"there is no recipe {name!r}")
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", RECIPES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tests_of(module: ModuleType) -> Sequence[Callable[..., Any]]:
    """Its test functions, in the order in which they stand there."""
    return [each for name, each in vars(module).items() if name.startswith("test_")]


class RecipeCase(ProxyCase):
    """Tests that play recipes."""

    def setUp(self) -> None:
        self._servers: dict[str, ServerProcess] = {}

    async def play(self, name: str, *, twisted: bool = False) -> None:
        """Run all tests of a file.

        :param twisted: its coroutines are for Twisted's reactor, and not for asyncio.
        """
        played = 0
        for test in tests_of(load(name)):
            servers = {each: await self._start(each) for each in inspect.signature(test).parameters}
            played += 1
            try:
                await (test(**servers) if twisted else self.in_thread(_run, test, servers))
            except fail.Exception as failure:
                # It is no Exception, and would end the whole run.
                raise AssertionError(f"{name}: {test.__name__}: {failure}") from failure
        self.assertGreater(played, 0)

    async def _start(self, name: str) -> str:
        """The URL of a server, which is started when the first recipe wants it."""
        make, url = SERVERS[name]
        if name not in self._servers:
            self._servers[name] = server = make()
            self.addCleanup(server.stop)
            await self.in_thread(server.start)
        return url.format(port=self._servers[name].port)


def _run(test: Callable[..., Any], servers: Mapping[str, str]) -> None:
    outcome = test(**servers)
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)
