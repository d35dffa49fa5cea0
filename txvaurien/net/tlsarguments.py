"""``tls:`` and ``ssl:`` endpoint strings, read: how the proxy is to speak TLS with a backend or with clients.

Nothing here speaks TLS, or reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from txvaurien.net.endpoints import Description

#: What Twisted calls the arguments of these endpoint strings, and what they are called here.
_TWISTED = {
    "certificate": "cert",
    "certKey": "cert",
    "privateKey": "key",
    "trustRoots": "ca",
    "caCertsDir": "ca",
    "hostname": "name",
}
_OURS = ("verify", "ca", "cert", "key", "name")
_TO_CONNECT = ("host", "port", "timeout", "bindAddress", "endpoint")
_TO_LISTEN = ("port", "interface", "backlog", "privateKey", "certKey")
_BOOLEANS = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}

#: More digits than any number of a port has.
_LONGEST = 20

#: The kinds of endpoint strings that connect and speak TLS.
TLS_TYPES = frozenset({"tls", "ssl"})


class ArgumentError(ValueError):
    """Something that such an endpoint string cannot say. The text says what."""


@dataclass(frozen=True)
class BackendTlsArguments:
    """What a ``tls:`` backend says of TLS. What it leaves out (None) is as the options of the proxy say.

    :param name: the name that the certificate is for, and that SNI asks for; an address has none.
    :param verify: whether the certificate is verified.
    :param ca: a file, or a directory, with the authorities that are trusted.
    :param cert: a file with a certificate of the proxy's own, to be shown to the backend; `key` its key.
    :param plain: the endpoint string that connects, without TLS; ``""`` if host and port say it all.
    :param host: where to connect to, and `port`.
    """

    name: str
    verify: bool | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    plain: str = ""
    host: str = ""
    port: int = 0

    @property
    def files(self) -> bool:
        """Whether it names files."""
        return not self.ca is self.cert is self.key is None


def backend_arguments(described: Description) -> BackendTlsArguments:
    """What a ``tls:`` or ``ssl:`` endpoint string says.

    :raises ArgumentError: it cannot be.
    """
    given = dict(described.named)
    for name, value in zip(("host", "port"), described.positional, strict=False):
        given.setdefault(name, value)
    if len(described.positional) > len(("host", "port")):
        raise ArgumentError("it has too many parts")
    if not (described.exact and all(given.values())):
        raise ArgumentError("a part of it is empty; an IPv6 address stands in brackets, as in tls:[::1]:443")
    unknown = sorted(given.keys() - {*_TWISTED, *_OURS, *_TO_CONNECT})
    if unknown:
        raise ArgumentError(f"it has no argument {unknown[0]!r}")
    named = {_TWISTED.get(name, name): value for name, value in given.items()}
    lacking = [name for name in ("host", "port") if not named.get(name)]
    if lacking:
        raise ArgumentError(f"it lacks: {', '.join(lacking)}")
    # Python reads no number of thousands of digits.
    if not (named["port"].isdecimal() and len(named["port"]) < _LONGEST):
        raise ArgumentError(f"{named['port']!r} is not a number")
    if not int(named["port"]):
        raise ArgumentError("nothing can be reached at port 0")
    if "key" in named and "cert" not in named:
        raise ArgumentError("it has a key, and no certificate (cert)")
    return BackendTlsArguments(
        named.get("name") or named["host"],
        _verify(described.kind, named),
        named.get("ca"),
        named.get("cert"),
        named.get("key"),
        _plain(named),
        named["host"],
        int(named["port"]),
    )


def _verify(kind: str, named: Mapping[str, str]) -> bool | None:
    text = named.get("verify")
    if text is None:
        # What Twisted calls `ssl` knows nobody whom it could trust, unless it is told.
        return None if kind == "tls" or "ca" in named else False
    if text.lower() not in _BOOLEANS:
        raise ArgumentError(f"verify is yes or no, not {text!r}")
    return _BOOLEANS[text.lower()]


def _plain(named: Mapping[str, str]) -> str:
    if "endpoint" in named:
        return named["endpoint"]
    if "bindAddress" not in named and "timeout" not in named:
        return ""
    parts = ["tcp", named["host"].replace(":", "\\:"), named["port"]]
    parts += [f"{name}={named[name]}" for name in ("timeout", "bindAddress") if name in named]
    return ":".join(parts)


@dataclass(frozen=True)
class ListenTlsArguments:
    """What an ``ssl:`` endpoint string for listening says.

    :param plain: the endpoint string that listens, without TLS.
    :param cert: the file with the certificate.
    :param key: the file with its private key.
    """

    plain: str
    cert: str
    key: str


def listen_arguments(described: Description) -> ListenTlsArguments | None:
    """What an ``ssl:`` endpoint string says, in Twisted's arguments; None for what is left to Twisted."""
    given = dict(described.named)
    for name, value in zip(("port", "privateKey", "certKey"), described.positional, strict=False):
        given.setdefault(name, value)
    known = given.keys() <= {*_TO_LISTEN} and len(described.positional) <= len(("port", "key", "cert"))
    if described.kind != "ssl" or not known or not given.get("port", "").isdecimal():
        return None
    interface = given.get("interface", "")
    parts = ["tcp6" if ":" in interface else "tcp", given["port"]]
    if interface:
        parts.append("interface=" + interface.replace(":", "\\:"))
    if "backlog" in given:
        parts.append(f"backlog={given['backlog']}")
    key = given.get("privateKey", "server.pem")
    return ListenTlsArguments(":".join(parts), given.get("certKey", key), key)
