"""What memcached says in the text protocol when something is wrong, as it words it.

From proto_text.c of memcached 1.6. `SERVER_ERROR backend failure` is what it says as a proxy.
"""

from __future__ import annotations

from collections.abc import Callable

from txvaurien.protocols.memcache.commands import Answer, TextRequest, words_of
from txvaurien.protocols.memcache.words import STORES, Unsayable, one_line

_Words = Callable[[TextRequest, str], bytes]

_VALUES = (*STORES, "CAS", "MS")
_GETS = ("GET", "GETS", "BGET", "GAT", "GATS")


def text_answer(request: TextRequest, kind: str, text: str) -> bytes:
    """What is said to `request`; nothing where memcached keeps it to itself (``noreply``, ``q``).

    :raises Unsayable: memcached does not say this to this request.
    """
    words = (_ANY_LINE if request.malformed else _TEXT).get(kind)
    if words is None or request.verb == "QUIT":
        raise Unsayable
    said = words(request, text)
    if request.answer is Answer.NOTHING:
        if kind == "error":
            # A command line that it does not understand is answered in spite of a `noreply`.
            raise Unsayable
        return b""
    return said + b"\r\n" if said else b""


def _error(request: TextRequest, text: str) -> bytes:
    return b"ERROR"


def _client_error(request: TextRequest, text: str) -> bytes:
    return b"CLIENT_ERROR " + one_line(text or "bad command line format")


def _server_error(request: TextRequest, text: str) -> bytes:
    return b"SERVER_ERROR " + one_line(text or "backend failure")


def _auth_error(request: TextRequest, text: str) -> bytes:
    return b"CLIENT_ERROR unauthenticated"


_MEMORY = {
    **dict.fromkeys(_VALUES, b"SERVER_ERROR out of memory storing object"),
    **dict.fromkeys(("INCR", "DECR", "MA"), b"SERVER_ERROR out of memory"),
    **dict.fromkeys(_GETS, b"SERVER_ERROR out of memory writing get response"),
    "STATS": b"SERVER_ERROR out of memory writing stats",
}


def _out_of_memory(request: TextRequest, text: str) -> bytes:
    return _known(_MEMORY, request.verb)


def _too_large(request: TextRequest, text: str) -> bytes:
    return _known(dict.fromkeys(_VALUES, b"SERVER_ERROR object too large for cache"), request.verb)


def _busy(request: TextRequest, text: str) -> bytes:
    if request.verb == "LRU_CRAWLER" and request.target in ("crawl", "metadump", "mgdump"):
        return b"BUSY currently processing crawler request"
    if request.verb == "SLABS" and request.target == "reassign":
        return b"BUSY currently processing reassign request"
    raise Unsayable


_MISS = {
    **dict.fromkeys(_GETS, b"END"),
    **dict.fromkeys(("CAS", "INCR", "DECR", "TOUCH", "DELETE"), b"NOT_FOUND"),
    **dict.fromkeys(("MS", "MD", "MA"), b"NF"),
    **dict.fromkeys(("MG", "ME"), b"EN"),
}


def _miss(request: TextRequest, text: str) -> bytes:
    verb = request.verb
    if (verb == "MS" and request.flag(b"C") is None) or (verb == "MA" and request.flag(b"N") is not None):
        raise Unsayable
    if verb == "MG" and request.quiet:
        return b""
    return _known(_MISS, verb) + _echo(request)


def _not_stored(request: TextRequest, text: str) -> bytes:
    if request.verb == "MS":
        return b"NS" + _echo(request)
    return _known(dict.fromkeys(STORES, b"NOT_STORED"), request.verb)


def _exists(request: TextRequest, text: str) -> bytes:
    if request.verb in ("MS", "MD", "MA") and request.flag(b"C") is not None:
        return b"EX" + _echo(request)
    return _known({"CAS": b"EXISTS"}, request.verb)


def _echo(request: TextRequest) -> bytes:
    """The flags that a meta reply without an item repeats: the opaque, and the key if asked for."""
    if request.command.answer is not Answer.META or request.verb == "ME":
        return b""
    words = words_of(request.line)
    said = []
    for word in words[2:]:
        if word[:1] == b"O":
            said.append(word)
        elif word == b"k":
            said.append(b"k" + words[1] + (b" b" if b"b" in words[2:] else b""))
        elif word == b"c" and request.verb == "MS":
            said.append(b"c0")
    return b"".join(b" " + word for word in said)


_ANY_LINE: dict[str, _Words] = {
    "error": _error,
    "client-error": _client_error,
    "server-error": _server_error,
    "auth-error": _auth_error,
}

_TEXT: dict[str, _Words] = {
    **_ANY_LINE,
    "out-of-memory": _out_of_memory,
    "too-large": _too_large,
    "busy": _busy,
    "miss": _miss,
    "not-stored": _not_stored,
    "exists": _exists,
}


def _known(words: dict[str, bytes], verb: str) -> bytes:
    if verb not in words:
        raise Unsayable
    return words[verb]
