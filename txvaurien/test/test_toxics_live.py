"""Every toxic, measured by real clients and backends on both sides of a real proxy.

Times have a lower bound that is strict, because no toxic may act too early, and an upper
one that is generous, because the machine may be busy.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from txvaurien.model import Direction
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.protocols.tcp import Tcp
from txvaurien.service import ProxyService
from txvaurien.test.peers import ScriptedBackend, read_all, read_exactly
from txvaurien.test.support import ProxyCase, connect
from txvaurien.toxics.bandwidth import Bandwidth
from txvaurien.toxics.base import Toxic
from txvaurien.toxics.blackhole import Blackhole
from txvaurien.toxics.corrupt import Corrupt
from txvaurien.toxics.latency import Latency
from txvaurien.toxics.limit_data import LimitData
from txvaurien.toxics.pause import Pause
from txvaurien.toxics.reset_peer import ResetPeer
from txvaurien.toxics.slicer import Slicer
from txvaurien.toxics.slow_close import SlowClose
from txvaurien.toxics.timeout import Timeout

UP, DOWN = Direction.TO_BACKEND, Direction.TO_CLIENT

#: By how much a clock may be wrong, in seconds.
TICK = 0.002


def echo(peer: socket.socket) -> None:
    """A backend that gives back what it gets."""
    while data := peer.recv(1 << 16):
        peer.sendall(data)


class Stopwatch:
    """How long something took."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure what is inside."""
        begin = time.monotonic()
        yield
        self.seconds = time.monotonic() - begin


class LiveCase(ProxyCase):
    """A proxy with toxics between a client in a thread and a scripted backend."""

    def serve(self, *toxics: PlacedToxic, script: Callable[[socket.socket], None] = echo) -> ProxyService:
        backend = ScriptedBackend(script)
        # In a thread: its scripts may wait for what this reactor still has to carry.
        self.addCleanup(self.in_thread, backend.stop)
        return self.start_proxy(Tcp(), backend.port, Plan(toxics=toxics, seed=1))

    def assertTook(self, watch: Stopwatch, least: float, most: float) -> None:
        """It took about so long."""
        self.assertGreaterEqual(watch.seconds, least - TICK)
        self.assertLess(watch.seconds, most)


def only(toxic: Toxic, direction: Direction = DOWN) -> PlacedToxic:
    """A toxic for every link."""
    return PlacedToxic(toxic, direction, "t")


