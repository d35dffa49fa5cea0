"""blackout."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.blackout import Blackout
from txvaurien.net.pipe import DRAIN_TIME
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy
from txvaurien.testing.behaviors import BehaviorLaws


class BlackoutTests(BehaviorLaws, SynchronousTestCase):
    """Nobody is served."""

    examples = (Blackout(), Blackout(reset=True, existing=True))

    def test_on_connect(self) -> None:
        """The client is closed at once, and the backend never dialled."""
        for reset, end in ((False, "fin"), (True, "rst")):
            proxy = MemoryProxy(Blackout(reset=reset))
            client = proxy.client()
            proxy.pass_time(DRAIN_TIME)
            self.assertEqual((client.ended, proxy.reactor.tcpClients, proxy.links), (end, [], {}))

    def test_on_the_next_message(self) -> None:
        """A link that stands is closed when its client speaks."""
        for reset, end in ((False, "fin"), (True, "rst")):
            proxy = MemoryProxy()
            client, backend = proxy.pair()
            proxy.proxy.set_plan(Plan.only(Blackout(reset=reset)))
            self.assertEqual(client.ended, "")
            client.says(b"get a\n")
            proxy.pass_time()
            self.assertEqual((client.ended, backend.ended, backend.received), (end, "fin", b""))

    def test_existing(self) -> None:
        """With `existing` the links that stand are closed when it is set."""
        for reset, end in ((False, "fin"), (True, "rst")):
            proxy = MemoryProxy()
            client, _ = proxy.pair()
            proxy.proxy.set_plan(Plan.only(Blackout(reset=reset, existing=True)))
            proxy.pass_time()
            self.assertEqual(client.ended, end)

    def test_existing_is_told(self) -> None:
        """A link that was closed because the rule was set says so; another one says how it ended itself."""
        for share, how in ((100, "rule mix 0 blackout"), (0, "client fin")):
            proxy = MemoryProxy()
            client, backend = proxy.pair()
            proxy.proxy.set_plan(Plan(mix=(Share(share, Rule(Blackout(existing=True))),), seed=3))
            if not client.ended:
                client.fins()
            backend.fins()
            proxy.pass_time(DRAIN_TIME)
            self.assertEqual([closed["how"] for closed in proxy.named("link-closed")], [how])

    def test_existing_in_a_mix(self) -> None:
        """As one part of a mix it closes that part of the links, the same for the same seed."""
        ended: list[list[str]] = []
        for _ in range(2):
            proxy = MemoryProxy()
            clients = [proxy.pair()[0] for _ in range(100)]
            proxy.proxy.set_plan(Plan(mix=(Share(30, Rule(Blackout(existing=True))),), seed=3))
            ended.append([client.ended for client in clients])
        self.assertEqual(ended[0], ended[1])
        self.assertTrue(15 < ended[0].count("fin") < 45, ended[0])
