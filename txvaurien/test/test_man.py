"""The man pages: up to date, well-formed, and with everything in them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.ctl.parser import make_parser
from txvaurien.plugins import Registry
from txvaurien.settings.flags import flags_of
from txvaurien.settings.helptext import help_text
from txvaurien.test import man_pages, roff
from txvaurien.test.servers import require


def rendered(name: str) -> tuple[str, str]:
    """A page as a terminal shows it, without attributes, and what groff has to say about it."""
    groff = require("groff", "groff-base")
    # So wide that nothing is broken; no escape sequences (grotty -c) and no overstrikes (-b, -u, -o).
    command = [groff, "-man", "-ww", "-Tascii", "-rLL=2000n", "-P-c", "-P-b", "-P-u", "-P-o"]
    with open(man_pages.FOLDER / name, "rb") as page:
        done = subprocess.run(command, stdin=page, capture_output=True, check=True)
    return done.stdout.decode("ascii"), done.stderr.decode()


class PageTests(SynchronousTestCase):
    """What is in docs/man."""

    def setUp(self) -> None:
        if not man_pages.FOLDER.exists():
            raise SkipTest("the man pages are in the repository, not in the installed package")

    def test_up_to_date(self) -> None:
        """Each page says what the declarations say now; `make man` writes them anew."""
        for name, text in man_pages.pages().items():
            written = (man_pages.FOLDER / name).read_text(encoding="utf-8")
            self.assertEqual(written, text, f"{name} is out of date: make man")
        self.assertEqual({path.name for path in man_pages.FOLDER.iterdir()}, set(man_pages.pages()))

    def test_well_formed(self) -> None:
        """groff shows each of them and has no warning."""
        for name in man_pages.pages():
            text, warnings = rendered(name)
            self.assertEqual(warnings, "")
            for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
                self.assertRegex(text, rf"(?m)^{heading}$", name)

    def test_vaurien(self) -> None:
        """Every option has its entry, with all that --help says of it, and twistd's plug-in is told of."""
        text, _ = rendered("vaurien.1")
        registry = Registry.load()
        shown = re.findall(r"(?m)^ +--([\w-]+)(?: |$)", text.partition("\nSIGNALS\n")[0])
        wanted = [name for name, flag in flags_of(registry).items() if not flag.retired]
        self.assertEqual(sorted(shown), sorted(wanted))
        self.assertIn("twistd [options of twistd] vaurien [options]", text)
        self.assertEqual(self.missing(help_text(registry, "vaurien"), text), [])

    def missing(self, words: str, text: str) -> Sequence[str]:
        """The words that a page does not have."""
        there = set(text.split())
        return [word for word in words.split() if not {word, word.rstrip(":")} & there and word != "Usage:"]

    def test_vaurienctl(self) -> None:
        """Every command has its entry, and below it every option and argument of its own."""
        text, _ = rendered("vaurienctl.1")
        common, _, below = text.partition("\nCOMMANDS\n")
        entries = re.split(r"(?m)^ {7}(?=vaurienctl )", below)
        found = list(man_pages.commands(make_parser()))
        self.assertGreater(len(found), 40)
        for words, command in found:
            # A command that is written in two ways has a line for each.
            entry = "".join(each for each in entries if re.match(rf"(?m){words}(?= |$)", each))
            names = set(re.findall(r"--[a-z][\w-]*", command.format_help())) - {"--help"}
            self.assertEqual(names - set(re.findall(r"--[a-z][\w-]*", common + entry)), set(), words)
            self.assertIn(" ".join((command.description or "nothing").split()), entry)


class RoffTests(SynchronousTestCase):
    """`txvaurien.test.roff`."""

    def test_escaped(self) -> None:
        """What troff would take for itself shows as it is."""
        self.assertEqual(roff.escaped(".so x"), r"\&.so x")
        self.assertEqual(roff.escaped(r"a\n 'b' --c"), r"a\en \(aqb\(aq \-\-c")
        self.assertEqual(roff.escaped("é\nx"), r"\[u00E9] x")

    def test_page(self) -> None:
        """A paragraph below a heading is not begun twice; further ones are."""
        pieces = [roff.section("Name"), roff.paragraph("a"), roff.paragraph("b")]
        self.assertEqual(roff.page(pieces), ".SH NAME\na\n.PP\nb\n")

    def test_examples(self) -> None:
        """Lines that go on keep their indentation."""
        self.assertIn("\nvaurien \\e\n    \\-\\-http\n", roff.examples((), ["vaurien \\", "    --http"]))
