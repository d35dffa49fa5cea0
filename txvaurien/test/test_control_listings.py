"""/protocols, /behaviors, /toxics at the root, /health."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta
from twisted.trial.unittest import SynchronousTestCase

from txvaurien import __version__
from txvaurien.behaviors.base import Behavior
from txvaurien.behaviors.delay import Delay
from txvaurien.control.api import ControlApi
from txvaurien.control.schemas import schema_of
from txvaurien.control.security import AllowedHosts, Guard
from txvaurien.errors import ConfigError
from txvaurien.journal import Journal
from txvaurien.options import build
from txvaurien.plugins import Registry
from txvaurien.process.proxies import Proxies
from txvaurien.test.control_helpers import ControlCase, RawClient, proxy, registry


class Odd(Behavior, frozen=True, kw_only=True):
    """Somebody's own.

    With more than a line.
    """

    name: ClassVar[str] = "odd"

    must: Annotated[int, Meta(ge=1, description="has no default")]
    what: complex = 1j
    which: list[int] = msgspec.field(default_factory=list)


class ListingTests(ControlCase):
    """What can be named."""

    def test_protocols(self) -> None:
        """Each has a line of help, its options twice, and the errors that it can say."""
        said = self.get("/protocols").said["protocols"]
        self.assertEqual(list(said), ["tcp"])
        tcp = said["tcp"]
        self.assertEqual(set(tcp), {"help", "options", "schema", "kinds"})
        self.assertTrue(tcp["help"])
        self.assertEqual((tcp["options"], tcp["schema"]["properties"]), ([], {}))
        self.assertEqual({kind["where"] for kind in tcp["kinds"]}, {"command"})

    def test_behaviors(self) -> None:
        """What was there stays, and each has a schema."""
        said = self.get("/behaviors").said
        self.assertEqual(said["behaviors"], ["delay", "dummy", "error", "transient"])
        self.assertEqual(set(said["schemas"]), set(said["options"]))
        sleep = said["schemas"]["delay"]["properties"]["sleep"]
        self.assertEqual(
            (sleep["type"], sleep["minimum"], sleep["default"], sleep["unit"]), ("number", 0, 1.0, "seconds")
        )
        self.assertTrue(sleep["description"])

    def test_toxics(self) -> None:
        """Those of the main proxy, and all types with their attributes."""
        self.client.ask("POST", "/toxics", {"type": "latency"})
        said = self.get("/toxics").said
        self.assertEqual([each["name"] for each in said["toxics"]], ["latency_downstream"])
        self.assertEqual(sorted(said["available"]), ["bandwidth", "latency"])
        latency = said["available"]["latency"]
        self.assertEqual(set(latency), {"help", "options", "schema"})
        self.assertEqual([option["name"] for option in latency["options"]][:2], ["latency", "jitter"])
        self.assertEqual(latency["schema"]["properties"]["latency"]["type"], "integer")

    def test_toxics_of_a_proxy(self) -> None:
        """Below a proxy it is Toxiproxy's plain list."""
        self.assertEqual(self.get("/proxies/proxy/toxics").said, [])

    def test_head(self) -> None:
        """HEAD is answered as GET is, without the body."""
        answer = self.client.ask("HEAD", "/toxics")
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_health(self) -> None:
        """The control server answers, and says for how long it has been there."""
        self.proxy.reactor.advance(2.5)
        said = self.get("/health").said
        self.assertEqual(said, {"status": "ok", "version": __version__, "proxies": 1, "uptime": 2.5})


class NoProxyTests(SynchronousTestCase):
    """A server without a proxy."""

    def setUp(self) -> None:
        reactor: Any = proxy().reactor
        proxies = Proxies(reactor, registry())
        self.client = RawClient(
            Guard(ControlApi(proxies, Journal(reactor)).resource(), AllowedHosts("localhost"))
        )

    def test_listings(self) -> None:
        """All of them answer: none is about a proxy."""
        self.assertEqual(self.client.ask("GET", "/behaviors").said["kinds"], [])
        self.assertEqual(self.client.ask("GET", "/toxics").said["toxics"], [])
        self.assertEqual(self.client.ask("GET", "/health").said["proxies"], 0)
        self.assertEqual(self.client.ask("GET", "/protocols").status, 200)

    def test_others(self) -> None:
        """What needs one says so."""
        answer = self.client.ask("POST", "/toxics", {"type": "latency"})
        self.assertEqual((answer.status, answer.problem[2]), (404, "there is no proxy; POST one to /proxies"))


class SchemaTests(SynchronousTestCase):
    """Schemas of what is declared."""

    def test_bounds(self) -> None:
        """What the schema bounds is what is refused."""
        schema = schema_of(Delay)["properties"]["sleep"]
        for value in (schema["minimum"], schema["maximum"]):
            build(Delay, {"sleep": value})
        for value in (schema["minimum"] - 1, schema["maximum"] + 1):
            self.assertRaises(ConfigError, build, Delay, {"sleep": value})
        self.assertEqual(schema_of(Delay)["additionalProperties"], False)

    def test_odd(self) -> None:
        """Options of somebody's plug-in that JSON Schema has no words for do not break the others."""
        schema = schema_of(Odd)
        self.assertEqual(schema["description"], "Somebody's own.\n\nWith more than a line.")
        must, what = schema["properties"]["must"], schema["properties"]["what"]
        self.assertEqual(must, {"type": "integer", "minimum": 1, "description": "has no default"})
        self.assertEqual(what, {"default": "1j"})
        self.assertEqual(schema["required"], ["must"])
        self.assertEqual(schema["properties"]["which"]["items"], {"type": "integer"})

    def test_odd_is_listed(self) -> None:
        """And so are they listed."""
        reactor: Any = proxy().reactor
        proxies = Proxies(reactor, Registry(behaviors={"odd": Odd}))
        api = ControlApi(proxies, Journal(reactor))
        answer = RawClient(Guard(api.resource(), AllowedHosts("localhost"))).ask("GET", "/behaviors")
        self.assertEqual(answer.status, 200, answer.raw)
        self.assertEqual(answer.said["options"]["odd"][0]["default"], None)
