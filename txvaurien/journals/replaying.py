"""``vaurien replay JOURNAL``: a proxy whose faults are those that a journal tells of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from txvaurien.config import Settings, settle
from txvaurien.errors import ConfigError
from txvaurien.journals.replay import Replay, read_replay
from txvaurien.planning.faults import FaultReader
from txvaurien.plugins import Registry
from txvaurien.protocols.base import WireProtocol
from txvaurien.rules import Activation
from txvaurien.settings.commandline import CommandLine, read
from txvaurien.settings.flags import REPEATABLE, Flag, Given, flags_of, normal, prefix_of

#: Options that say what goes wrong, which is what the journal is there for.
_PLANNED = (*REPEATABLE, "behavior", "scenario", "max-active-faults")


def read_replayed(
    arguments: Sequence[str],
    registry: Registry | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[CommandLine, Replay | None]:
    """Read ``JOURNAL [options]``: where the options say nothing, the journal does.

    :return: the command line, for `settle_replayed`; no replay where only help is asked for.
    :raises ConfigError: anything that cannot be.
    """
    registry = Registry.load() if registry is None else registry
    path, options = _journal(arguments)
    line = read(options, registry, environ)
    if not path:
        return line, None
    _check_nothing_else(line)
    replay = read_replay(path, lambda name, values: FaultReader(registry, registry.protocol(name, values)))
    given = _given(path, replay, flags_of(registry))
    return CommandLine(registry, [*given, *line.given], environ=environ), replay


def settle_replayed(line: CommandLine, replay: Replay) -> Settings:
    """Settings for what `read_replayed` has read.

    :raises ConfigError: anything that cannot be, such as a fault that another protocol does not have.
    """
    settings = settle(line)
    _check_fit(replay, settings.protocol)
    plan = replace(replay.plan, seed=settings.common.seed)
    return replace(settings, name=replay.proxy, plan=plan, warnings=(*settings.warnings, *replay.warnings))


def _check_fit(replay: Replay, protocol: WireProtocol) -> None:
    for rule in replay.plan.rules:
        try:
            Activation(rule, rule.name, protocol)
        except ConfigError as error:
            where = ": ".join(part for part in (replay.path, f"rule {rule.name!r}", error.where) if part)
            instead = f"the journal is of {replay.protocol!r}: leave --protocol out"
            raise ConfigError(where, error.what, instead) from error


def _journal(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    if arguments and not arguments[0].startswith("-"):
        return arguments[0], arguments[1:]
    if not set(arguments) & {"-h", "--help", "--version"}:
        raise ConfigError("replay", "it needs a journal", "write vaurien replay JOURNAL [options]")
    return "", arguments


def _check_nothing_else(line: CommandLine) -> None:
    for each in line.given:
        if each.flag.name in _PLANNED:
            raise ConfigError(
                each.where, "what goes wrong in a replay is for its journal to say", "leave it out"
            )
    for section in line.sections:
        what = f"a replay has no {section.kind}s but those of its journal"
        raise ConfigError(section.where, what, "use a file without this section")
    others = [*(each.where for each in line.proxies), *(each.where for each in line.objects)]
    if others:
        raise ConfigError(
            others[0], "a replay has one proxy, that of its journal", "use a file without others"
        )


def _given(path: str, replay: Replay, flags: Mapping[str, Flag]) -> list[Given]:
    """What the journal says, as if it had been given as options."""
    prefix = prefix_of("protocols", replay.protocol)
    said: dict[str, object] = {
        "proxy": replay.listen,
        "backend": replay.backend,
        "protocol": replay.protocol,
        "seed": replay.seed,
    }
    said |= {prefix + normal(name): value for name, value in replay.options.items()}
    return [
        Given(flags[name], _text(value), f"{path}: {name}")
        for name, value in said.items()
        if name in flags and value != ""
    ]


def _text(value: object) -> str:
    if value is None:
        return "off"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={meant}" for name, meant in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)
