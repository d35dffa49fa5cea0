"""The news fragments, and what towncrier makes of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from txvaurien.test.packaging import run
from txvaurien.test.shellpages import ROOT
from txvaurien.test.test_fault_docs import DocsCase

_NAME = re.compile(r"(?:\d+|\+[\w-]+)\.(?P<type>\w+)(?:\.\d+)?\.md")


class NewsTests(DocsCase):
    """What is in newsfragments."""

    def setUp(self) -> None:
        self.page("../newsfragments/README.md")

    def fragments(self) -> Iterator[Path]:
        """Each of them."""
        return (path for path in sorted((ROOT / "newsfragments").iterdir()) if path.name != "README.md")

    def test_names(self) -> None:
        """Each is named after its issue, or in words, and after a type that towncrier knows."""
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        known = re.findall(r'\[\[tool\.towncrier\.type\]\]\ndirectory = "(\w+)"', project)
        for path in self.fragments():
            match = _NAME.fullmatch(path.name)
            self.assertTrue(match is not None and match["type"] in known, path.name)

    def test_texts(self) -> None:
        """Each is one to three sentences, as plain text that is to be read in a list; no two are the same."""
        texts: dict[str, str] = {}
        for path in self.fragments():
            text = " ".join(path.read_text(encoding="utf-8").split())
            plain = re.sub(r"`[^`]*`", "x", text)
            self.assertTrue(1 <= len(re.findall(r"[.!?](?= |$)", plain)) <= 3, f"{path.name}: {text}")
            self.assertRegex(plain, r"^\w.*[.)]$", path.name)
            self.assertNotIn(text, texts, f"{path.name} is {texts.get(text)} again")
            texts[text] = path.name

    def test_draft(self) -> None:
        """`towncrier build --draft` shows all of them but those of type misc, and writes nothing."""
        before = (ROOT / "NEWS.md").read_bytes()
        draft = run([sys.executable, "-m", "towncrier", "build", "--draft", "--date", "2026-01-01"], ROOT)
        self.assertRegex(draft, r"(?m)^## \S+ \(2026-01-01\)$")
        flat = " ".join(draft.split())
        for path in self.fragments():
            if ".misc." not in path.name:
                self.assertIn(" ".join(path.read_text(encoding="utf-8").split()), flat, path.name)
        self.assertEqual((ROOT / "NEWS.md").read_bytes(), before)

    def test_frame(self) -> None:
        """The page has the mark behind which towncrier writes, once."""
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        (mark,) = re.findall(r'(?m)^start_string = "(.*)\\n"$', project)
        self.assertEqual((ROOT / "NEWS.md").read_text(encoding="utf-8").splitlines().count(mark), 1)
