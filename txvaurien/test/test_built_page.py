"""docs/concepts.md and docs/how-it-is-built.md: what they name is there, and nothing is left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from txvaurien.actions import ACTIONS
from txvaurien.plugins import Registry
from txvaurien.rules import Rule
from txvaurien.test.test_fault_docs import DOCS, DocsCase, reader

ROOT = DOCS.parent


#: What only the code above may use.
_ABOVE = {"socket", "klein", "twisted.internet.reactor", "twisted.web", "txvaurien.net", "txvaurien.control"}


def imports_of(source: str) -> Iterator[str]:
    """The modules that a module imports when it runs, with the packages that they are in."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[: count + 1]) for count in range(len(parts)))


class BuiltTests(DocsCase):
    """For those who read the code."""

    def test_paths(self) -> None:
        """Each file and folder that is named is there."""
        named = re.findall(r"`((?:txvaurien|docs|bench|twisted)/[\w./-]*)`", self.page("how-it-is-built.md"))
        self.assertGreater(len(named), 50)
        self.assertEqual([path for path in named if not (ROOT / path).exists()], [])

    def test_folders(self) -> None:
        """Each folder of the package is told of, in order."""
        named = re.findall(r"^\| `txvaurien/(\w+)/` \|", self.page("how-it-is-built.md"), re.MULTILINE)
        folders = {path.parent.name for path in (ROOT / "txvaurien").glob("*/__init__.py")}
        self.assertEqual(named, sorted(folders))

    def test_layers(self) -> None:
        """Neither the plan nor protocols, behaviors and toxics import what is above them."""
        package = ROOT / "txvaurien"
        below = [package / "plan.py", package / "rules.py"]
        below += [
            path for each in ("protocols", "behaviors", "toxics") for path in (package / each).rglob("*.py")
        ]
        self.assertGreater(len(below), 50)
        for path in below:
            imported = set(imports_of(path.read_text(encoding="utf-8")))
            self.assertEqual(imported & _ABOVE, set(), path)
            if "protocols" not in path.parts:
                self.assertNotIn("txvaurien.proxy", imported, path)

    def test_names(self) -> None:
        """Each class and method that is named is in the module that is named with it."""
        for name, module in (
            ("late_verdict", "plan"),
            ("class ActivePlan", "plan"),
            ("class Proxy(", "proxy"),
        ):
            self.assertIn(name, (ROOT / "txvaurien" / f"{module}.py").read_text(encoding="utf-8"))


class ConceptsTests(DocsCase):
    """For those who use it."""

    def setUp(self) -> None:
        self.text = self.page("concepts.md")

    def test_behaviors(self) -> None:
        """Each of the behaviors that stand in the table is there, and none is missing but those for TLS."""
        _, _, table = self.text.partition("### Behaviors\n")
        rows = re.findall(r"^\| `(\w+)` \|", table.partition("### ")[0], re.MULTILINE)
        self.assertEqual(set(Registry.load().behaviors) - {"tls"}, set(rows) - {"tls"})

    def test_rule(self) -> None:
        """The rules that are shown can be made."""
        rules = re.findall(r"`(error kind=[^`]*)`", self.text)
        self.assertEqual(len(rules), 2)
        for rule in rules:
            reader("redis").read_only(Rule, rule, where="rule")

    def test_kinds(self) -> None:
        """The kinds of faults are those that there are."""
        self.assertTrue(ACTIONS)
        for kind in ("behavior", "toxic", "action", "scenario"):
            self.assertIn(f"| **{kind}** |", self.text)

    def test_picture(self) -> None:
        """The picture is a picture, has a text for those who do not see it, and colours for the dark."""
        (path,) = re.findall(r"!\[.+\]\((.+)\)", self.text)
        source = (DOCS / path).read_text(encoding="utf-8")
        root = ElementTree.fromstring(source)
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertIsNotNone(root.find("{http://www.w3.org/2000/svg}desc"))
        self.assertIn("prefers-color-scheme: dark", source)

    def test_links(self) -> None:
        """What the pages refer to is there."""
        for name in ("concepts.md", "how-it-is-built.md", "start.md", "from-vaurien.md"):
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", self.page(name)):
                self.assertTrue((DOCS / target).exists(), f"{name}: {target}")
