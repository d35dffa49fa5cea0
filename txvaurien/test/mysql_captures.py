"""Tests with a real server whose conversations are kept, and fed again in other pieces."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from random import Random
from typing import Any

from txvaurien.model import Direction, Frame
from txvaurien.plan import Plan
from txvaurien.protocols.base import Session
from txvaurien.protocols.mysql import MySQL
from txvaurien.protocols.mysql.session import MySQLSession
from txvaurien.service import ProxyService
from txvaurien.test.mysql_support import MariaDBCase
from txvaurien.testing import Conversation, Step, collect, runs, split

#: Conversations that are longer are not split: what is in them is in shorter ones as well.
_MOST = 200_000


def recording(kept: list[list[Step]], **options: Any) -> MySQL:
    """The protocol, which keeps what the links that are made from now on see."""

    class RecordingSession(MySQLSession):
        def __init__(self, options: MySQL) -> None:
            super().__init__(options)
            self.steps: list[Step] = []
            kept.append(self.steps)

        def receive(self, direction: Direction, data: bytes) -> Iterable[Frame]:
            self.steps.append((direction, data))
            return super().receive(direction, data)

    class RecordingMySQL(MySQL, frozen=True, kw_only=True):
        def session(self) -> Session:
            return RecordingSession(self)

    return RecordingMySQL(**options)


class LiveCase(MariaDBCase):
    """Tests of which each real conversation is fed again, in other pieces."""

    def setUp(self) -> None:
        """A server and a proxy."""
        super().setUp()
        self.captures: list[list[Step]] = []
        self.services: list[ProxyService] = []
        self.given_up: list[str] = []
        self.proxied = self.watched()

    def watched(self, plan: Plan | None = None, **options: Any) -> int:
        """The port of a proxy that remembers what links see, and why they were given up."""
        service = self.start_proxy(recording(self.captures, **options), self.server.port, plan)
        return self._watch(service)

    def _watch(self, service: ProxyService) -> int:
        self.services.append(service)

        def observe(name: str, link: int, fields: dict[str, Any]) -> None:
            if name == "opaque":
                self.given_up.append(fields["why"])

        service.proxy.observers.append(observe)
        assert service.port is not None
        return service.port

    def check_captures(self) -> None:
        """All of it was framed, and is so in any other pieces; broken, it raises nothing but FramingError."""
        self.assertEqual(self.given_up, [])
        self.assertTrue(self.captures)
        for number, capture in enumerate(self.captures):
            expected = collect(MySQL().session(), capture)
            self.assertEqual((expected.error, expected.faults), ("", []))
            if sum(len(data) for _, data in capture) <= _MOST:
                self._split(capture, Random(number))
                self._break(capture, Random(number))

    def _split(self, capture: Conversation, random: Random) -> None:
        expected = collect(MySQL().session(), runs(capture))
        for most in (1, 5, 1000):
            pieces = split(capture, partial(random.randint, 1, most))
            recorder = collect(MySQL().session(), pieces)
            self.assertEqual(recorder.error, "")
            self.assertEqual(
                [each.summary() for each in recorder.seen], [each.summary() for each in expected.seen]
            )

    def _break(self, capture: Conversation, random: Random) -> None:
        for _ in range(20):
            broken = [(direction, bytearray(data)) for direction, data in capture if data]
            data = random.choice(broken)[1]
            data[random.randrange(len(data))] = random.randrange(256)
            recorder = collect(MySQL().session(), [(direction, bytes(data)) for direction, data in broken])
            for direction in Direction:
                rest = recorder.session.rest(direction)
                received, yielded = recorder.received[direction], recorder.yielded[direction]
                self.assertTrue(received.startswith(yielded + rest))
