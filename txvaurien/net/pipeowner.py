"""What a pipe (`txvaurien.net.pipe`) needs of those whose connection it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from txvaurien.net.pipe import Pipe


class PipeOwner(Protocol):
    """Who wants to know what becomes of a connection, and what it can take."""

    def pipe_full(self, pipe: Pipe) -> None:
        """Do not write more for now."""

    def pipe_room(self, pipe: Pipe) -> None:
        """There is room again."""

    def pipe_broken(self, pipe: Pipe) -> None:
        """The peer has reset the connection; found out while writing, when nothing is read."""

    def pipe_finished(self, pipe: Pipe) -> None:
        """The peer said FIN."""

    def pipe_lost(self, pipe: Pipe, reset: bool) -> None:
        """The connection is gone; `reset`: not in an orderly way."""

    def pipe_hung_up(self, pipe: Pipe) -> bool:
        """The peer has reset the connection; found out while nothing was read.

        :return: whether that is the end: nothing that it said before counts any more.
        """


class Intake(Protocol):
    """Where the bytes go that come over a connection (`txvaurien.links.traffic.Traffic`)."""

    def take(self, lane: Any, data: bytes) -> None:
        """Bytes came for a lane."""

    def splices_to(self, lane: Any) -> Any:
        """The connection to which bytes may go without being seen; None if somebody has to see them."""

    def spliced(self, lane: Any, count: int) -> None:
        """So many bytes have gone through unseen."""
