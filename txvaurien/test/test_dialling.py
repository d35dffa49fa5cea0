"""From a link to its backend, with real sockets: how it is found, and when it is not to be had."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from typing import Any

from twisted.internet import reactor
from twisted.logger import capturedLogs, formatEvent

from txvaurien.net.polled import PolledPipe
from txvaurien.net.poller import Poller
from txvaurien.net.transportpipe import SocketPipe
from txvaurien.protocols.http import Http
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.network import BlackHole, Resolver, closed_port
from txvaurien.test.peers import ScriptedBackend, read_all, read_exactly, reset
from txvaurien.test.support import ProxyCase, connect, descriptors
from txvaurien.test.test_pipe import echo

_PROGRAM = """
import socket, sys, threading
from twisted.internet import {name}
{name}.install()
from twisted.internet import reactor
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService
from txvaurien.test.peers import ScriptedBackend, read_all
from txvaurien.test.test_pipe import echo
backend = ScriptedBackend(echo)
proxy = Proxy(f"127.0.0.1:{{backend.port}}", Tcp(), reactor=reactor)
service = ProxyService(proxy, "127.0.0.1:0")
def talk():
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", service.port), 30) as sock:
            sock.sendall(b"x" * 1000000)
            sock.shutdown(socket.SHUT_WR)
            print(len(read_all(sock)[0]))
    reactor.callFromThread(end)
def end():
    service.stopService().addCallback(lambda _: reactor.stop())
def begin():
    service.startService()
    reactor.callInThread(talk)
