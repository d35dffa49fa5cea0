"""The options of twistd, and the service that they make."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import IService, IServiceMaker, MultiService
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent, globalLogPublisher
from twisted.plugin import getPlugins
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

import txvaurien.proxy
from txvaurien.config import load
from txvaurien.errors import ConfigError, ListenError
from txvaurien.plan import Plan
from txvaurien.process.collecting import YOUNG
from txvaurien.tap import (
    READY_VARIABLE,
    Options,
    StartError,
    TwistdService,
    VaurienService,
    makeService,
    ready_descriptor,
)
from txvaurien.test.registries import registry


class OptionsTests(SynchronousTestCase):
    """`Options`."""

    def parse(self, *arguments: str, parent: usage.Options | None = None) -> Options:
        """Options from this command line."""
        options = Options(registry())
        options.parent = parent
        options.parseOptions(arguments)
        return options

    def exit(self, *arguments: str, parent: usage.Options | None = None) -> tuple[object, str]:
        """The exit status, and what was printed before."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            stopped = self.assertRaises(SystemExit, self.parse, *arguments, parent=parent)
        return stopped.code, printed.getvalue()

    def test_settings(self) -> None:
        """A good command line leaves settings."""
        self.assertEqual(self.parse("--seed", "3").settings.common.seed, 3)

    def test_process_arguments(self) -> None:
        """By default it is the command line of the process."""
        self.patch(sys, "argv", ["vaurien", "--seed", "4"])
        options = Options(registry())
        options.parseOptions()
        self.assertEqual(options.settings.common.seed, 4)

    def test_wrong(self) -> None:
        """A mistake ends the process with one line for standard error, so with status 1."""
        code, printed = self.exit("--seed", "x")
        self.assertEqual(code, "vaurien: --seed: 'x' will not do; it must be a whole number")
        self.assertEqual(printed, "")

    def test_help(self) -> None:
        """The help text is printed, and it knows how the program was called."""
        code, printed = self.exit("--help", parent=usage.Options())
        self.assertEqual(code, 0)
        self.assertIn("Usage: twistd vaurien [options]", printed)
        self.assertIn("Usage: vaurien [options]", Options(registry()).getUsage())

    def test_version(self) -> None:
        """The version is printed."""
        code, printed = self.exit("--version")
        self.assertEqual(code, 0)
        self.assertRegex(printed, r"^vaurien \d+\.\d+")

    def test_dry_run(self) -> None:
        """The plan and the times of the scenario are printed, and that is all."""
        scenario = self.mktemp()
        Path(scenario).write_text("at 1s: delay for 2s\n", encoding="utf-8")
        code, printed = self.exit("--dry-run", "--rule=error verb=GET", "--scenario", scenario)
        self.assertEqual(code, 0)
        self.assertIn("\nrule error-1: error verb=GET\n", printed)
        self.assertRegex(printed, r"\+1\.0s +begin +scenario-1 +delay\n +\+3\.0s +end")

    def test_replay(self) -> None:
        """The first word may ask for a replay, which needs a journal."""
        code, _ = self.exit("replay")
        self.assertEqual(code, "vaurien: replay: it needs a journal; write vaurien replay JOURNAL [options]")
        code, printed = self.exit("replay", "--help")
        self.assertEqual(code, 0)
        self.assertIn("vaurien replay JOURNAL [options]", printed)

    def test_no_demo(self) -> None:
        """The demo is for `vaurien` only."""
        code, _ = self.exit("--demo")
        self.assertIn("run `vaurien --demo`", str(code))


class PluginTests(SynchronousTestCase):
    """The plug-in."""

    def test_found(self) -> None:
        """twistd finds `vaurien`, and it leads here."""
        makers = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "vaurien"]
        self.assertEqual(len(makers), 1)
        verifyObject(IServiceMaker, makers[0])
        self.assertIs(makers[0].options, Options)
        self.assertIs(makers[0].makeService, makeService)


