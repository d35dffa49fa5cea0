"""What the backend will be in when it has done all that was sent to it.

Replies come later than requests, so what the next request means has to be told from those before
it. Facts are from redis-server 7.0: ``multi.c``, ``networking.c`` (prepareClientToWrite, resetClient,
clientCommand) and ``pubsub.c``.
"""

from __future__ import annotations

from collections.abc import Sequence

from txvaurien.errors import FramingError
from txvaurien.protocols.redis.catalogue import Asked
from txvaurien.protocols.redis.commands import Command
from txvaurien.protocols.redis.messages import Request

SUBSCRIBING = frozenset({b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE"})
UNSUBSCRIBING = frozenset({b"UNSUBSCRIBE", b"PUNSUBSCRIBE", b"SUNSUBSCRIBE"})
PUBSUB = SUBSCRIBING | UNSUBSCRIBING

#: Of more names than these only the number of confirmations is known.
_NAMES = 4096

#: Stands for a name that nobody knows.
_SOME = 0

#: Carried out at once inside of a transaction, too.
IMMEDIATE = frozenset({b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"RESET", b"QUIT"})

#: What ends a transaction.
ENDING = frozenset({b"EXEC", b"DISCARD", b"RESET"})

#: Not to be followed when they take effect in the middle of the reply to EXEC.
_NOT_IN_EXEC = PUBSUB | {b"MONITOR", b"HELLO"}


class Transaction:
    """What was queued since MULTI, as far as EXEC depends on it."""

    __slots__ = ("_flags", "_has", "dirty", "fragile", "keys", "length", "trouble", "vain")

    def __init__(self) -> None:
        #: A refused command: EXEC must not be carried out.
        self.dirty = False
        #: Something is queued that makes the reply to EXEC impossible to follow.
        self.trouble = ""
        #: Something behind MULTI means another thing if MULTI was refused.
        self.fragile = False
        #: MULTI was refused.
        self.vain = False
        self.length = 0
        self.keys: list[bytes] = []
        self._flags = frozenset("ls")
        self._has: frozenset[str] = frozenset()

    def queue(self, word: bytes, request: Request) -> None:
        """Another command is queued."""
        self.length += 1
        flags = frozenset(request.command.flags)
        self._flags &= flags
        self._has |= flags & frozenset("wm")
        if len(self.keys) < 2:
            self.keys = [*self.keys, *request.keys][:2]
        if word in _NOT_IN_EXEC or reply_mode(request) or (word == b"REPLCONF" and _is_ack(request)):
            self.trouble = word.decode("latin-1")
            self.fragile = True

    def check(self, monitoring: bool) -> None:
        """It will be carried out.

        :raises FramingError: then the reply cannot be followed.
        """
        trouble = self.trouble or ("MONITOR" if monitoring and self.length else "")
        if trouble and not self.dirty:
            raise FramingError(f"{trouble} takes effect inside of the reply to EXEC")

    def executed(self, args: Sequence[bytes]) -> Asked:
        """EXEC, which can be refused for everything that is queued."""
        flags = "".join(sorted(self._flags | self._has))
        return Asked(Command("exec", flags), self.keys, args, in_multi=True)


class Forecast:
    """The modes that a connection will be in."""

    __slots__ = ("_names", "monitoring", "muted", "resp3", "skipping", "transaction")

    def __init__(self) -> None:
        self.transaction: Transaction | None = None
        #: CLIENT REPLY OFF, and SKIP, which is for the next command only.
        self.muted = False
        self.skipping = False
        self.monitoring = False
        self.resp3 = False
        #: What is subscribed to, by kind: hashes, as names may be long. Few connections subscribe.
        self._names: dict[bytes, set[int]] = {}

    @property
    def barred(self) -> bool:
        """Whether a subscribed client of RESP2 will be asking.

        Of such a client the server takes few commands (``server.c``, processCommand).
        """
        return not self.resp3 and any(self._names.values())

    @property
    def plain(self) -> bool:
        """Whether a command is just a command."""
        return self.transaction is None and not self.quiet

    @property
    def quiet(self) -> bool:
        """Whether the next command is not to be answered."""
        return self.muted or self.skipping

    @property
    def dirty(self) -> bool:
        """Whether EXEC must not reach the backend."""
        return self.transaction is not None and self.transaction.dirty

    def queues(self, word: bytes) -> bool:
        """Whether this command is only queued."""
        return self.transaction is not None and word not in IMMEDIATE

    def answers(self, word: bytes, request: Request) -> bool:
        """Whether the server will answer this command, if it does not refuse it."""
        if not word:
            return False
        if not self.queues(word):
            mode = reply_mode(request) if word == b"CLIENT" else b""
            if mode:
                return mode == b"ON"
            if word == b"RESET":
                return not self.skipping
            if word in PUBSUB:
                # Told by a push, and those are not held back.
                return True
            if (word == b"MONITOR" and self.monitoring) or (word == b"REPLCONF" and _is_ack(request)):
                return False
        return not self.quiet

    def apply(self, word: bytes, request: Request) -> None:
        """This command goes to the backend.

        :raises FramingError: what comes after it cannot be followed.
        """
        quiet, self.skipping = self.quiet, False
        transaction = self.transaction
        if not word:
            return
        if transaction is not None and self.queues(word):
            transaction.queue(word, request)
        elif word == b"EXEC" or (word in ENDING and request.count == 1):
            # An EXEC with arguments is an error, but ends the transaction all the same.
            self._end(word)
            if word == b"EXEC" and request.count == 1 and transaction is not None:
                transaction.check(self.monitoring)
        elif word == b"MULTI":
            if transaction is not None:
                transaction.fragile = True
            elif request.count == 1:
                self.transaction = Transaction()
        elif word == b"CLIENT":
            self._change_replies(reply_mode(request))
        elif word in (b"SYNC", b"PSYNC"):
            raise FramingError(f"replication stream ({word.decode()})")
        elif word == b"MONITOR":
            self.monitoring = True
        elif word in PUBSUB:
            self._subscribe(word, request.args[1:])
        elif word == b"HELLO":
            self._greet(request, quiet)

    def _end(self, word: bytes) -> None:
        self.transaction = None
        if word == b"RESET":
            self.muted = self.monitoring = self.resp3 = False
            self._forget_names()

    def learn(self, resp3: bool, monitoring: bool, subscribed: bool) -> None:
        """All that was sent has been answered, and the modes are known."""
        self.resp3, self.monitoring = resp3, monitoring
        if not subscribed:
            self._forget_names()
        elif not any(self._names.values()):
            self._known(b"").add(_SOME)

    def stays_subscribed(self, word: bytes, names: Sequence[bytes]) -> None:
        """This command, with these names, has ended no subscription."""
        self._known(pubsub_kind(word)).update(map(hash, names[:_NAMES]) if names else [_SOME])

    def _forget_names(self) -> None:
        self._names.clear()

    def _known(self, kind: bytes) -> set[int]:
        return self._names.setdefault(kind, set())

    def _greet(self, request: Request, quiet: bool) -> None:
        if quiet and request.count > 2:
            raise FramingError("nobody will hear whether this HELLO failed, and so which protocol is spoken")
        wanted = resp3_after(b"HELLO", request)
        self.resp3 = self.resp3 if wanted is None else wanted

    def _subscribe(self, word: bytes, names: Sequence[bytes]) -> None:
        known = self._known(pubsub_kind(word))
        if word in SUBSCRIBING:
            known.update(map(hash, names[: _NAMES - len(known)]))
        elif names:
            known.difference_update(map(hash, names))
        else:
            known.clear()

    def unsubscribed(self, word: bytes, names: Sequence[bytes]) -> None:
        """Of these the server says that they are not subscribed to."""
        self._known(pubsub_kind(word)).difference_update(map(hash, names))

    def _change_replies(self, mode: bytes) -> None:
        if mode == b"SKIP":
            self.skipping = not self.muted
        elif mode:
            self.muted = mode == b"OFF"


def pubsub_kind(word: bytes) -> bytes:
    """``b"P"`` of PUNSUBSCRIBE, ``b"S"`` of SSUBSCRIBE, ``b""`` of SUBSCRIBE."""
    return word.removesuffix(b"SUBSCRIBE").removesuffix(b"UN")


def reply_mode(request: Request) -> bytes:
    """What CLIENT REPLY asks for: ``ON``, ``OFF``, ``SKIP``; ``b""`` for every other command."""
    args = request.args
    if len(args) != 3 or request.count != 3 or args[0].upper() != b"CLIENT" or args[1].upper() != b"REPLY":
        return b""
    mode = args[2].upper()
    return mode if mode in (b"ON", b"OFF", b"SKIP") else b""


def resp3_after(word: bytes, request: Request) -> bool | None:
    """Whether RESP3 is spoken behind this command; None for what was spoken before it."""
    if word == b"RESET":
        return False
    args = request.args
    return args[1] == b"3" if word == b"HELLO" and len(args) > 1 and args[1] in (b"2", b"3") else None


def _is_ack(request: Request) -> bool:
    """REPLCONF ACK and GETACK are not answered (``replication.c``, replconfCommand)."""
    args = request.args
    return len(args) > 1 and args[1].upper() in (b"ACK", b"GETACK")
