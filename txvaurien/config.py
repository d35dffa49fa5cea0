"""Settings: defaults, beaten by an INI file, beaten by the command line.

Whatever is wrong is a `ConfigError` that names the place: ``--seed``, or
``vaurien.ini:12: seed``. Options of a behavior that ``--behavior`` does not name are
not lost: they are that behavior's defaults in this process, so they hold when
it is set live and its options are not said again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from msgspec import structs

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Backend, Listen, parse_backend, parse_listen
from txvaurien.net.allowed import Pattern, parse_patterns
from txvaurien.net.ends import Ends, ends_of
from txvaurien.options import build
from txvaurien.plan import Plan
from txvaurien.planning.faults import FaultReader
from txvaurien.plugins import Registry
from txvaurien.process.definition import Definition
from txvaurien.protocols.base import WireProtocol
from txvaurien.settings.commandline import CommandLine, Source, read
from txvaurien.settings.described import Described, check_together
from txvaurien.settings.endchecks import check_ends, idle_options
from txvaurien.settings.flags import JOINED, Common, Given
from txvaurien.settings.proxysections import (
    SectionReader,
    check_unused,
    converted,
    limits_of,
    scenario_of,
    shared_out,
)
from txvaurien.settings.startplan import FaultSection, check_defaults, start_plan
from txvaurien.settings.tokens import check_given

# What reads a file, and what only the control server needs, is imported where it is used: a proxy is
# started for a single test.
if TYPE_CHECKING:
    from txvaurien.scenarios.scenario import Scenario
    from txvaurien.settings.access import Access

#: What the main proxy is called.
MAIN = "proxy"


@dataclass(frozen=True)
class Settings:
    """All that a process is told at its start.

    :param name: what the main proxy is called; draws depend on it. What else is said of a single proxy, is
        said of that one.
    :param has_main: whether there is one.
    :param others: the proxies that the file describes.
    :param source: where they come from; None where there is no file.
    :param common: the options that belong to no protocol and no behavior.
    :param behavior_defaults: what was set for each behavior, used or not, by attribute name.
    :param warnings: what the log should say at start.
    :param places: where each option that was given stands, by the name of its flag.
    """

    common: Common
    listen: Listen
    backend: Backend
    protocol: WireProtocol
    plan: Plan
    scenario: Scenario | None
    registry: Registry
    behavior_defaults: Mapping[str, Mapping[str, object]]
    warnings: tuple[str, ...]
    places: Mapping[str, str]
    name: str = MAIN
    has_main: bool = True
    others: tuple[Described, ...] = ()
    source: Source | None = None
    #: There is a file, and it says nothing at all.
    empty: bool = False
    #: Files with the authority of ``--tls auto``: to be read, and to be written.
    tls_ca: str | None = None
    tls_ca_out: str | None = None
    #: How clients and the backend of the main proxy are spoken to.
    ends: Ends = field(default_factory=Ends)
    #: Who may reach the control server; None where there is none.
    access: Access | None = None
    #: Where the control server may point a proxy at; empty for anywhere.
    allow_backend: tuple[Pattern, ...] = ()

    def place(self, name: str) -> str:
        """Where the option was given, or ``--name``."""
        return self.places.get(name, f"--{name}")

    @property
    def definition(self) -> Definition:
        """The main proxy."""
        common = self.common
        return Definition(
            self.name,
            self.listen,
            self.backend,
            self.protocol,
            self.plan,
            limits=limits_of(common),
            ends=self.ends,
            backlog=common.backlog,
            workers=common.workers,
            busy_poll=common.busy_poll / 1e6,
            places=self.places,
        )

    @property
    def described(self) -> Sequence[Described]:
        """All proxies that are there from the start, the main one first."""
        return (*self._main, *self.others)

    @property
    def _main(self) -> Sequence[Described]:
        return (Described(self.definition, self.scenario),) if self.has_main else ()

    @property
    def definitions(self) -> Sequence[Definition]:
        """As `described`, without the scenarios.

        :raises ConfigError: there is to be none, and something that only a proxy can use.
        """
        if self.common.workers > 1 and not self.described:
            what = "without a proxy they have nothing to do"
            raise ConfigError(self.place("workers"), what, "leave --no-proxy out")
        return [each.definition for each in self.described]

    def read_again(self) -> Settings:
        """What the same command line and its file say now.

        :raises ConfigError: anything that cannot be, and a file that says nothing, or nothing of proxies any
            more: it is just being written, and one proxy for all of them is not what is meant.
        """
        if self.source is None:
            return self
        line, path = self.source.read(), self.source.path
        if line.empty:
            raise ConfigError(path, "it is empty", "write it again, or end the process")
        settings = settle(line)
        if settings.has_main and not self.has_main and not {"proxy", "backend"} & settings.places.keys():
            allowed = "describe one, or write no-proxy = true into [vaurien]"
            raise ConfigError(path, "it describes no proxy any more", allowed)
        return settings

    @property
    def control(self) -> bool:
        """Whether the control server runs; without a proxy there would be nothing else."""
        return _has_control(self.common)


def load(
    arguments: Sequence[str],
    registry: Registry | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Settings from a command line.

    :raises ConfigError: anything that cannot be.
    """
    return settle(read(arguments, registry, environ))


def settle(line: CommandLine) -> Settings:
    """Convert what was given, and put it together.

    :raises ConfigError: a value that an option does not take, or values that do not fit together.
    """
    try:
        return _settled(line)
    except ConfigError as error:
        from txvaurien.settings.inifile import check_comment

        check_comment(line.in_file(error.where), error)
        raise


