"""INI files, as lines that know where they stand.

``extends = base.ini`` in ``[vaurien]`` reads other files first (relative to
the file, separated by white space or commas); what a file says itself beats
them. ``${NAME}`` is the value of an environment variable, ``$${`` a literal ``${``.
A line that begins with white space continues the value before it. A comment
has a line of its own and begins with ``#`` or ``;``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from iniconfig import IniConfig, ParseError

from txvaurien.errors import ConfigError
from txvaurien.settings.flags import normal
from txvaurien.settings.proxyobjects import ProxyObject

_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[^}]*)(?P<end>\}?)")
#: What begins like this was meant to be a line of its own.
_INDENTED = re.compile(r"\s+(\[|[\w-]+\s*=)")
#: What was perhaps meant to be a comment behind a value.
_COMMENT = re.compile(r"\s[#;]")
_MAIN = "vaurien"


@dataclass(frozen=True)
class Line:
    """One option in a file. ``name`` is written with dashes, ``where`` is ``x.ini:12: name``."""

    section: str
    name: str
    value: str
    where: str

    @property
    def file(self) -> str:
        """The file in which it stands."""
        return self.where.rsplit(":", 2)[0]


@dataclass(frozen=True)
class Section:
    """A section in a file, be it empty; ``where`` is ``x.ini:3``."""

    name: str
    where: str


@dataclass(frozen=True)
class Contents:
    """What a file and those it extends say; of two lines for one option the later counts.

    :param proxies: those of a file that is no INI file, but JSON.
    """

    sections: tuple[Section, ...] = ()
    lines: tuple[Line, ...] = ()
    proxies: tuple[ProxyObject, ...] = ()


def read_ini(
    path: str,
    environ: Mapping[str, str] = os.environ,
    *,
    where: str = "--config",
    above: tuple[str, ...] = (),
    text: str | None = None,
) -> Contents:
    """Read the file at `path`, and what it extends.

    :param where: the place that named it, for errors.
    :param above: the real paths of the files that led here.
    :param text: what it says, if that has been read already.
    :raises ConfigError: it cannot be read, or is no INI file, or extends itself.
    """
    real = os.path.realpath(path)
    if real in above:
        raise ConfigError(where, f"{path!r} extends itself", "take this file out of the circle")
    own = _own_contents(path, environ, read_text(path, where) if text is None else text)
    bases = [
        read_ini(os.path.join(os.path.dirname(path), name), environ, where=line.where, above=(*above, real))
        for line in own.lines
        if _extends(line)
        for name in line.value.replace(",", " ").split()
    ]
    mine = Contents(own.sections, tuple(line for line in own.lines if not _extends(line)))
    return _joined([*bases, mine])


def check_comment(value: str, error: ConfigError) -> None:
    """Say so if this value of a file, which will not do, ends with what was meant for a comment.

    :raises ConfigError: the error, with that advice.
    """
    if _COMMENT.search(value):
        advice = "a comment has a line of its own"
        allowed = f"{error.allowed}; {advice}" if error.allowed else advice
        raise ConfigError(error.where, error.what, allowed) from error


def _extends(line: Line) -> bool:
    return line.section == _MAIN and line.name == "extends"


def _joined(parts: list[Contents]) -> Contents:
    return Contents(
        tuple(section for part in parts for section in part.sections),
        tuple(line for part in parts for line in part.lines),
    )


def _own_contents(path: str, environ: Mapping[str, str], text: str) -> Contents:
    parsed = _parse(path, text)
    sections = tuple(Section(each.name, f"{path}:{parsed.lineof(each.name)}") for each in parsed)
    lines: dict[tuple[str, str], Line] = {}
    for section in parsed:
        for written, value in section.items():
            place = f"{path}:{section.lineof(written)}: {written}"
            key = (section.name, normal(written))
            if key in lines:
                raise ConfigError(place, "it is set twice", f"the other is {lines[key].where}")
            lines[key] = Line(*key, _expanded(value, environ, place), place)
    return Contents(sections, tuple(lines.values()))


def _parse(path: str, text: str) -> IniConfig:
    for number, line in enumerate(text.splitlines(), 1):
        if _INDENTED.match(line):
            what = "this line is indented, so it would go on with the value before it"
            raise ConfigError(f"{path}:{number}", what, "begin it in the first column")
    try:
        return IniConfig(path, text)
    except ParseError as error:
        raise _not_ini(path, text.splitlines(), error) from error


def _not_ini(path: str, lines: list[str], error: ParseError) -> ConfigError:
    written, place = lines[error.lineno].strip(), f"{path}:{error.lineno + 1}"
    before = [_name(line) for line in lines[: error.lineno]]
    name = _name(written)
    if not error.msg.startswith("duplicate"):
        return ConfigError(place, f"this is not INI ({error.msg})", "write [section] and name = value")
    # It is the last one before: that of another section may be called so as well.
    other = f"{path}:{error.lineno - before[::-1].index(name)}"
    if not written.startswith("["):
        return ConfigError(f"{place}: {name}", "it is set twice", f"the other is {other}: {name}")
    kind = name[1:].partition(":")[0]
    instead = "put the lines of both into one"
    if kind in ("rule", "toxic", "proxy"):
        instead = f"call one of them otherwise ([{kind}:NAME])"
    return ConfigError(place, f"there is a section {name} already, at {other}", instead)


def _name(line: str) -> str:
    """The name that a line sets, or a section with its brackets."""
    text = line.strip()
    if text.startswith("["):
        return re.split("[#;]", text)[0].rstrip()
    return re.split("[=:]", text)[0].rstrip()


def read_text(path: str, where: str) -> str:
    """What a file says.

    :param where: the place that named it.
    :raises ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        with open(path, "rb") as stream:
            raw = stream.read()
        return raw.decode("utf-8")
    except OSError as error:
        raise ConfigError(where, f"{path!r} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        what = f"the byte {raw[error.start]:#04x} is not UTF-8"
        raise ConfigError(f"{path}:{line}", what, "save the file as UTF-8 text") from error
    except ValueError as error:  # no path has such a character
        raise ConfigError(where, f"{path!r} cannot be read ({error})") from error


def _expanded(value: str, environ: Mapping[str, str], where: str) -> str:
    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return "${"
        if not match["end"]:
            raise ConfigError(
                where, f"{match[0]!r} has no closing brace", "write ${NAME}, or $${ for a literal ${"
            )
        if name not in environ:
            allowed = "set it, or write $${ for a literal ${"
            raise ConfigError(where, f"the environment variable {name!r} is not set", allowed)
        return environ[name]

    return _VARIABLE.sub(replace, " ".join(value.split("\n")).strip())
