"""``twistd vaurien``, and what it shares with ``vaurien``: options and the service they make."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger, globalLogPublisher
from twisted.python import usage

from txvaurien import __version__
from txvaurien.config import Settings, settle
from txvaurien.errors import ConfigError, ListenError
from txvaurien.journal import Journal
from txvaurien.journals.journalfile import JournalFile
from txvaurien.net.descriptors import raise_limit
from txvaurien.plugins import Registry
from txvaurien.process.announcing import announce
from txvaurien.process.collecting import collect_rarely
from txvaurien.process.hangupsignal import HangupSignal
from txvaurien.process.knocking import Knocking
from txvaurien.process.logs import log_observer
from txvaurien.process.member import Member
from txvaurien.process.panicsignal import PanicSignal
from txvaurien.process.printing import show
from txvaurien.process.processsignal import ProcessSignal
from txvaurien.process.proxies import NoProxy, Proxies
from txvaurien.settings.commandline import CommandLine, read
from txvaurien.tls.keeper import AuthorityKeeper

# Most starts need only some of what follows, and people start one proxy for each test. So the
# control server (Klein, and the web server below it) and what only some commands do are
# imported where they are used.
if TYPE_CHECKING:
    from txvaurien.control.service import ControlService
    from txvaurien.metrics.watcher import Metrics
    from txvaurien.process.reloading import Reloader

#: Names a descriptor that is told when everything listens (`VaurienService`).
READY_VARIABLE = "VAURIEN_READY_FD"

_log = Logger(namespace="txvaurien")


class Options(usage.Options):
    """The options of ``vaurien`` and ``twistd vaurien``, generated from what is declared.

    :ivar settings: the outcome, once they are parsed.
    """

    settings: Settings

    def __init__(self, registry: Registry | None = None) -> None:
        usage.Options.__init__(self)
        self._registry = registry

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read a command line, by default that of the process.

        :raises SystemExit: after ``--help``, ``--version`` and ``--dry-run``; with one line for standard
            error and status 1 if something is wrong (a UsageError would have twistd print all the help).
        """
        arguments = list(sys.argv[1:] if options is None else options)
        try:
            line, self.settings = self._read(arguments)
        except ConfigError as error:
            raise SystemExit(f"vaurien: {error}") from error
        if line.asks("dry-run"):
            from txvaurien.settings.dryrun import dry_run_text

            show(dry_run_text(self.settings))
            raise SystemExit(0)

    def _read(self, arguments: Sequence[str]) -> tuple[CommandLine, Settings]:
        if arguments[:1] == ["replay"]:
            return self._read_replay(arguments[1:])
        line = read(arguments, self._registry)
        self._obey(line)
        return line, settle(line)

    def _read_replay(self, arguments: Sequence[str]) -> tuple[CommandLine, Settings]:
        from txvaurien.journals.replaying import read_replayed, settle_replayed

        line, replay = read_replayed(arguments, self._registry)
        self._obey(line)
        return line, settle(line) if replay is None else settle_replayed(line, replay)

    def _obey(self, line: CommandLine) -> None:
        if line.asks("help"):
            show(self._help(line.registry))
            raise SystemExit(0)
        if line.asks("version"):
            print(f"vaurien {__version__}")
            raise SystemExit(0)
        if line.asks("demo"):
            raise ConfigError("--demo", "twistd has no demo", "run `vaurien --demo`")

    @property
    def program(self) -> str:
        """What the user called."""
        return "vaurien" if self.parent is None else "twistd vaurien"

    def getUsage(self, width: int | None = None) -> str:
        """The help text, for twistd."""
        del width
        return self._help(self._registry or Registry.load())

    def _help(self, registry: Registry) -> str:
        from txvaurien.settings.helptext import help_text

        return help_text(registry, self.program)


