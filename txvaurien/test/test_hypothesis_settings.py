"""Whatever somebody writes, the answer is a setting or a `ConfigError` in words: never another exception."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.config import load
from txvaurien.errors import ConfigError
from txvaurien.metrics.statsd import parse_address
from txvaurien.net.addresses import parse_backend, parse_listen
from txvaurien.net.allowed import check_asked, may_be_set, parse_patterns
from txvaurien.plan import Plan
from txvaurien.planning.faults import FaultReader
from txvaurien.planning.mix import parse_mix
from txvaurien.planning.planreader import PlanReader
from txvaurien.planning.rulefields import RULE_OPTIONS
from txvaurien.planning.times import read_time
from txvaurien.plugins import Registry
from txvaurien.process.definitionreader import DefinitionReader
from txvaurien.protocols.redis import Redis
from txvaurien.scenarios.scenario import dry_run, read_scenario
from txvaurien.settings.dryrun import dry_run_text
from txvaurien.test.control_helpers import ControlCase
from txvaurien.test.strategies import ODD, anything, bent, steady

REGISTRY = Registry.load()
FAULTS = FaultReader(REGISTRY, Redis())

#: More digits than Python reads as one number.
HUGE = "9" * 5000

ADDRESSES = (
    "localhost:8000",
    "[::1]:80",
    ":0",
    "unix:/run/x.sock",
    "tcp:8000:interface=::1",
    "tcp:localhost:80:timeout=3",
    "tls:example.org:465:verify=no",
    "ssl:443:privateKey=key.pem:certKey=cert.pem",
    "systemd:domain=INET:index=0",
)
FIELDS = {
    "verb": "GET,SET",
    "target": "user:*",
    "status": "5*,OK",
    "client": "10.0.0.0/8,[::1]",
    "link-age": ">60",
    "message": "3..5",
    "at": "3:17,3:u2",
    "probability": "0.5",
    "after": "1",
    "times": "2",
    "every": "3",
    "per": "link",
    "for": "1m30s",
    "name": "mine",
}
WORDS = (
    "dummy " + shlex.join(f"{name}={value}" for name, value in FIELDS.items()),
    "error kind=readonly verb=SET times=2",
    "delay sleep=500ms jitter=1 distribution=normal for=1m",
    "latency latency=200 stream=upstream toxicity=0.5 name=slow",
    "kill_idle idle=10s how=rst",
    "deaf",
)
SCENARIO = "\n".join(
    [
        "at 10s: blackout for 5s",
        "at 20s: delay sleep=2 on 30 %  # a comment",
        "every 10s from 2m until 5m: reset_peer timeout=0 for 1s",
        "at 6m: end",
        "repeat 3",
    ]
)
INI = "\n".join(
    [
        "# a comment",
        "[vaurien]",
        "proxy = localhost:8000",
        "backend = localhost:6379",
        "protocol = redis",
        "behavior = 5:error,10:delay",
        "seed = 7",
        "timeout = 500ms",
        "[behavior:delay]",
        "sleep = 1.5",
        "[rule:r]",
        "behavior = error",
        "kind = readonly",
        "[toxic:t]",
        "type = latency",
        "latency = 200",
        "[proxy:other]",
        "proxy = localhost:8001",
        "backend = localhost:6380",
    ]
)
RULE = {"behavior": "error", "kind": "readonly", "verb": ["SET"], "message": 3, "at": ["1:2"], "for": 5}
TOXIC = {"type": "latency", "stream": "upstream", "toxicity": 0.5, "attributes": {"latency": 200}}
PLAN = {
    "mix": [{"percent": 5, "name": "delay", "options": {"sleep": 1}}],
    "rules": [RULE, "delay sleep=1"],
    "toxics": [TOXIC, "latency latency=1"],
    "seed": 7,
}
PROXY = {
    "name": "redis",
    "listen": "localhost:26379",
    "upstream": "localhost:6379",
    "enabled": True,
    "protocol": "redis",
    "options": {},
    "plan": PLAN,
    "limits": {"timeout": 5, "pool_max_size": 3},
}


class GarbageCase(SynchronousTestCase):
    """Reads what nobody should have written."""

    def attempt(self, read: Callable[..., object], *said: object, **named: object) -> object:
        """What is read, None where that is refused, with words for it."""
        try:
            return read(*said, **named)
        except ConfigError as error:
            self.assertTrue(error.what)
            self.assertIn(error.where, str(error))
            return None


class TextTests(GarbageCase):
    """Texts that stand in a flag, a line of a file, or a field of a body."""

    @settings(steady, max_examples=400)
    @given(anything(*ADDRESSES))
    @example(f"localhost:{HUGE}")
    @example(f"tcp:localhost:{HUGE}")
    @example(f"tls:localhost:{HUGE}")
    def test_addresses(self, text: str) -> None:
        """An address to connect to, and one to listen at."""
        listen, backend = self.attempt(parse_listen, text, "here"), self.attempt(parse_backend, text, "here")
        self.attempt(check_asked, text)
        for found in (listen, backend):
            self.assertEqual(found and getattr(found, "text", None), found and text.strip())
        if backend is not None:
            self.assertIsInstance(getattr(backend, "authority", None), str)

    @steady
    @given(
        anything("localhost:*", "10.0.0.0/8:6379", "*.example.org:443", "unix:/run/*", "[2001:db8::]/32:1-9")
    )
    @example(f"localhost:{HUGE}")
    @example(f"10.0.0.0/{HUGE}")
    def test_patterns(self, text: str) -> None:
        """Where the control API may point a proxy at."""
        patterns = self.attempt(parse_patterns, text)
        if isinstance(patterns, tuple):
            may_be_set(patterns, parse_backend("localhost:80"))

    @steady
    @given(anything("localhost:8125", "[::1]", "example.org"))
    @example(f"localhost:{HUGE}")
    def test_statsd(self, text: str) -> None:
        """Where metrics are sent."""
        self.attempt(parse_address, text)

    @steady
    @given(anything("5:error,10:delay", "delay", "33.3:a,33.3:b"))
    @example(f"{HUGE}:delay")
    def test_mixes(self, text: str) -> None:
        """A mix, whose percentages are never more than 100 together."""
        mix = self.attempt(parse_mix, text)
        if isinstance(mix, list):
            self.assertLessEqual(sum(percent for percent, _ in mix), 100.001)
            self.assertTrue(all(name == name.strip() != "" for _, name in mix))

    @steady
    @given(anything("10", "500ms", "1h2m3s4ms", ".5", "1e3"))
    @example(HUGE)
    @example(f"1e{HUGE}")
    def test_times(self, text: str) -> None:
        """A time is from 0 to 1000 hours."""
        seconds = self.attempt(read_time, text, "here")
        if isinstance(seconds, float):
            self.assertTrue(0 <= seconds <= 3_600_000)

    @settings(steady, max_examples=400)
    @given(anything(*WORDS))
    @example(f"dummy at={HUGE}:1")
    @example(f"dummy at=1:{HUGE}")
    @example(f"dummy message={HUGE}")
    @example(f"latency latency={HUGE}")
    def test_faults(self, words: str) -> None:
        """A rule, a toxic or an action in its short form."""
        self.attempt(FAULTS.read, words, where="--rule")

    @settings(steady, max_examples=600)
    @given(st.sampled_from([option.name for option in RULE_OPTIONS]), st.data())
    def test_fields(self, name: str, data: st.DataObject) -> None:
        """Each field of a rule; the error names it."""
        value = data.draw(anything(FIELDS[name]))
        try:
            FAULTS.rule({"behavior": "dummy", name: value}, where="", text=True)
        except ConfigError as error:
            self.assertEqual(error.where, name)

    @settings(steady, max_examples=400)
    @given(anything(SCENARIO, *SCENARIO.splitlines()))
    @example(f"at 1s: deaf for 1s\nrepeat {HUGE}")
    @example(f"at {HUGE}: deaf for 1s")
    def test_scenarios(self, text: str) -> None:
        """A scenario; what is read can be shown."""
        scenario = self.attempt(read_scenario, text, "x.txt", FAULTS.read)
        if scenario is not None:
            self.assertTrue(dry_run(read_scenario(text, "x.txt", FAULTS.read)).startswith("round 1"))


class FileTests(GarbageCase):
    """Whole files and command lines."""

    def load(self, *arguments: str, raw: bytes | None = None) -> None:
        """Settings from these arguments, with a file if there is one; what is read can be shown."""
        if raw is not None:
            path = Path(self.mktemp())
            path.write_bytes(raw)
            arguments = (f"--config={path}", *arguments)

        def shown() -> str:
            return dry_run_text(load(arguments, Registry.load(), {}))

        self.attempt(shown)

    @steady
    @given(anything(INI, *INI.splitlines()))
    def test_ini(self, text: str) -> None:
        """A file that is nearly one of settings."""
        self.load(raw=text.encode("utf-8", "surrogatepass"))

    @steady
    @given(st.binary(max_size=60) | st.tuples(st.binary(max_size=5), st.just(INI.encode())).map(b"".join))
    def test_bytes(self, raw: bytes) -> None:
        """A file of any bytes."""
        self.load(raw=raw)

    @steady
    @given(bent([[PROXY], PROXY, [PROXY, PROXY]]))
    @example([{**PROXY, "timeout": 10**400}])
    def test_json(self, said: Any) -> None:
        """A file of proxies in JSON, and whatever Python's writer takes for that."""
        self.load(raw=json.dumps(said).encode())

    @steady
    @given(anything(json.dumps([PROXY], indent=1), json.dumps([PROXY])))
    @example("[" * 100_000)
    @example('[{"name":' * 50_000)
    @example(f'[{{"name": "a", "timeout": {HUGE}}}]')
    @example('[{"name": "\\ud800", "upstream": "localhost:1"}]')
    def test_nearly_json(self, text: str) -> None:
        """One that is nearly JSON, or lies very deep."""
        self.load(raw=text.encode("utf-8", "surrogatepass"))

    @steady
    @given(
        st.lists(
            st.one_of(
                anything("--proxy=localhost:1", "--seed=7", "--behavior-delay-sleep=5", "--http", "--help"),
                anything(*(f"--rule={words}" for words in WORDS), *(f"--toxic={words}" for words in WORDS)),
                st.sampled_from(["--protocol", "redis", "--behavior", "delay", "--seed", "--timeout"]),
                ODD,
            ),
            max_size=4,
        )
    )
    @example([f"--seed={HUGE}"])
    @example(["--config=\0"])
    @example(["--scenario=\0"])
    @example(["--http", "--http-token-file=\0"])
    def test_command_lines(self, arguments: list[str]) -> None:
        """Any arguments."""
        self.load(*arguments)