class MeasuredTests(LiveCase):
    """Rates, delays and sizes."""

    async def test_latency(self) -> None:
        """Each reply is so much later; both directions add up."""
        service = self.serve(only(Latency(latency=100)), PlacedToxic(Latency(latency=50), UP))

        def talk() -> list[float]:
            took = []
            with connect(service.port or 0) as client:
                for _ in range(5):
                    watch = Stopwatch()
                    with watch.running():
                        client.sendall(b"x")
                        read_exactly(client, 1)
                    took.append(watch.seconds)
            return took

        took = await self.in_thread(talk)
        self.assertGreaterEqual(min(took), 0.15 - TICK)
        self.assertLess(min(took), 0.3)

    async def test_latency_does_not_limit_the_rate(self) -> None:
        """Much data takes as long as without it, and once the latency."""
        size = 40_000_000
        service = self.serve(only(Latency(latency=200)), script=lambda peer: peer.sendall(b"x" * size))

        def talk() -> tuple[int, Stopwatch]:
            watch = Stopwatch()
            with connect(service.port or 0) as client, watch.running():
                return len(read_all(client)[0]), watch

        got, watch = await self.in_thread(talk)
        self.assertEqual(got, size)
        # One read of 64 KiB after the other would take two minutes.
        self.assertTook(watch, 0.2, 15)

    async def test_bandwidth(self) -> None:
        """A megabyte at 1,000 KB a second takes a second, either way."""
        for direction in (UP, DOWN):
            service = self.serve(only(Bandwidth(rate=1000), direction))

            def talk(service: ProxyService = service) -> Stopwatch:
                watch = Stopwatch()
                with connect(service.port or 0) as client:
                    sender = threading.Thread(target=client.sendall, args=(b"x" * 1_000_000,))
                    with watch.running():
                        sender.start()
                        read_exactly(client, 1_000_000)
                    sender.join()
                return watch

            self.assertTook(await self.in_thread(talk), 0.95, 2.5)

    async def test_slow_close(self) -> None:
        """The reply comes at once, the end of the connection late."""
        service = self.serve(only(SlowClose(delay=400)), script=lambda peer: peer.sendall(b"bye"))

        def talk() -> tuple[Stopwatch, Stopwatch, tuple[bytes, str]]:
            data, end = Stopwatch(), Stopwatch()
            with connect(service.port or 0) as client, end.running():
                with data.running():
                    read_exactly(client, 3)
                rest = read_all(client)
            return data, end, rest

        data, end, rest = await self.in_thread(talk)
        self.assertEqual(rest, (b"", "fin"))
        self.assertLess(data.seconds, end.seconds)
        self.assertTook(end, 0.4, 3)

    async def test_timeout(self) -> None:
        """Nothing comes, and then the end."""
        service = self.serve(only(Timeout(timeout=300)))

        def talk() -> tuple[Stopwatch, tuple[bytes, str]]:
            watch = Stopwatch()
            with watch.running(), connect(service.port or 0) as client:
                client.sendall(b"hello")
                seen = read_all(client)
            return watch, seen

        watch, seen = await self.in_thread(talk)
        self.assertEqual(seen, (b"", "fin"))
        self.assertTook(watch, 0.3, 3)

    async def test_reset_peer(self) -> None:
        """Both sides see a reset, and no data."""
        ends: list[tuple[bytes, str]] = []

        def script(peer: socket.socket) -> None:
            ends.append((peer.recv(100), ""))
            peer.sendall(b"reply")
            ends.append(read_all(peer))

        service = self.serve(only(ResetPeer(timeout=200)), script=script)

        def talk() -> tuple[Stopwatch, tuple[bytes, str]]:
            watch = Stopwatch()
            with watch.running(), connect(service.port or 0) as client:
                client.sendall(b"hello")
                seen = read_all(client)
            return watch, seen

        watch, seen = await self.in_thread(talk)
        self.assertEqual(seen, (b"", "rst"))
        self.assertTook(watch, 0.2, 3)
        await self.until(lambda: len(ends) == 2)
        self.assertEqual(ends, [(b"hello", ""), (b"", "rst")])

    async def test_slicer(self) -> None:
        """Small pieces of about the size asked for, one after the other."""
        service = self.serve(only(Slicer(average_size=100, size_variation=20, delay=5000)))

        def talk() -> tuple[Stopwatch, list[int], bytes]:
            watch, sizes, data = Stopwatch(), [], b""
            sent = bytes(random.Random(1).randbytes(5000))
            with connect(service.port or 0) as client, watch.running():
                client.sendall(sent)
                while len(data) < len(sent):
                    piece = client.recv(1 << 16)
                    sizes.append(len(piece))
                    data += piece
            self.assertEqual(data, sent)
            return watch, sizes, data

        watch, sizes, _ = await self.in_thread(talk)
        # Pieces may come together where the reader is late, never the other way round.
        self.assertGreater(len(sizes), 20)
        self.assertLessEqual(min(sizes), 120)
        self.assertTook(watch, 0.15, 5)

    async def test_limit_data(self) -> None:
        """So many bytes, exactly, and the end for both."""
        service = self.serve(only(LimitData(bytes=100_001)))

        def talk() -> tuple[bytes, str]:
            with connect(service.port or 0) as client:
                client.sendall(b"x" * 300_000)
                return read_all(client)

        data, end = await self.in_thread(talk)
        self.assertEqual((len(data), end), (100_001, "fin"))

    async def test_pause(self) -> None:
        """A cable is pulled and put back: everything comes, late."""
        service = self.serve(only(Pause(), UP))
        client = connect(service.port or 0)
        self.addCleanup(client.close)
        client.sendall(b"hello")
        await self.until(lambda: any(link.to_backend.bytes == 5 for link in service.proxy.links.values()))
        client.setblocking(False)
        self.assertRaises(BlockingIOError, client.recv, 100)
        client.settimeout(30)
        service.proxy.remove_toxic("t")
        self.assertEqual(await self.in_thread(read_exactly, client, 5), b"hello")

    async def test_blackhole(self) -> None:
        """What passes meanwhile is lost, the rest is not."""
        service = self.serve(only(Blackhole(), UP))
        client = connect(service.port or 0)
        self.addCleanup(client.close)
        client.sendall(b"lost")
        await self.until(lambda: any(link.to_backend.bytes == 4 for link in service.proxy.links.values()))
        service.proxy.remove_toxic("t")
        client.sendall(b"found")
        self.assertEqual(await self.in_thread(read_exactly, client, 5), b"found")

    async def test_corrupt(self) -> None:
        """About so many bytes are changed, none is lost."""
        service = self.serve(only(Corrupt(rate=0.01)))
        sent = random.Random(2).randbytes(1_000_000)

        def talk() -> bytes:
            with connect(service.port or 0) as client:
                sender = threading.Thread(target=client.sendall, args=(sent,))
                sender.start()
                got = read_exactly(client, len(sent))
                sender.join()
            return got

        got = await self.in_thread(talk)
        changed = sum(one != other for one, other in zip(sent, got, strict=True))
        self.assertTrue(9_000 < changed < 11_000, changed)


