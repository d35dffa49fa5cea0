"""docs/configuration.md: what stands there can be used as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from txvaurien.config import Settings, load
from txvaurien.net.ends import Ends
from txvaurien.options import options_of
from txvaurien.plugins import Registry
from txvaurien.process.definitionreader import FIELDS
from txvaurien.process.limits import Limits
from txvaurien.settings.proxysections import INHERITED, SectionFields
from txvaurien.test.registries import Flaky
from txvaurien.test.test_fault_docs import DocsCase


class PageTests(DocsCase):
    """The examples, and the table of lines."""

    def setUp(self) -> None:
        self.text = self.page("configuration.md")

    def load(self, kind: str, *arguments: str) -> Settings:
        """The settings of the file in the last block of this kind."""
        block = self.blocks(self.text, kind)[-1]
        path = self.mktemp()
        Path(path).write_text(block, encoding="utf-8")
        return load([*arguments, "--config", path], Registry.load(), {})

    def test_one_proxy(self) -> None:
        """The INI file of one proxy is a good one, with the variable that it wants, and what it extends."""
        block, _ = self.blocks(self.text, "ini")
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "base.ini").write_text("[vaurien]\nseed = 7\n")
        path = folder / "vaurien.ini"
        path.write_text(block.replace("my.package.Flaky", f"{Flaky.__module__}.Flaky"))
        settings = load(["--config", str(path)], Registry.load(), {"REDIS_HOST": "localhost"})
        self.assertEqual([rule.name for rule in settings.plan.rules], ["first-two"])
        self.assertEqual([placed.name for placed in settings.plan.toxics], ["far-away"])
        self.assertEqual((settings.plan.mix_text, settings.common.seed), ("20:delay", 7))

    def test_ini(self) -> None:
        """The INI file describes two proxies, with what is said of them."""
        cache, database = self.load("ini").definitions
        self.assertEqual((cache.protocol.name, database.protocol.name), ("redis", "mysql"))
        self.assertEqual([rule.name for rule in cache.plan.rules], ["lost-writes"])
        self.assertEqual([placed.name for placed in database.plan.toxics], ["far-away"])
        self.assertEqual((cache.plan.seed, database.limits.timeout, database.enabled), (42, 5.0, False))

    def test_json(self) -> None:
        """The JSON file does as well; the command line of Toxiproxy's users is good."""
        (command,) = re.findall(r"^    vaurien (.*) --config FILE$", self.text, re.MULTILINE)
        settings = self.load("json", *command.split())
        self.assertEqual([each.name for each in settings.definitions], ["cache", "database"])
        self.assertTrue(settings.control)

    def test_lines(self) -> None:
        """Each line of a section is in the table."""
        _, _, table = self.text.partition("| line | default | |\n")
        first = " ".join(re.findall(r"^\| ([^|]*) \|", table.partition("\n\n")[0], re.MULTILINE))
        named = set(re.findall(r"`([\w-]+)`", first))
        known = {option.name for option in options_of(SectionFields)}
        self.assertEqual(named, {*known, "listen", "upstream"})
        self.assertEqual(
            set(INHERITED), {*Limits.__struct_fields__, *Ends.__struct_fields__, "seed", "backlog", "workers"}
        )

    def test_fields(self) -> None:
        """Each field of an object is named."""
        limits = set(Limits.__struct_fields__) - {"idle_timeout"}
        for field in set(FIELDS) - limits - {"limits"}:
            self.assertIn(f"`{field}", self.text)

    def test_links(self) -> None:
        """What the page refers to is there."""
        for target in re.findall(r"\]\(([^)#]+)", self.text):
            self.page(target)
