"""The control server as it is described, asked by schemathesis.

It makes requests of the description, right ones and wrong ones, and sees whether what is answered is what
is described. It runs in a process of its own; the server is in this one, where no name is ever looked up.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase
from zope.interface import implementer

import txvaurien
from txvaurien.control.service import ControlService
from txvaurien.plugins import Registry
from txvaurien.process.definitionreader import DefinitionReader
from txvaurien.process.proxies import Proxies
from txvaurien.test import openapi_hooks
from txvaurien.test.servers import require

#: The paths below a proxy have the handlers of those at the root, but for its toxics; and what is made of
#: several faults has as many forms as all of them together.
_AGAIN_OR_LARGE = r"^/proxies/\{proxy\}/[^t]|^/(populate|proxies|plan)$"

# A rule may not have fired in time. Which attributes a toxic has that is changed is not in the
# description. A body that may be left out and is left out is taken for one that is wrong.
# The names that `openapi_hooks` gives belong to whoever had them last.
_CONFIG = """\
checks.use_after_free.enabled = false
checks.ensure_resource_availability.enabled = false

[[operations]]
include-operation-id-regex = "change|actions_start$|rules_get"
checks.positive_data_acceptance.enabled = false
checks.negative_data_rejection.enabled = false
"""


@implementer(IHostnameResolver)
class NoNames:
    """Knows no host."""

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[Any] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """There is none of this name."""
        receiver = IResolutionReceiver(resolutionReceiver)
        receiver.resolutionBegan(_Resolution())
        receiver.resolutionComplete()
        return _Resolution()


@implementer(IHostResolution)
class _Resolution:
    name = ""

    def cancel(self) -> None:
        """It is over."""


class SchemathesisTests(TestCase):
    """Several proxies, and a client that tries everything."""

    timeout = 300

    def setUp(self) -> None:
        self.program = require(_beside_python("schemathesis"), install="pip install schemathesis")
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.configure("")
        now: Any = reactor
        before = now.installNameResolver(NoNames())
        self.addCleanup(now.installNameResolver, before)
        known = Registry.load()
        self.proxies = Proxies(reactor, known)
        reader = DefinitionReader(known)
        for name in ("redis", "http", "tcp"):
            fields = {"name": name, "upstream": "127.0.0.1:9", "protocol": name, "seed": 7}
            self.proxies.put(reader.read(fields), main=name == "redis")
        self.proxies.startService()
        self.addCleanup(self.proxies.stopService)
        self.service = ControlService(self.proxies, port=0, reactor=reactor)
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def configure(self, more: str) -> None:
        """Its settings; it looks for them where it is started."""
        (self.folder / "schemathesis.toml").write_text(f"{more}{_CONFIG}", encoding="utf-8")

    async def ask(self, *arguments: str) -> None:
        """Let it try; all that it finds is shown."""
        url = f"http://127.0.0.1:{self.service.port}/openapi.json"
        always = ["--generation-deterministic", "--no-color", "--no-shrink"]
        out, err, status = await getProcessOutputAndValue(
            self.program,
            ["run", url, *always, "--continue-on-failure", *arguments],
            env=_environment(),
            path=str(self.folder),
        )
        self.assertEqual((status, err), (0, b""), (out + err).decode())
        self.assertLess(len(self.proxies), 12)

    async def test_coverage(self) -> None:
        """The ends of every range, each field that is wrong or missing, methods that there are not."""
        await self.ask("--phases=coverage", "--exclude-path-regex", _AGAIN_OR_LARGE)

    async def test_fuzzing(self) -> None:
        """Requests that are drawn, and such as follow from one another; the same in every run.

        They are right as far as the description goes. It does not say that percentages add up to 100,
        which kinds of errors a protocol has, or which options; so they may be refused.
        """
        self.configure("checks.positive_data_acceptance.enabled = false\n")
        await self.ask("--phases=examples,fuzzing,stateful", "--max-examples=8")


def _beside_python(program: str) -> str:
    """A program of the environment that this runs in, which need not be on the path."""
    return shutil.which(program, path=str(Path(sys.executable).parent)) or program


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(Path(txvaurien.__file__).parents[1]),
        "SCHEMATHESIS_HOOKS": openapi_hooks.__name__,
    }
