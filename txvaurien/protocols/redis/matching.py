"""Which reply belongs to which request. Modes change here, on what the server really said."""

from __future__ import annotations

import re
from collections import deque

from txvaurien.errors import FramingError
from txvaurien.model import Exchange, Frame
from txvaurien.protocols.redis.forecast import PUBSUB, UNSUBSCRIBING, Forecast
from txvaurien.protocols.redis.heads import error_code, scalars, text, value_at
from txvaurien.protocols.redis.messages import Reply, Request, Unasked
from txvaurien.protocols.redis.pending import (
    Awaited,
    Barred,
    Change,
    Confirmations,
    Discarded,
    Expected,
    Opening,
    Silent,
    Subscriptions,
    Swallowed,
)

#: A line of MONITOR, in RESP2 and RESP3 (``replication.c``, replicationFeedMonitors).
_MONITOR_LINE = re.compile(rb"\+\d+\.\d+ \[")

#: What arrays begin with that a subscribed client of RESP2 gets without having asked.
_MESSAGES = frozenset({b"MESSAGE", b"PMESSAGE", b"SMESSAGE"})

_QUEUED = b"+QUEUED\r\n"

#: Replies that are known before, if they are no errors. (CLIENT is here only as CLIENT REPLY ON.)
_CERTAIN = {
    b"CLIENT": b"+OK\r\n",
    b"DISCARD": b"+OK\r\n",
    b"MONITOR": b"+OK\r\n",
    b"RESET": b"+RESET\r\n",
}

#: What is said of a command that there is nothing wrong with.
_REJECTED = re.compile(rb"-NOPERM |-ERR Can't execute |-ERR unknown ")

_EDITED = (Discarded, Swallowed)

#: What a client is told whose transaction was spoilt by a refusal (``server.c``, execaborterr).
_EXECABORT = b"-EXECABORT Transaction discarded because of previous errors.\r\n"


