"""The man pages in docs/man, made of what ``--help`` is made of.

To write them anew: ``make man``, or ``python -m txvaurien.test.man_pages``. They are in the repository
because a wheel is built without the packages that finding out about all options needs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from txvaurien.ctl.parser import make_parser
from txvaurien.plugins import Registry
from txvaurien.settings.helptext import (
    ACTION,
    ADDRESSES,
    INTRODUCTION,
    RULE,
    TOXIC,
    Section,
    help_sections,
    usages,
)
from txvaurien.settings.tokens import TOKEN_VARIABLE
from txvaurien.test.roff import examples, page, paragraph, section, subsection, tagged, title

FOLDER = Path(__file__).parents[2] / "docs" / "man"

_HEADINGS = {RULE: "Rules", TOXIC: "Toxics", ACTION: "Actions"}

_TWISTD = (
    "vaurien runs in the foreground until SIGTERM or Ctrl-C. As a plug-in of twistd it takes the same "
    "options, and runs as a daemon: `twistd vaurien`, or `twistd -n vaurien` in the foreground. "
    "The options of twistd itself (--pidfile, --rundir, --logfile) stand before the word vaurien."
)
_REPLAY = (
    "`vaurien replay` reads a file that --journal has written, and makes the same faults happen on the "
    "same exchanges."
)
_SIGNALS = (
    ("SIGTERM, SIGINT", "Ends the process: the listeners are closed, and the links with them."),
    ("SIGUSR1", "Removes every fault at once; the proxy runs on."),
    ("SIGHUP", "Reads the file of --config again, and changes what differs in it."),
)
_REDIS = "vaurien --proxy localhost:6380 --backend localhost:6379 --protocol redis"
_VAURIEN_EXAMPLES = (
    (
        "Errors in 5 and delays in 10 of 100 commands of Redis, to be repeated by the seed:",
        f"{_REDIS} \\",
        "    --behavior 5:error,10:delay --seed 42",
    ),
    (
        "The first two SET fail; the rest is set live, with vaurienctl:",
        f"{_REDIS} --http \\",
        "    --rule 'error kind=readonly verb=SET times=2'",
    ),
    ("A demo that needs no server:", "vaurien --demo"),
)
_CTL_EXAMPLES = (
    ("Every reply comes two seconds late:", "vaurienctl set-behavior delay --sleep 2"),
    ("The next GET of a user's key fails:", "vaurienctl rule add 'error verb=GET target=user:* times=1'"),
    ("No more faults:", "vaurienctl reset"),
)
_TOKEN = "The token of the control server, where no option says one."


def pages() -> Mapping[str, str]:
    """Every page, by the name of its file."""
    return MappingProxyType(
        {
            "vaurien.1": page(vaurien(Registry.load())),
            "vaurienctl.1": page(vaurienctl(make_parser())),
        }
    )


def vaurien(registry: Registry) -> Iterator[str]:
    """The page of ``vaurien``, piece by piece."""
    yield title("vaurien", "a chaos proxy for TCP services")
    yield section("Synopsis") + examples(
        (), [*usages("vaurien"), "twistd [options of twistd] vaurien [options]"]
    )
    yield section("Description")
    yield from map(paragraph, (INTRODUCTION, _TWISTD, _REPLAY))
    yield section("Options") + paragraph(ADDRESSES)
    for each in help_sections(registry):
        if each[0] == RULE:
            yield section("Faults")
        yield from _part(each)
    yield section("Signals") + "".join(tagged([name], text) for name, text in _SIGNALS)
    yield section("Exit status")
    yield paragraph(
        "0, or 1 with one line on standard error that says what is wrong, where, and what is right."
    )
    yield section("Environment") + tagged([TOKEN_VARIABLE], _TOKEN)
    yield section("Examples") + "".join(examples([words], lines) for words, *lines in _VAURIEN_EXAMPLES)
    yield section("See also") + paragraph("vaurienctl(1), twistd(1)")


def _part(part: Section) -> Iterator[str]:
    """One section of the help."""
    words, entries = part
    heading, _, rest = words.partition(": ")
    if words in _HEADINGS:
        heading, rest = _HEADINGS[words], words
    yield subsection(heading.removesuffix(":"))
    if rest:
        yield paragraph(rest)
    for left, right in entries:
        yield tagged([left], right)


def vaurienctl(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The page of ``vaurienctl``, piece by piece."""
    common = [each for each in _options(parser) if each.dest != "help"]
    yield title("vaurienctl", "control a running vaurien proxy")
    yield section("Synopsis") + examples((), ["vaurienctl [options] COMMAND ..."])
    yield section("Description") + paragraph(parser.description or "")
    yield paragraph("Every command shows its own options with --help, and takes those below as well.")
    yield section("Options") + "".join(map(_option, common))
    yield section("Commands")
    known = {name for each in common for name in each.option_strings}
    for words, command in commands(parser):
        yield tagged(_usage(words, command), command.description or "")
        own = [each for each in _options(command) if not known & set(each.option_strings)]
        yield ".RS\n" + "".join(map(_option, own)) + ".RE\n" if own else ""
    yield section("Exit status") + paragraph("0, or 1 with the reason in one line on standard error.")
    yield section("Environment") + tagged([TOKEN_VARIABLE], _TOKEN)
    yield tagged(["NO_COLOR"], "Where it is set, nothing is coloured.")
    yield section("Examples") + "".join(examples([words], lines) for words, *lines in _CTL_EXAMPLES)
    yield section("See also") + paragraph("vaurien(1)")


def commands(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ("vaurienctl",)
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command below a parser, with all its words, and what reads its arguments."""
    below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not below:
        yield " ".join(words), parser
    for group in below:
        for name, command in group.choices.items():
            yield from commands(command, (*words, name))


def _options(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    """What begins with a dash, and what has a help of its own."""
    asked = [each for each in parser._actions if each.option_strings or isinstance(each.metavar, str)]
    return [each for each in asked if each.help and each.dest != "help" and not _is_group(each)]


def _is_group(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)


def _usage(words: str, command: argparse.ArgumentParser) -> Sequence[str]:
    """The ways to write a command, in lines."""
    if command.usage:
        return [line.strip() for line in command.usage.splitlines()]
    return [" ".join([words, *(_place(each) for each in command._actions if not each.option_strings)])]


def _place(action: argparse.Action) -> str:
    """An argument, as a usage line has it."""
    name = _value(action)
    return {"+": f"{name} ...", "?": f"[{name}]"}.get(str(action.nargs), name)


def _value(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest)


def _option(action: argparse.Action) -> str:
    """One option, or one argument."""
    if not action.option_strings:
        return tagged([_value(action)], action.help or "")
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return tagged([", ".join(f"{name}{value}" for name in action.option_strings)], action.help or "")


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