class ServiceCase(SynchronousTestCase):
    """A service in an imaginary network."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def make(
        self, *arguments: str, ready: int | None = None, kind: type[VaurienService] = VaurienService
    ) -> VaurienService:
        """A service for this command line, that ends with the test."""
        service = kind(load(arguments, registry(), {}), self.reactor, ready)
        self.addCleanup(service.stopService)
        return service

    def start(self, *arguments: str, ready: int | None = None) -> list[str]:
        """Start a service; what it logs."""
        service = self.make(*arguments, ready=ready)
        with capturedLogs() as events:
            service.startService()
        return [formatEvent(event) for event in events if event["log_namespace"] == "txvaurien"]

    def sockets(self) -> list[tuple[int, int, str]]:
        """What is listened on: port, backlog and interface."""
        return [(port, backlog, interface) for port, _, backlog, interface in self.reactor.tcpServers]


class ServiceTests(ServiceCase):
    """`VaurienService`."""

    def test_children(self) -> None:
        """It is a service of services, one for each thing that listens."""
        service = self.make("--http")
        verifyObject(IService, service)
        self.assertIsInstance(service, MultiService)
        self.assertEqual(list(service), [service.proxies, service.control_service])
        self.assertIsNone(self.make().control_service)
        self.assertEqual(len(self.make("--no-proxy").proxies), 0)

    def test_listens(self) -> None:
        """The proxy and the control server listen where they were told to."""
        self.start("--proxy=localhost:1", "--backlog=7", "--http", "--http-host=127.0.0.2", "--http-port=2")
        self.assertEqual(self.sockets()[0], (1, 7, "127.0.0.1"))
        self.assertEqual((self.sockets()[1][0], self.sockets()[1][2]), (2, "127.0.0.2"))

    def test_no_proxy(self) -> None:
        """Only the control server: no listener for clients, no attempt at the backend."""
        logged = self.start("--no-proxy")
        self.assertEqual([port for port, _, _ in self.sockets()], [8080])
        self.assertEqual(self.reactor.tcpClients, [])
        self.assertEqual(logged, ["control on http://localhost:8080/"])

    def test_options_reach_the_proxy(self) -> None:
        """Everything about the proxy is passed on."""
        pools: list[tuple[object, object]] = []
        self.patch(txvaurien.proxy, "Pool", lambda _, most, patience: pools.append((most, patience)))
        proxy = self.make(
            "--backend=localhost:9",
            "--seed=5",
            "--behavior=delay",
            "--timeout=6",
            "--idle-timeout=7",
            "--pool-max-size=8",
            "--pool-timeout=9",
        ).proxies.main.proxy
        said = (proxy.backend.text, proxy.seed, proxy.plan.mix_text, proxy.timeout, proxy.idle_timeout)
        self.assertEqual(said, ("localhost:9", 5, "delay", 6.0, 7.0))
        self.assertEqual(pools, [(8, 9.0)])

    def test_announced(self) -> None:
        """One line each for the proxy and the control server, with the seed to repeat the run."""
        logged = self.start("--seed=5", "--http", "--bufsize=1", "--proxy=[::1]:3")
        self.assertEqual(
            logged,
            [
                "--bufsize: this does nothing any more: reads are as large as the kernel has data,"
                " and bodies are streamed",
                "proxy on [::1]:3 for localhost:80: protocol tcp, behavior dummy, seed 5",
                "control on http://localhost:8080/",
            ],
        )

    def test_busy(self) -> None:
        """A port that is taken is told of with the option that chooses another."""

        def listen(port: int, *_: object, **__: object) -> None:
            raise CannotListenError("127.0.0.1", port, OSError(98, "Address already in use"))

        self.patch(self.reactor, "listenTCP", listen)
        error = self.assertRaises(ListenError, self.make().startService)
        self.assertEqual(
            str(error),
            "cannot listen on 127.0.0.1:8000: the port is in use; "
            "stop the other process or choose another with --proxy",
        )

    def test_busy_under_twistd(self) -> None:
        """Under twistd that is an exit with status 1, and an Exception, after which twistd tidies up."""
        told = io.StringIO()
        self.patch(sys, "__stderr__", told)
        self.patch(self.reactor, "listenTCP", self._taken)
        error = self.assertRaises(StartError, self.make(kind=TwistdService).startService)
        self.assertIsInstance(error, SystemExit)
        self.assertIsInstance(error, Exception)
        expected = "cannot listen on 127.0.0.1:8000: taken; choose another address with --proxy"
        self.assertEqual((error.code, told.getvalue()), (1, f"vaurien: {expected}\n"))

    def test_busy_as_a_daemon(self) -> None:
        """Where nobody sees standard error it is left to the log, which gets what an exit says."""
        told = io.StringIO()
        self.patch(sys, "__stderr__", told)
        self.patch(self.reactor, "listenTCP", self._taken)
        service: Any = self.make(kind=TwistdService)
        service.daemon = True
        error = self.assertRaises(StartError, service.startService)
        expected = "cannot listen on 127.0.0.1:8000: taken"
        self.assertEqual(error.code, f"vaurien: {expected}; choose another address with --proxy")
        # twistd shows what the exception says, and no more than 100 bytes of it.
        self.assertEqual(str(error), expected)
        self.assertEqual(told.getvalue(), "")

    def test_collecting(self) -> None:
        """Once it runs, twistd looks for garbage rarely."""
        usual = gc.get_threshold()
        self.addCleanup(gc.set_threshold, *usual)
        self.addCleanup(gc.unfreeze)
        self.make(kind=TwistdService).startService()
        self.assertEqual(gc.get_threshold(), usual)
        self.reactor.run()
        self.assertEqual(gc.get_threshold()[0], YOUNG)

    def test_not_collecting(self) -> None:
        """An application that embeds the service is left alone."""
        usual = gc.get_threshold()
        self.make().startService()
        self.reactor.run()
        self.assertEqual(gc.get_threshold(), usual)

    @staticmethod
    def _taken(port: int, *_: object, **__: object) -> None:
        raise CannotListenError("127.0.0.1", port, Exception("taken"))

    def test_unresolvable(self) -> None:
        """A backend whose name does not exist is an error before anything starts, with its place."""

        def getaddrinfo(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        self.patch(socket, "getaddrinfo", getaddrinfo)
        error = self.assertRaises(ConfigError, self.make, "--backend=nix.example:1")
        self.assertIn("--backend: the host 'nix.example'", str(error))
        self.make("--backend=nix.example:1", "--no-proxy")


class JournalTests(ServiceCase):
    """The journal of the process."""

    def test_memory(self) -> None:
        """What the proxy does is recorded, with or without a file."""
        service = self.make()
        service.startService()
        service.proxies.main.proxy.set_plan(Plan())
        self.assertEqual([record.event for record in service.journal.since()], ["plan"])
        self.assertIsNone(service.journal_file)

    def test_file_cannot_be_written(self) -> None:
        """That is an error of the option, before anything listens."""
        path = f"{self.mktemp()}/journal"
        error = self.assertRaises(ConfigError, self.make("--journal", path).startService)
        self.assertEqual(error.where, "--journal")
        self.assertEqual(self.sockets(), [])


class JournalFileTests(TestCase):
    """The journal's file, whose thread needs a clock that goes by itself."""

    def lines(self, path: str) -> list[Any]:
        """What the file says."""
        return [json.loads(line) for line in Path(path).read_text().splitlines()]

    async def test_file(self) -> None:
        """--journal names a file; it is complete and closed when the service has stopped."""
        path = self.mktemp()
        arguments = ["--journal", path, "--journal-size=5000", "--journal-keep=2", "--proxy=:0"]
        service = VaurienService(load([*arguments, "--backend=127.0.0.1:9"], registry(), {}), reactor)
        service.startService()
        service.proxies.main.proxy.set_plan(Plan())
        await service.stopService()
        lines = self.lines(path)
        self.assertEqual([line["event"] for line in lines], ["journal", "proxy", "plan"])
        self.assertEqual((lines[1]["listen"], lines[1]["backend"]), (":0", "127.0.0.1:9"))


