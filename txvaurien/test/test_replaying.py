"""``vaurien replay JOURNAL``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.config import Settings
from txvaurien.errors import ConfigError
from txvaurien.journals.replaying import read_replayed, settle_replayed
from txvaurien.protocols.redis import Redis
from txvaurien.protocols.tcp import Tcp
from txvaurien.test.registries import Chatty, registry

_FIRST = {"event": "journal", "format": 1, "txvaurien": "0", "run": "r", "time": "", "clock": 0}
_PROXY = {
    "event": "proxy",
    "proxy": "mine",
    "listen": "localhost:1",
    "backend": "localhost:2",
    "protocol": "chatty",
    "options": {"keep_alive": False, "greeting": "hi"},
    "seed": 7,
    "plan": {"mix": [], "rules": [], "toxics": []},
}
_FIRED = {
    "event": "fired",
    "n": 1,
    "proxy": "mine",
    "link": 3,
    "exchange": "5",
    "rule": "delay-1",
    "behavior": "delay",
    "options": {"sleep": 2.0},
    "did": ["sleep 2"],
}


class ReplayTests(SynchronousTestCase):
    """`read_replayed` and `settle_replayed`."""

    def journal(self, *lines: dict[str, Any]) -> str:
        """A journal."""
        path: str = self.mktemp()
        Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    def replay(
        self, *arguments: str, lines: tuple[dict[str, Any], ...] = (_FIRST, _PROXY, _FIRED)
    ) -> Settings:
        """The settings for a replay of these lines."""
        line, replay = read_replayed([self.journal(*lines), *arguments], registry(), {})
        assert replay is not None
        return settle_replayed(line, replay)

    def wrong(self, *arguments: str) -> str:
        """What is said of these arguments."""
        return str(self.assertRaises(ConfigError, self.replay, *arguments))

    def test_everything_from_the_journal(self) -> None:
        """Where the command line says nothing, all is as it was, the name of the proxy included."""
        settings = self.replay()
        self.assertEqual((settings.listen.text, settings.backend.text), ("localhost:1", "localhost:2"))
        self.assertEqual(settings.protocol, Chatty(keep_alive=False, greeting="hi"))
        self.assertEqual((settings.name, settings.plan.seed, settings.plan.mix), ("mine", 7, ()))
        (rule,) = settings.plan.rules
        self.assertEqual((rule.behavior, rule.at), (Delay(sleep=2.0), {(3, "5")}))

    def test_pairs(self) -> None:
        """An option that is a table comes out of the journal as it was, be it empty."""
        names = registry()
        names.protocols["redis"] = Redis
        for remap in ({}, {"10.0.0.1:7000": "127.0.0.1:17000", "10.0.0.2:7000": "127.0.0.1:17001"}):
            proxy = {**_PROXY, "protocol": "redis", "options": {"remap": remap}}
            line, replay = read_replayed([self.journal(_FIRST, proxy, _FIRED)], names, {})
            assert replay is not None
            self.assertEqual(settle_replayed(line, replay).protocol, Redis(remap=remap))

    def test_command_line_beats_it(self) -> None:
        """What the command line says holds."""
        settings = self.replay("--proxy=:9", "--backend=localhost:1", "--seed=8", "--http")
        self.assertEqual((settings.listen.text, settings.backend.text), (":9", "localhost:1"))
        self.assertEqual((settings.plan.seed, settings.common.http), (8, True))
        self.assertEqual(
            self.replay("--protocol-chatty-greeting=ho").protocol, Chatty(keep_alive=False, greeting="ho")
        )
        self.assertEqual(self.replay("--protocol=tcp").protocol, Tcp())

    def test_warnings(self) -> None:
        """What will not be as it was is among the warnings of the start."""
        action = {"event": "action", "n": 2, "proxy": "mine", "name": "deaf", "on": True}
        warnings = self.replay(lines=(_FIRST, _PROXY, _FIRED, action)).warnings
        self.assertTrue(any("actions of the proxy" in each for each in warnings), warnings)

    def test_no_faults_beside(self) -> None:
        """A replay does what its journal says, and nothing else."""
        for option in (
            "--rule=delay",
            "--toxic=pause",
            "--behavior=delay",
            "--scenario=x",
            "--max-active-faults=1",
        ):
            said = self.wrong(option)
            name = option.partition("=")[0]
            self.assertEqual(
                said, f"{name}: what goes wrong in a replay is for its journal to say; leave it out"
            )
        path = self.mktemp()
        Path(path).write_text("[rule:x]\nbehavior = delay\n", encoding="utf-8")
        self.assertIn(f"{path}:1: a replay has no rules but", self.wrong("--config", path))

    def test_no_proxies_beside(self) -> None:
        """Nor does it have other proxies than that of its journal."""
        for text in ("[proxy:a]\nproxy = :1\nbackend = h:1\n", '[{"name": "a", "upstream": "h:1"}]'):
            path = self.mktemp()
            Path(path).write_text(text, encoding="utf-8")
            said = f"{path}:1: a replay has one proxy, that of its journal; use a file without others"
            self.assertEqual(self.wrong("--config", path), said)

    def test_another_protocol(self) -> None:
        """What a behavior cannot do with the protocol that was chosen is told of with journal and rule."""
        fired = {**_FIRED, "rule": "r", "behavior": "error", "options": {"kind": "oom"}}
        names = registry()
        names.protocols["redis"] = Redis
        path = self.journal(_FIRST, {**_PROXY, "protocol": "redis", "options": {}}, fired)
        line, replay = read_replayed([path, "--protocol=chatty"], names, {})
        assert replay is not None
        error = self.assertRaises(ConfigError, settle_replayed, line, replay)
        self.assertEqual(
            str(error),
            f"{path}: rule 'r': kind: there is no kind 'oom';"
            " the journal is of 'redis': leave --protocol out",
        )

    def test_no_journal(self) -> None:
        """Without a journal, or with something else, it says what to write."""
        error = self.assertRaises(ConfigError, read_replayed, ["--http"], registry(), {})
        self.assertEqual(str(error), "replay: it needs a journal; write vaurien replay JOURNAL [options]")
        error = self.assertRaises(ConfigError, read_replayed, ["nowhere"], registry(), {})
        self.assertTrue(str(error).startswith("nowhere: "), error)

    def test_help(self) -> None:
        """Help needs no journal."""
        line, replay = read_replayed(["--help"], registry(), {})
        self.assertIsNone(replay)
        self.assertTrue(line.asks("help"))
