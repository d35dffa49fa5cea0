"""The command line of ``vaurienctl``. Standard library only, so it starts fast."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import txvaurien
from txvaurien.clients.vocabulary import DEFAULT_PORT
from txvaurien.ctl import commands, proxies, server
from txvaurien.ctl.asked import Asked, Shown
from txvaurien.ctl.events import add_events, events
from txvaurien.planning.times import TIMES, seconds_of
from txvaurien.settings.tokens import TOKEN_VARIABLE

#: What a command is: see `txvaurien.ctl.commands` and `txvaurien.ctl.proxies`.
Command = Callable[[Asked], "str | Shown"]

#: What argparse says, and how we say it. What is not here, or is worded otherwise, is left as it is.
_WORDS: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"the following arguments are required: (?P<names>.*)"), "{names} is missing; try --help"),
    (
        re.compile(r"argument (?P<name>.*?): invalid _seconds value: (?P<value>.*)"),
        f"{{name}}: {{value}} is not a time; {TIMES}",
    ),
    (
        re.compile(r"argument (?P<name>.*?): invalid (?:int|float|_\w+) value: (?P<value>.*)"),
        "{name}: {value} will not do; it must be a number",
    ),
    (re.compile(r"argument (?P<name>.*?): expected .*"), "{name}: it needs a value"),
)
_CHOICE = re.compile(
    r"argument (?P<name>.*?): invalid choice: (?P<value>.*?) \(choose from (?P<choices>.*)\)"
)


class _Version(argparse.Action):
    """``--version``. Finding it out takes longer than most commands, so it is not done before."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"vaurienctl {txvaurien.__version__}")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with exit status 1."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"vaurienctl: {_reworded(message)}\n")


def _reworded(message: str) -> str:
    match = _CHOICE.fullmatch(message)
    if match is not None:
        choices = re.findall(r"[\w-]+", match["choices"])
        near = difflib.get_close_matches(match["value"].strip("'"), choices, 1)
        guess = f" (did you mean {near[0]!r}?)" if near else ""
        return f"{match['name']}: there is no {match['value']}{guess}; choose from: {', '.join(choices)}"
    for pattern, words in _WORDS:
        match = pattern.fullmatch(message)
        if match is not None:
            return words.format_map(match.groupdict())
    return message