class BodyTests(GarbageCase):
    """What comes over HTTP, after it has been read as JSON."""

    @settings(steady, max_examples=400)
    @given(bent([PLAN]))
    @example({"mix": [{"percent": 10**400, "name": "delay"}]})
    @example({"mix": [{"percent": float("nan"), "name": "delay"}]})
    @example({"seed": float("inf")})
    def test_plans(self, said: Any) -> None:
        """A plan."""
        if isinstance(said, dict):
            self.attempt(PlanReader(FAULTS).plan, said, Plan())

    @settings(steady, max_examples=400)
    @given(bent([PROXY]), st.booleans(), st.booleans())
    def test_definitions(self, said: Any, known_only: bool, strict: bool) -> None:
        """A proxy, as we take it and as Toxiproxy does."""
        if isinstance(said, dict):
            reader = DefinitionReader(REGISTRY)
            self.attempt(reader.read, said, known_only=known_only, strict=strict)


#: Where something is set, and what might be sent there.
REQUESTS: list[tuple[str, str, Any]] = [
    ("PUT", "/plan", PLAN),
    ("PUT", "/behavior", {"name": "delay", "sleep": 1}),
    ("PUT", "/behavior", {"mix": PLAN["mix"]}),
    ("PUT", "/backend", {"backend": "localhost:6379", "cut": True}),
    ("POST", "/rules", {"behavior": "delay", "sleep": 1, "message": 3, "at": ["1:2"]}),
    ("POST", "/rules", {"rule": "delay sleep=1"}),
    ("POST", "/toxics", TOXIC),
    ("PUT", "/scenario", {"scenario": "at 10s: delay for 5s\nat 20s: end"}),
    ("POST", "/actions/kill_idle", {"idle": 5, "how": "fin"}),
    ("POST", "/actions", {"action": "kill_idle idle=5"}),
    ("POST", "/proxies", {**PROXY, "protocol": "tcp", "enabled": False, "plan": {}}),
    ("POST", "/populate", [{"name": "a", "upstream": "localhost:1", "enabled": False}]),
]


class RequestTests(ControlCase):
    """Whole requests."""

    @settings(steady, max_examples=500)
    @given(st.sampled_from(REQUESTS), st.data())
    def test_bodies(self, request: tuple[str, str, Any], data: st.DataObject) -> None:
        """Every body is taken or refused in JSON: nothing is an error of the server's."""
        self.setUp()
        method, path, body = request
        answer = self.client.ask(method, path, data.draw(bent([body])))
        self.assertIn(answer.status, (200, 201, 204, 400, 404, 409), answer.raw)
        if answer.status >= 400:
            self.assertTrue(answer.said)

    @steady
    @given(st.sampled_from(REQUESTS), st.data())
    def test_bytes(self, request: tuple[str, str, Any], data: st.DataObject) -> None:
        """Also if it is hardly JSON."""
        self.setUp()
        method, path, body = request
        text = data.draw(anything(json.dumps(body)))
        answer = self.client.ask(method, path, text.encode("utf-8", "surrogatepass"))
        self.assertIn(answer.status, (200, 201, 204, 400, 404, 409), answer.raw)
