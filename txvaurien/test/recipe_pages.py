"""The code in docs/recipes-*.md, which is that of docs/examples/recipes, piece by piece.

A page says which pieces of which file it wants: ``<!-- recipe dropped: imports connect test_before -->``, up
to ``<!-- end of recipe -->``. To write them anew: ``python -m txvaurien.test.recipe_pages``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
RECIPES = DOCS / "examples" / "recipes"

PAGES = ("connections", "pools", "postgresql", "applications")

_BLOCK = re.compile(
    r"(?P<begin>^<!-- recipe (?P<file>\w+): (?P<names>[\w ]+) -->\n)"
    r"(?P<code>.*?)(?P<end>^<!-- end of recipe -->$)",
    re.MULTILINE | re.DOTALL,
)


def pieces_of(source: str) -> Mapping[str, str]:
    """The code of a file under the names of its functions, classes and constants; ``imports`` come first."""
    lines = source.splitlines()
    docstring, *nodes = ast.parse(source).body
    found: dict[str, str] = {}
    done = docstring.end_lineno or 0
    for node in nodes:
        name, end = _name_of(node), node.end_lineno or 0
        # With the comments before it.
        text = "\n".join(lines[done:end]).rstrip()
        found[name] = (found[name] + "\n" + text if name in found else text).lstrip("\n")
        done = end
    return found


def _name_of(node: ast.stmt) -> str:
    match node:
        case ast.Import() | ast.ImportFrom():
            return "imports"
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    raise ValueError(f"line {node.lineno} has no name that a page could want it by")


def wanted(page: str) -> list[tuple[str, list[str]]]:
    """The files that a page wants, and which pieces of each."""
    return [(match["file"], match["names"].split()) for match in _BLOCK.finditer(page)]


def written(page: str) -> str:
    """The page, with the code as it should be."""
    return _BLOCK.sub(lambda match: f"{match['begin']}{_code(match)}{match['end']}", page)


def _code(match: re.Match[str]) -> str:
    pieces = pieces_of((RECIPES / f"{match['file']}.py").read_text(encoding="utf-8"))
    blocks = [pieces[name] for name in match["names"].split()]
    # As ruff has it: a class or a function has two blank lines around it.
    text = blocks[0]
    for before, block in pairwise(blocks):
        plain = not (_is_long(before) or _is_long(block))
        text += ("\n\n" if plain else "\n\n\n") + block
    return f"```python\n{text}\n```\n"


def _is_long(block: str) -> bool:
    return re.search(r"^(async )?(def|class) ", block, re.MULTILINE) is not None


def path_of(page: str) -> Path:
    """Where a page stands."""
    return DOCS / f"recipes-{page}.md"


if __name__ == "__main__":
    for each in map(path_of, PAGES):
        each.write_text(written(each.read_text(encoding="utf-8")), encoding="utf-8")
