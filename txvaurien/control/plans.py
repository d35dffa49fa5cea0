"""The mix of a plan as JSON, there and back. What it gives out, it takes in again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from txvaurien.behaviors.base import Behavior
from txvaurien.control.answers import Problem, Refused
from txvaurien.errors import ConfigError
from txvaurien.options import Option, options_of, summary, unknown, values_of
from txvaurien.plan import Plan, Rule, Share, parse_mix
from txvaurien.plugins import Registry
from txvaurien.protocols.base import WireProtocol

_SHARE_FIELDS = ("percent", "name", "options")
_SHARE = "objects with " + ", ".join(_SHARE_FIELDS)


def describe_behavior(behavior: Behavior) -> dict[str, Any]:
    """The options of a behavior, by attribute name."""
    described: dict[str, Any] = msgspec.to_builtins(values_of(behavior))
    return described


def describe_plan(plan: Plan) -> dict[str, Any]:
    """``behavior`` as Vaurien said it, ``mix`` with all options, ``options`` where it is a single one."""
    mix = [
        {
            "percent": share.percent,
            "name": share.rule.behavior.name,
            "options": describe_behavior(share.rule.behavior),
        }
        for share in plan.mix
    ]
    single = len(mix) == 1 and mix[0]["percent"] == 100
    return {"behavior": plan.mix_text, "options": mix[0]["options"] if single else {}, "mix": mix}


def describe_options(behaviors: Mapping[str, type[Behavior]]) -> dict[str, Any]:
    """What there is to set: names, sorted, the options of each, and a line of help."""
    names = sorted(behaviors)
    return {
        "behaviors": names,
        "options": {name: [_option(each) for each in options_of(behaviors[name])] for name in names},
        "help": {name: summary(behaviors[name]) for name in names},
    }


def _option(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "type": option.kind,
        "default": msgspec.to_builtins(option.default),
        "help": option.help,
        "choices": list(option.choices),
        "minimum": option.minimum,
        "maximum": option.maximum,
    }


@dataclass(frozen=True)
class PlanReader:
    """Makes the mix of a plan from what a client sent.

    :param defaults: option values of behaviors, by attribute name, where nothing is said.
    """

    registry: Registry
    protocol: WireProtocol
    defaults: Mapping[str, Mapping[str, object]]

    def read(self, said: Mapping[str, Any]) -> tuple[Share, ...]:
        """Three forms: a name with options, the text of a mix, a mix with options.

        :raises Refused: 400, with everything that is wrong.
        """
        if "mix" in said:
            return self._mix(said)
        name = said.get("name")
        if not isinstance(name, str):
            what = "give the name of a behavior, as a string" if name is None else f"{name!r} is not a name"
            raise Refused.because(400, "body", "name", f"{what}; {self._choices()}")
        options = {key: value for key, value in said.items() if key != "name"}
        if ":" in name or "," in name:
            return self._mix_text(name, options)
        return (Share(100.0, self._rule(name, options, "")),)

    def _choices(self) -> str:
        return "the behaviors are: " + ", ".join(sorted(self.registry.behaviors))

    def _mix_text(self, text: str, options: Mapping[str, object]) -> tuple[Share, ...]:
        if options:
            why = 'a mix has no options of its own; give them in "mix", for each of its behaviors'
            raise Refused(400, [Problem("body", name, why) for name in options])
        try:
            mix = parse_mix(text, "name")
        except ConfigError as error:
            raise Refused(400, [Problem.of(error)]) from error
        return tuple(Share(percent, self._rule(name, {}, "")) for percent, name in mix)

    def _mix(self, said: Mapping[str, Any]) -> tuple[Share, ...]:
        others = [name for name in said if name != "mix"]
        if others:
            why = "this cannot be said beside a mix"
            raise Refused(400, [Problem("body", name, why) for name in others])
        parts = said["mix"]
        if not isinstance(parts, list):
            raise Refused.because(400, "body", "mix", f"it must be a list of {_SHARE}")
        shares = tuple(self._share(part, f"mix[{number}]") for number, part in enumerate(parts))
        try:
            Plan(mix=shares)
        except ConfigError as error:
            raise Refused(400, [Problem.of(error.at("mix"))]) from error
        return shares

    def _share(self, part: object, place: str) -> Share:
        if not isinstance(part, dict):
            raise Refused.because(400, "body", place, f"it must be one of the {_SHARE}")
        problems = list(_share_problems(part, place))
        if problems:
            raise Refused(400, problems)
        rule = self._rule(part["name"], part.get("options", {}), f"{place}.")
        return Share(float(part["percent"]), rule)

    def _rule(self, name: str, options: Mapping[str, object], place: str) -> Rule:
        """A rule of its own, so that its counters start from zero."""
        in_options = f"{place}options." if place else ""
        if name not in self.registry.behaviors:
            error = unknown("behavior", name, self.registry.behaviors, where=f"{place}name")
            raise Refused(400, [Problem.of(error)])
        problems = list(_option_problems(self.registry.behaviors[name], options, in_options))
        if problems:
            raise Refused(400, problems)
        values = dict(self.defaults.get(name, {}))
        values |= {key.replace("-", "_"): value for key, value in options.items()}
        try:
            behavior = self.registry.behavior(name, values, where=in_options)
        except ConfigError as error:
            raise Refused(400, [Problem.of(error)]) from error
        self._check_fit(behavior, place, in_options)
        return Rule(behavior)

    def _check_fit(self, behavior: Behavior, place: str, in_options: str) -> None:
        """Find out now what the behavior thinks of the protocol, while the place is known."""
        try:
            behavior.acts(self.protocol)
        except ConfigError as error:
            where = f"{in_options}{error.where}" if error.where else f"{place}name"
            raise Refused(400, [Problem.of(error.at(where))]) from error


def _share_problems(part: Mapping[str, object], place: str) -> Iterator[Problem]:
    for field in part:
        if field not in _SHARE_FIELDS:
            yield Problem.of(unknown("field", field, _SHARE_FIELDS, where=f"{place}.{field}"))
    percent = part.get("percent")
    if isinstance(percent, bool) or not isinstance(percent, (int, float)):
        yield Problem("body", f"{place}.percent", "it must be a number from 0 to 100")
    if not isinstance(part.get("name"), str):
        yield Problem("body", f"{place}.name", "it must be the name of a behavior")
    if not isinstance(part.get("options", {}), dict):
        yield Problem("body", f"{place}.options", "it must be an object")


def _option_problems(
    declared: type[Behavior], options: Mapping[str, object], place: str
) -> Iterator[Problem]:
    names = [option.name for option in options_of(declared)]
    seen: set[str] = set()
    for given in options:
        normal = given.replace("_", "-")
        if normal not in names:
            error = unknown("option", given, names, where=f"{place}{given}", of=f"{declared.name!r}")
            yield Problem.of(error)
        elif normal in seen:
            yield Problem("body", f"{place}{given}", "this option stands twice, with - and with _")
        seen.add(normal)
