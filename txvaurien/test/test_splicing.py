"""Streams that pass through the kernel only, and are the same for it."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import threading

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.hang import Hang
from txvaurien.links.lane import LANE_LIMIT
from txvaurien.net import polled
from txvaurien.net.polled import PolledPipe
from txvaurien.net.splicing import POOL_SIZE, KernelPipe, PipePool
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.rules import Rule
from txvaurien.service import ProxyService
from txvaurien.test.peers import read_all, read_exactly, reset
from txvaurien.test.support import connect, descriptors
from txvaurien.test.test_pipe import SocketCase, echo
from txvaurien.toxics.latency import Latency

MEGABYTE = 1 << 20


class KernelPipeTests(SynchronousTestCase):
    """One pipe."""

    def test_moves(self) -> None:
        """What goes in comes out; an empty source is no end."""
        pipe, (source, peer), (sink, reader) = KernelPipe(), socket.socketpair(), socket.socketpair()
        for each in (source, peer, sink, reader):
            self.addCleanup(each.close)
            each.setblocking(False)
        self.assertRaises(BlockingIOError, pipe.take, source.fileno())
        peer.send(b"abc")
        self.assertEqual(pipe.take(source.fileno()), 3)
        self.assertTrue(pipe.give(sink.fileno()))
        self.assertEqual(reader.recv(10), b"abc")
        peer.close()
        self.assertEqual(pipe.take(source.fileno()), 0)
        pipe.close()

    def test_full_sink(self) -> None:
        """What the sink does not take stays in the pipe."""
        pipe, (source, peer), (sink, reader) = KernelPipe(), socket.socketpair(), socket.socketpair()
        for each in (source, peer, sink, reader):
            self.addCleanup(each.close)
            each.setblocking(False)
        self.addCleanup(pipe.close)
        given = taken = 0
        while not pipe.held:
            given += peer.send(b"x" * 10_000)
            pipe.take(source.fileno())
            pipe.give(sink.fileno())
        while not pipe.give(sink.fileno()):
            taken += len(reader.recv(MEGABYTE))
        while taken < given:
            taken += len(reader.recv(MEGABYTE))
        self.assertEqual((taken, pipe.held), (given, 0))

    def test_pool(self) -> None:
        """A few empty pipes are kept, and one that holds something never is."""
        before = descriptors()
        pool = PipePool()
        taken = [pool.take() for _ in range(POOL_SIZE + 3)]
        taken[0].held = 1
        for each in taken:
            pool.give_back(each)
        self.assertEqual(descriptors(), before + 2 * POOL_SIZE)
        self.assertNotIn(pool.take(), [taken[0]])
        pool.close()
        self.assertEqual(descriptors(), before + 2)


class StreamTests(SocketCase):
    """Streams through a proxy for tcp with nothing to do."""

    def count(self) -> list[int]:
        """How many bytes each splice has taken."""
        counted: list[int] = []
        take = KernelPipe.take

        def taking(pipe: KernelPipe, source: int) -> int:
            count = take(pipe, source)
            counted.append(count)
            return count

        self.patch(KernelPipe, "take", taking)
        return counted

    def stream(self, sock: socket.socket, size: int) -> bool:
        """Send so many random bytes while reading them back; whether they are the same."""
        data = random.Random(size).randbytes(size)
        sender = threading.Thread(target=sock.sendall, args=(data,))
        sender.start()
        got = read_exactly(sock, size)
        sender.join()
        return hashlib.sha256(got).digest() == hashlib.sha256(data).digest()

    async def stream_through(self, service: ProxyService, size: int) -> None:
        """A stream both ways, then FIN both ways."""

        def run() -> tuple[bool, tuple[bytes, str]]:
            with connect(service.port or 0) as sock:
                same = self.stream(sock, size)
                sock.shutdown(socket.SHUT_WR)
                return same, read_all(sock)

        self.assertEqual(await self.in_thread(run), (True, (b"", "fin")))
        await self.until(lambda: not service.proxy.links)

    async def test_one_way(self) -> None:
        """A long reply is spliced, byte for byte, and its bytes are counted."""
        counted = self.count()
        # Whether reads of 64 KB are full depends on who runs when; these are, as long as bytes come.
        self.patch(polled, "READ_SIZE", 4096)
        size = 20 * MEGABYTE
        data = random.Random(1).randbytes(size)

        def script(peer: socket.socket) -> None:
            read_exactly(peer, 2)
            peer.sendall(data)

        service = self.start(script)

        def client(sock: socket.socket) -> tuple[bytes, str]:
            sock.sendall(b"go")
            return read_all(sock)

        self.assertEqual(await self.talk(service, client), (data, "fin"))
        self.assertGreater(sum(counted), size // 2)
        self.assertEqual(service.proxy.stats.bytes_to_client, size)

    async def test_both_ways(self) -> None:
        """With turns that change all the time nothing is lost, spliced or not."""
        await self.stream_through(self.start(echo), 30 * MEGABYTE)

    async def test_slow_reader(self) -> None:
        """What a full connection does not take waits in the kernel, and the source is not read."""
        size = 30 * MEGABYTE
        data = random.Random(2).randbytes(size)

        def script(peer: socket.socket) -> None:
            read_exactly(peer, 2)
            peer.sendall(data)

        service = self.start(script)
        go_on = threading.Event()

        def client(sock: socket.socket) -> tuple[bytes, str]:
            sock.sendall(b"go")
            go_on.wait(30)
            return read_all(sock)

        reading = Deferred.fromCoroutine(self.talk(service, client))
        links = service.proxy.links
        await self.until(lambda: any(link.client.full for link in links.values() if link.client))
        go_on.set()
        self.assertEqual(await reading, (data, "fin"))

    async def test_plan_in_the_middle(self) -> None:
        """Rules and toxics that are set in the middle of a stream see the rest of it, and nothing is lost."""
        service = self.start(echo)
        over = threading.Event()

        def run() -> tuple[bool, int]:
            count, same = 0, True
            with connect(service.port or 0) as sock:
                while not over.is_set() or count < 3:
                    same = same and self.stream(sock, 4 * MEGABYTE)
                    count += 1
                sock.shutdown(socket.SHUT_WR)
                return same and read_all(sock) == (b"", "fin"), count

        running = self.in_thread(run)
        plans = [
            Plan(rules=(Rule(Delay(sleep=0)),)),
            Plan(),
            Plan(toxics=(PlacedToxic(Latency(latency=1)),)),
            Plan(rules=(Rule(Dummy()),)),
            Plan(),
        ]
        for number in range(200):
            service.proxy.set_plan(plans[number % len(plans)])
            await self.turn()
        over.set()
        same, count = await running
        self.assertTrue(same)
        self.assertGreaterEqual(count, 3)

    async def test_reset_in_the_middle(self) -> None:
        """A client that resets in the middle of a stream: the backend is reset, nothing is left behind."""
        ended: list[str] = []

        def script(peer: socket.socket) -> None:
            try:
                while True:
                    peer.sendall(b"x" * MEGABYTE)
            except OSError as error:
                ended.append(type(error).__name__)

        service = self.start(script)
        before = descriptors()

        def client(sock: socket.socket) -> tuple[bytes, str]:
            read_exactly(sock, 5 * MEGABYTE)
            reset(sock)
            return b"", ""

        await self.talk(service, client)
        await self.until(lambda: bool(ended))
        self.assertIn(ended[0], ("ConnectionResetError", "BrokenPipeError"))
        self.assertLessEqual(descriptors(), before + 2 * POOL_SIZE)

    async def test_backend_resets_in_the_middle(self) -> None:
        """What it sent before may be lost with it, as on any connection; the client is reset."""

        def script(peer: socket.socket) -> None:
            peer.sendall(b"x" * (5 * MEGABYTE))
            reset(peer)

        service = self.start(script)
        _, end = await self.talk(service, read_all)
        self.assertEqual(end, "rst")

    async def test_small_again(self) -> None:
        """After a stream, small messages are read as before."""
        counted = self.count()
        service = self.start(echo)

        def run() -> bool:
            with connect(service.port or 0) as sock:
                same = self.stream(sock, 10 * MEGABYTE)
                for number in range(100):
                    sock.sendall(b"%04d" % number)
                    same = same and read_exactly(sock, 4) == b"%04d" % number
                return same

        self.assertTrue(await self.in_thread(run))
        self.assertLess(counted.count(4), 50)

    async def test_kind_of_pipe(self) -> None:
        """Plain sockets are watched by the poller."""
        service = self.start(echo)
        with connect(service.port or 0):
            await self.until(lambda: any(link.backend for link in service.proxy.links.values()))
            (link,) = service.proxy.links.values()
            self.assertIsInstance(link.client, PolledPipe)
            self.assertIsInstance(link.backend, PolledPipe)
        await self.until(lambda: not service.proxy.links)


class ResetTests(SocketCase):
    """A reset that nobody would read."""

    async def test_behind_a_hang(self) -> None:
        """A client that says more than a lane keeps, and resets, does not hang on."""
        service = self.start(echo, Hang())
        sock = connect(service.port or 0)
        sock.setblocking(False)
        try:
            while True:
                sock.send(b"x" * 65536)
        except BlockingIOError:
            pass
        links = service.proxy.links
        await self.until(lambda: any(link.to_backend.bytes > LANE_LIMIT for link in links.values()))
        reset(sock)
        await self.until(lambda: not service.proxy.links)


class NoDescriptorsTests(SynchronousTestCase):
    """When there are none left."""

    def test_no_pipe(self) -> None:
        """A pipe that cannot be made is said as OSError."""

        def fail(flags: int) -> tuple[int, int]:
            raise OSError(24, "too many open files")

        self.patch(os, "pipe2", fail)
        self.assertRaises(OSError, PipePool().take)
