"""What --dry-run says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from txvaurien.behaviors.delay import Delay
from txvaurien.errors import ConfigError
from txvaurien.rules import Rule
from txvaurien.settings.dryrun import dry_run_text
from txvaurien.test.test_config import ConfigCase

#: What is said where nothing was said of a control server and of a journal.
NOTHING_MORE = ("no control server", "no journal file")


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
            [line for line in dry_run_text(settings).splitlines()[:-1] if line not in NOTHING_MORE],
            [
                "proxy on localhost:8000 for localhost:80: protocol tcp, seed 7",
                "limits: timeout 30, idle-timeout off, pool-max-size off, pool-timeout 30,"
                " max-active-faults 3",
                "rule a b: delay sleep=2.0 verb=GET,SET target='user *' for=5.0",
                "5 %: error inject=true",
                "10.5 %: delay",
                "toxic latency_upstream: latency latency=200 stream=upstream toxicity=0.5",
                "toxic pause_downstream: pause stream=downstream",
            ],
        )
        self.assertIn("warning: --sync: this does nothing", dry_run_text(settings))

    def test_process(self) -> None:
        """The control server, the journal and the limits have a line each."""
        settings = self.load("--http", "--http-port=1", "--journal=x", "--idle-timeout=1m", "--workers=2")
        self.assertEqual(
            dry_run_text(settings).splitlines()[:4],
            [
                "proxy on localhost:8000 for localhost:80 in 2 processes: protocol tcp,"
                " seed drawn at the start",
                "control on http://localhost:1/",
                "journal x: a new file after 104857600 bytes, 5 older ones kept",
                "limits: timeout 30, idle-timeout 60, pool-max-size off, pool-timeout 30,"
                " max-active-faults off",
            ],
        )
        settings = self.load("--no-proxy", "--http-host=::1")
        first, control, journal, *_ = dry_run_text(settings).splitlines()
        self.assertTrue(first == "no proxy", first)
        self.assertEqual((control, journal), ("control on http://[::1]:8080/", "no journal file"))

    def test_statsd(self) -> None:
        """Where metrics are sent has a line; what is no address is refused, as at the start."""
        settings = self.load("--statsd=localhost:8125", "--statsd-prefix=chaos")
        self.assertIn("metrics to StatsD at localhost:8125, as chaos.*", dry_run_text(settings).splitlines())
        error = self.assertRaises(ConfigError, self.load, "--statsd=localhost:0")
        self.assertEqual(error.where, "--statsd")

    def test_words_can_be_used(self) -> None:
        """What stands behind the name of a rule is what --rule takes, with the same outcome."""
        settings = self.load(
            "--rule=delay sleep=0.25 before=no target='user *' link-age=>60 status=5*,404 times=2"
        )
        words = dry_run_text(settings).splitlines()[4].partition(": ")[2]
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
            dry_run_text(replayed).splitlines()[4:],
            [
                "link 1, exchange 9: delay sleep=2.0 (rule mix 0 delay)",
                "link 1, exchange 10: delay sleep=2.0 (rule mix 0 delay)",
                "link 1, exchange u1: delay sleep=2.0 (rule mix 0 delay)",
                "link 2, exchange 1: delay sleep=2.0 (rule mix 0 delay)",
            ],
        )
        self.assertIn("seed drawn at the start", dry_run_text(replayed))

    def test_several(self) -> None:
        """Each proxy has its lines, with its name, after those of the process and the main one."""
        scenario = self.mktemp()
        Path(scenario).write_text("at 1s: delay for 2s\n", encoding="utf-8")
        ini = (
            "[proxy:a]",
            "proxy = :1",
            "backend = localhost:9",
            "enabled = no",
            "seed = 4",
            "[toxic:x]",
            "type = pause",
            "proxy = a",
            "[proxy:b]",
            "proxy = :2",
            "backend = localhost:9",
            "protocol = chatty",
            "timeout = 5",
            f"scenario = {scenario}",
        )
        limits = "idle-timeout off, pool-max-size off, pool-timeout 30, max-active-faults off"
        others = [
            "proxy a on :1 for localhost:9: protocol tcp, seed 4, disabled",
            f"limits: timeout 30, {limits}",
            "100 %: dummy",
            "toxic x: pause stream=downstream",
            "proxy b on :2 for localhost:9: protocol chatty, seed drawn at the start",
            f"limits: timeout 5, {limits}",
            "100 %: dummy",
            f"scenario {scenario}:",
        ]
        lines = dry_run_text(self.load(ini=ini)).splitlines()
        self.assertEqual(lines[:10], [*NOTHING_MORE, *others])
        self.assertIn("scenario-1", lines[11])
        lines = dry_run_text(self.load("--backend=localhost:3", ini=ini)).splitlines()
        main = "proxy on localhost:8000 for localhost:3: protocol tcp, seed drawn at the start"
        self.assertEqual(
            lines[:6], [main, *NOTHING_MORE, f"limits: timeout 30, {limits}", "100 %: dummy", others[0]]
        )
