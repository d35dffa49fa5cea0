"""The demo."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool, readBody

from txvaurien.config import Settings, load
from txvaurien.plugins import Registry
from txvaurien.process.demo import GREETING, demo_arguments, run_demo, to_try
from txvaurien.protocols.tcp import Tcp
from txvaurien.tap import VaurienService
from txvaurien.test.registries import Chatty, registry


class Web(Chatty, frozen=True, kw_only=True):
    """Stands for the protocol http."""

    name = "http"


class DemoArgumentsTests(SynchronousTestCase):
    """What the demo adds to a command line, and what it prints."""

    def demo(self, names: Registry, *arguments: str) -> tuple[Settings, str]:
        """The settings, and the text, where these names are installed."""
        settings = load(demo_arguments(arguments, 4711, names), names)
        return settings, to_try(settings)

    def test_tcp(self) -> None:
        """Without the protocol http it is tcp, and the fault to try is a delay."""
        settings, text = self.demo(registry())
        self.assertEqual(settings.protocol, Tcp())
        self.assertEqual(settings.backend.text, "127.0.0.1:4711")
        self.assertTrue(settings.control)
        self.assertEqual(
            [line for line in text.splitlines() if "curl" in line],
            [
                "  curl http://localhost:8000/",
                """  curl -X PUT --json '{"name": "delay", "sleep": 2}' http://localhost:8080/behavior""",
                "  time curl http://localhost:8000/",
            ],
        )

    def test_http(self) -> None:
        """With it the fault is an error, that a browser shows."""
        names = registry()
        names.protocols["http"] = Web
        settings, text = self.demo(names, "--proxy=localhost:1", "--http-port=2")
        self.assertEqual(settings.protocol.name, "http")
        self.assertEqual(
            [line for line in text.splitlines() if "curl" in line],
            [
                "  curl http://localhost:1/",
                """  curl -X PUT --json '{"name": "error", "kind": "503"}' http://localhost:2/behavior""",
                "  curl -i http://localhost:1/",
            ],
        )

    def test_token(self) -> None:
        """With a token the command shows it, without saying it."""
        _, text = self.demo(registry(), "--http-token=correct-horse-battery-staple")
        self.assertIn('-H "Authorization: Bearer $VAURIEN_TOKEN" http://localhost:8080/behavior', text)
        self.assertNotIn("staple", text)

    def test_wrong(self) -> None:
        """A mistake in further options is one line on standard error and status 1."""
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            self.assertEqual(run_demo(["--seed=x"], MemoryReactorClock()), 1)
        self.assertEqual(told.getvalue(), "vaurien: --seed: 'x' will not do; it must be a whole number\n")

    def test_nothing_to_try(self) -> None:
        """What to try is shown when the reactor runs, so not where nothing can listen."""
        world = MemoryReactorClock()
        listen = world.listenTCP
        self.patch(world, "listenTCP", lambda _, factory, **keywords: listen(4711, factory, **keywords))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(run_demo([], world, lambda *_: 3), 3)
            self.assertEqual(printed.getvalue(), "")
            world.run()
        self.assertIn("Ctrl-C ends it.", printed.getvalue())


class RunDemoTests(TestCase):
    """The demo as it runs."""

    timeout = 60

    async def test_it_answers(self) -> None:
        """A request through the proxy reaches the backend that lives in this process."""
        services: list[VaurienService] = []

        def start(settings: Settings, reactor: Any) -> int:
            service = VaurienService(settings, reactor)
            service.startService()
            self.addCleanup(service.stopService)
            services.append(service)
            return 0

        self.patch(reactor, "listenTCP", self.until_the_end(reactor))
        printed = io.StringIO()
        self.patch(sys, "stdout", printed)
        self.assertEqual(run_demo(["--proxy=:0", "--http-port=0"], reactor, start), 0)
        proxy = services[0].proxies.main.service
        assert proxy is not None
        self.assertEqual(await self.get(f"http://127.0.0.1:{proxy.port}/"), GREETING)
        self.assertIn("Ctrl-C ends it.", printed.getvalue())

    def test_dry_run(self) -> None:
        """--dry-run says what would happen, and does not start."""
        self.patch(reactor, "listenTCP", self.until_the_end(reactor))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            status = run_demo(["--dry-run", "--rule=delay"], reactor, lambda *_: self.fail("it was started"))
        self.assertEqual(status, 0)
        self.assertIn("\nrule delay-1: delay\n", printed.getvalue())

    def until_the_end(self, listener: Any) -> Callable[..., Any]:
        """Its listenTCP, for ports that are closed with the test."""
        listen = listener.listenTCP

        def listen_for_now(*arguments: Any, **keywords: Any) -> Any:
            port = listen(*arguments, **keywords)
            self.addCleanup(port.stopListening)
            return port

        return listen_for_now

    def get(self, url: str) -> Deferred[bytes]:
        """The body at a URL, over a connection of its own."""
        agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
        return agent.request(b"GET", url.encode()).addCallback(readBody)
