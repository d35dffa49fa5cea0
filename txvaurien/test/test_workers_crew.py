"""The worker processes, as the master sees them."""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.test.workers_memory import FakeProcess, Processes
from txvaurien.workers import wire
from txvaurien.workers.crew import (
    ANSWER_LIMIT,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    SHORT_LIFE,
    START_LIMIT,
    STOP_LIMIT,
    Crew,
    Worker,
)
from txvaurien.workers.memory import Memory


class FakeMaster:
    """Remembers what it hears of its workers."""

    def __init__(self) -> None:
        self.said: list[tuple[int, wire.Report]] = []
        self.dead: list[tuple[int, str]] = []

    def begin(self, number: int) -> wire.Begin:
        """What a worker is told first."""
        plan = wire.SetPlan(1, [], [], [])
        return wire.Begin(number, "proxy", {}, "tcp", {}, "localhost:1", {}, "info", plan, [])

    def reported(self, worker: Worker, said: wire.Report) -> None:
        """A worker said something."""
        self.said.append((worker.number, said))
        if isinstance(said, wire.Ready):
            worker.ready = True

    def died(self, worker: Worker, why: str) -> None:
        """A worker is dead."""
        self.dead.append((worker.number, why))


class CrewCase(SynchronousTestCase):
    """Two workers."""

    def setUp(self) -> None:
        self.memory = Memory.create()
        self.addCleanup(self.memory.close)
        self.reactor = Processes()
        self.master = FakeMaster()
        self.crew = Crew(self.reactor, 2, self.memory, self.master)
        self.crew.start()
        self.addCleanup(self.end_all)

    def end_all(self) -> None:
        """End what still runs."""
        self.crew.stopping = True
        for each in self.running():
            each.end()

    def running(self) -> list[FakeProcess]:
        """The processes that run."""
        return [each for each in self.reactor.started if each.pid is not None]

    def ask(self) -> Deferred[list[wire.Done]]:
        """Ask all whether they are done."""
        return ensureDeferred(self.crew.ask())

    def number_asked(self, process: FakeProcess) -> int:
        """The number of the last question."""
        last = process.told[-1]
        assert isinstance(last, wire.Sync)
        return last.number


class StartTests(CrewCase):
    """Starting and starting again."""

    def test_begin(self) -> None:
        """Each is told first what it has to know."""
        numbers = [
            order.worker for each in self.running() for order in each.told if isinstance(order, wire.Begin)
        ]
        self.assertEqual(numbers, [0, 1])

    def test_again(self) -> None:
        """One that dies after a while is replaced at once, by one of the same number."""
        self.reactor.advance(SHORT_LIFE)
        self.running()[1].end(signal=9)
        self.assertEqual(self.master.dead, [(1, "signal 9")])
        self.assertEqual([order.worker for order in self.reactor.started[2].told], [1])

    def test_pauses(self) -> None:
        """Those that die as soon as they are started are replaced less and less often."""
        pause = FIRST_PAUSE
        for _ in range(10):
            self.running()[-1].end()
            count = len(self.reactor.started)
            self.reactor.advance(pause * 0.99)
            self.assertEqual(len(self.reactor.started), count)
            self.reactor.advance(pause * 0.02)
            self.assertEqual(len(self.reactor.started), count + 1)
            pause = min(2 * pause, LONGEST_PAUSE)

    def test_faults_of_the_dead(self) -> None:
        """What a dead worker did to links is done no longer, and counts against no cap."""
        self.memory.words[self.memory.row(1) + 15] = 4
        self.assertEqual(self.memory.faults(), 4)
        self.running()[1].end()
        self.assertEqual(self.memory.faults(), 0)

    def test_broken_pipe(self) -> None:
        """One that closes its pipes and goes on is killed: it can do nothing for anybody."""
        process = self.running()[0]
        process.protocol.childConnectionLost(wire.REPORTS)
        self.assertEqual(process.signals, ["KILL"])
        self.crew.tell(wire.Expire(1))
        self.assertNotIn(wire.Expire(1), process.told)


