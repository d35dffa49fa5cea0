"""The weighted mix: ``5:error,10:delay``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from txvaurien.errors import ConfigError
from txvaurien.rules import Rule


@dataclass(frozen=True)
class Share:
    """One part of the mix: of a hundred exchanges, `percent` are for `rule`."""

    percent: float
    rule: Rule


def parse_mix(text: str, where: str = "--behavior") -> list[tuple[float, str]]:
    """Read ``5:error,10:delay`` or ``delay`` into (percent, name) pairs.

    :raises ConfigError: not of that form, or more than 100 percent. Whether the
        names exist is for the registry to say.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and ":" not in text:
        return [(100.0, _name(text, text, where))]
    mix = [_share(part, where) for part in parts]
    check_percentages([percent for percent, _ in mix], where)
    return mix


def _share(part: str, where: str) -> tuple[float, str]:
    percent, colon, name = part.partition(":")
    try:
        if not colon:
            raise ValueError
        return float(percent), _name(name, part, where)
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            where, f"{part!r} is not PERCENT:NAME", "write for example 5:error,10:delay"
        ) from None


def _name(name: str, part: str, where: str) -> str:
    if not name.strip():
        raise ConfigError(where, f"{part!r} names no behavior", "write for example 5:error,10:delay")
    return name.strip()


def check_percentages(percentages: Iterable[float], where: str) -> None:
    """:raises ConfigError: they are not percentages, or more than 100 together."""
    total = 0.0
    for percent in percentages:
        if not 0.0 <= percent <= 100.0:
            raise ConfigError(where, f"{percent:g} is not a percentage", "each is a number from 0 to 100")
        total += percent
    # Percentages are written in decimals: 33.3 + 33.3 + 33.4 may miss 100 by a rounding error.
    if total > 100.0 + 1e-9:
        raise ConfigError(where, f"the percentages add up to {total:g}", "at most 100; the rest is dummy")
