"""A backend that never says a word is most likely asked in the wrong way: the log says so, once."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import Error
from txvaurien.test.memory import MemoryProxy


class SilentBackendTests(SynchronousTestCase):
    """In memory."""

    def setUp(self) -> None:
        self.memory = MemoryProxy()

    def said(self, talk: Callable[[], object]) -> int:
        """How often the log has had the advice meanwhile."""
        with capturedLogs() as events:
            talk()
        return sum("vaurien doctor" in event.get("text", "") for event in events)

    def ask_in_vain(self, *, reset: bool = False) -> None:
        """A client says something, and the backend ends the connection."""
        client, backend = self.memory.pair()
        client.says(b"get a\n")
        (backend.resets if reset else backend.fins)()
        self.memory.pass_time(0, 5)

    def test_fin(self) -> None:
        """It is said once, however many clients there are."""
        self.assertEqual(self.said(self.ask_in_vain), 1)
        self.assertEqual(self.said(self.ask_in_vain), 0)

    def test_reset(self) -> None:
        """A backend that resets is as silent."""
        self.assertEqual(self.said(lambda: self.ask_in_vain(reset=True)), 1)

    def test_heard_before(self) -> None:
        """A backend that has answered somebody is the right one, whatever becomes of it."""
        client, backend = self.memory.pair()
        client.says(b"get a\n")
        backend.says(b"+a\n")
        self.assertEqual(self.said(self.ask_in_vain), 0)
        client.fins()
        backend.fins()
        self.memory.pass_time(0, 5)
        self.assertEqual(self.said(self.ask_in_vain), 0)

    def test_refused(self) -> None:
        """Where the proxy has answered itself, the backend was asked nothing."""
        memory = MemoryProxy(Error(kind="no"))
        client, backend = memory.pair()
        client.says(b"get a\n")
        client.fins()

        def leaves() -> None:
            backend.fins()
            memory.pass_time(0, 5)

        self.assertEqual(self.said(leaves), 0)

    def test_nothing_asked(self) -> None:
        """A connection on which nobody said anything tells nothing."""
        client, backend = self.memory.pair()
        self.assertEqual(self.said(backend.fins), 0)
        client.fins()