class Matcher:
    """The queue of what is awaited, and the modes that the connection is in."""

    __slots__ = (
        "_closes",
        "_target",
        "calm",
        "edits",
        "forecast",
        "monitoring",
        "pending",
        "resp3",
        "spoken",
        "subscriptions",
    )

    def __init__(self, forecast: Forecast) -> None:
        self.forecast = forecast
        self.pending: deque[Awaited] = deque()
        self.resp3 = False
        self.monitoring = False
        self.subscriptions = Subscriptions()
        #: Every reply that is no push answers the head of the queue.
        self.calm = True
        #: How many replies are awaited that the client must not see as they are.
        self.edits = 0
        #: The client has said something.
        self.spoken = False
        # What the reply that is being given out belongs to, and whether its end ends that.
        self._target: Exchange | None = None
        self._closes = True

    # The queue.

    def expect(self, awaited: Awaited) -> None:
        """This will be answered, or is at least known to the backend."""
        last = self.pending[-1] if self.pending else None
        if isinstance(awaited, Silent) and isinstance(last, Silent):
            last.behind += 1
        else:
            self.pending.append(awaited)
            self.edits += isinstance(awaited, _EDITED)

    def forget(self, exchange: Exchange) -> None:
        """The backend never hears of the last request."""
        last = self.pending[-1] if self.pending else None
        if isinstance(last, Silent) and last.behind:
            last.behind -= 1
        elif last is exchange or (isinstance(last, Expected) and last.exchange is exchange):
            self.pending.pop()
            self.edits -= isinstance(last, _EDITED)

    # Replies.

    def match(self, raw: bytes, last: bool) -> Frame:
        """The frame for the first, or the only, piece of a reply.

        An empty frame is for a request that turns out not to be answered: it ends that,
        and the reply is to be matched again.

        :raises FramingError: nobody asked for this.
        """
        at = value_at(raw)
        kind = raw[at : at + 1]
        frame: Frame | None = None
        if kind == b">":
            frame = self._push(raw, last) or self._unasked(raw, last)
        elif kind == b"*" and self._in_pubsub:
            frame = self._push(raw, last) or self._message(raw, last)
        elif kind == b"+" and self.monitoring and _MONITOR_LINE.match(raw, at):
            frame = self._sent_unasked(Unasked(raw, b"MONITOR"), raw, last)
        frame = frame or self._skip_silent(raw) or self._answer(raw, last)
        if not self.pending:
            self.forecast.learn(self.resp3, self.monitoring, bool(self.subscriptions))
        return frame

    def more(self, raw: bytes, last: bool) -> Frame:
        """The frame for a further piece of that reply."""
        hidden = b"" if self._target is None else None
        return Frame(raw, self._target, first=False, last=last and self._closes, edited=hidden)

    def _frame(
        self,
        raw: bytes,
        exchange: Exchange | None,
        last: bool,
        *,
        begins: bool = True,
        closes: bool = True,
        forward: bytes | None = None,
    ) -> Frame:
        self._target, self._closes = exchange, closes
        return Frame(raw, exchange, begins, last and closes, forward)

    @property
    def _in_pubsub(self) -> bool:
        """Whether an array may be a message or a confirmation: in RESP3 those are pushes."""
        resp2 = not self.resp3
        for each in self.pending:
            if not isinstance(each, Silent):
                return resp2 and (bool(self.subscriptions) or isinstance(each, Confirmations))
            # Somewhere along these RESP3 may have been left.
            resp2 = resp2 or each.resets or each.resp3 is False
        return resp2 and bool(self.subscriptions)

    def _head(self) -> Awaited | None:
        """What is awaited next, of what will be answered."""
        return next((each for each in self.pending if not isinstance(each, Silent)), None)

    # What is sent unasked, and confirmations.

    def _push(self, raw: bytes, last: bool) -> Frame | None:
        """A confirmation, awaited or not; None for anything else."""
        words = scalars(raw, 3)
        word = words[0].upper() if words else b""
        if word not in PUBSUB:
            return None
        head = self._head()
        if not isinstance(head, Confirmations) or head.word != word or head.exchange is None:
            self._confirmed(word, words)
            if word in UNSUBSCRIBING:
                self.forecast.unsubscribed(word, words[1:2])
            return self._sent_unasked(Unasked(raw, word, words[1:2]), raw, last)
        while isinstance(self.pending[0], Silent):
            self._drop(self.pending[0])
        begins = not head.begun
        head.begun = True
        if begins:
            head.left = head.left or max(1, self.subscriptions.standing(word))
            head.exchange.response = Reply(raw)
        head.left -= 1
        self._confirmed(word, words)
        if not head.left:
            self.pending.popleft()
        return self._frame(raw, head.exchange, last, begins=begins, closes=not head.left)

    def _confirmed(self, word: bytes, words: list[bytes]) -> None:
        # A server's count has twenty digits at most.
        total = int(words[2]) if len(words) > 2 and words[2].isdigit() and len(words[2]) < 20 else None
        self.subscriptions.confirm(word, total)
        self.review()

    def _unasked(self, raw: bytes, last: bool) -> Frame:
        words = scalars(raw, 64)
        kind = words[0] if words else b"PUSH"
        return self._sent_unasked(Unasked(raw, kind, _targets(kind.upper(), words)), raw, last)

    def _message(self, raw: bytes, last: bool) -> Frame | None:
        words = scalars(raw, 3)
        word = words[0].upper() if words else b""
        if word not in _MESSAGES or not self.subscriptions:
            return None
        return self._sent_unasked(Unasked(raw, word, _targets(word, words)), raw, last)

    def _sent_unasked(self, message: Unasked, raw: bytes, last: bool) -> Frame:
        return self._frame(raw, Exchange(response=message), last)

    # Answers.

    def _skip_silent(self, raw: bytes) -> Frame | None:
        """Take commands out of the queue that are not answered, as a later one is answered now."""
        pending = self.pending
        while pending:
            head = pending[0]
            if isinstance(head, Silent) and not _refuses(head, raw, len(pending) == 1):
                self._drop(head)
            elif isinstance(head, Confirmations) and head.quiet and not head.begun:
                # It was an error, which nobody was told.
                pending.popleft()
                if head.exchange is not None and isinstance(head.exchange.request, Request):
                    self._unconfirmed(head, head.exchange.request)
                return self._answered(head, b"", True)
            else:
                break
        return None

    def _drop(self, silent: Silent) -> None:
        """These have been carried out."""
        self.pending.popleft()
        if silent.resets:
            self._reset()
        if silent.resp3 is not None:
            self.resp3 = silent.resp3
        self.monitoring = self.monitoring or silent.monitors
        self.review()

    def _answer(self, raw: bytes, last: bool) -> Frame:
        if not self.pending:
            return self._stray(raw, last)
        head = self.pending[0]
        if isinstance(head, Silent):
            self._check_refused(head)
        self.pending.popleft()
        self.edits -= isinstance(head, _EDITED)
        if isinstance(head, Exchange):
            head.response = Reply(raw)
            return self._frame(raw, head, last)
        self._change(head, raw)
        return self._answered(head, raw, last)

    def _answered(self, head: Expected, raw: bytes, last: bool) -> Frame:
        exchange = head.exchange
        if exchange is None:
            return self._frame(raw, None, last, forward=b"")
        said = _as_exec(raw) if isinstance(head, Discarded) else raw
        exchange.response = Reply(said)
        begins = not (isinstance(head, Confirmations) and head.begun)
        return self._frame(raw, exchange, last, begins=begins, forward=said)

    def _stray(self, raw: bytes, last: bool) -> Frame:
        """A server that takes no more clients says so before it was asked for anything."""
        code = error_code(raw)
        if self.spoken or not code:
            raise FramingError("a reply that nobody asked for")
        return self._sent_unasked(Unasked(raw, code.encode()), raw, last)

    def _check_refused(self, head: Silent) -> None:
        if head.behind:
            raise FramingError(
                f"{text(head.word)} was refused by the server, and {head.behind} requests"
                " were sent behind it as if they would not be answered"
            )
        if head.word == b"CLIENT":
            self.forecast.muted = self.forecast.skipping = False

    def _change(self, head: Expected, raw: bytes) -> None:
        """Modes follow from the reply to this."""
        request = head.exchange.request if head.exchange is not None else None
        if not isinstance(request, Request) or raw == _QUEUED:
            return
        if error_code(raw):
            if not isinstance(head, Barred):
                self._failed(head, request)
        elif isinstance(head, Barred) or raw != _CERTAIN.get(head.word, raw):
            raise FramingError(f"{text(head.word)} was answered as it never is")
        elif head.word == b"RESET":
            self._reset()
        elif head.word == b"MONITOR":
            self.monitoring = True
        elif isinstance(head, Change) and head.resp3 is not None:
            self.resp3 = head.resp3
        self.review()

    def _failed(self, head: Expected, request: Request) -> None:
        """It was foreseen that this would be carried out.

        :raises FramingError: something behind it cannot be followed because of that.
        """
        forecast = self.forecast
        if isinstance(head, Opening) and head.transaction is not None:
            if head.transaction.fragile:
                raise _relied_on(head)
            head.transaction.vain = True
            if forecast.transaction is head.transaction:
                forecast.transaction = None
        elif isinstance(head, Confirmations):
            self._unconfirmed(head, request)
        elif head.word == b"MONITOR":
            self._doubt(head)
            forecast.monitoring = self.monitoring
        elif isinstance(head, Change):
            self._unchanged(head)

    def _unconfirmed(self, head: Confirmations, request: Request) -> None:
        """SUBSCRIBE or UNSUBSCRIBE was refused."""
        if head.word in UNSUBSCRIBING:
            if self.subscriptions.standing(head.word):
                self._doubt(head, Expected)
                self.forecast.stays_subscribed(head.word, request.args[1:])
        else:
            # Where nothing is said of errors, nothing tells either what was barred behind this.
            self._doubt(head, Silent if head.quiet else Barred)
            if not self.subscriptions.standing(head.word):
                self.forecast.unsubscribed(head.word, request.args[1:])

    def _unchanged(self, head: Change) -> None:
        """HELLO, RESET or DISCARD was refused."""
        forecast, ended = self.forecast, head.transaction
        if ended is not None and not ended.vain:
            if self.pending:
                raise _relied_on(head)
            forecast.transaction = ended
        if head.word == b"RESET":
            self._doubt(head, Expected)
            forecast.learn(self.resp3, self.monitoring, bool(self.subscriptions))
        elif head.resp3 is not None and head.resp3 is not self.resp3:
            if self.subscriptions or any(isinstance(each, Confirmations) for each in self.pending):
                self._doubt(head)
            if not any(isinstance(each, Change | Silent) and each.resp3 is not None for each in self.pending):
                forecast.resp3 = self.resp3

    def _doubt(self, failed: Expected, *kinds: type[Expected]) -> None:
        """What was refused counted in what is awaited now, if it is one of these."""
        if any(isinstance(each, kinds or (Silent, Barred, Opening)) for each in self.pending):
            raise _relied_on(failed)

    def _reset(self) -> None:
        self.resp3 = self.monitoring = False
        self.subscriptions.clear()

    def review(self) -> None:
        """Modes may have changed."""
        self.calm = not self.monitoring and (self.resp3 or not self.subscriptions)


