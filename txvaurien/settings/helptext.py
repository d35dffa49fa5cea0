"""What ``--help`` says, written from the declarations."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from txvaurien.actions import ACTIONS
from txvaurien.options import Declared, Option, options_of, summary
from txvaurien.planning.faults import ToxicFields
from txvaurien.planning.rulefields import RULE_OPTIONS
from txvaurien.plugins import Registry
from txvaurien.protocols.base import WireProtocol
from txvaurien.settings.flags import COMMANDS, REPEATABLE, Common, declared_in, prefix_of

#: The sections of the common options. What is not named here comes last, under "Further".
GROUPS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("Where", ("proxy", "backend", "no-proxy", "backlog")),
    ("What goes wrong", ("protocol", "behavior", "rule", "toxic", "scenario", "seed", "max-active-faults")),
    (
        "TLS, and who clients are",
        (
            "tls",
            "tls-key",
            "tls-ca",
            "tls-ca-out",
            "backend-tls-verify",
            "backend-tls-ca",
            "backend-tls-cert",
            "backend-tls-key",
            "accept-proxy",
            "send-proxy",
        ),
    ),
    ("Limits", ("timeout", "idle-timeout", "pool-max-size", "pool-timeout", "on-desync")),
    ("Speed", ("workers", "busy-poll")),
    ("Live control", ("http", "http-host", "http-port", "http-endpoint")),
    ("Access", ("http-token", "http-token-file", "http-allow-host", "allow-backend")),
    ("Metrics", ("metrics", "statsd", "statsd-prefix")),
    ("Log", ("log-level", "log-output", "journal", "journal-size", "journal-keep")),
)

_COLUMN = 30
_INDENT = " " * _COLUMN
_NARROWEST, _WIDEST = 60, 110

#: What the program is.
INTRODUCTION = (
    "A chaos proxy for TCP services. It stands in front of a backend and makes chosen things go wrong."
)
#: What holds for all options.
ADDRESSES = (
    "An address is host:port, [IPv6]:port or an endpoint string of Twisted, such as unix:/run/x.sock or "
    "tls:host:465. Times are seconds, or have a unit: 500ms, 1m30s. An option that is off is switched off "
    "again with `off`. An option without a value here stands for true; --http=false takes it back. In an "
    "INI file all of them stand in [vaurien], those of a behavior or protocol also in [behavior:NAME] or "
    "[protocol:NAME] by their last part; a rule or a toxic has a section [rule:NAME] or [toxic:NAME], and "
    "each further proxy [proxy:NAME]. At SIGHUP the file is read again, and what differs is changed."
)
#: What comes before the fields of rules, those of toxics, and the actions.
RULE = (
    "A rule (--rule 'BEHAVIOR FIELD=VALUE ...') has the options of its behavior, by their last part, and "
    "these fields. The first rule that fires wins, then the mix decides."
)
TOXIC = "A toxic (--toxic 'TYPE FIELD=VALUE ...') has its attributes and these fields."
ACTION = "Actions are begun and ended with vaurienctl, or are steps of a scenario."

#: A part of the help: its title, and what it has in the left and the right column.
Section = tuple[str, Sequence[tuple[str, str]]]


def help_text(registry: Registry, program: str) -> str:
    """The whole text.

    :param program: how the program was called, such as ``twistd vaurien``.
    """
    width = max(_NARROWEST, min(shutil.get_terminal_size((100, 24)).columns, _WIDEST))
    first, *further = usages(program)
    parts = [f"Usage: {first}", *(f"       {each}" for each in further)]
    parts += ["", *textwrap.wrap(INTRODUCTION, width), ""]
    for title, entries in help_sections(registry):
        parts += _section(title, entries, width)
    return "\n".join([*parts, *textwrap.wrap(ADDRESSES, width)])


def usages(program: str) -> Sequence[str]:
    """How the program is called, in each of its ways."""
    ways = [f"{program} [options]"]
    further = ("vaurien replay JOURNAL [options]", "vaurien doctor [options]")
    return [*ways, *further] if program == "vaurien" else ways


def help_sections(registry: Registry) -> Iterator[Section]:
    """All parts, in the order in which they are shown."""
    yield from _common(registry)
    for group, owner, declared in declared_in(registry):
        if group:
            title = f"{group.removesuffix('s').capitalize()} {owner}: {summary(declared)}"
            yield title, [_entry(prefix_of(group, owner), each) for each in options_of(declared)]
        if group == "protocols":
            yield from _kinds(registry.protocols[owner])
    yield RULE, [_field(each) for each in RULE_OPTIONS]
    yield TOXIC, [_field(each) for each in options_of(ToxicFields)]
    yield from _fields("Toxic", registry.toxics)
    yield ACTION, []
    yield from _fields("Action", ACTIONS)


def _kinds(protocol: type[WireProtocol]) -> Iterator[Section]:
    """The errors that a protocol can say."""
    if protocol.error_kinds:
        title = f"Kinds of errors of {protocol.name} (--behavior-error-kind):"
        yield title, [(kind.name, kind.help) for kind in protocol.error_kinds]


def _fields(what: str, declared: Mapping[str, type[Declared]]) -> Iterator[Section]:
    for name in sorted(declared):
        title = f"{what} {name}: {summary(declared[name])}"
        yield title, [_field(each) for each in options_of(declared[name])]


def _field(option: Option) -> tuple[str, str]:
    """As `_entry`, in the short form."""
    left, right = _entry("", option)
    name = left.removeprefix("--").partition(" ")[0]
    return f"{name}={_metavar(option)}", right


def _common(registry: Registry) -> Iterator[Section]:
    options = {option.name: option for option in options_of(Common)}
    choices = {"protocol": sorted(registry.protocols), "behavior": sorted(registry.behaviors)}
    for title, names in (*GROUPS, ("Further", _further(options))):
        entries = [
            _command(name) if name in COMMANDS else _entry("", options[name], choices.get(name, []))
            for name in names
        ]
        if entries:
            yield f"{title}:", entries
    others = [_command(name) for name in COMMANDS if name not in REPEATABLE]
    yield "This command:", others


def _further(options: dict[str, Option]) -> tuple[str, ...]:
    named = {name for _, names in GROUPS for name in names}
    return tuple(name for name in options if name not in named)


def _command(name: str) -> tuple[str, str]:
    value = {"config": " FILE", **dict.fromkeys(REPEATABLE, " 'NAME FIELD=VALUE ...'")}.get(name, "")
    return f"--{name}{value}", COMMANDS[name]


def _entry(prefix: str, option: Option, choices: Sequence[str] = ()) -> tuple[str, str]:
    """The left and the right column of an option."""
    bare = option.default is False and not prefix
    left = f"--{prefix}{option.name}" + ("" if bare else f" {_metavar(option)}")
    allowed = choices or option.choices
    words = option.help + (f"; one of: {', '.join(allowed)}" if allowed else "")
    aside = "" if bare else "; ".join(filter(None, [_bounds(option), _default(option)]))
    return left, f"{words} ({aside})" if aside else words


def _metavar(option: Option) -> str:
    special = {"proxy": "ADDRESS", "backend": "ADDRESS", "protocol": "NAME", "behavior": "NAME"}
    special |= {"scenario": "FILE", "journal": "FILE", "log_output": "FILE", "http_token_file": "FILE"}
    nouns = {"bool": "true|false", "int": "N", "float": "NUMBER", "dict": "A=B,C=D"}
    fallback = "NAME" if option.choices else "TEXT"
    return special.get(option.attribute) or nouns.get(option.kind, fallback)


def _bounds(option: Option) -> str:
    if option.minimum is not None and option.maximum is not None:
        return f"{_number(option.minimum)} to {_number(option.maximum)}"
    if option.minimum is not None:
        return f"at least {_number(option.minimum)}"
    return "" if option.maximum is None else f"at most {_number(option.maximum)}"


def _number(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _default(option: Option) -> str:
    if option.kind == "dict":
        return ""
    if option.default is None:
        return "" if option.attribute == "seed" else "default: off"
    if option.kind == "bool":
        return f"default: {str(option.default).lower()}"
    shown = _number(option.default) if option.kind == "float" else str(option.default)
    return f"default: {shown}" if shown else ""


def _section(title: str, entries: Sequence[tuple[str, str]], width: int) -> list[str]:
    lines = textwrap.wrap(title, width, subsequent_indent="  ")
    for left, right in entries:
        head = f"  {left}  ".ljust(_COLUMN)
        if len(head) > _COLUMN:
            lines.append(head.rstrip())
            head = _INDENT
        lines += textwrap.wrap(
            right, width, initial_indent=head, subsequent_indent=_INDENT, break_on_hyphens=False
        )
    return [*lines, ""]
