"""The table of options in docs/toxics.md, made of what the toxics declare.

To write it anew: ``python -m txvaurien.test.toxic_table``.
"""

from __future__ import annotations

from pathlib import Path

from txvaurien.options import Option, options_of, summary
from txvaurien.plugins import Registry
from txvaurien.toxics.base import Toxic

PAGE = Path(__file__).parents[2] / "docs" / "toxics.md"

#: As they are told in the page: first Toxiproxy's, in its order.
ORDER = (
    "latency",
    "bandwidth",
    "slow_close",
    "timeout",
    "reset_peer",
    "slicer",
    "limit_data",
    "pause",
    "blackhole",
    "corrupt",
)

_BEGIN = "<!-- options: written by `python -m txvaurien.test.toxic_table` -->\n"
_END = "<!-- end of options -->\n"


def table() -> str:
    """The table."""
    lines = ["| toxic | attribute | default | value | |", "|---|---|---|---|---|"]
    toxics = Registry.load().toxics
    for name in sorted(toxics, key=_place):
        lines += _rows(toxics[name])
    return "\n".join(lines) + "\n"


def page(now: str) -> str:
    """The page, with the table as it should be."""
    before, _, rest = now.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{table()}{_END}{after}"


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _rows(toxic: type[Toxic]) -> list[str]:
    heads = [f"| **{toxic.name}** | | | | {summary(toxic)} |"]
    return heads + [_row(option) for option in options_of(toxic)]


def _row(option: Option) -> str:
    return f"| | `{option.attribute}` | `{option.default}` | {option.allowed} | {option.help} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
