"""What `chaos_proxy` leaves behind: nothing, however the test ends."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable
from typing import Any

from twisted.python import threadable
from twisted.trial.unittest import SynchronousTestCase

from txvaurien import ListenError, VaurienError, chaos_proxy
from txvaurien.embed import ChaosProxy, Isolation
from txvaurien.test.embedded_support import EchoCase, dial, say
from txvaurien.test.servers import free_port

#: How often what might be left behind is made.
ROUNDS = 50


class LeftBehindTests(EchoCase):
    """Threads, sockets and other descriptors, counted."""

    def check_nothing_left(self, play: Callable[[], None], rounds: int = ROUNDS) -> None:
        """Play rounds, and count."""
        play()
        before = self.there()
        for _ in range(rounds):
            play()
        self.assertEqual(self.left(), before)

    def make_for(self, port: int) -> ChaosProxy:
        """A proxy for another backend, closed with the test."""
        proxy = chaos_proxy(f"127.0.0.1:{port}")
        self.addCleanup(proxy.close)
        return proxy

    def test_rounds(self) -> None:
        """After fifty rounds there is what there was after the first."""

        def play() -> None:
            with self.make() as proxy, dial(proxy) as client, proxy.toxic("latency"), proxy.pause():
                proxy.resume()
                say(client, b"one")

        self.check_nothing_left(play)

    def test_body_raises(self) -> None:
        """Also where the body raises while everything is held."""

        def play() -> None:
            with self.assertRaises(KeyError), self.make(behavior="hang") as proxy, dial(proxy) as client:
                client.sendall(b"held")
                with proxy.pause(), proxy.half_open():
                    raise KeyError

        self.check_nothing_left(play)

    def test_backend_is_dead(self) -> None:
        """Also where the backend is not there."""

        def play() -> None:
            with self.make_for(port) as proxy, self.assertRaises(ConnectionResetError), dial(proxy) as client:
                client.recv(1)

        port = free_port()
        self.check_nothing_left(play)

    def test_start_fails(self) -> None:
        """Also where it cannot listen."""
        taken = self.start()

        def play() -> None:
            self.assertRaises(ListenError, self.make(listen=taken.address).start)

        self.check_nothing_left(play)

    def test_names_are_looked_up(self) -> None:
        """Also where the reactor has had threads for names."""

        def play() -> None:
            with self.make_for(port) as proxy, self.assertRaises(VaurienError):
                proxy.repoint(f"there-is-none.invalid:{port}")

        port = free_port()
        self.check_nothing_left(play, 5)

    def test_several_at_once(self) -> None:
        """Several do not know of each other, and end in any order."""
        before = self.there()
        proxies = [self.start() for _ in range(5)]
        clients = [dial(proxy) for proxy in proxies]
        with proxies[0].behavior("hang"):
            for number, client in enumerate(clients[1:]):
                self.assertEqual(say(client, b"%d" % number), b"%d" % number)
        for number in (2, 0, 4, 1, 3):
            clients[number].close()
            proxies[number].close()
        self.assertEqual(self.left(), before)

    def test_started_by_threads(self) -> None:
        """Threads of the test may each have their own."""
        answers: list[bytes] = []

        def use() -> None:
            with self.make() as proxy, dial(proxy) as client:
                answers.append(say(client, b"one"))

        users = [threading.Thread(target=use) for _ in range(5)]
        for each in users:
            each.start()
        for each in users:
            each.join(60)
        self.assertEqual(answers, [b"one"] * 5)

    def test_started_by_several(self) -> None:
        """Threads that start and close the same proxy at once leave nothing."""
        before = self.there()
        proxy = self.make()
        for change in (proxy.start, proxy.close):
            users = [threading.Thread(target=change) for _ in range(5)]
            for each in users:
                each.start()
            for each in users:
                each.join(60)
        self.assertEqual(self.left(), before)

    def test_closed_while_waited_for(self) -> None:
        """Who waits for a proxy that is closed is told, and does not wait on."""
        proxy = self.start()
        fault = proxy.behavior("dummy")
        outcome: list[BaseException] = []

        def wait() -> None:
            try:
                fault.wait(1, timeout=3600)
            except VaurienError as error:
                outcome.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        proxy.close()
        waiting.join(60)
        self.assertEqual(len(outcome), 1)

    def test_application_is_left_alone(self) -> None:
        """Twisted's own thread and the signals are the application's."""
        before = threadable.ioThread, [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGCHLD)]
        with self.make():
            during = threadable.ioThread, [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGCHLD)]
        self.assertEqual(during, before)


class FreshTests(SynchronousTestCase):
    """In an interpreter of its own, whose end is looked at."""

    def run_script(self, script: str, status: int = 0) -> str:
        """What it prints."""
        before = "import os, sys, threading\nfrom txvaurien import VaurienError, chaos_proxy\n"
        done = subprocess.run(
            [sys.executable, "-c", before + textwrap.dedent(script)],
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def test_no_reactor(self) -> None:
        """Nothing that a proxy can do installs a reactor."""
        said = self.run_script(
            """
            import asyncio
            from twisted.python import threadable

            def all_of_it(proxy):
                proxy.behavior("delay", sleep=0)
                for action in ("slow_accept", "kill_idle", "half_open", "deaf"):
                    proxy.commands.start_action(action)
                proxy.commands.set_scenario("at 1h: hang for 1s")
                for toxic in ("latency", "bandwidth", "slicer", "corrupt", "limit_data", "timeout"):
                    proxy.toxic(toxic)
                proxy.on_request(bytes.upper)
                proxy.repoint("localhost:2")
                proxy.kill(), proxy.restore(), proxy.stop(), proxy.start(), proxy.pause(), proxy.resume()
                proxy.saw(), proxy.events, proxy.links, proxy.plan, proxy.reset()

            async def awaited():
                async with chaos_proxy("localhost:1") as proxy:
                    await proxy.links()

            for protocol in ("tcp", "redis", "mysql", "http", "smtp", "memcache"):
                with chaos_proxy("localhost:1", protocol) as proxy:
                    all_of_it(proxy)
            asyncio.run(awaited())
            print("twisted.internet.reactor" in sys.modules, threadable.ioThread, threading.active_count())
            """
        )
        self.assertEqual(said.split(), ["False", "None", "1"])

    def test_never_closed(self) -> None:
        """A program that ends without closing ends all the same, and so does the proxy's process."""
        said = self.run_script(
            """
            proxies = [chaos_proxy("localhost:1", isolation=each).start() for each in ("thread", "process")]
            print(proxies[1].port)
            """
        )
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", int(said))), 0)

    def test_dies(self) -> None:
        """One that dies of an exception dies of that."""
        self.run_script('chaos_proxy("localhost:1").start()\n1 / 0', status=1)

    def test_fork(self) -> None:
        """A fork has no part in the proxy of its parent: it is told so, and its end ends nothing."""
        said = self.run_script(
            """
            with chaos_proxy("localhost:1") as proxy:
                child = os.fork()
                if not child:
                    try:
                        proxy.links
                    except VaurienError as error:
                        print(error, flush=True)
                    sys.exit(0)
                os.waitpid(child, 0)
                print(len(proxy.links))
            """
        )
        self.assertEqual(said, "the proxy runs in the process that this one was forked from\n0\n")

    def test_fork_in_blocks(self) -> None:
        """A fork knows where the proxy is; blocks that end in it end at once, and end nothing."""
        for isolation in ("thread", "process"):
            said = self.run_script(
                f"""
                with chaos_proxy("redis://localhost:1/2", isolation="{isolation}") as proxy:
                    with proxy.behavior("dummy"), proxy.toxic("latency"), proxy.kill(), proxy.pause():
                        child = os.fork()
                        if not child:
                            print(proxy.url == f"redis://127.0.0.1:{{proxy.port}}/2", flush=True)
                            sys.exit(0)
                        os.waitpid(child, 0)
                        commands = proxy.commands
                        print(len(commands.rules()), len(commands.toxics()), len(commands.actions()))
                """
            )
            self.assertEqual(said, "True\n1 3 1\n")

    def test_killed(self) -> None:
        """The process of a proxy ends when that of the test is killed."""
        said = self.run_script(
            """
            proxy = chaos_proxy("localhost:1", isolation="process").start()
            print(proxy._host._process.pid, flush=True)
            os.kill(os.getpid(), 9)
            """,
            status=-signal.SIGKILL,
        )
        try:
            process = os.pidfd_open(int(said))
        except ProcessLookupError:
            # It has ended already.
            return
        self.addCleanup(os.close, process)
        ended, _, _ = select.select([process], [], [], 60)
        if not ended:
            os.kill(int(said), signal.SIGKILL)
        self.assertTrue(ended)


