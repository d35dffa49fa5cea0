"""The command line and the file that it names, read and looked up.

What of it has which value is for `txvaurien.config` to find out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from txvaurien.errors import ConfigError
from txvaurien.options import unknown
from txvaurien.plugins import Registry
from txvaurien.settings.flags import COMMANDS, REPEATABLE, Flag, Given, flags_of, parse_arguments, prefix_of
from txvaurien.settings.proxysections import ProxySection, proxy_sections
from txvaurien.settings.startplan import FaultSection, fault_sections, meant_section

# What reads files is imported where there is one: a proxy is started for a single test.
if TYPE_CHECKING:
    from txvaurien.settings.inifile import Contents, Line, Section
    from txvaurien.settings.proxyobjects import ProxyObject

_GROUPS = {"protocol": "protocols", "behavior": "behaviors"}
_CLASSES = {**_GROUPS, "toxic": "toxics"}


@dataclass(frozen=True)
class Source:
    """A file with settings, and all that is needed to read it again.

    :param folder: the one that the process was in when it was read first.
    """

    path: str
    # Neither is shown: a token may be in it.
    arguments: Sequence[str] = field(repr=False)
    registry: Registry | None
    environ: Mapping[str, str] = field(repr=False)
    folder: str

    def read(self) -> CommandLine:
        """What it says now, with the same command line.

        :raises ConfigError: an unknown name, or a file that cannot be read.
        """
        folder = self.folder if os.getcwd() != self.folder else ""
        return read(self.arguments, self.registry, self.environ, folder=folder)


@dataclass(frozen=True)
class CommandLine:
    """What was given, read and looked up, and not yet converted."""

    registry: Registry
    given: Sequence[Given]
    sections: Sequence[FaultSection] = ()
    proxies: Sequence[ProxySection] = ()
    objects: Sequence[ProxyObject] = ()
    source: Source | None = None
    folder: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    #: There is a file, and it says nothing at all.
    empty: bool = False

    def asks(self, command: str) -> bool:
        """Whether one of `COMMANDS` that take no value was given."""
        return any(each.flag.name == command and each.text == "true" for each in self.given)

    def in_file(self, where: str) -> str:
        """The value that stands at a place in a file; ``""`` if that is no place in a file."""
        lines = [line for section in self.sections for line in section.lines]
        lines += [line for section in self.proxies for line in section.lines.values()]
        values = {each.where: each.value for each in lines}
        values |= {each.where: each.text for each in self.given if not each.where.startswith("--")}
        return values.get(where, "")


def read(
    arguments: Sequence[str],
    registry: Registry | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    folder: str = "",
) -> CommandLine:
    """Read the command line and the file that it names.

    :param registry: what can be named, None for all that is installed; the user's own classes are added.
    :param folder: what names of files are relative to, if not to the folder that the process is in.
    :raises ConfigError: an unknown name, or a file that cannot be read.
    """
    path, given_registry = _config(arguments), registry
    registry = Registry.load() if registry is None else registry
    if path is None:
        return CommandLine(registry, parse_arguments(arguments, registry), folder=folder, environ=environ)
    contents = _contents(os.path.join(folder, path), environ)
    _add_own_classes(contents, registry)
    in_file = _look_up(contents, flags_of(registry), registry)
    return CommandLine(
        registry,
        [*in_file, *parse_arguments(arguments, registry)],
        fault_sections(contents),
        proxy_sections(contents),
        contents.proxies,
        Source(path, tuple(arguments), given_registry, environ, folder or os.getcwd()),
        folder,
        environ,
        empty=not (contents.sections or contents.proxies),
    )


def _config(arguments: Sequence[str]) -> str | None:
    """The file has to be known before the rest can be looked up: it may add names."""
    path: str | None = None
    for position, token in enumerate(arguments):
        if token.startswith("--config="):
            path = token.partition("=")[2]
        elif token == "--config":
            path = next(iter(arguments[position + 1 :]), None)
    # What looks like an option is none: `parse_arguments` says that the value is missing.
    return None if path is None or path.startswith("--") else path


def _contents(path: str, environ: Mapping[str, str]) -> Contents:
    from txvaurien.settings.inifile import Contents, read_ini, read_text
    from txvaurien.settings.proxyobjects import is_json, read_objects

    text = read_text(path, "--config")
    if is_json(text):
        return Contents(proxies=read_objects(text, path))
    return read_ini(path, environ, text=text)


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
        if not _is_of_own(section.name)
    }
    return [
        Given(_flag(line, prefixes[line.section], flags), line.value, line.where)
        for line in contents.lines
        if line.section in prefixes and (line.name != "callable" or line.section == "vaurien")
    ]


def _is_of_own(section: str) -> bool:
    """Whether a section is no list of flags."""
    return section.partition(":")[0] in {"rule", "toxic", "proxy"}


def _prefix(section: Section, registry: Registry) -> str:
    """What the flags of a section begin with."""
    if section.name == "vaurien":
        return ""
    kind, _, owner = section.name.partition(":")
    if kind in _GROUPS and owner in getattr(registry, _GROUPS[kind]):
        return prefix_of(_GROUPS[kind], owner)
    known = {f"{prefix}:{name}" for prefix, group in _GROUPS.items() for name in getattr(registry, group)}
    names = {"vaurien", "proxy:NAME", "rule:NAME", "toxic:NAME", *known}
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
