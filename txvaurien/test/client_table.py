"""The tables in docs/clients.md, made of the classes that they tell of.

To write them anew: ``python -m txvaurien.test.client_table``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from txvaurien import client
from txvaurien.clients import blocking, blockingproxy, clientproxy

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"

#: What is in each table: its name in the page, the blocking class and the awaitable one.
TABLES: Sequence[tuple[str, type, type]] = (
    ("client", blocking.Client, client.AsyncClient),
    ("proxy", blocking.ProxyHandle, client.AsyncProxyHandle),
    ("rule", blockingproxy.Rule, clientproxy.AsyncRule),
    ("toxic", blockingproxy.Toxic, clientproxy.AsyncToxic),
)
#: What an object is called in the table.
_CALLED = {"client": "", "proxy": "proxy.", "rule": "fault.", "toxic": "toxic."}
#: They have what the clients have, for one proxy.
_HANDLES = (blocking.ProxyHandle, client.AsyncProxyHandle)


def members_of(of: type) -> dict[str, Any]:
    """What may be used of a class, in the order in which it stands there; of a handle, what only that has."""
    bases = [of] if of in _HANDLES else list(reversed(of.__mro__[:-1]))
    found = {name: each for base in bases for name, each in vars(base).items()}
    return {name: each for name, each in found.items() if not name.startswith("_")}


def written(name: str, member: Any, *, awaited: bool = False) -> str:
    """As it is used: ``fault.fired``, ``await fault.wait(n=1, timeout=10.0)``."""
    if isinstance(member, property):
        return name
    coroutine = inspect.iscoroutinefunction(inspect.unwrap(member))
    before = "await " if awaited and coroutine else "async with " if awaited else ""
    return f"{before}{name}({', '.join(_parameters(member))})"


def _parameters(member: Any) -> Iterator[str]:
    _, *parameters = inspect.signature(member).parameters.values()
    seen_keyword = False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not seen_keyword:
            seen_keyword = True
            yield "*"
        # Types and the mark of what has no keyword are for the source.
        plain = each.replace(annotation=inspect.Parameter.empty)
        yield str(plain).replace("type_", "type")


def said_of(member: Any) -> str:
    """The first line of what is said of it, as Markdown."""
    return (inspect.getdoc(member) or "").partition("\n")[0].replace("``", "`")


def table(called: str, of: type, awaitable: type) -> str:
    """A table of one class beside its awaitable counterpart."""
    others = members_of(awaitable)
    head = ["| `Client` | `AsyncClient` | |", "|---|---|---|"]
    if not called:
        head = ["| | |", "|---|---|"]
    lines = []
    for name, member in members_of(of).items():
        cells = [f"`{written(called + name, member)}`"]
        if called:
            cells.append(f"`{written(called + name, others[name], awaited=True)}`")
        lines.append(f"| {' | '.join(cells)} | {said_of(member)} |")
    return "\n".join([*head, *lines]) + "\n"


def page(now: str) -> str:
    """The page, with the tables as they should be."""
    for name, of, awaitable in TABLES:
        begin, end = (
            f"<!-- {name}: written by `python -m txvaurien.test.client_table` -->\n",
            f"<!-- end of {name} -->\n",
        )
        before, _, rest = now.partition(begin)
        now = before + begin + table(_CALLED[name], of, awaitable) + end + rest.partition(end)[2]
    return now


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
