"""Plans from JSON objects: the body of ``PUT /plan``, the ``plan`` of a proxy in a file.

What `txvaurien.planning.faults.describe_plan` gives out is taken in again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from txvaurien.behaviors.base import Behavior
from txvaurien.clients.vocabulary import COUNTS
from txvaurien.errors import ConfigError
from txvaurien.options import options_of, unknown
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.faults import FaultReader, describe_rule
from txvaurien.planning.mix import Share, parse_mix
from txvaurien.planning.rulefields import MOST
from txvaurien.planning.seeds import FORM, is_seed
from txvaurien.rules import Rule

_SHARE_FIELDS = ("percent", "name", "options")
_SHARE = "objects with " + ", ".join(_SHARE_FIELDS)
_PLAN_FIELDS = ("mix", "rules", "toxics", "seed")

NamedT = TypeVar("NamedT", Rule, PlacedToxic)

#: A fault as an object, or in the short form.
Part = Mapping[str, Any] | str


class ConfigErrors(ConfigError):
    """Several things are wrong. `errors` has all of them; the first is what this one says."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__(errors[0].where, errors[0].what, errors[0].allowed)
        self.errors = tuple(errors)


def refuse_all(errors: Iterable[ConfigError]) -> None:
    """:raises ConfigErrors: there are some."""
    found = list(errors)
    if found:
        raise ConfigErrors(found)


def kept(
    new: Sequence[NamedT], old: Sequence[NamedT], describe: Callable[[NamedT], object]
) -> tuple[NamedT, ...]:
    """The new ones; where an old one says the same, that: it goes on as it is."""
    known = {each.name: each for each in old}
    return tuple(
        known[each.name] if each.name in known and describe(known[each.name]) == describe(each) else each
        for each in new
    )


