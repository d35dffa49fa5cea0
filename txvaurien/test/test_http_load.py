"""wrk through the proxy: not one error."""

from __future__ import annotations

import re
import subprocess

from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan
from txvaurien.protocols.http import Http
from txvaurien.rules import Rule
from txvaurien.test.http_servers import NginxServer
from txvaurien.test.servers import require
from txvaurien.test.support import ProxyCase

#: Sends ten requests at once on each connection, three of them with a body.
PIPELINE = """
init = function(args)
  local all = {}
  for number = 1, 10 do
    if number % 3 == 0 then
      all[number] = wrk.format("PUT", "/dav/" .. number, nil, string.rep("x", number * 1000))
    else
      all[number] = wrk.format("GET", "/index.html")
    end
  end
  request_all = table.concat(all)
end
request = function() return request_all end
"""


def wrk(url: str, *arguments: str) -> str:
    """What wrk reports. An answer is late after a time that a busy machine does not reach."""
    command = [require("wrk", "wrk"), "-t2", "-c50", "-d2s", "--timeout", "50s", *arguments, url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


class WrkTests(ProxyCase):
    """50 connections, as fast as they can."""

    def setUp(self) -> None:
        self.nginx = self.start_server(NginxServer())

    async def load(self, plan: Plan | None, *arguments: str) -> None:
        """Put load on a proxy with this plan."""
        service = self.start_proxy(Http(), self.nginx.port, plan)
        url = f"http://127.0.0.1:{service.port}/index.html"
        report = await self.in_thread(wrk, url, *arguments)
        done = re.search(r"(\d+) requests in", report)
        self.assertTrue(done and int(done[1]), report)
        self.assertNotIn("Socket errors", report)
        self.assertNotIn("Non-2xx", report)
        self.assertEqual(service.proxy.stats.opaque, 0)
        await self.until(lambda: not service.proxy.links)

    async def test_written_first(self) -> None:
        """With nothing to decide."""
        await self.load(None)

    async def test_framed_first(self) -> None:
        """With a rule that asks for every request whether it is meant."""
        await self.load(Plan(rules=(Rule(Error(), target="/none*"),), seed=1))

    async def test_pipelined(self) -> None:
        """Ten requests at once, some with bodies."""
        script = self.nginx.folder / "pipeline.lua"
        script.write_text(PIPELINE)
        await self.load(Plan(rules=(Rule(Error(), target="/none*"),), seed=1), "-s", str(script))
