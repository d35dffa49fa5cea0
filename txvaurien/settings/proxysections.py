"""The proxies that a file describes, ``[proxy:NAME]``, and what its rules and toxics say of them.

A section has the lines of `SectionFields`, and the options of its protocol by their own names. What it
does not say of its limits, its seed, its backlog and its workers is as in ``[vaurien]`` and on the command
line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import parse_backend, parse_listen
from txvaurien.net.ends import Ends, ends_of
from txvaurien.options import Option, build, convert, options_of, unknown
from txvaurien.planning.faults import FaultReader
from txvaurien.planning.rulefields import read_name
from txvaurien.plugins import Registry
from txvaurien.process.definition import Definition
from txvaurien.process.limits import Limits
from txvaurien.protocols.base import WireProtocol
from txvaurien.settings.described import Described
from txvaurien.settings.flags import REPEATABLE, Given, OfProxy, normal
from txvaurien.settings.startplan import FaultSection, start_plan

if TYPE_CHECKING:
    from txvaurien.scenarios.scenario import Scenario
    from txvaurien.settings.inifile import Contents, Line
    from txvaurien.settings.proxyobjects import ProxyObject

KIND = "proxy"

#: How an option that is off by default is switched off again.
_OFF = frozenset({"", "off", "none"})

#: Toxiproxy's words for two of the lines.
_ALSO: Mapping[str, str] = MappingProxyType({"listen": "proxy", "upstream": "backend"})

#: What every proxy has as the process has it, unless it says otherwise.
INHERITED = (*Limits.__struct_fields__, *Ends.__struct_fields__, "seed", "backlog", "workers")


class SectionFields(OfProxy, frozen=True, kw_only=True):
    """What ``[proxy:NAME]`` can say, beside the options of its protocol."""

    name: ClassVar[str] = KIND

    enabled: Annotated[bool, Meta(description="whether clients can connect from the start")] = True


@dataclass(frozen=True)
class ProxySection:
    """``[proxy:NAME]``, its lines by their names in `SectionFields`, or in the options of its protocol."""

    name: str
    where: str
    lines: Mapping[str, Line]


def proxy_sections(contents: Contents) -> tuple[ProxySection, ...]:
    """The proxies of a file, and of those that it extends; a section that comes again adds to it.

    :raises ConfigError: one has no name, or says something twice.
    """
    found: dict[str, ProxySection] = {}
    for section in contents.sections:
        kind, _, name = section.name.partition(":")
        if kind != KIND or section.name in found:
            continue
        if not name.strip():
            raise ConfigError(section.where, f"[{section.name}] has no name", f"write [{KIND}:NAME]")
        lines = [line for line in contents.lines if line.section == section.name]
        read_name(name, section.where)
        found[section.name] = ProxySection(name, section.where, _by_name(lines))
    return tuple(found.values())


def _by_name(lines: Sequence[Line]) -> Mapping[str, Line]:
    """:raises ConfigError: a file says the same in two words."""
    found: dict[str, Line] = {}
    for line in lines:
        name = _ALSO.get(line.name, line.name)
        before = found.get(name)
        if before is not None and before.name != line.name and before.file == line.file:
            what = f"it is another word for {before.name!r}, which is there already"
            raise ConfigError(line.where, what, f"the other is {before.where}")
        found[name] = line
    return found


def shared_out(
    sections: Sequence[FaultSection], main: str, others: Sequence[str]
) -> Mapping[str, Sequence[FaultSection]]:
    """The rules and toxics of each proxy that has some.

    :param main: the name of the main proxy; ``""`` where there is none.
    :param others: the names of those that the file describes.
    :raises ConfigError: one names a proxy that there is not, or does not say which one it is for.
    """
    found: dict[str, list[FaultSection]] = {}
    for section in sections:
        for name in _meant(section, main, others):
            found.setdefault(name, []).append(section)
    return found


def _meant(section: FaultSection, main: str, others: Sequence[str]) -> Sequence[str]:
    names = [main, *others] if main else [*others]
    line = section.proxies
    if line is None:
        return [_meant_by_default(section, main, others)]
    said = [name.strip() for name in line.value.split(",")]
    if said == ["*"]:
        return names
    for name in said:
        if name not in names:
            raise unknown("proxy", name, names, where=line.where)
    return list(dict.fromkeys(said))


def _meant_by_default(section: FaultSection, main: str, others: Sequence[str]) -> str:
    if main:
        return main
    if len(others) == 1:
        return others[0]
    what = f"[{section.kind}:{section.name}] does not say for which proxy it is"
    if not others:
        raise ConfigError(section.where, "there is no proxy that it could be for", "take it out")
    allowed = f"add a line proxy = NAME, with commas for several, or * for all: {', '.join(others)}"
    raise ConfigError(section.where, what, allowed)


def check_unused(given: Sequence[Given], chosen: bool) -> None:
    """Where there is no main proxy, what only that could have is an error.

    :param chosen: whether that was said, and does not just follow from the proxies of a file.
    :raises ConfigError: something of that was given.
    """
    unused = REPEATABLE if chosen else {*REPEATABLE, "protocol", "behavior", "scenario"}
    for each in given:
        if each.flag.name in unused:
            what = "there is no main proxy that this could be for"
            instead = "say it of one in the file" + (
                "" if chosen else ", or give a --backend for a main proxy"
            )
            raise ConfigError(each.where, what, instead)


@dataclass(frozen=True)
class SectionReader:
    """Makes proxies of sections.

    :param common: what was given for the process.
    :param options: the options that were given for each protocol and behavior, by attribute name.
    :param places: where each of them stands, by the name of its flag.
    :param busy_poll: seconds to go on polling after an event.
    :param folder: what the names of files are relative to.
    """

    registry: Registry
    common: OfProxy
    options: Mapping[tuple[str, str], Mapping[str, object]]
    places: Mapping[str, str]
    busy_poll: float = 0.0
    folder: str = ""

    @property
    def defaults(self) -> Mapping[str, Mapping[str, object]]:
        """What was given for behaviors."""
        return {owner: values for (group, owner), values in self.options.items() if group == "behaviors"}

    def read(self, section: ProxySection, faults: Sequence[FaultSection]) -> Described:
        """The proxy of a section, with these rules and toxics.

        :raises ConfigError: anything that cannot be.
        """
        fields, protocol = self._values(section)
        where = {name: line.where for name, line in section.lines.items()}
        for name in ("proxy", "backend"):
            if name not in where:
                what = f"[{KIND}:{section.name}] does not say {_MISSING[name]}"
                raise ConfigError(section.where, what, f"add a line {name} = HOST:PORT")
        places = {**self.places, **where}
        reader = FaultReader(self.registry, protocol, self.defaults)
        definition = Definition(
            section.name,
            parse_listen(fields.proxy, where["proxy"]),
            parse_backend(fields.backend, where["backend"]),
            protocol,
            start_plan(fields.behavior, fields.seed, reader, faults, (), places),
            enabled=fields.enabled,
            limits=limits_of(fields),
            ends=ends_of(fields, self.folder),
            backlog=fields.backlog,
            workers=fields.workers,
            busy_poll=self.busy_poll,
            places=where,
        )
        return Described(
            definition, scenario_of(fields.scenario, reader, where.get("scenario", ""), self.folder)
        )

    def _values(self, section: ProxySection) -> tuple[SectionFields, WireProtocol]:
        """What the lines say, converted."""
        name, place = self._protocol(section)
        own = {option.name: option for option in options_of(SectionFields)}
        further = {option.name: option for option in options_of(self.registry.protocols[name])}
        values: dict[str, object] = {name: getattr(self.common, name) for name in INHERITED}
        options = dict(self.options.get(("protocols", name), {}))
        for each, line in section.lines.items():
            option = own.get(each) or further.get(each)
            if option is None:
                known = [*own, *_ALSO, *further]
                raise unknown("option", line.name, known, where=line.where, of=f"[{line.section}]")
            into = values if each in own else options
            into[option.attribute] = converted(option, line.value, line.where)
        return build(SectionFields, values), self.registry.protocol(name, options, where=place)

    def of_object(self, each: ProxyObject) -> Described:
        """The proxy of an object in a file of JSON.

        :raises ConfigError: anything that cannot be.
        """
        # Only who has such a file needs what reads it.
        from txvaurien.process.definitionreader import DefinitionReader

        definition = DefinitionReader(self.registry, self.defaults).read(
            {**each.fields, **self._not_said(each.fields)}, where=each.where, files=True
        )
        common = self.common
        return Described(
            replace(
                definition,
                ends=definition.ends.within(self.folder),
                backlog=common.backlog,
                workers=common.workers,
                busy_poll=self.busy_poll,
            )
        )

    def _not_said(self, fields: Mapping[str, object]) -> dict[str, object]:
        """What was given on the command line, and an object does not say."""
        said = {name.replace("-", "_") for part in (fields, _object(fields, "limits")) for name in part}
        if _object(fields, "plan").get("seed") is not None:
            said.add("seed")
        given = {
            name: getattr(self.common, name)
            for name in (*Limits.__struct_fields__, *Ends.__struct_fields__, "seed")
        }
        more = {name: given[name] for name in given if normal(name) in self.places and name not in said}
        options = self.options.get(("protocols", str(fields.get("protocol", "tcp"))), {})
        if options and isinstance(fields.get("options", {}), Mapping):
            more["options"] = {**options, **_object(fields, "options")}
        return more

    def _protocol(self, section: ProxySection) -> tuple[str, str]:
        line = section.lines.get("protocol")
        name, place = ("tcp", section.where) if line is None else (line.value, line.where)
        if name not in self.registry.protocols:
            raise unknown("protocol", name, self.registry.protocols, where=place)
        return name, place


def _object(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    """A field that should be an object; empty if it is none, which somebody else complains of."""
    value = fields.get(name)
    return value if isinstance(value, Mapping) else {}


_MISSING: Mapping[str, str] = MappingProxyType(
    {"proxy": "where it listens", "backend": "where its backend is"}
)


def limits_of(fields: Limits) -> Limits:
    """The limits among options of which they are only a part."""
    return Limits(**{name: getattr(fields, name) for name in Limits.__struct_fields__})


def converted(option: Option, text: str, where: str) -> object:
    """The value of an option that was given as a text.

    :raises ConfigError: it will not do.
    """
    text = text.lower() if option.choices else text
    if option.default is None and text.strip().lower() in _OFF:
        return None
    return convert(option, text, where=where, text=True)


def scenario_of(path: str | None, reader: FaultReader, where: str, folder: str = "") -> Scenario | None:
    """The scenario in a file.

    :param folder: what `path` is relative to, if not to the folder that the process is in.
    :raises ConfigError: it cannot be read, or is none.
    """
    if path is None:
        return None
    from txvaurien.scenarios.scenario import read_scenario

    try:
        with open(os.path.join(folder, path), encoding="utf-8") as stream:
            text = stream.read()
    except OSError as error:
        raise ConfigError(where, f"{path!r} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(where, f"{path!r} is not UTF-8 text ({error})") from error
    except ValueError as error:  # no path has such a character
        raise ConfigError(where, f"{path!r} cannot be read ({error})") from error
    return read_scenario(text, path, reader.read)
