"""Workers in memory: a reactor that starts no processes, and what runs in their place."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from txvaurien.behaviors.abort import Abort
from txvaurien.behaviors.delay import Delay
from txvaurien.behaviors.dummy import Dummy
from txvaurien.behaviors.error import Error
from txvaurien.behaviors.transient import Transient
from txvaurien.plan import Plan
from txvaurien.plugins import Registry
from txvaurien.protocols.tcp import Tcp
from txvaurien.toxics.bandwidth import Bandwidth
from txvaurien.toxics.latency import Latency
from txvaurien.workers import wire
from txvaurien.workers.fleet import FleetProxy
from txvaurien.workers.memory import Memory
from txvaurien.workers.serving import WorkerProxy


def registry() -> Registry:
    """A few real classes."""
    return Registry(
        protocols={"tcp": Tcp},
        behaviors={each.name: each for each in (Abort, Dummy, Delay, Error, Transient)},
        toxics={each.name: each for each in (Latency, Bandwidth)},
    )


class FakeProcess:
    """What Twisted gives to a ProcessProtocol. It remembers what the process was told.

    :param descriptors: what the process would have.
    """

    def __init__(self, protocol: Any, descriptors: Mapping[int, Any], pid: int) -> None:
        self.protocol = protocol
        self.pid: int | None = pid
        self.signals: list[str] = []
        self.told: list[wire.Order] = []
        self.clients = socket.socket(fileno=os.dup(descriptors[wire.CLIENTS]))
        self.clients.setblocking(False)
        self._lines = wire.Lines()

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        """The master says something."""
        assert descriptor == wire.ORDERS
        for line in self._lines.feed(data):
            order = wire.order(line)
            self.told.append(order)
            self.obey(order)

    def obey(self, order: wire.Order) -> None:
        """Do nothing."""

    def signalProcess(self, name: str) -> None:
        """The master sends a signal."""
        self.signals.append(name)

    def say(self, *said: wire.Report) -> None:
        """The process says something, which arrives in pieces."""
        data = b"".join(wire.encode(each) for each in said)
        self.protocol.childDataReceived(wire.REPORTS, data[:5])
        self.protocol.childDataReceived(wire.REPORTS, data[5:])

    def end(self, signal: int | None = None) -> None:
        """The process is gone."""
        self.clients.close()
        for descriptor in (wire.ORDERS, wire.REPORTS):
            self.protocol.childConnectionLost(descriptor)
        self.pid = None
        ended = ProcessTerminated(signal=signal) if signal else ProcessDone(0)
        self.protocol.processEnded(Failure(ended))

    def receive(self) -> list[tuple[int, socket.socket]]:
        """The clients that have been handed over: the numbers of their links, and their sockets."""
        found: list[tuple[int, socket.socket]] = []
        while True:
            try:
                said, [descriptor], _, _ = socket.recv_fds(self.clients, wire.CLIENT.size, 1)
            except BlockingIOError:
                return found
            found.append((wire.CLIENT.unpack(said)[0], socket.socket(fileno=descriptor)))


class LivelyProcess(FakeProcess):
    """Has the proxy of a worker, in the same process and on the same clock."""

    def __init__(self, protocol: Any, descriptors: Mapping[int, Any], pid: int, reactor: Any) -> None:
        super().__init__(protocol, descriptors, pid)
        self._reactor = reactor
        self._memory = Memory(os.dup(descriptors[wire.MEMORY]))
        self.proxy: WorkerProxy
        #: It answers nothing for now.
        self.silent = False
        self._unanswered: list[wire.Done] = []

    def obey(self, order: wire.Order) -> None:
        """Do it, as a worker does."""
        if isinstance(order, wire.Begin):
            self.proxy = WorkerProxy(order, self._memory, self._reactor)
            self.proxy.observers.append(self._tell)
            self.say(wire.Ready())
        elif isinstance(order, wire.Stop):
            self._reactor.callLater(0, self.end)
        else:
            done = self.proxy.obey(order)
            if done is not None:
                self._unanswered.append(done)
                self.answer()

    def answer(self) -> None:
        """Say what has been done."""
        while self._unanswered and not self.silent:
            self.say(self._unanswered.pop(0))

    def _tell(self, event: str, link: int, fields: dict[str, Any]) -> None:
        if link:
            self.say(wire.report(wire.encode_event(event, link, fields)))

    def end(self, signal: int | None = None) -> None:
        """The process is gone, and so is its memory."""
        super().end(signal)
        self._memory.close()


class Processes(MemoryReactorClock):
    """A reactor that starts no process.

    :param lively: what it starts instead has the proxy of a worker.
    """

    def __init__(self, *, lively: bool = False) -> None:
        super().__init__()
        self._lively = lively
        #: Everything that was started, in that order.
        self.started: list[Any] = []

    def spawnProcess(
        self, protocol: Any, executable: str, args: list[str], env: Any, childFDs: Mapping[int, Any]
    ) -> FakeProcess:
        """Begin what stands in for a process."""
        pid = 1000 + len(self.started)
        process = (
            LivelyProcess(protocol, childFDs, pid, self)
            if self._lively
            else FakeProcess(protocol, childFDs, pid)
        )
        self.started.append(process)
        protocol.makeConnection(process)
        return process

    def adoptStreamConnection(self, descriptor: int, family: int, factory: Any) -> None:
        """A worker serves a client: there is a protocol, and no transport."""
        raise OSError("no sockets here")


def fleet(reactor: Processes, plan: Plan | None = None, workers: int = 2, **options: Any) -> FleetProxy:
    """A proxy of several processes, which have been started."""
    made = FleetProxy(
        "localhost:6379",
        Tcp(),
        plan or Plan(seed=7),
        reactor=reactor,
        registry=registry(),
        workers=workers,
        **options,
    )
    made.start()
    return made
