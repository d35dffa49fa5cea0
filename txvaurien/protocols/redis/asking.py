"""What a request means for those after it, and what will be heard of it."""

from __future__ import annotations

from txvaurien.model import Exchange, Frame
from txvaurien.protocols.redis.forecast import PUBSUB, SUBSCRIBING, Forecast, Transaction
from txvaurien.protocols.redis.heads import first_word
from txvaurien.protocols.redis.matching import Matcher
from txvaurien.protocols.redis.messages import Request
from txvaurien.protocols.redis.pending import Awaited, Change, Confirmations, Discarded, Opening, Silent

DISCARD = b"*1\r\n$7\r\nDISCARD\r\n"

#: What needs more than a place in the queue. None of three letters: see `RedisSession`.
SPECIAL = PUBSUB | frozenset(
    [b"", *b"AUTH HELLO RESET MULTI EXEC CLIENT MONITOR SYNC PSYNC REPLCONF".split()]
)

_HANDSHAKE = frozenset({b"AUTH", b"HELLO"})


class Queued(Request):
    """A command that stands behind MULTI, and so, most likely, is only queued."""

    __slots__ = ("transaction",)

    def __init__(self, raw: bytes, transaction: Transaction) -> None:
        super().__init__(raw)
        self.transaction = transaction


class Asking:
    """Takes requests that may be more than a command and its reply."""

    __slots__ = ("_awaited", "edits", "forecast", "latest", "matcher", "plain", "undecided")

    def __init__(self) -> None:
        self.forecast = Forecast()
        self.matcher = Matcher(self.forecast)
        #: A command is just a command, unless its name is in `SPECIAL`.
        self.plain = True
        #: What is sent on may differ from what was received.
        self.edits = False
        #: The last request, and what is awaited for it.
        self.latest: Exchange | None = None
        self._awaited: Awaited | None = None
        #: The same, until the next frame is asked for: only then it is known that the
        #: backend gets it, and so what the requests after it mean.
        self.undecided: Exchange | None = None

    def ask(self, raw: bytes, last: bool) -> Frame:
        """The first frame of a request."""
        forecast, word = self.forecast, first_word(raw)
        transaction = forecast.transaction
        request = Request(raw) if transaction is None else Queued(raw, transaction)
        replies = forecast.answers(word, request)
        self.latest = exchange = Exchange(request, replies=replies, handshake=word in _HANDSHAKE)
        self._awaited = self._await(word, exchange, request)
        if word:
            self.matcher.expect(self._awaited)
        if word in SPECIAL or not forecast.plain:
            self.undecided = exchange
        spoilt = forecast.dirty and is_exec(request)
        return Frame(raw, exchange, True, last, DISCARD if spoilt else None)

    def _await(self, word: bytes, exchange: Exchange, request: Request) -> Awaited:
        forecast = self.forecast
        if not exchange.replies:
            return Silent(exchange, word)
        if forecast.queues(word):
            return exchange
        if word in PUBSUB:
            left = max(request.count - 1, word in SUBSCRIBING)
            return Confirmations(exchange, word, left, forecast.quiet)
        if word == b"MULTI" and forecast.transaction is None:
            return Opening(exchange, word)
        if forecast.dirty and is_exec(request):
            return Discarded(exchange, word)
        return Change(exchange, word) if word in (b"HELLO", b"RESET", b"MONITOR") else exchange

    def settle(self) -> None:
        """The last request goes to the backend, if nobody has said otherwise by now.

        :raises FramingError: what comes after it cannot be followed.
        """
        exchange, self.undecided = self.undecided, None
        request = exchange.request if exchange is not None else None
        if exchange is None or not isinstance(request, Request):
            return
        word = first_word(request.raw)
        queued = self.forecast.queues(word)
        self.forecast.apply(word, request)
        if isinstance(self._awaited, Opening):
            self._awaited.transaction = self.forecast.transaction
        if not exchange.replies and not queued:
            self._silently(word, exchange)
        self.review()

    def _silently(self, word: bytes, exchange: Exchange) -> None:
        """Nothing will tell when it is done: take it as done."""
        if word == b"HELLO":
            self.matcher.greet(exchange)
        elif word == b"RESET":
            self.matcher.reset()

    def forget(self, exchange: Exchange) -> None:
        """The backend never hears of the last request."""
        self.matcher.forget(exchange)
        if self.undecided is exchange:
            self.undecided = None
        self.review()

    def review(self) -> None:
        """Modes may have changed."""
        self.plain = self.forecast.plain
        self.edits = self.forecast.dirty or self.matcher.edits > 0


def is_exec(request: Request) -> bool:
    """Whether it is EXEC, and one that the server takes."""
    return first_word(request.raw) == b"EXEC" and request.count == 1
