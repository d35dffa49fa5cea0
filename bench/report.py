"""What is printed and written: the table, as text or Markdown, and JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.proxies import PEERS
from bench.rows import ROWS, Row
from bench.stats import DIRECT, Line, Sample, lines

_ORDER = (DIRECT, *PEERS)


@dataclass(frozen=True)
class Report:
    """All there is to say of one run."""

    samples: Sequence[Sample]
    #: What was left out and what else is to be known: where, by the words.
    remarks: Mapping[str, Sequence[str]]
    machine: Mapping[str, str]

    def tables(self) -> Iterator[tuple[Row, list[Line]]]:
        """Each row with its lines."""
        for name, row in ROWS.items():
            mine = [sample for sample in self.samples if sample.row == name]
            if mine:
                yield row, lines(mine, _peers(mine))

    def as_json(self) -> str:
        """Everything, the single samples too."""
        return json.dumps(
            {
                "machine": dict(self.machine),
                "remarks": dict(self.remarks),
                "rows": {row.name: _row_json(row, found) for row, found in self.tables()},
                "samples": [dataclasses.asdict(sample) for sample in self.samples],
            },
            indent=1,
        )


def machine() -> dict[str, str]:
    """What the figures were taken on, and when."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{os.cpu_count()} x {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def text(report: Report) -> str:
    """For a terminal."""
    return "\n".join(_sections(report, _plain))


def markdown(report: Report) -> str:
    """For the documentation."""
    return "\n".join(_sections(report, piped))


def cells(row: Row, found: Sequence[Line]) -> list[list[str]]:
    """The head and the lines of one table."""
    compared = {peer for line in found for peer in line.ratios}
    # Our own come last; the others stand in one order in every table.
    shown = sorted(compared, key=lambda peer: _ORDER.index(peer) if peer in _ORDER else len(_ORDER))
    head = ["proxy", row.unit, "lowest", "highest", *(f"/ {peer}" for peer in shown), "CPU us", "memory MB"]
    table = [head, *(_cells(line, shown) for line in found)]
    # A column in which nobody has anything says nothing.
    used = [column for column in range(len(head)) if any(line[column] for line in table[1:])]
    return [[line[column] for column in used] for line in table]


def figure(value: float | None) -> str:
    """A number as wide as it is exact; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _peers(samples: Sequence[Sample]) -> list[str]:
    """What a row's proxies are compared with: those of others, or the first where there are none."""
    names = list(dict.fromkeys(sample.proxy for sample in samples))
    others = [name for name in _ORDER if name in names]
    return others or names[:1]


def _cells(line: Line, shown: Sequence[str]) -> list[str]:
    ratios = [f"{line.ratios[peer]:.2f}" if peer in line.ratios else "" for peer in shown]
    values = [figure(value) for value in (line.value, line.low, line.high)]
    return [line.proxy, *values, *ratios, figure(line.cpu), figure(line.memory)]


def _sections(report: Report, table: Any) -> Iterator[str]:
    for name, value in report.machine.items():
        yield f"- {name}: {value}"
    for row, found in report.tables():
        rounds = max(line.rounds for line in found)
        less = "; less is better" if row.less_is_better else ""
        yield f"\n### {row.title}\n\n`{row.name}`, median of {rounds} rounds{less}\n"
        yield from table(cells(row, found))
    if report.remarks:
        yield "\nRemarks:\n"
        yield from (f"- {', '.join(where)}: {words}" for words, where in report.remarks.items())


def _plain(table: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        first, *rest = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join([line[0].ljust(len(first)), *rest])


def piped(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table in Markdown; the first is its head."""
    head, *rest = table
    yield f"| {' | '.join(head)} |"
    yield "|---|" + "---:|" * (len(head) - 1)
    for line in rest:
        yield f"| {' | '.join(line)} |"


def _row_json(row: Row, found: Sequence[Line]) -> dict[str, Any]:
    return {
        "title": row.title,
        "unit": row.unit,
        "less_is_better": row.less_is_better,
        "proxies": [dataclasses.asdict(line) for line in found],
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    said = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in said if line.startswith("model name")]
    return names[0] if names else platform.machine()