reactor.callWhenRunning(begin)
reactor.run()
print(type(reactor).__name__, len(proxy.links))
"""


class DiallingCase(ProxyCase):
    """A proxy in front of an echo, or of what is in its place."""

    def echo(self) -> int:
        """The port of a backend that sends back what it gets."""
        backend = ScriptedBackend(echo)
        self._cleanups.insert(0, (backend.stop, (), {}))
        return backend.port

    def serve(self, backend: str, protocol: Any = None, **options: Any) -> ProxyService:
        """A proxy in front of it."""
        proxy = Proxy(backend, protocol or Tcp(), reactor=reactor, **options)
        service = ProxyService(proxy, "127.0.0.1:0")
        service.startService()
        self.addCleanup(service.stopService)
        return service

    async def talk(self, service: ProxyService, said: bytes = b"hello") -> tuple[bytes, str]:
        """What a client hears who says something and then FIN, when the link is gone."""

        def client() -> tuple[bytes, str]:
            try:
                with connect(service.port or 0) as sock:
                    sock.sendall(said)
                    sock.shutdown(socket.SHUT_WR)
                    return read_all(sock)
            except OSError:
                # It may be reset before it has said anything.
                return b"", "rst"

        heard = await self.in_thread(client)
        await self.until(lambda: not service.proxy.links)
        return heard

    def resolver(self, *addresses: str) -> Resolver:
        """What the reactor asks for names."""
        real: Any = reactor
        resolver = Resolver(addresses)
        self.addCleanup(real.installNameResolver, real.installNameResolver(resolver))
        return resolver


class ReachedTests(DiallingCase):
    """A backend that is there."""

    async def test_kinds(self) -> None:
        """By number, by name, as localhost: bytes pass both ways."""
        port = self.echo()
        for host in ("127.0.0.1", "localhost"):
            self.assertEqual(await self.talk(self.serve(f"{host}:{port}")), (b"hello", "fin"))

    async def test_ipv6(self) -> None:
        """A backend on IPv6, and localhost where 127.0.0.1 refuses."""
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        self.addCleanup(listener.close)
        port = listener.getsockname()[1]

        def serve_two() -> None:
            for _ in range(2):
                peer, _ = listener.accept()
                with peer:
                    echo(peer)

        thread = threading.Thread(target=serve_two)
        thread.start()
        for host in ("[::1]", "localhost"):
            self.assertEqual(await self.talk(self.serve(f"{host}:{port}")), (b"hello", "fin"))
        await self.in_thread(thread.join)

    async def test_several_addresses(self) -> None:
        """The first address of a name refuses, the second is used."""
        port = self.echo()
        resolver = self.resolver("127.0.0.2", "127.0.0.1")
        service = self.serve(f"db.example:{port}")
        self.assertEqual(await self.talk(service), (b"hello", "fin"))
        self.assertEqual((resolver.asked, service.proxy.stats.failed), (["db.example"], 0))

    async def test_changed_answer(self) -> None:
        """What a name leads to is asked for each link."""
        resolver = self.resolver("127.0.0.2")
        service = self.serve(f"db.example:{self.echo()}")
        self.assertEqual(await self.talk(service), (b"", "rst"))
        resolver.addresses = ["127.0.0.1"]
        self.assertEqual(await self.talk(service), (b"hello", "fin"))

    async def test_unix(self) -> None:
        """Another kind of endpoint is left to Twisted; the poller watches its socket all the same."""
        path = self.mktemp()
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen()
        kinds: list[type] = []

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                echo(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        service = self.serve(f"unix:{path}")

        def client() -> tuple[bytes, str]:
            with connect(service.port or 0) as sock:
                sock.sendall(b"hello")
                said = read_exactly(sock, 5)
                kinds.extend(type(link.backend) for link in service.proxy.links.values())
                sock.shutdown(socket.SHUT_WR)
                return said, read_all(sock)[1]

        self.assertEqual(await self.in_thread(client), (b"hello", "fin"))
        await self.in_thread(thread.join)
        self.assertEqual(kinds, [PolledPipe])
        await self.until(lambda: not service.proxy.links)

    async def test_no_poller(self) -> None:
        """A reactor that watches no descriptors has its own transports do everything."""
        service = self.serve(f"127.0.0.1:{self.echo()}")
        await service.stopService()
        service.proxy.poller = None
        service.startService()
        kinds: list[type] = []

        def client() -> bytes:
            with connect(service.port or 0) as sock:
                sock.sendall(b"hello")
                said = read_exactly(sock, 5)
                kinds.extend(type(each) for link in service.proxy.links.values() for _, each in link.ways())
                return said

        self.assertEqual(await self.in_thread(client), b"hello")
        self.assertEqual(kinds, [SocketPipe, SocketPipe])
        await self.until(lambda: not service.proxy.links)

    async def test_another_backend(self) -> None:
        """New links go where the backend is now."""
        service = self.serve(f"127.0.0.1:{closed_port()}")
        self.assertEqual(await self.talk(service), (b"", "rst"))
        service.proxy.set_backend(f"127.0.0.1:{self.echo()}")
        self.assertEqual(await self.talk(service), (b"hello", "fin"))

    async def test_reactors(self) -> None:
        """With reactors of any kind."""
        for name in ("selectreactor", "pollreactor", "asyncioreactor"):
            command = [sys.executable, "-c", _PROGRAM.format(name=name)]
            done = await self.in_thread(
                subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
            )
            last = done.stdout.split()[-2:]
            self.assertEqual(done.stdout.split()[:3], ["1000000"] * 3, done.stderr)
            self.assertEqual((last[0].lower().startswith(name[:-7]), last[1]), (True, "0"), done.stdout)


class NotReachedTests(DiallingCase):
    """A backend that is not to be had."""

    async def test_refused(self) -> None:
        """The client gets what the protocol says for it; the log names the backend, once for many."""
        backend = f"127.0.0.1:{closed_port()}"
        with capturedLogs() as events:
            self.assertEqual(await self.talk(self.serve(backend)), (b"", "rst"))
            service = self.serve(backend, Http())
            for _ in range(3):
                heard, end = await self.talk(service, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual((heard[:12], end), (b"HTTP/1.1 502", "fin"))
        said = [
            str(formatEvent(event))
            for event in events
            if event.get("log_namespace") == "txvaurien.proxy.Proxy"
        ]
        self.assertEqual(len([each for each in said if f"{backend} cannot be reached" in each]), 2, said)

    async def test_timeout(self) -> None:
        """Nobody answers: that is limited."""
        hole = BlackHole()
        self.addCleanup(hole.stop)
        service = self.serve(f"127.0.0.1:{hole.port}", timeout=0.05)
        with capturedLogs() as events:
            self.assertEqual(await self.talk(service), (b"", "rst"))
        self.assertIn("no connection within 0.05 seconds", "".join(str(formatEvent(each)) for each in events))

    async def test_client_leaves(self) -> None:
        """A client that goes away while its backend is dialled leaves nothing, and gives its place back."""
        hole = BlackHole()
        self.addCleanup(hole.stop)
        service = self.serve(f"127.0.0.1:{hole.port}", pool_max_size=1)
        await self.in_thread(lambda: None)
        before = descriptors()
        sock = connect(service.port or 0)
        await self.until(lambda: bool(service.proxy.links))
        self.assertEqual((service.proxy.pool.open, len(service.proxy.links)), (1, 1))
        reset(sock)
        await self.until(lambda: not service.proxy.links)
        self.assertEqual(service.proxy.pool.open, 0)
        await self.until(lambda: descriptors() <= before)

    async def test_killed(self) -> None:
        """So does a link that is ended while it is dialled, be it for want of a name."""
        resolver = self.resolver("127.0.0.1")
        resolver.at_once = False
        service = self.serve(f"db.example:{self.echo()}")
        sock = connect(service.port or 0)
        self.addCleanup(sock.close)
        await self.until(lambda: bool(resolver.asked))
        self.assertEqual(service.proxy.kill(), 1)
        await self.until(lambda: not service.proxy.links)
        resolver.answer()
        self.assertEqual(service.proxy.pool.open, 0)

    async def test_no_such_name(self) -> None:
        """A name that has no address is said as such."""
        self.resolver()
        service = self.serve("db.example:1")
        with capturedLogs() as events:
            self.assertEqual(await self.talk(service), (b"", "rst"))
        self.assertIn("no address is known for db.example", "".join(str(formatEvent(e)) for e in events))

    async def test_no_interface(self) -> None:
        """An address on an interface that this machine has not is an error of the link, and no other."""
        service = self.serve("[fe80::1%nosuch]:1")
        self.assertEqual(await self.talk(service), (b"", "rst"))
        self.assertEqual(service.proxy.stats.failed, 1)

    async def test_limit_of_open_files(self) -> None:
        """It is not the backend's fault, and the log does not say so."""
        service = self.serve(f"127.0.0.1:{self.echo()}")
        make = socket.socket

        def fail(*arguments: Any, **options: Any) -> socket.socket:
            if "fileno" in options:
                return make(*arguments, **options)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        with connect(service.port or 0) as sock, capturedLogs() as events:
            self.patch(socket, "socket", fail)
            self.assertEqual((await self.in_thread(read_all, sock))[0], b"")
        await self.until(lambda: not service.proxy.links)
        said = "".join(str(formatEvent(event)) for event in events)
        self.assertIn("no connection to the backend: the limit of open files is reached", said)
        self.assertIn("ulimit -n", said)
        self.assertNotIn("cannot be reached", said)

    async def test_not_watched(self) -> None:
        """A socket that the kernel does not watch is closed, and its client is told."""
        service = self.serve(f"127.0.0.1:{self.echo()}")
        await self.in_thread(lambda: None)
        before = descriptors()
        watch, watched = Poller.watch, [0]

        def second_fails(*arguments: Any) -> None:
            watched[0] += 1
            if watched[0] == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            watch(*arguments)

        self.patch(Poller, "watch", second_fails)
        self.assertEqual(await self.talk(service), (b"", "rst"))
        self.assertEqual(service.proxy.stats.failed, 1)
        await self.until(lambda: descriptors() <= before)

    async def test_client_is_not_watched(self) -> None:
        """A client that cannot be watched is closed, and the log says why in a line."""
        service = self.serve(f"127.0.0.1:{self.echo()}")

        def fail(*_: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(Poller, "watch", fail)
        with capturedLogs() as logged, connect(service.port or 0) as sock:
            self.assertEqual((await self.in_thread(read_all, sock))[0], b"")
        self.assertEqual(service.proxy.links, {})
        (said,) = [formatEvent(each) for each in logged if "a client is sent away" in formatEvent(each)]
        self.assertIn("epoll", said)
