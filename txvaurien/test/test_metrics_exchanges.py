"""What links note of their exchanges: verbs, statuses, times at the backend and in the proxy."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.hang import Hang
from txvaurien.metrics.figures import Noted
from txvaurien.metrics.meter import Meter
from txvaurien.plan import Plan
from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.smtp import Smtp
from txvaurien.protocols.tcp import Tcp
from txvaurien.rules import Rule
from txvaurien.test.memory import MemoryProxy


class MeterCase(SynchronousTestCase):
    """A proxy in memory whose exchanges are noted."""

    def start(self, plan: Plan | Behavior | None = None, protocol: WireProtocol | None = None) -> MemoryProxy:
        """The proxy."""
        memory = MemoryProxy(plan, protocol)
        proxy = memory.proxy
        proxy.meter = Meter(proxy.protocol, exchanges=True)
        self.memory = memory
        return memory

    @property
    def noted(self) -> Noted:
        """What has been noted by now."""
        assert self.memory.proxy.meter is not None
        return self.memory.proxy.meter.noted()

    def assert_times(self, backend: list[float], proxy: list[float]) -> None:
        """Exchanges were so long at the backend, and in the proxy."""
        noted = self.noted
        self.assertEqual((noted.backend.count, noted.proxy.count), (len(backend), len(proxy)))
        self.assertAlmostEqual(noted.backend.sum, sum(backend))
        self.assertAlmostEqual(noted.proxy.sum, sum(proxy))


class CountTests(MeterCase):
    """Which exchanges there were."""

    def test_verb_and_status(self) -> None:
        """A request is counted with its reply, by verb and class of status."""
        client, backend = self.start().pair()
        client.says(b"GET a\nGET b\nSET c\n")
        self.assertEqual(self.noted.answers, {})
        backend.says(b"OK\nWRONG\nOK\n")
        self.assertEqual(self.noted.answers, {"GET": {"ok": 1, "error": 1}, "SET": {"ok": 1}})

    def test_no_reply_wanted(self) -> None:
        """A request that has no reply is counted without one, at once."""
        client, _ = self.start().pair()
        client.says(b"quiet a\n")
        self.assertEqual(self.noted.answers, {"QUIET": {"none": 1}})

    def test_no_reply(self) -> None:
        """What nobody has answered when the link ends is counted without an answer, once."""
        client, _ = self.start().pair()
        client.says(b"GET a\nGET b\n")
        client.resets()
        self.memory.pass_time(5)
        self.assertEqual(self.memory.links, {})
        self.assertEqual(self.noted.answers, {"GET": {"none": 2}})
        self.assert_times([], [])

    def test_unasked(self) -> None:
        """What the server sends unasked is counted by its own verb, and has no times."""
        _, backend = self.start().pair()
        backend.says(b"!NEWS a\n")
        self.assertEqual(self.noted.answers, {"NEWS": {"error": 1}})
        self.assert_times([], [])

    def test_fault(self) -> None:
        """What a fault answers, or leaves without an answer, is told from what the backend says."""
        rules = (Rule(Error(kind="no"), verbs=frozenset({"SET"})), Rule(Hang(), verbs=frozenset({"DEL"})))
        client, backend = self.start(Plan(rules=rules)).pair()
        client.says(b"SET a\nGET a\nDEL a\n")
        backend.says(b"OK\n")
        self.assertEqual(client.received, b"-no\nOK\n")
        client.resets()
        self.memory.pass_time(5)
        self.assertEqual(self.noted.answers, {"SET": {"proxy": 1}, "GET": {"ok": 1}, "DEL": {"none": 1}})

    def test_session_answers(self) -> None:
        """What the session answers itself was answered by the proxy: DATA, if its content is refused."""
        rule = Rule(Error(kind="insufficient-storage"), verbs=frozenset({"CONTENT"}))
        client, backend = self.start(Plan(rules=(rule,)), Smtp()).pair()
        backend.says(b"220 hi\r\n")
        for said in (b"EHLO a\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n"):
            client.says(said)
            backend.says(b"250 ok\r\n")
        client.says(b"DATA\r\n")
        client.says(b"text\r\n.\r\n")
        self.assertIn(b"354 ", client.received)
        self.assertEqual(self.noted.answers["DATA"], {"proxy": 1})
        self.assertEqual(self.noted.answers["CONTENT"], {"proxy": 1})
        self.assertEqual(self.noted.answers["EHLO"], {"2xx": 1})

    def test_links_without(self) -> None:
        """Where exchanges are not asked for a link has nothing that notes them."""
        memory = MemoryProxy()
        memory.proxy.meter = Meter(memory.proxy.protocol)
        client, backend = memory.pair()
        client.says(b"GET a\n")
        backend.says(b"OK\n")
        self.assertEqual(memory.proxy.meter.noted().answers, {})
        self.assertEqual(memory.proxy.meter.noted().connects.count, 1)


class TimeTests(MeterCase):
    """Where the time went."""

    def test_backend(self) -> None:
        """Without a fault all of it is the backend's, until its first byte; also of many requests at once."""
        client, backend = self.start().pair()
        client.says(b"GET a\n")
        self.memory.pass_time(1)
        client.says(b"GET b\n")
        self.memory.pass_time(2)
        backend.says(b"body 4\n")
        self.memory.pass_time(10)
        backend.says(b"1234OK\n")
        self.assert_times([3.0, 12.0], [0.0, 0.0])

    def test_slow_request(self) -> None:
        """The backend's time begins when it has the whole request."""
        client, backend = self.start().pair()
        client.says(b"body 4\n")
        self.memory.pass_time(7)
        client.says(b"1234")
        self.memory.pass_time(1)
        backend.says(b"OK\n")
        self.assert_times([1.0], [0.0])

    def test_delay_before(self) -> None:
        """What holds a request back is ours; the backend's time begins after that."""
        client, backend = self.start(Delay(sleep=5)).pair()
        client.says(b"GET a\n")
        self.memory.pass_time(5, 2)
        backend.says(b"OK\n")
        self.assert_times([2.0], [5.0])

    def test_delay_between(self) -> None:
        """What holds a reply back is ours; of one that is held at this moment nothing is said yet."""
        client, backend = self.start(Delay(sleep=5, before=False)).pair()
        client.says(b"GET a\n")
        self.memory.pass_time(2)
        backend.says(b"OK\n")
        self.assertEqual(client.received, b"")
        self.assertEqual((self.noted.backend.count, self.noted.proxy.count), (1, 0))
        self.memory.pass_time(5)
        self.assertEqual(client.received, b"OK\n")
        self.assert_times([2.0], [5.0])

    def test_held_until_the_end(self) -> None:
        """A reply that never got to its client was held until the link was over."""
        client, backend = self.start(Delay(sleep=50, before=False)).pair()
        client.says(b"GET a\n")
        backend.says(b"OK\n")
        self.memory.pass_time(4)
        client.resets()
        self.memory.pass_time(0, 3)
        self.assertEqual(self.memory.links, {})
        self.assertEqual((self.noted.backend.count, self.noted.proxy.count), (1, 1))
        self.assertGreaterEqual(self.noted.proxy.sum, 4.0)

    def test_turn(self) -> None:
        """A reply that waits for its turn behind an answer of ours was held by us."""
        rule = Rule(Delay(sleep=3), verbs=frozenset({"SET"}))
        other = Rule(Error(kind="undo"), verbs=frozenset({"DEL"}))
        client, backend = self.start(Plan(rules=(rule, other))).pair()
        client.says(b"SET a\n")
        client.says(b"GET b\n")
        self.memory.pass_time(3)
        backend.says(b"OK\nOK\n")
        self.assertEqual(client.received, b"OK\nOK\n")
        self.assert_times([0.0, 0.0], [3.0, 0.0])

    def test_answered_here(self) -> None:
        """What a fault answers has no time at the backend, and all of it is ours."""
        client, _ = self.start(Error(kind="no")).pair()
        client.says(b"GET a\n")
        self.assertEqual(client.received, b"-no\n")
        self.assert_times([], [0.0])

    def test_turns_of_tcp(self) -> None:
        """Of tcp, a turn is an exchange: from the last that the client says to the first that it hears."""
        client, backend = self.start(protocol=Tcp()).pair()
        for part in (b"a", b"b"):
            client.says(part)
            self.memory.pass_time(1)
        backend.says(b"c")
        self.memory.pass_time(1)
        backend.says(b"d")
        self.assertEqual(self.noted.answers, {"SAY": {"none": 1}})
        self.assert_times([1.0], [0.0])

    def test_opaque(self) -> None:
        """A link that went opaque goes on as one of tcp, and what was left of before is without an answer."""
        client, backend = self.start().pair()
        client.says(b"GET a\n# what\n")
        backend.says(b"anything")
        client.resets()
        self.memory.pass_time(5)
        self.assertEqual(self.noted.answers["GET"], {"none": 1})
        self.assertEqual(self.noted.answers["GREET"], {"none": 1})
