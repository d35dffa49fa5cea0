"""What servers are asked that do not speak first. Each question goes over a connection of its own.

The order is part of it: what is most probable first, so that others are not asked at all. A server that
does not understand a question answers with an error, or closes; some log that.

- PostgreSQL is asked whether it has TLS (manual, "SSL Session Encryption"), which it does not log.
- Redis gets PING. HTTP's ``Host:`` would have it log a possible attack, so HTTP is asked as of version 1.0,
  which needs no such line.
- HTTP is asked for its OPTIONS in general (RFC 9110, 9.3.7), which no resource hears of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from txvaurien.doctor.answers import CLUSTER, PORTS, SENTINEL, Seen, understood
from txvaurien.doctor.reaching import Talk, Way
from txvaurien.doctor.tlsprobe import offers_tls

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
_BINARY_VERSION = bytes.fromhex("800b") + bytes(22)


def _ask(way: Way, question: bytes, limit: float) -> bytes:
    with way.talk() as talk:
        talk.say(question)
        return talk.hear(limit)


def _heard(data: bytes) -> Seen | None:
    found = understood(data)
    return None if found is None else found[0]


def postgresql(way: Way, limit: float) -> Seen | None:
    """A server of PostgreSQL answers with one letter."""
    answer = _ask(way, _SSL_REQUEST, limit)
    if answer in {b"S", b"N"}:
        return Seen("postgresql", "PostgreSQL")
    return _heard(answer)


def redis(way: Way, limit: float) -> Seen | None:
    """Redis answers to PING, if only that it wants a password; then it is asked what it is."""
    with way.talk() as talk:
        talk.say(b"*1\r\n$4\r\nPING\r\n")
        answer = talk.hear(limit)
        seen = _heard(answer)
        if seen is None or not answer.startswith(b"+PONG"):
            return seen
        talk.say(b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n")
        return _of_info(seen, talk, limit)


def _of_info(seen: Seen, talk: Talk, limit: float) -> Seen:
    said = talk.hear(limit, ends=b"\n")
    head, _, begun = said.partition(b"\r\n")
    if head.startswith(b"$") and head[1:].isdigit():
        said = begun + talk.hear(limit, size=int(head[1:]) - len(begun))
    lines = (line.partition(":") for line in said.decode("utf-8", "replace").splitlines())
    facts = {name: value.strip() for name, _, value in lines}
    mode = facts.get("redis_mode", "")
    words = f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else ""
    words = words or (f"Redis {facts['redis_version']}" if "redis_version" in facts else "Redis")
    return replace(seen, words=words, traits=seen.traits | ({mode} & {CLUSTER, SENTINEL}))


def memcache(way: Way, limit: float) -> Seen | None:
    """memcached says its version."""
    return _heard(_ask(way, b"version\r\n", limit))


def memcache_binary(way: Way, limit: float) -> Seen | None:
    """With SASL it takes nothing but the binary protocol."""
    return _heard(_ask(way, _BINARY_VERSION, limit))


def tls(way: Way, limit: float) -> Seen | None:
    """A server of TLS shakes hands, or says in its own way that it does not like ours."""
    return Seen("tls", "TLS") if offers_tls(way, limit) else None


def http(way: Way, limit: float) -> Seen | None:
    """A web server answers with a status line. What dislikes HTTP without TLS says so in HTTP."""
    answer = _ask(way, b"OPTIONS * HTTP/1.0\r\n\r\n", limit)
    seen = _heard(answer)
    if seen is not None and seen.protocol == "http" and answer.split(b" ", 2)[1:2] == [b"400"]:
        return tls(way, limit) or seen
    return seen


Probe = Callable[[Way, float], "Seen | None"]

#: In the order in which they are asked where nothing speaks for one of them.
PROBES: Mapping[str, Probe] = MappingProxyType(
    {"postgresql": postgresql, "redis": redis, "memcache": memcache, "tls": tls, "http": http}
)

#: What is asked behind it of what is expected.
_FURTHER: Mapping[str, Sequence[Probe]] = MappingProxyType({"memcache": (memcache_binary,)})


def in_order(expected: str, port: int) -> Sequence[Probe]:
    """Every probe, what is expected first, then what usually has this port."""
    first = [name for name in (expected, PORTS.get(port, "")) if name in PROBES]
    likely = [probe for name in dict.fromkeys(first) for probe in (PROBES[name], *_FURTHER.get(name, ()))]
    return [*likely, *(probe for name, probe in PROBES.items() if name not in first)]
