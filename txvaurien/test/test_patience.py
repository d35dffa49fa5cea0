"""How long a backend may be silent."""

from __future__ import annotations

from collections import deque

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.links.patience import Patience
from txvaurien.model import Exchange, Frame, Message
from txvaurien.net.pipe import Pipe
from txvaurien.net.transportpipe import TransportPipe
from txvaurien.test.memory import MemoryTransport

LIMIT = 10.0


class Backend(TransportPipe):
    """A connection of which the test says what its peer has not taken."""

    left = 0

    def unsent(self) -> int:
        return self.left


class Owner:
    """A link, and its intake: whose reply comes next, and what became of it."""

    def __init__(self, clock: MemoryReactorClock) -> None:
        self.connection = Backend(MemoryTransport(clock), clock, self, self, None)
        self.backend: Pipe | None = self.connection
        self.queue: deque[Exchange] = deque()
        self.deaf = False
        self.given_up: list[Exchange] = []

    def awaited(self) -> Exchange | None:
        return self.queue[0] if self.queue and not self.deaf else None

    def give_up(self, exchange: Exchange) -> None:
        self.given_up.append(exchange)

    def pipe_full(self, pipe: Pipe) -> None:
        """The test knows."""

    pipe_room = pipe_broken = pipe_finished = pipe_full

    def pipe_lost(self, pipe: Pipe, reset: bool) -> None:
        """The test knows."""

    def pipe_hung_up(self, pipe: Pipe) -> bool:
        """The test knows."""
        return False

    def take(self, lane: object, data: bytes) -> None:
        """Nothing comes."""

    def splices_to(self, lane: object) -> None:
        """Nothing comes."""

    def spliced(self, lane: object, count: int) -> None:
        """Nothing comes."""


class PatienceCase(SynchronousTestCase):
    """A link whose backend is watched."""

    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.owner = Owner(self.clock)
        self.patience = Patience(self.clock, LIMIT, self.owner)

    def ask(self, exchange: Exchange | None = None, first: bool = True, last: bool = True) -> Exchange:
        """The backend is given a part of a request."""
        exchange = exchange or Exchange(Message())
        if first:
            self.owner.queue.append(exchange)
        self.patience.asked(Frame(b"?", exchange, first, last))
        return exchange

    def reply(self, exchange: Exchange, first: bool = True, last: bool = True) -> None:
        """The backend says a part of a reply."""
        self.patience.heard(Frame(b"!", exchange, first, last))
        if last and not exchange.unasked:
            self.owner.queue.remove(exchange)

    def interim(self) -> None:
        """The backend says that the answer will come."""
        self.reply(Exchange(response=Message()))

    def wait(self, seconds: float, *given_up: Exchange) -> None:
        """After so long, these were given up, and none before the last moment."""
        self.clock.pump([0.5] * int(2 * seconds - 1))
        self.assertEqual(self.owner.given_up, [])
        self.clock.advance(0.5)
        self.assertEqual(self.owner.given_up, list(given_up))

    def forgiven(self) -> None:
        """However long it takes, nothing is given up."""
        self.wait(5 * LIMIT)


