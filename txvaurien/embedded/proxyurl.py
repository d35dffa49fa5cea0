"""Where a service is, out of the URL or DSN that its clients use; and the same URL for a proxy.

URLs are those of RFC 3986 with an authority (``redis://``, ``mysql+pymysql://``, ``jdbc:mysql://`` ...); a
DSN is a connection string of libpq ("host=... port=...", section 34.1.1.1 of PostgreSQL's manual). All that
stands in them apart from host and port is left as it is, character by character; but for the scheme where a
service is spoken with over TLS (``rediss``) and the proxy is not, or the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from txvaurien.errors import ConfigError
from txvaurien.net.peers import host_port

#: The ports of schemes, as their registrations and clients have them.
_PORTS = {
    "amqp": 5672,
    "amqps": 5671,
    "ftp": 21,
    "http": 80,
    "https": 443,
    "imap": 143,
    "imaps": 993,
    "kafka": 9092,
    "ldap": 389,
    "ldaps": 636,
    "mariadb": 3306,
    "memcache": 11211,
    "memcached": 11211,
    "mongodb": 27017,
    "mqtt": 1883,
    "mqtts": 8883,
    "mysql": 3306,
    "mysqlx": 33060,
    "nats": 4222,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "sentinel": 26379,
    "smtp": 25,
    "smtps": 465,
    "stomp": 61613,
    "valkey": 6379,
    "valkeys": 6379,
    "ws": 80,
    "wss": 443,
}

#: Schemes of what is encrypted from the first byte on, and of the same without TLS.
_PLAIN = {
    "amqps": "amqp",
    "https": "http",
    "imaps": "imap",
    "ldaps": "ldap",
    "mqtts": "mqtt",
    "rediss": "redis",
    "smtps": "smtp",
    "valkeys": "valkey",
    "wss": "ws",
}
_SECURE = {plain: secure for secure, plain in _PLAIN.items()}

#: What begins the URL of a service of which only host and port are known, by its protocol.
_SCHEMES = {"http": "http", "memcache": "memcached", "mysql": "mysql", "redis": "redis", "smtp": "smtp"}

_URL = re.compile(
    r"(?P<jdbc>(?:jdbc:)?)(?P<scheme>[A-Za-z][A-Za-z0-9.-]*)(?P<driver>(?:\+[A-Za-z0-9+.-]*)?)://(?P<rest>.*)",
    re.DOTALL,
)
_AUTHORITY = re.compile(r"[^/?#]*")
_HOST_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\],]*)(?::(?P<port>\d*))?")
_PAIR = re.compile(r"\s*(?P<key>\w+)\s*=\s*(?P<value>'(?:\\.|[^'\\])*'|(?:\\.|[^\s'\\])*)(?=\s|$)", re.DOTALL)

#: At least one of these stands in every DSN. Others have strings that look the same (``Server=db;Port=1``).
_LIBPQ = frozenset({"host", "hostaddr", "port", "dbname", "user"})

_POSTGRES_PORT = 5432
_HIGHEST_PORT = 65535


class Talk(Enum):
    """How clients speak with what stands in the place of a service."""

    SAME = "as the service is spoken with"
    TLS = "TLS from the first byte on"
    PLAIN = "without TLS"


@dataclass(frozen=True)
class Target:
    """A service, as its clients address it.

    :param address: ``host:port``, or an endpoint string of Twisted: ``tls:host:port`` for a URL of TLS.
    """

    address: str
    _at: Callable[[str, Talk], str]

    def at(self, address: str, talk: Talk = Talk.SAME) -> str:
        """The same URL or DSN with this ``host:port``.

        :param talk: how clients speak there; its scheme says so, where there are two.
        """
        return self._at(address, talk)


def parse_target(text: str, where: str = "backend", protocol: str = "tcp") -> Target:
    """What a user gave as the place of a service: a URL, a DSN, or an address.

    :param where: what an error names.
    :param protocol: what is spoken there, for the URL of a plain address.
    :raises ConfigError: it is a URL or a DSN, and does not name exactly one host and port.
    """
    text = text.strip()
    url = _URL.fullmatch(text)
    if url is not None:
        return _of_url(url, text, where)
    if _PAIR.match(text) and not text.startswith(("unix:", "tls:", "tcp:", "ssl:")):
        return _of_dsn(text, where)
    scheme = _SCHEMES.get(protocol, "tcp")
    return Target(text, lambda address, talk: f"{_scheme_for(scheme, talk)}://{address}")


def _scheme_for(scheme: str, talk: Talk) -> str:
    """The scheme for this way to speak; one that is the only one of its kind stays, as it is written."""
    others = {Talk.SAME: {}, Talk.TLS: _SECURE, Talk.PLAIN: _PLAIN}[talk]
    return others.get(scheme.lower(), scheme)


def _of_url(url: re.Match[str], text: str, where: str) -> Target:
    scheme, driver = url["scheme"].lower(), url["driver"].lower().removeprefix("+")
    if driver == "srv":
        raise ConfigError(
            where, f"{hidden(text)!r} is looked up in DNS (SRV)", f"name one server: {scheme}://host:port"
        )
    if "unix" in {scheme, driver}:
        raise ConfigError(where, f"{hidden(text)!r} is the URL of a socket", "write it as unix:/path")
    rest = url["rest"]
    found = _AUTHORITY.match(rest)
    authority = found[0] if found is not None else ""
    user, at, place = authority.rpartition("@")
    tail = rest[len(authority) :]
    if not place:
        place, tail = _from_query(tail, text, where)
    host, port = _host_and_port(place, _PORTS.get(scheme), text, where)

    def moved(address: str, talk: Talk) -> str:
        before = f"{url['jdbc']}{_scheme_for(url['scheme'], talk)}{url['driver']}"
        return f"{before}://{user}{at}{address}{tail}"

    return Target(_endpoint(scheme, host, port), moved)


def _endpoint(scheme: str, host: str, port: int) -> str:
    if scheme not in _PLAIN:
        return host_port(host, port)
    escaped = host.replace(":", "\\:")
    return f"tls:{escaped}:{port}"


def _from_query(tail: str, text: str, where: str) -> tuple[str, str]:
    """The place that libpq and SQLAlchemy take from ``?host=...&port=...``, and the tail without them."""
    parts = urlsplit(tail)
    query = parse_qsl(parts.query, keep_blank_values=True)
    said = dict(query)
    host = said.get("host", "")
    if not host or host.startswith("/"):
        raise ConfigError(
            where, f"{hidden(text)!r} names no host", "give one, with its port: scheme://host:port"
        )
    kept = [pair for pair in query if pair[0] not in {"host", "port"}]
    place = f"[{host}]" if ":" in host and not host.startswith("[") and host.count(":") > 1 else host
    port = said.get("port", "")
    return (f"{place}:{port}" if port else place), parts._replace(query=urlencode(kept)).geturl()


def _host_and_port(place: str, default: int | None, text: str, where: str) -> tuple[str, int]:
    match = _HOST_PORT.fullmatch(place)
    if match is None:
        raise ConfigError(
            where, f"{hidden(text)!r} does not name one host and port", "a proxy is for one of them"
        )
    host = unquote(match["host"].strip("[]"))
    if not host or "/" in host:
        raise ConfigError(
            where, f"{hidden(text)!r} names no host", "give one, with its port: scheme://host:port"
        )
    port = int(match["port"]) if match["port"] else default
    if port is None:
        raise ConfigError(where, f"{hidden(text)!r} names no port", "give it: scheme://host:port")
    if not 0 < port <= _HIGHEST_PORT:
        raise ConfigError(where, f"there is no port {port}", f"ports are 1 to {_HIGHEST_PORT}")
    return host, port


def _of_dsn(text: str, where: str) -> Target:
    pairs = _pairs(text, where)
    said = {key: value for key, value, _ in pairs}
    if not _LIBPQ.intersection(said):
        raise ConfigError(where, f"{hidden(text)!r} is no DSN of libpq", "write host=localhost port=5432")
    host = said.get("hostaddr") or said.get("host") or "localhost"
    port = said.get("port") or str(_POSTGRES_PORT)
    if "," in host or "," in port or host.startswith(("/", "@")) or not port.isdecimal():
        raise ConfigError(
            where, f"{hidden(text)!r} does not name one host and port", "write host=localhost port=5432"
        )
    kept = [whole for key, _, whole in pairs if key not in {"host", "hostaddr", "port"}]

    def at(address: str, talk: Talk) -> str:
        del talk
        new_host, _, new_port = address.rpartition(":")
        return " ".join([f"host={new_host.strip('[]')}", f"port={new_port}", *kept])

    return Target(host_port(*_host_and_port(host_port(host, port), None, text, where)), at)


def _pairs(text: str, where: str) -> list[tuple[str, str, str]]:
    """The pairs of a DSN: name, value, and both as they are written."""
    found: list[tuple[str, str, str]] = []
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            raise ConfigError(where, f"{hidden(text)!r} cannot be read", "write host=localhost port=5432")
        value = match["value"]
        plain = value[1:-1] if value.startswith("'") else value
        found.append((match["key"], re.sub(r"\\(.)", r"\1", plain, flags=re.DOTALL), match[0].strip()))
        position = match.end()
    return found


def hidden(text: str) -> str:
    """A URL or DSN without its password, for errors."""
    text = re.sub(r"(://[^/?#@]*?:)[^/?#]*@", r"\1***@", text)
    return re.sub(r"(password\s*=\s*)('(?:\\.|[^'\\])*'|[^\s&]+)", r"\1***", text, flags=re.IGNORECASE)
