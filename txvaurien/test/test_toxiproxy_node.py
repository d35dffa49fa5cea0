"""Every call of Toxiproxy's client for node (toxiproxy-node-client), unchanged, with real traffic.

The calls stand in ``toxiproxy_node.js``, beside this file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txvaurien.test.manyproxies import ProxiesCase
from txvaurien.test.servers import require

SCRIPT = Path(__file__).with_name("toxiproxy_node.js")
MODULES = Path(__file__).parents[2] / "build" / "node" / "node_modules"


def require_client() -> Path:
    """The folder of the client. Where it is missing: a failure in CI, else a skipped test."""
    if (MODULES / "toxiproxy-node-client").is_dir():
        return MODULES
    message = "toxiproxy-node-client is not installed; bash .ci/toxiproxy-node"
    if os.environ.get("CI"):
        raise AssertionError(message)
    raise SkipTest(message)


class NodeTests(ProxiesCase):
    """Each runs one case of the script."""

    async def run_case(self, name: str) -> None:
        """Run a case against a server without proxies."""
        node, modules = require("node", "nodejs"), require_client()
        url, upstream = f"http://127.0.0.1:{self.start_control()}", f"127.0.0.1:{self.backend}"
        environment = {**os.environ, "NODE_PATH": str(modules)}
        output, errors, status = await getProcessOutputAndValue(
            node, [str(SCRIPT), name, url, upstream], environment, reactor=reactor
        )
        self.assertEqual(status, 0, (output + errors).decode())

    async def test_version(self) -> None:
        """getVersion."""
        await self.run_case("version")

    async def test_create(self) -> None:
        """createProxy, and what a proxy knows of itself."""
        await self.run_case("create")

    async def test_get(self) -> None:
        """get and getAll."""
        await self.run_case("get")

    async def test_remove(self) -> None:
        """Proxy.remove."""
        await self.run_case("remove")

    async def test_update(self) -> None:
        """Proxy.update."""
        await self.run_case("update")

    async def test_populate(self) -> None:
        """populate."""
        await self.run_case("populate")

    async def test_reset(self) -> None:
        """reset."""
        await self.run_case("reset")

    async def test_toxics(self) -> None:
        """addToxic, getToxic, Toxic.update and Toxic.remove."""
        await self.run_case("toxics")

    async def test_types(self) -> None:
        """Each of Toxiproxy's toxics does to the traffic what it is for."""
        await self.run_case("types")

    async def test_http(self) -> None:
        """getApi: get, getText, post and delete."""
        await self.run_case("http")


class ScriptTests(SynchronousTestCase):
    """The script and this suite."""

    def test_every_case_is_run(self) -> None:
        """Each case of the script has a test here."""
        cases = re.findall(r"^  async (\w+)\(\)", SCRIPT.read_text(), re.MULTILINE)
        tests = [each.removeprefix("test_") for each in dir(NodeTests) if each.startswith("test_")]
        self.assertEqual(sorted(cases), sorted(tests))
