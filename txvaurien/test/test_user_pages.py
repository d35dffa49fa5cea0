"""The pages for those who come from elsewhere: what stands there can be used as it stands there."""

from __future__ import annotations

import ast
import json
import re
import shlex

from twisted.trial.unittest import SkipTest

from txvaurien.actions import ACTIONS
from txvaurien.config import load
from txvaurien.ctl import parser as ctlparser
from txvaurien.plugins import Registry
from txvaurien.test.control_faults import FaultCase
from txvaurien.test.test_fault_docs import DOCS, DocsCase

_PAGES = (
    "from-toxiproxy.md",
    "clients.md",
    "from-others.md",
    "testkit-pytest.md",
    "protocols/redis.md",
    "logging.md",
    "actions.md",
    "exceptions.md",
    "security.md",
)


class PagesTests(DocsCase):
    """All of them."""

    def test_links(self) -> None:
        """What a page refers to is there, and so is its heading."""
        for name in _PAGES:
            for target in re.findall(r"\]\(([^)]+)\)", self.page(name)):
                path, _, heading = target.partition("#")
                page = (DOCS / name).parent / path if path else DOCS / name
                self.assertTrue(page.exists(), f"{name}: {target}")
                if heading:
                    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
                    slugs = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in titles}
                    self.assertIn(heading, slugs, f"{name}: {target}")

    def test_python(self) -> None:
        """What is Python is Python."""
        for name in ("from-toxiproxy.md", "clients.md", "protocols/redis.md"):
            for block in self.blocks(self.page(name), "python"):
                ast.parse(block)

    def test_every_action(self) -> None:
        """Each action has a row that says what a client sees of it."""
        _, _, table = self.page("actions.md").partition("What a client sees:\n")
        rows = re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", table, re.MULTILINE)
        self.assertEqual(rows, list(ACTIONS))


class ToxiproxyTests(DocsCase):
    """docs/from-toxiproxy.md."""

    def commands(self, program: str) -> list[list[str]]:
        """The arguments of each command of that name, in tables and examples."""
        page = self.page("from-toxiproxy.md")
        found = re.findall(rf"`({program} [^`]*)`|^    ({program} .*)$", page, re.MULTILINE)
        return [shlex.split(inline or block)[1:] for inline, block in found]

    def test_vaurien(self) -> None:
        """The command lines are good."""
        seen = self.commands("vaurien")
        self.assertEqual(len(seen), 1)
        for arguments in seen:
            self.assertTrue(load(arguments, Registry.load(), {}).control)

    def test_vaurienctl(self) -> None:
        """Every vaurienctl command is one, and the toxics can be made."""
        seen = [each for each in self.commands("vaurienctl") if each[0] != "--http-port"]
        self.assertGreater(len(seen), 6)
        for arguments in seen:
            ctlparser.make_parser().parse_args(arguments)
        toxics = [arguments[2:] for arguments in seen if arguments[:2] == ["toxic", "add"]]
        self.assertEqual(len(toxics), 2)
        for words in toxics:
            load(["--toxic", shlex.join(words)], Registry.load(), {})


class ToxiproxyApiTests(FaultCase):
    """What docs/from-toxiproxy.md says of the API."""

    def test_update_leaves_the_rest(self) -> None:
        """The update of the page changes what it says, and the toxicity is left alone."""
        path = DOCS / "from-toxiproxy.md"
        if not path.exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        (body,) = re.findall(r"an update is `(.*?)`", path.read_text(encoding="utf-8"))
        self.ask("POST", "/toxics", {"type": "latency", "toxicity": 0.5, "attributes": {"jitter": 5}})
        said = self.ask("PATCH", "/toxics/latency_downstream", json.loads(body))
        self.assertEqual(said["toxicity"], 0.5)
        self.assertEqual((said["attributes"]["latency"], said["attributes"]["jitter"]), (200, 5))
