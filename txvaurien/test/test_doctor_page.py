"""docs/doctor.md: what stands there is what the doctor says."""

from __future__ import annotations

import json
import re
import shlex

from txvaurien.config import load
from txvaurien.doctor.findings import Finding, Level, as_json, as_text
from txvaurien.doctor.main import HELP
from txvaurien.plugins import Registry
from txvaurien.test.test_fault_docs import DOCS, DocsCase


class PageTests(DocsCase):
    """The command, the marks, the options and the JSON."""

    def setUp(self) -> None:
        self.text = self.page("doctor.md")

    def test_command(self) -> None:
        """The command line of the example is one of `vaurien`."""
        (command,) = re.findall(r"^    vaurien doctor (.*)$", self.text, re.MULTILINE)
        self.assertEqual(load(shlex.split(command), Registry.load(), {}).protocol.name, "mysql")

    def test_lines(self) -> None:
        """The lines of the example have the form of real ones."""
        lines = re.findall(r"^    ((?:ok|note|warning|error) .*)$", self.text, re.MULTILINE)
        self.assertEqual(len(lines), 8)
        for line in lines:
            about, topic, text = line[9:].split(": ", 2)
            level = Level(line[:9].strip())
            self.assertEqual(as_text([Finding(level, topic, text, "", about)]).splitlines()[0], line)

    def test_marks(self) -> None:
        """Each mark is explained."""
        self.assertEqual(re.findall(r"^\| `(ok|note|warning|error)` \|", self.text, re.MULTILINE), _MARKS)

    def test_options(self) -> None:
        """Each option of its own is in the table, and in --help."""
        for option in re.findall(r"^\| `(--[\w-]+)` \|", self.text, re.MULTILINE):
            self.assertIn(f"  {option} ", HELP)

    def test_json(self) -> None:
        """The object of the example has the fields of a real one."""
        (example,) = (json.loads(block) for block in self.blocks(self.text, "json"))
        real = json.loads(as_json([Finding(Level.ERROR, "listen", "x", "y", "proxy")]))
        self.assertEqual((list(example), example["format"]), (list(real), real["format"]))
        self.assertEqual(list(example["findings"][0]), list(real["findings"][0]))

    def test_links(self) -> None:
        """What it refers to is there."""
        for target in re.findall(r"\]\(([^)#]+)", self.text):
            self.assertTrue((DOCS / target).exists(), target)


_MARKS = [level.value for level in Level]
