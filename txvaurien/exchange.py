"""The exchange as hooks see it: everything that a behavior does, it does through this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txvaurien.errors import NotLegal
from txvaurien.interfaces import IExchange
from txvaurien.links.exchangestate import Edit, ExchangeState
from txvaurien.links.linkside import LinkSide
from txvaurien.links.waits import already
from txvaurien.model import Cut, Exchange, Hook, Missed, Side, Then
from txvaurien.plan import Verdict

if TYPE_CHECKING:
    from txvaurien.behaviors.base import Behavior, HookResult

log = Logger()


@implementer(IExchange)
class LiveExchange(ExchangeState):
    """An exchange on which a rule fired. See `IExchange` for what hooks may use.

    The rest is the link's: it runs the hooks, one at a time, and reads off what
    they decided.
    """

    __slots__ = ()

    def __init__(self, exchange: Exchange, verdict: Verdict, link: LinkSide) -> None:
        # Without super(), which costs: this is done whenever a rule fires.
        ExchangeState.__init__(self, exchange, verdict, link)
        self.activation.live.add(self)

    # What hooks do.

    def sleep(self, seconds: float | None = None, leave_on_fin: bool = False) -> Deferred[bool]:
        if self._gone:
            raise CancelledError
        if self.released:
            return already(False)
        self.did.append("wait" if seconds is None else f"sleep {seconds:g}")
        leaves = leave_on_fin or seconds is None
        sleeper = self._waits.sleep(seconds, leaves)
        if leaves and self.link.client_left:
            self.link.clock.callLater(0, self.link.leave_if_waiting)
        return sleeper

    def refuse(self, kind: str, text: str = "") -> str:
        self._check_open("refuse")
        session = self.link.session
        if kind == "any":
            kind = self._drawn_kind(session.legal(self.exchange))
        refusal = session.refuse(self.exchange, kind, text)
        self.did.append(f"refuse {kind}")
        if refusal.edit is not None:
            self.response_edit = refusal.edit
            return kind
        if refusal.to_backend:
            self.link.tell_backend(refusal.to_backend)
        self._answer(refusal.to_client, refusal.then)
        return kind

    def reply(self, raw: bytes, then: Then = Then.KEEP) -> None:
        self._check_open("reply")
        if not isinstance(raw, bytes):
            raise TypeError(f"reply() takes bytes, not {type(raw).__name__}")
        if self.hook is Hook.BEFORE:
            self._withdraw()
        self.did.append(f"reply {len(raw)} bytes" + ("" if then is Then.KEEP else f", {then.value}"))
        self._answer(raw, then)

    def edit_request(self, edit: Edit) -> None:
        self._check_mine("edit_request")
        self.did.append("edit request")
        self.request_edit = edit

    def edit_response(self, edit: Edit) -> None:
        self._check_mine("edit_response")
        self.did.append("edit response")
        self.response_edit = edit

    def swallow(self) -> None:
        self._check_open("swallow")
        if self.hook is Hook.BEFORE:
            self._withdraw()
            self.request_gone = True
        self.did.append("swallow")
        self.response_gone = True
        self.link.changed(self)

    def close(self, side: Side = Side.CLIENT, linger: float = 0.0) -> None:
        self._check_mine("close")
        self._say_cut("close", side, linger)
        self.link.cut(side, Then.CLOSE, linger, self)

    def reset(self, side: Side = Side.CLIENT, linger: float = 0.0) -> None:
        self._check_mine("reset")
        self._say_cut("reset", side, linger)
        self.link.cut(side, Then.RESET, linger, self)

    def fail_handshake(self, kind: str) -> None:
        self._check_mine("fail_handshake")
        if self.hook is not Hook.CONNECT:
            raise RuntimeError("fail_handshake(): only on_connect comes before the handshake")
        self.link.fail_handshake(kind, self.activation)
        self.did.append(f"tls {kind}")

    def _say_cut(self, what: str, side: Side, linger: float) -> None:
        self.did.append(f"{what} {side.value}" + (f", linger {linger:g}" if linger else ""))

    def response_started(self) -> Deferred[bool] | None:
        return self._when(self.began, self._waits.for_start)

    def response_finished(self) -> Deferred[bool] | None:
        if self.hook is Hook.BETWEEN and not self.response_gone:
            raise RuntimeError(
                "the reply is held back until on_between_handle is done:"
                " swallow() or reply() before waiting for its end"
            )
        over = self.finished or (self.began and self.exchange.open_ended)
        return self._when(over, self._waits.for_end)

    def _when(self, over: bool, wait: Callable[[], Deferred[bool]]) -> Deferred[bool] | None:
        if self.request_gone or not self.exchange.replies:
            return None
        return already(True) if over else wait()

    def _withdraw(self) -> None:
        told = self.link.session.withdraw(self.exchange)
        if told:
            self.link.tell_backend(told)

    def _check_mine(self, what: str) -> None:
        if self._gone:
            raise RuntimeError(f"{what}(): the exchange has gone on without this hook")

    def _check_open(self, what: str) -> None:
        self._check_mine(what)
        if self.passed_on or self.hook is Hook.AFTER:
            raise RuntimeError(f"{what}(): the client already has the beginning of the reply")

    def _drawn_kind(self, legal: Sequence[str]) -> str:
        drawn = {each.name for each in self.link.protocol.error_kinds if each.drawn}
        kinds = [name for name in legal if name in drawn]
        if not kinds:
            raise NotLegal(f"no kind of error can be said to {_shown(self.exchange)} here")
        return self.random.choice(kinds)

    def _answer(self, raw: bytes, then: Then) -> None:
        self.answer = raw
        self.answer_then = then
        self.response_gone = True
        if self.hook is Hook.BEFORE:
            self.request_gone = True
        self.link.changed(self)

    # What the link does with it.

    @property
    def behavior(self) -> Behavior:
        """What the rule that fired does."""
        return self.activation.rule.behavior

    def wants(self, hook: Hook) -> bool:
        """Whether this hook is still to be run."""
        return not (self.stopped or self.released or self._gone) and hook in self.activation.acts

    def run(self, hook: Hook, then: Callable[[], None]) -> bool:
        """Run one hook.

        :param then: called when a hook that had to wait is done.
        :return: whether it is done already; then `then` is not called.
        """
        self.hook = hook
        try:
            result: HookResult = getattr(self.behavior, hook.value)(self)
        except Exception:
            self._broke(Failure())
            return True
        if result is None or isinstance(result, bool):
            self._settle(result)
            self._tell()
            return True
        waits = self._running.start(result, self._settle, self._broke, lambda: self._gone)
        self._tell()
        # What was said of it may have ended the link.
        if not (waits and self._running.busy):
            return True
        if self.released:
            # It has taken its own rule away, and waits all the same.
            self._let_go()
            return True
        self._running.and_then(then)
        return False

    def edited(self, edit: Edit | None, data: bytes) -> bytes | Cut:
        """A frame, as a hook wants it to be."""
        if edit is None:
            return data
        try:
            made = edit(data)
            if isinstance(made, Missed):
                self.response_edit = None
                self._broke(Failure(NotLegal(made.why)))
                made = made.data
            return _checked(made)
        except Exception:
            self.request_edit = self.response_edit = None
            self._broke(Failure())
            return data

    def release(self) -> None:
        """The rule was taken away: stop waiting and go on, whatever the hook does."""
        self.released = True
        if not self.exchange.sent:
            self.request_edit = None
        if not self.passed_on:
            self.response_edit = None
        self._waits.wake_all()
        if self._running.busy:
            # It waits for something else, or again: the exchange goes on without it.
            then = self._let_go()
            if then is not None:
                then()

    def _let_go(self) -> Callable[[], None] | None:
        """The exchange goes on without the hook that waits; what would have been done after it."""
        then = self.abandon()
        self._give_back()
        return then

    def _give_back(self) -> None:
        """A hook has swallowed the reply, and does not come to what it meant to do instead."""
        if self.request_gone or not self.response_gone or self.answer is not None:
            return
        if self.began:
            # The client will never have this reply, and would take the next one for it.
            self.link.close()
        else:
            self.response_gone = False

    def abandon(self) -> Callable[[], None] | None:
        """Nobody needs this hook any more: cancel it. What would have been done after it."""
        self.hook = None
        self._gone = True
        return self._running.cancel()

    def detach(self) -> None:
        """The hook that runs at this moment has ended its own exchange: let it run out."""
        self._running.detach()
        self._gone = True

    def _tell(self) -> None:
        """Tell of what the first hook did, or has begun to do."""
        if self._telling is None:
            self._telling = len(self.did)
            self.link.fired(self)

    def retire(self) -> None:
        """Nothing more will be done to this exchange."""
        self.abandon()
        self._tell()
        if self._telling is not None and len(self.did) > self._telling:
            self.link.acted(self, self.did[self._telling :])
            self._telling = len(self.did)
        self.activation.live.discard(self)

    def _settle(self, result: bool | None) -> None:
        self.hook = None
        if result is False:
            self.stopped = True

    def _broke(self, failure: Failure) -> None:
        self.stopped = True
        if failure.check(NotLegal):
            self.activation.count_misfire(self._tally, failure.getErrorMessage())
            # What waited before it found out has done something: the rule has had its turn.
            self.missed = self.hook is Hook.BEFORE and not self.did and not self._running.busy
            if self.missed:
                self.activation.count_match(self._tally, -1)
            self.hook = None
            told, self._telling = self._telling is not None, len(self.did)
            self.link.misfired(self, failure.getErrorMessage(), told)
        else:
            self.hook = None
            self._tell()
            log.failure("behavior {name} failed; the exchange goes on", failure, name=self.behavior.name)
            # Its words may be anybody's; the log has them.
            self._give_back()
            self.link.broke(self, f"{type(failure.value).__name__} in {self.behavior.name}")


def _shown(exchange: Exchange) -> str:
    """What an exchange is called where secrets may not be."""
    return exchange.message.log_fields().get("verb", "this")


def _checked(made: object) -> bytes | Cut:
    """What an edit made of a frame, if it can be sent."""
    if isinstance(made, (bytes, Cut)):
        return made
    if isinstance(made, (bytearray, memoryview)):
        return bytes(made)
    raise TypeError(f"an edit returns bytes or a Cut, not {type(made).__name__}")
