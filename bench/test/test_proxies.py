"""Names of rows and proxies, and what is said of those that cannot be had."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.backends import BACKENDS
from bench.links import most_links
from bench.process import Failed, Missing
from bench.proxies import Setting, Tree, check, names_for, proxy
from bench.rows import ROWS, Row
from bench.runner import Run
from bench.stats import Sample
from bench.workloads import Outcome, Target

TWO = Setting({"ours": Tree(Path("a")), "ours2": Tree(Path("b"))})


class NameTests(SynchronousTestCase):
    """What the command line takes."""

    def test_every_tree(self) -> None:
        """A mode of ours stands for that mode of every tree; no name comes twice."""
        names = names_for(["direct", "ours-tcp", "direct"], TWO)
        self.assertEqual(names, ["direct", "ours-tcp", "ours2-tcp"])

    def test_rows(self) -> None:
        """Every row has a backend that there is, and proxies that there are."""
        for row in ROWS.values():
            self.assertIn(row.backend, BACKENDS, row.name)
            for name in names_for(row.proxies, TWO):
                check(name, TWO)

    def test_unknown(self) -> None:
        """An unknown proxy, mode or tree is an error that lists those that there are."""
        self.assertIn("haproxy", str(self.assertRaises(ValueError, check, "haproxi", TWO)))
        self.assertIn("framed", str(self.assertRaises(ValueError, check, "ours-fast", TWO)))
        self.assertIn("ours2-MODE", str(self.assertRaises(ValueError, check, "ours3-tcp", TWO)))

    def test_toxiproxy(self) -> None:
        """Without a binary Toxiproxy cannot be had, and the error says how to name one."""
        error = self.assertRaises(Missing, proxy, "toxiproxy", 1, "tcp", TWO)
        self.assertIn("TOXIPROXY=", str(error))

    def test_links(self) -> None:
        """No more links are asked for than a proxy has descriptors for."""
        self.assertEqual(most_links(1), 1)
        self.assertLess(most_links(1 << 40), 1 << 40)


class RunTests(SynchronousTestCase):
    """A row, without the proxies and the clock."""

    def _measured(self, results: list[float | Failed]) -> Run:
        """Measure directly, with a load generator that gives these results; the first is the warm-up's."""
        given = iter(results)

        def work(target: Target) -> Outcome:
            found = next(given)
            if isinstance(found, Failed):
                raise found
            return Outcome(found, 1)

        said: list[str] = []
        run = Run(TWO, 3, 0.0, said.append)
        run.measure(Row("row", "a row", "units", "source", work, ()), ["direct"])
        return run

    def test_warm_up(self) -> None:
        """The first run is thrown away; then there is a sample a round."""
        run = self._measured([1.0, 10.0, 20.0, 30.0])
        self.assertEqual(
            [(each.round, each.value) for each in run.samples], [(1, 10.0), (2, 20.0), (3, 30.0)]
        )
        self.assertEqual(run.remarks, {})

    def test_failing(self) -> None:
        """One that fails on the way keeps what it has, and the report says from where on it is missing."""
        run = self._measured([1.0, 10.0, Failed("broken")])
        self.assertEqual([each.value for each in run.samples], [10.0])
        self.assertEqual(run.remarks, {"left out: broken": ["row direct from round 2 on"]})

    def test_sample_line(self) -> None:
        """Progress shows each sample with its unit."""
        said: list[str] = []
        Run(TWO, 3, 0.0, said.append).add(Sample("row", "direct", 2, 1234.5), "units")
        self.assertEqual(said[0].split(), ["round", "2/3", "direct", "1,234.5", "units"])
