"""abort. What the link does for it is in test_link."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.abort import Abort
from txvaurien.model import Hook
from txvaurien.protocols.tcp import Tcp
from txvaurien.test.memory import MemoryProxy
from txvaurien.testing.behaviors import BehaviorLaws


class AbortTests(BehaviorLaws, SynchronousTestCase):
    """The work is done, and nobody learns of it."""

    examples = (Abort(), Abort(reset=True, wait=True, linger=1.5))

    def test_hook(self) -> None:
        """It acts when the request is written."""
        self.assertEqual(Abort().acts(Tcp()), {Hook.BETWEEN})

    def test_fin_or_reset(self) -> None:
        """The client sees FIN, or RST."""
        for reset, end in ((False, "fin"), (True, "rst")):
            proxy = MemoryProxy(Abort(reset=reset))
            client, backend = proxy.pair()
            client.says(b"get a\n")
            proxy.pass_time()
            self.assertEqual((client.ended, backend.ended, backend.received), (end, "", b"get a\n"))

    def test_no_reply(self) -> None:
        """A request without reply: cut when it is written."""
        for wait in (False, True):
            proxy = MemoryProxy(Abort(wait=wait))
            client, backend = proxy.pair()
            client.says(b"quiet\n")
            self.assertEqual((client.ended, backend.received), ("fin", b"quiet\n"))
