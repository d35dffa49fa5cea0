"""One direction of a link: what has arrived, how far it was handled, where it goes."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from txvaurien.links.stream import Sink
from txvaurien.model import Direction, Frame
from txvaurien.net.pipe import Pipe
from txvaurien.protocols.base import Session

#: How many bytes a lane that waits keeps before it stops reading.
LANE_LIMIT = 256 * 1024


class End(enum.Enum):
    """How one direction of a connection ended."""

    FIN = "fin"
    RST = "rst"


class Nowhere:
    """Takes what nobody is there to receive."""

    full = False

    def data(self, data: bytes) -> None:
        """Gone."""

    def end(self) -> None:
        """Gone."""


class Lane:
    """One direction of a link: what has arrived, and how far it was handled."""

    __slots__ = (
        "ahead",
        "bytes",
        "direction",
        "discarded",
        "end",
        "ending",
        "frames",
        "held",
        "inside",
        "kept",
        "out",
        "over",
        "running",
        "sent",
        "session",
        "sink",
        "source",
        "waiting",
    )

    def __init__(self, direction: Direction, session: Session) -> None:
        self.direction = direction
        self.session = session
        self.source: Pipe | None = None
        self.sink: Sink | None = None
        #: Frames that the session has still to give for what was fed to it.
        self.frames: Iterator[Frame] | None = None
        #: The frame that waits for a hook or for its turn.
        self.held: Frame | None = None
        self.waiting = False
        self.running = False
        #: What arrived while the lane waits.
        self.kept: bytes | bytearray = b""
        self.out: list[bytes] = []
        #: Bytes that the session has and has not yielded, and how many of them, the first
        #: ones, were written before they were framed.
        self.inside = 0
        self.ahead = 0
        self.end: End | None = None
        #: The session has been told of the FIN; the end has been passed on.
        self.ending = False
        self.over = False
        #: How many have come; how many had gone out when the connection that took them was gone.
        self.bytes = 0
        self.sent = 0
        self.discarded = 0

    def flush(self) -> None:
        """Write what was decided, neighbouring frames in one piece."""
        if not self.out:
            return
        data = self.out[0] if len(self.out) == 1 else b"".join(self.out)
        self.out.clear()
        # The last frame of a turn is empty.
        if data and self.sink is not None:
            self.sink.data(data)

    def keep(self, data: bytes) -> None:
        """Put away what cannot be handled now."""
        if isinstance(self.kept, bytes):
            self.kept = bytearray()
        self.kept += data
        if len(self.kept) > LANE_LIMIT and self.source is not None:
            self.source.pause("held")

    def take(self) -> bytes:
        """What was kept."""
        data = bytes(self.kept)
        self.kept = b""
        if self.source is not None:
            self.source.resume("held")
        return data

    def pass_by(self, frame: Frame) -> bytes:
        """What is still to be sent of a frame, the beginning of which may have been sent unframed."""
        if not self.ahead:
            return frame.forward
        written = min(self.ahead, len(frame.raw))
        self.ahead -= written
        return frame.raw[written:]
