"""What --dry-run says."""

from __future__ import annotations

from dataclasses import replace

from txvaurien.behaviors.delay import Delay
from txvaurien.dryrun import dry_run_text
from txvaurien.rules import Rule
from txvaurien.test.test_config import ConfigCase


class DryRunTests(ConfigCase):
    """`dry_run_text`."""

    def test_plan(self) -> None:
        """Each part of the plan has its line, in the words of the command line."""
        settings = self.load(
            "--behavior=5:error,10.5:delay",
            "--behavior-error-inject=on",
            "--rule=delay sleep=2 verb=SET,GET name='a b' target='user *' for=5",
            "--toxic=latency latency=200 stream=upstream toxicity=0.5",
            "--toxic=pause",
            "--max-active-faults=3",
            "--seed=7",
            "--sync",
        )
        self.assertEqual(
            dry_run_text(settings).splitlines()[:-1],
            [
                "proxy on localhost:8000 for localhost:80: protocol tcp, seed 7",
                "rule a b: delay sleep=2.0 verb=GET,SET target='user *' for=5.0",
                "5 %: error inject=true",
                "10.5 %: delay",
                "toxic latency_upstream: latency latency=200 stream=upstream toxicity=0.5",
                "toxic pause_downstream: pause stream=downstream",
                "at most 3 faults at one time",
            ],
        )
        self.assertIn("warning: --sync: this does nothing", dry_run_text(settings))

    def test_words_can_be_used(self) -> None:
        """What stands behind the name of a rule is what --rule takes, with the same outcome."""
        settings = self.load(
            "--rule=delay sleep=0.25 before=no target='user *' link-age=>60 status=5*,404 times=2"
        )
        words = dry_run_text(settings).splitlines()[1].partition(": ")[2]
        again = self.load(f"--rule={words}").plan.rules[0]
        self.assertEqual(vars(again), vars(settings.plan.rules[0]))

    def test_places(self) -> None:
        """A rule for single exchanges, as a replay has them, is a list of those, in their order."""
        settings = self.load()
        rule = Rule(
            Delay(sleep=2.0), name="mix 0 delay", at=frozenset({(2, "1"), (1, "u1"), (1, "10"), (1, "9")})
        )
        replayed = replace(settings, plan=replace(settings.plan, mix=(), rules=(rule,)))
        self.assertEqual(
            dry_run_text(replayed).splitlines()[1:],
            [
                "link 1, exchange 9: delay sleep=2.0 (rule mix 0 delay)",
                "link 1, exchange 10: delay sleep=2.0 (rule mix 0 delay)",
                "link 1, exchange u1: delay sleep=2.0 (rule mix 0 delay)",
                "link 2, exchange 1: delay sleep=2.0 (rule mix 0 delay)",
            ],
        )
        self.assertIn("seed drawn at the start", dry_run_text(replayed))