class FaultTests(ServiceCase):
    """What goes wrong from the start, and how it ends."""

    def test_announced(self) -> None:
        """Rules and toxics are told of at the start."""
        (logged,) = self.start("--seed=5", "--rule=delay name=slow", "--toxic=pause")
        self.assertIn("behavior dummy, rule slow, toxic pause_downstream, seed 5", logged)

    def test_cap(self) -> None:
        """--max-active-faults reaches the proxy."""
        self.assertEqual(self.make("--max-active-faults=3").proxies.main.proxy.cap.most, 3)
        self.assertIsNone(self.make().proxies.main.proxy.cap.most)

    def scenario(self) -> VaurienService:
        """A service with a scenario that has begun."""
        path = self.mktemp()
        Path(path).write_text("at 1s: delay sleep=1 for 5s\n", encoding="utf-8")
        service = self.make("--scenario", path, "--rule=delay name=mine")
        service.startService()
        self.reactor.advance(1)
        self.assertEqual(self.rules(service), ["scenario-1", "mine"])
        return service

    def rules(self, service: VaurienService) -> list[str]:
        """The names of the rules that stand."""
        return [rule.name for rule in service.proxies.main.proxy.plan.rules]

    def test_scenario(self) -> None:
        """A scenario begins with the service, and what it adds is gone at its end."""
        service = self.scenario()
        self.reactor.advance(5)
        self.assertEqual(self.rules(service), ["mine"])

    def test_scenario_is_stopped(self) -> None:
        """A scenario ends with the service, and leaves nothing that is still to come."""
        service = self.scenario()
        self.successResultOf(service.stopService())
        self.assertEqual(self.rules(service), ["mine"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_panic(self) -> None:
        """SIGUSR1 removes everything at once, the scenario included, and says so."""
        calls: list[Any] = []
        reactor: Any = self.reactor
        reactor.callFromThread = calls.append
        service = self.scenario()
        os.kill(os.getpid(), signal.SIGUSR1)
        with capturedLogs() as events:
            calls[0]()
        self.assertIn("panic", "".join(formatEvent(event) for event in events))
        self.assertEqual(service.proxies.main.proxy.plan.rules, ())
        self.reactor.advance(100)
        self.assertEqual(service.proxies.main.proxy.plan.rules, ())

    def test_handler(self) -> None:
        """The signal is handled for as long as the service runs."""
        before = signal.getsignal(signal.SIGUSR1)
        service = self.make()
        service.startService()
        self.assertIsNot(signal.getsignal(signal.SIGUSR1), before)
        self.successResultOf(service.stopService())
        self.assertIs(signal.getsignal(signal.SIGUSR1), before)

    def test_stopped(self) -> None:
        """The log says when it has stopped."""
        service = self.make()
        service.startService()
        with capturedLogs() as events:
            self.successResultOf(service.stopService())
        self.assertIn("stopped", [formatEvent(event) for event in events])


class ReadyTests(ServiceCase):
    """The descriptor that is told when everything listens."""

    def ready(self, *arguments: str) -> str:
        """What is written to the descriptor."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.reactor = MemoryReactorClock()
        self.start(*arguments, ready=writing)
        os.set_blocking(reading, False)
        self.assertRaises(BlockingIOError, os.read, reading, 1)
        self.reactor.run()
        text = os.read(reading, 100).decode()
        self.assertEqual(os.read(reading, 1), b"", "it was not closed")
        return text

    def test_ports(self) -> None:
        """Both ports, when the reactor runs and not before."""
        self.assertEqual(self.ready("--proxy=:11", "--http", "--http-port=12"), "ready 11 12\n")

    def test_no_port(self) -> None:
        """What does not listen on TCP is 0."""
        self.assertEqual(self.ready("--proxy=:11"), "ready 11 0\n")
        self.assertEqual(self.ready("--no-proxy"), "ready 0 8080\n")

    def test_no_descriptor(self) -> None:
        """A descriptor that is not open costs a warning, no more."""
        reading, writing = os.pipe()
        os.close(reading)
        os.close(writing)
        self.start(ready=writing)
        with capturedLogs() as events:
            self.reactor.run()
        self.assertIn("Bad file descriptor", "".join(formatEvent(event) for event in events))

    def test_variable(self) -> None:
        """The environment names it, for this process and not for those that it starts."""
        self.patch(os, "environ", {READY_VARIABLE: "7"})
        self.assertEqual(ready_descriptor(), 7)
        self.assertEqual(os.environ, {})
        self.assertIsNone(ready_descriptor())


class MakeServiceTests(SynchronousTestCase):
    """`makeService`."""

    def make(self, *arguments: str) -> Any:
        """The service for this command line."""
        options = Options(registry())
        options.parseOptions(arguments)
        return makeService(options)

    def test_service(self) -> None:
        """It makes the service for twistd."""
        self.assertIsInstance(self.make(), TwistdService)

    def test_wrong(self) -> None:
        """What turns out only now ends the process with one line as well."""
        path = f"{self.mktemp()}/log"
        stopped = self.assertRaises(SystemExit, self.make, "--log-output", path)
        self.assertIn(f"vaurien: --log-output: {path!r} cannot be opened", str(stopped.code))

    def test_second_log(self) -> None:
        """--log-output opens a second log, beside that of twistd."""
        added: list[Any] = []
        self.patch(globalLogPublisher, "addObserver", added.append)
        self.make()
        self.assertEqual(added, [])
        path = self.mktemp()
        self.make("--log-output", path)
        self.assertEqual(len(added), 1)
        self.assertTrue(Path(path).exists())
