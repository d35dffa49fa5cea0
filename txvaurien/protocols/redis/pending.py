"""What a session still waits for, beyond the one reply to a plain command, and what it has learnt.

The queue of a session holds the `Exchange` itself for every command that is answered by one reply
and changes nothing. These stand in it for the others.
"""

from __future__ import annotations

from typing import TypeAlias

from txvaurien.model import Exchange
from txvaurien.protocols.redis.forecast import Transaction, pubsub_kind


class Expected:
    """Base of what stands in the queue in place of an exchange."""

    __slots__ = ("exchange", "word")

    def __init__(self, exchange: Exchange | None, word: bytes) -> None:
        self.exchange = exchange
        self.word = word


#: What stands in the queue.
Awaited: TypeAlias = "Exchange | Expected"


class Change(Expected):
    """HELLO, RESET, MONITOR, DISCARD, CLIENT REPLY: a mode changes if it is not answered by an error."""

    __slots__ = ("resp3", "transaction")

    def __init__(
        self, exchange: Exchange, word: bytes, resp3: bool | None, transaction: Transaction | None
    ) -> None:
        super().__init__(exchange, word)
        #: The protocol that is spoken when it was carried out; None for the same as before.
        self.resp3 = resp3
        #: What DISCARD or RESET ends.
        self.transaction = transaction


class Barred(Expected):
    """What a subscribed client of RESP2 cannot have: an error."""

    __slots__ = ()


class Opening(Expected):
    """MULTI: a transaction begins, unless it is answered by an error."""

    __slots__ = ("transaction",)

    def __init__(self, exchange: Exchange, word: bytes) -> None:
        super().__init__(exchange, word)
        #: None until it is known that MULTI goes to the backend.
        self.transaction: Transaction | None = None


class Confirmations(Expected):
    """SUBSCRIBE and its like: so many confirmations, or an error."""

    __slots__ = ("begun", "left", "quiet")

    def __init__(self, exchange: Exchange, word: bytes, left: int, quiet: bool) -> None:
        super().__init__(exchange, word)
        #: 0: as many as there are subscriptions when the first confirmation comes.
        self.left = left
        #: An error would not be said.
        self.quiet = quiet
        self.begun = False


class Silent(Expected):
    """Commands that are not answered: the first of them, and how many were sent behind it.

    Any number of them take one place in the queue. What they change is known to have
    happened when something behind them is answered.
    """

    __slots__ = ("behind", "monitors", "resets", "resp3")

    def __init__(self, exchange: Exchange, word: bytes) -> None:
        super().__init__(exchange, word)
        self.behind = 0
        self.resets = False
        self.monitors = False
        self.resp3: bool | None = None

    def changes(self, word: bytes, resp3: bool | None) -> None:
        """One of them is HELLO (for this protocol), RESET or MONITOR."""
        if word == b"RESET":
            self.resets, self.monitors, self.resp3 = True, False, False
        elif word == b"MONITOR":
            self.monitors = True
        elif resp3 is not None:
            self.resp3 = resp3


class Discarded(Expected):
    """An EXEC that was sent as DISCARD: the client hears EXECABORT."""

    __slots__ = ()


class Swallowed(Expected):
    """A DISCARD that no client sent: nobody hears of its reply."""

    __slots__ = ()


class Subscriptions:
    """How many there are of each kind.

    Confirmations tell totals: of channels and patterns together, and of shards.
    """

    __slots__ = ("_standing",)

    def __init__(self) -> None:
        self._standing: dict[bytes, int] = {}

    def __bool__(self) -> bool:
        return any(self._standing.values())

    def standing(self, word: bytes) -> int:
        """The subscriptions that this command is about."""
        return self._standing.get(pubsub_kind(word), 0)

    def confirm(self, word: bytes, total: int | None) -> None:
        """A command about one of them was confirmed; `total` of them are left, if that is known."""
        kind = pubsub_kind(word)
        standing = self._standing
        if total is None:
            step = -1 if word.endswith(b"UNSUBSCRIBE") else 1
        else:
            together = (b"S",) if kind == b"S" else (b"", b"P")
            step = total - sum(standing.get(each, 0) for each in together)
        standing[kind] = max(0, standing.get(kind, 0) + step)

    def clear(self) -> None:
        """There are none."""
        self._standing.clear()
