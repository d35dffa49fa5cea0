"""Settings: defaults, beaten by an INI file, beaten by the command line.

Whatever is wrong is a `ConfigError` that names the place: ``--seed``, or
``vaurien.ini:12: seed``. Options of a behavior that ``--behavior`` does not name are
not lost: they are that behavior's defaults in this process, so they hold when
it is set live and its options are not said again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from txvaurien.addresses import Backend, Listen, parse_backend, parse_listen
from txvaurien.definition import Definition
from txvaurien.errors import ConfigError
from txvaurien.faults import FaultReader
from txvaurien.flags import COMMANDS, REPEATABLE, Common, Flag, Given, flags_of, parse_arguments, prefix_of
from txvaurien.inifile import Contents, Line, Section, check_comment, read_ini
from txvaurien.limits import Limits
from txvaurien.options import build, convert, unknown
from txvaurien.plan import Plan
from txvaurien.plugins import Registry
from txvaurien.protocols.base import WireProtocol
from txvaurien.scenario import Scenario, read_scenario
from txvaurien.startplan import FaultSection, fault_sections, meant_section, start_plan

#: How an option that is off by default is switched off again.
_OFF = frozenset({"", "off", "none"})

_GROUPS = {"protocol": "protocols", "behavior": "behaviors"}
_CLASSES = {**_GROUPS, "toxic": "toxics"}


@dataclass(frozen=True)
class Settings:
    """All that a process is told at its start.

    :param name: what the proxy is called; draws depend on it.
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
    name: str = "proxy"

    def place(self, name: str) -> str:
        """Where the option was given, or ``--name``."""
        return self.places.get(name, f"--{name}")

    @property
    def definition(self) -> Definition:
        """The proxy that the process is started for."""
        common = self.common
        return Definition(
            self.name,
            self.listen,
            self.backend,
            self.protocol,
            self.plan,
            limits=Limits(**{name: getattr(common, name) for name in Limits.__struct_fields__}),
            backlog=common.backlog,
            workers=common.workers,
            busy_poll=common.busy_poll / 1e6,
            places=self.places,
        )

    @property
    def definitions(self) -> Sequence[Definition]:
        """All proxies that are there from the start.

        :raises ConfigError: there is to be none, and something that only a proxy can use.
        """
        if not self.common.no_proxy:
            return (self.definition,)
        if self.common.workers > 1:
            what = "without a proxy they have nothing to do"
            raise ConfigError(self.place("workers"), what, "leave --no-proxy out")
        return ()

    @property
    def control(self) -> bool:
        """Whether the control server runs; without a proxy there would be nothing else."""
        return self.common.http or self.common.no_proxy


@dataclass(frozen=True)
class CommandLine:
    """What was given, read and looked up, and not yet converted."""

    registry: Registry
    given: Sequence[Given]
    sections: Sequence[FaultSection] = ()

    def asks(self, command: str) -> bool:
        """Whether one of `COMMANDS` that take no value was given."""
        return any(each.flag.name == command and each.text == "true" for each in self.given)

    def in_file(self, where: str) -> str:
        """The value that stands at a place in a file; ``""`` if that is no place in a file."""
        values = {each.where: each.value for section in self.sections for each in section.lines}
        values |= {each.where: each.text for each in self.given if not each.where.startswith("--")}
        return values.get(where, "")


def read(
    arguments: Sequence[str],
    registry: Registry | None = None,
    environ: Mapping[str, str] = os.environ,
) -> CommandLine:
    """Read the command line and the INI file that it names.

    :param registry: what can be named, None for all that is installed; the user's own classes are added.
    :raises ConfigError: an unknown name, or a file that cannot be read.
    """
    registry = Registry.load() if registry is None else registry
    contents = _contents(arguments, environ)
    _add_own_classes(contents, registry)
    in_file = _look_up(contents, flags_of(registry), registry)
    given = [*in_file, *parse_arguments(arguments, registry)]
    return CommandLine(registry, given, fault_sections(contents))


