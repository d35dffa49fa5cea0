"""docs/writing-*.md: the code is that of docs/examples/writing, and everything is done that stands there."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence

from txvaurien.test.servers import ServerProcess, require
from txvaurien.test.shellpages import ROOT, PageFollower

EXAMPLES = ROOT / "docs" / "examples" / "writing"

#: The kinds of plug-ins, each with a page.
KINDS = ("protocol", "behavior", "toxic")


def plain(code: str) -> str:
    """The lines of a piece of code, but for blank ones and indents: pages show methods as functions."""
    return "".join(f"{line.strip()}\n" for line in code.splitlines() if line.strip())


class Table(ServerProcess):
    """The server of the pages."""

    def command(self) -> Sequence[str]:
        return [sys.executable, str(EXAMPLES / "table.py"), str(self.port)]


class WritingTests(PageFollower):
    """The three pages."""

    def setUp(self) -> None:
        super().setUp()
        shutil.copytree(EXAMPLES, self.folder, dirs_exist_ok=True)

    def serve(self) -> None:
        """Have the server of the pages run until the test ends."""
        server = Table()
        self.addCleanup(server.stop)
        server.start()
        self.replaced["10023"] = str(server.port)
        self.ports(10024)

    def followed(self, kind: str, *files: str) -> int:
        """Do all that a page says; how many commands there were."""
        self.needs(curl="curl")
        self.serve()
        self.files = {"ini": list(files)}
        return self.follow(f"writing-a-{kind}.md")

    def test_protocol(self) -> None:
        """A protocol, from the smallest to one with errors and options."""
        self.assertEqual(self.followed("protocol", "small.ini", "tcpmap.ini"), 13)

    def test_behavior(self) -> None:
        """A behavior, from the smallest to one that edits."""
        self.assertEqual(self.followed("behavior", "slow.ini", "batch.ini"), 11)

    def test_toxic(self) -> None:
        """A toxic, from the smallest to one that holds bytes."""
        self.assertEqual(self.followed("toxic", "upper.ini", "hiccup.ini"), 12)

    def test_real_client(self) -> None:
        """Postfix itself is answered by the server, and where a rule says so by the proxy."""
        postmap = require("postmap", "postfix")
        self.serve()
        proxy = f"127.0.0.1:{self.replaced['10024']}"
        (self.folder / "main.cf").write_text("compatibility_level = 3.6\n", encoding="utf-8")
        (self.folder / "mine.ini").write_text(
            "[protocol:tcpmap]\ncallable = tcpmap.TcpMap\n", encoding="utf-8"
        )
        places = ["--proxy", proxy, "--backend", f"127.0.0.1:{self.replaced['10023']}"]
        rules = ["error kind=custom text='200 nowhere' target=bob", "error kind=unavailable target=carol"]
        options = [word for rule in rules for word in ("--rule", rule)]
        self.start_proxy(["--config", "mine.ini", "--protocol", "tcpmap", *places, *options])
        self.assertEqual(self.says(f"{postmap} -c . -q alice tcp:{proxy}"), "mail7.example.org\n")
        self.assertEqual(self.says(f"{postmap} -c . -q bob tcp:{proxy}"), "nowhere\n")
        self.assertIn("query error", self.says(f"{postmap} -c . -q carol tcp:{proxy}", failing=True))

    def test_code(self) -> None:
        """Each block of code stands in an example just so."""
        sources = [path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.py"))]
        for kind in KINDS:
            blocks = re.findall(r"^```python\n(.*?)^```", self.page(f"writing-a-{kind}.md"), re.M | re.S)
            self.assertGreater(len(blocks), 4)
            for block in blocks:
                self.assertTrue(any(plain(block) in plain(source) for source in sources), block)

    def test_entry_points(self) -> None:
        """Installed as the pages say, they are there without a file."""
        points = "".join(self._entry_points(kind) for kind in KINDS)
        info = self.folder / "mine-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
        (info / "entry_points.txt").write_text(points)
        said = self.says("vaurien --help")
        for flag in ("--protocol-tcpmap-longest", "--behavior-batch-each"):
            self.assertIn(flag, said)
        rule = "--protocol tcpmap --behavior shift --toxic 'hiccup share=0.5' --toxic upper"
        self.assertIn("hiccup share=0.5", self.says(f"vaurien --dry-run {rule}"))

    def _entry_points(self, kind: str) -> str:
        found = re.search(r"^```toml\n(?P<points>.*?)^```", self.page(f"writing-a-{kind}.md"), re.M | re.S)
        assert found is not None, kind
        return found["points"].replace('[project.entry-points."', "[").replace('"]', "]").replace('"', "")

    def test_links(self) -> None:
        """What the pages refer to is there."""
        for kind in KINDS:
            page = self.page(f"writing-a-{kind}.md")
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page):
                self.assertTrue((ROOT / "docs" / target).exists(), target)
            for path in re.findall(r"`((?:txvaurien|docs)/[\w/.]+)`", page):
                self.assertTrue((ROOT / path).exists(), path)
