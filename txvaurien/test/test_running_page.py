"""docs/running.md: what stands there can be used as it stands there."""

from __future__ import annotations

import re
from types import MappingProxyType

from txvaurien.options import options_of
from txvaurien.plugins import Registry
from txvaurien.settings.flags import Common, flags_of
from txvaurien.test.test_fault_docs import DocsCase
from txvaurien.test.test_readme import RedisPage


class CommandTests(RedisPage):
    """Every command of the page, in its order, with a real Redis."""

    files = MappingProxyType({"text": ["evening.txt"]})

    def test_page(self) -> None:
        """Each can be given, and says what stands below it."""
        self.assertEqual(self.follow_with_redis("running.md"), 26)


class TableTests(DocsCase):
    """The table of options."""

    def test_options(self) -> None:
        """Each option is one; each default is the one that is declared."""
        _, _, table = self.page("running.md").partition("| option | default | |\n|---|---|---|\n")
        known, flags = {each.name: each for each in options_of(Common)}, flags_of(Registry.load())
        rows = table.partition("\n\n")[0].splitlines()
        self.assertGreater(len(rows), 20)
        for names, default, _ in (re.split(r" *\| *", row[2:-2], maxsplit=2) for row in rows[:-1]):
            found = re.findall(r"--([a-z-]+)", names)
            self.assertEqual([name for name in found if name not in flags], [])
            if default and default != "drawn, and logged":
                declared = [str(known[name].default) for name in found]
                words = [each.strip("`") for each in default.split(", ")]
                said = [
                    {"None": "off", "False": "off"}.get(each, each.removesuffix(".0")) for each in declared
                ]
                self.assertEqual(words, said, names)