class ProcessLifeTests(EchoCase):
    """The same for processes, fewer of them."""

    isolation: Isolation = "process"

    def test_rounds(self) -> None:
        """Nothing is left of processes either."""
        before = self.there()
        for _ in range(3):
            with self.make() as proxy, dial(proxy) as client:
                say(client, b"one")
        self.assertEqual(self.left(), before)

    def test_it_ends_by_itself(self) -> None:
        """Where the process is gone, that is what an error says."""
        proxy = self.start()
        host: Any = proxy._host
        host._process._process.kill()
        host._process._process.wait()
        error = self.assertRaises(VaurienError, lambda: proxy.links)
        self.assertEqual(str(error), "the proxy's process has ended by itself (exit status -9)")

    def test_keyboard(self) -> None:
        """Ctrl-C is for the test: the proxy can still be asked then, and is ended by it."""
        host: Any = self.start()._host
        self.assertNotEqual(os.getsid(host._process.pid), os.getsid(0))

    def test_start_fails(self) -> None:
        """What did not start is gone, and so are its settings."""
        taken = self.start()
        folder = self.mktemp()
        os.mkdir(folder)
        self.patch(tempfile, "tempdir", os.path.abspath(folder))
        self.assertRaises(ListenError, self.make(listen=taken.address).start)
        self.assertEqual(os.listdir(folder), [])