def load(
    arguments: Sequence[str],
    registry: Registry | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Settings from a command line.

    :raises ConfigError: anything that cannot be.
    """
    return settle(read(arguments, registry, environ))


def _contents(arguments: Sequence[str], environ: Mapping[str, str]) -> Contents:
    """The file has to be read before the rest can be looked up: it may add names."""
    path: str | None = None
    for position, token in enumerate(arguments):
        if token.startswith("--config="):
            path = token.partition("=")[2]
        elif token == "--config":
            path = next(iter(arguments[position + 1 :]), None)
    # What looks like an option is none: `parse_arguments` says that the value is missing.
    return Contents() if path is None or path.startswith("--") else read_ini(path, environ)


def _add_own_classes(contents: Contents, registry: Registry) -> None:
    for line in contents.lines:
        kind, _, name = line.section.partition(":")
        if line.name != "callable" or kind not in _CLASSES:
            continue
        group = _CLASSES[kind]
        _import(registry, group, name, line)
        called = getattr(getattr(registry, group)[name], "name", None)
        if called != name:
            raise ConfigError(
                line.where,
                f"{line.value} has the name {called!r}, its section is [{line.section}]",
                f"set `name = {name!r}` in the class",
            )


def _import(registry: Registry, group: str, name: str, line: Line) -> None:
    try:
        registry.add(group, name, line.value, where=line.where)
    except ConfigError:
        raise
    except Exception as error:  # whatever the user's module raises while it is imported
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(line.where, f"{line.value!r} cannot be imported ({reason})") from error


def _look_up(contents: Contents, flags: Mapping[str, Flag], registry: Registry) -> list[Given]:
    prefixes = {
        section.name: _prefix(section, registry)
        for section in contents.sections
        if not _is_fault(section.name)
    }
    return [
        Given(_flag(line, prefixes[line.section], flags), line.value, line.where)
        for line in contents.lines
        if line.section in prefixes and (line.name != "callable" or line.section == "vaurien")
    ]


def _is_fault(section: str) -> bool:
    return section.partition(":")[0] in {"rule", "toxic"}


def _prefix(section: Section, registry: Registry) -> str:
    """What the flags of a section begin with."""
    if section.name == "vaurien":
        return ""
    kind, _, owner = section.name.partition(":")
    if kind in _GROUPS and owner in getattr(registry, _GROUPS[kind]):
        return prefix_of(_GROUPS[kind], owner)
    known = {f"{prefix}:{name}" for prefix, group in _GROUPS.items() for name in getattr(registry, group)}
    names = {"vaurien", "rule:NAME", "toxic:NAME", *known}
    meant = meant_section(section.name)
    if meant:
        what = f"there is no section {section.name!r} (did you mean [{meant}]?)"
        raise ConfigError(section.where, what, f"write [{meant.partition(':')[0]}:NAME]")
    raise unknown("section", section.name, names, where=section.where)


def _flag(line: Line, prefix: str, flags: Mapping[str, Flag]) -> Flag:
    flag = flags.get(prefix + line.name)
    if flag is not None and flag.name not in COMMANDS:
        return flag
    if not prefix and line.name in REPEATABLE:
        what = f"a {line.name} has a section of its own in a file"
        raise ConfigError(line.where, what, f"write [{line.name}:NAME], with a line for each field")
    names = [
        each.option.name
        for each in flags.values()
        if each.option is not None and prefix_of(each.group, each.owner) == prefix
    ]
    raise unknown("option", line.name, names, where=line.where, of=f"[{line.section}]")


def settle(line: CommandLine) -> Settings:
    """Convert what was given, and put it together.

    :raises ConfigError: a value that an option does not take, or values that do not fit together.
    """
    try:
        return _settled(line)
    except ConfigError as error:
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
    return list({each.flag.name: each for each in given if not each.flag.repeatable}.values())


def _converted(given: Given) -> object:
    option = given.flag.option
    assert option is not None
    text = given.text.lower() if option.choices else given.text
    if option.default is None and text.strip().lower() in _OFF:
        return None
    return convert(option, text, where=given.where, text=True)


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
    return Settings(
        common=common,
        listen=parse_listen(common.proxy, place["proxy"]),
        backend=parse_backend(common.backend, place["backend"]),
        protocol=protocol,
        plan=start_plan(common.behavior, common.seed, reader, line.sections, line.given, places),
        scenario=_scenario(common.scenario, reader, place["scenario"]),
        registry=registry,
        behavior_defaults=defaults,
        warnings=warnings,
        places=places,
    )


def _scenario(path: str | None, reader: FaultReader, where: str) -> Scenario | None:
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except OSError as error:
        raise ConfigError(where, f"{path!r} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(where, f"{path!r} is not UTF-8 text ({error})") from error
    return read_scenario(text, path, reader.read)
