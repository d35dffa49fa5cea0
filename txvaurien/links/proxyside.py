"""What a link needs of the proxy that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IReactorTime

from txvaurien.exchange import LiveExchange
from txvaurien.model import Direction
from txvaurien.net.pipe import Pipe
from txvaurien.plan import ActivePlan, PlacedToxic
from txvaurien.protocols.base import WireProtocol
from txvaurien.rules import Activation

if TYPE_CHECKING:
    from txvaurien.link import Link
    from txvaurien.metrics.meter import Meter
    from txvaurien.tls.linktls import LinkTls


class ProxySide(Protocol):
    """What a link needs of the proxy that it belongs to."""

    protocol: WireProtocol
    active: ActivePlan
    clock: IReactorTime
    idle_timeout: float | None
    #: A link whose stream cannot be followed is closed rather than passed through unread.
    close_on_desync: bool
    #: Notes what the metrics need; None where nobody reads them.
    meter: Meter | None
    #: Speaks TLS at the ends of links; None where nobody does.
    tls: LinkTls | None
    #: Seconds that connecting to the backend may take, and a TLS handshake.
    timeout: float

    def dial(self, link: Link) -> None:
        """Connect to the backend, then call `backend_connected` or `backend_failed`."""

    def recognise(self, direction: Direction, data: bytes) -> str:
        """What a stream is that cannot be followed, by its first bytes; ``""`` if nobody knows."""

    def advise(self, text: str) -> None:
        """Say in the log what to do; once."""

    def hang_up(self, link: Link) -> None:
        """Stop dialling for this link."""

    def backend_lost(self, link: Link) -> None:
        """The connection to the backend is gone."""

    def heard_nothing(self, link: Link, backend: Pipe) -> None:
        """The backend has ended its connection, and has not said a word."""

    def link_ended(self, link: Link) -> None:
        """Both connections of the link are gone."""

    def fired(self, link: Link, live: LiveExchange) -> None:
        """A rule has fired, and done or begun what it does first."""

    def warn_of_misfire(self, activation: Activation, why: str) -> None:
        """A rule could not do what it is there for, for the first time."""

    def toxic_taken(self, link: Link, placed: PlacedToxic) -> None:
        """A toxic has taken one direction of the link."""

    def event(self, event: str, link: Link | None, /, **fields: Any) -> None:
        """Something happened that the journal tells of."""
