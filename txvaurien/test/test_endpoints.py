"""Endpoint strings taken apart, and the two client endpoints of our own."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txvaurien.net.endpoints import (
    Description,
    LocalhostEndpoint,
    TimedEndpoint,
    client_endpoint,
    is_client_type,
    is_server_type,
    server_endpoint,
    try_client,
    try_server,
)

TIMEOUT = 5.0


class DescriptionTests(SynchronousTestCase):
    """`Description.of`."""

    def test_arguments(self) -> None:
        """Positional and named arguments are told apart."""
        description = Description.of("TCP:8000:interface=127.0.0.1:backlog=7")
        self.assertEqual(description.kind, "tcp")
        self.assertEqual(description.positional, ("8000",))
        self.assertEqual(description.named, {"interface": "127.0.0.1", "backlog": "7"})

    def test_ipv6_needs_no_backslashes(self) -> None:
        """The colons of an IPv6 address in a named argument belong to the address."""
        for text in ("tcp:8000:interface=::1:backlog=7", r"tcp:8000:interface=\:\:1:backlog=7"):
            named = Description.of(text).named
            self.assertEqual(named, {"interface": "::1", "backlog": "7"})

    def test_escapes(self) -> None:
        """A backslash takes the meaning from what follows it."""
        self.assertEqual(Description.of(r"unix:/a\:b=c").positional, ("/a:b=c",))

    def test_host(self) -> None:
        """The host is known where a string of Twisted's own names one."""
        hosts = {
            "tls:example.org:465": "example.org",
            "tcp:host=example.org:port=80": "example.org",
            "tls:example.org:465:endpoint=unix": "",
            "unix:/run/x.sock": "",
            "tcp": "",
            "": "",
        }
        self.assertEqual({text: Description.of(text).host for text in hosts}, hosts)

    def test_ports(self) -> None:
        """Ports are found by position and by name, and only where TCP is spoken."""
        self.assertEqual(Description.of("tcp:h:80").ports, [80])
        self.assertEqual(Description.of("tcp:host=h:port=99999").ports, [99999])
        self.assertEqual(Description.of("unix:80").ports, [])


class TypeTests(SynchronousTestCase):
    """Which words begin an endpoint string."""

    def test_own_types(self) -> None:
        """What Twisted brings is known, whatever its case."""
        self.assertTrue(all(map(is_client_type, ["tcp", "ssl", "unix", "tls", "TLS"])))
        self.assertTrue(all(map(is_server_type, ["tcp", "tcp6", "unix", "systemd", "haproxy"])))

    def test_a_host_is_no_type(self) -> None:
        """The names that services have in many networks are left alone."""
        self.assertFalse(any(map(is_client_type, ["redis", "haproxy", "localhost"])))

    def test_attempts(self) -> None:
        """Wrong arguments of Twisted's own types raise, those of other types are not tried."""
        try_client("tls:example.org:465")
        try_client("nowhere:1")
        self.assertRaises(TypeError, try_client, "tcp:8000")
        try_server("tcp:8000:interface=::1")
        self.assertRaises(ValueError, try_server, "tcp:x")


class StringEndpointTests(SynchronousTestCase):
    """What is added to endpoint strings."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def connect(self, text: str, timeout: float) -> Deferred[IProtocol]:
        """Start an attempt, and leave it unanswered."""
        connecting: Deferred[IProtocol] = client_endpoint(self.reactor, text, timeout).connect(
            Factory.forProtocol(Protocol)
        )
        return connecting

    def test_timeout_is_ours(self) -> None:
        """An attempt ends after the timeout that was asked for, and not after Twisted's 30 seconds."""
        connecting = self.connect("tcp:127.0.0.1:80", 45.5)
        self.assertEqual(self.reactor.tcpClients[0][3], 46)
        self.reactor.advance(45)
        self.assertNoResult(connecting)
        self.reactor.advance(1)
        self.failureResultOf(connecting, TimeoutError)

    def test_timeout_in_the_string(self) -> None:
        """A timeout in the string stands for itself."""
        connecting = self.connect("tcp:127.0.0.1:80:timeout=99", 1.0)
        self.assertEqual(self.reactor.tcpClients[0][3], 99)
        self.reactor.advance(2)
        self.assertNoResult(connecting)

    def test_backlog(self) -> None:
        """The backlog is ours, unless the string has one."""
        factory = Factory.forProtocol(Protocol)
        for text in ("tcp:0", "tcp:0:backlog=3", "unix:/x:lockfile=0", "tcp:0:interface=::1"):
            self.successResultOf(server_endpoint(self.reactor, text, 77).listen(factory))
        self.assertEqual([server[2] for server in self.reactor.tcpServers], [77, 3, 77])
        self.assertEqual([server[2] for server in self.reactor.unixServers], [77])
        self.assertEqual(self.reactor.tcpServers[2][3], "::1")


