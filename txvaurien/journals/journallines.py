"""The lines of a journal, read again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from txvaurien.errors import ConfigError


class PlanLine(msgspec.Struct):
    """The plan in what a file's head says of a proxy."""

    rules: list[dict[str, Any]] = []
    toxics: list[dict[str, Any]] = []


class Head(msgspec.Struct):
    """What all lines have, as far as they have it."""

    event: str
    n: int = 0
    proxy: str = ""
    link: int = 0


class Line(Head):
    """What a replay needs of a line, whichever event it is. What it does not have is empty."""

    # journal
    format: int = 0
    run: str = ""
    # proxy, plan
    listen: str = ""
    backend: str = ""
    protocol: str = ""
    plan: PlanLine | None = None
    rules: list[dict[str, Any]] = []
    toxics: list[dict[str, Any]] = []
    seed: int = 0
    # fired, misfired
    rule: str = ""
    behavior: str = ""
    options: dict[str, Any] = {}
    exchange: str | int = ""
    did: list[str] = []


#: The events of which more than the head is needed.
_NEEDED = frozenset({"journal", "proxy", "plan", "fired", "misfired"})


class JournalLines:
    """Every line of a journal, with its place as ``file:line``, the oldest file first.

    :param path: files that were put aside are called ``path.1`` (the newest) and so on.
    :ivar cut: where the last line is, if it is not whole and was left out.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._heads = msgspec.json.Decoder(Head)
        self._decoder = msgspec.json.Decoder(Line)
        self.cut = ""

    def __iter__(self) -> Iterator[tuple[str, Line]]:
        """:raises ConfigError: a file cannot be read, or a line is none of a journal."""
        torn = ""
        for where, raw in self._raw():
            line = self._parsed(raw, where)
            # Where a line was cut short, a process begins anew, or what is missing is counted.
            if torn and (line is None or line.event not in ("journal", "dropped")):
                raise _not_a_line(torn)
            torn = where if line is None else ""
            if line is not None:
                yield where, line
        self.cut = torn

    def _raw(self) -> Iterator[tuple[str, bytes]]:
        for name in self._files():
            try:
                with open(name, "rb") as file:
                    for number, raw in enumerate(file, 1):
                        if raw.strip():
                            yield f"{name}:{number}", raw
            except OSError as error:
                raise ConfigError(name, f"it cannot be read ({error.strerror})") from error

    def _files(self) -> list[str]:
        aside: list[str] = []
        while os.path.exists(name := f"{self._path}.{len(aside) + 1}"):
            aside.append(name)
        # One that is not there is to be complained of.
        newest = [self._path] if os.path.exists(self._path) or not aside else []
        return [*reversed(aside), *newest]

    def _parsed(self, raw: bytes, where: str) -> Line | None:
        """None for what is no JSON."""
        try:
            head = self._heads.decode(raw)
            if head.event in _NEEDED:
                return self._decoder.decode(raw)
            return Line(head.event, head.n, head.proxy, head.link)
        except msgspec.ValidationError as error:
            raise _not_a_line(where, _why(error) if raw.lstrip().startswith(b"{") else "") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


def _why(error: msgspec.ValidationError) -> str:
    """Which field it is, as msgspec tells of it in the end: ``at `$.plan.rules[0]```."""
    field = re.search(r"\$\.([\w.]+)", str(error))
    return f" (its {field[1]!r} cannot be that)" if field else " (it has no event)"


def _not_a_line(where: str, why: str = "") -> ConfigError:
    return ConfigError(
        where,
        f"this is not a line of a journal{why}",
        "each is a JSON object with an event; name a file of --journal",
    )
