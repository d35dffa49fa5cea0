"""Times as users write them: ``10``, ``500ms``, ``1.5s``, ``1m30s``."""

from __future__ import annotations

import re

from txvaurien.errors import ConfigError

#: The longest time that `read_time` takes, in seconds.
LONGEST = 1000 * 3600.0

#: How times are written.
TIMES = "write for example 10, 500ms, 1.5s, 2m or 1m30s"

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)"
_BARE = re.compile(rf"{_NUMBER}(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_JOINED = re.compile("".join(rf"(?:(?P<{unit}>{_NUMBER}){unit}(?![a-z]))?" for unit in _UNITS), re.ASCII)


def seconds_of(text: str) -> float | None:
    """Seconds, None if the text is no time. A number without a unit is one of seconds."""
    return float(text) if _BARE.fullmatch(text) else seconds_with_unit(text)


def seconds_with_unit(text: str) -> float | None:
    """Seconds, None if the text is no time or a number without a unit."""
    match = _JOINED.fullmatch(text)
    if match is None or not text:
        return None
    parts = match.groupdict().items()
    return exact(sum(float(number) * _UNITS[unit] for unit, number in parts if number))


def read_time(text: str, where: str) -> float:
    """Seconds of a time that is at most 1000 hours.

    :raises ConfigError: it is no time, or longer.
    """
    seconds = seconds_of(text)
    if seconds is None:
        raise ConfigError(where, f"{text!r} is not a time", TIMES)
    if seconds > LONGEST:
        raise ConfigError(where, f"{text!r} is too long", "the longest time is 1000h")
    return exact(seconds)


def time_text(seconds: float) -> str:
    """Seconds as the tables show them: ``10.0s``, ``0.125s``."""
    whole, _, part = f"{seconds:.3f}".partition(".")
    return f"{whole}.{part.rstrip('0') or '0'}s"


def exact(seconds: float) -> float:
    """Without what a sum of decimals is off by: three times 0.1 s is 0.3 s."""
    # Or spans that touch would overlap.
    return round(seconds, 6)
