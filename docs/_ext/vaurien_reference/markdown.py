"""Markdown, as the generators write it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\*_<>|\[\]#~$])")
_BAR = re.compile(r"(?<!\\)\|")
_ESCAPED_BAR = r"\\|"
_CODE = re.compile(r"`+[^`]+`+")


def escaped(text: str) -> str:
    """Plain words: nothing in them means anything in Markdown, but for what stands in backticks."""
    parts, end = [], 0
    for match in _CODE.finditer(text):
        parts += [_SPECIAL.sub(r"\\\1", text[end : match.start()]), code(match[0].strip("`"))]
        end = match.end()
    return "".join([*parts, _SPECIAL.sub(r"\\\1", text[end:])])


def code(text: str) -> str:
    """A text to be shown as it is; nothing where it is empty."""
    return f"`{text}`" if text else ""


def name(text: str) -> str:
    """The name of an option, which is not broken at its dashes (docs/_static/tables.css)."""
    return f"{code(text)}{{.option}}"


def codes(texts: Iterable[str]) -> str:
    """Several of those."""
    return ", ".join(code(text) for text in texts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty without rows. Cells are Markdown, of one line each."""
    # A bar ends a cell wherever it stands, in code as well.
    lines = [f"| {' | '.join(_BAR.sub(_ESCAPED_BAR, each) for each in cells)} |" for cells in rows]
    ruler = f"|{'---|' * len(head)}"
    return "\n".join([f"| {' | '.join(head)} |", ruler, *lines, ""]) if lines else ""


def paragraphs(*parts: str) -> str:
    """Parts with an empty line between them; empty ones are left out."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def doc_of(thing: object) -> str:
    """What a docstring says, in paragraphs of Markdown."""
    return escaped(inspect.getdoc(thing) or "")
