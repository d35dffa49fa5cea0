"""The README: every command that stands there is run, as it stands there."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from txvaurien.rules import Rule
from txvaurien.test.makefile import environment, make, said
from txvaurien.test.servers import RedisServer, ServerProcess, accepts, free_port, require
from txvaurien.test.shellpages import ROOT, PageFollower
from txvaurien.test.test_fault_docs import DocsCase, reader

_IMAGE = re.compile(r"!\[(?P<words>[^\]]+)\]\((?P<path>[^)]+)\)")
_FENCE = re.compile(r"^```(?P<kind>\w+)\n(?P<block>.*?)^```", re.MULTILINE | re.DOTALL)


class PageTests(DocsCase):
    """What does not have to be run."""

    def setUp(self) -> None:
        self.text = self.page("../README.md")

    def test_short(self) -> None:
        """It says what it is in two sentences, and it is a page that is read at once."""
        first = self.text.split("\n\n")[1]
        self.assertEqual(len(re.findall(r"\.(?=\s|$)", first)), 2, first)
        self.assertLess(len(self.text.splitlines()), 120)

    def test_links(self) -> None:
        """Every link leads to a page that is there; every page of docs is at most two steps away."""
        linked = set(re.findall(r"\]\(([^)#]+)", self.text))
        self.assertEqual([link for link in linked if not (ROOT / link).is_file()], [])
        pages = {link for link in linked if link.endswith(".md")}
        for page in [*pages]:
            near = re.findall(r"\]\(([\w/.-]+\.md)", self.page(f"../{page}"))
            pages |= {os.path.normpath(os.path.join(os.path.dirname(page), each)) for each in near}
        # What Sphinx makes pages of, from what is declared, cannot be read on a forge.
        written = {each.relative_to(ROOT).as_posix() for each in ROOT.glob("docs/**/*.md")}
        built = {each for each in written if each.startswith("docs/reference/")} | {"docs/index.md"}
        self.assertEqual(written - built - pages, set())

    def test_picture(self) -> None:
        """It is near the top, has words for those who do not see it, and needs nothing from elsewhere."""
        found = _IMAGE.search(self.text)
        assert found is not None
        self.assertLess(self.text[: found.start()].count("\n"), 10)
        picture = (ROOT / found["path"]).read_text(encoding="utf-8")
        root = ElementTree.fromstring(picture)
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertTrue(
            {"{http://www.w3.org/2000/svg}title", "{http://www.w3.org/2000/svg}desc"} < {e.tag for e in root}
        )
        self.assertNotRegex(picture.replace("http://www.w3.org/2000/svg", ""), r"https?://|<script|<image")
        # For readers of a dark page, and of a light one.
        self.assertIn("prefers-color-scheme: dark", picture)
        self.assertIn('class="ground"', picture)

    def test_picture_is_true(self) -> None:
        """The rule in it is one, and is the one of the page."""
        (words,) = re.findall(
            r"vaurienctl rule add <tspan>'([^']+)'", (ROOT / "docs/_static/idea.svg").read_text()
        )
        self.assertIsInstance(reader("redis").read(words, where=""), Rule)
        self.assertIn(f"vaurienctl rule add '{words}'", self.text)

    def test_shown(self) -> None:
        """These are all the commands beside those of the minute with Redis: each has its test."""
        blocks = "".join(match["block"] for match in _FENCE.finditer(self.text) if match["kind"] == "sh")
        shown = {line.partition("#")[0].strip() for line in blocks.splitlines()}
        self.assertEqual(shown, {"make run", "make test", "pip install ."})


class RedisPage(PageFollower):
    """Follows pages that stand in front of a Redis."""

    def follow_with_redis(self, page: str) -> int:
        """Do all that a page says, with a Redis of our own; how many commands were run."""
        self.needs(redis_cli="redis-tools", curl="curl")
        server = RedisServer()
        self.addCleanup(server.stop)
        server.start()
        self.replaced["6379"] = str(server.port)
        self.ports(6380)
        return self.follow(page)


class MinuteTests(RedisPage):
    """What is to be typed."""

    def test_minute(self) -> None:
        """The minute with Redis: each command can be given, and says what stands below it."""
        self.assertEqual(self.follow_with_redis("../README.md"), 7)

    def test_in_a_test(self) -> None:
        """The smallest test passes, with a real Redis."""
        (block,) = re.findall(r"^```python\n(.*?)^```", self.page("../README.md"), re.MULTILINE | re.DOTALL)
        server = RedisServer()
        self.addCleanup(server.stop)
        server.start()
        path = self.folder / "readme.py"
        path.write_text(block.replace("localhost:6379", f"127.0.0.1:{server.port}"), encoding="utf-8")
        runpy.run_path(str(path))["test_redis_is_loading"]()


class MakeRun(ServerProcess):
    """``make run`` at ports of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.control = free_port()

    def command(self) -> Sequence[str]:
        options = f"--proxy localhost:{self.port} --http-port {self.control}"
        return make("run", environment(self.folder), f"OPTIONS={options}")

    def ready(self) -> bool:
        return accepts(self.control) and "Ctrl-C" in self.said()

    def said(self) -> str:
        """What it has printed."""
        return (self.folder / "log").read_text(encoding="utf-8")


class MakeTests(DocsCase):
    """The two commands of the beginning."""

    def setUp(self) -> None:
        self.text = self.page("../README.md")

    def test_run(self) -> None:
        """`make run` starts a demo, at the ports of OPTIONS; the three commands that it prints work."""
        self.assertIn('`make run OPTIONS="--proxy localhost:9000 --http-port 9001"`', self.text)
        require("curl", "curl")
        running = MakeRun()
        self.addCleanup(running.stop)
        running.start()
        greeting, status, error = map(self.shell, re.findall(r"^  (curl .*)$", running.said(), re.MULTILINE))
        self.assertEqual((greeting, status), ("Hello from behind the proxy.\n", '{"status": "ok"}\n'))
        self.assertTrue(error.startswith("HTTP/1.1 503 "), error)

    def shell(self, command: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            ["bash", "-c", f"{command} --silent"], capture_output=True, text=True, check=True
        )
        return done.stdout

    def test_test(self) -> None:
        """`make test` sees to the servers, and runs ruff, mypy, Sphinx and this suite; it is what CI runs."""
        steps = said("--dry-run", environment(Path(self.mktemp()).absolute()), "test")
        places = [
            steps.find(step)
            for step in (
                ".ci/servers",
                "ruff check",
                "ruff format --check",
                "bin/mypy",
                "sphinx",
                "bin/trial",
            )
        ]
        self.assertEqual(places, sorted(places))
        self.assertNotIn(-1, places)
        self.assertRegex(
            (ROOT / ".ci" / "run").read_text(encoding="utf-8"), r"(?m)^timeout .* make .*\btest\b"
        )