@implementer(IStreamClientEndpoint)
class Unanswered:
    """An endpoint whose attempts take for ever."""

    def __init__(self) -> None:
        self.cancelled = 0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Never."""

        def cancel(_: Deferred[IProtocol]) -> None:
            self.cancelled += 1

        return Deferred(cancel)


class TimedEndpointTests(SynchronousTestCase):
    """`TimedEndpoint`."""

    def test_interface(self) -> None:
        """Both are client endpoints."""
        clock = Clock()
        verifyObject(IStreamClientEndpoint, TimedEndpoint(clock, Unanswered(), TIMEOUT))
        verifyObject(IStreamClientEndpoint, LocalhostEndpoint(clock, 80, TIMEOUT))

    def test_limit(self) -> None:
        """When the time is up the attempt is cancelled, and the error says how long it was."""
        clock, inner = Clock(), Unanswered()
        connecting = TimedEndpoint(clock, inner, TIMEOUT).connect(Factory())
        clock.advance(TIMEOUT - 0.1)
        self.assertNoResult(connecting)
        clock.advance(0.1)
        error = self.failureResultOf(connecting, TimeoutError).value
        self.assertIn("no connection within 5 seconds", str(error))
        self.assertEqual(inner.cancelled, 1)


class LocalhostTests(SynchronousTestCase):
    """`LocalhostEndpoint`."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        endpoint = LocalhostEndpoint(self.reactor, 6379, TIMEOUT)
        self.connecting: Deferred[Any] = endpoint.connect(Factory.forProtocol(Protocol))

    def fail_with(self, attempt: int, error: Exception) -> None:
        """Have an attempt fail."""
        factory = self.reactor.tcpClients[attempt][2]
        factory.clientConnectionFailed(self.reactor.connectors[attempt], Failure(error))

    def accept(self, attempt: int) -> None:
        """Have an attempt succeed."""
        protocol: Any = self.reactor.tcpClients[attempt][2].buildProtocol(None)
        protocol.makeConnection(StringTransport())

    def hosts(self) -> list[str]:
        """Where it has tried to connect to."""
        return [client[0] for client in self.reactor.tcpClients]

    def test_ipv4_first(self) -> None:
        """127.0.0.1 is tried, and ::1 is not while that may still answer."""
        self.assertEqual(self.hosts(), ["127.0.0.1"])
        self.accept(0)
        self.assertIsInstance(self.successResultOf(self.connecting), Protocol)

    def test_ipv6_when_refused(self) -> None:
        """Refused by 127.0.0.1, it is the server on ::1."""
        self.fail_with(0, ConnectionRefusedError())
        self.assertEqual(self.hosts(), ["127.0.0.1", "::1"])
        self.accept(1)
        self.assertIsInstance(self.successResultOf(self.connecting), Protocol)

    def test_both_refuse(self) -> None:
        """Where nobody listens, the error is that of 127.0.0.1, also on a machine without IPv6."""
        refused = ConnectionRefusedError(string="by 127.0.0.1")
        self.fail_with(0, refused)
        self.fail_with(1, ConnectError(string="no IPv6 here"))
        self.assertIs(self.failureResultOf(self.connecting).value, refused)

    def test_other_failures(self) -> None:
        """Only a refusal leads to ::1: a timeout has cost enough."""
        self.fail_with(0, TimeoutError())
        self.assertEqual(self.hosts(), ["127.0.0.1"])
        self.failureResultOf(self.connecting, TimeoutError)
