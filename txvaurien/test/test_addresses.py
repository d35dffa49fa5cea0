"""Addresses as users write them."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet._resolver import HostResolution
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
)
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides, implementer

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend, Listen, parse_backend, parse_listen
from txvaurien.net.endpoints import LocalhostEndpoint, TimedEndpoint
from txvaurien.net.tlsarguments import BackendTlsArguments


@implementer(IHostnameResolver)
class Resolver:
    """Knows some names, and answers at once."""

    def __init__(self, known: Sequence[str]) -> None:
        self.known = known

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Found, or not."""
        if len(hostName) > 63:
            raise UnicodeError("label too long")
        resolution: Any = HostResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        if hostName in self.known:
            resolutionReceiver.addressResolved(IPv4Address("TCP", "192.0.2.1", portNumber))
        resolutionReceiver.resolutionComplete()
        return IHostResolution(resolution)


class BackendTests(SynchronousTestCase):
    """`parse_backend` and `Backend`."""

    def endpoint(self, text: str) -> Any:
        """The endpoint that `text` leads to."""
        return parse_backend(text).endpoint(MemoryReactorClock(), 3.0)

    def wrong(self, text: str, *words: str) -> None:
        """`text` is refused with these words, and the place."""
        error = self.assertRaises(ConfigError, parse_backend, text, "--backend")
        self.assertTrue(str(error).startswith("--backend: "))
        for word in (repr(text), *words):
            self.assertIn(word, str(error))

    def test_host_and_port(self) -> None:
        """Hosts with ports, be they names or numbers; the text stays as it was written."""
        for text, host, port in [
            ("localhost:8000", "localhost", 8000),
            ("LocalHost:1", "localhost", 1),
            ("127.0.0.1:65535", "127.0.0.1", 65535),
            ("[::1]:8000", "::1", 8000),
            ("redis:6379", "redis", 6379),
            ("haproxy:80", "haproxy", 80),
        ]:
            self.assertEqual(parse_backend(f" {text} "), Backend(text, host, port))

    def test_endpoint_strings(self) -> None:
        """What begins with an endpoint type is an endpoint string."""
        for text in ("unix:/run/x.sock", "tcp:h:80", "tcp:host=::1:port=80"):
            self.assertEqual(parse_backend(text), Backend(text))

    def test_tls(self) -> None:
        """What an endpoint string says of TLS is read; it is the proxy that speaks it."""
        said = BackendTlsArguments("example.org", host="example.org", port=465)
        self.assertEqual(parse_backend("tls:example.org:465"), Backend("tls:example.org:465", tls=said))
        self.assertIsInstance(self.endpoint("tls:127.0.0.1:1"), TCP4ClientEndpoint)

    def test_kinds_of_endpoints(self) -> None:
        """Numbers are connected to directly, localhost without a name lookup, the rest within the limit."""
        self.assertIsInstance(self.endpoint("127.0.0.1:1"), TCP4ClientEndpoint)
        self.assertIsInstance(self.endpoint("[::1]:1"), TCP6ClientEndpoint)
        self.assertIsInstance(self.endpoint("localhost:1"), LocalhostEndpoint)
        self.assertIsInstance(self.endpoint("unix:/x"), TimedEndpoint)

    def test_names(self) -> None:
        """Other names go to the reactor's resolver, with a limit to the whole attempt."""
        reactor: Any = MemoryReactorClock()
        reactor.nameResolver = None
        alsoProvides(reactor, IReactorPluggableNameResolver)
        endpoint: Any = parse_backend("example.org:80").endpoint(reactor, 3.0)
        self.assertIsInstance(endpoint, TimedEndpoint)
        self.assertIsInstance(endpoint._endpoint, HostnameEndpoint)

    def test_timeout(self) -> None:
        """The limit reaches the connection."""
        reactor = MemoryReactorClock()
        for text in ("127.0.0.1:1", "[::1]:1", "localhost:1"):
            parse_backend(text).endpoint(reactor, 3.5).connect(Factory.forProtocol(Protocol))
        self.assertEqual([client[3] for client in reactor.tcpClients], [3.5, 3.5, 3.5])

    def test_not_an_address(self) -> None:
        """What is no address is refused with the forms that are."""
        for text in ("", "8000", "localhost", "http://localhost:80", "nonsense:1:2", "a b:1"):
            self.wrong(text, "is not an address", "write host:port")

    def test_no_host(self) -> None:
        """A port alone is a place to listen, not a backend."""
        self.wrong(":8000", "names no host")

    def test_ports(self) -> None:
        """Ports that do not exist."""
        self.wrong("localhost:0", "port 0")
        self.wrong("localhost:65536", "there is no port 65536")
        self.wrong("tcp:h:65536", "there is no such port")

    def test_ipv6(self) -> None:
        """IPv6 wants brackets, and brackets want IPv6."""
        self.wrong("::1:8000", "write [IPv6]:port")
        self.wrong("::1", "write [IPv6]:port")
        self.wrong("[localhost]:8000", "'localhost'", "is not an IPv6 address")

    def test_wrong_endpoint_strings(self) -> None:
        """Wrong arguments are found when the address is parsed, not when a client comes."""
        self.wrong("tcp:8000", "is not a usable endpoint (it lacks: port)")
        self.wrong("tls:localhost", "is not a usable endpoint (it lacks: port)")
        self.wrong("tcp:h:80:colour=red", "is not a usable endpoint (it has no argument 'colour')")
        self.wrong("tls:h:x", "is not a usable endpoint ('x' is not a number)")
        self.wrong("tls:a:1:b:c:d:e:f:g:h", "is not a usable endpoint (it has too many parts)")

    def test_resolve_numbers(self) -> None:
        """Nothing is looked up where there is no name, and localhost is known."""
        self.patch(socket, "getaddrinfo", lambda *_, **__: self.fail("it was looked up"))
        for text in ("127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/x", "tcp:127.0.0.1:1"):
            parse_backend(text).resolve()

    def test_resolve_names(self) -> None:
        """A name is looked up, in an endpoint string as well."""
        asked: list[str] = []
        self.patch(socket, "getaddrinfo", lambda host, *_, **__: asked.append(host))
        parse_backend("one.example:1").resolve()
        parse_backend("tls:two.example:1").resolve()
        self.assertEqual(asked, ["one.example", "two.example"])

    def look_up(self, text: str, *known: str) -> Deferred[None]:
        """Look it up where only these names are known."""
        reactor = MemoryReactorClock()
        reactor.installNameResolver(Resolver(known))
        looked_up: Deferred[None] = parse_backend(text).look_up(reactor, "backend")
        return looked_up

    def test_look_up(self) -> None:
        """The reactor's resolver is asked, so nothing blocks; numbers and paths need none."""
        self.successResultOf(self.look_up("one.example:1", "one.example"))
        self.successResultOf(self.look_up("tls:two.example:1", "two.example"))
        for text in ("127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/x"):
            self.successResultOf(self.look_up(text))

    def test_look_up_in_vain(self) -> None:
        """What there is not, or cannot be, is an error that names it and the place."""
        for host in ("nix.example", "x" * 64):
            failure = self.failureResultOf(self.look_up(f"{host}:1"), ConfigError)
            self.assertIn(f"backend: the host {host!r} of '{host}:1' cannot be", failure.getErrorMessage())

    def test_unresolvable(self) -> None:
        """A host that does not exist is an error that names it, the place and the reason."""

        def getaddrinfo(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        self.patch(socket, "getaddrinfo", getaddrinfo)
        error = self.assertRaises(ConfigError, parse_backend("nix.example:1").resolve, "--backend")
        self.assertIn("--backend: the host 'nix.example' of 'nix.example:1' cannot be", str(error))
        self.assertIn("Name or service not known", str(error))

    def test_not_a_host_name(self) -> None:
        """A label that no name server could be asked for is the same error."""
        self.assertRaises(ConfigError, parse_backend(f"{'x' * 70}.example:1").resolve)


class ListenTests(SynchronousTestCase):
    """`parse_listen` and `Listen`."""

    def endpoint(self, text: str) -> Any:
        """The endpoint that `text` leads to."""
        return parse_listen(text).endpoint(MemoryReactorClock(), 7)

    def test_host_and_port(self) -> None:
        """Port 0 is allowed; no host and localhost are 127.0.0.1, so nothing is open by accident."""
        for text, host, port in [
            ("localhost:8000", "127.0.0.1", 8000),
            (":8000", "127.0.0.1", 8000),
            ("127.0.0.1:0", "127.0.0.1", 0),
            ("0.0.0.0:1", "0.0.0.0", 1),
            ("[::]:1", "::", 1),
        ]:
            self.assertEqual(parse_listen(text), Listen(text, host, port))

    def test_endpoint_strings(self) -> None:
        """An endpoint type with a number is an endpoint string, not a host with a port."""
        for text in ("tcp:8000", "tcp6:8000", "tcp:8000:interface=::1", "unix:/run/x.sock"):
            self.assertEqual(parse_listen(text), Listen(text))

    def test_kinds_of_endpoints(self) -> None:
        """Each form leads to the endpoint of its family."""
        self.assertIsInstance(self.endpoint("localhost:1"), TCP4ServerEndpoint)
        self.assertIsInstance(self.endpoint("[::1]:1"), TCP6ServerEndpoint)
        self.assertIsInstance(self.endpoint("tcp:1"), TCP4ServerEndpoint)
        self.assertIsInstance(self.endpoint("unix:/x"), UNIXServerEndpoint)

    def test_interface_and_backlog(self) -> None:
        """What was parsed reaches the socket."""
        reactor = MemoryReactorClock()
        for text in ("localhost:8000", "[::1]:8001"):
            listening = parse_listen(text).endpoint(reactor, 7).listen(Factory.forProtocol(Protocol))
            self.successResultOf(listening)
        sockets = [(port, backlog, host) for port, _, backlog, host in reactor.tcpServers]
        self.assertEqual(sockets, [(8000, 7, "127.0.0.1"), (8001, 7, "::1")])

    def test_wrong(self) -> None:
        """What cannot be listened on is refused with the place and what is allowed."""
        for text, words in [
            ("8000", "is not an address"),
            ("localhost:99999", "there is no port 99999"),
            ("tcp:99999", "there is no such port"),
            ("tcp:x", "is not a usable endpoint"),
            ("ssl:8000:privateKey=/does/not/exist", "is not a usable endpoint"),
        ]:
            error = self.assertRaises(ConfigError, parse_listen, text, "--proxy")
            self.assertIn("--proxy: ", str(error))
            self.assertIn(words, str(error))
