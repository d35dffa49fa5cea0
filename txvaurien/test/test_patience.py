"""How long a backend may be silent."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.model import Exchange, Frame, Message
from txvaurien.patience import Patience

LIMIT = 10.0


class PatienceTests(SynchronousTestCase):
    """Time counts where the backend owes an answer, and only there."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.given_up: list[Exchange] = []
        self.patience = Patience(self.clock, LIMIT, self.give_up)

    def ask(self, replies: bool = True) -> Exchange:
        """The backend is given a request."""
        exchange = Exchange(Message(), replies=replies)
        self.patience.asked(Frame(b"?", exchange))
        return exchange

    def reply(self, exchange: Exchange, first: bool = True, last: bool = True) -> None:
        """The backend says a part of a reply."""
        self.patience.heard(Frame(b"!", exchange, first, last))

    def give_up(self, exchange: Exchange) -> bool:
        """That was the end."""
        self.given_up.append(exchange)
        return True

    def test_silent(self) -> None:
        """It is told of the exchange, once, when the time is up and not before."""
        exchange = self.ask()
        self.clock.advance(LIMIT - 1)
        self.assertEqual(self.given_up, [])
        self.clock.advance(1)
        self.assertEqual(self.given_up, [exchange])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answered(self) -> None:
        """Nothing is owed after the answer."""
        self.reply(self.ask())
        self.clock.pump([1.0] * 50)
        self.assertEqual((self.given_up, self.clock.getDelayedCalls()), ([], []))

    def test_an_answer_may_take_its_time(self) -> None:
        """Once it has begun, a reply may stall, and what comes after it waits."""
        first, second = self.ask(), self.ask()
        self.reply(first, last=False)
        self.clock.pump([1.0] * 100)
        self.assertEqual(self.given_up, [])
        self.reply(first, first=False)
        self.clock.pump([1.0] * 9)
        self.assertEqual(self.given_up, [])
        self.clock.pump([1.0] * 2)
        self.assertEqual(self.given_up, [second])

    def test_unfinished_requests(self) -> None:
        """The backend owes nothing for a request that it does not have, or that has no reply."""
        exchange = Exchange(Message())
        self.patience.asked(Frame(b"?", exchange, last=False))
        self.ask(replies=False)
        self.clock.pump([1.0] * 50)
        self.assertEqual(self.given_up, [])

    def test_answered_before_it_was_asked_in_full(self) -> None:
        """An early answer is an answer."""
        exchange = Exchange(Message())
        self.patience.asked(Frame(b"?", exchange, last=False))
        exchange.response = Message()
        self.reply(exchange)
        self.patience.asked(Frame(b"?", exchange, first=False))
        self.clock.pump([1.0] * 50)
        self.assertEqual(self.given_up, [])

    def test_answers_left_out(self) -> None:
        """An answer to a later request settles the earlier ones: they will get none."""
        self.ask()
        self.reply(self.ask())
        self.clock.pump([1.0] * 50)
        self.assertEqual(self.given_up, [])

    def test_others_are_watched_on(self) -> None:
        """After one was given up, the next is watched."""
        first, second = self.ask(), self.ask()
        self.clock.pump([1.0] * 21)
        self.assertEqual(self.given_up, [first, second])

    def test_stop(self) -> None:
        """Nothing is left behind."""
        self.ask()
        self.patience.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(LIMIT)
        self.assertEqual(self.given_up, [])
