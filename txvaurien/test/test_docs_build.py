"""The documentation: that it can be built, leads where it says, and leaves nothing out."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

import txvaurien
from txvaurien import interfaces
from txvaurien.actions import ACTIONS
from txvaurien.control.openapi import document
from txvaurien.ctl.parser import make_parser
from txvaurien.journal import EVENTS
from txvaurien.options import Declared, options_of
from txvaurien.planning.faults import ToxicFields
from txvaurien.planning.rulefields import RULE_OPTIONS
from txvaurien.plugins import Registry
from txvaurien.settings.flags import Common, flags_of
from txvaurien.settings.proxysections import SectionFields
from txvaurien.test.docs_site import DOCS, ROOT, Page, built


class SiteCase(SynchronousTestCase):
    """Tests of the site, which is built once."""

    registry: ClassVar[Registry] = Registry.load()

    def page(self, name: str) -> Page:
        """One page of the site."""
        return built().pages[name]

    def check_options(self, page: str, section: str, declared: type[Declared]) -> None:
        """Every option has a row in that section, with its help."""
        rows = self.page(page).cells_of(section)
        for option in options_of(declared):
            self.assertIn(option.name, rows, f"{page}#{section}")
            self.assertEqual(rows[option.name][-1], plain(option.help), f"{page}#{section}: {option.name}")


def plain(text: str) -> str:
    """A text of Markdown as it is read."""
    return " ".join(text.replace("`", "").split())


class BuildTests(SiteCase):
    """The site as a whole."""

    def test_no_warning(self) -> None:
        """It is built without an error and without a warning."""
        self.assertFalse(built().said, built().said)
        self.assertEqual(built().status, 0)

    def test_links(self) -> None:
        """What a page links to is there, and so is the anchor."""
        self.assertGreater(len(built().pages), 40)
        self.assertEqual(list(built().broken_links()), [])

    def test_index(self) -> None:
        """The first page links to each page that is in its table of contents, and to no other."""
        text = (DOCS / "index.md").read_text(encoding="utf-8")
        trees = re.findall(r"^```\{toctree\}\n(?::.*\n)*\n((?:.+\n)+)```$", text, re.MULTILINE)
        listed = [name for tree in trees for name in tree.split()]
        self.assertGreater(len(listed), 30)
        self.assertEqual(set(re.findall(r"\]\(([\w/-]+)\.md\)", text)), set(listed))

    def test_every_page_is_listed(self) -> None:
        """There is no page that nothing in the table of contents leads to."""
        sources = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
        self.assertEqual(sources - set(built().pages), set())

    def test_nothing_of_the_machine(self) -> None:
        """No page says where it was built."""
        for path in [*built().folder.rglob("*.html"), *built().folder.rglob("*.js")]:
            text = path.read_text(encoding="utf-8")
            for place in (str(ROOT), str(built().folder)):
                self.assertNotIn(place, text, path.name)


class FaultsTests(SiteCase):
    """Behaviors, rules, toxics and actions."""

    def test_behaviors(self) -> None:
        """Every option of every behavior is there, with its help."""
        for name, behavior in self.registry.behaviors.items():
            self.check_options("reference/behaviors", name, behavior)

    def test_actions(self) -> None:
        """So is every option of every action."""
        for name, action in ACTIONS.items():
            self.check_options("reference/behaviors", name.replace("_", "-"), action)

    def test_rules(self) -> None:
        """Every field of a rule is there."""
        rows = self.page("reference/behaviors").cells_of("rules")
        self.assertEqual(list(rows), [option.name for option in RULE_OPTIONS])

    def test_toxics(self) -> None:
        """Every attribute of every toxic is on the page about toxics, and its fields are in the reference."""
        rows = [tuple(row.cells) for row in self.page("toxics").rows]
        for name, toxic in self.registry.toxics.items():
            start = next(at for at, cells in enumerate(rows) if cells[0] == name)
            for offset, option in enumerate(options_of(toxic), 1):
                cells = rows[start + offset]
                self.assertEqual((cells[1], cells[-1]), (option.attribute, plain(option.help)), name)
        self.check_options("reference/behaviors", "toxics", ToxicFields)


class ProtocolsTests(SiteCase):
    """Every protocol."""

    def test_options(self) -> None:
        """Every option is there, with its help."""
        for name, protocol in self.registry.protocols.items():
            self.check_options("reference/protocols", f"options-of-{name}", protocol)

    def test_errors(self) -> None:
        """Every kind of error is there, with where it is said, and its help."""
        for name, protocol in self.registry.protocols.items():
            rows = self.page("reference/protocols").cells_of(f"errors-of-{name}")
            for kind in protocol.error_kinds:
                where, _, text = rows[kind.name]
                self.assertEqual((where, text), (kind.where.value, plain(kind.help)), f"{name}: {kind.name}")

    def test_verbs(self) -> None:
        """Every verb is there, where they are known."""
        codes = self.page("reference/protocols").codes
        for protocol in self.registry.protocols.values():
            self.assertEqual(set(protocol.verbs) - codes, set())


class CommandsTests(SiteCase):
    """The command lines and the INI file."""

    def test_vaurien(self) -> None:
        """Every option of the command line is there, but those that do nothing any more."""
        page = self.page("reference/command-line")
        names = {row.cells[0] for row in page.rows}
        flags = flags_of(self.registry).values()
        self.assertEqual({f"--{flag.name}" for flag in flags if not flag.retired} - names, set())

    def test_retired(self) -> None:
        """Of those, each is told once, by what comes behind the name of its owner."""
        rows = self.page("reference/command-line").cells_of("what-vaurien-had")
        retired = [flag.name for flag in flags_of(self.registry).values() if flag.retired]
        self.assertTrue(retired)
        for name in retired:
            self.assertEqual(
                len([end for end in rows if name.endswith(f"-{end}")] or [name in rows]), 1, name
            )

    def test_vaurienctl(self) -> None:
        """Every command has a section, with each of its arguments."""
        page = self.page("reference/vaurienctl")
        sections = {heading: anchor for anchor, heading in page.headings.items()}
        seen = list(commands(make_parser()))
        self.assertIn("rule add", [name for name, _ in seen])
        for name, parser in seen:
            rows = page.cells_of(sections[name])
            for action in own_arguments(parser):
                self.assertTrue(any(is_about(action, first) for first in rows), f"{name}: {action.dest}")

    def test_ini_file(self) -> None:
        """Every line of each section is there, but those of plug-ins; a rule is named by its section."""
        self.check_options("reference/ini-file", "vaurien", Common)
        self.check_options("reference/ini-file", "proxy-name", SectionFields)
        self.check_options("reference/ini-file", "toxic-name", ToxicFields)
        rows = self.page("reference/ini-file").cells_of("rule-name")
        self.assertEqual({*rows, "name"}, {option.name for option in RULE_OPTIONS})


def commands(parser: argparse.ArgumentParser, *above: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that runs something."""
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for name, each in action.choices.items():
                yield from commands(each, *above, name)
    if parser.get_default("run") is not None:
        yield " ".join(above), parser


