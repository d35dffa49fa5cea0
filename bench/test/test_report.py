"""Tables, JSON and the picture."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bench.plot import draw
from bench.process import Missing
from bench.report import Report, figure, markdown, text
from bench.stats import Sample

REPORT = Report(
    [
        Sample("idle", "ours-tcp", 1, 4.0),
        Sample("bulk", "direct", 1, 4000.0),
        Sample("bulk", "ours-tcp", 1, 1000.0, 250.0),
        Sample("bulk", "haproxy", 1, 2000.0, 300.0),
    ],
    {"left out: it is not installed": ["bulk socat", "idle socat"]},
    {"date": "2024-01-01"},
)


class ReportTests(SynchronousTestCase):
    """What is printed and written."""

    def test_markdown(self) -> None:
        """A table a row, in the order of the rows, with a column for each peer that was measured."""
        printed = markdown(REPORT)
        self.assertIn(
            "| proxy | MB/s | lowest | highest | / direct | / haproxy | CPU us |\n|---|---:|", printed
        )
        self.assertIn("| ours-tcp | 1,000 | 1,000 | 1,000 | 0.25 | 0.50 | 250 |", printed)
        self.assertLess(printed.index("`bulk`"), printed.index("`idle`"))

    def test_empty_columns(self) -> None:
        """A column in which no line has anything is not there."""
        self.assertIn("| proxy | KB/link | lowest | highest |\n", markdown(REPORT))

    def test_text(self) -> None:
        """For a terminal the columns stand under each other."""
        _, _, bulk = text(REPORT).partition("rounds\n\n")
        head, direct, *_ = bulk.splitlines()
        self.assertEqual(head.index("MB/s") + 4, direct.index("4,000") + 5)

    def test_remarks(self) -> None:
        """What was left out is said once, with all places where it is missing."""
        self.assertIn("- bulk socat, idle socat: left out: it is not installed", text(REPORT))

    def test_json(self) -> None:
        """The JSON has the medians by row, and every sample."""
        written = json.loads(REPORT.as_json())
        bulk = written["rows"]["bulk"]
        self.assertEqual(bulk["unit"], "MB/s")
        self.assertEqual(bulk["proxies"][1]["ratios"], {"direct": 0.25, "haproxy": 0.5})
        self.assertEqual(len(written["samples"]), 4)

    def test_figures(self) -> None:
        """Numbers have three digits that count, more if they are whole thousands."""
        shown = [figure(value) for value in (None, 0.1234, 12.34, 123.4, 12345.6)]
        self.assertEqual(shown, ["", "0.12", "12.3", "123", "12,346"])

    def test_plot(self) -> None:
        """The picture is an SVG that names the rows."""
        path = Path(self.mktemp())
        try:
            draw(REPORT, path)
        except Missing as error:
            raise SkipTest(str(error)) from error
        self.assertIn("<svg", path.read_text())
