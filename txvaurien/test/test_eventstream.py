"""The clients' streams of events: parsing, following, and how they end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import ResponseDone, ResponseFailed

from txvaurien import Client, VaurienError
from txvaurien.client import AsyncClient
from txvaurien.clients.eventstream import PAGE, SILENCE, EventParser
from txvaurien.clients.following import AsyncStream
from txvaurien.clients.vocabulary import Fields
from txvaurien.control.service import ControlService
from txvaurien.journal import Journal
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.test.control_helpers import registry

_STREAM = (
    b"retry: 2000\n\n"
    b'id: 1\nevent: plan\ndata: {"n": 1,\ndata: "event": "plan"}\n\n'
    b":\nid: 7\n\n"
    b'data:{"n": 8}\r\nid:8\r\n\r\n'
    b"id: nine\nunknown: x\nalone\n\n"
    b'data: {"n": 9}\n'
)


class ParserTests(SynchronousTestCase):
    """`EventParser`."""

    def test_whole(self) -> None:
        """Data may have several lines; comments and unknown fields are nothing; the rest waits."""
        parser = EventParser()
        self.assertEqual(parser.feed(_STREAM), [{"n": 1, "event": "plan"}, {"n": 8}])
        self.assertEqual(parser.feed(b"\n"), [{"n": 9}])

    def test_last(self) -> None:
        """The number goes on without an event, as with a heartbeat."""
        parser = EventParser()
        parser.feed(b":\nid: 7\n\n")
        self.assertEqual(parser.last, 7)

    @settings(deadline=None)
    @given(st.lists(st.integers(0, len(_STREAM)), max_size=8))
    def test_any_split(self, cuts: list[int]) -> None:
        """Any split of the bytes gives the same."""
        places = [0, *sorted(cuts), len(_STREAM)]
        parser = EventParser()
        found: list[Fields] = []
        for begin, end in pairwise(places):
            found += parser.feed(_STREAM[begin:end])
        self.assertEqual((found, parser.last), ([{"n": 1, "event": "plan"}, {"n": 8}], 8))

    def test_no_object(self) -> None:
        """What is no record is an error."""
        for data in (b"data: 5\n\n", b"data: {\n\n"):
            self.assertRaises(ValueError, EventParser().feed, data)


class AsyncStreamTests(SynchronousTestCase):
    """`AsyncStream`, without a server."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.stream = AsyncStream("http://localhost:1", self.clock)
        self.wire = StringTransport()
        self.stream.makeConnection(self.wire)

    def next(self) -> Any:
        """A Deferred of the next record."""
        return Deferred.fromCoroutine(self.stream.__anext__())

    def says(self, *numbers: int) -> None:
        """The server tells of these."""
        self.stream.dataReceived(b"".join(b'id: %d\ndata: {"n": %d}\n\n' % (n, n) for n in numbers))

    def test_order(self) -> None:
        """Records come in order, whether somebody waits for them or not."""
        waiting = self.next()
        self.says(1, 2)
        self.assertEqual(self.successResultOf(waiting), {"n": 1})
        self.assertEqual(self.successResultOf(self.next()), {"n": 2})
        self.assertNoResult(self.next())

    def test_end(self) -> None:
        """It ends where the server says so, behind what came before."""
        self.says(1)
        self.stream.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.successResultOf(self.next()), {"n": 1})
        self.failureResultOf(self.next(), StopAsyncIteration)
        self.failureResultOf(self.next(), StopAsyncIteration)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken_off(self) -> None:
        """A connection that is lost is an error that says from where to go on."""
        waiting = self.next()
        self.says(7)
        self.successResultOf(waiting)
        self.stream.connectionLost(Failure(ResponseFailed([], None)))
        error = self.failureResultOf(self.next(), VaurienError).value
        self.assertIn("go on with since=7", str(error))

    def test_silence(self) -> None:
        """A server that says nothing any more, not even that it is there, is gone."""
        self.clock.advance(SILENCE - 1)
        self.stream.dataReceived(b":\n\n")
        self.clock.advance(SILENCE - 1)
        waiting = self.next()
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.failureResultOf(waiting, VaurienError)
        self.assertEqual(self.wire.producerState, "stopped")

    def test_back_pressure(self) -> None:
        """Who does not take what came is sent no more; then silence is no sign, and it goes on."""
        self.says(*range(1, 1500))
        self.assertEqual(self.wire.producerState, "paused")
        self.clock.advance(2 * SILENCE)
        for n in range(1, 1500):
            self.assertEqual(self.successResultOf(self.next()), {"n": n})
        self.assertEqual(self.wire.producerState, "producing")

    def test_nonsense(self) -> None:
        """What is not of a control server ends it."""
        self.stream.dataReceived(b"data: 5\n\n")
        self.failureResultOf(self.next(), VaurienError)
        self.assertEqual(self.wire.producerState, "stopped")


class LiveCase(TestCase):
    """A control server on a real socket."""

    def setUp(self) -> None:
        self.proxy = Proxy("127.0.0.1:9", Tcp(), reactor=reactor)
        proxies = Proxies.of(self.proxy, registry())
        self.journal = Journal(self.proxy.clock, size=PAGE + 100)
        self.service = ControlService(proxies, port=0, reactor=reactor, journal=self.journal)
        self.service.startService()
        self.addCleanup(self.stop)
        self.port = self.service.port

    async def stop(self) -> None:
        """Stop the server, if it has not been stopped."""
        if self.service.running:
            await self.service.stopService()

    def record(self, *events: str) -> None:
        """These happen."""
        for event in events:
            self.journal.record("front", event, 0, {})


