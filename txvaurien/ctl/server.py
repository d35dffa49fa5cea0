"""What the commands of ``vaurienctl`` do that concern a server as a whole: what it offers, and how it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

from txvaurien.clients.vocabulary import Fields, VaurienError
from txvaurien.ctl.asked import CONFLICT, Asked, Shown, advice
from txvaurien.ctl.proxies import read_text
from txvaurien.ctl.words import shown, table


def populate(asked: Asked) -> Shown:
    """The file is read here, and sent; the proxies of it, and where each listens."""
    path = asked.chosen.file
    try:
        wanted = json.loads(read_text(path))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise VaurienError(f"{path}: {why}; it must hold a list of proxies as JSON") from error
    if not isinstance(wanted, list):
        raise VaurienError(f'{path}: write a list, [{{"name": "redis", "upstream": "localhost:6379"}}]')
    with advice(CONFLICT, "see with `vaurienctl list` what has been done"):
        made = asked.client.populate(wanted)
    rows = [[each["name"], each["listen"], each["upstream"]] for each in made]
    return Shown(table(rows) if rows else "There is nothing to do", made)


def health(asked: Asked) -> Shown:
    """In a line."""
    found = asked.client.health()
    count = found["proxies"]
    text = (
        f"{found['status']}: txvaurien {found['version']}, {count} {'proxy' if count == 1 else 'proxies'},"
        f" up {found['uptime']:.0f} s"
    )
    return Shown(text, found)


def ca(asked: Asked) -> Shown:
    """The PEM text, to be put into a file."""
    pem = asked.client.ca()
    return Shown(pem.rstrip(), {"pem": pem})


def protocols(asked: Asked) -> Shown:
    """Each with its options and the kinds of errors that it can say."""
    found = asked.client.list_protocols()
    lines = [
        line
        for name, each in found.items()
        for line in (
            *_offer(name, each),
            *_named("errors", (kind["name"] for kind in each["kinds"])),
        )
    ]
    return Shown("\n".join(lines), found)


def toxic_types(asked: Asked) -> Shown:
    """Each with its attributes."""
    found = asked.client.list_toxic_types()
    return Shown("\n".join(line for name, each in found.items() for line in _offer(name, each)), found)


def _offer(name: str, described: Fields) -> Iterator[str]:
    """A name, what it is for, and its options, each in a line of its own."""
    yield f"{name}: {described['help']}"
    rows = [[f"  {each['name']}={_default(each['default'])}", each["help"]] for each in described["options"]]
    if rows:
        yield table(rows)


def _named(what: str, names: Iterator[str]) -> Iterator[str]:
    joined = ", ".join(names)
    if joined:
        yield f"  {what}: {joined}"


def _default(value: object) -> str:
    return "" if value is None else shown(value)
