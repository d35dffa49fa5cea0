"""What a server's words tell about its protocol, whatever it was asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: What is shown of a server's own words at most, in characters.
_SHOWN = 80

#: The server's offer of TLS within its protocol.
OFFERS_TLS = "offers TLS"
#: Of the ways of compressing, that for which Python needs a package.
OFFERS_ZSTD = "offers zstd"
CLUSTER = "cluster"
SENTINEL = "sentinel"
#: It asks for a password before it says more.
WANTS_PASSWORD = "wants a password"
#: It does not answer to what it was asked, as if it had heard something else before that.
CONFUSED = "is confused"

#: The protocol that everything can be proxied with.
RAW = "tcp"


@dataclass(frozen=True)
class Seen:
    """A server that was recognised.

    :param protocol: the name of ours where we have it (``redis``), else a common one (``ssh``).
    :param words: what it is, for people: ``MariaDB 10.11.6``.
    :param traits: what of it matters to a proxy.
    :param trouble: why it does not serve anybody, in its own words; ``""`` if it does.
    :param inside: what it speaks within TLS, where `protocol` is ``tls``.
    """

    protocol: str
    words: str
    traits: frozenset[str] = field(default=frozenset())
    trouble: str = ""
    inside: Seen | None = None


@dataclass(frozen=True)
class _Sign:
    """How the words of a server begin, and what it is then.

    :param goodbye: what ends the conversation in an orderly way.
    """

    begins: re.Pattern[bytes]
    protocol: str
    words: str
    goodbye: bytes = b""
    describe: Callable[[bytes], str] = lambda data: ""


def shown(data: bytes) -> str:
    """The first line, without what a terminal would not show."""
    line = data.partition(b"\n")[0].decode("utf-8", "replace")
    return "".join(each if each.isprintable() else " " for each in line).strip()[:_SHOWN]


def _named(data: bytes) -> str:
    match = re.search(rb"^server:[ \t]*([^\r\n]+)", data, re.IGNORECASE | re.MULTILINE)
    return f" ({shown(match[1])})" if match else ""


def _quoted(data: bytes) -> str:
    return f" ({shown(data)})"


def _behind_version(data: bytes) -> str:
    return " " + shown(data.partition(b" ")[2])


# Greetings come first, answers after them. Sources: RFC 4253 (4.2), 5321 (4.2), 959 (5.4), 1939 (3),
# 9051 (7.1.1), 6143 (7.1.1), 9112 (4), 9113 (4.1), 8446 (6); the texts of redis-server (networking.c,
# server.c), memcached's doc/protocol.txt, the AMQP 0-9-1 specification (2.2.4).
_SIGNS = (
    _Sign(re.compile(rb"SSH-"), "ssh", "SSH", describe=_quoted),
    _Sign(re.compile(rb"(?s)[245]\d\d[ -].*(?i:SMTP|LMTP)"), "smtp", "a mail server", b"QUIT\r\n", _quoted),
    _Sign(re.compile(rb"(?s)220[ -].*(?i:FTP)"), "ftp", "FTP", b"QUIT\r\n", _quoted),
    _Sign(re.compile(rb"554[ -]"), "smtp", "a mail server", b"QUIT\r\n", _quoted),
    _Sign(re.compile(rb"[245]\d\d[ -]"), "220", "a server that begins with a number", b"QUIT\r\n", _quoted),
    _Sign(re.compile(rb"\+OK"), "pop3", "POP3", b"QUIT\r\n"),
    _Sign(re.compile(rb"\* (?:OK|PREAUTH|BYE)"), "imap", "IMAP", b"a LOGOUT\r\n"),
    _Sign(re.compile(rb"RFB \d{3}\."), "vnc", "VNC", describe=_quoted),
    _Sign(re.compile(rb"INFO \{"), "nats", "NATS"),
    _Sign(re.compile(rb"AMQP"), "amqp", "AMQP"),
    _Sign(re.compile(rb"(?s)..\0\0\x0b\x08\x05"), "mysqlx", "the X protocol of MySQL"),
    _Sign(re.compile(rb"HTTP/\d"), "http", "HTTP", describe=_named),
    _Sign(re.compile(rb"(?s)..[\x00-\xff][\x04\x07][\x00-\x01]\0\0\0\0"), "http2", "HTTP/2 without TLS"),
    _Sign(re.compile(rb"(?:VERSION )"), "memcache", "memcached", describe=_behind_version),
    _Sign(re.compile(rb"(?:ERROR|CLIENT_ERROR|SERVER_ERROR)\b"), "memcache", "memcached"),
    _Sign(re.compile(rb"\x81\x0b"), "memcache", "memcached (binary protocol)"),
    _Sign(re.compile(rb"\+PONG"), "redis", "Redis"),
    _Sign(re.compile(rb"[\x15\x16]\x03[\x00-\x04]"), "tls", "TLS"),
)

#: Errors of Redis, with which it takes no client at all.
_REDIS_REFUSES = re.compile(rb"-(?:DENIED|ERR max number of clients)")
_REDIS_ERROR = re.compile(rb"-[A-Z]+ ")


def understood(data: bytes) -> tuple[Seen, bytes] | None:
    """What speaks so, and how to take leave of it; None where that is not to be told."""
    for sign in _SIGNS:
        if sign.begins.match(data):
            return Seen(sign.protocol, sign.words + sign.describe(data)), sign.goodbye
    if _REDIS_REFUSES.match(data):
        return Seen("redis", "Redis", trouble=shown(data[1:])), b""
    if _REDIS_ERROR.match(data):
        password = frozenset({WANTS_PASSWORD}) if data.startswith(b"-NOAUTH") else frozenset()
        return Seen("redis", "Redis", password), b""
    return None


#: The ports of protocols that can be asked for, and of those that greet.
PORTS: Mapping[int, str] = MappingProxyType(
    {
        22: "ssh", 25: "smtp", 465: "tls", 587: "smtp", 2525: "smtp", 3306: "mysql",
        80: "http", 8000: "http", 8080: "http", 443: "tls", 8443: "tls",
        5432: "postgresql", 6379: "redis", 26379: "redis", 11211: "memcache",
    }
)  # fmt: skip

#: Those whose server speaks first, perhaps after having looked up the name of the client.
GREETING = frozenset({"mysql", "smtp", "ssh"})
