"""Every option of everything that is installed: what is declared is read again wherever it can be written."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.actions import ACTIONS
from txvaurien.behaviors.base import Behavior
from txvaurien.config import Settings, load
from txvaurien.errors import ConfigError
from txvaurien.options import Declared, build, convert, options_of, plain_values, values_of
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.faults import FaultReader, describe_action, describe_plan, describe_rule
from txvaurien.planning.mix import Share
from txvaurien.planning.planreader import PlanReader
from txvaurien.plugins import Registry
from txvaurien.process.definitionreader import DefinitionReader
from txvaurien.process.limits import Limits
from txvaurien.protocols.base import WireProtocol
from txvaurien.protocols.redis import Redis
from txvaurien.rules import Rule
from txvaurien.settings.flags import prefix_of
from txvaurien.settings.proxysections import converted
from txvaurien.test.strategies import declared, steady, values
from txvaurien.test.test_faults import NAME, RULE, same, words_of
from txvaurien.toxics.base import Toxic

REGISTRY = Registry.load()
BEHAVIORS: list[type[Declared]] = list(REGISTRY.behaviors.values())
PROTOCOLS: list[type[Declared]] = list(REGISTRY.protocols.values())
TOXICS: list[type[Declared]] = list(REGISTRY.toxics.values())
ALL: list[type[Declared]] = [*BEHAVIORS, *PROTOCOLS, *TOXICS, *ACTIONS.values(), Limits]


def text_of(value: object) -> str:
    """A value as it is written in a file, and after a flag."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ",".join(f"{name}={meant}" for name, meant in value.items())
    return "off" if value is None else str(value)


def in_a_file(text: str) -> str:
    """A text as a file has it, where ``${`` is the beginning of something."""
    return text.replace("${", "$${")


def fits(behavior: Declared, protocol: WireProtocol) -> bool:
    """Whether the options of a behavior go together, and with this protocol."""
    assert isinstance(behavior, Behavior)
    try:
        behavior.acts(protocol)
    except ConfigError:
        return False
    return True


class OptionTests(SynchronousTestCase):
    """Each option by itself."""

    @steady
    @given(declared(ALL))
    def test_json(self, made: Declared) -> None:
        """What an instance says of itself as JSON makes the same instance."""
        said = json.loads(json.dumps(plain_values(made)))
        self.assertEqual(build(type(made), said), made)
        dashed = {name.replace("_", "-"): value for name, value in said.items()}
        self.assertEqual(build(type(made), dashed), made)

    @steady
    @given(declared(ALL))
    def test_text(self, made: Declared) -> None:
        """Each value is the same when it is read as a text."""
        options = {option.attribute: option for option in options_of(type(made))}
        for name, value in values_of(made).items():
            self.assertEqual(converted(options[name], text_of(value), ""), value, name)

    @settings(steady, max_examples=600)
    @given(st.sampled_from([option for each in ALL for option in options_of(each)]), st.data())
    def test_any_text(self, option: Any, data: st.DataObject) -> None:
        """Any other text is converted, or refused with its place, the text and what is allowed."""
        text = data.draw(st.one_of(st.text(max_size=10), values(option).map(lambda value: f"{value}0")))
        try:
            value = convert(option, text, where="here", text=True)
        except ConfigError as error:
            self.assertTrue(str(error).startswith("here: "), error)
            self.assertTrue(error.allowed)
        else:
            self.assertEqual(convert(option, json.loads(json.dumps(value)), where="here"), value)


class FileTests(SynchronousTestCase):
    """The command line and a file."""

    def load(self, *arguments: str, lines: tuple[str, ...] = ()) -> Settings:
        """Settings of this command line, with a file of these lines if there are any."""
        if lines:
            path = self.mktemp()
            Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
            arguments = (f"--config={path}", *arguments)
        return load(arguments, REGISTRY, {})

    @steady
    @given(declared(BEHAVIORS))
    def test_behaviors(self, made: Declared) -> None:
        """Options of a behavior are the same after flags, in its section, and under their long names."""
        redis = fits(made, Redis())
        assume(redis)
        texts = {name: text_of(value) for name, value in values_of(made).items()}
        prefix = prefix_of("behaviors", made.name)
        flags = [f"--{prefix}{name.replace('_', '-')}={text}" for name, text in texts.items()]
        section = [f"{name} = {in_a_file(text)}" for name, text in texts.items()]
        long = [f"{prefix}{name} = {in_a_file(text)}" for name, text in texts.items()]
        chosen = ("--protocol=redis", f"--behavior={made.name}")
        for found in (
            self.load(*chosen, *flags),
            self.load(*chosen, lines=(f"[behavior:{made.name}]", *section)),
            self.load(*chosen, lines=("[vaurien]", *long)),
        ):
            self.assertEqual(found.plan.mix[0].rule.behavior, made)

    @steady
    @given(declared(PROTOCOLS))
    def test_protocols(self, made: Declared) -> None:
        """So are those of a protocol."""
        texts = {name: text_of(value) for name, value in values_of(made).items()}
        prefix = prefix_of("protocols", made.name)
        flags = [f"--{prefix}{name.replace('_', '-')}={text}" for name, text in texts.items()]
        section = [f"{name} = {in_a_file(text)}" for name, text in texts.items()]
        chosen = f"--protocol={made.name}"
        self.assertEqual(self.load(chosen, *flags).protocol, made)
        self.assertEqual(self.load(chosen, lines=(f"[protocol:{made.name}]", *section)).protocol, made)

    @steady
    @given(declared(TOXICS))
    def test_toxics(self, made: Declared) -> None:
        """And those of a toxic: in its section, and in the short form."""
        texts = {name: text_of(value) for name, value in values_of(made).items()}
        section = [f"{name} = {in_a_file(text)}" for name, text in texts.items()]
        words = shlex.join([made.name, *(f"{name}={text}" for name, text in texts.items())])
        for found in (
            self.load(f"--toxic={words}"),
            self.load(lines=("[toxic:mine]", f"type = {made.name}", *section)),
        ):
            self.assertEqual(found.plan.toxics[0].toxic, made)

    @steady
    @given(declared([Limits]))
    def test_limits(self, made: Declared) -> None:
        """And those that every proxy has."""
        texts = {name: text_of(value) for name, value in values_of(made).items()}
        flags = [f"--{name.replace('_', '-')}={text}" for name, text in texts.items()]
        lines = ("[vaurien]", *(f"{name} = {text}" for name, text in texts.items()))
        self.assertEqual(self.load(*flags).definition.limits, made)
        self.assertEqual(self.load(lines=lines).definition.limits, made)