class AskTests(CrewCase):
    """Waiting for what was said to be done."""

    def test_all(self) -> None:
        """It is done when the last one says so."""
        asked = self.ask()
        one, other = self.running()
        one.say(wire.Done(self.number_asked(one)))
        self.assertNoResult(asked)
        other.say(wire.Ready(), wire.Done(self.number_asked(other), [{"id": 3}]))
        self.assertEqual([done.links for done in self.successResultOf(asked)], [[], [{"id": 3}]])
        self.assertEqual(self.master.said, [(1, wire.Ready())])

    def test_order(self) -> None:
        """What was told before comes before the question."""
        self.crew.tell(wire.Expire(1))
        self.ask()
        for each in self.running():
            self.assertEqual([type(order) for order in each.told[-2:]], [wire.Expire, wire.Sync])

    def test_death(self) -> None:
        """Nobody waits for the dead, and the others' answers count."""
        asked = self.ask()
        one, other = self.running()
        one.end(signal=9)
        other.say(wire.Done(self.number_asked(other)))
        self.assertEqual(len(self.successResultOf(asked)), 1)

    def test_asking_again(self) -> None:
        """Whoever is answered because a worker died may ask again at once."""
        again: list[Deferred[list[wire.Done]]] = []
        self.ask().addCallback(lambda _: again.append(self.ask()))
        one, other = self.running()
        other.say(wire.Done(self.number_asked(other)))
        one.end(signal=9)
        other.say(wire.Done(self.number_asked(other)))
        self.assertEqual(len(self.successResultOf(again[0])), 1)

    def test_silence(self) -> None:
        """One that does not answer is killed, and then there is another: nobody waits for ever."""
        one, other = self.running()
        one.say(wire.Ready())
        asked = self.ask()
        other.say(wire.Done(self.number_asked(other)))
        with capturedLogs() as events:
            self.reactor.advance(ANSWER_LIMIT)
        self.assertIn("has not answered for 10 seconds", "".join(map(str, map(formatEvent, events))))
        self.assertEqual(one.signals, ["KILL"])
        one.end(signal=9)
        self.successResultOf(asked)

    def test_slow_start(self) -> None:
        """One that is starting has more time."""
        self.ask()
        self.reactor.advance(START_LIMIT - 1)
        self.assertEqual([each.signals for each in self.running()], [[], []])
        self.reactor.advance(1)
        self.assertEqual([each.signals for each in self.running()], [["KILL"], ["KILL"]])

    def test_cancelled(self) -> None:
        """Whoever asked may go away; the answer that comes then is no error."""
        asked = self.ask()
        asked.cancel()
        self.failureResultOf(asked)
        for each in self.running():
            each.say(wire.Done(self.number_asked(each)))
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class TakeTests(CrewCase):
    """Handing clients over."""

    def test_take(self) -> None:
        """The worker has the socket and its number, and the master has it no longer."""
        process = self.running()[0]
        client = socket.socket()
        worker = self.crew.workers[0]
        self.assertTrue(worker.take(7, client))
        self.assertEqual((client.fileno(), worker.links), (-1, {7}))
        [(number, arrived)] = process.receive()
        self.assertEqual(number, 7)
        arrived.close()

    def test_full(self) -> None:
        """When its queue is full it takes no more, and the master still has the socket."""
        worker = self.crew.workers[0]
        with socket.socket() as client:
            number = 0
            while worker.take(number, client.dup()):
                number += 1
                self.assertLess(number, 100_000)
            last = client.dup()
            self.assertFalse(worker.take(number, last))
            self.assertNotEqual(last.fileno(), -1)
            last.close()
        self.assertNotIn(number, worker.links)

    def test_pick(self) -> None:
        """Only those that are ready, the one with the fewest links first."""
        self.assertEqual(list(self.crew.pick()), [])
        for each in self.running():
            each.say(wire.Ready())
        self.crew.workers[0].links |= {1, 2}
        self.crew.workers[1].links |= {3}
        self.assertEqual([worker.number for worker in self.crew.pick()], [1, 0])


class StopTests(CrewCase):
    """The end."""

    def test_stop(self) -> None:
        """All are told, and it is over when all are gone; nobody is replaced."""
        stopped = ensureDeferred(self.crew.stop())
        one, other = self.running()
        self.assertEqual([each.told[-1] for each in (one, other)], [wire.Stop(), wire.Stop()])
        one.end()
        self.assertNoResult(stopped)
        other.end()
        self.successResultOf(stopped)
        self.assertEqual((self.master.dead, self.reactor.getDelayedCalls()), ([], []))

    def test_stubborn(self) -> None:
        """One that does not end is killed after a while."""
        stopped = ensureDeferred(self.crew.stop())
        one, other = self.running()
        one.end()
        self.reactor.advance(STOP_LIMIT)
        self.assertEqual(other.signals, ["KILL"])
        other.end(signal=9)
        self.successResultOf(stopped)

    def test_in_a_pause(self) -> None:
        """One that was to be started later is not started any more."""
        self.running()[0].end()
        stopped = ensureDeferred(self.crew.stop())
        self.running()[0].end()
        self.successResultOf(stopped)
        self.reactor.advance(LONGEST_PAUSE)
        self.assertEqual(len(self.reactor.started), 2)

    def test_before_the_start(self) -> None:
        """What was stopped before it was started does not start."""
        reactor = Processes()
        crew = Crew(reactor, 2, self.memory, self.master)
        self.successResultOf(ensureDeferred(crew.stop()))
        crew.start()
        self.assertEqual(reactor.started, [])
