"""The awaitable client, against a real control resource in memory."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from treq.testing import StringStubbingResource, StubTreq
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.client import AsyncClient, Requester
from txvaurien.clients.vocabulary import VaurienError
from txvaurien.control.service import ControlService
from txvaurien.plan import Plan
from txvaurien.planning.mix import Share
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.rules import Rule
from txvaurien.test.control_helpers import guarded, proxy, registry
from txvaurien.test.servers import free_port

T = TypeVar("T")


class MemoryCase(SynchronousTestCase):
    """Runs coroutines that have to be done at once."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.proxy = proxy()
        self.client = self.client_of(guarded(self.proxy))

    def client_of(self, root: IResource) -> AsyncClient:
        """A client of a server in memory."""
        return AsyncClient(treq=cast(Requester, StubTreq(root)), reactor=self.clock)

    def run_now(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What it returns; nothing may be left to time out."""
        result: T = self.successResultOf(Deferred.fromCoroutine(coroutine))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return result

    def refused(self, coroutine: Coroutine[Any, Any, object]) -> VaurienError:
        """The VaurienError that it raises."""
        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), VaurienError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return cast(VaurienError, failure.value)


class VocabularyTests(MemoryCase):
    """Every method, against the real resource."""

    def test_behavior(self) -> None:
        """A behavior is set with its options, and said by its name."""
        self.assertEqual(self.run_now(self.client.get_behavior()), "dummy")
        self.run_now(self.client.set_behavior("delay", sleep=2, before=False))
        self.assertEqual(self.proxy.plan.mix[0].rule.behavior, Delay(sleep=2.0, before=False))
        self.assertEqual(self.run_now(self.client.get_behavior()), "delay")

    def test_mix(self) -> None:
        """A mix is set by its text, or part by part, and read back with every option."""
        self.run_now(self.client.set_behavior("5:error,10:delay"))
        mix = self.run_now(self.client.get_mix())
        self.assertEqual([(each["percent"], each["name"]) for each in mix], [(5.0, "error"), (10.0, "delay")])
        mix[1]["options"]["sleep"] = 0.25
        self.run_now(self.client.set_mix(mix))
        self.assertEqual(self.proxy.plan.mix[1].rule.behavior, Delay(sleep=0.25))

    def test_lists(self) -> None:
        """The names that there are, and their options."""
        self.assertEqual(self.run_now(self.client.list_behaviors()), ["delay", "dummy", "error", "transient"])
        options = self.run_now(self.client.list_options())
        self.assertEqual([each["name"] for each in options["delay"]][:2], ["sleep", "before"])

    def test_backend(self) -> None:
        """The backend is read and set."""
        self.assertEqual(self.run_now(self.client.get_backend()), "localhost:6379")
        self.run_now(self.client.set_backend("localhost:7000"))
        self.assertEqual(self.run_now(self.client.get_backend()), "localhost:7000")


class WithBehaviorTests(MemoryCase):
    """with_behavior puts back what was there."""

    def test_options_and_mix_come_back(self) -> None:
        """A mix comes back as it was, with the options of each of its behaviors."""
        before = (Share(5.0, Rule(Error(kind="any", warmup=2))), Share(12.5, Rule(Delay(sleep=3.0))))
        self.proxy.set_plan(Plan(mix=before))

        async def use() -> str:
            async with self.client.with_behavior("delay", sleep=9):
                return await self.client.get_behavior()

        self.assertEqual(self.run_now(use()), "delay")
        after = [(share.percent, share.rule.behavior) for share in self.proxy.plan.mix]
        self.assertEqual(after, [(share.percent, share.rule.behavior) for share in before])

    def test_the_body_raises(self) -> None:
        """What was there comes back, and the exception goes on."""

        async def use() -> None:
            async with self.client.with_behavior("delay"):
                raise KeyError("mine")

        self.failureResultOf(Deferred.fromCoroutine(use()), KeyError)
        self.assertEqual(self.proxy.plan.mix_text, "dummy")

    def test_it_cannot_be_set(self) -> None:
        """If the behavior is refused, the body does not run and nothing has changed."""
        ran = []

        async def use() -> None:
            async with self.client.with_behavior("dealy"):
                ran.append(True)

        self.refused(use())
        self.assertEqual((ran, self.proxy.plan.mix_text), ([], "dummy"))


class ErrorTests(MemoryCase):
    """Everything that goes wrong is a VaurienError that says what."""

    def test_refusals(self) -> None:
        """The server's words are the error's, with the field that they are about; it is a ValueError."""
        error = self.refused(self.client.set_behavior("dealy"))
        self.assertIsInstance(error, ValueError)
        self.assertEqual(error.status, 400)
        self.assertTrue(str(error).startswith("there is no behavior 'dealy' (did you mean 'delay'?)"))
        error = self.refused(self.client.set_behavior("delay", sleep=-1))
        self.assertTrue(str(error).startswith("sleep: '-1' will not do; it must be a number from 0 to"))

    def test_several_refusals(self) -> None:
        """All that is wrong is said at once."""
        error = self.refused(self.client.set_behavior("delay", a=1, b=2))
        self.assertIn("a: there is no option 'a'", str(error))
        self.assertIn("; b: there is no option 'b'", str(error))

    def test_a_number_that_json_has_not(self) -> None:
        """NaN is refused before anything is sent."""
        coroutine = self.client.set_behavior("delay", sleep=float("nan"))
        self.failureResultOf(Deferred.fromCoroutine(coroutine), ValueError)

    def test_another_server(self) -> None:
        """A server that is none of ours is told apart, whatever it says."""
        for status, body in (
            (200, b"<html>"),
            (200, b"[]"),
            (200, b'{"behaviour": 1}'),
            (404, b"not found"),
            (404, b'{"errors": "none"}'),
            (500, b'{"errors": [{}]}'),
            (302, b""),
        ):
            stub = StringStubbingResource(lambda *asked, said=(status, {}, body): said)
            error = self.refused(self.client_of(stub).get_behavior())
            self.assertIn(f"http://localhost:8080/behavior answered {status}", str(error))
            self.assertEqual(error.status, status)

    def test_nobody_there(self) -> None:
        """Whatever keeps the answer from coming, the error says where and why, and what to do."""
        lost = ResponseFailed([Failure(ConnectionLost())])
        for reason in (ConnectionRefusedError(), DNSLookupError("no such name"), lost, ConnectionLost()):
            client = AsyncClient("chaos", 9000, treq=Broken(reason), reactor=self.clock)
            error = self.refused(client.get_behavior())
            self.assertIn("there is no control server at http://chaos:9000", str(error))
            self.assertIn("--http", str(error))
            self.assertNotIn("Failure", str(error))

    def test_no_answer(self) -> None:
        """A server that does not answer is waited for so long and no longer."""
        client = AsyncClient(treq=Broken(None), reactor=self.clock, timeout=5.0)
        asking = Deferred.fromCoroutine(client.get_behavior())
        self.clock.advance(4.9)
        self.assertNoResult(asking)
        self.clock.advance(0.1)
        self.assertIn("no answer in 5 seconds", str(self.failureResultOf(asking, VaurienError).value))

    def test_no_such_server(self) -> None:
        """A port or scheme that cannot be is an error at once."""
        self.assertRaises(VaurienError, AsyncClient, port=0)
        self.assertRaises(VaurienError, AsyncClient, port=65536)
        self.assertRaises(VaurienError, AsyncClient, scheme="gopher")
        self.assertRaises(VaurienError, AsyncClient, "::1", scheme="https", reactor=self.clock)

    def test_impossible_host(self) -> None:
        """A host that cannot exist is the same kind of error; no name server is asked for this one."""
        client = AsyncClient("x" * 64, reactor=MemoryReactorClock())
        failure = self.failureResultOf(Deferred.fromCoroutine(client.get_behavior()), VaurienError)
        self.assertIn("there is no control server", failure.getErrorMessage())


class Ipv6Tests(SynchronousTestCase):
    """A server that listens on a numeric IPv6 address."""

    def test_connect(self) -> None:
        """It is connected to, with brackets and without, and asked under a name that it knows."""
        for host in ("::1", "[::1]"):
            memory = MemoryReactorClock()
            client = AsyncClient(host, 9000, reactor=memory)
            asking = Deferred.fromCoroutine(client.get_behavior())
            self.assertNoResult(asking)
            address, port, factory, *_ = memory.tcpClients[0]
            self.assertEqual((address, port), ("::1", 9000))
            self.assertEqual(client.url, "http://[::1]:9000")
            transport = StringTransport()
            protocol = factory.buildProtocol(None)
            assert protocol is not None
            protocol.makeConnection(transport)
            self.assertIn(b"GET /behavior HTTP/1.1\r\n", transport.value())
            self.assertIn(b"Host: localhost\r\n", transport.value())
            memory.advance(30)
            self.failureResultOf(asking, VaurienError)


class Broken:
    """Makes requests that fail for a reason, or never come to an end."""

    def __init__(self, reason: Exception | None) -> None:
        self._reason = reason

    def request(
        self,
        method: str,
        url: str,
        *,
        data: bytes,
        headers: Headers,
        allow_redirects: bool,
        unbuffered: bool = False,
    ) -> Deferred[Any]:
        """Fail, or wait until cancelled."""
        result = Deferred[Any]()
        if self._reason is not None:
            result.errback(Failure(self._reason))
        return result


class SocketTests(TestCase):
    """The client that is made by default, on a real socket."""

    async def test_round_trip(self) -> None:
        """It reaches the server, and leaves no connection behind."""
        controlled = Proxy("localhost:6379", Tcp(), reactor=reactor)
        service = ControlService(Proxies.of(controlled, registry()), port=0, reactor=reactor)
        service.startService()
        self.addCleanup(service.stopService)
        client = AsyncClient(port=service.port)
        async with client.with_behavior("delay", sleep=1):
            self.assertEqual(await client.get_behavior(), "delay")
        self.assertEqual(await client.get_behavior(), "dummy")

    async def test_refused_connection(self) -> None:
        """A port where nobody listens is a VaurienError."""
        with self.assertRaises(VaurienError) as caught:
            await AsyncClient("127.0.0.1", free_port()).get_behavior()
        self.assertIn("refused", str(caught.exception))