class ThousandTests(LiveCase):
    """Toxics that come and go all the time."""

    rounds = 1000
    kinds: tuple[Callable[[], Toxic], ...] = (
        lambda: Latency(latency=1, jitter=1),
        lambda: Bandwidth(rate=100_000),
        lambda: SlowClose(delay=1),
        lambda: Slicer(average_size=500, size_variation=100, delay=1),
        Pause,
    )
    losing: tuple[Callable[[], Toxic], ...] = (
        Timeout,
        lambda: Timeout(timeout=1),
        lambda: ResetPeer(timeout=1),
        lambda: LimitData(bytes=1000),
        Blackhole,
        lambda: Corrupt(rate=0.5),
    )

    async def test_nothing_is_lost(self) -> None:
        """Each toxic that loses nothing, a thousand times on and off, both ways, under traffic."""
        service = self.serve()
        over = threading.Event()
        talking = [self.in_thread(self.talk, service.port, over) for _ in range(3)]
        await self.until(lambda: sum(bool(each.to_client.bytes) for each in self.links(service)) == 3)
        for number in range(self.rounds):
            for make in self.kinds:
                await self.on_and_off(service, make(), (UP, DOWN)[number % 2])
        over.set()
        for each in talking:
            self.assertGreater(await each, 0)
        self.assertEqual(service.proxy.plan.toxics, ())

    def links(self, service: ProxyService) -> list[Any]:
        return list(service.proxy.links.values())

    async def on_and_off(self, service: ProxyService, toxic: Toxic, direction: Direction) -> None:
        service.proxy.add_toxic(only(toxic, direction))
        await self.turn()
        service.proxy.remove_toxic("t")
        await self.turn()

    def talk(self, port: int, over: threading.Event) -> int:
        """Say things and get them back, until it is over; how much it was."""
        draws = random.Random(port)
        said = 0
        with connect(port) as client:
            while not over.is_set():
                data = draws.randbytes(draws.randrange(1, 20_000))
                client.sendall(data)
                if read_exactly(client, len(data)) != data:
                    raise AssertionError("something else came back")
                said += len(data)
            client.shutdown(socket.SHUT_WR)
            if read_all(client) != (b"", "fin"):
                raise AssertionError("the end was not what it should be")
        return said

    async def test_nothing_hangs(self) -> None:
        """Those that lose or cut, a thousand times on and off: every link ends, none is left behind."""
        service = self.serve()
        over = threading.Event()
        talking = [self.in_thread(self.try_to_talk, service.port, over) for _ in range(3)]
        for number in range(self.rounds):
            for make in self.losing:
                await self.on_and_off(service, make(), (UP, DOWN)[number % 2])
        over.set()
        for each in talking:
            self.assertGreater(await each, 0)
        await self.until(lambda: not service.proxy.links)

    def try_to_talk(self, port: int, over: threading.Event) -> int:
        """Say things, whatever becomes of them, over new connections; how many it were."""
        count = 0
        while not over.is_set():
            count += 1
            with connect(port) as client:
                client.settimeout(0.05)
                try:
                    while not over.is_set():
                        client.sendall(b"x" * 1000)
                        if not client.recv(1000):
                            break
                except (ConnectionError, TimeoutError):
                    continue
        return count
