"""What the doctor finds: one line each, for people and for scripts."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from txvaurien import __version__

#: The number of the JSON's form: it changes when a field changes its meaning or goes away.
FORMAT = 1


class Level(enum.Enum):
    """How bad it is: an error means that something cannot work as it is configured."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One line.

    :param topic: what was looked at: ``listen``, ``backend``, ``protocol``, ``plan`` ...
    :param text: what was found.
    :param advice: what to do about it; ``""`` where nothing has to be done.
    :param about: what it is about: ``proxy NAME``, ``control`` or ``process``.
    """

    level: Level
    topic: str
    text: str
    advice: str = ""
    about: str = ""


#: How marks are coloured (SGR parameters, ECMA-48 8.3.117).
_COLOURS: Mapping[Level, str] = MappingProxyType(
    {Level.OK: "32", Level.NOTE: "36", Level.WARNING: "33", Level.ERROR: "31"}
)
_WIDTH = max(len(level.value) for level in Level)


def as_text(findings: Sequence[Finding], *, coloured: bool = False) -> str:
    """A line for each, and how many are errors and warnings."""
    return "\n".join([*(_line(each, coloured) for each in findings), _summary(findings)])


def _line(finding: Finding, coloured: bool) -> str:
    mark = finding.level.value.ljust(_WIDTH)
    if coloured:
        mark = f"\033[{_COLOURS[finding.level]}m{mark}\033[0m"
    text = f"{finding.text}; {finding.advice}" if finding.advice else finding.text
    return f"{mark}  {finding.about}: {finding.topic}: {text}"


def _summary(findings: Iterable[Finding]) -> str:
    levels = [each.level for each in findings]
    return ", ".join(_counted(levels.count(level), level.value) for level in (Level.ERROR, Level.WARNING))


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}" if number < 2 else f"{number} {what}s"


def as_json(findings: Sequence[Finding]) -> str:
    """The same, as one object; docs/doctor.md has its shape."""
    said: dict[str, object] = {
        "format": FORMAT,
        "txvaurien": __version__,
        "ok": not failed(findings),
        "findings": [
            {
                "level": each.level.value,
                "about": each.about,
                "topic": each.topic,
                "text": each.text,
                "advice": each.advice,
            }
            for each in findings
        ],
    }
    return json.dumps(said, indent=2)


def failed(findings: Iterable[Finding]) -> bool:
    """Whether something cannot work."""
    return any(each.level is Level.ERROR for each in findings)
