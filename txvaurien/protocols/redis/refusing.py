"""What can be refused where, and what both sides are told so that they go on in step."""

from __future__ import annotations

from collections.abc import Sequence

from txvaurien.errors import NotLegal
from txvaurien.model import Connect, Exchange, Refusal, Then, Where
from txvaurien.protocols.redis import catalogue
from txvaurien.protocols.redis.asking import DISCARD, Asking, Queued, is_exec
from txvaurien.protocols.redis.catalogue import Asked
from txvaurien.protocols.redis.commands import Command
from txvaurien.protocols.redis.forecast import ENDING, IMMEDIATE, PUBSUB
from txvaurien.protocols.redis.heads import first_word
from txvaurien.protocols.redis.messages import Request
from txvaurien.protocols.redis.pending import Swallowed

#: A command of no words. It is not answered, and it is the next command that SKIP is for.
_EMPTY = b"*0\r\n"

#: What changes the connection: what has been done cannot be taken for refused.
_STATEFUL = PUBSUB | frozenset(
    b"SELECT HELLO AUTH RESET QUIT MONITOR EXEC CLIENT DISCARD WATCH UNWATCH"
    b" ASKING READONLY READWRITE SYNC PSYNC".split()
)


def legal(asking: Asking, exchange: Exchange) -> Sequence[str]:
    """The kinds that can be said to this exchange now."""
    request = exchange.request
    if isinstance(request, Connect):
        return [kind.name for kind in catalogue.KINDS if kind.where is Where.CONNECT]
    if not isinstance(request, Request) or not request.args:
        return ()
    may = _may_deny if exchange.sent else _may_keep_back
    return catalogue.legal(_asked(request)) if may(asking, exchange, request) else ()


def refuse(asking: Asking, exchange: Exchange, kind: str, text: str) -> Refusal:
    """Say `kind` in place of the backend. See `ISession.refuse`."""
    if kind not in legal(asking, exchange):
        raise NotLegal(f"{kind} cannot be said to {exchange.message.log_fields().get('verb', 'this')} here")
    request = exchange.request
    if not isinstance(request, Request):
        return Refusal(catalogue.say(kind, Asked(Command("", ""), (), ()), text), then=Then.CLOSE)
    said = catalogue.say(kind, _asked(request), text)
    if exchange.sent:
        return Refusal(said if exchange.replies else b"", _deny(asking, exchange, request))
    # The server says no more of an error than of anything else.
    quiet = asking.forecast.quiet
    return Refusal(b"" if quiet else said, _keep_back(asking, exchange))


def _may_keep_back(asking: Asking, exchange: Exchange, request: Request) -> bool:
    # An error where the client was to get nothing goes out at once: it must be its turn already.
    return exchange.replies or asking.forecast.quiet or len(asking.matcher.pending) <= 1


def _may_deny(asking: Asking, exchange: Exchange, request: Request) -> bool:
    """Whether the backend can have done it, and the client go on as if it had not."""
    word = first_word(request.raw)
    if not isinstance(request, Queued):
        return word not in _STATEFUL and (word != b"MULTI" or asking.opens(exchange))
    # Too late once the transaction was carried out, or told to be.
    behind = asking.undecided
    over = behind is not None and behind is not exchange and _ends(behind)
    return word not in IMMEDIATE and request.transaction is asking.forecast.transaction and not over


def withdraw(asking: Asking, exchange: Exchange) -> bytes:
    """The backend does not get this request; what it is told in its place. See `ISession.withdraw`."""
    forecast = asking.forecast
    request = exchange.request
    quiet = forecast.quiet
    asking.forget(exchange)
    told = b""
    if isinstance(request, Queued) and is_exec(request):
        told = DISCARD
        forecast.transaction = None
        if not quiet:
            asking.matcher.expect(Swallowed(None, b"DISCARD"))
    if forecast.skipping:
        # The client takes this for the command that was not to be answered; so must the backend.
        told = told or _EMPTY
        forecast.skipping = False
    asking.review()
    return told


def _keep_back(asking: Asking, exchange: Exchange) -> bytes:
    told = withdraw(asking, exchange)
    if asking.forecast.transaction is not None:
        # As flagTransaction() does (multi.c).
        asking.forecast.transaction.dirty = True
    asking.review()
    return told


def _deny(asking: Asking, exchange: Exchange, request: Request) -> bytes:
    """The backend has this request; what it is told to have it undone."""
    forecast = asking.forecast
    told = b""
    if isinstance(request, Queued):
        request.transaction.dirty = True
    elif first_word(request.raw) == b"MULTI":
        told = DISCARD
        asking.undecided = None
        forecast.transaction = None
        forecast.skipping = False
        if not forecast.muted:
            asking.matcher.expect(Swallowed(None, b"DISCARD"))
    asking.review()
    return told


def _asked(request: Request) -> Asked:
    """The request, as far as the catalogue wants to know it."""
    if isinstance(request, Queued) and is_exec(request):
        return request.transaction.executed(request.args)
    return Asked(request.command, request.keys[:2], request.args, isinstance(request, Queued))


def _ends(exchange: Exchange) -> bool:
    """Whether this request ends a transaction."""
    return isinstance(exchange.request, Request) and first_word(exchange.request.raw) in ENDING
