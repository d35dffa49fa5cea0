"""`vaurien`, in this process where that will do, and as a process of its own."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import sys
from pathlib import Path
from typing import Any

import twisted.logger
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.utils import getProcessOutputAndValue
from twisted.protocols.wire import Echo
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

import txvaurien
from txvaurien import cli
from txvaurien.cli import main, run
from txvaurien.config import load
from txvaurien.tap import READY_VARIABLE
from txvaurien.test.registries import registry

#: Where the package is, so that processes in other folders find this one and no other.
ROOT = str(Path(txvaurien.__file__).parent.parent)
TWISTD = "from twisted.scripts.twistd import run; run()"


class RunTests(SynchronousTestCase):
    """`run`, with an imaginary reactor."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.ran: list[bool] = []
        self.reactor.callWhenRunning(self.ran.append, True)
        self.observers: list[Any] = []
        self.told = io.StringIO()
        self.patch(sys, "stderr", self.told)
        self.patch(twisted.logger, "globalLogBeginner", self)

    def beginLoggingTo(self, observers: list[Any], redirectStandardIO: bool) -> None:
        """Stands for the global log."""
        self.assertFalse(redirectStandardIO)
        self.observers += observers

    def run_with(self, *arguments: str) -> int:
        """The exit status of this command line."""
        return run(load(arguments, registry(), {}), self.reactor)

    def test_until_stopped(self) -> None:
        """It listens, runs the reactor, and stops the service with it."""
        self.assertEqual(self.run_with("--proxy=localhost:1"), 0)
        self.assertEqual(self.ran, [True])
        self.assertEqual([server[0] for server in self.reactor.tcpServers], [1])
        ((stop, _, _),) = self.reactor.triggers["before"]["shutdown"]
        self.successResultOf(stop())
        self.assertEqual(len(self.observers), 1)

    def test_busy(self) -> None:
        """A taken port is one line on standard error, and status 1."""

        def listen(port: int, *_: object, **__: object) -> None:
            raise CannotListenError("127.0.0.1", port, OSError(98, "Address already in use"))

        self.patch(self.reactor, "listenTCP", listen)
        self.assertEqual(self.run_with(), 1)
        self.assertEqual(self.ran, [])
        self.assertEqual(
            self.told.getvalue(),
            "vaurien: cannot listen on 127.0.0.1:8000: the port is in use; "
            "stop the other process or choose another with --proxy\n",
        )

    def test_log_output(self) -> None:
        """So is a log that cannot be written."""
        self.assertEqual(self.run_with("--log-output", f"{self.mktemp()}/log"), 1)
        self.assertRegex(self.told.getvalue(), r"^vaurien: --log-output: .* cannot be opened .*\n$")


