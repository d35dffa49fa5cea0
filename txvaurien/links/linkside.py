"""What an exchange on which a rule fired needs of the link that it is on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IReactorTime

from txvaurien.model import Side, Then
from txvaurien.protocols.base import Session, WireProtocol

if TYPE_CHECKING:
    from txvaurien.exchange import LiveExchange
    from txvaurien.rules import Activation


class LinkSide(Protocol):
    """What a live exchange needs of its link."""

    number: int
    client_address: str
    clock: IReactorTime
    session: Session
    protocol: WireProtocol

    def tell_backend(self, data: bytes) -> None:
        """Send bytes to the backend that no client said."""

    def cut(self, side: Side, then: Then, linger: float, live: LiveExchange) -> None:
        """End the link because a behavior says so."""

    def fail_handshake(self, kind: str, rule: Activation) -> None:
        """Have the TLS handshake with the client fail."""

    def close(self) -> None:
        """End the link with FIN on both sides."""

    def changed(self, live: LiveExchange) -> None:
        """Something was decided that may let the link go on."""

    @property
    def client_left(self) -> bool:
        """Whether the client has said FIN."""

    def leave_if_waiting(self) -> None:
        """End the link if nothing is left but a hook that a FIN ends."""

    def fired(self, live: LiveExchange) -> None:
        """The rule has done, or begun, the first thing (`did`)."""

    def acted(self, live: LiveExchange, did: Sequence[str]) -> None:
        """It has done more."""

    def misfired(self, live: LiveExchange, why: str, told: bool) -> None:
        """The rule did not fire after all; `told`: the link believes that it did."""

    def broke(self, live: LiveExchange, why: str) -> None:
        """The behavior raised an exception."""
