"""The page of toxics in the docs."""

from __future__ import annotations

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.plugins import Registry
from txvaurien.test import toxic_table
from txvaurien.toxics.latency import Latency


class PageTests(SynchronousTestCase):
    """docs/toxics.md."""

    def text(self) -> str:
        """The page."""
        if not toxic_table.PAGE.exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        return toxic_table.PAGE.read_text()

    def test_options(self) -> None:
        """The table says what the toxics declare; else it has to be written anew."""
        text = self.text()
        self.assertEqual(text, toxic_table.page(text))

    def test_every_toxic(self) -> None:
        """Each is in the table, is told about, and has a line on change and removal."""
        text = self.text()
        for name in Registry.load().toxics:
            self.assertIn(f"| **{name}** |", text)
            self.assertIn(f"\n**{name}** ", text)
            self.assertIn(f"\n| {name} |", text)

    def test_table(self) -> None:
        """A row has the attribute, its default, what it may be and what it does."""
        default = Latency().latency
        row = f"| | `latency` | `{default}` | a whole number from 0 to 86400000 | milliseconds to wait |"
        self.assertIn(row, toxic_table.table())
