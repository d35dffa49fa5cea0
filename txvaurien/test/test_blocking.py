"""The blocking client, in a thread, against a control server on a real socket."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txvaurien import Client, VaurienError
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.control.service import ControlService
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.rules import Rule
from txvaurien.test.control_helpers import registry
from txvaurien.test.servers import free_port


class ClientTests(TestCase):
    """Every method, and what it does to the proxy."""

    def setUp(self) -> None:
        self.proxy = Proxy("localhost:6379", Tcp(), reactor=reactor)
        service = ControlService(Proxies.of(self.proxy, registry()), port=0, reactor=reactor)
        service.startService()
        self.addCleanup(service.stopService)
        self.port = service.port

    def use(self, blocking: Callable[[Client], None]) -> Deferred[None]:
        """Call it in a thread, as the server lives in this one."""
        return deferToThread(blocking, Client("localhost", self.port))

    def test_vocabulary(self) -> Deferred[None]:
        """What is set is what is said."""

        def blocking(client: Client) -> None:
            self.assertEqual(client.list_behaviors(), ["delay", "dummy", "error", "transient"])
            self.assertEqual(client.list_options()["delay"][0]["name"], "sleep")
            self.assertEqual(client.get_behavior(), "dummy")
            client.set_behavior("delay", sleep=2)
            self.assertEqual(client.get_behavior(), "delay")
            self.assertEqual(client.get_mix()[0]["options"]["sleep"], 2.0)
            client.set_behavior("5:error,10:delay")
            self.assertEqual(client.get_behavior(), "5:error,10:delay")
            self.assertEqual(client.get_backend(), "localhost:6379")
            client.set_backend("localhost:7000")
            self.assertEqual(client.get_backend(), "localhost:7000")

        return self.use(blocking)

    def test_with_behavior(self) -> Deferred[None]:
        """What was there comes back with its options, also when the body raises."""
        mix = (Share(5.0, Rule(Error(warmup=2))), Share(12.5, Rule(Delay(sleep=3.0))))
        self.proxy.set_plan(Plan(mix=mix))
        seen: list[str] = []

        def blocking(client: Client) -> None:
            with client.with_behavior("error", inject=True):
                seen.append(client.get_behavior())
            with self.assertRaises(KeyError), client.with_behavior("delay", sleep=9):
                seen.append(client.get_behavior())
                raise KeyError("mine")

        def check(_: None) -> None:
            self.assertEqual(seen, ["error", "delay"])
            after = [(share.percent, share.rule.behavior) for share in self.proxy.plan.mix]
            self.assertEqual(after, [(share.percent, share.rule.behavior) for share in mix])

        return self.use(blocking).addCallback(check)

    def test_refusals(self) -> Deferred[None]:
        """An unknown behavior is a ValueError, as with Vaurien, that lists the names."""

        def blocking(client: Client) -> None:
            with self.assertRaises(ValueError) as caught:
                client.set_behavior("dealy")
            self.assertIn("the behaviors are: delay, dummy", str(caught.exception))
            with self.assertRaises(VaurienError) as refused:
                client.set_behavior("delay", sleep="long")
            self.assertEqual(refused.exception.status, 400)
            self.assertIn("sleep: 'long' will not do", str(refused.exception))

        return self.use(blocking)


class NoServerTests(SynchronousTestCase):
    """Servers that are not there, or none of ours."""

    def test_refused_connection(self) -> None:
        """Where nobody listens the error says where that is, and what to do."""
        port = free_port()
        error = self.assertRaises(VaurienError, Client("127.0.0.1", port).get_behavior)
        server = f"http://127.0.0.1:{port}"
        self.assertIn(f"there is no control server at {server} (connection refused)", str(error))
        self.assertIn("start the proxy with --http", str(error))
        self.assertEqual(error.status, 0)

    def test_impossible_host(self) -> None:
        """A host that cannot exist is the same kind of error; no name server is asked for this one."""
        error = self.assertRaises(VaurienError, Client("x" * 64).get_behavior)
        self.assertIn("there is no control server", str(error))

    def test_no_answer(self) -> None:
        """A server that accepts and is silent is waited for no longer than the timeout."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = Client("127.0.0.1", silent.getsockname()[1], timeout=0.05)
            self.assertIn("timed out", str(self.assertRaises(VaurienError, client.get_behavior)))

    def test_no_http(self) -> None:
        """A server that speaks something else is told apart."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            answering = threading.Thread(target=_say_once, args=(other, b"-ERR unknown command\r\n"))
            answering.start()
            self.addCleanup(answering.join)
            client = Client("127.0.0.1", other.getsockname()[1])
            error = self.assertRaises(VaurienError, client.get_behavior)
            self.assertIn("there is no control server", str(error))

    def test_no_such_server(self) -> None:
        """A port or scheme that cannot be is an error at once."""
        for port in (0, -1, 65536):
            self.assertRaises(VaurienError, Client, "localhost", port)
        self.assertRaises(VaurienError, Client, "localhost", 8080, "gopher")

    def test_url(self) -> None:
        """The URL of the server is shown as it is asked, IPv6 addresses in brackets."""
        self.assertEqual(Client("::1", 8000, "https").url, "https://[::1]:8000")


class ImportTests(SynchronousTestCase):
    """What a test suite that is not Twisted's has to load."""

    def test_without_twisted(self) -> None:
        """The client, the starting of proxies and vaurienctl need the standard library only."""
        program = (
            "import sys, txvaurien, txvaurien.ctl.main;"
            "from txvaurien import Client, start_proxy, stop_proxy;"
            "assert txvaurien.__version__;"
            "print(*{'twisted', 'zope', 'msgspec', 'treq', 'klein'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        self.assertEqual((done.stdout.strip(), done.stderr, done.returncode), ("", "", 0))

    def test_no_such_name(self) -> None:
        """The package has no other attributes."""
        import txvaurien

        with self.assertRaises(AttributeError):
            _ = txvaurien.Klient


def _say_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(answer)
