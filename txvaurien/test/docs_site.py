"""The documentation, built once and read as a browser would read it."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from twisted.trial.unittest import SkipTest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@dataclass(frozen=True)
class Row:
    """A row of a table: the anchor of the section it stands in, and its cells."""

    section: str
    cells: Sequence[str]


@dataclass
class Page:
    """What a page has.

    :ivar headings: by the anchors of their sections.
    :ivar links: where its links, pictures and scripts lead, as they are written.
    """

    anchors: set[str] = field(default_factory=set)
    headings: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)

    def cells_of(self, section: str) -> dict[str, Sequence[str]]:
        """The rows of the tables in a section, by their first cells."""
        return {row.cells[0]: row.cells[1:] for row in self.rows if row.section == section}


class _Reader(HTMLParser):
    """Fills a `Page`."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._sections: list[str] = []
        self._cells: list[str] = []
        self._texts: list[tuple[str, list[str]]] = []

    @property
    def _section(self) -> str:
        """The anchor of the innermost section; empty in the frame of a page."""
        return self._sections[-1] if self._sections else ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if said.get("id"):
            self.page.anchors.add(str(said["id"]))
        self.page.links += [str(said[name]) for name in ("href", "src") if said.get(name)]
        if tag == "section":
            self._sections.append(str(said.get("id", "")))
        elif tag == "tr":
            self._cells = []
        elif tag in {"td", "code", "h2", "h3"}:
            self._texts.append((tag, []))

    def handle_data(self, data: str) -> None:
        for _, text in self._texts:
            text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "section":
            self._sections.pop()
        elif tag == "tr" and self._cells:
            self.page.rows.append(Row(self._section, self._cells))
        elif self._texts and self._texts[-1][0] == tag:
            _, text = self._texts.pop()
            self._keep(tag, " ".join("".join(text).split()))

    def _keep(self, tag: str, text: str) -> None:
        if tag == "td":
            self._cells.append(text)
        elif tag == "code":
            self.page.codes.add(text)
        else:
            # The theme puts the sign of a link behind it.
            self.page.headings[self._section] = text.rstrip("¶")


@dataclass(frozen=True)
class Site:
    """What Sphinx made.

    :param status: the exit status of Sphinx.
    :param said: what it said, warnings above all.
    """

    folder: Path
    status: int
    said: str

    @functools.cached_property
    def pages(self) -> dict[str, Page]:
        """All pages, by their path without the suffix: ``protocols/redis``."""
        found = {}
        for path in sorted(self.folder.rglob("*.html")):
            reader = _Reader()
            reader.feed(path.read_text(encoding="utf-8"))
            found[path.relative_to(self.folder).with_suffix("").as_posix()] = reader.page
        return found

    def broken_links(self) -> Iterator[str]:
        """Links within the site that lead nowhere: ``rules: toxics.html#speed``."""
        for name, page in self.pages.items():
            for link in page.links:
                if not self._leads(name, link):
                    yield f"{name}: {link}"

    def _leads(self, name: str, link: str) -> bool:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            return True
        here = self.folder / f"{name}.html"
        there = Path(os.path.normpath(here.parent / unquote(parts.path))) if parts.path else here
        if not there.is_file():
            return False
        page = self.pages.get(there.relative_to(self.folder).with_suffix("").as_posix())
        return page is None or not parts.fragment or unquote(parts.fragment) in page.anchors


@functools.cache
def built() -> Site:
    """The site, made by the command that ``make docs`` runs, in the working directory.

    :raises SkipTest: there is nothing to build, or, elsewhere than in CI, nothing to build it with.
    """
    if not (DOCS / "conf.py").exists():
        raise SkipTest("the docs are in the repository, not in the installed package")
    if importlib.util.find_spec("sphinx") is None and not os.environ.get("CI"):
        raise SkipTest("Sphinx is not installed; pip install 'txvaurien[docs]'")
    folder = Path("docs-site").absolute()
    options = ["-q", "-W", "--keep-going", "-n", "-E", "-b", "html", "-d", f"{folder}-doctrees"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return Site(folder, done.returncode, done.stdout)
