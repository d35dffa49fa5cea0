"""People start a proxy for a single test, so a start imports what it uses and no more.

Nothing here looks at a clock: what has been imported is asked of a process of its own.
OpenSSL is not in the list, because Twisted's own TCP transports import it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from txvaurien.errors import ConfigError
from txvaurien.plugins import Registry
from txvaurien.settings.flags import parse_arguments

#: What the control server and its clients stand on, what only some commands use, and tools for tests.
HEAVY = (
    "difflib",
    "hypothesis",
    "iniconfig",
    "klein",
    "prometheus_client",
    "treq",
    "twisted.web",
    "txvaurien.control",
    "txvaurien.doctor",
    "txvaurien.embed",
    "txvaurien.journals.replaying",
    "txvaurien.metrics",
    "txvaurien.metrics.statsd",
    "txvaurien.process.demo",
    "txvaurien.process.reloading",
    "txvaurien.scenarios.player",
    "txvaurien.scenarios.scenario",
    "txvaurien.settings.access",
    "txvaurien.settings.dryrun",
    "txvaurien.settings.helptext",
    "txvaurien.settings.inifile",
    "txvaurien.settings.proxyobjects",
    "txvaurien.testing",
    "txvaurien.tls.authority",
    "txvaurien.tls.backend",
    "txvaurien.tls.pipe",
    "txvaurien.tls.linktls",
    "txvaurien.workers",
    "unittest",
    "werkzeug",
)

#: What the control server needs only for what some ask of it.
ASKED = (
    "prometheus_client",
    "treq",
    "txvaurien.control.openapi",
    "txvaurien.control.proxy",
    "txvaurien.control.rules",
    "txvaurien.control.toxiproxy",
    "txvaurien.metrics.statsd",
    "txvaurien.process.definitionreader",
    "txvaurien.scenarios.player",
    "txvaurien.scenarios.scenario",
    "txvaurien.settings.inifile",
    "unittest",
)

#: What a worker process needs only while somebody asks for it, or never.
NOT_OF_WORKERS = (
    "difflib",
    "iniconfig",
    "klein",
    "prometheus_client",
    "treq",
    "twisted.web",
    "txvaurien.config",
    "txvaurien.control",
    "txvaurien.scenarios.player",
    "txvaurien.scenarios.scenario",
    "txvaurien.settings.inifile",
    "txvaurien.tap",
    "unittest",
    "werkzeug",
)

_START = """
import json, sys
from twisted.internet import reactor
from txvaurien.tap import Options, VaurienService
options = Options()
options.parseOptions(sys.argv[1:])
VaurienService(options.settings, reactor).startService()
print(json.dumps(sorted(sys.modules)))
"""


def imported(program: str, *arguments: str) -> set[str]:
    """The modules that a program has imported when it prints them."""
    # A tool that looks on from inside the process, as coverage does, imports modules for itself.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    return set(json.loads(done.stdout))


def started(*options: str) -> set[str]:
    """The modules of a proxy that listens."""
    return imported(_START, "--proxy", "127.0.0.1:0", "--backend", "127.0.0.1:9", *options)


def within(modules: Iterable[str], package: str) -> set[str]:
    """Those that are the package, or in it."""
    return {name for name in modules if name == package or name.startswith(f"{package}.")}


def plugins(modules: Iterable[str], group: str) -> set[str]:
    """The plug-ins of a group that are among the modules; what they share is not counted."""
    prefix = f"txvaurien.{group}."
    own = {name.removeprefix(prefix).partition(".")[0] for name in modules if name.startswith(prefix)}
    return own - {"alarm", "base", "opaque"}


class StartTests(SynchronousTestCase):
    """What a proxy that listens has imported."""

    def test_tcp(self) -> None:
        """Without options: tcp, dummy, no toxic, and nothing of what is heavy."""
        modules = started()
        self.assertEqual(set().union(*(within(modules, each) for each in HEAVY)), set())
        self.assertEqual(plugins(modules, "protocols"), {"tcp"})
        self.assertEqual(plugins(modules, "behaviors"), {"dummy"})
        self.assertEqual(plugins(modules, "toxics"), set())

    def test_chosen(self) -> None:
        """What is chosen is imported, and what has an option; the others are not."""
        chosen = ("--protocol", "redis", "--behavior", "10:delay", "--behavior-error-kind", "oom")
        modules = started(*chosen, "--toxic", "latency latency=10")
        self.assertEqual(plugins(modules, "protocols"), {"redis"})
        self.assertEqual(plugins(modules, "behaviors"), {"delay", "error"})
        self.assertEqual(plugins(modules, "toxics"), {"latency"})

    def test_control(self) -> None:
        """With --http the control server is there; what plug-ins there are is still nobody's question."""
        modules = started("--http", "--http-port", "0")
        for name in ("klein", "werkzeug", "twisted.web", "txvaurien.control"):
            self.assertNotEqual(within(modules, name), set(), name)
        self.assertEqual(set().union(*(within(modules, each) for each in ASKED)), set())
        self.assertEqual(plugins(modules, "protocols"), {"tcp"})

    def test_worker(self) -> None:
        """A worker has what serves links, and nothing of the command line or the control server."""
        modules = imported("import json, sys, txvaurien.workers.worker; print(json.dumps(list(sys.modules)))")
        self.assertEqual(set().union(*(within(modules, each) for each in NOT_OF_WORKERS)), set())

    def test_entry(self) -> None:
        """`vaurien` itself imports nothing large before it has said that garbage is not to be looked for."""
        modules = imported("import json, sys, txvaurien.cli; print(json.dumps(list(sys.modules)))")
        own = {"txvaurien", "txvaurien.cli", "txvaurien.process", "txvaurien.process.collecting"}
        self.assertEqual(within(modules, "txvaurien"), own)
        self.assertEqual(within(modules, "twisted") | within(modules, "zope"), set())

    def test_package(self) -> None:
        """The package itself imports nothing of Twisted: tests import it for its client."""
        modules = imported(
            "import json, sys, txvaurien; txvaurien.Client; print(json.dumps(list(sys.modules)))"
        )
        self.assertEqual(within(modules, "twisted"), set())


class NotImportedTests(SynchronousTestCase):
    """What has not been imported can be spoken of as if it had."""

    def test_option_of_another_protocol(self) -> None:
        """A wrong option of a protocol that nobody uses: the error lists that protocol's options."""
        error = self.assertRaises(
            ConfigError, parse_arguments, ["--protocol-redis-foo", "1"], Registry.load()
        )
        self.assertTrue(str(error).startswith("--protocol-redis-foo: there is no option 'foo'"), error)
        self.assertIn("the options of 'redis' are: ", str(error))

    def test_guess(self) -> None:
        """A misspelt option of a behavior that nobody uses is recognised."""
        error = self.assertRaises(
            ConfigError, parse_arguments, ["--behavior-dely-sleep", "1"], Registry.load()
        )
        self.assertIn("did you mean --behavior-delay-sleep?", str(error))

    def test_option_is_known(self) -> None:
        """An option of a protocol that nobody uses is taken, and checked when it counts."""
        given = parse_arguments(["--behavior_delay_sleep=1"], Registry.load())
        self.assertEqual([each.flag.name for each in given], ["behavior-delay-sleep"])
