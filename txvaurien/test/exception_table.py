"""docs/exceptions.md: which exception each error becomes in which client library.

Made of the same data that the tests drive through the proxy. To write it anew:
``python -m txvaurien.test.exception_table``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from txvaurien.test import (
    exceptions_http,
    exceptions_memcache,
    exceptions_mysql,
    exceptions_redis,
    exceptions_smtp,
)

PAGE = Path(__file__).parents[2] / "docs" / "exceptions.md"

_HEAD = """# What your client makes of each error

Each cell was seen through the proxy, in front of a real server, with the client library that its
column names: the test suite drives all of them, and this page is made of the same data. In brackets
stands what was called; where it is the same in a whole column it stands at its head. `—`: not seen
with that client.

"""

#: protocol, kind, client library, how it was met, what came of it
Row = tuple[str, str, str, str, str]


def rows() -> Iterator[Row]:
    """All that the tests expect."""
    for kind, client, how, raised in exceptions_http.EXPECTED:
        yield "http", kind, client, how, raised
    for kind, client, how, raised in exceptions_memcache.EXPECTED:
        yield "memcache", kind, client, how, raised
    for each in exceptions_mysql.EXPECTED:
        yield "mysql", each.kind, each.client, each.how, f"{each.exception} {each.number}"
    for kind, called, _, exception, _ in exceptions_redis.EXPECTED:
        yield "redis", kind, "redis-py", called, f"{exception.__module__}.{exception.__qualname__}"
    for kind, client, how, raised in exceptions_smtp.EXPECTED:
        yield "smtp", kind, client, how, raised


#: What comes of each kind, in one client: by kind, the outcomes, each with the calls that it comes of.
Column = dict[str, dict[str, list[str]]]


def columns() -> dict[str, dict[str, Column]]:
    """What was met, by protocol and client."""
    found: dict[str, dict[str, Column]] = {}
    for protocol, kind, client, how, raised in rows():
        column = found.setdefault(protocol, {}).setdefault(client, {})
        calls = column.setdefault(kind, {}).setdefault(raised, [])
        if how not in calls:
            calls.append(how)
    return found


def page() -> str:
    """The page."""
    found = columns()
    contents = [f"- [{protocol}](#{protocol}): {', '.join(clients)}" for protocol, clients in found.items()]
    tables = [f"\n## {protocol}\n\n{_table(clients)}" for protocol, clients in found.items()]
    return _HEAD + "\n".join(contents) + "\n" + "".join(tables)


def _table(clients: dict[str, Column]) -> str:
    kinds = dict.fromkeys(kind for column in clients.values() for kind in column)
    heads = [client + _called(_only_call(column)) for client, column in clients.items()]
    lines = [["error", *heads], ["---"] * (len(heads) + 1)]
    lines += [
        [f"`{kind}`", *(_cell(column.get(kind, {}), _only_call(column)) for column in clients.values())]
        for kind in kinds
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _only_call(column: Column) -> list[str]:
    """The call that all of it comes of, if there is one."""
    calls = {call for outcomes in column.values() for each in outcomes.values() for call in each}
    return list(calls) if len(calls) == 1 else []


def _cell(outcomes: dict[str, list[str]], at_head: list[str]) -> str:
    cells = [f"`{raised}`{'' if at_head else _called(calls)}" for raised, calls in outcomes.items()]
    return "<br>".join(cells) or "—"


def _called(calls: list[str]) -> str:
    return f" ({', '.join(f'`{call}`' for call in calls)})" if calls else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
