"""The table as a picture: a pane for each row, with a bar for each proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.process import Missing
from bench.report import Report, figure
from bench.rows import Row
from bench.stats import Line


def draw(report: Report, path: Path) -> None:
    """Write an SVG file.

    :raises Missing: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Missing("no plot without matplotlib: pip install 'txvaurien[bench]', or matplotlib") from None
    tables = list(report.tables())
    bars = [len(found) for _, found in tables]
    picture = Figure(figsize=(9, 0.28 * sum(bars) + 0.75 * len(bars)), layout="constrained")
    panes = picture.subplots(len(bars), 1, squeeze=False, height_ratios=bars)
    for pane, (row, found) in zip(panes[:, 0], tables, strict=True):
        _pane(pane, row, found)
    picture.savefig(path, format="svg", metadata={"Date": None})


def _pane(pane: Any, row: Row, found: list[Line]) -> None:
    names = [line.proxy for line in found]
    colours = ["tab:blue" if name.startswith("ours") else "tab:gray" for name in names]
    drawn = pane.barh(names, [line.value for line in found], color=colours)
    pane.bar_label(drawn, [figure(line.value) for line in found], padding=3, fontsize=7)
    less = "; less is better" if row.less_is_better else ""
    pane.set_title(f"{row.title} ({row.unit}{less})", fontsize=9, loc="left")
    pane.invert_yaxis()
    pane.margins(x=0.12)
    pane.tick_params(labelsize=7)