def without_counts(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a rule, without what it had counted when somebody asked for it."""
    return {name: value for name, value in rule.items() if name not in COUNTS}


class PlanReader:
    """Makes plans, and the mix of one, from what a client sent."""

    def __init__(self, faults: FaultReader) -> None:
        self._faults = faults
        self._behaviors = faults.registry.behaviors

    def plan(self, said: Mapping[str, Any], now: Plan) -> Plan:
        """A whole plan; what is not said is empty, and the seed stays.

        Rules and toxics that `now` has just so are the same objects: they go on as they are.

        :raises ConfigError: something is wrong.
        """
        refuse_all(
            unknown("field", name, _PLAN_FIELDS, where=name) for name in said if name not in _PLAN_FIELDS
        )
        seed = _seed(said.get("seed"))
        rules = self._list(said, "rules", self._rule_of)
        toxics = self._list(said, "toxics", self._toxic_of)
        plan = Plan(
            self._mix({"mix": said.get("mix", [])}),
            toxics=kept(toxics, now.toxics, PlacedToxic.describe),
            seed=now.seed if seed is None else seed,
        )
        for rule in kept(rules, now.rules, describe_rule):
            plan = plan.with_rule(rule)
        return plan

    def _rule_of(self, part: Part) -> Rule:
        if isinstance(part, str):
            return self._faults.read_only(Rule, part, where="")
        return self._faults.rule(without_counts(part), where="")

    def _toxic_of(self, part: Part) -> PlacedToxic:
        if isinstance(part, str):
            return self._faults.read_only(PlacedToxic, part, where="")
        return self._faults.toxic(part, where="")

    def _list(self, said: Mapping[str, Any], field: str, read: Callable[[Part], NamedT]) -> list[NamedT]:
        parts = said.get(field, [])
        if not isinstance(parts, list) or not all(isinstance(part, (dict, str)) for part in parts):
            what = "it must be a list of objects, or of texts in the short form"
            raise ConfigError(field, what)
        found = []
        for number, part in enumerate(parts):
            try:
                found.append(read(part))
            except ConfigError as error:
                raise error.at(f"{field}[{number}].{error.where}".rstrip(".")) from error
        return found

    def read(self, said: Mapping[str, Any]) -> tuple[Share, ...]:
        """Three forms: a name with options, the text of a mix, a mix with options.

        :raises ConfigError: something is wrong; `ConfigErrors` has all of it.
        """
        if "mix" in said:
            return self._mix(said)
        name = said.get("name")
        if not isinstance(name, str):
            what = "give the name of a behavior, as a string" if name is None else f"{name!r} is not a name"
            raise ConfigError("name", f"{what}; {self._choices()}")
        options = {key: value for key, value in said.items() if key != "name"}
        if ":" in name or "," in name:
            return self._mix_with(name, options)
        return (Share(100.0, self._rule(name, options, "")),)

    def _choices(self) -> str:
        return "the behaviors are: " + ", ".join(sorted(self._behaviors))

    def _mix_with(self, text: str, options: Mapping[str, object]) -> tuple[Share, ...]:
        if options:
            why = 'a mix has no options of its own; give them in "mix", for each of its behaviors'
            refuse_all(ConfigError(name, why) for name in options)
        return self._mix_text(text, "name")

    def _mix_text(self, text: str, place: str) -> tuple[Share, ...]:
        mix = parse_mix(text, place)
        return tuple(Share(percent, self._rule(name, {}, "", place)) for percent, name in mix)

    def _mix(self, said: Mapping[str, Any]) -> tuple[Share, ...]:
        refuse_all(ConfigError(name, "this cannot be said beside a mix") for name in said if name != "mix")
        parts = said["mix"]
        if isinstance(parts, str):
            return self._mix_text(parts, "mix")
        if not isinstance(parts, list):
            what = f"it must be a list of {_SHARE}, or a text such as 5:error,10:delay"
            raise ConfigError("mix", what)
        shares = tuple(self._share(part, f"mix[{number}]") for number, part in enumerate(parts))
        try:
            Plan(mix=shares)
        except ConfigError as error:
            raise error.at("mix") from error
        return shares

    def _share(self, part: object, place: str) -> Share:
        if not isinstance(part, dict):
            raise ConfigError(place, f"it must be one of the {_SHARE}")
        refuse_all(_share_problems(part, place))
        rule = self._rule(part["name"], part.get("options", {}), f"{place}.")
        return Share(float(part["percent"]), rule)

    def _rule(self, name: str, options: Mapping[str, object], place: str, named: str = "name") -> Rule:
        """A rule of its own, so that its counters start from zero.

        :param named: the field that names it.
        """
        in_options = f"{place}options." if place else ""
        if name not in self._behaviors:
            raise unknown("behavior", name, self._behaviors, where=f"{place}{named}")
        refuse_all(_option_problems(self._behaviors[name], options, in_options))
        try:
            return self._faults.rule({"behavior": name, **options}, where="")
        except ConfigError as error:
            where = f"{in_options}{error.where}" if error.where else f"{place}{named}"
            raise error.at(where) from error


def _seed(said: object) -> int | None:
    """:raises ConfigError: it is not a whole number, which may be written as 5.0."""
    seed = int(said) if isinstance(said, float) and said.is_integer() else said
    if seed is None or is_seed(seed):
        return seed
    raise ConfigError("seed", FORM)


def _share_problems(part: Mapping[str, object], place: str) -> Iterator[ConfigError]:
    for field in part:
        if field not in _SHARE_FIELDS:
            yield unknown("field", field, _SHARE_FIELDS, where=f"{place}.{field}")
    percent = part.get("percent")
    # What is no float is too large: it is not for `Plan` to find out.
    if isinstance(percent, bool) or not isinstance(percent, (int, float)) or abs(percent) > MOST:
        yield ConfigError(f"{place}.percent", "it must be a number from 0 to 100")
    if not isinstance(part.get("name"), str):
        yield ConfigError(f"{place}.name", "it must be the name of a behavior")
    if not isinstance(part.get("options", {}), dict):
        yield ConfigError(f"{place}.options", "it must be an object")


def _option_problems(
    declared: type[Behavior], options: Mapping[str, object], place: str
) -> Iterator[ConfigError]:
    names = [option.name for option in options_of(declared)]
    seen: set[str] = set()
    for given in options:
        normal = given.replace("_", "-")
        if normal not in names:
            yield unknown("option", given, names, where=f"{place}{given}", of=f"{declared.name!r}")
        elif normal in seen:
            yield ConfigError(f"{place}{given}", "this option stands twice, with - and with _")
        seen.add(normal)
