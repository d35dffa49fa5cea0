"""hang."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.hang import Hang
from txvaurien.net.pipe import DRAIN_TIME
from txvaurien.plan import Plan
from txvaurien.test.memory import MemoryProxy
from txvaurien.testing.behaviors import BehaviorLaws


class HangTests(BehaviorLaws, SynchronousTestCase):
    """What is sent is taken, and nothing is said."""

    examples = (Hang(), Hang(timeout=2.5))

    def test_hangs(self) -> None:
        """For hours, as long as the client stays."""
        proxy = MemoryProxy(Hang())
        client, backend = proxy.pair()
        client.says(b"get a\n")
        client.says(b"get b\n")
        proxy.pass_time(7200.0)
        self.assertEqual((backend.received, client.received, client.ended), (b"", b"", ""))

    def test_removed(self) -> None:
        """What was held goes on, in order, and is answered."""
        proxy = MemoryProxy(Hang())
        client, backend = proxy.pair()
        client.says(b"get a\nget b\n")
        proxy.proxy.set_plan(Plan())
        backend.says(b"1\n2\n")
        self.assertEqual((backend.received, client.received), (b"get a\nget b\n", b"1\n2\n"))

    def test_timeout(self) -> None:
        """After the time the link is closed; the backend never heard of it."""
        proxy = MemoryProxy(Hang(timeout=2.5))
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.pass_time(2.5)
        self.assertEqual((client.ended, backend.ended, backend.received), ("fin", "fin", b""))
        proxy.pass_time(DRAIN_TIME)
        self.assertEqual(proxy.links, {})

    def test_earlier_replies_go_on(self) -> None:
        """What was asked before the rule was set is answered."""
        proxy = MemoryProxy()
        client, backend = proxy.pair()
        client.says(b"get a\n")
        proxy.proxy.set_plan(Plan.only(Hang()))
        client.says(b"get b\n")
        backend.says(b"1\n")
        self.assertEqual(client.received, b"1\n")
