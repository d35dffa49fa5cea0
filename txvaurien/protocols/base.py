"""What every wire protocol shares: options, and a catalogue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from zope.interface import implementer

from txvaurien.errors import NotLegal
from txvaurien.interfaces import ISession, IWireProtocol
from txvaurien.model import Direction, ErrorKind, Exchange, Frame, Refusal
from txvaurien.options import Declared


@implementer(IWireProtocol)
class WireProtocol(Declared, frozen=True, kw_only=True):
    """Base class of protocols: its fields are the protocol's options."""

    error_kinds: ClassVar[Sequence[ErrorKind]] = ()
    verbs: ClassVar[Sequence[str]] = ()
    too_many_kind: ClassVar[str] = ""
    unreachable_kind: ClassVar[str] = ""
    silent_kind: ClassVar[str] = ""
    #: What is agreed on within TLS (ALPN, RFC 7301), the best first; empty for nothing.
    alpn: ClassVar[Sequence[bytes]] = ()
    #: What to do in the place of TLS from the first byte, where clients do not begin with it.
    tls_advice: ClassVar[str] = ""

    @property
    def begins_tls(self) -> bool:
        """Whether sessions say where both sides go over to TLS (`Frame.secures`). By default none does."""
        return False

    @property
    def answer_timeout(self) -> float:
        """By default the backend may take as long as it likes."""
        return 0.0

    def status_class(self, status: str) -> str:
        """The class that metrics put a reply's status into: ``ok`` and ``error``, or ``2xx`` to ``5xx``.

        There may be few of them, whatever a server says.
        """
        if len(status) == 3 and status.isdecimal():
            return f"{status[0]}xx"
        return "ok" if status == "OK" else "error"

    def session(self) -> Session:
        """A new session, for one link."""
        raise NotImplementedError(f"{type(self).__name__} does not make sessions")


@implementer(ISession)
class Session(ABC):
    """Base class of sessions. See `ISession` for what is asked of each method."""

    edits: bool = False
    backend: str = ""
    closing: bool = False

    @abstractmethod
    def receive(self, direction: Direction, data: bytes) -> Iterable[Frame]:
        """Take bytes, give frames."""

    @abstractmethod
    def finish(self, direction: Direction) -> Iterable[Frame]:
        """That side sent FIN."""

    @abstractmethod
    def rest(self, direction: Direction) -> bytes:
        """What was received and not yielded."""

    def legal(self, exchange: Exchange) -> Sequence[str]:
        """By default nothing can be said."""
        return ()

    def refuse(self, exchange: Exchange, kind: str, text: str = "") -> Refusal:
        """By default nothing can be said."""
        raise NotLegal(f"{kind} cannot be said here")

    def withdraw(self, exchange: Exchange) -> bytes | None:
        """By default there is no queue to take it out of, and nothing to tell."""
        return None
