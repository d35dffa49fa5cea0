"""The page of exceptions in the docs."""

from __future__ import annotations

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.plugins import Registry
from txvaurien.test import exception_table


class PageTests(SynchronousTestCase):
    """docs/exceptions.md."""

    def test_is_what_the_tests_expect(self) -> None:
        """The page says what the tests drive through the proxy; else it has to be written anew."""
        if not exception_table.PAGE.exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        self.assertEqual(exception_table.PAGE.read_text(encoding="utf-8"), exception_table.page())

    def test_a_row_for_each_kind(self) -> None:
        """Each protocol has one table, with a row a kind and a column a client, and is in the contents."""
        page = exception_table.page()
        for protocol, clients in exception_table.columns().items():
            self.assertIn(f"- [{protocol}](#{protocol}): {', '.join(clients)}\n", page)
            section = page.partition(f"\n## {protocol}\n")[2].partition("\n## ")[0]
            head, _, *lines = [line.split(" | ") for line in section.splitlines() if line]
            self.assertEqual({len(line) for line in (head, *lines)}, {1 + len(clients)})
            kinds = [line[0] for line in lines]
            self.assertEqual(len(kinds), len(set(kinds)))

    def test_cells(self) -> None:
        """A call that a whole column shares stands at its head; else each outcome has its calls."""
        page = exception_table.page()
        self.assertIn("| error | requests (`raise_for_status()`) | ", page)
        self.assertIn("\n| `503` | `requests.exceptions.HTTPError` | ", page)
        self.assertIn("`returns False` (`delete`, `touch`)", page)

    def test_every_kind(self) -> None:
        """No kind of any catalogue is left out."""
        shown = {(protocol, kind) for protocol, kind, *_ in exception_table.rows()}
        for name, protocol in Registry.load().protocols.items():
            if name != "tcp":
                missing = {kind.name for kind in protocol.error_kinds} - {k for p, k in shown if p == name}
                self.assertEqual(missing, set(), name)
