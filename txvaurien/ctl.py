"""``vaurienctl``: control a running proxy from the shell. Standard library only, so it starts fast."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn
from urllib.parse import urlsplit

from txvaurien.blocking import Client
from txvaurien.vocabulary import DEFAULT_PORT, VaurienError

_TRUTH = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)

#: What remains of the command line after the arguments that are known here: a behavior's options.
Rest = Sequence[str]

Command = Callable[[Client, argparse.Namespace, Rest], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    :return: the exit status: 0, or 1 with the reason in one line on standard error.
    """
    parser = _parser()
    chosen, rest = parser.parse_known_args(arguments)
    if rest and chosen.run is not _set_behavior:
        parser.error(f"unexpected argument {rest[0]!r}")
    try:
        print(chosen.run(_client(chosen.host, chosen.http_port), chosen, rest))
    except VaurienError as error:
        parser.error(str(error))
    return 0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with exit status 1."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"vaurienctl: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="vaurienctl", description="Control a running vaurien proxy over HTTP.", allow_abbrev=False
    )
    _add_server(parser, host="localhost", http_port=None)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text, allow_abbrev=False
        )
        # Without defaults, or they would undo what stood before the command.
        _add_server(added, host=argparse.SUPPRESS, http_port=argparse.SUPPRESS)
        added.set_defaults(run=run)
        return added

    command("list-behaviors", _list_behaviors, "show the behaviors that can be set")
    command("get-behavior", _get_behavior, "show what is set")
    setting = command("set-behavior", _set_behavior, "set a behavior, or a mix such as 5:error,10:delay")
    setting.usage = "vaurienctl set-behavior NAME [--OPTION VALUE ...] [--host HOST] [--http-port PORT]"
    setting.add_argument("name", metavar="NAME", help="the behavior; its options follow, as in --sleep 2")
    command("get-backend", _get_backend, "show where the proxy connects to")
    address = command("set-backend", _set_backend, "send new links to another backend")
    address.add_argument("address", metavar="ADDRESS", help="host:port")
    return parser


def _add_server(parser: argparse.ArgumentParser, host: object, http_port: object) -> None:
    server = parser.add_argument_group("the control server")
    server.add_argument(
        "--host", default=host, help="its host, or http://host:port (default: localhost)", metavar="HOST"
    )
    server.add_argument(
        "--http-port", default=http_port, type=int, help=f"its port (default: {DEFAULT_PORT})", metavar="PORT"
    )


def _client(host: str, port: int | None) -> Client:
    """The client for ``localhost``, ``localhost:8080``, ``::1`` or ``http://localhost:8080``."""
    if host.count(":") > 1 and "://" not in host and "[" not in host:
        host = f"[{host}]"
    try:
        url = urlsplit(host if "://" in host else f"http://{host}")
        in_url = url.port
    except ValueError as error:
        raise VaurienError(f"--host {host}: {error}") from error
    if not url.hostname or url.path not in {"", "/"}:
        raise VaurienError(f"--host {host}: write a host, or http://host:port")
    if port is None:
        port = DEFAULT_PORT if in_url is None else in_url
    return Client(url.hostname, port, url.scheme)


def _list_behaviors(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    return ", ".join(client.list_behaviors())


def _get_behavior(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    return client.get_behavior()


def _set_behavior(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    given = dict(_options(rest))
    kinds: dict[str, str] = {}
    options: dict[str, object] = {}
    if given:
        known = client.list_options().get(chosen.name, [])
        kinds = {option["name"]: option["type"] for option in known}
    for name, text in given.items():
        options[name] = _converted(text, kinds.get(name.replace("_", "-"), "str"))
    client.set_behavior(chosen.name, **options)
    return f'Behavior changed to "{chosen.name}"'


def _get_backend(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    return client.get_backend()


def _set_backend(client: Client, chosen: argparse.Namespace, rest: Rest) -> str:
    client.set_backend(chosen.address)
    return f'Backend changed to "{chosen.address}"'


def _options(rest: Rest) -> Iterator[tuple[str, str]]:
    """Read ``--sleep 2``, ``--sleep=2``, and ``--before`` alone, which is true."""
    waiting = list(rest)
    while waiting:
        name, equals, text = waiting.pop(0).partition("=")
        if not name.startswith("--") or name == "--":
            raise VaurienError(f"unexpected argument {name!r}; an option of the behavior begins with --")
        if not equals:
            text = waiting.pop(0) if waiting and not waiting[0].startswith("--") else "true"
        yield name[2:], text


def _converted(text: str, kind: str) -> object:
    """The value that a text stands for; the text itself, if none: the server says what is wrong."""
    if kind == "bool":
        return _TRUTH.get(text.lower(), text)
    try:
        number = {"int": int, "float": float}[kind](text)
    except (KeyError, ValueError):
        return text
    return number if math.isfinite(number) else text
