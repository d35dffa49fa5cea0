"""What --help says."""

from __future__ import annotations

import os
import re

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.options import options_of
from txvaurien.settings.flags import REPEATABLE, Common, flags_of
from txvaurien.settings.helptext import GROUPS, help_text
from txvaurien.test.registries import Flaky, registry


class HelpTests(SynchronousTestCase):
    """`help_text`."""

    def setUp(self) -> None:
        self.patch_width("80")
        names = registry()
        names.behaviors["flaky"] = Flaky
        self.flags = flags_of(names)
        self.text = help_text(names, "twistd vaurien")
        self.flat = " ".join(self.text.split())

    def patch_width(self, columns: str) -> None:
        """A terminal of this width."""
        self.patch(os, "environ", {**os.environ, "COLUMNS": columns})

    def test_every_option(self) -> None:
        """Each option has its line, once, and those that do nothing have none."""
        shown = re.findall(r"^  --([\w-]+)", self.text, re.MULTILINE)
        self.assertEqual(sorted(shown), sorted(name for name, flag in self.flags.items() if not flag.retired))

    def test_program(self) -> None:
        """The first line says how the program is called."""
        self.assertTrue(self.text.startswith("Usage: twistd vaurien [options]\n"))

    def test_choices_bounds_and_defaults(self) -> None:
        """Each option says what it is for, what it takes and what it is if not given."""
        for part in (
            "--protocol NAME what the service speaks; one of: chatty, tcp (default: tcp)",
            "one of: delay, dummy, error, flaky (default: dummy)",
            "--http start the control server --http-host",
            "--timeout NUMBER seconds that connecting to the backend may take (0.001 to 86400; default: 30)",
            "--idle-timeout NUMBER seconds after which a silent link is closed (0.001 to 86400; default: off",
            "--seed N repeats a run; drawn and logged if not given --max-active-faults N",
            "one of: critical, error, warning, info, debug (default: info)",
            "--behavior-delay-before true|false",
            "--behavior-flaky-mood NAME its mood; one of: good, bad (default: good)",
            "--behavior-flaky-limit NUMBER when it ends (at least 0; default: off)",
            "--config FILE",
        ):
            self.assertIn(part, self.flat)

    def test_behaviors_without_options(self) -> None:
        """A behavior without options is shown as well."""
        self.assertIn("\nBehavior dummy: ", self.text)

    def test_groups(self) -> None:
        """Every common option has its place in a group, and there is no further one."""
        grouped = [name for _, names in GROUPS for name in names]
        options = {option.name for option in options_of(Common)}
        self.assertEqual(sorted(grouped), sorted({*options, *REPEATABLE}))
        self.assertNotIn("Further", self.text)
        self.assertLess(self.flat.index("What goes wrong: "), self.flat.index("--rule 'NAME FIELD=VALUE"))
        self.assertLess(self.flat.index("--toxic 'NAME FIELD=VALUE"), self.flat.index("Limits: "))

    def test_faults(self) -> None:
        """The fields of rules and toxics, toxics with their attributes, actions, and the kinds of errors."""
        for part in (
            "fields. The first rule that fires wins, then the mix decides. verb=TEXT only these verbs",
            "for=NUMBER seconds after which it fires no more",
            "toxicity=NUMBER the share of links, from 0 to 1",
            "Toxic latency: Delay everything",
            "latency=N milliseconds to wait",
            "Action slow_accept: ",
            "delay=N milliseconds for each connection",
            "Kinds of errors of tcp (--behavior-error-kind): reset the connection is reset (RST)",
            "Times are seconds, or have a unit: 500ms, 1m30s.",
        ):
            self.assertIn(part, self.flat)

    def test_replay(self) -> None:
        """`vaurien` can replay, twistd cannot."""
        self.assertIn("\n       vaurien replay JOURNAL [options]\n", help_text(registry(), "vaurien"))
        self.assertNotIn("replay", self.text)

    def test_width(self) -> None:
        """Lines keep to the terminal."""
        self.assertLessEqual(max(map(len, self.text.splitlines())), 80)
