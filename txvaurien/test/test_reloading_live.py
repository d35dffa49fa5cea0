"""SIGHUP, to processes as their users start them."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.protocols.wire import Echo
from twisted.trial.unittest import TestCase

from txvaurien.test.test_cli import ROOT, TWISTD


class Process(ProcessProtocol):
    """A process of which is known what it has said."""

    def __init__(self, *arguments: str) -> None:
        self.told = ""
        self.ended: Deferred[None] = Deferred()
        self._awaited: list[tuple[str, Deferred[re.Match[str]]]] = []
        environ = {**os.environ, "PYTHONPATH": ROOT}
        command = [sys.executable, *arguments]
        self._process: Any = reactor.spawnProcess(self, sys.executable, command, env=environ)

    def says(self, pattern: str) -> Deferred[re.Match[str]]:
        """Fires when it has said that."""
        said: Deferred[re.Match[str]] = Deferred()
        self._awaited.append((pattern, said))
        self._look()
        return said

    def _look(self) -> None:
        for each in list(self._awaited):
            found = re.search(each[0], self.told)
            if found is not None:
                self._awaited.remove(each)
                each[1].callback(found)

    def errReceived(self, data: bytes) -> None:
        """It said something."""
        self.told += data.decode()
        self._look()

    outReceived = errReceived

    def processEnded(self, reason: object) -> None:
        """It is gone, and says nothing more."""
        for _, said in self._awaited:
            said.errback(AssertionError(self.told))
        self.ended.callback(None)

    def kill(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if not self.ended.called:
            os.kill(self._process.pid, number)


class Talk(Protocol):
    """One question after the other."""

    def ask(self, question: bytes) -> Deferred[bytes]:
        """Say something; the first that is said then."""
        self.answered: Deferred[bytes] = Deferred()
        transport: Any = self.transport
        transport.write(question)
        return self.answered

    def dataReceived(self, data: bytes) -> None:
        """That is the answer."""
        self.answered.callback(data)


class ReloadTests(TestCase):
    """``vaurien --config`` and ``twistd vaurien --config``."""

    timeout = 120

    def setUp(self) -> None:
        factory: Any = Factory.forProtocol(Echo)
        port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.backend = f"backend = 127.0.0.1:{port.getHost().port}"
        self.path = Path(self.mktemp()).absolute()

    def write(self, *lines: str) -> None:
        """What the file says from now on."""
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    async def port(self, process: Process, name: str) -> int:
        """Where one of the proxies listens."""
        return int((await process.says(rf" {name} on :(\d+) for "))[1])

    async def talk(self, port: int) -> Talk:
        """A link that stands."""
        client: Talk = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Talk())
        self.assertEqual(await client.ask(b"a"), b"a")
        transport: Any = client.transport
        self.addCleanup(transport.abortConnection)
        return client

    async def reload(self, *command: str) -> None:
        """Links stand, a rule comes on one proxy, another proxy comes; a mistake changes nothing."""
        one = ("[proxy:one]", "proxy = :0", self.backend)
        two = ("[proxy:two]", "proxy = :0", self.backend)
        self.write(*one, *two)
        process = Process(*command, "--config", str(self.path))

        def end() -> Deferred[None]:
            process.kill(signal.SIGKILL)
            return process.ended

        self.addCleanup(end)
        first = await self.talk(await self.port(process, "one"))
        second = await self.talk(await self.port(process, "two"))
        replying = ("[rule:x]", "behavior = delay", "proxy = two", "[proxy:three]", *one[1:])
        self.write(*one, *two, *replying[:3], "probability = 0", *replying[3:])
        process.kill(signal.SIGHUP)
        await process.says(r"has been read again: added three; changed two \(plan\)")
        await self.talk(await self.port(process, "three"))
        self.write(*one, *two, "bad = 1")
        process.kill(signal.SIGHUP)
        await process.says(r":7: bad: there is no option 'bad'.* nothing was changed")
        self.write(*one, *two)
        process.kill(signal.SIGHUP)
        await process.says(r"has been read again: removed three; changed two \(plan\)")
        self.assertEqual((await first.ask(b"b"), await second.ask(b"b")), (b"b", b"b"))
        process.kill(signal.SIGTERM)
        await process.ended
        self.assertNotIn("Traceback", process.told)

    async def test_vaurien(self) -> None:
        """`vaurien` reads its file again."""
        await self.reload("-m", "txvaurien")

    async def test_twistd(self) -> None:
        """So does `twistd vaurien`."""
        await self.reload("-c", TWISTD, "-n", "--pidfile=", "vaurien")
