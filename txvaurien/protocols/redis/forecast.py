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

#: Carried out at once inside of a transaction, too.
IMMEDIATE = frozenset({b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"RESET", b"QUIT"})

#: What ends a transaction.
ENDING = frozenset({b"EXEC", b"DISCARD", b"RESET"})

#: Not to be followed when they take effect in the middle of the reply to EXEC.
_NOT_IN_EXEC = PUBSUB | {b"MONITOR", b"HELLO"}


class Transaction:
    """What was queued since MULTI, as far as EXEC depends on it."""

    __slots__ = ("_flags", "_has", "dirty", "keys", "length", "trouble")

    def __init__(self) -> None:
        #: A refused command: EXEC must not be carried out.
        self.dirty = False
        #: Something is queued that makes the reply to EXEC impossible to follow.
        self.trouble = ""
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
        if word in _NOT_IN_EXEC or reply_mode(request):
            self.trouble = word.decode("latin-1")

    def executed(self, args: Sequence[bytes]) -> Asked:
        """EXEC, which can be refused for everything that is queued."""
        flags = "".join(sorted(self._flags | self._has))
        return Asked(Command("exec", flags), self.keys, args, in_multi=True)


class Forecast:
    """The modes that a connection will be in."""

    __slots__ = ("monitoring", "muted", "skipping", "transaction")

    def __init__(self) -> None:
        self.transaction: Transaction | None = None
        #: CLIENT REPLY OFF, and SKIP, which is for the next command only.
        self.muted = False
        self.skipping = False
        self.monitoring = False

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
            mode = reply_mode(request)
            if mode:
                return mode == b"ON"
            if word == b"RESET":
                return not self.skipping
            if word in PUBSUB:
                # Told by a push, and those are not held back.
                return True
            if (word == b"MONITOR" and self.monitoring) or _is_ack(request):
                return False
        return not self.quiet

    def apply(self, word: bytes, request: Request) -> None:
        """This command goes to the backend.

        :raises FramingError: what comes after it cannot be followed.
        """
        self.skipping = False
        transaction = self.transaction
        if not word:
            return
        if transaction is not None and self.queues(word):
            transaction.queue(word, request)
        elif word in ENDING and request.count == 1:
            self._end(word, transaction)
        elif word == b"MULTI":
            if transaction is None and request.count == 1:
                self.transaction = Transaction()
        elif word == b"CLIENT":
            self._change_replies(reply_mode(request))
        elif word in (b"SYNC", b"PSYNC"):
            raise FramingError(f"replication stream ({word.decode()})")
        elif word == b"MONITOR":
            self.monitoring = True

    def _end(self, word: bytes, transaction: Transaction | None) -> None:
        self.transaction = None
        if word == b"RESET":
            self.muted = self.monitoring = False
        elif word == b"EXEC" and transaction is not None and transaction.trouble and not transaction.dirty:
            raise FramingError(f"{transaction.trouble} takes effect inside of the reply to EXEC")

    def _change_replies(self, mode: bytes) -> None:
        if mode == b"SKIP":
            self.skipping = not self.muted
        elif mode:
            self.muted = mode == b"OFF"


def reply_mode(request: Request) -> bytes:
    """What CLIENT REPLY asks for: ``ON``, ``OFF``, ``SKIP``; ``b""`` for every other command."""
    args = request.args
    if len(args) != 3 or request.count != 3 or args[0].upper() != b"CLIENT" or args[1].upper() != b"REPLY":
        return b""
    mode = args[2].upper()
    return mode if mode in (b"ON", b"OFF", b"SKIP") else b""


def _is_ack(request: Request) -> bool:
    """REPLCONF ACK and GETACK are not answered (``replication.c``, replconfCommand)."""
    args = request.args
    return len(args) > 1 and args[0].upper() == b"REPLCONF" and args[1].upper() in (b"ACK", b"GETACK")