def _relied_on(refused: Expected) -> FramingError:
    return FramingError(
        f"{text(refused.word)} was refused by the server, and requests were sent behind it as if it were not"
    )


def _as_exec(raw: bytes) -> bytes:
    """The reply to DISCARD as one to EXEC."""
    return _EXECABORT if raw == b"+OK\r\n" else raw.replace(b"DISCARD without", b"EXEC without")


def _targets(kind: bytes, words: list[bytes]) -> list[bytes]:
    """What a push is about: a channel, or keys (none where all are meant)."""
    if kind == b"INVALIDATE":
        return [key for key in words[1:] if key]
    at = 2 if kind == b"PMESSAGE" else 1
    return words[at : at + 1] if kind in _MESSAGES else []


def _refuses(silent: Silent, raw: bytes, alone: bool) -> bool:
    """Whether this is an error that says that the silence was not granted.

    :param alone: nothing else is awaited.
    """
    code = error_code(raw)
    if silent.word == b"MONITOR" or not code:
        # MONITOR is silent because an earlier one was granted.
        return False
    if code == "NOAUTH" or (alone and silent.word == b"CLIENT"):
        return True
    # Others name the command: another one, behind the silence, may be meant.
    return _REJECTED.match(raw) is not None and b" '" + silent.word.lower() in raw[:256]
