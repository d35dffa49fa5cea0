"""A control server in memory, of a proxy in memory that has clients and backends."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.control.security import AllowedHosts, Guard
from txvaurien.plugins import Registry
from txvaurien.test.control_helpers import Answer, RawClient, api
from txvaurien.test.lines import Lines
from txvaurien.test.memory import MemoryProxy
from txvaurien.toxics.latency import Latency
from txvaurien.toxics.pause import Pause


class FaultCase(SynchronousTestCase):
    """Asks a control server what it has done to the traffic."""

    def setUp(self) -> None:
        self.memory = MemoryProxy()
        self.proxy = self.memory.proxy
        names = Registry(
            protocols={"lines": Lines},
            behaviors={each.name: each for each in (Delay, Error, Hang)},
            toxics={each.name: each for each in (Latency, Pause)},
        )
        self.root = Guard(api(self.proxy, names=names).resource(), AllowedHosts("localhost"))
        self.client = RawClient(self.root)

    def ask(self, method: str, path: str, body: object = b"", status: int = 200) -> Any:
        """What is answered, with this status."""
        answer = self.client.ask(method, path, body)
        self.assertEqual(answer.status, status, answer.raw)
        return answer.said if answer.body else None

    def refused(self, method: str, path: str, body: object = b"", status: int = 400) -> tuple[str, str, str]:
        """The first problem of an answer with this status; nothing has changed."""
        before = self.proxy.plan
        answer = self.client.ask(method, path, body)
        self.assertEqual(answer.status, status, answer.raw)
        self.assertIs(self.proxy.plan, before)
        return answer.problem

    def wait_for(self, path: str) -> RawClient:
        """A client whose answer has not come yet."""
        waiting = RawClient(self.root)
        self.assertEqual(waiting.get(path, Host="localhost").status, 0)
        return waiting

    def answered(self, waiting: RawClient) -> Answer:
        """What has come by now."""
        answer = waiting.answer()
        self.assertNotEqual(answer.status, 0, "there is no answer")
        return answer

    def names(self) -> list[str]:
        """The names of the rules, in their order."""
        return [rule.name for rule in self.proxy.plan.rules]
