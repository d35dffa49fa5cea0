"""What a command of ``vaurienctl`` is asked, and what it answers. Standard library only."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from txvaurien.clients.blocking import Client
from txvaurien.clients.blockingproxy import ProxyCommands
from txvaurien.clients.vocabulary import VaurienError
from txvaurien.ctl.words import table
from txvaurien.process.printing import coloured

CONFLICT = 409
NOT_FOUND = 404

#: What is coloured where it stands alone in a cell, and how (SGR parameters, ECMA-48 8.3.117).
_COLOURS: Mapping[str, str] = MappingProxyType({"enabled": "32", "disabled": "31"})


@dataclass(frozen=True)
class Asked:
    """One command with its arguments.

    :param proxy: what ``--proxy`` names, else the main proxy.
    :param rest: what remains after the arguments that are known: options of behaviors.
    """

    client: Client
    proxy: ProxyCommands
    chosen: argparse.Namespace
    rest: Sequence[str] = ()


@dataclass(frozen=True)
class Shown:
    """What a command shows: a text for people, and the same for scripts (``--json``)."""

    text: str
    data: object


def printed(said: str | Shown, as_json: bool) -> str:
    """What is printed; a text that says what was done is ``{"message": ...}`` for scripts.

    An empty text is none: the command has shown all itself.
    """
    if not as_json or said == "":
        return said.text if isinstance(said, Shown) else said
    return json.dumps(said.data if isinstance(said, Shown) else {"message": said})


def titled(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table below its titles; in colours on a terminal."""
    text = table([titles, *rows])
    if not coloured():
        return text
    first, *others = text.split("\n")
    return "\n".join([f"\033[1m{first}\033[0m", *map(_painted, others)])


def _painted(line: str) -> str:
    for word, colour in _COLOURS.items():
        before, found, after = line.partition(f"  {word}")
        if found and (not after or after.startswith("  ")):
            return f"{before}  \033[{colour}m{word}\033[0m{after}"
    return line


def check_fixed(what: str, given: Iterable[str], *fixed: str) -> None:
    """:raises VaurienError: one of the fields stays as it is."""
    for name in given:
        if name in fixed:
            raise VaurienError(f"the {name} of a {what} stays; remove this one and add another")


def taken(what: str) -> str:
    """The advice where there is one of that name already."""
    return (
        f"change that with `vaurienctl {what} update`, remove it with `vaurienctl {what} remove`,"
        " or give this one another name"
    )


@contextmanager
def advice(status: int, text: str) -> Iterator[None]:
    """Where the server refuses with this status, say what to do here rather than over HTTP."""
    try:
        yield
    except VaurienError as error:
        if error.status != status:
            raise
        what = str(error).partition("; ")[0]
        raise VaurienError(f"{what}; {text}", status) from error
