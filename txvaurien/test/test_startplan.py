"""Rules, toxics and scenarios that a process starts with."""

from __future__ import annotations

from pathlib import Path

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.config import load
from txvaurien.errors import ConfigError
from txvaurien.model import Direction
from txvaurien.plugins import Registry
from txvaurien.protocols.redis import Redis
from txvaurien.test.registries import registry
from txvaurien.test.test_config import ConfigCase
from txvaurien.toxics.latency import Latency

_LATENCY = f"{Latency.__module__}.{Latency.__name__}"


class RuleTests(ConfigCase):
    """``--rule`` and ``[rule:NAME]``."""

    def test_short_form(self) -> None:
        """Each --rule is one more rule, in their order, and is given a name."""
        settings = self.load("--rule", "delay sleep=2 verb=GET,SET times=3", "--rule=delay target=user:*")
        first, second = settings.plan.rules
        self.assertEqual((first.behavior, first.times), (Delay(sleep=2.0), 3))
        self.assertEqual((first.verbs, first.name), (frozenset({"GET", "SET"}), "delay-1"))
        self.assertEqual((second.target, second.name), ("user:*", "delay-2"))

    def test_section(self) -> None:
        """A section has a line for each field, and its name is the rule's."""
        ini = ("[rule:slow]", "behavior = delay", "sleep = 2", "verb = GET, SET", "link_age = >60", "for = 5")
        (rule,) = self.load(ini=ini).plan.rules
        self.assertEqual((rule.name, rule.behavior, rule.lifetime), ("slow", Delay(sleep=2.0), 5.0))
        self.assertEqual((rule.verbs, rule.link_age.low), (frozenset({"GET", "SET"}), 60.0))

    def test_order(self) -> None:
        """Those of the file come first; names that are made up are not those of others."""
        ini = ("[rule:b]", "behavior = delay", "[rule:a]", "behavior = delay")
        plan = self.load("--rule=delay", "--rule=delay name=delay-1", ini=ini).plan
        self.assertEqual([rule.name for rule in plan.rules], ["b", "a", "delay-2", "delay-1"])

    def test_extended(self) -> None:
        """A section of a file that is extended can be changed line by line, and keeps its place."""
        base = self.mktemp()
        lines = ("[rule:a]", "behavior = delay", "sleep = 2", "[rule:b]", "behavior = delay")
        Path(base).write_text("\n".join(lines), encoding="utf-8")
        name = Path(base).name
        self.path = str(Path(base).parent / "own.ini")
        Path(self.path).write_text(f"[vaurien]\nextends = {name}\n[rule:b]\ntimes = 1\n[rule:a]\nsleep = 3\n")
        plan = self.load("--config", self.path).plan
        self.assertEqual([(rule.name, rule.times) for rule in plan.rules], [("a", None), ("b", 1)])
        self.assertEqual(plan.rules[0].behavior, Delay(sleep=3.0))

    def test_seed(self) -> None:
        """A seed has 64 bits, with a sign or without, wherever it is given."""
        self.assertEqual(self.load(f"--seed={-(2**63)}").plan.seed, -(2**63))
        self.assertEqual(self.load(ini=("[vaurien]", f"seed = {2**63 - 1}")).plan.seed, 2**63 - 1)
        error = self.assertRaises(ConfigError, self.load, f"--seed={2**63}")
        self.assertEqual(
            str(error),
            f"--seed: '{2**63}' will not do; it must be a whole number from {-(2**63)} to {2**63 - 1}",
        )
        lines = ("[proxy:a]", "proxy = :1", "backend = localhost:2", f"seed = {'9' * 3000}")
        error = self.assertRaises(ConfigError, self.load, ini=lines)
        self.assertIn(":4: seed: '999", str(error))
        self.assertLess(len(str(error)), 300)

    def test_defaults_of_the_behavior(self) -> None:
        """What was set for the behavior holds where the rule says nothing else."""
        plan = self.load("--behavior-delay-sleep=9", "--rule=delay", "--rule=delay sleep=1").plan
        self.assertEqual([rule.behavior for rule in plan.rules], [Delay(sleep=9.0), Delay(sleep=1.0)])

    def test_wrong(self) -> None:
        """Whatever is wrong names the option, or the line."""
        for words, said in (
            ("delay slep=2", "--rule: slep: there is no field 'slep' (did you mean 'sleep'?); the fields"),
            ("dely", "--rule: there is no behavior 'dely' (did you mean 'delay'?); the behaviors are: "),
            ("latency", "--rule: 'latency' is a toxic; use --toxic"),
            ("deaf", "--rule: 'deaf' is an action of the proxy; start it with vaurienctl, or in a scenario"),
            ("delay times=-1", "--rule: times: '-1' will not do"),
            ("", "--rule: "),
        ):
            self.assertEqual(self.wrong(f"--rule={words}")[: len(said)], said)
        for lines, said in (
            (("[rule:x]", "behavior = delay", "sleep = no"), "F:3: sleep: 'no' will not do"),
            (("[rule:x]", "behavior = delay", "slep = 1"), "F:3: slep: there is no field 'slep'"),
            (("[rule:x]", "behavior = dely"), "F:2: behavior: there is no behavior 'dely'"),
            (("[rule:x]", "verb = GET"), "F:1: behavior: it is missing; the behaviors are"),
            (("[rule:x]", "behavior = delay", "name = y"), "F:3: name: the name of this rule is that of its"),
            (("[rule:]", "behavior = delay"), "F:1: [rule:] has no name; write [rule:NAME]"),
            (("[rule]", "behavior = delay"), "F:1: [rule] has no name; write [rule:NAME]"),
            (("[vaurien]", "rule = delay"), "F:2: rule: a rule has a section of its own in a file"),
            (
                ("[rules:x]",),
                "F:1: there is no section 'rules:x' (did you mean [rule:x]?); write [rule:NAME]",
            ),
            (("[rule users]",), "F:1: there is no section 'rule users' (did you mean [rule:users]?); write"),
            (("[Toxic-x]",), "F:1: there is no section 'Toxic-x' (did you mean [toxic:x]?); write [toxic:"),
            (("[rle]",), "F:1: there is no section 'rle'"),
            (
                ("[rule:x]", "verb = GET", "behaviour = delay"),
                "F:3: behaviour: there is no field 'behaviour' (did you mean 'behavior'?);"
                " a rule needs a line behavior = NAME",
            ),
            (("[rule:x]", "type = delay"), "F:2: type: there is no field 'type' (did you mean 'behavior'?)"),
            (
                ("[rule:x]", "behavior = delay", "times = 2 # at first"),
                "F:3: times: '2 # at first' will not do; it must be a whole number from 0 to"
                " 9007199254740992; a comment has a line of its own",
            ),
        ):
            self.assertEqual(self.wrong(ini=lines)[: len(said)], said)

    def test_two_of_one_name(self) -> None:
        """Two of one name are an error of the second, which says where the first is."""
        said = self.wrong("--rule=delay name=x", ini=("[rule:x]", "behavior = delay"))
        self.assertEqual(said, "--rule: there are two rules called 'x'; the other is F:1; give it a name")


