"""The tests of tcpmap.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tcpmap import TcpMap
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.protocols.base import WireProtocol
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Conversation, SessionLaws, collect

GET = (TO_BACKEND, b"get alice@example.org\n")
FOUND = (TO_CLIENT, b"200 mail%20host\n")


class TcpMapLaws(SessionLaws, SynchronousTestCase):
    """What every session has to keep, for these conversations."""

    protocol: ClassVar[WireProtocol] = TcpMap()
    conversations: ClassVar[Mapping[str, Conversation]] = {
        "found": [GET, FOUND],
        "one after the other": [GET, FOUND, (TO_BACKEND, b"put a b\n"), (TO_CLIENT, b"500 no\n")],
        "pipelined": [GET, GET, GET, FOUND, FOUND, (TO_CLIENT, b"500 no\n")],
        "cut short": [(TO_BACKEND, b"get alice")],
        "reply cut short": [GET, (TO_CLIENT, b"200 mail")],
        "not asked for": [FOUND],
        "too long": [GET, (TO_CLIENT, b"200 " + bytes(5000) + b"\n")],
    }
    probe: ClassVar[Conversation] = [GET, FOUND]
    texts: ClassVar[Mapping[str, str]] = {"custom": "400 not today"}
    #: No reply follows, so what is said cannot be one.
    cut_short: ClassVar[frozenset[str]] = frozenset({"closed"})


class TcpMapTests(SynchronousTestCase):
    """What is seen of each line."""

    def test_messages(self) -> None:
        """Verb and key of the request, status of the reply; the value is not told."""
        (seen,) = collect(TcpMap().session(), [GET, FOUND]).seen
        self.assertEqual((seen.verb, seen.targets, seen.status), ("GET", ("alice@example.org",), "200"))
        assert seen.exchange.response is not None
        self.assertEqual(seen.exchange.response.log_fields(), {"status": "200"})
