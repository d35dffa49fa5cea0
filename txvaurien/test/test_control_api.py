"""What the control server says and does, apart from who may ask it."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txvaurien.control.service import ControlService
from txvaurien.errors import ConfigError, ListenError
from txvaurien.plan import Plan
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.test.control_helpers import ControlCase, proxy, registry


class Visitor(Protocol):
    """A client that stays: tells when the server has answered, and when the connection is gone."""

    def __init__(self) -> None:
        self.answered = Deferred[bytes]()
        self.gone = Deferred[None]()

    def dataReceived(self, data: bytes) -> None:
        """The answer came."""
        self.answered.callback(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The server has closed the connection."""
        self.gone.callback(None)


class BackendTests(ControlCase):
    """GET and PUT /backend."""

    def test_another_backend(self) -> None:
        """The backend is said and set as users write it."""
        self.assertEqual(self.get("/backend").said, {"backend": "localhost:6379"})
        self.put({"backend": "[::1]:7000"}, "/backend")
        self.assertEqual(self.get("/backend").said, {"backend": "[::1]:7000"})
        self.assertEqual((self.proxy.backend.host, self.proxy.backend.port), ("::1", 7000))

    def test_no_address(self) -> None:
        """What is no address, and what else is in the body, is refused by name."""
        for body in ({}, {"backend": 6379}, {"backend": "nowhere"}, {"backend": "localhost:99999"}):
            self.assertEqual(self.refused(body, "/backend")[0][0], "backend")
        self.assertEqual(self.refused({"backend": "localhost:1", "port": 2}, "/backend")[0][0], "port")


class MethodTests(ControlCase):
    """The methods beside GET and PUT."""

    def test_post(self) -> None:
        """Older clients of Vaurien use POST."""
        self.assertEqual(self.client.ask("POST", "/behavior", {"name": "delay"}).status, 200)
        self.assertEqual(self.proxy.plan.mix_text, "delay")

    def test_head(self) -> None:
        """HEAD is answered as GET is, without the body."""
        answer = self.client.ask("HEAD", "/behavior")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(int(answer.headers["content-length"]), len(self.get("/behavior").body))


class OtherPathsTests(ControlCase):
    """What there is not."""

    def test_unknown_paths(self) -> None:
        """A path that does not exist is answered with those that do."""
        for path in ("/", "/behaviour", "/behavior//", "/behavior/x", "/%00", "/%f0%9f%90%92"):
            answer = self.client.ask("GET", path)
            self.assertEqual(answer.status, 404, path)
            location, _, description = answer.problem
            self.assertEqual(location, "path")
            self.assertIn("/backend, /behavior, ", description)

    def test_other_methods(self) -> None:
        """A method that a path does not have is answered with those that it has."""
        for method, path, allowed in (
            ("DELETE", "/behavior", "GET, HEAD, POST, PUT"),
            ("PUT", "/behaviors", "GET, HEAD"),
            ("POST", "/backend", "GET, HEAD, PUT"),
        ):
            answer = self.client.ask(method, path)
            self.assertEqual((answer.status, answer.headers["allow"]), (405, allowed))
            self.assertEqual(answer.problem[:2], ("method", method))
            self.assertIn(allowed, answer.problem[2])

    def test_a_mistake_of_ours(self) -> None:
        """An unexpected exception is a JSON 500 without a traceback, which is in the log."""

        def fail(plan: Plan) -> None:
            raise RuntimeError("a secret of the implementation")

        self.patch(self.proxy, "set_plan", fail)
        answer = self.client.ask("PUT", "/behavior", {"name": "delay"})
        self.assertEqual(answer.status, 500)
        self.assertEqual(answer.problem[0], "server")
        self.assertNotIn(b"secret", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.get("/behavior").status, 200)

    def test_requests_one_after_the_other(self) -> None:
        """A connection is good for several requests, also when they come at once."""
        one = b"GET /backend HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self.client.send(one * 3)
        self.assertEqual(self.client.answer().raw.count(b"HTTP/1.1 200 OK"), 3)


class ListenTests(SynchronousTestCase):
    """Where the control server listens, without a socket."""

    def service(self, host: str = "localhost", port: int = 8080) -> tuple[ControlService, MemoryReactorClock]:
        """A service on a reactor that only notes where to listen."""
        reactor = MemoryReactorClock()
        return ControlService(Proxies.of(proxy(), registry()), host, port, reactor=reactor), reactor

    def test_localhost_is_loopback(self) -> None:
        """By default nobody else reaches it."""
        service, reactor = self.service()
        service.startService()
        port, _, _, interface = reactor.tcpServers[0]
        self.assertEqual((port, interface), (8080, "127.0.0.1"))

    def test_ipv6(self) -> None:
        """An IPv6 address is taken with brackets and without."""
        for host in ("::1", "[::1]"):
            service, reactor = self.service(host)
            service.startService()
            self.assertEqual(reactor.tcpServers[0][3], "::1")

    def test_no_host(self) -> None:
        """A host that cannot be one is an error of its option."""
        error = self.assertRaises(ConfigError, self.service, "a b")
        self.assertEqual(error.where, "--http-host")


class ServiceTests(TestCase):
    """The control server on a real socket."""

    def service(self, port: int = 0) -> ControlService:
        """A service that is stopped when the test is over."""
        controlled = Proxy("localhost:6379", Tcp(), reactor=reactor)
        service = ControlService(Proxies.of(controlled, registry()), port=port, reactor=reactor)
        self.addCleanup(service.stopService)
        return service

    def test_port(self) -> Deferred[None]:
        """The real port is known as soon as it listens, and free again when it has stopped."""
        first = self.service()
        first.startService()
        self.assertNotEqual(first.port, 0)
        stopped = first.stopService()
        return stopped.addCallback(lambda _: self.service(first.port).startService())

    def test_a_busy_port(self) -> None:
        """A port that is taken is an error that says where and what to do."""
        first = self.service()
        first.startService()
        error = self.assertRaises(ListenError, self.service(first.port).startService)
        self.assertEqual(
            str(error),
            f"cannot listen on 127.0.0.1:{first.port}: the port is in use;"
            " stop the other process or choose another with --http-port",
        )

    async def test_stop_ends_connections(self) -> None:
        """An idle connection does not outlive the server."""
        service = self.service()
        service.startService()
        visitor = Visitor()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", service.port), visitor)
        assert visitor.transport is not None
        visitor.transport.write(b"GET /backend HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue((await visitor.answered).startswith(b"HTTP/1.1 200 OK"))
        self.assertFalse(visitor.gone.called)
        await service.stopService()
        await visitor.gone
