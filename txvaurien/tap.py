"""``twistd vaurien``, and what it shares with ``vaurien``: options and the service they make."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger, globalLogPublisher
from twisted.python import usage
from twisted.python.failure import Failure

from txvaurien import __version__
from txvaurien.config import CommandLine, Settings, read, settle
from txvaurien.descriptors import raise_limit
from txvaurien.errors import ConfigError, ListenError
from txvaurien.journal import Journal
from txvaurien.journalfile import JournalFile
from txvaurien.logs import log_observer
from txvaurien.member import Member
from txvaurien.panicsignal import PanicSignal
from txvaurien.plan import Plan
from txvaurien.plugins import Registry
from txvaurien.printing import show
from txvaurien.proxies import NoProxy, Proxies
from txvaurien.proxy import Proxy

# Most starts need only some of what follows, and people start one proxy for each test. So the
# control server (Klein, and the web server below it) and what only some commands do are
# imported where they are used.
if TYPE_CHECKING:
    from txvaurien.control.service import ControlService

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
            from txvaurien.dryrun import dry_run_text

            show(dry_run_text(self.settings))
            raise SystemExit(0)

    def _read(self, arguments: Sequence[str]) -> tuple[CommandLine, Settings]:
        if arguments[:1] == ["replay"]:
            return self._read_replay(arguments[1:])
        line = read(arguments, self._registry)
        self._obey(line)
        return line, settle(line)

    def _read_replay(self, arguments: Sequence[str]) -> tuple[CommandLine, Settings]:
        from txvaurien.replaying import read_replayed, settle_replayed

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
        from txvaurien.helptext import help_text

        return help_text(registry, self.program)


class VaurienService(MultiService):
    """The proxies, their journal, a scenario and the control server, as settings want them.

    SIGUSR1 is the panic stop: everything that goes wrong by our doing stops at once.

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
        self.proxies = Proxies(
            reactor,
            settings.registry,
            settings.behavior_defaults,
            [self.journal],
            log_level=settings.common.log_level,
        )
        self.control_service: ControlService | None = None
        self._ready = ready
        self._trying: list[Deferred[Any]] = []
        self._panic = PanicSignal(reactor, self._on_panic)
        for definition in settings.definitions:
            definition.backend.resolve(definition.places.get("backend", "--backend"))
            self.proxies.put(definition, main=definition.name == settings.name)
        MultiService.addService(self, self.proxies)
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
        self._panic.install()
        self._announce()
        # Not before the reactor runs: whoever waits for it may send SIGTERM at once.
        self.reactor.callWhenRunning(lambda: ensureDeferred(self._when_ready()))
        for member in self.proxies:
            self._try_backend(member)
        if self.settings.scenario is not None:
            ensureDeferred(self.proxies.main.playing.play(self.settings.scenario))

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
        self._panic.remove()
        stopped: Deferred[Any] = MultiService.stopService(self)
        for trying in list(self._trying):
            trying.cancel()
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
            host = self.settings.common.http_host
            _log.info(
                "control on http://{where}/",
                where=_where(f"[{host}]:" if ":" in host else f"{host}:", self.control_service.port),
            )

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

    def _try_backend(self, member: Member) -> None:
        trying = member.proxy.endpoint.connect(_Knocking())
        self._trying.append(trying)
        trying.addErrback(self._backend_is_down, member.proxy)
        trying.addBoth(lambda _: self._trying.remove(trying))

    def _backend_is_down(self, failure: Failure, proxy: Proxy) -> None:
        if self.running:
            _log.warn(
                "the backend {backend} cannot be reached now ({why}); each client tries it again",
                backend=proxy.backend.text,
                why=failure.getErrorMessage().rstrip("."),
            )


class _Knock(Protocol):
    """A connection that only finds out whether it is accepted."""

    def connectionMade(self) -> None:
        """That was all."""
        transport: Any = self.transport
        transport.loseConnection()


class _Knocking(Factory):
    noisy = False
    protocol = _Knock


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


def announce(member: Member) -> None:
    """Say in the log that there is a proxy, where, and what it does."""
    proxy = member.proxy
    _log.info(
        "{name} on {where} for {backend}: protocol {protocol}, behavior {behavior}{more}, seed {seed}",
        name=proxy.name,
        where=where_it_listens(member),
        backend=proxy.backend.text,
        protocol=proxy.protocol.name,
        behavior=proxy.plan.mix_text,
        more="".join(f", {what} {name}" for what, name in _named(proxy.plan)),
        seed=proxy.seed,
    )


def where_it_listens(member: Member) -> str:
    """The address in the words of the user, with the real port."""
    if member.service is None or not member.running:
        return f"{member.listen or 'no listener of its own'} (disabled)"
    return _where(member.service.listen, member.service.port)


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
        settings.common.http_host,
        settings.common.http_port,
        reactor=service.reactor,
        journal=service.journal,
    )


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


def _named(plan: Plan) -> Iterator[tuple[str, str]]:
    """What a plan has beside its mix."""
    yield from (("rule", rule.name) for rule in plan.rules)
    yield from (("toxic", placed.name) for placed in plan.toxics)


def _where(text: str, port: int | None) -> str:
    """An address with its real port, where the user left that to the kernel."""
    head, colon, tail = text.rpartition(":")
    return f"{head}:{port}" if colon and port and tail in {"", "0"} else text
