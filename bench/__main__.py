"""`python -m bench`: the command."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import report
from bench.backends import ROOT
from bench.plot import draw
from bench.process import Missing
from bench.proxies import MODES, PEERS, TOXICS, Setting, Tree, check, names_for
from bench.report import Report
from bench.rows import ROWS, Row
from bench.runner import Run
from bench.stats import DIRECT


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write; the exit status is 1 if nothing could be measured."""
    parser = _parser()
    options = parser.parse_args(arguments)
    setting = Setting(_trees(options.ours or [ROOT]), os.environ.get("TOXIPROXY", ""))
    try:
        rows = _rows(options.rows, options.quick)
        plan = [(row, _names(row, options.proxies, setting)) for row in rows]
    except ValueError as error:
        parser.error(str(error))
    _raise_limit()
    # Whoever ends us ends what we started as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    made = measure(plan, Run(setting, *_effort(options), _say))
    _write(made, options)
    print((report.markdown if options.markdown else report.text)(made))
    return 0 if made.samples else 1


def measure(plan: Sequence[tuple[Row, Sequence[str]]], run: Run) -> Report:
    """Measure each row through its proxies, until somebody interrupts."""
    machine = report.machine()
    try:
        for number, (row, names) in enumerate(plan, 1):
            run.say(f"[{number}/{len(plan)}] {row.name}: {row.title}; load {os.getloadavg()[0]:.2f}")
            run.measure(row, names)
    except KeyboardInterrupt:
        run.remark(row.name, "interrupted: what was measured before is shown")
    machine["load"] += f" before, {os.getloadavg()[0]:.2f} after"
    return Report(run.samples, run.remarks, machine)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures txvaurien beside other proxies, in interleaved rounds.",
        epilog=f"""Rows: {", ".join(ROWS)}. Proxies: {DIRECT}, {", ".join(PEERS)} (set TOXIPROXY to its
        binary), and ours-MODE with the modes {", ".join([*MODES, *TOXICS])}.""",
    )
    add = parser.add_argument
    add("--rows", type=_list, metavar="NAME,...", help="only these rows")
    add("--proxies", type=_list, metavar="NAME,...", help="these proxies in every row")
    add("--ours", type=Path, action="append", metavar="FOLDER", help="a tree of ours; the second is ours2")
    add("--rounds", type=_positive(int), metavar="N", help="samples of each (default: 7)")
    add("--seconds", type=_positive(float), metavar="S", help="length of a sample (default: 2)")
    add("--quick", action="store_true", help="the first rows, short: two minutes")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--json", type=Path, metavar="FILE", help="write everything, the single samples too")
    add("--plot", type=Path, metavar="FILE", help="draw an SVG")
    return parser


def _list(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def convert(word: str) -> float:
        value = kind(word)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{word!r} will not do: it must be more than 0")
        return value

    return convert


def _trees(folders: Sequence[Path]) -> dict[str, Tree]:
    return {f"ours{number if number > 1 else ''}": Tree(path) for number, path in enumerate(folders, 1)}


def _rows(names: Sequence[str] | None, quick: bool) -> list[Row]:
    unknown = [name for name in names or () if name not in ROWS]
    if unknown:
        raise ValueError(f"there is no row {unknown[0]!r}; the rows are: {', '.join(ROWS)}")
    return (
        [ROWS[name] for name in names] if names else [row for row in ROWS.values() if row.quick or not quick]
    )


def _names(row: Row, wanted: Sequence[str] | None, setting: Setting) -> list[str]:
    names = names_for(wanted or row.proxies, setting)
    for name in names:
        check(name, setting)
    return names


def _effort(options: argparse.Namespace) -> tuple[int, float]:
    rounds, seconds = (3, 0.4) if options.quick else (7, 2.0)
    return options.rounds or rounds, options.seconds or seconds


def _raise_limit() -> None:
    """Let us, and all that we start, have as many descriptors as may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _write(made: Report, options: argparse.Namespace) -> None:
    if options.json:
        options.json.write_text(made.as_json() + "\n")
    if options.plot and made.samples:
        try:
            draw(made, options.plot)
        except Missing as error:
            _say(str(error))


def _say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
