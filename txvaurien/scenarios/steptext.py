"""The words of a scenario's lines: shares, comments, and what stands behind a fault."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from txvaurien.errors import ConfigError

_PERCENT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)%", re.ASCII)
# Everything up to a # that begins a word outside of quotes.
_BEFORE_COMMENT = re.compile(r"""(?:[^'"\\#]|\\.|'[^']*'|"(?:[^"\\]|\\.)*"|(?<!\s)#)*(?=\#|$)""")
_TAIL = ("for", "on")


def without_comment(line: str) -> str:
    """A line without what follows a ``#`` that begins a word outside of quotes."""
    match = _BEFORE_COMMENT.match(" " + line)
    # Where a quote is not closed, the reader of the fault says so.
    return match[0] if match else line


def without_tail(text: str, where: str) -> tuple[str, list[str]]:
    """A fault, and the words from the first ``for`` or ``on`` behind it."""
    try:
        words = shlex.split(text)
    except ValueError:
        return text, []
    first = next((place for place, word in enumerate(words) if word in _TAIL), len(words))
    return shlex.join(words[:first]), words[first:]


def pairs(words: Sequence[str], keys: Sequence[str], where: str) -> dict[str, str]:
    """Values by the key words before them; ``30 %`` is one value.

    :raises ConfigError: a word that is none of `keys`, one that stands twice, or one without a value.
    """
    joined = " ".join(words).replace(" %", "%").split()
    found: dict[str, str] = {}
    for key, value in zip(joined[::2], [*joined[1::2], ""], strict=False):
        if key not in keys:
            raise ConfigError(where, f"{key!r} is not expected here", f"there may be: {', '.join(keys)}")
        if key in found or not value:
            wrong = "stands twice" if key in found else "has nothing behind it"
            raise ConfigError(where, f"{key!r} {wrong}", f"say each once, as {keys[0]} 10s")
        found[key] = value
    return found


def share_of(text: str, where: str) -> float:
    """From 0 to 1, of ``30%``.

    :raises ConfigError: not of that form, or not above 0 and up to 100.
    """
    match = _PERCENT.fullmatch(text)
    if match is None or not 0.0 < float(match[1]) <= 100.0:
        raise ConfigError(where, f"{text!r} is not a share", "write for example on 30 %, at most 100 %")
    return float(match[1]) / 100.0


def count_of(text: str, words: Sequence[str], where: str) -> int | None:
    """The rounds of a line such as ``repeat 3``, None for ``repeat forever``.

    :raises ConfigError: not of that form.
    """
    word = words[0] if len(words) == 1 else ""
    if word == "forever":
        return None
    if not (word.isascii() and word.isdigit() and len(word) < 20 and int(word) > 0):
        raise ConfigError(where, f"{text!r} will not do", "write for example repeat 3, or repeat forever")
    return int(word)


def only(words: Sequence[str], text: str, where: str) -> str:
    """The one word that there should be.

    :raises ConfigError: there is none, or there are more.
    """
    if len(words) != 1:
        raise ConfigError(
            where, f"{text!r} does not say one time", "write for example: at 10s: blackout for 5s"
        )
    return words[0]
