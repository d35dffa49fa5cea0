"""docs/metrics.md says what there is."""

from __future__ import annotations

import shlex

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.config import load
from txvaurien.metrics.statsd import INTERVAL, MOST_BYTES, PORT
from txvaurien.test.metrics_table import PAGE, page


class PageTests(SynchronousTestCase):
    """The page."""

    def test_table(self) -> None:
        """The table is that of the metrics that there are; its module writes it."""
        self.assertEqual(PAGE.read_text(encoding="utf-8"), page())

    def test_numbers(self) -> None:
        """Numbers in the text are those of the code."""
        text = PAGE.read_text(encoding="utf-8")
        for said in (f"Every {INTERVAL:g} seconds", f"up to {MOST_BYTES} bytes", f"({PORT})"):
            self.assertIn(said, text)

    def test_command(self) -> None:
        """The command line that is shown can be used."""
        text = PAGE.read_text(encoding="utf-8")
        line = next(line for line in text.splitlines() if line.startswith("vaurien --"))
        common = load(shlex.split(line)[1:]).common
        self.assertEqual(
            (common.metrics, common.statsd, common.statsd_prefix), (True, "localhost:8125", "chaos")
        )
