"""A worker process: the links that it was handed, and what the master tells it to do."""

from __future__ import annotations

import errno
import os
import signal
import socket
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    globalLogBeginner,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from txvaurien.net.descriptors import exhausted
from txvaurien.process.collecting import collect_rarely
from txvaurien.workers import wire
from txvaurien.workers.handing import ClientReader
from txvaurien.workers.memory import Memory
from txvaurien.workers.serving import WorkerProxy


class Reporter:
    """Says things to the master. Of events it says less when they are not taken fast enough.

    Registered as the producer of its own pipe, it is told when that is full.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._full = False
        self._dropped = 0
        transport.registerProducer(self, True)

    def say(self, said: wire.Report) -> None:
        """One thing."""
        self._transport.write(wire.encode(said))

    def event(self, event: str, link: int, fields: dict[str, Any]) -> None:
        """What a link did. What concerns none, the master tells of itself."""
        if not link:
            return
        # The master counts the links that are left.
        if self._full and event not in wire.ENDS:
            self._dropped += 1
        else:
            self._transport.write(wire.encode_event(event, link, fields))

    def pauseProducing(self) -> None:
        """The master does not take what it is told."""
        self._full = True

    def resumeProducing(self) -> None:
        """It does again."""
        self._full = False
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.say(wire.Dropped(dropped))

    def stopProducing(self) -> None:
        """The master is gone."""
        self._full = True

    def close(self) -> None:
        """Say what has not been said yet, and nothing more."""
        self._transport.unregisterProducer()
        self._transport.loseConnection()


class Duty(Protocol):
    """Does what the master says, and ends the process when the master is gone.

    :param reactor: runs, or will.
    :param clients: the socket that clients are handed over.
    """

    log = Logger()

    def __init__(self, reactor: Any, clients: socket.socket, memory: Memory) -> None:
        self._reactor = reactor
        self._memory = memory
        self._lines = wire.Lines()
        self._clients: Any = ClientReader(reactor, clients, self._serve)
        self._proxy: WorkerProxy | None = None
        self._reporter: Reporter
        self._ending: Deferred[None] | None = None
        self._said_all: Deferred[None] = Deferred()
        self._predicate = LogLevelFilterPredicate()

    def connectionMade(self) -> None:
        """The pipes are there."""
        self._reporter = Reporter(self.transport)
        observer = FilteringLogObserver(LogSender(self._reporter), [self._predicate])
        globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._end)

    def dataReceived(self, data: bytes) -> None:
        """Orders."""
        for line in self._lines.feed(data):
            if self._ending is None:
                try:
                    self._obey(wire.order(line))
                except Exception:
                    # Better another worker than one that does not do what the others do.
                    self.log.failure("a worker cannot do what it was told")
                    self._reactor.stop()
                    return

    def _obey(self, order: wire.Order) -> None:
        if isinstance(order, wire.Begin):
            self._begin(order)
        elif isinstance(order, wire.Stop):
            self._reactor.stop()
        else:
            assert self._proxy is not None
            # Clients that came before are meant, too.
            self._clients.drain()
            done = self._proxy.obey(order)
            if done is not None:
                self._reporter.say(done)

    def _begin(self, order: wire.Begin) -> None:
        self._predicate.defaultLogLevel = LogLevel.levelWithName(order.log_level)
        self._proxy = WorkerProxy(order, self._memory, self._reactor)
        self._proxy.observers.append(self._reporter.event)
        self._clients.startReading()
        self._reporter.say(wire.Ready())

    def _serve(self, number: int, client: socket.socket | None) -> None:
        assert self._proxy is not None
        if client is None:
            self.log.error("a client is lost: {why}", why=exhausted(OSError(errno.EMFILE, "")))
        elif self._proxy.serve(number, client):
            return
        else:
            client.close()
        self._reporter.say(wire.Gone(number))

    def _end(self) -> Deferred[None]:
        """End all links; fires when the master has been told of that."""
        self._ending = ensureDeferred(self._stop())
        return self._ending

    async def _stop(self) -> None:
        self._clients.stopReading()
        if self._proxy is not None:
            await self._proxy.stop()
        self._reporter.close()
        await self._said_all

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """All has been said; or the master is gone."""
        self._said_all.callback(None)
        if self._ending is None:
            self._reactor.stop()


@implementer(ILogObserver)
class LogSender:
    """Has the master log what this process logs."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def __call__(self, event: LogEvent) -> None:
        """One event."""
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        level = getattr(event.get("log_level"), "name", "info")
        namespace = str(event.get("log_namespace", "-"))
        self._reporter.say(wire.Logged(level, namespace, text.encode(errors="backslashreplace").decode()))


def main() -> None:
    """Serve until the master says stop, or is gone."""
    # Ctrl-C in a terminal is for all processes; it is the master who ends the others. Its panic
    # stop is not for us, either, nor is what it does at SIGHUP.
    for each in (signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    from twisted.internet import reactor

    clients = socket.socket(fileno=wire.CLIENTS)
    pipes: Any = StandardIO
    pipes(Duty(reactor, clients, Memory(wire.MEMORY)), wire.ORDERS, wire.REPORTS, reactor)
    for descriptor in (wire.ORDERS, wire.REPORTS, wire.CLIENTS, wire.MEMORY):
        os.set_inheritable(descriptor, False)
    collect_rarely()
    running: Any = reactor
    running.run()