def own_arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments that not every command has."""
    return [each for each in parser._actions if each.default != argparse.SUPPRESS]


def is_about(action: argparse.Action, cell: str) -> bool:
    """Whether the first cell of a row names this argument."""
    names = action.option_strings or [str(action.metavar or "|".join(map(str, action.choices or ())))]
    return any(name in cell for name in names)


class InterfacesTests(SiteCase):
    """HTTP, the journal, Python."""

    def test_paths(self) -> None:
        """Every path of the OpenAPI document is there, with each of its methods."""
        page = self.page("reference/http-api")
        told = page.codes | set(page.headings.values())
        paths = document(self.registry)["paths"]
        wanted = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
        self.assertGreater(len(wanted), 80)
        self.assertEqual(wanted - told, set())

    def test_parameters(self) -> None:
        """So is every parameter that does not stand in the path."""
        page = self.page("reference/http-api")
        sections = {heading: anchor for anchor, heading in page.headings.items()}
        for path, methods in document(self.registry)["paths"].items():
            for method, operation in methods.items():
                rows = page.cells_of(sections.get(f"{method.upper()} {path}", ""))
                names = {each["name"] for each in operation["parameters"] if each["in"] != "path"}
                if f"{method.upper()} {path}" in sections:
                    self.assertEqual(set(rows), names, f"{method} {path}")

    def test_bodies(self) -> None:
        """Every shape of a body has a section, but for those of single faults."""
        page = self.page("reference/http-api")
        shapes = [name for name in document(self.registry)["components"]["schemas"] if "." not in name]
        self.assertEqual([name for name in shapes if f"schema-{name.lower()}" not in page.anchors], [])

    def test_events(self) -> None:
        """Every event of the journal is on the page about it."""
        self.assertEqual(set(EVENTS) - self.page("journal").codes, set())

    def test_package(self) -> None:
        """Everything that the package exports is there."""
        names = {f"txvaurien.{name}" for name in txvaurien.__all__ if not name.startswith("_")}
        self.assertEqual(names - self.page("reference/python").anchors, set())

    def test_interfaces(self) -> None:
        """Every method and attribute of every interface is there."""
        found = [each for name, each in vars(interfaces).items() if re.match("I[A-Z]", name)]
        self.assertGreater(len(found), 8)
        names = {f"{interfaces.__name__}.{each.__name__}.{name}" for each in found for name in each.names()}
        self.assertEqual(names - self.page("reference/plugins").anchors, set())
