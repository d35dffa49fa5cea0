"""Which proxies can be at one time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net.addresses import parse_listen
from txvaurien.settings.described import collide


class CollideTests(SynchronousTestCase):
    """`collide`."""

    def test_one_port(self) -> None:
        """Only one can listen at a port of an address, however that is written."""
        for one, other in (
            ("localhost:1", "127.0.0.1:1"),
            (":1", "0.0.0.0:1"),
            ("[::]:1", "127.0.0.1:1"),
            ("tcp:1", "10.0.0.1:1"),
            ("tcp:1:interface=127.0.0.1", "localhost:1"),
            ("tcp:port=1:interface=127.0.0.1", "tcp:1:interface=127.0.0.1"),
            ("unix:/x", "unix:/x"),
        ):
            self.assertTrue(collide(parse_listen(one), parse_listen(other)), (one, other))
            self.assertTrue(collide(parse_listen(other), parse_listen(one)), (one, other))

    def test_apart(self) -> None:
        """Others do not disturb each other, nor do ports that the kernel chooses."""
        for one, other in (
            (":1", ":2"),
            ("127.0.0.1:1", "127.0.0.2:1"),
            (":0", ":0"),
            ("tcp:0", "tcp:0"),
            ("tcp:1:interface=127.0.0.1", "127.0.0.2:1"),
            ("unix:/x", "unix:/y"),
            ("unix:/x", ":1"),
        ):
            self.assertFalse(collide(parse_listen(one), parse_listen(other)), (one, other))
