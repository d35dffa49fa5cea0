"""The commands of ``vaurienctl``, from its parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from txvaurien.ctl.parser import make_parser
from vaurien_reference.markdown import code, escaped, paragraphs, table


def vaurienctl() -> str:
    """What every command takes, then each command."""
    parser = make_parser()
    common = [each for each in parser._actions if each.option_strings and each.dest != "help"]
    commands = [_command(words, each) for words, each in commands_of(parser)]
    return paragraphs("## What every command takes", _arguments(common), "## Commands", *commands)


def commands_of(
    parser: argparse.ArgumentParser, *above: str
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be given, in its order: ``rule add`` and its parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield from commands_of(each, *above, name)
            return
    yield " ".join(above), parser


def _command(words: str, parser: argparse.ArgumentParser) -> str:
    own = [each for each in parser._actions if each.dest not in _common_of(parser)]
    return paragraphs(
        f"### {words}",
        f"{escaped(_sentence(parser.description or ''))}",
        f"```shell\n{_usage(words, parser, own)}\n```",
        _arguments(own),
    )


def _common_of(parser: argparse.ArgumentParser) -> set[str]:
    """What every command has: they do without a default, so as not to undo what stood before them."""
    return {each.dest for each in parser._actions if each.default is argparse.SUPPRESS}


def _usage(words: str, parser: argparse.ArgumentParser, own: list[argparse.Action]) -> str:
    if parser.usage:
        return "\n".join(line.strip() for line in parser.usage.splitlines())
    needed = [
        f"{each.option_strings[0]} {each.metavar}" for each in own if each.option_strings and each.required
    ]
    optional = any(each.option_strings and not each.required for each in own)
    places = [_place(each) for each in own if not each.option_strings]
    return " ".join(["vaurienctl", words, *places, *needed, *(["[options]"] if optional else [])])


def _place(action: argparse.Action) -> str:
    """An argument without a name, as usages show it."""
    name = str(action.metavar or "|".join(str(each) for each in action.choices or [action.dest]))
    return {"?": f"[{name}]", "+": f"{name} ..."}.get(str(action.nargs), name)


def _arguments(actions: list[argparse.Action]) -> str:
    return table(("argument", ""), [(_name(each), escaped(_help(each))) for each in actions])


def _name(action: argparse.Action) -> str:
    value = f" {action.metavar}" if action.metavar else ""
    return code(f"{action.option_strings[0]}{value}" if action.option_strings else _place(action))


def _help(action: argparse.Action) -> str:
    choices = f"; one of: {', '.join(str(each) for each in action.choices)}" if action.choices else ""
    return f"{action.help or ''}{choices}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
