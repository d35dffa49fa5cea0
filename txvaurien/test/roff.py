"""The few macros of man(7) that a page needs. Every function gives whole lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPES = str.maketrans(
    {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
)


def escaped(text: str) -> str:
    """A text that shows as it is, in one line, wherever a line may begin."""
    plain = " ".join(text.split()).translate(_ESCAPES)
    plain = "".join(each if each.isascii() else rf"\[u{ord(each):04X}]" for each in plain)
    return rf"\&{plain}" if plain.startswith(".") else plain


def title(name: str, summary: str) -> str:
    """The head of a page of section 1, and its first section."""
    # Words with dashes and dots in them are options and addresses: they are not hyphenated.
    head = f'.TH {name.upper()} 1 "" txvaurien "User Commands"\n.nh\n.ad l\n'
    return head + section("Name") + rf"{escaped(name)} \- {escaped(summary)}" + "\n"


def section(heading: str) -> str:
    """A heading."""
    return f".SH {heading.upper()}\n"


def page(pieces: Iterable[str]) -> str:
    """A whole page. What stands first below a heading needs no macro that begins a paragraph."""
    return re.sub(r"(?m)^(\.S[HS] .*\n)\.PP\n", r"\1", "".join(pieces))


def subsection(heading: str) -> str:
    """A heading below another."""
    return f".SS {escaped(heading)}\n"


def paragraph(text: str) -> str:
    """Running text."""
    return f".PP\n{escaped(text)}\n"


def tagged(tags: Iterable[str], text: str) -> str:
    """An entry of a list: what it is about, in one line or more, and what is said of it."""
    lines = [rf"\fB{escaped(tag)}\fR" for tag in tags]
    return ".TP\n" + "\n.TQ\n".join(lines) + f"\n{escaped(text)}\n"


def examples(words: Iterable[str], lines: Iterable[str]) -> str:
    """Running text, and lines below it that stay as they are."""
    shown = "".join(f"{_indent(line)}{escaped(line)}\n" for line in lines)
    return "".join(map(paragraph, words)) + f".PP\n.nf\n{shown}.fi\n"


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