class AsyncTests(LiveCase):
    """`AsyncClient.events`."""

    def setUp(self) -> None:
        super().setUp()
        self.client = AsyncClient("localhost", self.port)

    async def test_all(self) -> None:
        """All that is there, however much that is."""
        self.record(*["plan"] * (PAGE + 50))
        numbers = [each["n"] async for each in await self.client.events()]
        self.assertEqual(numbers, list(range(1, PAGE + 51)))
        numbers = [each["n"] async for each in await self.client.events(PAGE, last=2, event="plan")]
        self.assertEqual(numbers, [PAGE + 49, PAGE + 50])

    async def test_follow(self) -> None:
        """What is there and what comes, until the server stops."""
        self.record("plan", "killed")
        found: list[str] = []
        async for each in await self.client.events(1, follow=True):
            found.append(each["event"])
            if len(found) == 1:
                self.record("expired")
            else:
                await self.service.stopService()
        self.assertEqual(found, ["killed", "expired"])

    async def test_close(self) -> None:
        """Who has seen enough closes it: trial would find a connection that is left."""
        self.record("plan")
        async with await self.client.events(follow=True) as events:
            self.assertEqual((await events.__anext__())["event"], "plan")
        async with await self.client.events(follow=True, last=0):
            pass

    async def test_one_proxy(self) -> None:
        """Only what is of one proxy."""
        self.record("plan")
        self.journal.record("back", "killed", 0, {})
        found = [each["n"] async for each in await self.client.proxy("back").events()]
        self.assertEqual(found, [2])

    async def test_refused(self) -> None:
        """What is refused is said at once."""
        for follow in (False, True):
            with self.assertRaises(VaurienError) as refused:
                await self.client.events(follow=follow, event="fird")
            self.assertIn("did you mean 'fired'", str(refused.exception))


class BlockingTests(LiveCase):
    """`Client.events`, in a thread."""

    async def use(self, blocking: Callable[[Client], None]) -> None:
        """Call it in a thread, as the server lives in this one."""
        await deferToThread(blocking, Client("localhost", self.port))

    async def test_all(self) -> None:
        """All that is there, however much that is."""
        self.record(*["plan"] * (PAGE + 50))

        def blocking(client: Client) -> None:
            self.assertEqual([each["n"] for each in client.events()], list(range(1, PAGE + 51)))
            self.assertEqual([each["n"] for each in client.events(limit=1)], [1])

        await self.use(blocking)

    async def test_follow(self) -> None:
        """What is there and what comes, until the server stops."""
        self.record("plan")
        found: list[str] = []

        def blocking(client: Client) -> None:
            for each in client.events(follow=True):
                found.append(each["event"])
                _in_reactor(self.service.stopService if len(found) == 3 else self.happens)

        await self.use(blocking)
        self.assertEqual(found, ["plan", "killed", "killed"])

    def happens(self) -> None:
        """One more."""
        self.record("killed")

    async def test_close(self) -> None:
        """Who has seen enough closes it, and gets no more."""
        self.record("plan")

        def blocking(client: Client) -> None:
            with client.events(follow=True) as events:
                self.assertEqual(next(events)["event"], "plan")
            self.assertEqual(list(events), [])

        await self.use(blocking)

    async def test_refused(self) -> None:
        """What is refused says why; a stream is refused at once."""

        def blocking(client: Client) -> None:
            refused = self.assertRaises(VaurienError, client.events, follow=True, event="fird")
            self.assertIn("did you mean 'fired'", str(refused))
            self.assertRaises(VaurienError, next, client.proxy("x").events(event="fird"))

        await self.use(blocking)


class StrangeServerTests(SynchronousTestCase):
    """Servers that are none of ours, or that break off."""

    def answered(self, answer: bytes) -> Client:
        """A client of a server that says this once."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        answering = threading.Thread(target=_say_once, args=(server, answer))
        answering.start()
        self.addCleanup(answering.join)
        return Client("127.0.0.1", server.getsockname()[1])

    def test_json(self) -> None:
        """A server that knows no streams is told apart."""
        client = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        error = self.assertRaises(VaurienError, client.events, follow=True)
        self.assertIn("not as a control server of txvaurien does", str(error))

    def test_broken_off(self) -> None:
        """A connection that is lost is an error that says from where to go on."""
        data = b'id: 17\ndata: {"n": 17}\n\n'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        events = self.answered(head + b"%x\r\n%s\r\n" % (len(data), data)).events(follow=True)
        self.assertEqual(next(events), {"n": 17})
        error = self.assertRaises(VaurienError, next, events)
        self.assertIn("go on with since=17", str(error))

    def test_nobody(self) -> None:
        """Where nobody listens that is said as of every other call."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        error = self.assertRaises(VaurienError, Client("127.0.0.1", port).events, follow=True)
        self.assertIn("there is no control server", str(error))


def _in_reactor(call: Callable[[], object]) -> None:
    calling: Any = reactor
    calling.callFromThread(call)


def _say_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(answer)
