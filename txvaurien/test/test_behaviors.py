"""Laws that all behaviors keep, in front of the link that runs them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.plugins import Registry
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.testing.behaviors import BehaviorLaws


class DummyTests(BehaviorLaws, SynchronousTestCase):
    """dummy."""

    examples = (Dummy(),)

    def test_acts_nowhere(self) -> None:
        """It costs nothing, because it is never asked."""
        self.assertEqual(Dummy().acts(Tcp()), frozenset())


class AllBehaviorsTests(SynchronousTestCase):
    """Each behavior that is installed, with its defaults."""

    def each(self) -> list[Behavior]:
        """One of each."""
        registry = Registry.load()
        return [registry.behavior(name) for name in sorted(registry.behaviors)]

    def conversation(self, proxy: MemoryProxy) -> tuple[bytes, bytes]:
        """What backend and client have got after a few exchanges and an hour."""
        client = proxy.client()
        if not proxy.reactor.tcpClients:
            return b"", client.received
        backend = proxy.backend()
        for number in range(3):
            if client.ended or client.lost:
                break
            client.says(b"get %d\nset %d\n" % (number, number))
            proxy.pass_time(3600.0)
            if not (backend.ended or backend.lost):
                backend.says(b"%d\n" % number * backend.received.count(b"\n", 0))
            proxy.pass_time(3600.0)
        return backend.received, client.received

    def test_probability_zero(self) -> None:
        """Probability 0, or a share of 0, is the same as not being there."""
        for behavior in self.each():
            for plan in (
                Plan(rules=(Rule(behavior, probability=0.0),), seed=1),
                Plan(mix=(Share(0.0, Rule(behavior)),), seed=1),
            ):
                proxy = MemoryProxy(plan)
                client, backend = proxy.pair()
                client.says(b"get a\nget b\n")
                backend.says(b"1\n2\n")
                self.assertEqual((backend.received, client.received), (b"get a\nget b\n", b"1\n2\n"))
                self.assertEqual(proxy.named("fired"), [])

    def test_same_seed_same_faults(self) -> None:
        """The same traffic with the same seed: the same faults, byte for byte."""
        for behavior in self.each():
            for percent in (100.0, 40.0):
                plans = [Plan(mix=(Share(percent, Rule(behavior)),), seed=5) for _ in range(2)]
                first, second = (MemoryProxy(plan) for plan in plans)
                self.assertEqual(self.conversation(first), self.conversation(second), behavior)
                self.assertEqual(first.events, second.events, behavior)

    def test_removal_leaves_nothing(self) -> None:
        """Taken away in the middle of what it does, it holds nothing and no timer runs for it."""
        for behavior in self.each():
            proxy = MemoryProxy(behavior)
            client = proxy.client()
            if not proxy.reactor.tcpClients:
                continue
            backend = proxy.backend()
            client.says(b"get a\n")
            active = proxy.proxy.active
            proxy.proxy.set_plan(Plan())
            for activation in active.activations():
                self.assertTrue(all(not live.busy for live in activation.live), behavior)
            if not backend.ended and not backend.lost:
                backend.says(b"1\n" * backend.received.count(b"\n"))
            proxy.pass_time(3600.0)
            self.assertEqual(proxy.reactor.getDelayedCalls(), [], behavior)

    def test_kinds(self) -> None:
        """A plan may name any kind of the catalogue, and none besides."""
        for name, protocol in Registry.load().protocols.items():
            for kind in protocol.error_kinds:
                self.assertTrue(Error(kind=kind.name).acts(protocol()), f"{name}: {kind.name}")

    def test_hang_is_the_only_one_that_hangs(self) -> None:
        """Nothing hangs that was not asked to: after an hour there is an answer, or an end."""
        for behavior in self.each():
            proxy = MemoryProxy(behavior)
            client = proxy.client()
            if proxy.reactor.tcpClients:
                backend = proxy.backend()
                client.says(b"get a\n")
                proxy.pass_time(3600.0)
                if backend.received and not (backend.ended or backend.lost):
                    backend.says(b"1\n")
                proxy.pass_time(3600.0)
            done = bool(client.received or client.ended)
            self.assertEqual(done, not isinstance(behavior, Hang), behavior)
