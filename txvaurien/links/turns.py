"""The exchanges of one link: their numbers, their turns, and the rules that fired on them.

Replies go to the client in the order of the requests. What the proxy answers
itself waits until everything before it has been answered, and is never put
into the middle of a message that is on its way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from txvaurien.exchange import LiveExchange
from txvaurien.links.lane import End
from txvaurien.model import Exchange, Hook, Then
from txvaurien.plan import Verdict
from txvaurien.rules import Tallies

if TYPE_CHECKING:
    from txvaurien.link import Link

#: How many requests of one link may be unanswered before the client is read no further.
TURNS_LIMIT = 20_000

_NONE: frozenset[LiveExchange] = frozenset()


class Turns:
    """Whose turn it is. Works on behalf of one `Link`."""

    __slots__ = (
        "_later",
        "_link",
        "_tallies",
        "answering",
        "exchanges",
        "first",
        "foretold",
        "lives",
        "mid_message",
        "unasked",
    )

    def __init__(self, link: Link) -> None:
        self._link = link
        #: What the client waits for next; None if it waits for nothing.
        self.first: Exchange | None = None
        #: What it waits for after that, in the order of the requests; None for nothing.
        self._later: deque[Exchange] | None = None
        #: Exchanges that a rule fired on, until nothing more happens to them.
        self.lives: set[LiveExchange] | frozenset[LiveExchange] = _NONE
        self._tallies: Tallies | None = None
        #: Decided about, but not here yet (`Exchange.announces`).
        self.foretold: Exchange | None = None
        #: The session answers something itself that may not have had its turn yet.
        self.answering = False
        #: A message is half way out to the client: nothing may come between.
        self.mid_message = False
        self.exchanges = 0
        self.unasked = 0

    @property
    def tallies(self) -> Tallies:
        """What rules count on this link. They come and go; what was counted for them goes with them."""
        if self._tallies is None:
            self._tallies = WeakKeyDictionary()
        return self._tallies

    def __len__(self) -> int:
        """How many exchanges the client waits for."""
        return len(self._later or ()) + (self.first is not None)

    def __iter__(self) -> Iterator[Exchange]:
        if self.first is not None:
            yield self.first
            yield from self._later or ()

    def clear(self) -> None:
        """The client waits for nothing any more."""
        self.first = self._later = None

    def admit(self, exchange: Exchange) -> None:
        """The first frame of a request is here: give it its number and its turn."""
        if self.foretold is not None:
            self._forget_foretold(exchange)
        self.exchanges = exchange.number = self.exchanges + 1
        if not exchange.replies:
            return
        if self.first is None:
            self.first = exchange
            return
        self._end_open_turn()
        self._append(exchange)
        if self._later and len(self._later) >= TURNS_LIMIT and self._link.client is not None:
            self._link.client.pause("turns")

    def _forget_foretold(self, exchange: Exchange) -> None:
        """What was announced is here now, or will not come."""
        foretold, self.foretold = self.foretold, None
        if foretold is not None and foretold is not exchange and foretold.live is not None:
            self.retire(foretold.live)

    def _append(self, exchange: Exchange) -> None:
        if self.first is None:
            self.first = exchange
        elif self._later is None:
            self._later = deque((exchange,))
        else:
            self._later.append(exchange)

    def _next(self) -> Exchange:
        """Take the first exchange: its turn is over."""
        first = self.first
        assert first is not None
        if self._later is None:
            self.first = None
            return first
        self.first = self._later.popleft()
        left = len(self._later)
        if not left:
            self._later = None
        elif left == TURNS_LIMIT // 2 and self._link.client is not None:
            self._link.client.resume("turns")
        return first

    @property
    def ours(self) -> bool:
        """Whether anything that is said from here has still to have its turn."""
        if self.answering:
            self.answering = any(each.answer is not None for each in self)
        return self.answering or bool(self.lives)

    def owes_replies(self) -> bool:
        """Whether the backend still has to answer something that no rule holds."""
        return self.first is not None and (self.first.live is None or self.first.sent)

    def _end_open_turn(self) -> None:
        """The client speaks again: that ends a turn whose end nobody could see."""
        last = self._later[-1] if self._later else self.first
        if last is None or not last.open_ended:
            return
        if last.live is not None:
            last.live.response_ended()
        elif self._link.to_client.waiting:
            pass
        elif self._later is None:
            self.first = None
        else:
            self._later.pop()
            self._later = self._later or None

    def request_written(self, live: LiveExchange) -> None:
        """The last frame of a request has gone to the backend, or has been dropped."""
        live.request_complete = True
        if live.request_gone and live.exchange.replies:
            self.flush()
        elif live.request_gone and (live.answer or live.answer_then is not Then.KEEP):
            # It would not have been answered; what is said all the same has its turn.
            self._append(live.exchange)
            self.flush()
        elif live.request_gone:
            self.answer(live)
        elif not live.exchange.unasked:
            self.ask_between(live)
            if not live.exchange.replies and not live.busy:
                self._after(live)
        self.settle(live)

    def count_unasked(self, exchange: Exchange) -> None:
        """Give a number to what the server sends unasked."""
        self.unasked += 1
        exchange.number = self.unasked

    def is_turn_of(self, exchange: Exchange) -> bool:
        """Whether nothing that the proxy answers itself comes before this reply."""
        if exchange.unasked or self._link.opaque:
            return True
        while self.first is not None and self.first is not exchange and self.first.open_ended:
            self.reply_done(self.first)
        return self.first is None or self.first is exchange

    def reply_done(self, exchange: Exchange) -> None:
        """The last frame of a reply has been handled."""
        live = exchange.live
        if live is None:
            if self.first is exchange:
                self._next()
        else:
            self._live_reply_done(exchange, live)
        first = self.first
        if first is not None and (self.lives or first.answer is not None):
            self.flush()
        if self.lives and self._link.client_left:
            self._link.leave_if_waiting()

    def _live_reply_done(self, exchange: Exchange, live: LiveExchange) -> None:
        if self.first is exchange and not live.response_gone:
            self._next()
        live.response_ended()
        if live is self._link.lingering:
            self._link.hang_up(End.FIN)
        elif not live.response_gone:
            self._after(live)
        self.settle(live)

    def ask_between(self, live: LiveExchange) -> None:
        """Run the hook between request and reply, once."""
        if live.between or live.response_gone:
            return
        live.between = True
        if live.wants(Hook.BETWEEN) and live.run(Hook.BETWEEN, lambda: self._between_done(live)):
            self.flush()

    def _between_done(self, live: LiveExchange) -> None:
        if not live.exchange.replies:
            self._after(live)
        self.flush()
        self.settle(live)
        self._link.traffic.wake(self._link.to_client)

    def _after(self, live: LiveExchange) -> None:
        """The client has all that it will get of this exchange."""
        if not live.told:
            live.told = True
            if live.wants(Hook.AFTER):
                live.run(Hook.AFTER, lambda: self.settle(live))

    def settle(self, live: LiveExchange) -> None:
        """Forget an exchange with which nothing more will happen."""
        if live.complete and live.told and not live.busy:
            self.retire(live)

    def flush(self) -> None:
        """Send the proxy's own answers whose turn has come."""
        client = self._link.client
        if self.mid_message or client is None:
            return
        sink = self._link.to_client.sink or client
        while self.first is not None and not self._link.over and not sink.full:
            first = self.first
            live, answer = first.live, first.answer
            if answer is not None:
                self._next()
                self._link.say(answer.to_client, answer.then)
            elif live is not None and live.response_gone and self._is_answered(live):
                self._next()
                self.answer(live)
                self.settle(live)
            elif first.open_ended and self._later and not self._link.to_client.waiting:
                self._next()
                self._reply_over(first)
            else:
                break
        self._link.traffic.wake(self._link.to_client)

    def _reply_over(self, exchange: Exchange) -> None:
        """The reply of a turn is over, because a later turn has begun."""
        if exchange.live is not None:
            exchange.live.response_ended()
            self._after(exchange.live)
            self.settle(exchange.live)

    @staticmethod
    def _is_answered(live: LiveExchange) -> bool:
        """Whether it is settled, and time, to send what the proxy answers."""
        if live.busy:
            return False
        return not live.request_gone or live.request_complete or live.exchange.prompt

    def answer(self, live: LiveExchange) -> None:
        """Send what the proxy answers; after a swallow that is nothing."""
        if live.answer is None or self._link.client is None:
            live.told = True
            return
        self._link.say(live.answer, live.answer_then)
        if live.answer_then is Then.KEEP:
            self._after(live)

    def answer_unasked(self, live: LiveExchange | None) -> None:
        """What stands in for a message that nobody asked for goes out where that stood."""
        if live is not None and live.exchange.unasked and not live.told:
            self.answer(live)

    def choose(self, exchange: Exchange) -> None:
        """Ask the plan, once for each exchange."""
        active = self._link.proxy.active
        if active.idle:
            return
        verdict = active.verdict(self._link, exchange, self.tallies)
        exchange.decided = verdict is not None
        if verdict is not None:
            self._begin(exchange, verdict)

    def choose_again(self, missed: LiveExchange) -> LiveExchange | None:
        """Ask those rules that come after one that has misfired."""
        exchange = missed.exchange
        if self._link.over:
            return None
        self.retire(missed)
        exchange.live = None
        active = self._link.proxy.active
        verdict = active.verdict(self._link, exchange, self.tallies, missed.activation)
        exchange.decided = verdict is not None
        return self._begin(exchange, verdict) if verdict is not None else None

    def _begin(self, exchange: Exchange, verdict: Verdict) -> LiveExchange | None:
        if verdict.activation.acts:
            return self.bring_to_life(exchange, verdict)
        if verdict.activation.awaited:
            # It does nothing, and so says nothing of itself.
            self._link.clock.callLater(0, verdict.activation.tell_waiting)
        return None

    def choose_late(self, exchange: Exchange) -> LiveExchange | None:
        """Ask the plan again, when the reply begins to come and no rule has fired."""
        active = self._link.proxy.active
        if not active.late or exchange.decided or exchange.unasked:
            return None
        verdict = active.late_verdict(self._link, exchange, self.tallies)
        live = self._begin(exchange, verdict) if verdict is not None else None
        if live is None:
            return None
        live.asked = live.request_complete = exchange.sent = True
        return live

    def bring_to_life(self, exchange: Exchange, verdict: Verdict) -> LiveExchange:
        """A rule fired."""
        live = LiveExchange(exchange, verdict, self._link)
        exchange.live = live
        if isinstance(self.lives, frozenset):
            self.lives = set()
        self.lives.add(live)
        return live

    def retire(self, live: LiveExchange) -> None:
        """Nothing more will be done to this exchange."""
        if isinstance(self.lives, set):
            self.lives.discard(live)
        live.retire()

    def answer_pending(self) -> bool:
        """Whether the answer that comes next is held by a hook, or waits for the client to read."""
        first = self.first
        if first is None or first.live is None:
            return first is not None and first.answer is not None
        live = first.live
        if live.busy:
            return live.hook is Hook.BETWEEN
        return live.response_gone and live.answer is not None and self._is_answered(live)

    def forget_replies(self) -> None:
        """Replies can no longer be told apart: say what is settled, wait for nothing."""
        self.mid_message = False
        self.flush()
        stuck = any(each.answer or (each.live is not None and each.live.answer) for each in self)
        self.clear()
        if self._link.client is not None:
            self._link.client.resume("turns")
        if stuck:
            # Nobody can tell any more when its turn would come, and the client waits for it.
            self._link.hang_up(End.FIN)
        for live in list(self.lives):
            live.request_complete = live.told = True
            live.response_ended(whole=False)
            self.settle(live)
