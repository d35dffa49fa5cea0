"""``vaurien --demo``: a small HTTP server as backend, the proxy in front of it, and what to try.

Everything is in this process and on this machine, and no server has to be installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from txvaurien.cli import run
from txvaurien.config import Settings, settle
from txvaurien.errors import ConfigError
from txvaurien.net.endpoints import LOOPBACK
from txvaurien.plugins import Registry
from txvaurien.process.printing import show
from txvaurien.settings.commandline import read
from txvaurien.settings.dryrun import dry_run_text
from txvaurien.settings.tokens import TOKEN_VARIABLE

GREETING = b"Hello from behind the proxy.\n"


class Hello(Resource):
    """Answers every GET with the same line."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(self)

    def render_GET(self, request: Request) -> bytes:
        """The line, as plain text."""
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return GREETING


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m txvaurien.process.demo``, with the options of ``vaurien``."""
    from twisted.internet import reactor

    return run_demo(sys.argv[1:] if arguments is None else arguments, reactor)


def run_demo(arguments: Sequence[str], reactor: Any, start: Callable[[Settings, Any], int] = run) -> int:
    """Start the backend, show what to try, and run the proxy.

    :param arguments: further options of ``vaurien``; they beat those of the demo, but for ``--backend``.
    :return: the exit status.
    """
    site = Site(Hello())
    site.noisy = False
    backend = reactor.listenTCP(0, site, interface=LOOPBACK).getHost()
    try:
        registry = Registry.load()
        line = read(demo_arguments(arguments, backend.port, registry), registry)
        settings = settle(line)
    except ConfigError as error:
        print(f"vaurien: {error}", file=sys.stderr)
        return 1
    if line.asks("dry-run"):
        show(dry_run_text(settings))
        return 0
    # Not before everything listens: it may not.
    reactor.callWhenRunning(lambda: print(to_try(settings), flush=True))
    return start(settings, reactor)


def demo_arguments(arguments: Sequence[str], port: int, registry: Registry) -> list[str]:
    """The command line of the demo, for a backend on this port of the loopback."""
    protocol = "http" if "http" in registry.protocols else "tcp"
    return ["--http", "--protocol", protocol, *arguments, "--backend", f"{LOOPBACK}:{port}"]


def to_try(settings: Settings) -> str:
    """Three commands: what it looks like, how to make it go wrong, what it looks like then."""
    proxy = f"http://{settings.common.proxy}/"
    assert settings.access is not None
    control = f"{settings.access.url(settings.access.port)}behavior"
    if settings.access.token:
        control = f'-H "Authorization: Bearer ${TOKEN_VARIABLE}" {control}'
    if settings.protocol.name == "http":
        fault, look = '{"name": "error", "kind": "503"}', f"curl -i {proxy}"
    else:
        fault, look = '{"name": "delay", "sleep": 2}', f"time curl {proxy}"
    lines = [
        f"A demo backend is running, with the proxy {proxy} in front of it. Try in another terminal:",
        "",
        f"  curl {proxy}",
        f"  curl -X PUT --json '{fault}' {control}",
        f"  {look}",
        "",
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
