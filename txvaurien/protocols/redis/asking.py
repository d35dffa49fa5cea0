"""What a request means for those after it, and what will be heard of it."""

from __future__ import annotations

from txvaurien.model import Exchange, Frame
from txvaurien.protocols.redis.forecast import (
    ENDING,
    PUBSUB,
    SUBSCRIBING,
    Forecast,
    Transaction,
    reply_mode,
    resp3_after,
)
from txvaurien.protocols.redis.heads import first_word
from txvaurien.protocols.redis.matching import Matcher
from txvaurien.protocols.redis.messages import Request
from txvaurien.protocols.redis.pending import (
    Awaited,
    Barred,
    Change,
    Confirmations,
    Discarded,
    Opening,
    Silent,
)

DISCARD = b"*1\r\n$7\r\nDISCARD\r\n"

#: What needs more than a place in the queue. None of three letters: see `RedisSession`.
SPECIAL = PUBSUB | frozenset(
    [b"", *b"AUTH HELLO RESET MULTI EXEC CLIENT MONITOR SYNC PSYNC REPLCONF".split()]
)

#: What a subscribed client of RESP2 cannot have, of what changes a mode.
_BARRED = frozenset(b"CLIENT MULTI MONITOR HELLO SYNC PSYNC REPLCONF".split())

#: What changes the mode that the server is in, once it is carried out.
_CHANGING = frozenset({b"HELLO", b"RESET", b"MONITOR", b"DISCARD"})

#: What takes no arguments.
_ALONE = frozenset({b"DISCARD", b"RESET"})

_HANDSHAKE = frozenset({b"AUTH", b"HELLO"})


class Queued(Request, kw_only=True):
    """A command that stands behind MULTI, and so, most likely, is only queued."""

    transaction: Transaction


class Asking:
    """Takes requests that may be more than a command and its reply."""

    __slots__ = ("_awaited", "_word", "edits", "forecast", "latest", "matcher", "plain", "undecided")

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
        self._word = b""
        #: The same, until the next frame is asked for: only then it is known that the
        #: backend gets it, and so what the requests after it mean.
        self.undecided: Exchange | None = None

    def ask(self, raw: bytes, last: bool) -> Frame:
        """The first frame of a request."""
        forecast, word = self.forecast, first_word(raw)
        transaction = forecast.transaction
        request = Request(raw) if transaction is None else Queued(raw, transaction=transaction)
        barred = word in _BARRED and transaction is None and forecast.barred
        if barred or _is_wrong(word, request):
            # It will be answered by an error, and change nothing.
            word = b"-"
        replies = forecast.answers(word, request)
        self.latest = exchange = Exchange(request, replies=replies, handshake=word in _HANDSHAKE)
        self._word = word
        self._awaited = self._await(word, exchange, request)
        if barred and replies:
            self._awaited = Barred(exchange, first_word(raw))
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
        # Behind MULTI as well: they are only queued, unless MULTI was refused. The reply tells.
        if word in PUBSUB:
            return Confirmations(exchange, word, request.count - 1, forecast.quiet)
        if word in _CHANGING:
            ended = forecast.transaction if word in ENDING else None
            return Change(exchange, word, resp3_after(word, request), ended)
        if word == b"MULTI" and forecast.transaction is None:
            return Opening(exchange, word)
        if forecast.dirty and is_exec(request):
            return Discarded(exchange, word)
        if word == b"CLIENT" and reply_mode(request):
            return Change(exchange, word, None, None)
        return exchange

    def settle(self) -> None:
        """The last request goes to the backend, if nobody has said otherwise by now.

        :raises FramingError: what comes after it cannot be followed.
        """
        exchange, self.undecided = self.undecided, None
        request = exchange.request if exchange is not None else None
        if exchange is None or not isinstance(request, Request):
            return
        word = self._word
        queued = self.forecast.queues(word)
        self.forecast.apply(word, request)
        if isinstance(self._awaited, Opening):
            self._awaited.transaction = self.forecast.transaction
        silent = self.matcher.pending[-1] if self.matcher.pending else None
        if isinstance(silent, Silent) and not exchange.replies and not queued and word in _CHANGING:
            silent.changes(word, resp3_after(word, request))
        self.review()

    def opens(self, exchange: Exchange) -> bool:
        """Whether this is a MULTI that begins a transaction, and that nothing has been sent behind."""
        opening, request = self._awaited, exchange.request
        if isinstance(opening, Opening) and opening.transaction is not None and opening.transaction.vain:
            return False
        whole = isinstance(request, Request) and request.count == 1
        return self.latest is exchange and self._word == b"MULTI" and whole

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


def _is_wrong(word: bytes, request: Request) -> bool:
    """Whether it has too few or too many arguments for what it would change."""
    if word in SUBSCRIBING:
        return request.count == 1
    return word in _ALONE and request.count != 1


def is_exec(request: Request) -> bool:
    """Whether it ends a transaction by carrying it out, or by an error of its own."""
    return first_word(request.raw) == b"EXEC"
