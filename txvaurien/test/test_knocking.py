"""The one attempt at each backend."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from txvaurien.test.test_tap import ServiceCase


class KnockingTests(ServiceCase):
    """`Knocking`, as a service has it."""

    def begin(self) -> Any:
        """Start, and give out the factory of the attempt."""
        self.service = self.make("--backend=127.0.0.1:9")
        self.service.startService()
        ((_, port, factory, timeout, _),) = self.reactor.tcpClients
        self.assertEqual((port, timeout), (9, 30.0))
        return factory

    def test_up(self) -> None:
        """A backend that answers is left in peace at once, and nothing is said."""
        factory = self.begin()
        transport = StringTransport()
        with capturedLogs() as events:
            factory.buildProtocol(None).makeConnection(transport)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(list(events), [])

    def test_down(self) -> None:
        """A backend that is down is a warning, and the proxy runs."""
        factory = self.begin()
        with capturedLogs() as events:
            factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.assertEqual(
            [(event["log_level"].name, formatEvent(event)) for event in events],
            [
                (
                    "warn",
                    "the backend 127.0.0.1:9 cannot be reached now (Connection was refused by other side);"
                    " each client tries it again",
                )
            ],
        )
        self.assertTrue(self.service.running)

    def test_stopped_meanwhile(self) -> None:
        """When the service stops the attempt is given up, without a word."""
        self.begin()
        with capturedLogs() as events:
            self.successResultOf(self.service.stopService())
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self.assertEqual([event for event in events if event["log_level"].name == "warn"], [])
