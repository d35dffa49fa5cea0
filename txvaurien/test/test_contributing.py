"""CONTRIBUTING.md: its commands can be given, and whatever it names is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from twisted.python.reflect import namedAny

from txvaurien.test.makefile import environment, said
from txvaurien.test.shellpages import ROOT
from txvaurien.test.test_fault_docs import DocsCase

_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IN_TEXT = re.compile(r"`(make [^`]+)`|; (make [^;\n]+?) takes", re.MULTILINE)
#: What is not there before somebody has made it.
_MADE = {"build/docs", ".venv"}


class PageTests(DocsCase):
    """Commands, paths and rules."""

    def setUp(self) -> None:
        self.text = self.page("../CONTRIBUTING.md")
        blocks = "".join(_SHELL.findall(self.text))
        self.commands = [line.partition("#")[0].strip() for line in blocks.splitlines()]
        self.commands += ["".join(each) for each in _IN_TEXT.findall(self.text)]

    def test_commands(self) -> None:
        """make knows what to do for each command, and uses what is said of environments and tests in it."""
        folder = Path(self.mktemp()).absolute()
        self.assertGreater(len(self.commands), 20)
        for command in self.commands:
            name, *arguments = shlex.split(command)
            self.assertEqual(name, "make", command)
            steps = said("--dry-run", environment(folder), *arguments)
            for variable, value in re.findall(r"(TESTS|TRIALFLAGS|BENCH|SOAK)=(\S+)", command):
                self.assertIn(value.strip('"'), steps, variable)

    def test_targets(self) -> None:
        """None of the commands that `make help` shows is left out."""
        shown = {line.split()[1] for line in said("help").splitlines()}
        named = {word for command in self.commands for word in shlex.split(command)[1:]}
        self.assertEqual(shown - named, set())

    def test_tests(self) -> None:
        """Each test that is shown is there."""
        names = re.findall(r"TESTS=(\S+)", self.text)
        self.assertEqual(len(names), 3)
        for name in names:
            namedAny(name)

    def test_paths(self) -> None:
        """Each path in it leads somewhere, and the folders of the package are all in the table."""
        paths = set(re.findall(r"`((?:\.\w|txvaurien/|docs/|bench|build/)[\w/.-]*)`", self.text))
        paths |= set(re.findall(r"\]\(([\w/.-]+)\)", self.text))
        missing = {path for path in paths - _MADE if "NAME" not in path and not (ROOT / path).exists()}
        self.assertEqual(missing, set())
        folders = {f"txvaurien/{path.parent.name}" for path in ROOT.glob("txvaurien/*/__init__.py")}
        self.assertEqual(folders - paths, set())

    def test_kinds_of_news(self) -> None:
        """The types of fragments are those that towncrier knows."""
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        known = re.findall(r'\[\[tool\.towncrier\.type\]\]\ndirectory = "(\w+)"', project)
        _, _, table = self.text.partition("| type | for |\n")
        self.assertEqual(re.findall(r"^\| `(\w+)` \|", table.partition("\n\n")[0], re.MULTILINE), known)