def make_parser() -> argparse.ArgumentParser:
    """What reads the command line. `run` is the command, see `txvaurien.ctl.commands`."""
    parser = _Parser(
        prog="vaurienctl", description="Control a running vaurien proxy over HTTP.", allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    _add_common(parser)
    root = _Group(parser, "COMMAND")
    _add_proxies(root)
    root.add("list-behaviors", commands.list_behaviors, "show the behaviors that can be set")
    root.add("get-behavior", commands.get_behavior, "show what is set, as set-behavior takes it")
    _add_set_behavior(root)
    root.add("get-backend", commands.get_backend, "show where the proxy connects to")
    address = root.add("set-backend", commands.set_backend, "send new links to another backend")
    address.add_argument("address", metavar="ADDRESS", help="host:port")
    address.add_argument("--cut", action="store_true", help="end the links that stand")
    _add_faults(root)
    _add_rest(root)
    return parser


class _Group:
    """The commands below a command, or below the program."""

    def __init__(self, parser: argparse.ArgumentParser, metavar: str) -> None:
        self._commands: Any = parser.add_subparsers(metavar=metavar, required=True)

    def add(self, name: str, run: Command, text: str) -> argparse.ArgumentParser:
        """One command."""
        added = self._new(name, text)
        # Without defaults, or they would undo what stood before the command.
        _add_common(added, silent=True)
        added.set_defaults(run=run)
        return added

    def group(self, name: str, text: str) -> _Group:
        """A command that has commands of its own."""
        return _Group(self._new(name, text), "WHAT")

    def _new(self, name: str, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = self._commands.add_parser(
            name, help=text, description=text, allow_abbrev=False
        )
        return added


def _add_set_behavior(root: _Group) -> None:
    setting = root.add("set-behavior", commands.set_behavior, "set a behavior, or a mix of some")
    setting.usage = (
        "vaurienctl set-behavior NAME [--OPTION VALUE ...] [--host HOST] [--http-port PORT]\n"
        "       vaurienctl set-behavior 5:error,10:delay [--error-kind VALUE --delay-sleep VALUE ...]"
    )
    setting.add_argument("name", metavar="NAME", help="the behavior; its options follow, as in --sleep 2")


def _add_faults(root: _Group) -> None:
    rules = root.group("rule", "add, list, update, await and remove rules")
    adding = rules.add("add", commands.rule_add, "add a rule: 'error kind=readonly verb=SET times=2'")
    _add_words(adding, "the behavior, its options and the fields of the rule")
    adding.add_argument(
        "--position", type=int, metavar="N", help="how many rules come before it (default: all)"
    )
    rules.add("list", commands.rule_list, "show the rules and what they have counted")
    changing = rules.add(
        "update", commands.rule_update, "change a rule, which counts anew: NAME sleep=2 verb=SET"
    )
    _add_changes(changing, "a field of the rule, or an option of its behavior; verb= takes it away")
    waiting = rules.add("wait", commands.rule_wait, "wait until a rule has fired")
    _add_name(waiting)
    waiting.add_argument("--times", type=int, default=1, metavar="N", help="so often (default: 1)")
    waiting.add_argument(
        "--timeout", type=_seconds, default=10.0, metavar="TIME", help="at most, 500ms or 2m (default: 10s)"
    )
    _add_name(rules.add("remove", commands.rule_remove, "remove a rule"))
    rules.add("clear", commands.rule_clear, "remove all rules")
    toxics = root.group("toxic", "add, list, update and remove toxics")
    adding = toxics.add("add", commands.toxic_add, "add a toxic: 'latency latency=200 stream=upstream'")
    _add_words(adding, "the type of the toxic, its attributes and its fields")
    toxics.add("list", commands.toxic_list, "show the toxics")
    toxics.add("types", server.toxic_types, "show the types that there are, with their attributes")
    changing = toxics.add("update", commands.toxic_update, "change a toxic: NAME latency=100 toxicity=0.5")
    _add_changes(changing, "an attribute of its type, or toxicity")
    _add_name(toxics.add("remove", commands.toxic_remove, "remove a toxic"))
    actions = root.group("action", "start, list and stop actions of the proxy")
    starting = actions.add("start", commands.action_start, "start an action: 'slow_accept delay=100'")
    _add_words(starting, "the action and its options")
    actions.add("list", commands.action_list, "show the actions that stand")
    _add_name(actions.add("stop", commands.action_stop, "stop an action"))


def _add_rest(root: _Group) -> None:
    root.add("links", commands.links, "show the links")
    killing = root.add("kill", commands.kill, "end one link, or all of them")
    killing.add_argument("link", nargs="?", type=int, metavar="ID", help="which one (default: all)")
    killing.add_argument("--how", choices=["rst", "fin"], default="rst", help="default: rst")
    root.add("reset", commands.reset, "remove every fault: the panic stop")
    scenarios = root.group("scenario", "start, show, pause, resume and stop a scenario")
    starting = scenarios.add("start", commands.scenario_start, "start a scenario")
    starting.add_argument("file", metavar="FILE", help="where it is written; - is standard input")
    scenarios.add("show", commands.scenario_show, "show how far it is")
    scenarios.add("pause", commands.scenario_pause, "let its time stand still")
    scenarios.add("resume", commands.scenario_resume, "let it go on")
    scenarios.add("stop", commands.scenario_stop, "stop it, and remove what it added")
    add_events(root.add("events", events, "show what happens, a line for each; --follow goes on"))
    journal = root.add("journal", commands.journal, "show what has happened, a line of JSON for each")
    journal.add_argument("--since", type=int, default=0, metavar="N", help="only what came after number N")
    journal.add_argument("--last", type=int, metavar="N", help="only the last N of those")
    journal.add_argument("--limit", type=int, metavar="N", help="only the first N of those")
    journal.add_argument("--event", metavar="NAME", help="only such events, for example fired")
    journal.add_argument("--link", type=int, metavar="ID", help="only this link")


def _seconds(text: str) -> float:
    seconds = seconds_of(text)
    if seconds is None:
        raise ValueError
    return seconds


def _add_words(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("words", nargs="+", metavar="WORDS", help=text)


def _add_changes(parser: argparse.ArgumentParser, text: str) -> None:
    _add_name(parser)
    parser.add_argument("words", nargs="+", metavar="FIELD=VALUE", help=text)


def _add_name(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument("name", nargs="?" if optional else None, metavar="NAME", help="what it is called")


def _add_common(parser: argparse.ArgumentParser, *, silent: bool = False) -> None:
    """What every command takes.

    :param silent: whether what is not given is not there, instead of the default.
    """
    server = parser.add_argument_group("the control server")

    def add(name: str, default: object, *others: str, **more: Any) -> None:
        server.add_argument(name, *others, default=argparse.SUPPRESS if silent else default, **more)

    add("--host", "localhost", help="its host, or http://host:port (default: localhost)", metavar="HOST")
    add("--http-port", None, "--port", type=int, help=f"its port (default: {DEFAULT_PORT})", metavar="PORT")
    add("--token", None, help=f"its token (default: what {TOKEN_VARIABLE} says)", metavar="TOKEN")
    add("--https", False, action="store_true", help="it speaks TLS; its certificate is verified")
    add("--ca", None, help="certificates to trust, in PEM (default: those of the system)", metavar="FILE")
    add("--proxy", None, help="which of its proxies (default: the main one)", metavar="NAME")
    add("--json", False, action="store_true", help="show JSON, for scripts")


def _add_ends(creating: argparse.ArgumentParser) -> None:
    """How both ends are spoken to, as far as that can be set over HTTP."""
    creating.add_argument("--tls", choices=["auto"], help="speak TLS with clients")
    creating.add_argument(
        "--backend-tls-verify",
        choices=["true", "false"],
        help="whether the certificate of a tls: backend is verified (default: true)",
    )
    creating.add_argument(
        "--accept-proxy", action="store_true", help="clients begin with a PROXY protocol header"
    )
    creating.add_argument(
        "--send-proxy", choices=["v1", "v2"], help="begin with such a header towards the backend"
    )


def _add_proxies(root: _Group) -> None:
    root.add("list", proxies.list_proxies, "show the proxies")
    _add_name(root.add("inspect", proxies.inspect, "show all about a proxy"), optional=True)
    creating = root.add("create", proxies.create, "add a proxy: NAME --listen ADDRESS --backend ADDRESS")
    _add_name(creating)
    creating.add_argument("--listen", default="localhost:0", metavar="ADDRESS", help="default: any free port")
    creating.add_argument("--backend", required=True, metavar="ADDRESS", help="where the service is")
    creating.add_argument("--protocol", default="tcp", metavar="NAME", help="default: tcp")
    creating.add_argument("--seed", type=int, metavar="N", help="repeats a run")
    creating.add_argument("--disabled", action="store_true", help="do not listen yet")
    creating.add_argument(
        "--rule", action="append", default=[], metavar="WORDS", help="'error kind=oom verb=SET'; repeatable"
    )
    creating.add_argument(
        "--toxic", action="append", default=[], metavar="WORDS", help="'latency latency=200'; repeatable"
    )
    creating.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the protocol, or a limit: timeout=5; repeatable",
    )
    _add_ends(creating)
    changing = root.add("update", proxies.update, "let a proxy listen or connect elsewhere; cuts its links")
    _add_name(changing)
    changing.add_argument("--listen", metavar="ADDRESS", help="where to listen")
    changing.add_argument("--backend", metavar="ADDRESS", help="where the service is")
    _add_name(root.add("enable", proxies.enable, "let clients connect"))
    _add_name(root.add("disable", proxies.disable, "refuse clients and cut all links"))
    _add_name(root.add("toggle", proxies.toggle, "enable a proxy that is disabled, disable one that is not"))
    _add_name(root.add("delete", proxies.delete, "remove a proxy, with its port and its links"))
    populating = root.add("populate", server.populate, "add and replace proxies, as a file says")
    populating.add_argument("file", metavar="FILE", help="a list of proxies as JSON; - is standard input")
    root.add("protocols", server.protocols, "show the protocols, their options and their errors")
    root.add("health", server.health, "show whether the control server is well")
    root.add("ca", server.ca, "show the certificate that clients of proxies with --tls auto have to trust")
    plan = root.group("plan", "show and set a whole plan: mix, rules, toxics and seed")
    plan.add("show", proxies.plan_show, "show the plan as JSON")
    setting = plan.add("set", proxies.plan_set, "set a whole plan")
    setting.add_argument("file", metavar="FILE", help="the plan as JSON; - is standard input")
    completing = root.add("completion", proxies.completion, "print what makes a shell complete vaurienctl")
    completing.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="which shell")
