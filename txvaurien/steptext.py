"""The words of a scenario's lines: times, shares, comments, and what stands behind a fault."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from txvaurien.errors import ConfigError

#: The longest time, in seconds.
LONGEST = 1000 * 3600.0

#: How times are written.
TIMES = "write for example 500ms, 1.5s, 2m or 1m30s"

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_TIME = re.compile("".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?){unit}(?![a-z]))?" for unit in _UNITS), re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)
# Everything up to a # that begins a word outside of quotes.
_BEFORE_COMMENT = re.compile(r"""(?:[^'"\\#]|\\.|'[^']*'|"(?:[^"\\]|\\.)*"|(?<!\s)#)*(?=\#|$)""")
_TAIL = ("for", "on")


def read_time(text: str, where: str) -> float:
    """Seconds, of ``500ms``, ``1.5s``, ``2m``, ``1h`` or ``1m30s``; ``0`` needs no unit.

    :raises ConfigError: not of that form, or more than 1000 hours.
    """
    match = _TIME.fullmatch(text)
    if text != "0" and (match is None or not text):
        raise ConfigError(where, f"{text!r} is not a time", TIMES)
    parts = match.groupdict() if match else {}
    seconds = sum(float(number) * _UNITS[unit] for unit, number in parts.items() if number)
    if seconds > LONGEST:
        raise ConfigError(where, f"{text!r} is too long", "the longest time is 1000h")
    return exact(seconds)


def time_text(seconds: float) -> str:
    """Seconds as the tables show them: ``10.0s``, ``0.125s``."""
    whole, _, part = f"{seconds:.3f}".partition(".")
    return f"{whole}.{part.rstrip('0') or '0'}s"


def exact(seconds: float) -> float:
    # Times are written in decimals: three times 0.1 s has to be 0.3 s, or spans that touch would overlap.
    return round(seconds, 6)


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
    if not (word.isascii() and word.isdigit() and int(word) > 0):
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
