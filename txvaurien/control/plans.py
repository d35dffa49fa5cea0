"""What of plans and options is given out as JSON. `txvaurien.planning.planreader` takes it in again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from txvaurien.model import ErrorKind
from txvaurien.options import Declared, Option, options_of, summary
from txvaurien.plan import Plan
from txvaurien.planning.faults import describe_plan


def describe_mix(plan: Plan) -> dict[str, Any]:
    """``behavior`` as Vaurien said it, ``mix`` with all options, ``options`` where it is a single one."""
    mix = describe_plan(plan)["mix"]
    single = len(mix) == 1 and mix[0]["percent"] == 100
    return {"behavior": plan.mix_text, "options": mix[0]["options"] if single else {}, "mix": mix}


def describe_options(declared: Mapping[str, type[Declared]]) -> dict[str, Any]:
    """The options of each, and a line of help."""
    return {
        "options": {
            name: [describe_option(each) for each in options_of(declared[name])] for name in sorted(declared)
        },
        "help": {name: summary(declared[name]) for name in sorted(declared)},
    }


def describe_kinds(catalogue: Iterable[ErrorKind]) -> list[dict[str, Any]]:
    """The errors that a protocol can say."""
    return [_kind(each) for each in catalogue]


def _kind(kind: ErrorKind) -> dict[str, Any]:
    return {"name": kind.name, "where": kind.where.value, "help": kind.help, "drawn": kind.drawn}


def describe_option(option: Option) -> dict[str, Any]:
    """What a form or a table needs to know of an option."""
    return {
        "name": option.name,
        "type": option.kind,
        "default": default_of(option),
        "help": option.help,
        "choices": list(option.choices),
        "minimum": option.minimum,
        "maximum": option.maximum,
        "unit": option.unit,
    }


def default_of(option: Option) -> Any:
    """The default of an option as JSON has it, None where there is none."""
    if option.default is msgspec.NODEFAULT:
        return None
    return msgspec.to_builtins(option.default, enc_hook=repr)
