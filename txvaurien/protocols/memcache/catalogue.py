"""The catalogue: what memcached says when something is wrong, in whichever protocol it was asked."""

from __future__ import annotations

from collections.abc import Sequence

from txvaurien.model import ErrorKind, Exchange, Where
from txvaurien.protocols.memcache.binary import BinaryRequest
from txvaurien.protocols.memcache.binary_words import binary_answer, binary_closes
from txvaurien.protocols.memcache.commands import Answer, TextRequest
from txvaurien.protocols.memcache.text_words import text_answer
from txvaurien.protocols.memcache.words import Unsayable

TOO_MANY = "too-many-connections"

#: What is said on connect; the server does not know yet which protocol the client speaks.
TOO_MANY_LINE = b"ERROR Too many open connections\r\n"

ERROR_KINDS = (
    ErrorKind("error", Where.COMMAND, "ERROR, unknown command"),
    ErrorKind(
        "client-error", Where.COMMAND, "CLIENT_ERROR with a text; binary: invalid arguments, and closes"
    ),
    ErrorKind("server-error", Where.COMMAND, "SERVER_ERROR with a text; binary: internal error"),
    ErrorKind("out-of-memory", Where.COMMAND, "no memory to store, or to answer"),
    ErrorKind("too-large", Where.COMMAND, "the value is too large for the cache"),
    ErrorKind("busy", Where.COMMAND, "BUSY; in the text protocol only for lru_crawler and slabs"),
    ErrorKind("temporary-failure", Where.COMMAND, "temporary failure, of the binary protocol only"),
    ErrorKind("miss", Where.COMMAND, "as if the key were not there"),
    ErrorKind("not-stored", Where.COMMAND, "not stored, without being an error"),
    ErrorKind("exists", Where.COMMAND, "somebody else has changed the item since (cas)"),
    ErrorKind(
        "auth-error", Where.COMMAND, "not logged in, or refused; binary: closes unless SASL", drawn=False
    ),
    ErrorKind(TOO_MANY, Where.CONNECT, "too many open connections, then closed"),
)


def closes(exchange: Exchange, kind: str) -> bool:
    """Whether memcached closes the connection after saying this."""
    request = exchange.request
    return isinstance(request, BinaryRequest) and binary_closes(request, kind)


def answer(exchange: Exchange, kind: str, text: str) -> bytes:
    """What is said to a request of either protocol; nothing where memcached keeps silent.

    :raises Unsayable: memcached does not say this to this request.
    """
    request = exchange.request
    if isinstance(request, BinaryRequest):
        return binary_answer(request, kind, text)
    if not isinstance(request, TextRequest) or (exchange.sent and request.answer is Answer.WATCH):
        # The backend that was told to watch takes no more commands.
        raise Unsayable
    return text_answer(request, kind, text)


def sayable(exchange: Exchange) -> Sequence[str]:
    """The names of the kinds that memcached says to a request, in the order of the catalogue."""
    return [kind.name for kind in ERROR_KINDS if _says(exchange, kind.name)]


def _says(exchange: Exchange, kind: str) -> bool:
    try:
        answer(exchange, kind, "")
    except Unsayable:
        return False
    return True