class AnswerTests(PatienceCase):
    """Time counts where the backend owes an answer, and only there."""

    def test_silent(self) -> None:
        """It is told of the exchange, once, when the time is up and not before."""
        self.wait(LIMIT, self.ask())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answered(self) -> None:
        """Nothing is owed after the answer, and nobody looks any more."""
        self.reply(self.ask())
        self.forgiven()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_answer_may_take_its_time(self) -> None:
        """Once it has begun, a reply may stall, and what comes after it waits."""
        first, second = self.ask(), self.ask()
        self.reply(first, last=False)
        self.forgiven()
        self.reply(first, first=False)
        self.wait(LIMIT, second)

    def test_promised(self) -> None:
        """Who says that the answer will come has the whole time again."""
        exchange = self.ask()
        self.wait(LIMIT - 1)
        self.interim()
        self.wait(LIMIT, exchange)

    def test_no_answer_is_due(self) -> None:
        """What has no reply is not waited for."""
        self.patience.asked(Frame(b"?", Exchange(Message(), replies=False)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answered_before_it_was_asked_in_full(self) -> None:
        """An early answer is an answer."""
        exchange = self.ask(last=False)
        self.reply(exchange)
        self.ask(exchange, first=False)
        self.forgiven()

    def test_answers_left_out(self) -> None:
        """An answer to a later request settles the earlier ones: they will get none."""
        left_out = self.ask()
        self.reply(self.ask())
        self.owner.queue.remove(left_out)
        self.forgiven()

    def test_answered_by_somebody_else(self) -> None:
        """The client has its answer, and waits for the next: that one is what counts."""
        self.ask()
        self.owner.queue.clear()
        self.wait(LIMIT - 1)
        self.wait(LIMIT, self.ask())

    def test_unheard(self) -> None:
        """Time does not count while no answer could be heard, and begins anew afterwards."""
        exchange = self.ask()
        self.owner.deaf = True
        self.forgiven()
        self.owner.deaf = False
        self.patience.moved()
        self.wait(LIMIT, exchange)

    def test_stop(self) -> None:
        """Nothing is left behind."""
        self.ask()
        self.patience.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.forgiven()


class RequestTests(PatienceCase):
    """The backend may also be silent before it has the whole request."""

    def test_slow_client(self) -> None:
        """As long as the client has something to say, the backend owes nothing."""
        exchange = self.ask(last=False)
        self.forgiven()
        self.ask(exchange, first=False)
        self.wait(LIMIT, exchange)

    def test_not_told_to_go_on(self) -> None:
        """A client that holds its body back waits for the backend."""
        self.wait(LIMIT, self.ask(Exchange(Message(), prompt=True), last=False))

    def test_goes_on_untold(self) -> None:
        """When the client sends its body all the same, it is the client's turn."""
        exchange = self.ask(Exchange(Message(), prompt=True), last=False)
        self.wait(LIMIT - 1)
        exchange.prompt = False
        self.ask(exchange, first=False, last=False)
        self.forgiven()

    def test_told_to_go_on(self) -> None:
        """When the client was told, it is its turn; at the end it is the backend's again."""
        exchange = self.ask(Exchange(Message(), prompt=True), last=False)
        self.wait(LIMIT - 1)
        exchange.prompt = False
        self.interim()
        self.forgiven()
        self.ask(exchange, first=False)
        self.wait(LIMIT, exchange)

    def test_takes_nothing(self) -> None:
        """What waits to be sent is up to the backend."""
        exchange = self.ask(last=False)
        self.owner.connection.full = True
        self.owner.connection.left = 70_000
        self.wait(LIMIT, exchange)

    def test_takes_nothing_in_the_middle_of_a_reply(self) -> None:
        """A backend that speaks need not listen."""
        first = self.ask()
        self.reply(first, last=False)
        second = self.ask(last=False)
        self.owner.connection.full = True
        self.forgiven()
        self.reply(first, first=False)
        self.wait(LIMIT, second)

    def test_takes_it_bit_by_bit(self) -> None:
        """As long as it takes something, it may take as long as it likes: also of a whole request."""
        for last in (False, True):
            exchange = self.ask(last=last)
            self.owner.connection.full = not last
            for left in range(100, 0, -1):
                self.owner.connection.left = left
                self.wait(LIMIT / 2)
            self.reply(exchange)

    def test_takes_all_of_it(self) -> None:
        """When there is room again, the time begins anew."""
        exchange = self.ask(last=False)
        self.owner.connection.full = True
        self.wait(LIMIT - 1)
        self.ask(exchange, first=False)
        self.owner.connection.full = False
        self.patience.moved()
        self.wait(LIMIT, exchange)

    def test_no_connection(self) -> None:
        """A backend that is gone is not looked at, and what it owes is owed."""
        exchange = self.ask()
        self.owner.backend = None
        self.wait(LIMIT, exchange)
