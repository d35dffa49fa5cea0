"""How `vaurienctl` reads options and fields, and how it shows them. No I/O, standard library only."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence

from txvaurien.clients.vocabulary import OptionFields, VaurienError

_TRUTH = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)


def short_form(words: Sequence[str]) -> str:
    """One quoted argument is taken as it is; several have lost their quotes to the shell."""
    return words[0] if len(words) == 1 else shlex.join(words)


def unusual(values: Mapping[str, object], known: Sequence[OptionFields]) -> dict[str, object]:
    """The values that are not as they are by default, by their names with dashes."""
    defaults = {option["name"]: option["default"] for option in known}
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return {name: value for name, value in named.items() if name not in defaults or defaults[name] != value}


def in_words(name: str, fields: Mapping[str, object]) -> str:
    """A fault in the short form."""
    return " ".join(
        [name, *(f"{key.replace('_', '-')}={shlex.quote(shown(value))}" for key, value in fields.items())]
    )


def shown(value: object) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def read_options(rest: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Read ``--sleep 2``, ``--sleep=2``, and ``--before`` alone, which is true."""
    waiting = list(rest)
    while waiting:
        name, equals, text = waiting.pop(0).partition("=")
        if not name.startswith("--") or name == "--":
            raise VaurienError(f"unexpected argument {name!r}; an option of the behavior begins with --")
        if not equals:
            text = waiting.pop(0) if waiting and not waiting[0].startswith("--") else "true"
        yield name[2:], text


def read_fields(words: Sequence[str]) -> dict[str, str]:
    """Read ``sleep=2``, each an argument of its own; names get dashes.

    :raises VaurienError: one is not of that form, or stands twice.
    """
    fields: dict[str, str] = {}
    for word in words:
        written, equals, text = word.partition("=")
        name = written.replace("_", "-")
        if not name or not equals:
            raise VaurienError(f"{word!r} is not FIELD=VALUE; write for example: sleep=2")
        if name in fields:
            raise VaurienError(f"{name}: it stands twice; say it once")
        fields[name] = text
    return fields


def kinds_of(known: Sequence[OptionFields]) -> dict[str, str]:
    """The type of each option."""
    return {option["name"]: option["type"] for option in known}


def typed(given: Mapping[str, str], kinds: Mapping[str, str]) -> dict[str, object]:
    """The values that texts stand for; what has no type here stays a text."""
    return {name: converted(text, kinds.get(name.replace("_", "-"), "str")) for name, text in given.items()}


def converted(text: str, kind: str) -> object:
    """The value that a text stands for; the text itself, if none: the server says what is wrong."""
    if kind == "bool":
        return _TRUTH.get(text.lower(), text)
    try:
        number = {"int": int, "float": float}[kind](text)
        return number if math.isfinite(number) else text
    except (KeyError, ValueError, OverflowError):
        return text
