"""The worker processes, as the master sees them: started, told, asked, started again, and ended."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from txvaurien.workers import wire
from txvaurien.workers.memory import Memory

#: How long a worker may take to answer, in seconds, before it is ended and another one started.
ANSWER_LIMIT = 10.0

#: The same for one that is starting.
START_LIMIT = 30.0

#: How long a worker may take to end, in seconds.
STOP_LIMIT = 2.0

#: A worker that ends sooner than this after its start is not started again at once, in seconds.
SHORT_LIFE = 1.0

#: The first and the longest pause before another one is started, in seconds; each is twice the one before.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

#: What a worker runs. It finds what the master finds, in the same order.
_PROGRAM = """
import sys
sys.path[:] = sys.argv[1:]
from txvaurien.process.collecting import collect_later
collect_later()
from txvaurien.workers.worker import main
main()
"""


class Master(Protocol):
    """Whose workers they are."""

    def begin(self, number: int) -> wire.Begin:
        """What a worker is told first."""

    def reported(self, worker: Worker, said: wire.Report) -> None:
        """A worker said something."""

    def died(self, worker: Worker, why: str) -> None:
        """A worker has ended, and nobody had asked it to."""


class Worker(ProcessProtocol):
    """One worker process.

    :param number: from 0; the one that takes its place when it dies has the same.
    :ivar links: the numbers of the links that it has.
    """

    def __init__(self, number: int, crew: Crew) -> None:
        self.number = number
        self.links: set[int] = set()
        self.ready = False
        self.started = crew.reactor.seconds()
        self._crew = crew
        self._lines = wire.Lines()
        self._open = True
        self._killed = False
        self._asked: dict[int, tuple[Deferred[wire.Done | None], IDelayedCall]] = {}
        #: Datagrams, each with the socket of a client.
        self._clients: socket.socket | None = None
        self.ended: Deferred[None] = Deferred()

    @property
    def pid(self) -> int:
        """Its process id."""
        pid: int = self._process.pid
        return pid

    @property
    def _process(self) -> Any:
        return self.transport

    def spawn(self, memory: Memory) -> None:
        """Start the process."""
        self._clients, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._clients.setblocking(False)
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            self._crew.reactor.spawnProcess(
                self,
                sys.executable,
                [sys.executable, "-c", _PROGRAM, *_search_path()],
                env=None,
                childFDs={
                    0: nothing,
                    1: 1,
                    2: 2,
                    wire.ORDERS: "w",
                    wire.REPORTS: "r",
                    wire.CLIENTS: theirs.fileno(),
                    wire.MEMORY: memory.descriptor,
                },
            )
        finally:
            os.close(nothing)
            theirs.close()

    def tell(self, line: bytes) -> None:
        """Have it do something: one line, as `wire.encode` makes it."""
        if self._open:
            self._process.writeToChild(wire.ORDERS, line)

    def ask(self, sync: wire.Sync) -> Deferred[wire.Done | None]:
        """Fires when all that it was told before has taken effect, with None if it has ended."""
        answer: Deferred[wire.Done | None] = Deferred()
        limit = ANSWER_LIMIT if self.ready else START_LIMIT
        call = self._crew.reactor.callLater(limit, self._silent, limit)
        self._asked[sync.number] = answer, call
        self.tell(wire.encode(sync))
        return answer

    def take(self, number: int, client: socket.socket) -> bool:
        """Give it a client. False if that is not possible now; else the socket is closed here."""
        assert self._clients is not None
        try:
            socket.send_fds(self._clients, [wire.CLIENT.pack(number, client.family)], [client.fileno()])
        except OSError:
            # Its queue is full, or it has just ended.
            return False
        self.links.add(number)
        client.close()
        return True

    def kill(self) -> None:
        """End it by force."""
        if self._process.pid is not None:
            self._killed = True
            self._process.signalProcess("KILL")

    def _silent(self, seconds: float) -> None:
        if self._killed:
            return
        self._crew.log.error(
            "worker {number} (process {pid}) has not answered for {seconds:g} seconds, and is ended",
            number=self.number,
            pid=self.pid,
            seconds=seconds,
        )
        self.kill()

    # What Twisted says of the process.

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """It said something."""
        for line in self._lines.feed(data):
            said = wire.report(line)
            if isinstance(said, wire.Done):
                answer, call = self._asked.pop(said.number)
                call.cancel()
                answer.callback(said)
            else:
                self._crew.master.reported(self, said)

    def childConnectionLost(self, childFD: int) -> None:
        """Without its pipes it is of no use."""
        self._open = False
        if not self._crew.stopping:
            self.kill()

    def processEnded(self, reason: Failure) -> None:
        """It is gone, and all that it said has been received."""
        self.ready = self._open = False
        if self._clients is not None:
            self._clients.close()
        # First, so that whoever is answered now and asks again does not ask the dead.
        self._crew.ended(self, _why(reason))
        asked, self._asked = self._asked, {}
        for answer, call in asked.values():
            if call.active():
                call.cancel()
            answer.callback(None)
        self.ended.callback(None)


class Crew:
    """All workers of one proxy.

    :param reactor: provides IReactorProcess and IReactorTime.
    """

    log = Logger()

    def __init__(self, reactor: Any, count: int, memory: Memory, master: Master) -> None:
        self.reactor = reactor
        self.master = master
        self.stopping = False
        #: Those that run now.
        self.workers: dict[int, Worker] = {}
        self._count = count
        self._memory = memory
        self._asked = 0
        self._short_lives: dict[int, int] = {}
        self._pauses: dict[int, IDelayedCall] = {}

    def start(self) -> None:
        """Start all."""
        if not self.stopping:
            for number in range(self._count):
                self._start(number)

    def _start(self, number: int) -> None:
        self._pauses.pop(number, None)
        self._memory.forget_faults(number)
        worker = Worker(number, self)
        worker.spawn(self._memory)
        self.workers[number] = worker
        worker.tell(wire.encode(self.master.begin(number)))

    def pick(self) -> Iterable[Worker]:
        """Those that can serve clients, the one with the fewest links first."""
        ready = [each for each in self.workers.values() if each.ready]
        return sorted(ready, key=lambda each: len(each.links))

    def tell(self, order: wire.Order) -> None:
        """Have all of them do something."""
        line = wire.encode(order)
        for worker in self.workers.values():
            worker.tell(line)

    async def ask(
        self, *, links: bool = False, link: int | None = None, figures: bool = False
    ) -> list[wire.Done]:
        """Returns when all has taken effect that was told before, in every worker that is not dead."""
        self._asked += 1
        sync = wire.Sync(self._asked, links, link, figures)
        asked = list(self.workers.values())
        # Whoever waits may give up, and then nobody wants to know of the others.
        answers = await gatherResults([worker.ask(sync) for worker in asked], consumeErrors=True)
        # One may have answered, and died before the others did.
        running = [self.workers.get(worker.number) is worker for worker in asked]
        return [each for each, runs in zip(answers, running, strict=True) if each is not None and runs]

    def ended(self, worker: Worker, why: str) -> None:
        """A worker is gone. Another one takes its place."""
        del self.workers[worker.number]
        self._memory.forget_faults(worker.number)
        if self.stopping:
            return
        self.master.died(worker, why)
        pause = self._pause_after(worker)
        if pause:
            self._pauses[worker.number] = self.reactor.callLater(pause, self._start, worker.number)
        else:
            self._start(worker.number)

    def _pause_after(self, worker: Worker) -> float:
        if self.reactor.seconds() - worker.started >= SHORT_LIFE:
            self._short_lives.pop(worker.number, None)
            return 0.0
        lives = self._short_lives[worker.number] = self._short_lives.get(worker.number, 0) + 1
        return min(FIRST_PAUSE * 2.0 ** (lives - 1), LONGEST_PAUSE)

    async def stop(self) -> None:
        """End all; returns when they are gone, which takes a bounded time."""
        self.stopping = True
        for call in self._pauses.values():
            call.cancel()
        self._pauses.clear()
        running = list(self.workers.values())
        self.tell(wire.Stop())
        limit = self.reactor.callLater(STOP_LIMIT, self._kill_all)
        await gatherResults([worker.ended for worker in running])
        if limit.active():
            limit.cancel()

    def _kill_all(self) -> None:
        for worker in list(self.workers.values()):
            self.log.warn("worker {number} does not end, and is killed", number=worker.number)
            worker.kill()


def _search_path() -> list[str]:
    """Where this process looks for modules; what is relative would mean something else elsewhere."""
    return [os.path.abspath(each) for each in sys.path]


def _why(reason: Failure) -> str:
    value: Any = reason.value
    if getattr(value, "signal", None) is not None:
        return f"signal {value.signal}"
    return f"exit status {getattr(value, 'exitCode', 0)}"
