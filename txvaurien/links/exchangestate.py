"""An exchange on which a rule fired: what it is, how far it has come, and what has been decided."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from txvaurien.links.linkside import LinkSide
from txvaurien.links.running import Running
from txvaurien.links.waits import Waits
from txvaurien.model import Cut, Exchange, Hook, Message, Missed, Then
from txvaurien.plan import Verdict

Edit = Callable[[bytes], bytes | Cut | Missed]


class ExchangeState:
    """The part of a `txvaurien.exchange.LiveExchange` that does nothing: what hooks and the link look at."""

    __slots__ = (
        "_entropy",
        "_gone",
        "_random",
        "_running",
        "_tally",
        "_telling",
        "_waits",
        "activation",
        "answer",
        "answer_then",
        "asked",
        "began",
        "between",
        "did",
        "exchange",
        "finished",
        "hook",
        "link",
        "missed",
        "passed_on",
        "released",
        "request_complete",
        "request_edit",
        "request_gone",
        "response_edit",
        "response_gone",
        "stopped",
        "told",
    )

    def __init__(self, exchange: Exchange, verdict: Verdict, link: LinkSide) -> None:
        self.exchange = exchange
        self.link = link
        self.activation = verdict.activation
        self._tally = verdict.tally
        self._entropy = verdict.entropy
        self._random: random.Random | None = None
        #: The link has no use any more for what the hook does.
        self._gone = False
        self._running = Running()
        self._waits = Waits(link.clock)
        #: The hook that runs now.
        self.hook: Hook | None = None
        #: A hook said stop, or the rule misfired: no later hook runs.
        self.stopped = False
        #: The rule misfired before it did anything: others may be asked.
        self.missed = False
        self.released = False
        #: What the proxy answers, once it has been decided.
        self.answer: bytes | None = None
        self.answer_then = Then.KEEP
        self.request_edit: Edit | None = None
        self.response_edit: Edit | None = None
        #: The backend hears nothing of the request; the client gets nothing of the reply.
        self.request_gone = False
        self.response_gone = False
        self.request_complete = False
        #: The hooks before, between and after the backend's work have been asked.
        self.asked = False
        self.between = False
        self.told = False
        #: What has been done, in words for the journal, and how much of it the link has been
        #: told of; None before the first hook.
        self.did: list[str] = []
        self._telling: int | None = None
        #: The reply began to come, began to go out, has come to its end.
        self.began = False
        self.passed_on = False
        self.finished = False

    # What the request and the reply are.

    @property
    def verb(self) -> str:
        return self.exchange.message.verb

    @property
    def target(self) -> str | None:
        return self.exchange.message.target

    @property
    def targets(self) -> Sequence[str]:
        return self.exchange.message.targets

    @property
    def request(self) -> Message | None:
        return self.exchange.request

    @property
    def response(self) -> Message | None:
        return self.exchange.response

    @property
    def number(self) -> int:
        return self.exchange.number

    @property
    def link_number(self) -> int:
        return self.link.number

    @property
    def client(self) -> str:
        return self.link.client_address

    @property
    def fired(self) -> int:
        return self._tally.fired

    @property
    def random(self) -> random.Random:
        if self._random is None:
            self._random = random.Random(self._entropy)
        return self._random

    # How far it has come.

    @property
    def complete(self) -> bool:
        """Whether all of it has come that will come: request and reply."""
        exchange = self.exchange
        asked = self.request_complete or exchange.open_ended or exchange.unasked
        answered = self.finished or (self.began and exchange.open_ended)
        return asked and (answered or self.request_gone or not exchange.replies)

    @property
    def busy(self) -> bool:
        """Whether a hook is waiting for something."""
        return self._running.busy

    def response_began(self) -> None:
        """The reply begins to come."""
        self.began = True
        self._waits.started()
        if self.exchange.open_ended:
            self._waits.ended()

    def response_ended(self, whole: bool = True) -> None:
        """The reply has come, whole or not."""
        self.finished = True
        self._waits.started(whole)
        self._waits.ended(whole)

    def leaves_on_fin(self) -> bool:
        """Whether it waits in a way that the client's FIN ends."""
        return self._waits.leaves_on_fin
