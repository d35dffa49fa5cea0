"""Several proxies in the test's own reactor, with backends that echo and clients that talk to them."""

from __future__ import annotations

import json
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, HTTPConnectionPool

from txvaurien.control.service import ControlService
from txvaurien.journal import Journal
from txvaurien.net.addresses import Listen
from txvaurien.plugins import Registry
from txvaurien.process.definition import Definition
from txvaurien.process.definitionreader import DefinitionReader
from txvaurien.process.member import Member
from txvaurien.process.proxies import Proxies


class Echo(Protocol):
    """A backend's end: says everything again, behind its name."""

    def __init__(self, name: bytes) -> None:
        self._name = name

    def dataReceived(self, data: bytes) -> None:
        """Say it again."""
        transport: Any = self.transport
        transport.write(self._name + data)


class EchoFactory(Factory):
    """Backends of one name."""

    noisy = False

    def __init__(self, name: bytes) -> None:
        self._name = name

    def buildProtocol(self, addr: object) -> Echo:
        """One more."""
        return Echo(self._name)


class Talker(Protocol):
    """A client. `ended` fires when its connection is gone."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: Deferred[None] = Deferred()
        self._waiting: Deferred[None] | None = None

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.received += data
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self.ended.callback(None)
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def ask(self, data: bytes) -> bytes:
        """What is answered, up to the end of `data` or of the connection."""
        self.received = b""
        transport: Any = self.transport
        transport.write(data)
        while not self.received.endswith(data) and not self.ended.called:
            self._waiting = Deferred()
            await self._waiting
        return self.received

    def leave(self) -> Deferred[None]:
        """Close the connection; fires when it is gone."""
        transport: Any = self.transport
        transport.abortConnection()
        return self.ended


class ProxiesCase(TestCase):
    """Tests of `Proxies` that are started, with a journal, and end with the test."""

    timeout = 60

    def setUp(self) -> None:
        self.registry = Registry.load()
        self.journal = Journal(reactor)
        self.proxies = Proxies(reactor, self.registry, watchers=[self.journal])
        self.proxies.startService()
        self.addCleanup(self.proxies.stopService)
        self.backend = self.start_backend(b"one:")

    def start_backend(self, name: bytes) -> int:
        """The port of a backend that ends with the test."""
        net: Any = reactor
        listening = net.listenTCP(0, EchoFactory(name), interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        port: int = listening.getHost().port
        return port

    def start_control(self) -> int:
        """The port of a control server that ends with the test."""
        control = ControlService(self.proxies, port=0, reactor=reactor, journal=self.journal)
        control.startService()
        self.addCleanup(control.stopService)
        return control.port

    async def request(
        self, method: str, url: str, body: object = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of an answer; ``_`` in the name of a header stands for ``-``.

        :param body: what is not bytes is sent as JSON, without saying that it is.
        """
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
        said: dict[bytes | str, bytes | str] = {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        answer = await treq.request(method, url, data=raw, headers=said, agent=agent)
        content = await answer.content()
        told = {name.decode().lower(): value[0].decode() for name, value in answer.headers.getAllRawHeaders()}
        return answer.code, json.loads(content) if content else None, told

    def define(self, name: str, **fields: object) -> Definition:
        """A proxy in front of the first backend."""
        reader = DefinitionReader(self.registry)
        return reader.read({"name": name, "upstream": f"127.0.0.1:{self.backend}", **fields})

    async def add(self, name: str = "redis", **fields: object) -> Member:
        """One more proxy."""
        return await self.proxies.add(self.define(name, **fields))

    async def connect(self, listen: str | int) -> Talker:
        """A client, which ends with the test."""
        port = listen if isinstance(listen, int) else int(listen.rpartition(":")[2])
        talker: Talker = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Talker())
        self.addCleanup(talker.leave)
        return talker

    async def ask(self, listen: str | int, data: bytes = b"hello") -> bytes:
        """What a new client is answered."""
        talker = await self.connect(listen)
        answer = await talker.ask(data)
        await talker.leave()
        return answer

    def events(self, name: str = "") -> list[str]:
        """What the journal tells of a proxy, without its links."""
        return [record.event for record in self.journal.since(proxy=name) if not record.link]


def listen_at(port: int) -> Listen:
    """A port of loopback to listen at."""
    return Listen(f"127.0.0.1:{port}", "127.0.0.1", port)
