"""The control server as a service: where it listens, and what it refuses to be."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.control.service import ControlService
from txvaurien.errors import ConfigError, ListenError
from txvaurien.net.addresses import parse_backend, parse_listen
from txvaurien.process.proxies import Proxies
from txvaurien.settings.access import Access
from txvaurien.test.control_helpers import TOKEN, proxy, registry


class ServiceTests(SynchronousTestCase):
    """Without a socket."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.proxies = Proxies.of(proxy(), registry())

    def make(self, *arguments: Any, **options: Any) -> ControlService:
        """A service that does not listen yet."""
        return ControlService(self.proxies, *arguments, reactor=self.reactor, **options)

    def test_open(self) -> None:
        """Whoever embeds it is held to what the command line is."""
        error = self.assertRaises(ConfigError, self.make, "0.0.0.0")
        self.assertIn("there is no token", str(error))
        self.make("0.0.0.0", token=TOKEN).startService()
        self.assertEqual(self.reactor.tcpServers[0][3], "0.0.0.0")

    def test_weak(self) -> None:
        """A token that can be guessed is refused, also on loopback."""
        error = self.assertRaises(ConfigError, self.make, token="secret")
        self.assertEqual(error.where, "token")
        self.assertNotIn("secret", error.what)

    def test_names(self) -> None:
        """Further names have to be names."""
        error = self.assertRaises(ConfigError, self.make, hosts=["http://a.example"])
        self.assertEqual(error.where, "hosts")

    def test_endpoint(self) -> None:
        """It listens where an endpoint string says, and knows its port from there."""
        service = self.make(access=Access(parse_listen("tcp:8443:interface=127.0.0.1")))
        self.assertEqual(service.port, 8443)
        service.startService()
        self.assertEqual(self.reactor.tcpServers[0][0], 8443)

    def test_port_taken(self) -> None:
        """The error names the option that chooses another."""

        def taken(port: int, *_: object, **__: object) -> None:
            raise CannotListenError("127.0.0.1", port, OSError(98, "in use"))

        self.patch(self.reactor, "listenTCP", taken)
        for access, option in (
            (Access(parse_listen("localhost:8080")), "--http-port"),
            (Access(parse_listen("localhost:8080"), place="/etc/host.ini:3: http-host"), "--http-port"),
            (Access(parse_listen("localhost:8080"), place="--http-endpoint"), "--http-endpoint"),
        ):
            error = self.assertRaises(ListenError, self.make(access=access).startService)
            self.assertTrue(str(error).endswith(f"choose another with {option}"), str(error))

    def test_its_own_port(self) -> None:
        """While it listens no proxy can be pointed at it; when it has stopped, one can."""
        service = self.make(port=8080)
        service.startService()
        # A port in memory says that it is at 0.0.0.0.
        backend = parse_backend("127.0.0.1:8080")
        self.assertRaises(ConfigError, self.proxies.main.proxy.set_backend, backend)
        self.successResultOf(service.stopService())
        self.proxies.main.proxy.set_backend(backend)

    def test_it_is_a_backend(self) -> None:
        """It does not listen where a proxy connects to, and leaves the port alone."""
        service = self.make(port=6379)
        error = self.assertRaises(ConfigError, service.startService)
        self.assertIn("the control server of this process", str(error))
