"""A Twisted application with a proxy of its own: run it with ``twistd -ny docs/examples/embed.py``.

Environment: ``BACKEND`` (default localhost:6379) and ``LISTEN`` (default localhost:6380).
"""

import os

from twisted.application.service import Application, Service
from twisted.internet import reactor

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.error import Error
from txvaurien.plan import Plan, Rule
from txvaurien.protocols.redis import Redis
from txvaurien.proxy import Proxy
from txvaurien.service import ProxyService


class TroubleLater(Service):
    """Changes the plan while the proxy runs: after three seconds SET fails as on a replica."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def startService(self) -> None:
        read_only = Rule(Error(kind="readonly"), verbs=frozenset({"SET"}))
        self.proxy.reactor.callLater(3.0, self.proxy.set_plan, Plan(rules=(read_only,)))


proxy = Proxy(
    os.environ.get("BACKEND", "localhost:6379"),
    Redis(),
    Plan.only(Delay(sleep=0.01)),
    reactor=reactor,
)

application = Application("my application")
ProxyService(proxy, os.environ.get("LISTEN", "localhost:6380")).setServiceParent(application)
TroubleLater(proxy).setServiceParent(application)
