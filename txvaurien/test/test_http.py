"""The protocol http as users name it: its options, and the Twisted pair."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.error import Error
from txvaurien.errors import ConfigError
from txvaurien.net.addresses import parse_backend
from txvaurien.options import build, options_of
from txvaurien.plan import Plan
from txvaurien.protocols.http import Http, HttpFactory, HttpProtocol
from txvaurien.test.http_samples import GET
from txvaurien.test.memory import MemoryTransport


class OptionTests(SynchronousTestCase):
    """Options from texts and from JSON."""

    def test_as_text(self) -> None:
        """All options, as the command line and INI files have them."""
        texts = {
            "overwrite-host-header": "yes",
            "keep_alive": "false",
            "gateway-timeout": "2.5",
            "retry-after": "60",
        }
        expected = Http(overwrite_host_header=True, keep_alive=False, gateway_timeout=2.5, retry_after=60)
        self.assertEqual(build(Http, texts, text=True), expected)
        self.assertEqual(
            {option.name for option in options_of(Http)}, {name.replace("_", "-") for name in texts}
        )

    def test_explained(self) -> None:
        """Each option has a line of help."""
        for option in options_of(Http):
            self.assertTrue(option.help, option.name)

    def test_bounds(self) -> None:
        """Nobody waits for less than nothing."""
        self.assertRaises(ConfigError, build, Http, {"gateway-timeout": -1})
        self.assertRaises(ConfigError, build, Http, {"retry-after": 1.5})

    def test_defaults_change_nothing(self) -> None:
        """Without options nothing is edited, and nothing is timed."""
        self.assertFalse(Http().session().edits)
        self.assertEqual(Http().answer_timeout, 0.0)


class AuthorityTests(SynchronousTestCase):
    """Host and port of a backend, for the Host field."""

    def test_of_addresses(self) -> None:
        """As a URL has them; what has no host has none."""
        expected = {
            "example.org:80": "example.org:80",
            "[::1]:8080": "[::1]:8080",
            "tls:example.org:443": "example.org:443",
            "tcp:host=10.0.0.1:port=81": "10.0.0.1:81",
            "unix:/run/x.sock": "",
        }
        self.assertEqual({text: parse_backend(text).authority for text in expected}, expected)


class PairTests(SynchronousTestCase):
    """HttpFactory, for services of one's own."""

    def test_serves(self) -> None:
        """It makes the client's end of a link that frames HTTP."""
        clock = MemoryReactorClock()
        factory = HttpFactory("127.0.0.1:80", Plan.only(Error(kind="503"), seed=1), reactor=clock)
        client = MemoryTransport(clock)
        protocol = factory.buildProtocol(client.getPeer())
        self.assertIsInstance(protocol, HttpProtocol)
        client.protocol = protocol
        protocol.makeConnection(client)
        backend: Any = clock.tcpClients[0][2].buildProtocol(client.getPeer())
        backend.makeConnection(MemoryTransport(clock))
        client.says(GET)
        self.assertTrue(client.received.startswith(b"HTTP/1.1 503 Service Unavailable\r\n"))
