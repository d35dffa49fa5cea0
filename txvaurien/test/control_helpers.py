"""A control server in memory: a real proxy object and a real resource, no sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.transient import Transient
from txvaurien.control.api import ControlApi
from txvaurien.control.security import AllowedHosts, Guard
from txvaurien.control.site import ControlSite
from txvaurien.journal import Journal
from txvaurien.plan import Plan
from txvaurien.plugins import Registry
from txvaurien.process.proxies import Proxies
from txvaurien.protocols.tcp import Tcp
from txvaurien.proxy import Proxy
from txvaurien.toxics.bandwidth import Bandwidth
from txvaurien.toxics.latency import Latency

#: One that a control server may ask for.
TOKEN = "correct-horse-battery-staple"


def registry() -> Registry:
    """A few real behaviors, without asking for what is installed."""
    return Registry(
        protocols={"tcp": Tcp},
        behaviors={each.name: each for each in (Dummy, Delay, Error, Transient)},
        toxics={each.name: each for each in (Latency, Bandwidth)},
    )


def proxy(plan: Plan | None = None) -> Proxy:
    """A proxy that never connects anywhere."""
    return Proxy("localhost:6379", Tcp(), plan or Plan.only(Dummy(), seed=7), reactor=MemoryReactorClock())


def api(
    controlled: Proxy,
    defaults: Mapping[str, Mapping[str, object]] | None = None,
    names: Registry | None = None,
) -> ControlApi:
    """The API of a proxy, with a journal of what it does."""
    journal = Journal(controlled.clock)
    known = names or registry()
    return ControlApi(Proxies.of(controlled, known, defaults=defaults, watchers=[journal]), journal)


def guarded(
    controlled: Proxy,
    defaults: Mapping[str, Mapping[str, object]] | None = None,
    http_host: str = "localhost",
    token: str = "",
    names: Registry | None = None,
) -> Guard:
    """The root resource of a control server."""
    return Guard(api(controlled, defaults, names).resource(), AllowedHosts(http_host), token)


class Wire(StringTransport):
    """A transport that remembers how it was ended."""

    half_closed = False

    def loseWriteConnection(self) -> None:
        """Say FIN, go on reading."""
        self.half_closed = True


class RawClient:
    """Speaks HTTP byte by byte to a control server in memory."""

    def __init__(self, root: Guard) -> None:
        self.clock = Clock()
        self.wire = Wire()
        self.channel: Any = ControlSite(root, self.clock).buildProtocol(None)
        self.channel.makeConnection(self.wire)

    def send(self, data: bytes) -> None:
        """The server receives these bytes."""
        self.channel.dataReceived(data)

    def leave(self) -> None:
        """The connection is gone."""
        self.channel.connectionLost(Failure(ConnectionDone()))

    def answer(self) -> Answer:
        """What has been answered since the last time."""
        raw: bytes = self.wire.value()
        self.wire.clear()
        return Answer(raw)

    def get(self, path: str = "/behavior", method: str = "GET", /, **headers: str) -> Answer:
        """Ask for a path with just these headers; ``_`` in a name stands for ``-``."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        return self.answer()

    def ask(self, method: str, path: str, body: object = b"") -> Answer:
        """Ask as a program on this machine does; what is not bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(raw)}\r\n\r\n"
        self.send(head.encode("ascii") + raw)
        return self.answer()


class ControlCase(SynchronousTestCase):
    """Asks a control server in memory."""

    def setUp(self) -> None:
        self.proxy = proxy()
        self.client = RawClient(guarded(self.proxy))

    def get(self, path: str) -> Answer:
        """A GET that must succeed."""
        answer = self.client.ask("GET", path)
        self.assertEqual(answer.status, 200, answer.raw)
        self.assertEqual(answer.headers["content-type"], "application/json")
        return answer

    def put(self, body: object, path: str = "/behavior") -> None:
        """A PUT that must succeed."""
        answer = self.client.ask("PUT", path, body)
        self.assertEqual((answer.status, answer.said), (200, {"status": "ok"}), answer.raw)

    def refused(self, body: object, path: str = "/behavior") -> list[tuple[str, str]]:
        """(name, description) of each error of a PUT that must be refused and change nothing."""
        before = self.proxy.plan, self.proxy.backend
        answer = self.client.ask("PUT", path, body)
        self.assertEqual(answer.status, 400, answer.raw)
        self.assertEqual(answer.said["status"], "error")
        self.assertEqual((self.proxy.plan, self.proxy.backend), before)
        self.assertEqual({error["location"] for error in answer.said["errors"]}, {"body"})
        return [(error["name"], error["description"]) for error in answer.said["errors"]]


class Answer:
    """An HTTP answer, taken apart. `status` is 0 if there is none."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1]) if first else 0
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def said(self) -> Any:
        """The JSON body."""
        return json.loads(self.body)

    @property
    def problem(self) -> tuple[str, str, str]:
        """(location, name, description) of the first error."""
        error = self.said["errors"][0]
        return error["location"], error["name"], error["description"]
