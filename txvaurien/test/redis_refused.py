"""A redis session in which some commands are refused, driven from both sides."""

from __future__ import annotations

from collections.abc import Mapping

from txvaurien.model import Exchange, Refusal
from txvaurien.protocols.base import Session
from txvaurien.protocols.redis import Redis
from txvaurien.test.redis_samples import ask, say
from txvaurien.testing import TO_BACKEND, TO_CLIENT, Recorder

READONLY = b"-READONLY You can't write against a read only replica.\r\n"
NOAUTH = b"-NOAUTH Authentication required.\r\n"
EXECABORT = b"-EXECABORT Transaction discarded because of previous errors.\r\n"


class Refused:
    """A session in which some commands are refused before they are sent.

    :param kinds: what is said to which verb.
    """

    def __init__(self, kinds: Mapping[str, str], text: str = "") -> None:
        self.kinds = dict(kinds)
        self.text = text
        self.refusals: list[Refusal] = []
        self.recorder = Recorder(Redis().session(), self._decide)
        self.session = self.recorder.session

    def _decide(self, session: Session, exchange: Exchange) -> bool:
        kind = self.kinds.get(exchange.message.verb, "")
        if kind:
            self.refusals.append(session.refuse(exchange, kind, self.text))
        return bool(kind)

    def ask(self, *commands: str) -> bytes:
        """The client sends these; return what the backend gets of it, without what it is told."""
        before = len(self.recorder.forwarded[TO_BACKEND])
        self.recorder.feed(*ask(*commands))
        return bytes(self.recorder.forwarded[TO_BACKEND][before:])

    def say(self, *replies: bytes) -> bytes:
        """The backend says this; return what the client gets of it."""
        before = len(self.recorder.forwarded[TO_CLIENT])
        self.recorder.feed(*say(*replies))
        return bytes(self.recorder.forwarded[TO_CLIENT][before:])

    def late(self, number: int, kind: str = "loading") -> Refusal:
        """Refuse the exchange that was seen as `number`, which the backend has."""
        return self.session.refuse(self.recorder.seen[number].exchange, kind)

    def statuses(self) -> list[str]:
        """What became of each exchange."""
        return [seen.status for seen in self.recorder.seen]
