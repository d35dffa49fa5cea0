"""The table in docs/metrics.md, made of the metrics that there are.

``python -m txvaurien.test.metrics_table`` writes it into the page.
"""

from __future__ import annotations

from pathlib import Path

from txvaurien.metrics.families import FAMILIES

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGIN, END = "<!-- table: made by txvaurien.test.metrics_table -->", "<!-- end -->"


def table() -> str:
    """The table."""
    rows = ["| metric | kind | labels | what it says |", "|---|---|---|---|"]
    for each in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        only = " (`--metrics`)" if each.exchange else ""
        rows.append(f"| `{each.full_name}` | {each.kind} | {labels} | {each.help}{only} |")
    return "\n".join(rows)


def page() -> str:
    """The page, with the table as it should be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
