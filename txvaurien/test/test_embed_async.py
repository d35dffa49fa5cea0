"""`chaos_proxy` in coroutines: of asyncio, of trio, and of Twisted under trial."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import trio
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from txvaurien import AsyncChaosProxy, ListenError, NotFired, chaos_proxy
from txvaurien.embedded.outcome import in_thread
from txvaurien.test.embedded_support import EchoCase, dial, say

Body = Callable[[AsyncChaosProxy], Awaitable[None]]


class Both(EchoCase):
    """What both asyncio and trio run. The blocking clients of these tests are in threads."""

    def run_it(self, main: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine."""
        raise NotImplementedError

    def use(self, body: Body) -> None:
        """Run a coroutine with a proxy."""

        async def main() -> None:
            async with self.make() as proxy:
                await body(proxy)

        before = self.there()
        self.run_it(main)
        self.assertEqual(self.left(), before)


class Laws:
    """What holds for coroutines of any kind."""

    use: Callable[[Body], None]
    run_it: Callable[[Callable[[], Awaitable[None]]], None]
    make: Callable[..., Any]
    assertEqual: Callable[..., None]
    assertRaises: Any
    flushLoggedErrors: Callable[..., list[Any]]

    def test_vocabulary(self) -> None:
        """The same words, awaited."""

        async def body(proxy: AsyncChaosProxy) -> None:
            client = dial(proxy.blocking)
            with client:
                self.assertEqual(await in_thread(lambda: say(client, b"one")), b"one")
                async with proxy.behavior("delay", sleep=0.001) as fault, proxy.toxic("latency") as toxic:
                    await toxic.change(latency=1)
                    await in_thread(lambda: say(client, b"two"))
                    self.assertEqual(await fault.wait(1), 1)
                    self.assertEqual((await fault.fired(), await fault.matched()), (1, 1))
                self.assertEqual(len(await fault.exchanges()), 1)
                self.assertEqual((await proxy.plan())["rules"], [])
                async with proxy.on_request(bytes.upper), proxy.on_response(lambda data: data[::-1]) as edit:
                    self.assertEqual(await in_thread(lambda: say(client, b"abc")), b"abc"[::-1])
                    await edit.remove()
                self.assertEqual((await proxy.saw("SAY"), len(await proxy.links())), (3, 1))
                async with proxy.pause(), proxy.half_open():
                    await proxy.resume()
                self.assertEqual(await proxy.disconnect_all(), 0)

        self.use(body)

    def test_failing_function(self) -> None:
        """What a function of the test raises, the end of the block raises."""

        def broken(data: bytes) -> bytes:
            raise ZeroDivisionError

        async def body(proxy: AsyncChaosProxy) -> None:
            with self.assertRaises(ZeroDivisionError), dial(proxy.blocking) as client:
                async with proxy.on_request(broken):
                    self.assertEqual(await in_thread(lambda: say(client, b"one")), b"one")
            self.assertEqual((await proxy.plan())["rules"], [])

        self.use(body)
        self.assertEqual({each.type for each in self.flushLoggedErrors()}, {ZeroDivisionError})

    def test_standing(self) -> None:
        """What is awaited stands until it is ended."""

        async def body(proxy: AsyncChaosProxy) -> None:
            killed = await proxy.kill()
            self.assertEqual([each["action"] for each in await proxy.commands.actions()], ["disable"])
            await killed.end()
            await (await proxy.deaf()).end()
            await proxy.stop()
            await proxy.start()
            self.assertEqual(await proxy.commands.actions(), [])
            await (await proxy.repoint("127.0.0.1:1")).end()
            fault = await proxy.behavior("dummy")
            await proxy.set_plan({**await proxy.plan(), "rules": []})
            await fault.end()
            await proxy.set_behavior("hang")
            await proxy.reset()
            await proxy.restore()
            self.assertEqual((await proxy.events())[-1]["event"], "plan")

        self.use(body)

    def test_loop_goes_on(self) -> None:
        """While something is waited for the loop runs others."""

        async def body(proxy: AsyncChaosProxy) -> None:
            client = dial(proxy.blocking)
            async with proxy.behavior("delay", sleep=0) as fault:
                with client:
                    await self.together(fault.wait, lambda: in_thread(lambda: say(client, b"one")))
                    self.assertEqual(await fault.fired(), 1)

        self.use(body)

    async def together(self, *works: Callable[[], Awaitable[Any]]) -> None:
        """Run several at once."""
        raise NotImplementedError

    def test_in_vain(self) -> None:
        """Errors are raised where they are awaited."""

        async def body(proxy: AsyncChaosProxy) -> None:
            fault = await proxy.behavior("dummy")
            try:
                await fault.wait(1, timeout=0.01)
            except NotFired as error:
                self.assertEqual(error.fired, 0)
            else:
                raise AssertionError("it should not have fired")

        self.use(body)

    def test_port_in_use(self) -> None:
        """So are those of the start."""

        async def body(proxy: AsyncChaosProxy) -> None:
            try:
                await self.make(listen=proxy.address).awaitable().start()
            except ListenError as error:
                self.assertEqual("in use" in str(error), True)
            else:
                raise AssertionError("it should not listen")

        self.use(body)


