"""Which protocol a server speaks, found out by talking to it, gently and within bounds."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from txvaurien.doctor import mysqlprobe
from txvaurien.doctor.answers import CONFUSED, GREETING, OFFERS_TLS, PORTS, Seen, understood
from txvaurien.doctor.probes import in_order, tls
from txvaurien.doctor.reaching import Attempt, Talk, Way, explain
from txvaurien.doctor.tlsprobe import Terms


@dataclass(frozen=True)
class WaitLimits:
    """How long each thing is waited for, in seconds.

    :param greeting: a server may speak first.
    :param expected: a server that should speak first has not yet.
    :param answer: a question may be answered.
    """

    greeting: float = 1.0
    expected: float = 10.0
    answer: float = 2.0


def greet(way: Way, expected: str, waits: WaitLimits, *, wait: bool = True) -> tuple[Attempt, Seen | None]:
    """Connect, and wait for a greeting.

    :param expected: the protocol that is configured.
    :param wait: whether there may be a greeting, of which is taken leave.
    """
    began = time.monotonic()
    try:
        with way.talk() as talk:
            reached = Attempt(way.place, time.monotonic() - began)
            likely = {expected, PORTS.get(_port(way), "")} & GREETING
            limit = waits.expected if likely else waits.greeting
            return reached, _greeted(way, talk, limit, waits.answer) if wait else None
    except OSError as error:
        return Attempt(way.place, time.monotonic() - began, explain(error)), None


def recognise(way: Way, expected: str, waits: WaitLimits) -> Seen | None:
    """What a server is that has not said a word by itself; None if nobody can tell."""
    for probe in in_order(expected, _port(way)):
        if probe is tls and way.context is not None:
            continue
        with suppress(OSError):
            seen = probe(way, waits.answer)
            if seen is not None:
                return _with_inside(way, seen, expected, waits)
    return None


def _with_inside(way: Way, seen: Seen, expected: str, waits: WaitLimits) -> Seen:
    """What speaks TLS speaks something else within it."""
    if seen.protocol != "tls" or way.context is not None:
        return seen
    within = replace(way, context=Terms().with_whomever())
    _, inside = greet(within, expected, waits)
    return replace(seen, inside=inside or recognise(within, expected, waits))


def _greeted(way: Way, talk: Talk, limit: float, answer: float) -> Seen | None:
    heard = talk.hear(limit)
    if heard and len(heard) < _LEAST:
        heard += talk.hear(answer, size=_LEAST - len(heard))
    if heard and mysqlprobe.is_packet(heard):
        return mysqlprobe.greeted(talk, heard, answer)
    found = understood(heard)
    if found is None:
        return Seen("unknown", "a server that speaks first") if heard else None
    seen, goodbye = found
    if seen.protocol in _MAIL:
        return _mail(way, talk, heard, seen, answer)
    talk.say(goodbye)
    return seen


#: What it takes at least to tell who speaks, in bytes.
_LEAST = 5

#: What may be mail: by its words, or by the number alone with which it begins (FTP has the same).
_MAIL = frozenset({"smtp", "220"})


def _mail(way: Way, talk: Talk, heard: bytes, seen: Seen, limit: float) -> Seen:
    """Ask a mail server what it can, and take leave (RFC 5321, 3.1 and 3.8)."""
    if not heard.startswith(b"2"):
        talk.say(b"QUIT\r\n")
        return replace(seen, protocol="smtp", words="a mail server", trouble=seen.words)
    heard += _reply(talk, limit) if not _complete(heard) else b""
    word = b"LHLO" if b"LMTP" in heard.upper() else b"EHLO"
    talk.say(word + b" " + _literal(way).encode() + b"\r\n")
    answer = _reply(talk, limit)
    talk.say(b"QUIT\r\n")
    talk.hear(limit, ends=b"\n")
    if seen.protocol == "220" and not answer.startswith(b"250"):
        return replace(seen, protocol="unknown")
    lines = {line[4:].strip().upper() for line in answer.splitlines()}
    traits = {OFFERS_TLS} if b"STARTTLS" in lines else set()
    # A second reply was there before the first word was said; or the one to that is not of those to EHLO.
    if {line[:3] for line in heard.splitlines()} != {heard[:3]} or not answer.startswith(b"250"):
        traits.add(CONFUSED)
    words = seen.words.replace(_BY_NUMBER, "a mail server")
    return replace(seen, protocol="smtp", words=words, traits=frozenset(traits))


_BY_NUMBER = "a server that begins with a number"


def _reply(talk: Talk, limit: float) -> bytes:
    """All lines of a reply: the last one has a space behind its number (RFC 5321, 4.2.1)."""
    heard, deadline = b"", time.monotonic() + limit
    while not _complete(heard):
        more = talk.hear(deadline - time.monotonic())
        if not more:
            break
        heard += more
    return heard


def _complete(heard: bytes) -> bool:
    last = heard.rpartition(b"\n")[0].rpartition(b"\n")[2]
    return heard.endswith(b"\n") and last[3:4] != b"-"


def _literal(way: Way) -> str:
    """What we call ourselves (RFC 5321, 4.1.3): the loopback, because the name is nobody's business."""
    return "[IPv6:::1]" if way.place[0] == socket.AF_INET6 else "[127.0.0.1]"


def _port(way: Way) -> int:
    family, address = way.place
    return 0 if family == socket.AF_UNIX else int(address[1])
