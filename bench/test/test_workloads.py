"""What is read from the output of the load generators and from /proc."""

from __future__ import annotations

import gc
import os

from twisted.trial.unittest import SynchronousTestCase

from bench.process import Failed, Missing, Process, tool
from bench.usage import cpu_of, stat_fields, tree, usage
from bench.workloads import Target, number, redis_row

TABLE = '"test","rps","p50_latency_ms"\n"GET","50000.00","0.015"\n'
STAT = "12 (a (b) c) S 7 12 12 0 -1 4194560 1 0 0 0 100 50 25 25 20 0 1 0 9 1 1"


class OutputTests(SynchronousTestCase):
    """The figures in what programs print."""

    def test_redis(self) -> None:
        """The row of the table is found behind warnings; no table is an error."""
        self.assertEqual(redis_row("WARNING: no config\n" + TABLE)["rps"], "50000.00")
        self.assertRaises(Failed, redis_row, "Could not connect")

    def test_number(self) -> None:
        """A number is found by what stands beside it; an error shows what was printed."""
        self.assertEqual(number(r"(\d+) requests in", "  1234 requests in 1.00s"), 1234)
        error = self.assertRaises(Failed, number, r"(\d+) requests in", "unable to connect")
        self.assertIn("unable to connect", str(error))

    def test_count(self) -> None:
        """A run has a fixed size first, then one that takes about the time asked for."""
        target = Target(1, 0.5)
        self.assertEqual(target.count(100), 100)
        target.rate = 1000.0
        self.assertEqual(target.count(100), 500)


class UsageTests(SynchronousTestCase):
    """What /proc says."""

    def test_stat(self) -> None:
        """The name of a process may hold blanks and parentheses."""
        self.assertEqual(stat_fields(STAT)[:2], ["S", "7"])

    def test_cpu(self) -> None:
        """User and system time count, those of ended children as well; an ended process has none."""
        self.assertEqual(cpu_of(STAT), 200 / os.sysconf("SC_CLK_TCK"))
        self.assertEqual(cpu_of(""), 0.0)

    def test_own_process(self) -> None:
        """This process is in its own tree, and uses memory."""
        self.assertEqual(tree(os.getpid())[0], os.getpid())
        self.assertGreater(usage(os.getpid()).memory, 0)


class ProcessTests(SynchronousTestCase):
    """Programs that are started."""

    def test_missing(self) -> None:
        """A program that is not there is named with the command that installs it."""
        error = self.assertRaises(Missing, tool, "no-such-program", "some-package")
        self.assertIn("apt-get install --no-install-recommends some-package", str(error))

    def test_forgotten(self) -> None:
        """The folder of one that is never started does not stay behind."""
        folder = Process().folder
        gc.collect()
        self.assertFalse(folder.exists())

    def test_does_not_start(self) -> None:
        """One that ends at once is an error with what it said, and leaves nothing behind."""
        process = Process(["sh", "-c", "echo out of order >&2; exit 1"])
        error = self.assertRaises(Failed, process.__enter__)
        self.assertIn("out of order", str(error))
        self.assertFalse(process.folder.exists())
