"""Requests and replies, as rules and journals see them. Everything is worked out when asked for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from txvaurien.model import Message
from txvaurien.protocols.redis.commands import UNKNOWN, Command, lookup
from txvaurien.protocols.redis.heads import arguments, declared, error_code, first_word, text

#: Commands that name channels where others name keys, and how many of those.
_CHANNELS: dict[bytes, int | None] = {
    b"publish": 2,
    b"spublish": 2,
    b"subscribe": None,
    b"psubscribe": None,
    b"ssubscribe": None,
    b"unsubscribe": None,
    b"punsubscribe": None,
    b"sunsubscribe": None,
}

#: How many keys a log shows.
_SHOWN = 8

#: The first words of errors that a log shows: those of redis-server itself (its src, and sentinel.c).
#: A script or a module may begin an error with whatever it likes.
_CODES = frozenset(
    {
        *(
            "OK",
            "ASK",
            "BUSY",
            "BUSYGROUP",
            "BUSYKEY",
            "CLUSTERDOWN",
            "CROSSSLOT",
            "DENIED",
            "ERR",
            "EXECABORT",
        ),
        *("INPROG", "INVALIDOBJ", "IOERR", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOADDR", "NOAUTH"),
        *(
            "NOGOODSLAVE",
            "NOGROUP",
            "NOMASTERLINK",
            "NOPERM",
            "NOPROTO",
            "NOQUORUM",
            "NOREPLICAS",
            "NOSCRIPT",
        ),
        *("NOTBUSY", "NOTREADY", "OOM", "READONLY", "TRYAGAIN", "UNBLOCKED", "UNKILLABLE", "WRONGPASS"),
        "WRONGTYPE",
    }
)


class _Head(Message, msgspec.Struct, eq=False, gc=False):
    """A message of which `raw` is the head: all of it, or its first 64 KiB.

    There are so many that it counts: these are made in a third of the time, and as nothing
    in them can be part of a cycle, the garbage collector need not look at them.
    """

    raw: bytes

    def __repr__(self) -> str:
        # The message itself may be a secret.
        return f"<{type(self).__name__} {self.log_fields()}>"


class Request(_Head):
    """A command."""

    _args: list[bytes] | None = None

    @property
    def args(self) -> list[bytes]:
        """The command and its arguments, as far as the head holds them whole."""
        if self._args is None:
            self._args = arguments(self.raw)
        return self._args

    @property
    def count(self) -> int:
        """How many `args` the whole command has."""
        return declared(self.raw)

    @property
    def verb(self) -> str:
        """``GET``; ``""`` for an empty command."""
        # Rules and metrics ask for it of every command, and seldom for more.
        return text(first_word(self.raw))

    @property
    def command(self) -> Command:
        """What the server knows of this command."""
        return lookup(self.args)

    @property
    def keys(self) -> list[bytes]:
        """The keys, as far as the head holds them."""
        return self.command.keys_of(self.args, self.count)

    @property
    def targets(self) -> Sequence[str]:
        """The keys; for commands about channels, those."""
        args = self.args
        name = args[0].lower() if args else b""
        found = args[1 : _CHANNELS[name]] if name in _CHANNELS else self.keys
        return [text(each) for each in found]

    def log_fields(self) -> dict[str, str]:
        """Verb, subcommand and keys; never another argument.

        Of a command that nobody knows nothing: it may be a misspelt AUTH, or a password that
        came at the wrong moment. Commands of modules have a dot.
        """
        command = self.command
        if command is UNKNOWN and "." not in self.verb:
            return {"verb": "UNKNOWN"} if self.verb else {}
        fields = {"verb": command.name.replace("|", " ").upper() or self.verb}
        fields["target"] = " ".join(self.targets[:_SHOWN])
        return {name: value for name, value in fields.items() if value}


class Reply(_Head):
    """A reply."""

    @property
    def status(self) -> str:
        """``OK``, or the first word of an error (``WRONGTYPE``, ``ERR``)."""
        return error_code(self.raw) or "OK"

    def log_fields(self) -> dict[str, str]:
        """How it went; of an error that is not the server's own, only that it is one."""
        return {"status": self.status if self.status in _CODES else "ERROR"}


class Unasked(Message):
    """What the server sends of itself: a message, an invalidation, a line of MONITOR."""

    __slots__ = ("_kind", "_targets", "raw")

    def __init__(self, raw: bytes, kind: bytes, targets: Sequence[bytes] = ()) -> None:
        self.raw = raw
        self._kind = kind
        self._targets = targets

    @property
    def verb(self) -> str:
        """Its kind: ``MESSAGE``, ``INVALIDATE``, ``MONITOR``; for an error the error's first word."""
        return text(self._kind).upper()

    def log_fields(self) -> dict[str, str]:
        """All that can be seen of it; of an error that does not begin with a code, nothing."""
        fields = super().log_fields()
        if self.status and self.status not in _CODES:
            return {"verb": "ERROR"}
        return fields

    @property
    def targets(self) -> Sequence[str]:
        """The channel, or the keys that are no longer valid."""
        return [text(each) for each in self._targets]

    @property
    def status(self) -> str:
        """The first word of an error, else ``""``."""
        return error_code(self.raw)