class AsyncioTests(Laws, Both):
    """asyncio."""

    def run_it(self, main: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine."""

        async def run() -> None:
            await main()

        asyncio.run(run())

    async def together(self, *works: Callable[[], Awaitable[Any]]) -> None:
        """Run several at once."""
        await asyncio.gather(*(work() for work in works))

    def test_cancelled(self) -> None:
        """A task that is cancelled in its block closes its proxy."""

        async def main() -> None:
            standing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            async def hold() -> None:
                async with self.make() as proxy:
                    standing.set_result(None)
                    await (await proxy.behavior("dummy")).wait(1, timeout=3600)

            task = asyncio.create_task(hold())
            await standing
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.assertTrue(task.cancelled())

        before = self.there()
        self.run_it(main)
        self.assertEqual(self.left(), before)

    def test_cancelled_at_the_start(self) -> None:
        """One that is cancelled while the proxy starts leaves none."""
        proxy = self.make()
        go_on, closed = threading.Event(), threading.Event()
        start, close = proxy.start, proxy.close

        def slowly() -> Any:
            go_on.wait(30)
            return start()

        def closing() -> None:
            close()
            closed.set()

        self.patch(proxy, "start", slowly)
        self.patch(proxy, "close", closing)

        async def main() -> None:
            task = asyncio.create_task(proxy.awaitable().start())
            # One turn, in which the thread is begun.
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            go_on.set()

        self.run_it(main)
        self.assertTrue(closed.wait(30))
        self.assertFalse(proxy.running)

    def test_cancelled_while_it_begins(self) -> None:
        """A fault, a toxic or an action whose block is cancelled while it begins is gone."""
        proxy = self.start()
        go_on = threading.Event()

        async def cancel(entering: Any) -> None:
            task = asyncio.create_task(entering.__aenter__())
            # One turn, in which the thread is begun.
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.assertTrue(task.cancelled())

        async def main() -> None:
            awaitable = proxy.awaitable()
            begun = set(threading.enumerate())
            for name, argument in (("behavior", "hang"), ("toxic", "latency"), ("kill", "rst")):
                with self.held_back(proxy, name, go_on):
                    await cancel(getattr(awaitable, name)(argument))
            go_on.set()
            for thread in set(threading.enumerate()) - begun:
                await in_thread(partial(thread.join, 60))

        self.run_it(main)
        commands = proxy.commands
        self.assertEqual((commands.rules(), commands.toxics(), commands.actions()), ([], [], []))

    @contextmanager
    def held_back(self, proxy: Any, name: str, go_on: threading.Event) -> Iterator[None]:
        """For the time of a block, have a method of a proxy wait before it does anything."""
        method = getattr(proxy, name)

        def slowly(*arguments: Any, **keywords: Any) -> Any:
            go_on.wait(30)
            return method(*arguments, **keywords)

        patch = self.patch(proxy, name, slowly)
        try:
            yield
        finally:
            patch.restore()


class TrioTests(Laws, Both):
    """trio."""

    def run_it(self, main: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine."""
        trio.run(main)

    async def together(self, *works: Callable[[], Awaitable[Any]]) -> None:
        """Run several at once."""
        async with trio.open_nursery() as nursery:
            for work in works:
                nursery.start_soon(work)

    def test_cancelled(self) -> None:
        """A scope that is cancelled in a block closes the proxy, and lets go of what stands."""
        seen: list[AsyncChaosProxy] = []

        async def main() -> None:
            with trio.CancelScope() as scope:
                async with self.make() as proxy, proxy.behavior("hang"), proxy.kill():
                    seen.append(proxy)
                    scope.cancel()
                    await trio.lowlevel.checkpoint()

        before = self.there()
        self.run_it(main)
        self.assertFalse(seen[0].running)
        self.assertEqual(self.left(), before)


class Client(Protocol):
    """Says something, and waits for as much."""

    def __init__(self) -> None:
        self.answer: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(b"one")

    def dataReceived(self, data: bytes) -> None:
        self.answer.callback(data)


class TwistedTests(TestCase):
    """Twisted, with a client and a backend in the reactor of trial."""

    timeout = 120

    async def start_backend(self) -> int:
        """The port of a backend that sends everything back."""

        class Echo(Protocol):
            def dataReceived(self, data: bytes) -> None:
                transport: Any = self.transport
                transport.write(data)

        running: Any = reactor
        port = running.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def test_trial(self) -> None:
        """The proxy is awaited where the reactor of trial runs, which goes on meanwhile."""
        async with chaos_proxy(f"127.0.0.1:{await self.start_backend()}") as proxy:
            endpoint: Any = clientFromString(reactor, f"tcp:127.0.0.1:{proxy.port}")
            async with proxy.behavior("delay", sleep=0.001) as fault:
                waiting = Deferred.fromCoroutine(fault.wait(1))
                client = await endpoint.connect(Factory.forProtocol(Client))
                self.assertEqual(await client.answer, b"one")
                self.assertEqual(await waiting, 1)
            client.transport.loseConnection()
            self.assertEqual(len(await fault.exchanges()), 1)
            while await proxy.links():
                await deferLater(reactor, 0.001)

    async def test_cancelled(self) -> None:
        """Who waits may be cancelled; the proxy goes on."""
        async with chaos_proxy("127.0.0.1:1") as proxy:
            fault = await proxy.behavior("dummy")
            waiting = Deferred.fromCoroutine(fault.wait(1, timeout=3600))
            waiting.cancel()
            await self.assertFailure(waiting, Exception)
            self.assertEqual(await fault.fired(), 0)
