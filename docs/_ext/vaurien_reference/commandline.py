"""The command line of ``vaurien`` and ``twistd vaurien``."""

from __future__ import annotations

from collections.abc import Iterator

from txvaurien.options import Option, options_of
from txvaurien.settings.flags import COMMANDS, REPEATABLE, Common, declared_in, flags_of, prefix_of
from txvaurien.settings.helptext import GROUPS
from vaurien_reference.installed import our_registry
from vaurien_reference.markdown import escaped, name, paragraphs, table
from vaurien_reference.optiontables import HEAD, default_text, option_rows

Row = tuple[str, str, str, str]


def command_line() -> str:
    """All options, by group: those of the process, of each protocol, of each behavior."""
    common = {option.name: option for option in options_of(Common)}
    grouped = {each for _, names in GROUPS for each in names}
    alone = tuple(each for each in COMMANDS if each not in grouped | REPEATABLE)
    further = tuple(each for each in common if each not in grouped)
    groups = (*GROUPS, ("Further", further), ("This command", alone))
    return paragraphs(
        *(
            paragraphs(f"## {title}", table(HEAD, [_row(each, common) for each in names]))
            for title, names in groups
            if names
        ),
        *_of_plugins(),
    )


def _row(option: str, common: dict[str, Option]) -> Row:
    flag = name(f"--{option}")
    if option in COMMANDS:
        return flag, "", "", escaped(COMMANDS[option])
    said = common[option]
    allowed = f"none, or `--{option}=false`" if said.kind == "bool" else _allowed(said)
    return flag, default_text(said), allowed, escaped(said.help)


def _allowed(option: Option) -> str:
    """What a value must be; of names, those that there are."""
    registry = our_registry()
    named = {"protocol": registry.names("protocols"), "behavior": registry.names("behaviors")}
    if option.name in named:
        return f"one of: {', '.join(named[option.name])}"
    return escaped(option.allowed)


def _of_plugins() -> Iterator[str]:
    for group, owner, declared in declared_in(our_registry()):
        if group and options_of(declared):
            kind = group.removesuffix("s").capitalize()
            yield f"## {kind} {owner}"
            yield option_rows(options_of(declared), before=f"--{prefix_of(group, owner)}")


def retired() -> str:
    """The options of Vaurien that are taken and do nothing."""
    flags = flags_of(our_registry()).values()
    found = {
        flag.name.removeprefix(prefix_of(flag.group, flag.owner)): flag.retired
        for flag in flags
        if flag.retired
    }
    return table(("ends with", "why"), [(name(each), escaped(why)) for each, why in sorted(found.items())])