def _settled(line: CommandLine) -> Settings:
    places: dict[str, str] = {}
    values: dict[tuple[str, str], dict[str, object]] = {}
    warnings: list[str] = []
    for each in _that_count(line.given):
        flag = each.flag
        if flag.retired:
            warnings.append(f"{each.where}: this does nothing any more: {flag.retired}")
        if flag.option is not None:
            places[flag.name] = each.where
            values.setdefault((flag.group, flag.owner), {})[flag.option.attribute] = _converted(each)
    return _assemble(line, values, tuple(warnings), places)


def _that_count(given: Sequence[Given]) -> list[Given]:
    counting: dict[str, Given] = {}
    for each in given:
        before = counting.get(each.flag.name)
        if before is not None and each.flag.name in JOINED:
            counting[each.flag.name] = replace(each, text=f"{before.text},{each.text}")
        elif not each.flag.repeatable:
            counting[each.flag.name] = each
    return list(counting.values())


def _converted(given: Given) -> object:
    assert given.flag.option is not None
    return converted(given.flag.option, given.text, given.where)


def _assemble(
    line: CommandLine,
    values: Mapping[tuple[str, str], Mapping[str, object]],
    warnings: tuple[str, ...],
    places: Mapping[str, str],
) -> Settings:
    registry = line.registry
    common = build(Common, values.get(("", ""), {}))
    place = {name: places.get(name, f"--{name}") for name in ("proxy", "backend", "protocol", "scenario")}
    options = values.get(("protocols", common.protocol), {})
    protocol = registry.protocol(common.protocol, options, where=place["protocol"])
    defaults = {owner: each for (group, owner), each in values.items() if group == "behaviors"}
    reader = FaultReader(registry, protocol, defaults)
    has_main = _has_main(common, line, places)
    given = line.given if has_main else ()
    others, faults = _others(line, common, values, places, has_main)
    check_given(line.given)
    access, advice = _access(common, line, places)
    settings = Settings(
        # The token is in `access`, which does not show it.
        common=structs.replace(common, http_token=None),
        listen=parse_listen(common.proxy, place["proxy"]),
        backend=parse_backend(common.backend, place["backend"]),
        protocol=protocol,
        plan=start_plan(common.behavior, common.seed, reader, faults.get(MAIN, ()), given, places),
        scenario=scenario_of(common.scenario, reader, place["scenario"], line.folder),
        registry=registry,
        behavior_defaults=defaults,
        warnings=(*warnings, *advice),
        places=places,
        access=access,
        ends=ends_of(common, line.folder),
        tls_ca=_within(line.folder, common.tls_ca),
        tls_ca_out=_within(line.folder, common.tls_ca_out),
        allow_backend=parse_patterns(common.allow_backend, places.get("allow-backend", "--allow-backend")),
        has_main=has_main,
        others=others,
        source=line.source,
        empty=line.empty,
    )
    _check(settings, reader)
    return replace(settings, warnings=(*settings.warnings, *_idle(settings)))


def _idle(settings: Settings) -> Iterator[str]:
    """What was given and does nothing, in words for the log."""
    source = settings.source
    if source is not None and settings.empty:
        yield f"{source.path} says nothing"
    definitions = [each.definition for each in settings.described]
    yield from idle_options(definitions, settings.places, settings.control)


def _access(
    common: Common, line: CommandLine, places: Mapping[str, str]
) -> tuple[Access | None, Sequence[str]]:
    """Who may reach the control server, if there is one, and what the log should warn of."""
    if not _has_control(common):
        return None, ()
    from txvaurien.settings.access import access_of

    return access_of(common, places, line.environ, folder=line.folder)


def _has_main(common: Common, line: CommandLine, places: Mapping[str, str]) -> bool:
    """Without a word of it there is a main proxy only where the file describes none."""
    described = line.proxies or line.objects
    return not common.no_proxy and (not described or "proxy" in places or "backend" in places)


def _others(
    line: CommandLine,
    common: Common,
    values: Mapping[tuple[str, str], Mapping[str, object]],
    places: Mapping[str, str],
    has_main: bool,
) -> tuple[tuple[Described, ...], Mapping[str, Sequence[FaultSection]]]:
    """The proxies that the file describes, and the rules and toxics of all, as its sections have them."""
    if not has_main:
        check_unused(line.given, common.no_proxy)
    names = [section.name for section in line.proxies]
    faults = shared_out(line.sections, MAIN if has_main else "", names)
    reader = SectionReader(line.registry, common, values, places, common.busy_poll / 1e6, line.folder)
    described = [reader.read(section, faults.get(section.name, ())) for section in line.proxies]
    described += [reader.of_object(each) for each in line.objects]
    return tuple(described), faults


def _check(settings: Settings, main: FaultReader) -> None:
    """:raises ConfigError: what was given does not fit together."""
    readers = [replace(main, protocol=each.definition.protocol) for each in settings.described]
    check_defaults(readers or [main], settings.places)
    check_together(settings.described)
    check_ends([each.definition for each in settings.described])
    if settings.common.statsd is not None:
        from txvaurien.metrics.statsd import parse_address

        parse_address(settings.common.statsd, settings.place("statsd"))


def _within(folder: str, path: str | None) -> str | None:
    return None if path is None else os.path.join(folder, path)


def _has_control(common: Common) -> bool:
    return common.http or common.no_proxy
