"""Who may reach the control server: where it listens, under which names, and with which token.

Beyond this machine it is served only to whoever shows a token. That is decided here, by the
address alone, before anything listens.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twisted.internet.abstract import isIPv6Address

from txvaurien.errors import ConfigError
from txvaurien.net.addresses import Listen, parse_listen
from txvaurien.net.endpoints import Description, numeric
from txvaurien.settings.tokens import MAX_TOKEN, TOKEN_VARIABLE, check_token

if TYPE_CHECKING:
    from txvaurien.settings.flags import Common

_NAME = re.compile(r"[^\s:/?#@\[\],*]+")

_SHOW_ONE = (
    "keep to loopback, or set a token with --http-token-file, --http-token or the environment variable"
    f" {TOKEN_VARIABLE}"
)


@dataclass(frozen=True)
class Access:
    """Where the control server listens, and what it wants of those who ask.

    :param hosts: further names under which it may be asked.
    :param token: what has to be shown; ``""`` for nothing. It is not part of the repr.
    :param place: the option that says where, for errors.
    :raises ConfigError: it would be open to others without a token.
    """

    listen: Listen
    hosts: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    place: str = "--http-host"

    def __post_init__(self) -> None:
        if not self.token and not is_local(self.listen):
            what = f"{self.listen.text!r} is open to other machines, and there is no token"
            raise ConfigError(self.place, what, _SHOW_ONE)

    @property
    def flags(self) -> tuple[str, str]:
        """The options that choose the port and the host."""
        if "http-endpoint" in self.place:
            return "--http-endpoint", "--http-endpoint"
        return "--http-port", "--http-host"

    @property
    def scheme(self) -> str:
        """What a URL of it begins with."""
        kind = "" if self.listen.host else Description.of(self.listen.text).kind
        return "https" if kind in {"ssl", "tls"} else "http"

    @property
    def port(self) -> int:
        """The port that is asked for; 0 where there is none, or any will do."""
        return self.listen.port or next(iter(Description.of(self.listen.text).ports), 0)

    def url(self, port: int) -> str:
        """Where to ask, as it is shown to users.

        :param port: the real port; 0 where it is not known yet.
        """
        if not self.listen.host and not port:
            return self.listen.text
        host = _written_host(self.listen) if self.listen.host else bound_host(self.listen)
        return f"{self.scheme}://[{host}]:{port}/" if ":" in host else f"{self.scheme}://{host}:{port}/"


def access_of(
    common: Common,
    places: Mapping[str, str],
    environ: Mapping[str, str] = os.environ,
    *,
    folder: str = "",
) -> tuple[Access, list[str]]:
    """What the options and the environment say, and what the log should warn of.

    :param places: where each option was given, by the name of its flag.
    :param folder: what names of files are relative to, if not to the folder that the process is in.
    :raises ConfigError: they cannot be, or would leave the server open.
    """
    token, warnings = _find_token(common, places, environ, folder)
    listen, place = _where(common, places)
    hosts = allowed_names(common.http_allow_host, places.get("http-allow-host", "--http-allow-host"))
    return Access(listen, hosts, token, place), warnings


def control_listen(host: str, port: int, where: str = "--http-host") -> Listen:
    """The address of a host and a port.

    :raises ConfigError: they are none.
    """
    bracketed = f"[{host}]" if ":" in host and "[" not in host else host
    return parse_listen(f"{bracketed}:{port}", where)


def is_local(listen: Listen) -> bool:
    """Whether only this machine can reach it. What is not known to be so is not."""
    if listen.host:
        return is_loopback(listen.host)
    described = Description.of(listen.text)
    if described.kind == "unix":
        return True
    return described.kind in {"tcp", "tcp6", "ssl"} and is_loopback(described.named.get("interface", ""))


def is_loopback(host: str) -> bool:
    """Whether it is ``localhost`` or an address of loopback. Other names are not looked up."""
    if host.lower() == "localhost":
        return True
    address = numeric(host)
    return address is not None and address.is_loopback


def bound_host(listen: Listen) -> str:
    """The address that is listened on, ``0.0.0.0`` for all; ``localhost`` for what has none."""
    if listen.host:
        return listen.host
    described = Description.of(listen.text)
    if described.kind == "unix":
        return "localhost"
    return described.named.get("interface", "") or ("::" if described.kind == "tcp6" else "0.0.0.0")


def allowed_names(text: str, where: str) -> tuple[str, ...]:
    """The names of a list with commas.

    :raises ConfigError: one of them can be no host.
    """
    names = tuple(name for name in (part.strip() for part in text.split(",")) if name)
    for name in names:
        if not _NAME.fullmatch(name) and not isIPv6Address(name.strip("[]")):
            allowed = "give names or addresses without a scheme and a port, such as chaos.example.org"
            raise ConfigError(where, f"{name!r} is no host", allowed)
    return names


def _written_host(listen: Listen) -> str:
    """The host as the user wrote it: ``localhost`` stays that."""
    return listen.text.rpartition(":")[0].strip("[]") or listen.host


def _where(common: Common, places: Mapping[str, str]) -> tuple[Listen, str]:
    endpoint = common.http_endpoint
    if endpoint is None:
        place = places.get("http-host", "--http-host")
        return control_listen(common.http_host, common.http_port, place), place
    place = places.get("http-endpoint", "--http-endpoint")
    for other in ("http-host", "http-port"):
        if other in places:
            raise ConfigError(place, f"this says where to listen, and so does {places[other]}", "give one")
    return parse_listen(endpoint, place), place


def _find_token(
    common: Common, places: Mapping[str, str], environ: Mapping[str, str], folder: str
) -> tuple[str, list[str]]:
    """The token that counts: of the option, else of the file, else of the environment."""
    if common.http_token is not None:
        return check_token(common.http_token, places.get("http-token", "--http-token")), []
    if common.http_token_file is not None:
        place = places.get("http-token-file", "--http-token-file")
        return _read_token(os.path.join(folder, common.http_token_file), place)
    said = environ.get(TOKEN_VARIABLE, "")
    return (check_token(said, TOKEN_VARIABLE) if said else ""), []


def _read_token(path: str, where: str) -> tuple[str, list[str]]:
    try:
        with open(path, "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            raw = stream.read(2 * MAX_TOKEN)
    except OSError as error:
        raise ConfigError(where, f"{path!r} cannot be read ({error.strerror})") from error
    except ValueError as error:  # no path has such a character
        raise ConfigError(where, f"{path!r} cannot be read ({error})") from error
    token = check_token(raw.decode("ascii", "replace").strip(), where)
    readable = stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH)
    advice = f"{where}: others can read {path!r}; chmod 600 it"
    return token, [advice] if readable else []
