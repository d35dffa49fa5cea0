"""The tests of batch.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from batch import Batch, Shift
from tcpmap import TcpMap
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver
from twisted.protocols.postfix import PostfixTCPMapDictServerFactory
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.base import Behavior
from txvaurien.errors import ConfigError
from txvaurien.plan import Plan
from txvaurien.testing import BehaviorLaws, JoinedProxy


class BatchLaws(BehaviorLaws, SynchronousTestCase):
    """What every behavior has to keep, for these examples."""

    examples: ClassVar[Sequence[Behavior]] = (Batch(each=2.5, limit=3, kind="missing"), Shift())


class Asking(LineOnlyReceiver):
    """A client that has one question."""

    delimiter = b"\n"

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def connectionMade(self) -> None:
        self.sendLine(b"get alice")

    def lineReceived(self, line: bytes) -> None:
        self.answers.append(line)


class BatchTests(SynchronousTestCase):
    """Through a proxy in memory."""

    def ask(self, behavior: Behavior) -> tuple[JoinedProxy, Asking]:
        """A client that has asked, where this is done to it."""
        backend: Factory = PostfixTCPMapDictServerFactory({b"alice": b"7"})
        joined = JoinedProxy(backend, TcpMap(), Plan.only(behavior, seed=1))
        client = joined.connect(Asking())
        joined.flush()
        return joined, client

    def test_waits(self) -> None:
        """The reply comes when the time for one target is up, and not before."""
        joined, client = self.ask(Batch(each=2))
        joined.advance(1.9)
        self.assertEqual(client.answers, [])
        joined.advance(0.2)
        self.assertEqual(client.answers, [b"200 7"])

    def test_removed(self) -> None:
        """Who waits is let go when the behavior is taken away."""
        joined, client = self.ask(Batch(each=2))
        joined.proxy.set_plan(Plan())
        joined.flush()
        self.assertEqual(client.answers, [b"200 7"])

    def test_shifted(self) -> None:
        """A reply has other digits, and a length that it had before."""
        _, client = self.ask(Shift())
        (answer,) = client.answers
        self.assertNotEqual(answer, b"200 7")
        self.assertEqual(len(answer), len(b"200 7"))

    def test_kind(self) -> None:
        """An error that the protocol has not is refused when the plan is set."""
        error = self.assertRaises(ConfigError, self.ask, Batch(kind="nonsense"))
        self.assertIn("closed, custom, missing, unavailable", str(error))
