"""``vaurienctl events``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txvaurien.control.service import ControlService
from txvaurien.ctl import events as ctlevents
from txvaurien.ctl.events import line_of
from txvaurien.journal import Journal
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.test.control_helpers import registry
from txvaurien.test.test_ctl import run


class LineTests(SynchronousTestCase):
    """What people read."""

    def test_line(self) -> None:
        """The time, the proxy, the link if there is one, and what has happened with all its fields."""
        record = {
            "n": 7,
            "time": "2026-01-31T12:00:01.250000Z",
            "clock": 5021.25,
            "proxy": "redis",
            "event": "fired",
            "link": 3,
            "rule": "error-1",
            "did": ["refuse loading"],
            "told": True,
        }
        written = "12:00:01.250  redis  link 3  fired rule=error-1 did='[\"refuse loading\"]' told=true"
        self.assertEqual(line_of(record), written)
        del record["link"]
        self.assertNotIn("link", line_of(record))

    def test_lost(self) -> None:
        """Records that are missing are told as such."""
        record = {"event": "lost", "from": 17, "to": 250, "count": 234}
        self.assertEqual(line_of(record), "lost: 234 records, 17 to 250")


class CommandTests(TestCase):
    """The command, against a server."""

    def setUp(self) -> None:
        proxy = Proxy("127.0.0.1:9", Tcp(), reactor=reactor)
        self.journal = Journal(proxy.clock)
        proxies = Proxies.of(proxy, registry())
        self.service = ControlService(proxies, port=0, reactor=reactor, journal=self.journal)
        self.service.startService()
        self.addCleanup(self.stop)
        for link, event in enumerate(["plan", *["killed"] * 11], 1):
            self.journal.record("front", event, link, {})

    async def stop(self) -> None:
        """Stop the server, if it has not been stopped."""
        if self.service.running:
            await self.service.stopService()

    async def lines(self, *arguments: str) -> list[str]:
        """What is printed."""
        status, out, err = await deferToThread(
            run, ["--http-port", str(self.service.port), "events", *arguments]
        )
        self.assertEqual((status, err), (0, ""))
        return out.splitlines()

    async def test_all(self) -> None:
        """All that is there, a line for each; as JSON, too."""
        lines = await self.lines()
        self.assertEqual(len(lines), 12)
        self.assertTrue(lines[0].endswith("front  link 1  plan"), lines[0])
        records = [json.loads(line) for line in await self.lines("--json", "--since=10")]
        self.assertEqual([each["n"] for each in records], [11, 12])

    async def test_filters(self) -> None:
        """By event, link and proxy; the last few."""
        self.assertEqual(len(await self.lines("--event=plan")), 1)
        self.assertEqual(len(await self.lines("--link=3")), 1)
        self.assertEqual(await self.lines("--proxy=back"), [])
        self.assertEqual(len(await self.lines("--last=2", "--event=killed")), 2)

    async def test_follow(self) -> None:
        """Ten that have been, then those that come, until the server stops."""
        shown: list[str] = []
        then: dict[int, Callable[[], object]] = {10: self.happens, 11: self.service.stopService}
        calling: Any = reactor

        def show(text: str) -> bool:
            shown.append(text)
            if len(shown) in then:
                calling.callFromThread(then[len(shown)])
            return True

        self.patch(ctlevents, "show", show)
        self.assertEqual(await self.lines("--follow"), [])
        self.assertEqual(len(shown), 11)
        self.assertIn("link 3", shown[0])
        self.assertIn("expired", shown[-1])

    def happens(self) -> None:
        """One more."""
        self.journal.record("front", "expired", 0, {})

    async def test_enough(self) -> None:
        """Who closes standard output, as `head` does, or says Ctrl-C has seen enough: the command ends."""

        def interrupted(text: str) -> bool:
            raise KeyboardInterrupt

        for show in (lambda text: False, interrupted):
            self.patch(ctlevents, "show", show)
            self.assertEqual(await self.lines("--follow"), [])