class MainTests(SynchronousTestCase):
    """`main`, up to where it would run."""

    def setUp(self) -> None:
        # It appends the working directory.
        self.patch(sys, "path", list(sys.path))
        # The process is not its own here.
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        self.addCleanup(gc.enable)

    def test_wrong(self) -> None:
        """A mistake in the command line ends the process with one line and status 1."""
        stopped = self.assertRaises(SystemExit, main, ["--bogus"])
        self.assertIn("vaurien: --bogus: there is no such option", str(stopped.code))

    def test_help_of_the_demo(self) -> None:
        """Who asks for help gets it, also beside --demo."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            stopped = self.assertRaises(SystemExit, main, ["--demo", "--help"])
        self.assertEqual(stopped.code, 0)
        self.assertIn("Usage: vaurien [options]", told.getvalue())

    def test_settings(self) -> None:
        """A good command line is run."""
        ran: list[Any] = []

        def run_it(settings: Any, _: object) -> int:
            ran.append(settings)
            return 0

        self.patch(cli, "run", run_it)
        self.assertEqual(main(["--seed", "3"]), 0)
        self.assertEqual(ran[0].common.seed, 3)


class Process(ProcessProtocol):
    """A `vaurien` that tells when it is ready; descriptor 3 is its pipe for that."""

    def __init__(self, *arguments: str) -> None:
        self.ready: Deferred[list[int]] = Deferred()
        self.ended: Deferred[int | None] = Deferred()
        self.told = b""
        self._ports = b""
        self._process: Any = reactor.spawnProcess(
            self,
            sys.executable,
            [sys.executable, "-m", "txvaurien", *arguments],
            env={**os.environ, "PYTHONPATH": ROOT, READY_VARIABLE: "3"},
            childFDs={0: "w", 1: "r", 2: "r", 3: "r"},
        )

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """It said something."""
        if childFD == 3:
            self._ports += data
        else:
            self.told += data

    def childConnectionLost(self, childFD: int) -> None:
        """It has closed a descriptor."""
        if childFD == 3 and self._ports.startswith(b"ready "):
            self.ready.callback([int(port) for port in self._ports.split()[1:]])

    def processEnded(self, reason: Failure) -> None:
        """It has ended."""
        if not self.ready.called:
            self.ready.errback(AssertionError(self.told.decode()))
        ended: Any = reason.value
        self.ended.callback(ended.exitCode)

    def kill(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if not self.ended.called:
            os.kill(self._process.pid, number)


class Asking(Protocol):
    """Says something, and waits for the first that is said to it."""

    def __init__(self, question: bytes) -> None:
        self.question = question
        self.answered: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        """Ask."""
        transport: Any = self.transport
        transport.write(self.question)

    def dataReceived(self, data: bytes) -> None:
        """That is the answer."""
        self.answered.callback(data)


class ProcessTests(TestCase):
    """`vaurien` and `twistd vaurien` as their users start them."""

    timeout = 120

    def start(self, *arguments: str) -> Process:
        """A process that ends with the test."""
        process = Process(*arguments)

        def end() -> Deferred[int | None]:
            process.kill(signal.SIGKILL)
            return process.ended

        self.addCleanup(end)
        return process

    def listen(self) -> int:
        """The port of an echo server."""
        factory: Any = Factory.forProtocol(Echo)
        port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    async def python(self, *arguments: str) -> tuple[int, str, str]:
        """Run Python to its end, in a folder of its own: its status, standard output and error."""
        folder = self.mktemp()
        os.mkdir(folder)
        environ = {**os.environ, "PYTHONPATH": ROOT}
        out, err, status = await getProcessOutputAndValue(sys.executable, arguments, environ, folder)
        self.assertEqual(os.listdir(folder), [], "something was left behind")
        return status, out.decode(), err.decode()

    async def use(self, process: Process) -> None:
        """One question, one answer, and the end."""
        proxy, _ = await process.ready
        client = Asking(b"hello")
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", proxy), client)
        self.assertEqual(await client.answered, b"hello")
        process.kill(signal.SIGTERM)
        self.assertEqual(await process.ended, 0)

    async def test_runs_and_ends(self) -> None:
        """It says when it is ready, proxies, logs its seed and ends at SIGTERM with status 0."""
        process = self.start("--proxy=:0", f"--backend=127.0.0.1:{self.listen()}", "--http", "--http-port=0")
        proxy, control = await process.ready
        self.assertNotIn(0, (proxy, control))
        client = Asking(b"hello")
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", proxy), client)
        self.assertEqual(await client.answered, b"hello")
        process.kill(signal.SIGTERM)
        self.assertEqual(await process.ended, 0)
        told = process.told.decode()
        self.assertRegex(told, rf"info txvaurien: proxy on :{proxy} for \S+: protocol tcp, .* seed \d+\n")
        self.assertNotIn("Traceback", told)

    async def test_interrupt(self) -> None:
        """Ctrl-C ends it in the same way."""
        process = self.start("--proxy=:0", f"--backend=127.0.0.1:{self.listen()}")
        await process.ready
        process.kill(signal.SIGINT)
        self.assertEqual(await process.ended, 0)

    async def test_panic(self) -> None:
        """At SIGUSR1 every fault is gone, held requests go on, and it runs on."""
        process = self.start("--proxy=:0", f"--backend=127.0.0.1:{self.listen()}", "--behavior=hang")
        proxy, _ = await process.ready
        client = Asking(b"hello")
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", proxy), client)
        process.kill(signal.SIGUSR1)
        self.assertEqual(await client.answered, b"hello")
        process.kill(signal.SIGTERM)
        self.assertEqual(await process.ended, 0)
        told = process.told.decode()
        self.assertIn("panic", told)
        self.assertRegex(told, r"info txvaurien: stopped\n$")

    async def test_replay(self) -> None:
        """What a journal tells of happens again; --dry-run lists it and starts nothing."""
        backend, journal = self.listen(), f"{os.getcwd()}/{self.mktemp()}"
        first = self.start(
            "--proxy=:0",
            f"--backend=127.0.0.1:{backend}",
            "--rule=delay sleep=0 name=r",
            f"--journal={journal}",
        )
        await self.use(first)
        again = self.start("replay", journal, "--proxy=:0")
        await self.use(again)
        self.assertRegex(again.told.decode(), r"behavior dummy, rule r, seed \d+\n")
        status, out, err = await self.python("-m", "txvaurien", "replay", journal, "--dry-run")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("link 1, exchange 1: delay sleep=0.0 (rule r)\n", out)

    async def test_busy(self) -> None:
        """A taken port: one line on standard error, status 1."""
        port = self.listen()
        status, out, err = await self.python("-m", "txvaurien", f"--proxy=127.0.0.1:{port}")
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(
            err,
            f"vaurien: cannot listen on 127.0.0.1:{port}: the port is in use; "
            "stop the other process or choose another with --proxy\n",
        )

    async def test_busy_under_twistd(self) -> None:
        """Under twistd as well, and nothing is left behind."""
        port = self.listen()
        status, out, err = await self.python("-c", TWISTD, "-n", "vaurien", f"--proxy=127.0.0.1:{port}")
        self.assertEqual(status, 1)
        self.assertRegex(err, rf"^vaurien: cannot listen on 127.0.0.1:{port}: the port is in use; .*\n$")
        self.assertNotIn("Traceback", out)
        self.assertNotIn("cannot listen", out, "it is said twice")

    async def test_wrong_under_twistd(self) -> None:
        """A mistake under twistd is one line, not the whole help."""
        status, out, err = await self.python("-c", TWISTD, "-n", "vaurien", "--seed=x")
        said = "vaurien: --seed: 'x' will not do; it must be a whole number\n"
        self.assertEqual((status, out, err), (1, "", said))

    async def test_twistd_knows_it(self) -> None:
        """`twistd --help` lists it."""
        status, out, _ = await self.python("-c", TWISTD, "--help")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"\n +vaurien +A chaos proxy for TCP services\n")
