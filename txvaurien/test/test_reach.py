"""What proxies connect to is what is allowed, and never their own control server."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IReactorTCP, IReactorUNIX
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend, parse_backend
from txvaurien.net.allowed import parse_patterns
from txvaurien.net.reach import CheckedReactor, Reach, Refusal, Said
from txvaurien.test.control_helpers import ControlCase, proxy
from txvaurien.test.manyproxies import ProxiesCase
from txvaurien.test.servers import free_port

CONTROL = IPv4Address("TCP", "127.0.0.1", 8080)


def reach(*patterns: str) -> Reach:
    """With the control server at 127.0.0.1:8080."""
    made = Reach(parse_patterns(",".join(patterns)))
    made.close(CONTROL)
    return made


class CheckTests(SynchronousTestCase):
    """What may be set."""

    def refused(self, made: Reach, backend: str) -> str:
        """Why it may not."""
        return str(self.assertRaises(ConfigError, made.check, parse_backend(backend), "upstream"))

    def test_anything(self) -> None:
        """Without patterns everything may be, but for the control server."""
        made = reach()
        for text in ("192.0.2.1:1", "example.org:1", "unix:/run/x.sock", "127.0.0.1:8081", "[::1]:8080"):
            made.check(parse_backend(text))
        for text in (
            "localhost:8080",
            "127.0.0.1:8080",
            "0.0.0.0:8080",
            "[::ffff:127.0.0.1]:8080",
            "tls:localhost:8080",
        ):
            self.assertEqual(
                self.refused(made, text),
                f"upstream: {text!r} is where the control server of this process listens;"
                " give the address of the server that is to be tested",
            )

    def test_patterns(self) -> None:
        """With patterns only what is of them; the error says which they are."""
        made = reach("localhost:6379", "10.0.0.0/8")
        made.check(parse_backend("localhost:6379"))
        self.assertEqual(
            self.refused(made, "localhost:6380"),
            "upstream: 'localhost:6380' is not allowed as a backend;"
            " allowed are: localhost:6379, 10.0.0.0/8 (--allow-backend)",
        )

    def test_pattern_for_the_control_server(self) -> None:
        """No pattern opens it, and whoever starts the process cannot mean it either."""
        made = reach("*", "127.0.0.0/8")
        made.trust(parse_backend("127.0.0.1:8080"))
        self.assertIn("control server", self.refused(made, "localhost:8080"))
        self.assertIn("control server", self.refused(made, "127.0.0.1:8080"))

    def test_trusted(self) -> None:
        """What the process was started with may be set, also again."""
        made = reach("localhost:6379")
        made.trust(parse_backend("192.0.2.1:1"))
        made.check(parse_backend("192.0.2.1:1"))
        self.assertIn("not allowed", self.refused(made, "192.0.2.1:2"))

    def test_unix(self) -> None:
        """A control server on a Unix socket is known by its path."""
        made = Reach()
        made.close(UNIXAddress(b"/run/control.sock"))
        self.assertIn("control server", self.refused(made, "unix:/run/../run/control.sock"))
        self.assertIsNotNone(made.way_to(parse_backend("unix:/x")).may_connect_to_path("/run/control.sock"))

    def test_a_backend_that_was_there_before(self) -> None:
        """The control server does not begin where a proxy connects to; then nothing is closed."""
        made = Reach((), lambda: [proxy()])
        error = self.assertRaises(ConfigError, made.close, IPv4Address("TCP", "127.0.0.1", 6379))
        self.assertEqual(error.where, "the backend of proxy")
        made.check(parse_backend("localhost:6379"))

    def test_reopened(self) -> None:
        """When it has stopped its port is one like others."""
        made = reach()
        made.reopen(CONTROL)
        made.check(parse_backend("localhost:8080"))


class WayTests(SynchronousTestCase):
    """What may be connected to."""

    def test_rebound_name(self) -> None:
        """A name is looked at again for each connection: what it led to before does not count."""
        way = reach("10.0.0.0/8").way_to(parse_backend("redis.example:6379"))
        self.assertIsNone(way.may_connect("10.0.0.1", 6379))
        self.assertEqual(
            way.may_connect("192.0.2.1", 6379),
            "192.0.2.1:6379, which is where 'redis.example' leads, is not allowed by --allow-backend",
        )
        self.assertIsNone(way.may_connect("10.0.0.1", 6379))

    def test_control_server(self) -> None:
        """No name leads to it, and it may have begun after the backend was set."""
        made = Reach()
        way = made.way_to(parse_backend("redis.example:8080"))
        self.assertIsNone(way.may_connect("127.0.0.1", 8080))
        made.close(CONTROL)
        for host in ("127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"):
            self.assertIn("is the control server of this process", way.may_connect(host, 8080) or "")
        self.assertIsNone(way.may_connect("127.0.0.1", 8081))

    def test_trusted(self) -> None:
        """What the process was started with may lead anywhere, but for the control server."""
        made = reach("10.0.0.0/8")
        made.trust(parse_backend("redis.example:6379"))
        way = made.way_to(parse_backend("redis.example:6379"))
        self.assertIsNone(way.may_connect("192.0.2.1", 6379))
        self.assertIsNotNone(way.may_connect("127.0.0.1", 8080))

    def test_remembered(self) -> None:
        """However many addresses a name leads to, not all of them are kept."""
        way = reach("10.0.0.0/8").way_to(parse_backend("redis.example:6379"))
        for number in range(1000):
            self.assertEqual(way.may_connect(f"10.0.{number % 256}.{number // 256}", 6379), None)
        self.assertIsNotNone(way.may_connect("192.0.2.1", 6379))

    def test_another_process(self) -> None:
        """A worker keeps to the same."""
        made = reach("10.0.0.0/8:6379", "unix:/run/*")
        made.close(IPv6Address("TCP", "::1", 8080))
        made.close(UNIXAddress(b"/run/control.sock"))
        backend = parse_backend("redis.example:6379")
        there = Reach.of(made.said(backend)).way_to(backend)
        self.assertIsNone(there.may_connect("10.0.0.1", 6379))
        for host, port in (("192.0.2.1", 6379), ("127.0.0.1", 8080), ("::1", 8080)):
            self.assertIsNotNone(there.may_connect(host, port))
        self.assertIsNone(there.may_connect_to_path("/run/x.sock"))
        self.assertIsNotNone(there.may_connect_to_path("/run/control.sock"))

    def test_another_process_that_may_all(self) -> None:
        """There, too, what is trusted is not held to patterns."""
        made = reach("10.0.0.0/8")
        made.trust(parse_backend("192.0.2.1:1"))
        self.assertEqual(made.said(parse_backend("192.0.2.1:1")), Said([], ["127.0.0.1 8080"]))


class CheckedReactorTests(SynchronousTestCase):
    """What endpoints of Twisted connect to."""

    def connect(self, backend: str, *patterns: str, addresses: tuple[str, ...] = ()) -> tuple[Any, Any]:
        """The reactor, and what has come of an attempt that looks names up as told."""
        memory: Any = MemoryReactorClock()
        for address in addresses:
            memory.nameResolver = _Names(address)
        parsed: Backend = parse_backend(backend)
        checked = CheckedReactor(memory, reach(*patterns).way_to(parsed))
        result = parsed.endpoint(checked, 30).connect(Factory())
        return memory, result

    def test_allowed(self) -> None:
        """Nothing is in the way of what is allowed."""
        memory, _ = self.connect("10.0.0.1:6379", "10.0.0.0/8")
        self.assertEqual(memory.tcpClients[0][:2], ("10.0.0.1", 6379))
        memory, _ = self.connect("unix:/run/x.sock", "unix:/run/*")
        self.assertEqual(memory.unixClients[0][0], "/run/x.sock")
        self.assertTrue(IReactorTCP.providedBy(CheckedReactor(memory, reach().way_to(parse_backend("x:1")))))
        self.assertTrue(IReactorUNIX.providedBy(CheckedReactor(memory, reach().way_to(parse_backend("x:1")))))

    def test_forbidden(self) -> None:
        """What is not allowed fails without a packet; the failure says why."""
        for backend, why in (
            ("192.0.2.1:6379", "not allowed"),
            ("unix:/run/x.sock", "not allowed"),
            ("127.0.0.1:8080", "control server"),
            ("tcp:redis.example:6379", "give the backend as redis.example:6379"),
        ):
            memory, result = self.connect(backend, "10.0.0.0/8")
            self.assertIn(why, str(self.failureResultOf(result, Refusal).value))
            self.assertEqual(memory.tcpClients + memory.unixClients, [])

    def test_rebound_name(self) -> None:
        """A name that leads to what is not allowed fails when it has been looked up."""
        memory, result = self.connect("redis.example:6379", "10.0.0.0/8", addresses=("127.0.0.1",))
        memory.advance(1)
        self.failureResultOf(result)
        self.assertEqual(memory.tcpClients, [])


class _Names:
    """Says of every name that it leads to one address."""

    def __init__(self, address: str) -> None:
        self._address = address

    def resolveHostName(self, receiver: Any, hostName: str, portNumber: int = 0, **_: object) -> Any:
        """Answer at once."""
        receiver.resolutionBegan(self)
        receiver.addressResolved(IPv4Address("TCP", self._address, portNumber))
        receiver.resolutionComplete()
        return receiver


class ApiTests(ControlCase):
    """The same, asked of the control server."""

    def test_files(self) -> None:
        """No file is read for a backend: whether there is one does not show."""
        for path in (__file__, "/nonexistent"):
            [(name, why)] = self.refused({"backend": f"ssl:a.example:443:caCertsDir={path}"}, "/backend")
            self.assertEqual(name, "backend")
            self.assertIn("not a backend that can be set over HTTP", why)

    def test_not_allowed(self) -> None:
        """What is not allowed changes nothing; what the proxy began with can be set again."""
        assert self.proxy.reach is not None
        self.proxy.reach.patterns = parse_patterns("127.0.0.0/8:7000")
        self.put({"backend": "127.0.0.1:7000"}, "/backend")
        [(name, why)] = self.refused({"backend": "127.0.0.1:7001"}, "/backend")
        self.assertEqual(name, "backend")
        self.assertIn("--allow-backend", why)
        self.put({"backend": "localhost:6379"}, "/backend")

    def test_control_server(self) -> None:
        """A proxy is not pointed at the server that is asked."""
        assert self.proxy.reach is not None
        self.proxy.reach.close(CONTROL)
        [(_, why)] = self.refused({"backend": "127.0.0.1:8080"}, "/backend")
        self.assertIn("control server", why)


class CircleTests(SynchronousTestCase):
    """Proxies of one process that would connect to one another for ever."""

    def test_circle(self) -> None:
        """However many there are in between."""
        a, b, c = (_listening(name, port) for name, port in (("a", 1), ("b", 2), ("c", 3)))
        made = Reach((), lambda: [a, b, c])
        b.backend = parse_backend("127.0.0.1:3")
        c.backend = parse_backend("127.0.0.1:6379")
        made.check_circle(a, a.gate.address, parse_backend("127.0.0.1:2"), "backend")
        c.backend = parse_backend("127.0.0.1:1")
        error = self.assertRaises(
            ConfigError, made.check_circle, a, a.gate.address, parse_backend("127.0.0.1:2"), "backend"
        )
        self.assertIn("a to b to c to a", str(error))

    def test_a_circle_of_others(self) -> None:
        """One that is not through this proxy is not its concern, and does not hang."""
        a, b = _listening("a", 1), _listening("b", 2)
        b.backend = parse_backend("127.0.0.1:2")
        Reach((), lambda: [a, b]).check_circle(a, a.gate.address, parse_backend("127.0.0.1:2"), "backend")


class SeveralTests(ProxiesCase):
    """Proxies that are made and changed over HTTP."""

    async def ask_for(self, method: str, path: str, body: object, status: int) -> Any:
        """The answer, which must have this status."""
        got, said, _ = await self.request(method, f"http://127.0.0.1:{self.control}{path}", body)
        self.assertEqual(got, status, said)
        return said

    async def test_circle(self) -> None:
        """One that would lead back to itself is not made, and not changed to be so."""
        self.control = self.start_control()
        first, second = free_port(), free_port()
        a = {"name": "a", "listen": f"127.0.0.1:{first}", "upstream": f"127.0.0.1:{second}"}
        await self.ask_for("POST", "/proxies", a, 201)
        b = {"name": "b", "listen": f"127.0.0.1:{second}", "upstream": f"127.0.0.1:{first}"}
        said = await self.ask_for("POST", "/proxies", b, 400)
        self.assertIn("b to a to b", said["errors"][0]["description"])
        self.assertEqual([member.name for member in self.proxies], ["a"])
        await self.ask_for("POST", "/proxies", {**b, "upstream": f"127.0.0.1:{self.backend}"}, 201)
        self.assertEqual(await self.ask(first), b"one:hello")
        for method, path, body in (
            ("PATCH", "/proxies/b", {"upstream": f"127.0.0.1:{first}"}),
            ("PUT", "/proxies/b/backend", {"backend": f"127.0.0.1:{first}"}),
        ):
            said = await self.ask_for(method, path, body, 400)
            self.assertIn("b to a to b", said["errors"][0]["description"])
        self.assertEqual(await self.ask(first), b"one:hello")

    async def test_not_allowed(self) -> None:
        """Each way to set a backend asks whether it may be; where it may not, nothing has changed."""
        self.proxies.reach.patterns = parse_patterns(f"127.0.0.1:{self.backend}")
        self.control = self.start_control()
        good = {"name": "a", "upstream": f"127.0.0.1:{self.backend}"}
        await self.ask_for("POST", "/proxies", good, 201)
        for upstream, why in (
            ("127.0.0.1:1", "--allow-backend"),
            (f"localhost:{self.control}", "control server"),
            ("unix:/run/docker.sock", "--allow-backend"),
            ("ssl:a.example:1:certKey=/x", "over HTTP"),
        ):
            for method, path, body in (
                ("POST", "/proxies", {"name": "b", "upstream": upstream}),
                ("POST", "/populate", [{"name": "b", "upstream": upstream}]),
                ("POST", "/populate", [{"name": "a", "upstream": upstream}]),
                ("PATCH", "/proxies/a", {"upstream": upstream}),
                ("PATCH", "/proxies/a", {"upstream": upstream, "listen": "127.0.0.1:0"}),
                ("PUT", "/proxies/a/backend", {"backend": upstream}),
                ("PUT", "/backend", {"backend": upstream}),
            ):
                said = await self.ask_for(method, path, body, 400)
                self.assertIn(why, said["errors"][0]["description"], (path, body))
                self.assertEqual([member.name for member in self.proxies], ["a"])
        self.assertEqual(await self.ask(self.proxies.get("a").listen), b"one:hello")


def _listening(name: str, port: int) -> Any:
    """A proxy that is taken to listen on a port of loopback."""
    made: Any = proxy()
    made.name, made.gate = name, _GateAt(port)
    return made


class _GateAt:
    """Something that listens on a port of loopback."""

    def __init__(self, port: int) -> None:
        self.address = IPv4Address("TCP", "127.0.0.1", port)