FAULTS = FaultReader(REGISTRY, Redis())
FITTING = declared(BEHAVIORS).filter(lambda made: fits(made, Redis()))
PLACED = st.builds(PlacedToxic, declared(TOXICS), name=NAME, toxicity=st.floats(0, 1))
SHARES = st.lists(st.builds(Share, st.floats(0, 33), st.builds(Rule, FITTING)), max_size=3).map(tuple)


class DescribedTests(SynchronousTestCase):
    """What is told of faults and proxies is read again as the same."""

    @steady
    @given(FITTING, RULE)
    def test_rules(self, behavior: Any, rule: Rule) -> None:
        """A rule with any behavior survives the short form and JSON."""
        made = Rule(behavior, name=rule.name, times=rule.times, probability=rule.probability)
        described = describe_rule(made)
        self.assertTrue(same(FAULTS.rule(json.loads(json.dumps(described)), where=""), made))
        self.assertTrue(same(FAULTS.read_only(Rule, words_of(described), where=""), made))

    @steady
    @given(declared(list(ACTIONS.values())))
    def test_actions(self, action: Any) -> None:
        """So does an action."""
        described = describe_action(action)
        self.assertEqual(FAULTS.action(json.loads(json.dumps(described)), where=""), action)
        words = [action.name, *(f"{name}={text_of(value)}" for name, value in values_of(action).items())]
        self.assertEqual(FAULTS.read(shlex.join(words), where=""), action)

    @steady
    @given(SHARES, st.lists(RULE, max_size=2), st.lists(PLACED, max_size=2), st.integers(-(2**63), 2**63 - 1))
    def test_plans(self, mix: Any, rules: list[Rule], toxics: list[PlacedToxic], seed: int) -> None:
        """A plan survives JSON; of what is there already the rules and toxics are the same objects."""
        assume(len({rule.name for rule in rules}) == len(rules))
        assume(len({placed.name for placed in toxics}) == len(toxics))
        plan = Plan(mix, toxics=tuple(toxics), seed=seed)
        for rule in rules:
            plan = plan.with_rule(rule)
        said = {**json.loads(json.dumps(describe_plan(plan))), "seed": seed}
        again = PlanReader(FAULTS).plan(said, plan)
        self.assertEqual(describe_plan(again), describe_plan(plan))
        self.assertEqual((again.rules, again.toxics, again.seed), (plan.rules, plan.toxics, seed))

    @steady
    @given(declared(PROTOCOLS), declared([Limits]), NAME.filter(bool), st.booleans())
    def test_definitions(self, protocol: Any, limits: Any, name: str, enabled: bool) -> None:
        """A proxy with any options and limits is made from its JSON."""
        said = {
            "name": name,
            "listen": "127.0.0.1:0",
            "upstream": "localhost:1",
            "enabled": enabled,
            "protocol": protocol.name,
            "options": plain_values(protocol),
            "limits": plain_values(limits),
        }
        made = DefinitionReader(REGISTRY).read(json.loads(json.dumps(said)))
        self.assertEqual((made.name, made.enabled), (name, enabled))
        self.assertEqual((made.protocol, made.limits), (protocol, limits))


class CoverageTests(SynchronousTestCase):
    """These tests are about everything."""

    def test_each_is_there(self) -> None:
        """Whatever is installed under a name is drawn from, and has that name."""
        for kind, classes in (("protocols", PROTOCOLS), ("behaviors", BEHAVIORS), ("toxics", TOXICS)):
            self.assertEqual([each.name for each in classes], REGISTRY.names(kind))
        self.assertTrue(all(issubclass(each, Toxic) for each in TOXICS))
