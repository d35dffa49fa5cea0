"""docs/exceptions.md: which exception each error becomes in which client library.

Made of the same data that the tests drive through the proxy. To write it anew:
``python -m txvaurien.test.exception_table``.
"""

from __future__ import annotations

from collections import defaultdict
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

Every line was seen through the proxy, in front of a real server, with the client library that it
names: the test suite drives each of them, and this page is made of the same data. Where the same
thing is raised for several calls, the calls stand together.
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


def page() -> str:
    """The page."""
    grouped: dict[str, dict[tuple[str, str, str], list[str]]] = defaultdict(dict)
    for protocol, kind, client, how, raised in rows():
        calls = grouped[protocol].setdefault((kind, client, raised), [])
        if how not in calls:
            calls.append(how)
    parts = [_HEAD]
    for protocol, lines in grouped.items():
        parts.append(f"\n## {protocol}\n\n| error | client | call | what comes of it |\n|---|---|---|---|\n")
        for (kind, client, raised), calls in lines.items():
            met = ", ".join(f"`{call}`" for call in calls)
            parts.append(f"| `{kind}` | {client} | {met} | `{raised}` |\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
