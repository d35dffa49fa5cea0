"""`ChaosMixin` under unittest, trial, ``trial -j`` and pytest, in processes of their own."""

from __future__ import annotations

import os
import re
import unittest
from collections.abc import Callable
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from txvaurien import ChaosMixin, ConfigError
from txvaurien.test.children import ChildCase

#: Cases of both kinds. There is nothing at port 1, and nobody connects.
_CASES = """
import os
import threading
import unittest

from twisted.internet.defer import Deferred
from twisted.trial import unittest as trial

from txvaurien import ChaosMixin

NOWHERE = "127.0.0.1:1"

class PlainTests(ChaosMixin, unittest.TestCase):
    def test_fails(self):
        self.chaos_proxy(NOWHERE, "redis", rules=["delay name=plain-failed"]).kill()
        self.assertEqual(1, 2)

    def test_error(self):
        with self.chaos_proxy(NOWHERE, rules=["delay name=plain-error"]):
            raise ConnectionResetError(104, "reset")

    def test_passes(self):
        self.chaos_proxy(NOWHERE, rules=["delay name=plain-passed"])

class TrialTests(ChaosMixin, trial.TestCase):
    async def test_fails(self):
        proxy = await self.awaitable_chaos_proxy(NOWHERE, rules=["delay name=trial-failed"])
        async with proxy.kill():
            self.assertEqual(1, 2)

    def test_timeout(self):
        self.chaos_proxy(NOWHERE, rules=["delay name=trial-timeout"])
        return Deferred()

    test_timeout.timeout = 0.05

    async def test_passes(self):
        await self.awaitable_chaos_proxy(NOWHERE, rules=["delay name=trial-passed"])

class UnendedTests(unittest.TestCase):
    def test_none_left(self):
        self.assertEqual([each for each in threading.enumerate() if "txvaurien" in each.name], [])
"""

_FAILED = {"plain-failed", "plain-error", "trial-failed", "trial-timeout"}


class RunnerTests(ChildCase):
    """Each runner tells of the tests that failed, and of no other."""

    def setUp(self) -> None:
        super().setUp()
        self.write(test_cases=_CASES)

    def check(self, said: str) -> None:
        """The proxies of those that failed are told of, with what repeats them."""
        self.assertEqual(set(re.findall(r"^E?\s+delay .*name=([\w-]+)$", said, re.MULTILINE)), _FAILED, said)
        for each in (
            r"to repeat it: VAURIEN_SEED=\d+\n",
            r"<ChaosProxy proxy \(127.0.0.1:\d+\) for 127.0.0.1:1, seed \d+>",
            r"disable how=rst",
            r"[\d:.]+  proxy  action name=disable",
        ):
            self.assertGreaterEqual(len(re.findall(each, said)), 1, f"{each}: {said}")
        self.assertIn("1 != 2", said)
        self.assertIn("[Errno 104] reset", said)
        self.assertIn("still running at 0.05 secs", said)
        self.assertNotIn("test_none_left", said.partition("=" * 70)[2])

    def test_unittest(self) -> None:
        """The runner of the standard library."""
        said = self.python("-m", "unittest", "test_cases")
        self.check(said)
        self.assertIn("FAILED (failures=2, errors=2)", said)

    def test_trial(self) -> None:
        """trial, and its processes."""
        for more in ([], ["-j2"]):
            said = self.python("-m", "twisted.trial", *more, "test_cases")
            self.check(said)
            self.assertIn("FAILED (failures=2, errors=2, successes=3)", said)

    def test_pytest(self) -> None:
        """pytest, which shows them in its way."""
        said = self.pytest()
        self.check(said)
        self.assertEqual(sorted(self.outcomes(said).values()), ["FAILED"] * 4 + ["PASSED"] * 3)

    def test_seed(self) -> None:
        """The seed of the environment gives each test its own again, alone or not."""
        cases = """
        from unittest import TestCase
        from txvaurien import ChaosMixin
        class Tests(ChaosMixin, TestCase):
            def test_one(self):
                print("one", self.chaos_proxy("127.0.0.1:1").seed)
            def test_two(self):
                print("two", self.chaos_proxy("127.0.0.1:1").seed)
        """
        self.write(seeds=cases)

        def seeds(name: str) -> dict[str, str]:
            said = self.python("-m", "unittest", name, VAURIEN_SEED="7")
            return dict(re.findall(r"(one|two) (\d+)", said))

        both = seeds("seeds")
        self.assertEqual(set(both), {"one", "two"})
        self.assertNotEqual(both["one"], both["two"])
        self.assertEqual(seeds("seeds.Tests.test_two"), {"two": both["two"]})


class MixinTests(SynchronousTestCase):
    """The mixin itself."""

    def run_case(self, test: Callable[[ChaosMixin], None]) -> unittest.TestResult:
        """Run a function as the test of a case."""

        class Case(ChaosMixin, unittest.TestCase):
            def runTest(self) -> None:
                test(self)

        result = unittest.TestResult()
        Case().run(result)
        return result

    def test_order(self) -> None:
        """Proxies end in reverse, with the test."""
        ended: list[str] = []

        def use(case: ChaosMixin) -> None:
            for name in ("first", "second"):
                case.chaos_proxy("127.0.0.1:1").before_close(partial(ended.append, name))

        self.assertTrue(self.run_case(use).wasSuccessful())
        self.assertEqual(ended, ["second", "first"])

    def test_no_proxy(self) -> None:
        """An error of a test without proxies is as it was."""

        def fail(case: ChaosMixin) -> None:
            case.fail("for a reason")

        ((_, told),) = self.run_case(fail).failures
        self.assertTrue(told.endswith("AssertionError: for a reason\n"), told)

    def test_subtest(self) -> None:
        """What fails in a subTest is told of as well."""

        def use(case: ChaosMixin) -> None:
            case.chaos_proxy("127.0.0.1:1")
            with case.subTest(number=1):
                case.fail()

        ((_, told),) = self.run_case(use).failures
        self.assertIn("<ChaosProxy proxy ", told)

    def test_wrong_seed(self) -> None:
        """A seed that is none is refused."""
        self.patch(os, "environ", {"VAURIEN_SEED": "seven"})

        def use(case: ChaosMixin) -> None:
            error = self.assertRaises(ConfigError, case.chaos_proxy, "127.0.0.1:1")
            self.assertEqual(str(error), "VAURIEN_SEED: 'seven' is no seed; it is a whole number")

        self.assertTrue(self.run_case(use).wasSuccessful())
