"""Where a backend is: numbers, names, and names whose answer changes."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import DNSLookupError
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.net.names import Names, numeric
from txvaurien.test.network import Resolver


class NumericTests(SynchronousTestCase):
    """What needs no looking up."""

    def test_numbers(self) -> None:
        """Of both kinds, as `socket` wants them."""
        self.assertEqual(numeric("127.0.0.1", 80), [(socket.AF_INET, ("127.0.0.1", 80))])
        self.assertEqual(numeric("::1", 80), [(socket.AF_INET6, ("::1", 80, 0, 0))])

    def test_localhost(self) -> None:
        """Both kinds of loopback, IPv4 first."""
        places = numeric("localhost", 80)
        assert places is not None
        self.assertEqual([address[0] for _, address in places], ["127.0.0.1", "::1"])

    def test_names(self) -> None:
        """A name is none of these."""
        self.assertIsNone(numeric("example.org", 80))


class NamesTests(SynchronousTestCase):
    """Names, with a resolver that the test speaks for."""

    def setUp(self) -> None:
        self.nameResolver = Resolver(["192.0.2.1", "2001:db8::1"])
        self.names = Names(self)

    def test_all_addresses(self) -> None:
        """In the order in which the resolver has them."""
        places = self.successResultOf(self.names.look_up("db", 5432))
        expected = [(socket.AF_INET, ("192.0.2.1", 5432)), (socket.AF_INET6, ("2001:db8::1", 5432, 0, 0))]
        self.assertEqual(places, expected)

    def test_nothing_is_kept(self) -> None:
        """A changed answer holds for whoever asks next."""
        self.successResultOf(self.names.look_up("db", 1))
        self.nameResolver.addresses = ["192.0.2.7"]
        places = self.successResultOf(self.names.look_up("db", 1))
        self.assertEqual(places, [(socket.AF_INET, ("192.0.2.7", 1))])

    def test_asked_once(self) -> None:
        """Those who ask while an answer is on its way all get it; another port is another question."""
        self.nameResolver.at_once = False
        answers: list[Any] = [self.names.look_up("db", port) for port in (1, 1, 2, 1)]
        self.assertEqual(self.nameResolver.asked, ["db", "db"])
        self.nameResolver.answer()
        ports = [self.successResultOf(each)[0][1][1] for each in answers]
        self.assertEqual(ports, [1, 1, 2, 1])

    def test_cancelled(self) -> None:
        """One who does not wait any longer does not take the answer from the others."""
        self.nameResolver.at_once = False
        gone, other = self.names.look_up("db", 1), self.names.look_up("db", 1)
        gone.addErrback(lambda _: None)
        gone.cancel()
        self.nameResolver.answer()
        self.assertEqual(len(self.successResultOf(other)), 2)

    def test_no_address(self) -> None:
        """It is an error that names the host."""
        self.nameResolver.addresses = []
        error = self.failureResultOf(self.names.look_up("db", 1), DNSLookupError)
        self.assertIn("no address is known for db", error.getErrorMessage())

    def test_cannot_ask(self) -> None:
        """Where the resolver cannot even be asked it is an error, and the next one asks anew."""

        def no_thread(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        self.patch(self.nameResolver, "resolveHostName", no_thread)
        error = self.failureResultOf(self.names.look_up("db", 1), DNSLookupError)
        self.assertIn("db cannot be looked up: can't start new thread", error.getErrorMessage())
        self.nameResolver = Resolver(["192.0.2.1"])
        self.assertEqual(len(self.successResultOf(self.names.look_up("db", 1))), 1)

    def test_no_name(self) -> None:
        """What can be no name is not asked for."""
        for host in ("x" * 64 + ".org", "a..b"):
            error = self.failureResultOf(self.names.look_up(host, 1), DNSLookupError)
            self.assertIn(host, error.getErrorMessage())
        self.assertEqual(self.nameResolver.asked, [])
