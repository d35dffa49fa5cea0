"""The errors of redis-server: what each says, word for word, and to which command it can be said.

The texts are those of redis-server 7.0.15: ``server.c`` (createSharedObjects, processCommand),
``networking.c`` (acceptCommonHandler, helloCommand), ``acl.c`` (authCommand), ``multi.c``
(execCommandAbort) and ``cluster.c`` (clusterRedirectClient). Later releases name the user in
NOPERM and say some others at more length; the first word, which clients go by, is the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from txvaurien.errors import NotLegal
from txvaurien.model import ErrorKind, Where
from txvaurien.protocols.redis.commands import Command, key_slot

_COMMAND = Where.COMMAND

KINDS: tuple[ErrorKind, ...] = (
    ErrorKind("loading", _COMMAND, "LOADING: the data set is being loaded"),
    ErrorKind("readonly", _COMMAND, "READONLY: a write to a replica"),
    ErrorKind("oom", _COMMAND, "OOM: maxmemory is used up"),
    ErrorKind("busy", _COMMAND, "BUSY: a script is running"),
    ErrorKind("noscript", _COMMAND, "NOSCRIPT: EVALSHA of a script that is not there"),
    ErrorKind("misconf", _COMMAND, "MISCONF: snapshots cannot be saved, writes are stopped"),
    ErrorKind("masterdown", _COMMAND, "MASTERDOWN: a replica without its master"),
    ErrorKind("clusterdown", _COMMAND, "CLUSTERDOWN: the cluster is down", drawn=False),
    ErrorKind("moved", _COMMAND, "MOVED: the slot is elsewhere; the text is host:port", drawn=False),
    ErrorKind("ask", _COMMAND, "ASK: the slot is on its way; the text is host:port", drawn=False),
    ErrorKind("tryagain", _COMMAND, "TRYAGAIN: several keys of a slot on its way", drawn=False),
    ErrorKind("crossslot", _COMMAND, "CROSSSLOT: keys of several slots", drawn=False),
    ErrorKind("noauth", _COMMAND, "NOAUTH: the client has not authenticated"),
    ErrorKind("wrongpass", Where.HANDSHAKE, "WRONGPASS: AUTH with a wrong password"),
    ErrorKind("noperm", _COMMAND, "NOPERM: the user may not run this command"),
    ErrorKind("wrongtype", _COMMAND, "WRONGTYPE: the key holds another type"),
    ErrorKind("execabort", _COMMAND, "EXECABORT: EXEC of a transaction that had errors"),
    ErrorKind("noreplicas", _COMMAND, "NOREPLICAS: too few replicas for a write"),
    ErrorKind("max-clients", Where.CONNECT, "no place for another client; then the connection is closed"),
    ErrorKind("custom", _COMMAND, "a text of yours, such as 'ERR boom'", drawn=False),
)

_TEXTS = {
    "loading": "LOADING Redis is loading the dataset in memory",
    "readonly": "READONLY You can't write against a read only replica.",
    "oom": "OOM command not allowed when used memory > 'maxmemory'.",
    "busy": "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "noscript": "NOSCRIPT No matching script. Please use EVAL.",
    "misconf": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to"
    " disk. Commands that may modify the data set are disabled, because this instance is configured to report"
    " errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the"
    " Redis logs for details about the RDB error.",
    "masterdown": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "clusterdown": "CLUSTERDOWN The cluster is down",
    "tryagain": "TRYAGAIN Multiple keys request during rehashing of slot",
    "crossslot": "CROSSSLOT Keys in request don't hash to the same slot",
    "noauth": "NOAUTH Authentication required.",
    "wrongpass": "WRONGPASS invalid username-password pair or user is disabled.",
    "wrongtype": "WRONGTYPE Operation against a key holding the wrong kind of value",
    "execabort": "EXECABORT Transaction discarded because of previous errors.",
    "noreplicas": "NOREPLICAS Not enough good replicas to write.",
    "max-clients": "ERR max number of clients reached",
}

#: HELLO may be said by anybody, and does not answer just anybody.
_HELLO_NOAUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user>"
    " <pass> option can be used to authenticate the client and select the RESP protocol version at the same"
    " time"
)

#: Raised when a command runs. In a transaction that is only at EXEC, inside of its reply.
_ON_EXECUTION = frozenset({"noscript", "wrongpass", "wrongtype"})

#: Said as they are in answer to EXEC, too; others come as the reason of an EXECABORT.
_AS_THEY_ARE = frozenset({"clusterdown", "moved", "ask", "tryagain", "crossslot", "execabort", "custom"})

_WITHOUT_MEMORY = frozenset({"exec", "discard", "quit", "reset"})

_ADDRESS = re.compile(r"\S+:\d{1,5}")


@dataclass(frozen=True)
class Asked:
    """A request, as far as errors depend on it. `keys` need be no more than two."""

    command: Command
    keys: Sequence[bytes]
    args: Sequence[bytes]
    in_multi: bool = False

    @property
    def has_auth(self) -> bool:
        """Whether it is a HELLO that authenticates."""
        return any(arg.lower() == b"auth" for arg in self.args[1:])


def legal(asked: Asked) -> list[str]:
    """The kinds that the server can answer to this request, in the order of the catalogue."""
    return [kind.name for kind in KINDS if kind.where is not Where.CONNECT and _fits(kind.name, asked)]


def _fits(kind: str, asked: Asked) -> bool:
    if asked.in_multi and kind in _ON_EXECUTION:
        return False
    name, flags, keys = asked.command.name, asked.command.flags, len(asked.keys)
    if kind in ("moved", "ask", "clusterdown"):
        return keys > 0
    if kind in ("tryagain", "crossslot"):
        return keys > 1
    if kind in _BY_FLAG:
        flag, wanted = _BY_FLAG[kind]
        return (flag in flags) is wanted or _specially(kind, asked)
    if kind == "wrongtype":
        return "t" in flags and keys > 0
    if kind == "noscript":
        return name in ("evalsha", "evalsha_ro")
    if kind == "wrongpass":
        return name == "auth" or (name == "hello" and asked.has_auth)
    return kind == "custom" or (kind == "execabort" and name == "exec" and asked.in_multi)


#: The flag that a kind goes by, and whether the command must have it.
_BY_FLAG = {
    "loading": ("l", False),
    "readonly": ("w", True),
    "noreplicas": ("w", True),
    "misconf": ("w", True),
    "oom": ("m", True),
    "busy": ("b", False),
    "masterdown": ("s", False),
    "noauth": ("a", False),
    "noperm": ("a", False),
}


def _specially(kind: str, asked: Asked) -> bool:
    """What the server answers against the flags of a command."""
    name = asked.command.name
    if kind == "misconf":
        return name == "ping"
    if kind == "noauth":
        return name == "hello" and not asked.has_auth
    return kind == "oom" and asked.in_multi and name not in _WITHOUT_MEMORY


def say(kind: str, asked: Asked, text: str = "") -> bytes:
    """The error as it goes over the wire.

    :raises NotLegal: the kind needs a text, and this will not do.
    """
    words = _words(kind, asked, text)
    if asked.command.name == "exec" and kind not in _AS_THEY_ARE:
        words = f"EXECABORT Transaction discarded because of: {words}"
    return b"-" + words.encode() + b"\r\n"


def _words(kind: str, asked: Asked, text: str) -> str:
    name = asked.command.name
    if kind == "custom":
        return _custom(text)
    if kind in ("moved", "ask"):
        return f"{kind.upper()} {key_slot(asked.keys[0])} {_address(kind, text)}"
    if kind == "noperm":
        shown = name or asked.args[0].decode("utf-8", "replace").lower()
        shown = shown.replace("\r", " ").replace("\n", " ")
        return f"NOPERM this user has no permissions to run the '{shown}' command"
    return _HELLO_NOAUTH if kind == "noauth" and name == "hello" else _TEXTS[kind]


def _custom(text: str) -> str:
    words = text.removeprefix("-")
    if not words.strip() or "\r" in words or "\n" in words:
        raise NotLegal(f"custom cannot say {text!r}: give one line, such as 'ERR boom'")
    return words


def _address(kind: str, text: str) -> str:
    address = text or "127.0.0.1:6379"
    if not _ADDRESS.fullmatch(address):
        raise NotLegal(f"{kind} cannot point to {text!r}: give host:port")
    return address
