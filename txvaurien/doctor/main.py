"""The command ``vaurien doctor``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from txvaurien import __version__
from txvaurien.config import Settings, settle
from txvaurien.doctor.examining import Examiner
from txvaurien.doctor.findings import Finding, Level, as_json, as_text, failed
from txvaurien.doctor.kernel import Kernel
from txvaurien.doctor.recognising import WaitLimits
from txvaurien.doctor.startcheck import check_start, examine_process
from txvaurien.errors import ConfigError
from txvaurien.plugins import Registry
from txvaurien.process.printing import coloured, show
from txvaurien.settings.commandline import read

#: The exit status where the settings cannot be read.
USAGE = 2

HELP = """\
Usage: vaurien doctor [--json] [--no-probe] [options of vaurien]

Checks a configuration and says what it would do, without starting a proxy. Backends are connected to
and asked, gently, what they are.

  --json      print one object for scripts, in place of lines
  --no-probe  do not connect to backends
  --help      show this text; `vaurien --help` has the options of vaurien

Exit status: 0 if nothing is in the way, 1 if something cannot work as it is configured, 2 if the
settings cannot be read."""


@dataclass(frozen=True)
class Asked:
    """What was asked of the doctor, and the rest, which is about the proxy."""

    rest: Sequence[str]
    json: bool = False
    probe: bool = True
    help: bool = False
    version: bool = False


def run_doctor(arguments: Sequence[str], reactor: Any) -> int:
    """Look, print what was found, and give the exit status.

    :param arguments: what stands behind ``doctor``.
    """
    asked = _asked(arguments)
    if asked.help or asked.version:
        show(HELP if asked.help else f"vaurien {__version__}")
        return 0
    try:
        settings = _settings(asked.rest)
        findings = list(examine(settings, reactor, probe=asked.probe))
    except ConfigError as error:
        print(f"vaurien: {error}", file=sys.stderr)
        return USAGE
    show(as_json(findings) if asked.json else as_text(findings, coloured=coloured()))
    return 1 if failed(findings) else 0


def examine(
    settings: Settings,
    reactor: Any,
    kernel: Kernel | None = None,
    waits: WaitLimits | None = None,
    *,
    probe: bool = True,
) -> Iterator[Finding]:
    """Everything that can be said of these settings.

    :param reactor: a service is made with it, and not started.
    :param probe: whether backends are connected to.
    :raises ConfigError: they want something of a proxy, and there is to be none.
    """
    kernel = kernel or Kernel()
    proxies = list(Examiner(settings, kernel, waits or WaitLimits(), probe).proxies())
    yield from proxies
    yield from examine_process(settings, kernel)
    told = [each.text for each in proxies if each.level is Level.ERROR]
    for each in check_start(settings, reactor):
        if not any(text in each.text for text in told):
            yield each


def _asked(arguments: Sequence[str]) -> Asked:
    own = {"--json": "json", "--no-probe": "probe", "--help": "help", "-h": "help", "--version": "version"}
    rest = [each for each in arguments if each not in own]
    said = {name: name != "probe" for each in arguments if (name := own.get(each))}
    return Asked(rest, **said)


def _settings(arguments: Sequence[str]) -> Settings:
    line = read(arguments, Registry.load())
    for command in ("demo", "dry-run"):
        if line.asks(command):
            raise ConfigError(f"--{command}", "the doctor starts nothing", "leave it out")
    return settle(line)
