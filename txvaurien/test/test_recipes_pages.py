"""docs/recipes*.md: the code there is that of the files, which other tests run, and all of it is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.test import recipe_pages, recipe_support
from txvaurien.test.recipe_pages import PAGES, RECIPES, path_of, pieces_of

#: The page that leads to the others, and those.
_ALL = (recipe_pages.DOCS / "recipes.md", *map(path_of, PAGES))

_SOURCE = '''\
"""A recipe."""

import os
from sys import path

#: How many.
COUNT = 3


# Why it is so.
class Thing:
    pass


async def test_it() -> None:
    pass
'''


def headings(page: str) -> set[str]:
    """What can be linked to in a page."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in titles}


class PiecesTests(SynchronousTestCase):
    """What a page can want of a file."""

    def test_pieces(self) -> None:
        """Each has its name and the comments before it; imports are one piece."""
        self.assertEqual(
            pieces_of(_SOURCE),
            {
                "imports": "import os\nfrom sys import path",
                "COUNT": "#: How many.\nCOUNT = 3",
                "Thing": "# Why it is so.\nclass Thing:\n    pass",
                "test_it": "async def test_it() -> None:\n    pass",
            },
        )

    def test_nameless(self) -> None:
        """What no page could want is an error."""
        self.assertRaises(ValueError, pieces_of, '"""A recipe."""\n\nprint()\n')


class RecipePagesTests(SynchronousTestCase):
    """The pages as they are."""

    def setUp(self) -> None:
        if not RECIPES.exists():
            raise SkipTest("the pages are in the repository, not in the installed package")

    def test_written(self) -> None:
        """The code is that of the files; else run ``python -m txvaurien.test.recipe_pages``."""
        for each in map(path_of, PAGES):
            page = each.read_text(encoding="utf-8")
            self.assertEqual(page, recipe_pages.written(page), each.name)
            self.assertIn("```python", page)

    def test_everything_is_shown(self) -> None:
        """Each piece of each file stands in the pages, once."""
        shown: Counter[tuple[str, str]] = Counter()
        for each in map(path_of, PAGES):
            for file, names in recipe_pages.wanted(each.read_text(encoding="utf-8")):
                shown.update((file, name) for name in names)
        files = {file: pieces_of(self._source(file)) for file in recipe_support.recipes()}
        self.assertEqual(shown, Counter((file, name) for file, names in files.items() for name in names))

    def _source(self, file: str) -> str:
        return (RECIPES / f"{file}.py").read_text(encoding="utf-8")

    def test_everything_is_run(self) -> None:
        """Each file is played by a test."""
        tests = [each.read_text(encoding="utf-8") for each in Path(__file__).parent.glob("test_recipes_*.py")]
        played = re.findall(r'await self\.play\("(\w+)"', "".join(tests))
        self.assertEqual(sorted(played), recipe_support.recipes())

    def test_links(self) -> None:
        """What is linked to is there."""
        for page in _ALL:
            for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
                path, _, heading = target.partition("#")
                there = page.parent / path if path else page
                self.assertTrue(there.exists(), f"{page.name}: {target}")
                if heading:
                    self.assertIn(heading, headings(there.read_text(encoding="utf-8")), page.name)
