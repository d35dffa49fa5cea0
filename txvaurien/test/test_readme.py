"""The README and docs/control.md: what stands there can be used as it stands there."""

from __future__ import annotations

import ast
import importlib
import json
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.config import load
from txvaurien.ctl import commands as ctlcommands
from txvaurien.ctl import parser as ctlparser
from txvaurien.plugins import Registry
from txvaurien.protocols.redis import Redis
from txvaurien.test.control_faults import FaultCase
from txvaurien.test.registries import Flaky
from txvaurien.test.servers import RedisServer

ROOT = Path(__file__).parents[2]
_PAGES = ("README.md", "docs/control.md")
_INDENTED = re.compile(r"^    (?:\$ )?(?P<command>vaurien(?:ctl)? (?:.*\\\n)*.*)", re.MULTILINE)


def text(page: str) -> str:
    """A page."""
    if not (ROOT / page).exists():
        raise SkipTest("the pages are in the repository, not in the installed package")
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> Iterator[str]:
    """The fenced blocks of one language."""
    yield from re.findall(rf"^```{language}\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)


def commands(page: str, program: str) -> list[list[str]]:
    """The arguments of each command of that name."""
    found = [shlex.split(match["command"].replace("\\\n", " ")) for match in _INDENTED.finditer(text(page))]
    return [_of_the_command(arguments) for name, *arguments in found if name == program]


def _of_the_command(words: list[str]) -> list[str]:
    """The words before those that are for the shell."""
    return words[: next((at for at, word in enumerate(words) if word in {">", "|"}), None)]


class ReadmeTests(SynchronousTestCase):
    """Blocks and commands."""

    def test_vaurienctl(self) -> None:
        """Every vaurienctl command is one."""
        seen = [arguments for page in _PAGES for arguments in commands(page, "vaurienctl")]
        self.assertGreater(len(seen), 20)
        for arguments in seen:
            chosen, rest = ctlparser.make_parser().parse_known_args(arguments)
            self.assertTrue(chosen.run is ctlcommands.set_behavior or not rest, arguments)

    def test_vaurien(self) -> None:
        """Every vaurien command line is good, and what it names is there."""
        seen = [arguments for arguments in commands("README.md", "vaurien") if arguments[0] != "replay"]
        self.assertGreater(len(seen), 2)
        for arguments in seen:
            self.assertEqual(load(arguments, Registry.load(), {}).protocol, Redis())

    def test_ini(self) -> None:
        """The file is a good one, with the variable that it wants, and what it extends."""
        (block,) = blocks("README.md", "ini")
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "base.ini").write_text("[vaurien]\nseed = 7\n")
        path = folder / "vaurien.ini"
        path.write_text(block.replace("my.package.Flaky", f"{Flaky.__module__}.Flaky"))
        settings = load(["--config", str(path)], Registry.load(), {"REDIS_HOST": "localhost"})
        self.assertEqual([rule.name for rule in settings.plan.rules], ["first-two"])
        self.assertEqual([placed.name for placed in settings.plan.toxics], ["far-away"])
        self.assertEqual((settings.plan.mix_text, settings.common.seed), ("20:delay", 7))

    def test_python(self) -> None:
        """What is Python is Python; what it imports is there."""
        seen = [block for page in _PAGES for block in blocks(page, "python")]
        self.assertEqual(len(seen), 4)
        for block in seen:
            for node in ast.parse(block).body:
                if isinstance(node, ast.ImportFrom):
                    module = importlib.import_module(node.module or "")
                    for each in node.names:
                        self.assertTrue(hasattr(module, each.name), f"{node.module}.{each.name}")

    def test_in_a_test(self) -> None:
        """The smallest test passes, with a real Redis; and the pages about tests are there."""
        (section,) = re.findall(r"^## In a test\n(.*?)^##", text("README.md"), re.MULTILINE | re.DOTALL)
        (block,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        server = RedisServer()
        self.addCleanup(server.stop)
        server.start()
        path = Path(self.mktemp() + ".py")
        path.write_text(block.replace("localhost:6379", f"127.0.0.1:{server.port}"), encoding="utf-8")
        runpy.run_path(str(path))["test_redis_is_loading"]()
        pages = set(re.findall(r"\]\((docs/[a-z-]+\.md)\)", section))
        wanted = ("testkit", "testkit-pytest", "from-others", "recipes")
        self.assertEqual(pages, {f"docs/{name}.md" for name in wanted})
        self.assertEqual([page for page in pages if not (ROOT / page).exists()], [])


class JsonTests(FaultCase):
    """The bodies in the tables of docs/control.md."""

    def bodies(self, path: str) -> list[object]:
        """Those in the row of a request."""
        (row,) = re.findall(rf"^\| `{re.escape(path)}`.* \| (.*) \|$", text("docs/control.md"), re.MULTILINE)
        found = re.findall(r"`(\{[^`…]*\})`", row)
        self.assertTrue(found, path)
        return [json.loads(each) for each in found]

    def test_bodies(self) -> None:
        """Each is taken."""
        for body in self.bodies("PUT /behavior"):
            self.ask("PUT", "/behavior", body)
        for body in self.bodies("PUT /plan"):
            self.ask("PUT", "/plan", body)
        self.ask("POST", "/reset", status=204)
        for number, body in enumerate(self.bodies("POST /rules")):
            # The kind is one of Redis.
            said = json.loads(json.dumps(body).replace("readonly", "any").replace("kind=any ", ""))
            self.ask("POST", f"/rules?position={number}", said, 201)
        for body in self.bodies("POST /toxics"):
            self.ask("POST", "/toxics", body)
            self.ask("DELETE", "/toxics/latency_downstream", status=204)
        self.ask("POST", "/toxics", {"type": "latency"})
        for body in self.bodies("PATCH /toxics/NAME"):
            self.ask("PATCH", "/toxics/latency_downstream", body)
        for body in self.bodies("POST /actions"):
            self.ask("POST", "/actions", body)
        self.ask("DELETE", "/actions/kill_idle")
