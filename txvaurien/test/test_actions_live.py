"""Actions of a proxy, measured by real clients and a real backend."""

from __future__ import annotations

import socket
import sys
from typing import Any

from txvaurien.actions import Action, Deaf, Disable, HalfOpen, KillIdle, SlowAccept
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.test.peers import ScriptedBackend, read_all, reset
from txvaurien.test.support import connect
from txvaurien.test.test_gate import GateCase, echo, is_connected, talk

#: How long a client waits for an answer to its SYN, in seconds.
PATIENCE = 0.5


def try_connect(port: int, host: str = "127.0.0.1") -> str:
    """What a client meets that does not wait for long."""
    try:
        with socket.create_connection((host, port), timeout=PATIENCE) as sock:
            return talk(sock).decode()
    except OSError as error:
        return type(error).__name__


class ActionCase(GateCase):
    """A proxy in front of an echo that remembers how its connections ended."""

    def setUp(self) -> None:
        #: How the backend saw each end, in the order of the ends.
        self.backend_saw: list[str] = []

        def script(peer: socket.socket) -> None:
            try:
                echo(peer)
            except ConnectionResetError:
                self.backend_saw.append("rst")
            else:
                self.backend_saw.append("fin")

        self.backend = ScriptedBackend(script)
        service = self.serve()
        self.proxy = service.proxy
        self.proxy.set_backend(f"127.0.0.1:{self.backend.port}")
        self.addCleanup(self.in_thread, self.backend.stop)
        self.port = service.port or 0

    async def talking(self) -> socket.socket:
        """A client with a link that works."""
        sock = self.client(self.port)
        self.assertEqual(await self.in_thread(talk, sock), b"hi")
        return sock

    async def start(self, action: Action) -> None:
        """Begin, and see that it stands."""
        await self.proxy.actions.start(action)
        self.assertIn(action.name, self.proxy.actions.standing)


class DisableTests(ActionCase):
    """Stop listening, cut all."""

    async def test_both_sides(self) -> None:
        """Clients and backend see the end that was asked for, and new clients are refused."""
        for how in ("fin", "rst"):
            sock = await self.talking()
            self.backend_saw.clear()
            await self.start(Disable(how=how))
            self.assertEqual(await self.in_thread(read_all, sock), (b"", how))
            sock.close()
            await self.until(lambda: self.backend_saw != [])
            self.assertEqual(self.backend_saw, [how])
            self.assertEqual(await self.in_thread(try_connect, self.port), "ConnectionRefusedError")
            await self.proxy.actions.stop("disable")
            self.assertEqual(await self.in_thread(try_connect, self.port), "hi")


class DeafTests(ActionCase):
    """SYNs go unanswered. Here real time has to pass."""

    if not sys.platform.startswith("linux"):
        skip = "what the kernel does with a full queue is known of Linux only"

    async def test_unanswered(self) -> None:
        """A client runs into its time-out, a standing link goes on, and later clients are served."""
        sock = await self.talking()
        await self.start(Deaf())
        self.assertEqual(await self.in_thread(try_connect, self.port), "TimeoutError")
        self.assertEqual(await self.in_thread(talk, sock), b"hi")
        await self.proxy.actions.stop("deaf")
        self.assertEqual(await self.in_thread(try_connect, self.port), "hi")
        self.assertEqual(self.proxy.stats.links, 2)

    async def test_patient_client(self) -> None:
        """A client that goes on knocking is let in when the action ends."""
        await self.start(Deaf())
        sock = self.knocking(self.port)
        self.assertFalse(is_connected(sock))
        await self.proxy.actions.stop("deaf")
        # Linux repeats a SYN after one second: tcp(7), tcp_syn_retries.
        await self.until(lambda: is_connected(sock))
        sock.settimeout(30)
        self.assertEqual(await self.in_thread(talk, sock), b"hi")

    async def test_with_disable(self) -> None:
        """Enabled again, it is as deaf as before."""
        await self.start(Deaf())
        await self.start(Disable())
        self.assertEqual(await self.in_thread(try_connect, self.port), "ConnectionRefusedError")
        await self.proxy.actions.stop("disable")
        self.assertEqual(await self.in_thread(try_connect, self.port), "TimeoutError")
        await self.proxy.actions.stop_all()
        self.assertEqual(await self.in_thread(try_connect, self.port), "hi")


