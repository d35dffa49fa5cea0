"""``vaurien``: the proxy in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from txvaurien.process.collecting import collect_later, collect_rarely

# Twisted and most of ours are imported where they are used: not before `main` has put off looking for
# garbage, which is a tenth of a start.
if TYPE_CHECKING:
    from txvaurien.config import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proxy until SIGTERM or SIGINT.

    :return: the exit status: 0, or 1 with one line on standard error.
    """
    collect_later()
    arguments = sys.argv[1:] if arguments is None else arguments
    # A user's own class is looked for in the working directory as well, as twistd does.
    sys.path.append(os.getcwd())
    from twisted.internet import reactor

    running: Any = reactor
    running.callWhenRunning(collect_rarely)
    if arguments[:1] == ["doctor"]:
        from txvaurien.doctor.main import run_doctor

        return run_doctor(arguments[1:], reactor)
    if "--demo" in arguments and not {"-h", "--help", "--version"} & set(arguments):
        from txvaurien.process.demo import run_demo

        return run_demo([each for each in arguments if each != "--demo"], reactor)
    from txvaurien.tap import Options

    options = Options()
    options.parseOptions(arguments)
    return run(options.settings, reactor)


def run(settings: Settings, reactor: Any) -> int:
    """Run what settings describe, with a log of our own, until the reactor is stopped.

    :return: the exit status.
    """
    from twisted.logger import globalLogBeginner

    from txvaurien.errors import ConfigError, ListenError
    from txvaurien.net.descriptors import raise_limit
    from txvaurien.process.logs import log_observer
    from txvaurien.tap import VaurienService, ready_descriptor

    common = settings.common
    try:
        observer = log_observer(common.log_level, common.log_output, settings.place("log-output"))
        globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
        raise_limit(common.pool_max_size)
        service = VaurienService(settings, reactor, ready_descriptor())
        service.startService()
    except (ConfigError, ListenError) as error:
        print(f"vaurien: {error}", file=sys.stderr)
        return 1
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()
    return 0
