"""What SMTP asks of the link, apart from SMTP: plans that change within a message."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import Error
from txvaurien.model import Direction
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy

NEVER = Plan(rules=(Rule(Error(kind="no"), verbs=frozenset({"NEVER"})),), seed=1)


class PlanWithinMessageTests(SynchronousTestCase):
    """The plan changes while the session holds a part of a message."""

    def test_becomes_idle(self) -> None:
        """What was held is sent before what comes then, in both directions."""
        proxy = MemoryProxy(NEVER)
        client, backend = proxy.pair()
        client.says(b"get ")
        proxy.proxy.set_plan(Plan(seed=1))
        client.says(b"a\nget b\n")
        self.assertEqual(backend.received, b"get a\nget b\n")
        proxy.proxy.set_plan(NEVER)
        backend.says(b"1")
        proxy.proxy.set_plan(Plan(seed=1))
        backend.says(b"\n2\n")
        self.assertEqual(client.received, b"1\n2\n")
        client.says(b"get c\nget ")
        self.assertEqual(backend.received, b"get a\nget b\nget c\nget ")

    def test_becomes_busy(self) -> None:
        """What was sent before it was framed is not sent again."""
        proxy = MemoryProxy(Plan(seed=1))
        client, backend = proxy.pair()
        client.says(b"ge")
        proxy.proxy.set_plan(NEVER)
        client.says(b"t ")
        proxy.proxy.set_plan(Plan(seed=1))
        client.says(b"a\nget b\nge")
        client.says(b"t c\n")
        self.assertEqual(backend.received, b"get a\nget b\nget c\n")
        lane = proxy.links[1].to_backend
        self.assertEqual((lane.direction, lane.inside, lane.ahead), (Direction.TO_BACKEND, 0, 0))


class RepliesTests(SynchronousTestCase):
    """Replies that nobody decides about are written before they are looked at."""

    def reply(self, plan: Plan) -> bytes:
        """What the client has when the backend has said half of a reply."""
        proxy = MemoryProxy(plan)
        client, backend = proxy.pair()
        client.says(b"get a\n")
        self.assertEqual(backend.received, b"get a\n")
        backend.says(b"1")
        had = client.received
        backend.says(b"\n")
        self.assertEqual(client.received, b"1\n")
        return had

    def test_requests_only(self) -> None:
        """A mix, and rules that name neither a verb nor a status, decide when a request comes."""
        rare = Rule(Error(kind="no"), probability=1e-9)
        self.assertEqual(self.reply(Plan(mix=(Share(1e-7, rare),), seed=1)), b"1")
        self.assertEqual(self.reply(Plan(rules=(rare,), seed=1)), b"1")

    def test_replies_too(self) -> None:
        """Others may be for what the backend says."""
        self.assertEqual(self.reply(NEVER), b"")

    def test_in_turn(self) -> None:
        """What the proxy says itself keeps its place among replies that come together."""
        proxy = MemoryProxy(Plan(rules=(Rule(Error(kind="no"), after=1, times=1),), seed=1))
        client, backend = proxy.pair()
        client.says(b"get a\nget b\nget c\n")
        self.assertEqual(backend.received, b"get a\nget c\n")
        backend.says(b"1\n3\n")
        first, refused, last = client.received.splitlines()
        self.assertEqual((first, last), (b"1", b"3"))
        self.assertNotIn(refused, (b"1", b"3"))