class VaurienService(MultiService):
    """The proxies, their journal, a scenario and the control server, as settings want them.

    SIGUSR1 is the panic stop: everything that goes wrong by our doing stops at once. At SIGHUP the file
    with settings is read again, if they come from one.

    :param ready: a descriptor; when everything listens ``ready PROXY-PORT CONTROL-PORT`` is
        written to it (0 for what does not listen on TCP) and it is closed.
    :raises ConfigError: the backend's host cannot be resolved, or settings do not fit together.
    """

    def __init__(self, settings: Settings, reactor: Any, ready: int | None = None) -> None:
        MultiService.__init__(self)
        self.settings = settings
        self.reactor = reactor
        self.journal_file = make_journal_file(settings)
        self.journal = Journal(reactor, file=self.journal_file)
        self.metrics = make_metrics(self)
        self.proxies = Proxies(
            reactor,
            settings.registry,
            settings.behavior_defaults,
            [self.journal, *([self.metrics] if self.metrics is not None else [])],
            log_level=settings.common.log_level,
            allow_backend=settings.allow_backend,
            keeper=AuthorityKeeper(settings.tls_ca, settings.place("tls-ca")),
        )
        self.control_service: ControlService | None = None
        self._ready = ready
        self._knocking = Knocking()
        self._signals: list[ProcessSignal] = [PanicSignal(reactor, self._on_panic)]
        if settings.source is not None:
            self._signals.append(HangupSignal(reactor, self._make_reloader))
        for definition in settings.definitions:
            definition.backend.resolve(definition.places.get("backend", "--backend"))
            self.proxies.put(definition, main=settings.has_main and definition.name == settings.name)
        if settings.tls_ca_out is not None:
            self.proxies.keeper.write(settings.tls_ca_out, settings.place("tls-ca-out"))
        MultiService.addService(self, self.proxies)
        if self.metrics is not None and settings.common.statsd is not None:
            MultiService.addService(self, make_statsd(self.metrics, settings, reactor))
        if settings.control:
            self.control_service = make_control(self)
            MultiService.addService(self, self.control_service)

    @property
    def main(self) -> Member | None:
        """The proxy that is meant where none is named; None where there is none, or several."""
        try:
            return self.proxies.main
        except NoProxy:
            return None

    def startService(self) -> None:
        """Listen, say so, and try the backend once.

        :raises ListenError: nothing can listen there.
        :raises ConfigError: the journal cannot be written.
        """
        self._begin_journal()
        MultiService.startService(self)
        for each in self._signals:
            each.install()
        self._announce()
        # Not before the reactor runs: whoever waits for it may send SIGTERM at once.
        self.reactor.callWhenRunning(lambda: ensureDeferred(self._when_ready()))
        for member in self.proxies:
            self._knocking.knock(member.proxy)
        for described in self.settings.described:
            if described.scenario is not None:
                ensureDeferred(self.proxies.get(described.name).playing.play(described.scenario))

    def _make_reloader(self) -> Reloader:
        from txvaurien.process.reloading import Reloader

        return Reloader(self.settings, self.proxies, self._welcome)

    def _welcome(self, member: Member) -> None:
        announce(member)
        self._knocking.knock(member.proxy)

    def _begin_journal(self) -> None:
        if self.journal_file is not None:
            try:
                self.journal_file.start()
            except ConfigError as error:
                raise error.at(self.settings.place("journal")) from error

    def stopService(self) -> Deferred[None]:
        """Stop scenarios, stop listening and end all links; fires when that is done and journalled."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        for each in self._signals:
            each.remove()
        stopped: Deferred[Any] = MultiService.stopService(self)
        self._knocking.stop()
        await stopped
        if self.journal_file is not None:
            await self.journal_file.stop(self.reactor)
        _log.info("stopped")

    def _on_panic(self) -> None:
        ensureDeferred(self.proxies.reset()).addErrback(
            lambda failure: _log.failure("the panic stop failed", failure)
        )

    def _announce(self) -> None:
        for warning in self.settings.warnings:
            _log.warn("{text}", text=warning)
        for member in self.proxies:
            announce(member)
        if self.control_service is not None:
            control = self.control_service
            _log.info("control on {url}", url=control.access.url(control.port))

    async def _when_ready(self) -> None:
        for member in self.proxies:
            await member.proxy.settled()
        if self._ready is not None and self.running:
            self._say_ready(self._ready)

    def _say_ready(self, descriptor: int) -> None:
        main = self.main
        services = (None if main is None else main.service, self.control_service)
        ports = [service.port or 0 if service else 0 for service in services]
        try:
            with open(descriptor, "w", encoding="ascii") as stream:
                stream.write(f"ready {ports[0]} {ports[1]}\n")
        except OSError as error:
            _log.warn("{name}: {why}", name=READY_VARIABLE, why=error)


class StartError(ListenError, SystemExit):
    """What ends twistd when nothing can listen.

    Only SystemExit ends it with a status and without a traceback; only after an
    Exception does it tidy up (its PID file, the parent that waits for the daemon).
    """

    def __init__(self, why: str, status: int | str) -> None:
        super().__init__(why)
        self.code = status


class TwistdService(VaurienService):
    """As `VaurienService`, under twistd.

    :ivar daemon: whether nobody can see standard error.
    """

    daemon = False

    def startService(self) -> None:
        """Listen.

        :raises StartError: nothing can listen there, or the journal cannot be written; the user
            has been told, or is told by the exit.
        """
        try:
            super().startService()
        except (ConfigError, ListenError) as error:
            said = f"vaurien: {error}"
            if self.daemon:
                # What an exit says goes to twistd's log, which has taken sys.stderr over. What the
                # exception says is shown to the user, cut off after 100 bytes: so no advice there.
                raise StartError(str(error).partition("; ")[0], said) from error
            print(said, file=sys.__stderr__)
            raise StartError(str(error), 1) from error
        self.reactor.callWhenRunning(collect_rarely)


def make_journal_file(settings: Settings) -> JournalFile | None:
    """The file that ``--journal`` names; it is not open yet."""
    common = settings.common
    if common.journal is None:
        return None
    return JournalFile(common.journal, common.journal_size, common.journal_keep)


def make_control(service: VaurienService) -> ControlService:
    """The control server that settings describe."""
    from txvaurien.control.service import ControlService

    settings = service.settings
    return ControlService(
        service.proxies,
        reactor=service.reactor,
        access=settings.access,
        journal=service.journal,
        metrics=service.metrics,
    )


def make_metrics(service: VaurienService) -> Metrics | None:
    """What is measured of the proxies; None where nobody would read it.

    :raises ConfigError: it was asked for, and nobody would read it.
    """
    settings = service.settings
    if not settings.control and settings.common.statsd is None:
        if settings.common.metrics:
            raise ConfigError(
                settings.place("metrics"), "nobody would read them", "add --http, or --statsd HOST:PORT"
            )
        return None
    from txvaurien.metrics.watcher import Metrics

    return Metrics(service.journal, service.journal_file, exchanges=settings.common.metrics)


def make_statsd(metrics: Metrics, settings: Settings, reactor: Any) -> IService:
    """What sends the metrics to StatsD.

    :raises ConfigError: the address will not do.
    """
    from txvaurien.metrics.statsd import StatsdService, connect, parse_address

    place = settings.place("statsd")
    address = parse_address(settings.common.statsd or "", place)
    return StatsdService(metrics, connect(*address, place), reactor, settings.common.statsd_prefix)


def ready_descriptor() -> int | None:
    """The descriptor that `READY_VARIABLE` names, for this process and none that it starts."""
    named = os.environ.pop(READY_VARIABLE, "")
    return int(named) if named.isdecimal() else None


def makeService(options: Options) -> IService:
    """What twistd runs.

    twistd has a log of its own. With ``--log-output`` there is a second one, of our
    form and level.

    :raises SystemExit: with one line for standard error, if the settings cannot be.
    """
    from twisted.internet import reactor

    settings = options.settings
    try:
        if "log-output" in settings.places:
            place = settings.place("log-output")
            common = settings.common
            globalLogPublisher.addObserver(log_observer(common.log_level, common.log_output, place))
        raise_limit(settings.common.pool_max_size)
        service = TwistdService(settings, reactor, ready_descriptor())
        service.daemon = options.parent is not None and not options.parent["nodaemon"]
        return service
    except ConfigError as error:
        raise SystemExit(f"vaurien: {error}") from error