class ToxicTests(ConfigCase):
    """``--toxic`` and ``[toxic:NAME]``."""

    def test_short_form(self) -> None:
        """Each --toxic is one more, with the name that Toxiproxy gives."""
        plan = self.load("--toxic", "latency latency=200 stream=upstream toxicity=0.5", "--toxic=pause").plan
        first, second = plan.toxics
        self.assertEqual((first.toxic, first.direction), (Latency(latency=200), Direction.TO_BACKEND))
        self.assertEqual(
            (first.toxicity, first.name, second.name), (0.5, "latency_upstream", "pause_downstream")
        )

    def test_section(self) -> None:
        """A section has a type, a stream, a toxicity, and a line for each attribute."""
        ini = ("[toxic:far away]", "type = latency", "latency = 200", "toxicity = 0.5")
        (placed,) = self.load(ini=ini).plan.toxics
        self.assertEqual((placed.name, placed.toxic), ("far away", Latency(latency=200)))
        self.assertEqual((placed.toxicity, placed.stream), (0.5, "downstream"))

    def test_own_class(self) -> None:
        """A section with a callable makes a class known, and is no toxic itself."""
        names = registry()
        del names.toxics["latency"]
        path = self.mktemp()
        lines = ["[toxic:latency]", f"callable = {_LATENCY}", "[toxic:far]", "type = latency", "latency = 5"]
        Path(path).write_text("\n".join(lines), encoding="utf-8")
        (placed,) = load(["--config", path], names, {}).plan.toxics
        self.assertEqual((placed.name, placed.toxic), ("far", Latency(latency=5)))

    def test_wrong(self) -> None:
        """Whatever is wrong names the option, or the line."""
        self.assertIn("--toxic: 'delay' is a behavior; use --rule", self.wrong("--toxic=delay"))
        self.assertIn(
            "--toxic: there are two toxics called 'pause_downstream'; the other is --toxic",
            self.wrong("--toxic=pause", "--toxic=pause"),
        )
        for lines, said in (
            (("[toxic:x]", "type = latncy"), "F:2: type: there is no toxic 'latncy'"),
            (("[toxic:x]", "typ = latency"), "F:2: typ: there is no field 'typ' (did you mean 'type'?)"),
            (("[toxic:x]", "behavior = pause"), "F:2: behavior: there is no field 'behavior' (did you mean"),
            (("[toxic:x]", "latency = 5"), "F:1: type: it is missing; the toxics are: latency, pause"),
            (("[toxic:x]", "type = latency", "toxicity = 2"), "F:3: toxicity: '2' will not do"),
            (
                ("[toxic:latency]", f"callable = {_LATENCY}", "latency = 5"),
                "F:3: latency: [toxic:latency] names a class, which is only made known by that",
            ),
            (("[toxic:x]", f"callable = {_LATENCY}"), "F:2: callable: "),
        ):
            self.assertEqual(self.wrong(ini=lines)[: len(said)], said)


