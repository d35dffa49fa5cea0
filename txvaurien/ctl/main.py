"""``vaurienctl``: control a running proxy from the shell. Standard library only, so it starts fast."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from urllib.parse import urlsplit

from txvaurien.clients.blocking import Client
from txvaurien.clients.vocabulary import DEFAULT_PORT, VaurienError
from txvaurien.ctl import commands
from txvaurien.ctl.asked import Asked, printed
from txvaurien.ctl.parser import make_parser
from txvaurien.process.printing import show

#: What the control server advises where there are several proxies, and none was named.
_OVER_HTTP = "ask for /proxies/NAME/... of one of them"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    :return: the exit status: 0, or 1 with the reason in one line on standard error.
    """
    parser = make_parser()
    chosen, rest = parser.parse_known_args(arguments)
    if rest and chosen.run is not commands.set_behavior:
        parser.error(f"unexpected argument {rest[0]!r}; try --help")
    try:
        client = _client(chosen)
        proxy = client if chosen.proxy is None else client.proxy(chosen.proxy)
        said = printed(chosen.run(Asked(client, proxy, chosen, rest)), chosen.json)
    except VaurienError as error:
        # What is right over HTTP is not what is typed here.
        parser.error(str(error).replace(_OVER_HTTP, "name one of them with --proxy NAME"))
    if said:
        show(said)
    return 0


def _client(chosen: argparse.Namespace) -> Client:
    """The client for ``localhost``, ``localhost:8080``, ``::1`` or ``http://localhost:8080``."""
    host, port = chosen.host, chosen.http_port
    if host.count(":") > 1 and "://" not in host and "[" not in host:
        host = f"[{host}]"
    scheme = "https" if chosen.https else "http"
    try:
        url = urlsplit(host if "://" in host else f"{scheme}://{host}")
        in_url = url.port
    except ValueError as error:
        raise VaurienError(f"--host {host}: {error}") from error
    if not url.hostname or url.path not in {"", "/"}:
        raise VaurienError(f"--host {host}: write a host, or http://host:port")
    if chosen.https and url.scheme != "https":
        raise VaurienError(f"--host {host}: this is not https; leave out what stands before the host")
    if port is None:
        port = DEFAULT_PORT if in_url is None else in_url
    return Client(url.hostname, port, url.scheme, token=chosen.token, ca=chosen.ca)
