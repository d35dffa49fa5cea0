"""A proxy from a JSON object: the body of ``POST /proxies``, a part of Toxiproxy's configuration file.

The fields are Toxiproxy's (``name``, ``listen``, ``upstream``, ``enabled``, ``toxics``) and ours
(``protocol``, ``options``, ``plan``, ``seed``, those of `Ends`, and those of `Limits`, flat or in
``limits``). What ``GET /proxies/{name}`` gives out is taken in again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.logger import Logger

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import parse_backend, parse_listen
from txvaurien.net.ends import AUTO, FILES, Ends
from txvaurien.options import build, options_of, unknown
from txvaurien.plan import PlacedToxic, Plan
from txvaurien.planning.faults import FaultReader, ToxicFields
from txvaurien.planning.planreader import PlanReader
from txvaurien.planning.rulefields import read_name
from txvaurien.planning.seeds import FORM, is_seed
from txvaurien.plugins import Registry
from txvaurien.process.definition import Definition
from txvaurien.process.limits import Limits
from txvaurien.protocols.base import WireProtocol
from txvaurien.toxics.base import Toxic

#: Where a proxy listens that was not told where: loopback, on any free port.
ANYWHERE = "127.0.0.1:0"

_LIMITS = tuple(option.attribute for option in options_of(Limits))
_ENDS = tuple(option.attribute for option in options_of(Ends))

#: What can be said of a proxy.
FIELDS = (
    "name",
    "listen",
    "upstream",
    "enabled",
    "toxics",
    "protocol",
    "options",
    "plan",
    "seed",
    "limits",
    *_LIMITS,
    *_ENDS,
)

#: What is given out and cannot be set: how many links there are, and whether it is the main proxy.
STATE = ("links", "main")

#: What stands in a proxy as it is given out and taken in.
ALL_FIELDS = (*FIELDS, *STATE)

_TOXIC_FIELDS = ("type", "name", *(option.name for option in options_of(ToxicFields)), "attributes")

#: What takes of a toxic what Toxiproxy takes.
Tolerant = Callable[[Mapping[str, object], Mapping[str, type[Toxic]]], dict[str, object]]

log = Logger()


class MissingField(ConfigError):
    """A field that a proxy cannot do without. `field` is its name."""

    def __init__(self, prefix: str, field: str, example: str) -> None:
        super().__init__(f"{prefix}{field}", "it is missing", f'give it, such as "{example}"')
        self.field = field


class DefinitionReader:
    """Makes definitions of what a user said.

    :param defaults: option values of behaviors, by attribute name, where nothing is said.
    """

    def __init__(
        self, registry: Registry, defaults: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        self._registry = registry
        self._defaults = defaults or {}

    def read(
        self,
        fields: Mapping[str, object],
        *,
        where: str = "",
        known_only: bool = True,
        strict: bool = False,
        files: bool = False,
    ) -> Definition:
        """A definition from such an object.

        An error's place is ``where: field``, or the field alone where `where` is empty.

        :param known_only: else a field that there is not is left out with a warning in the log, in
            toxics too, null is as if nothing were said, and 1000.0 is taken for 1000, as for Toxiproxy.
        :param strict: even so, a field that there is not is an error.
        :param files: whether it may name files of this machine.
        :raises MissingField: it has no ``name``, or no ``upstream``.
        :raises ConfigError: an unknown field, or a value that will not do.
        """
        prefix = f"{where}: " if where else ""
        if known_only:
            given = _known(fields, prefix)
        else:
            given = known_of(fields, ALL_FIELDS, "a proxy", strict=strict, prefix=prefix)
        name = _text(given, "name", prefix, "redis")
        upstream = _text(given, "upstream", prefix, "localhost:6379")
        protocol = self._protocol(given, prefix)
        faults = FaultReader(self._registry, protocol, self._defaults)
        return Definition(
            read_name(name, f"{prefix}name"),
            parse_listen(_text(given, "listen", prefix, default="") or ANYWHERE, f"{prefix}listen"),
            parse_backend(upstream, f"{prefix}upstream"),
            protocol,
            self._plan(given, faults, prefix, _tolerance(known_only, strict)),
            enabled=_boolean(given, "enabled", prefix, True),
            limits=_limits(given, prefix),
            ends=_ends(given, prefix, files),
            places=_places(prefix),
        )

    def _protocol(self, given: Mapping[str, object], prefix: str) -> WireProtocol:
        name = _text(given, "protocol", prefix, default="tcp")
        if name not in self._registry.protocols:
            raise unknown("protocol", name, self._registry.protocols, where=f"{prefix}protocol")
        options = _object(given, "options", prefix)
        try:
            return build(self._registry.protocols[name], options, where=f"{prefix}options.")
        except ConfigError as error:
            raise error.at(error.where.rstrip(".")) from error

    def _plan(
        self, given: Mapping[str, object], faults: FaultReader, prefix: str, tolerant: Tolerant | None
    ) -> Plan:
        plan = _read_plan(_object(given, "plan", prefix), faults, f"{prefix}plan.")
        if "toxics" in given:
            toxics = _read_toxics(given["toxics"], faults, prefix, tolerant)
            _check_same("toxics", _described(toxics), _described(plan.toxics), prefix)
            plan = _with(plan, prefix, toxics=toxics)
        if "seed" in given:
            seed = _seed(given["seed"], prefix)
            _check_same("seed", seed, plan.seed, prefix)
            plan = replace(plan, seed=seed)
        return plan


def _tolerance(known_only: bool, strict: bool) -> Tolerant | None:
    return None if known_only else partial(tolerant_toxic, strict=strict)


def known_of(
    fields: Mapping[str, object], known: Iterable[str], what: str, *, strict: bool = False, prefix: str = ""
) -> dict[str, object]:
    """The fields that there are; the log warns of the others. What is null has not been said.

    :param what: what they are the fields of, for the log.
    :param strict: the others are errors, whose places begin with `prefix`.
    :raises ConfigError: there is such another one, and it is not to be.
    """
    names = set(known)
    for name in fields:
        if _attribute(name) not in names:
            if strict:
                raise unknown("field", name, names - {*STATE}, where=f"{prefix}{name}", of=what)
            log.warn("{what} has no field {name!r}: it is ignored", what=what, name=name)
    return {name: value for name, value in fields.items() if value is not None and _attribute(name) in names}


def tolerant_toxic(
    fields: Mapping[str, object], toxics: Mapping[str, type[Toxic]], *, strict: bool = False
) -> dict[str, object]:
    """The fields of a toxic as `FaultReader.toxic` takes them, from what Toxiproxy takes.

    :param toxics: the types that there are.
    :param strict: an unknown field is an error.
    :raises ConfigError: there is such a one.
    """
    declared = toxics.get(str(fields.get("type")))
    if declared is None:
        # Which attributes it has nobody knows; that is told, when it is read.
        return known_of(fields, _TOXIC_FIELDS, "a toxic")
    options = {option.attribute: option for option in options_of(declared)}
    what = f"the toxic {declared.name!r}"
    given = known_of(fields, (*_TOXIC_FIELDS, *options), what, strict=strict)
    inner = given.get("attributes")
    if isinstance(inner, Mapping):
        given["attributes"] = known_of(inner, options, what, strict=strict)
    stream = given.get("stream")
    if isinstance(stream, str):
        given["stream"] = stream.lower()
    return _with_whole_numbers(given, {name for name, option in options.items() if option.kind == "int"})


def _with_whole_numbers(fields: Mapping[str, object], names: Iterable[str]) -> dict[str, object]:
    """JSON has one kind of numbers, and some clients write all of them with a decimal point."""
    found = dict(fields)
    for name, value in fields.items():
        if isinstance(value, Mapping):
            found[name] = _with_whole_numbers(value, names)
        elif isinstance(value, float) and value.is_integer() and _attribute(name) in names:
            found[name] = int(value)
    return found


def _attribute(name: str) -> str:
    return name.replace("-", "_")


def _known(fields: Mapping[str, object], prefix: str) -> dict[str, object]:
    """:raises ConfigError: there is no such field."""
    for name in fields:
        if _attribute(name) not in ALL_FIELDS:
            raise unknown("field", name, FIELDS, where=f"{prefix}{name}", of="a proxy")
    return dict(fields)


def _read_toxics(
    said: object, faults: FaultReader, prefix: str, tolerant: Tolerant | None
) -> tuple[PlacedToxic, ...]:
    if not isinstance(said, list) or not all(isinstance(each, dict) for each in said):
        raise ConfigError(f"{prefix}toxics", "they will not do", "it must be a list of objects")
    found = []
    for number, each in enumerate(said):
        try:
            fields = each if tolerant is None else tolerant(each, faults.registry.toxics)
            found.append(faults.toxic(fields, where=""))
        except ConfigError as error:
            raise error.at(f"{prefix}toxics[{number}].{error.where}".rstrip(".")) from error
    return tuple(found)


def _read_plan(said: Mapping[str, Any], faults: FaultReader, prefix: str) -> Plan:
    if not said:
        return Plan()
    try:
        return PlanReader(faults).plan(said, Plan())
    except ConfigError as error:
        raise error.at(f"{prefix}{error.where}") from error


def _with(plan: Plan, prefix: str, toxics: tuple[PlacedToxic, ...]) -> Plan:
    """:raises ConfigError: two have the same name."""
    try:
        return replace(plan, toxics=toxics)
    except ConfigError as error:
        raise error.at(f"{prefix}toxics") from error


def _described(toxics: Iterable[PlacedToxic]) -> list[dict[str, Any]] | None:
    return [each.describe() for each in toxics] or None


def _check_same(field: str, beside: object, in_plan: object, prefix: str) -> None:
    """:raises ConfigError: it has been said in the plan, and otherwise."""
    if in_plan is not None and in_plan != beside:
        raise ConfigError(
            f"{prefix}{field}", "it stands in the plan too, and there it is another", "say it once"
        )


def _limits(given: Mapping[str, object], prefix: str) -> Limits:
    flat = {name: value for name, value in given.items() if _attribute(name) in _LIMITS}
    inner = _object(given, "limits", prefix)
    for name in inner:
        if _attribute(name) not in _LIMITS:
            raise unknown("field", name, _LIMITS, where=f"{prefix}limits.{name}", of="limits")
        if _attribute(name) in {_attribute(each) for each in flat}:
            raise ConfigError(f"{prefix}{name}", "it stands twice, in limits and beside them", "say it once")
    return build(Limits, {**inner, **flat}, where=prefix)


def _ends(given: Mapping[str, object], prefix: str, files: bool) -> Ends:
    said = {name: value for name, value in given.items() if _attribute(name) in _ENDS}
    if not files:
        _refuse_files(said, prefix)
    return build(Ends, said, where=prefix)


def _refuse_files(said: Mapping[str, object], prefix: str) -> None:
    """:raises ConfigError: one of these options of `Ends` names a file."""
    for name, value in said.items():
        may_be_auto = _attribute(name) == "tls"
        if _attribute(name) not in FILES or value is None or (may_be_auto and value == AUTO):
            continue
        what = f"{value!r} names a file, which cannot be read for whoever asks over HTTP"
        allowed = "set it where the process is started"
        raise ConfigError(f"{prefix}{name}", what, f"give {AUTO}, or {allowed}" if may_be_auto else allowed)


def _places(prefix: str) -> dict[str, str]:
    """Where it was said what errors of the start are about, by the names of flags."""
    ends = {name.replace("_", "-"): f"{prefix}{name}" for name in _ENDS}
    return {**ends, "backend": f"{prefix}upstream", "proxy": f"{prefix}listen"}


def _text(
    given: Mapping[str, object], field: str, prefix: str, example: str = "", default: str | None = None
) -> str:
    """A field that is a text.

    :param default: None for a field that cannot be left out.
    """
    value = given.get(field, default or "")
    if not isinstance(value, str):
        raise ConfigError(f"{prefix}{field}", f"{value!r} will not do", "it must be a text")
    if not value and default is None:
        raise MissingField(prefix, field, example)
    return value


def _boolean(given: Mapping[str, object], field: str, prefix: str, default: bool) -> bool:
    value = given.get(field, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{prefix}{field}", f"{value!r} will not do", "it must be true or false")
    return value


def _seed(value: object, prefix: str) -> int:
    if not is_seed(value):
        raise ConfigError(f"{prefix}seed", f"{str(value)[:40]!r} will not do", FORM)
    return value


def _object(given: Mapping[str, object], field: str, prefix: str) -> Mapping[str, object]:
    value = given.get(field, {})
    if not isinstance(value, Mapping):
        raise ConfigError(f"{prefix}{field}", f"{value!r} will not do", "it must be an object")
    return value
