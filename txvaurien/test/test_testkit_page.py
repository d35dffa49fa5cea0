"""docs/testkit.md: its examples are run, with a real Redis."""

from __future__ import annotations

import asyncio
import inspect
import re
import runpy
import unittest
from pathlib import Path
from typing import Any, cast

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien import embed
from txvaurien.embedded.awaiting import AsyncChaosProxy
from txvaurien.test.servers import RedisServer

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "testkit.md"

#: Where the page has its Redis.
WRITTEN = "redis://localhost:6379"


def words_of(kind: type) -> set[str]:
    """What may be used of a class."""
    return {name for name in dir(kind) if not name.startswith("_")}


class TestkitPageTests(SynchronousTestCase):
    """What stands there can be done as it stands there."""

    def setUp(self) -> None:
        if not PAGE.exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        self.text = PAGE.read_text(encoding="utf-8")

    def names_of(self, block: str, backend: str) -> dict[str, Any]:
        """What an example defines."""
        path = Path(self.mktemp() + ".py")
        path.write_text(block.replace(WRITTEN, backend), encoding="utf-8")
        return runpy.run_path(str(path), run_name="example")

    def test_examples(self) -> None:
        """Each example has a test, and that passes."""
        server = RedisServer()
        self.addCleanup(server.stop)
        server.start()
        blocks = re.findall(r"^```python\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)
        self.assertGreater(len(blocks), 4)
        for block in blocks:
            names = self.names_of(block, f"redis://127.0.0.1:{server.port}")
            self.assertGreater(sum(self.run_it(name, each) for name, each in names.items()), 0, block)

    def run_it(self, name: str, defined: Any) -> bool:
        """Run what is a test; whether it was one."""
        if inspect.isclass(defined) and defined.__module__ == "example" and name.endswith("Tests"):
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(cast(type[unittest.TestCase], defined)).run(
                result
            )
            self.assertTrue(result.wasSuccessful(), result)
            return result.testsRun > 0
        if not name.startswith("test_"):
            return False
        if inspect.iscoroutinefunction(defined):
            asyncio.run(defined())
        else:
            defined()
        return True

    def test_signature(self) -> None:
        """Each parameter of `chaos_proxy` is told of."""
        for name in inspect.signature(embed.chaos_proxy).parameters:
            self.assertTrue(re.search(rf"^\| .*`{name}`.* \| ", self.text, re.MULTILINE), name)

    def test_words(self) -> None:
        """Each word of the vocabulary is told of."""
        for name in sorted(words_of(embed.ChaosProxy) - {"carry", "running", "name", "awaitable"}):
            self.assertTrue(re.search(rf"`[^`]*\b{name}\b[^`]*`", self.text), name)

    def test_same_words(self) -> None:
        """The awaitable one has them all; a property that can be set is a method there."""
        missing = words_of(embed.ChaosProxy) - words_of(AsyncChaosProxy)
        self.assertEqual(missing, {"awaitable", "carry", "commands"})

    def test_links(self) -> None:
        """What the page refers to is there."""
        for target in re.findall(r"\]\(([^)#]+)\)", self.text):
            self.assertTrue((DOCS / target).exists(), target)
