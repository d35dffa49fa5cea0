"""The examples in the pages on rules and scenarios."""

from __future__ import annotations

import json
import re
from configparser import ConfigParser
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.planning.faults import FaultReader
from txvaurien.planning.rulefields import RULE_FIELDS
from txvaurien.plugins import Registry
from txvaurien.rules import Rule
from txvaurien.scenarios.player import Player
from txvaurien.scenarios.scenario import dry_run, read_scenario
from txvaurien.test.test_player import Stage

DOCS = Path(__file__).parents[2] / "docs"


def reader(protocol: str) -> FaultReader:
    """Reads faults of everything that is installed."""
    registry = Registry.load()
    return FaultReader(registry, registry.protocol(protocol))


class DocsCase(SynchronousTestCase):
    """Tests of a page."""

    def page(self, name: str) -> str:
        """The text of a page."""
        path = DOCS / name
        if not path.exists():
            raise SkipTest("the docs are in the repository, not in the installed package")
        return path.read_text()

    def blocks(self, page: str, kind: str) -> list[str]:
        """What stands in the fenced blocks of a kind."""
        found = re.findall(rf"^```{kind}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        self.assertTrue(found, kind)
        return found


class RulesTests(DocsCase):
    """docs/rules.md."""

    def test_short_forms(self) -> None:
        """Each example is a rule of redis, or of http in the last block."""
        *redis, http = self.blocks(self.page("rules.md"), "rules")
        for protocol, block in (("redis", "".join(redis)), ("http", http)):
            for line in block.splitlines():
                if line and not line.startswith("#"):
                    self.assertIsInstance(reader(protocol).read(line, where=line), Rule)

    def test_command_line(self) -> None:
        """The examples of --rule are rules."""
        found = re.findall(r'--rule "([^"]*)"', self.page("rules.md"))
        self.assertEqual(len(found), 2)
        for words in found:
            self.assertIsInstance(reader("redis").read(words, where=words), Rule)

    def test_ini_and_json(self) -> None:
        """They are rules."""
        page = self.page("rules.md")
        parser = ConfigParser()
        parser.read_string(self.blocks(page, "ini")[0])
        reader("redis").rule(parser["rule:first-two"], where="", text=True)
        reader("redis").rule(json.loads(self.blocks(page, "json")[0]), where="")

    def test_table(self) -> None:
        """It has each field."""
        rows = re.findall(r"^\| `([a-z-]+)` \|", self.page("rules.md"), re.MULTILINE)
        self.assertEqual({"behavior", *rows}, RULE_FIELDS)


class ScenariosTests(DocsCase):
    """docs/scenarios.md."""

    def test_scenarios(self) -> None:
        """Each can be read, and played to its end."""
        for block in self.blocks(self.page("scenarios.md"), "scenario"):
            clock = Clock()
            stage = Stage(clock)
            player = Player(read_scenario(block, "evening.txt", reader("redis").read), stage, clock)
            player.start()
            clock.advance(10_000)
            self.successResultOf(player.when_done())
            self.assertEqual((stage.set, player.status()["failed"]), ({}, []))

    def test_dry_run(self) -> None:
        """What the page shows is what is printed."""
        page = self.page("scenarios.md")
        scenario = read_scenario(self.blocks(page, "scenario")[-1], "", reader("redis").read)
        self.assertEqual(dry_run(scenario), self.blocks(page, "output")[0])

    def test_status(self) -> None:
        """So is the status."""
        page = self.page("scenarios.md")
        clock = Clock()
        text = self.blocks(page, "scenario")[0]
        player = Player(read_scenario(text, "evening.txt", reader("redis").read), Stage(clock), clock)
        player.start()
        clock.advance(10.0)
        clock.advance(2.0)
        self.assertEqual(player.status(), json.loads(self.blocks(page, "json")[0]))
        player.stop()
