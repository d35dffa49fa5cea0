"""Tables of options, from their declarations (`txvaurien.options`)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from txvaurien.options import Declared, Option, options_of
from vaurien_reference.markdown import code, escaped, name, table

HEAD = ("option", "default", "value", "")


def option_table(declared: type[Declared]) -> str:
    """The options of a class, or that it has none."""
    return option_rows(options_of(declared)) or "No options.\n"


def option_rows(options: Iterable[Option], *, before: str = "", first: str = "option") -> str:
    """A table with a row for each option.

    :param before: what stands before each name: ``--behavior-delay-``.
    :param first: the head of the column with the names.
    """
    rows = [
        (name(before + each.name), default_text(each), escaped(each.allowed), escaped(each.help))
        for each in options
    ]
    return table((first, *HEAD[1:]), rows)


def default_text(option: Option) -> str:
    """A default as users would write it."""
    value = option.default
    if value is None or value is msgspec.NODEFAULT or value == "" or value == {}:
        return ""
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(f"{value:g}" if isinstance(value, float) else str(value))