class SlowAcceptTests(ActionCase):
    """One connection per delay."""

    async def test_rate(self) -> None:
        """Four clients that come at once are let in one after the other, no faster than asked for."""
        accepted: list[float] = []

        def observe(event: str, _: int, fields: dict[str, Any]) -> None:
            if event == "link-opened":
                accepted.append(self.proxy.clock.seconds())

        begun = self.proxy.clock.seconds()
        await self.start(SlowAccept(delay=50))
        self.proxy.observers.append(observe)
        socks = [self.client(self.port) for _ in range(4)]
        for sock in socks:
            self.assertEqual(await self.in_thread(talk, sock), b"hi")
        self.assertEqual(len(accepted), 4)
        self.assertGreaterEqual(round(accepted[-1] - begun, 3), 0.2)

    async def test_end(self) -> None:
        """Those that wait are let in at once when it ends."""
        await self.start(SlowAccept(delay=3_600_000))
        socks = [self.client(self.port) for _ in range(3)]
        self.assertEqual(self.proxy.stats.links, 0)
        await self.proxy.actions.stop("slow_accept")
        for sock in socks:
            self.assertEqual(await self.in_thread(talk, sock), b"hi")


class HalfOpenTests(ActionCase):
    """The backend is gone, the client is not told."""

    async def test_both_sides(self) -> None:
        """The backend sees FIN; the client can speak and hears nothing, until it is reset in the end."""
        sock = await self.talking()
        await self.start(HalfOpen())
        await self.until(lambda: self.backend_saw != [])
        self.assertEqual(self.backend_saw, ["fin"])
        other = self.client(self.port)
        await self.until(lambda: len(self.proxy.links) == 2)
        for each in (sock, other):
            each.sendall(b"anybody there?")
        # Both are read by the proxy before it is told to stop: the order of one reactor.
        await self.in_thread(lambda: None)
        await self.proxy.actions.stop("half_open")
        ends = [await self.in_thread(read_all, each) for each in (sock, other)]
        self.assertEqual(ends, [(b"", "rst")] * 2)
        self.assertEqual(self.backend_saw, ["fin"])
        self.assertEqual(await self.in_thread(try_connect, self.port), "hi")

    async def test_client_leaves(self) -> None:
        """FIN or RST of the client ends its link."""
        await self.start(HalfOpen())
        for leave in (socket.socket.close, reset):
            sock = connect(self.port)
            await self.until(lambda: len(self.proxy.links) == 1)
            leave(sock)
            await self.until(lambda: not self.proxy.links)


class KillIdleTests(ActionCase):
    """Links on which nothing is said."""

    async def test_both_sides(self) -> None:
        """The silent one is cut on both sides, the way that was asked for."""
        for how in ("fin", "rst"):
            self.backend_saw.clear()
            sock = await self.talking()
            await self.start(KillIdle(idle=0.05, how=how))
            self.assertEqual(await self.in_thread(read_all, sock), (b"", how))
            sock.close()
            await self.until(lambda: self.backend_saw != [])
            self.assertEqual(self.backend_saw, [how])
            await self.proxy.actions.stop("kill_idle")


class ItselfTests(ActionCase):
    """What a proxy without a service of its own can do."""

    async def test_no_listener(self) -> None:
        """Actions upon links need none."""
        proxy = Proxy("127.0.0.1:9", Tcp(), reactor=self.proxy.reactor)
        for action in (HalfOpen(), KillIdle()):
            await proxy.actions.start(action)
        await proxy.actions.stop_all()
        self.assertEqual(dict(proxy.actions.standing), {})