class UnusedDefaultTests(ConfigCase):
    """Options of a behavior that nothing uses yet."""

    def redis(self, *arguments: str) -> tuple[list[str], Registry]:
        """A command line for redis, which has kinds of errors."""
        names = registry()
        names.protocols["redis"] = Redis
        return ["--protocol", "redis", *arguments], names

    def test_checked(self) -> None:
        """They are checked at the start, not when somebody sets the behavior."""
        arguments, names = self.redis("--behavior-error-kind", "om")
        error = self.assertRaises(ConfigError, load, arguments, names, {})
        self.assertTrue(str(error).startswith("--behavior-error-kind: there is no kind 'om'"), error)

    def test_right(self) -> None:
        """What does is kept."""
        settings = load(*self.redis("--behavior-error-kind", "oom", "--rule", "error"), {})
        self.assertEqual(settings.plan.rules[0].behavior, Error(kind="oom"))


class ScenarioTests(ConfigCase):
    """``--scenario``."""

    def scenario(self, text: str) -> str:
        """A file."""
        path: str = self.mktemp()
        Path(path).write_text(text, encoding="utf-8")
        return path

    def test_read(self) -> None:
        """It is read at the start, so that what is wrong is known before anything listens."""
        scenario = self.load("--scenario", self.scenario("at 1s: delay for 2s\n")).scenario
        assert scenario is not None
        self.assertEqual(scenario.length, 3.0)
        self.assertIsNone(self.load().scenario)

    def test_wrong(self) -> None:
        """A mistake names the file and its line; a file that is not there names the option."""
        path = self.scenario("\nat 1s: dely for 2s\n")
        self.assertTrue(self.wrong("--scenario", path).startswith(f"{path}:2: there is no fault 'dely'"))
        self.assertIn("--scenario: 'nowhere' cannot be read (No such", self.wrong("--scenario", "nowhere"))
        Path(path).write_bytes(b"\xff")
        self.assertIn("is not UTF-8 text", self.wrong("--scenario", path))
