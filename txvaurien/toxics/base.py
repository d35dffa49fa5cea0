"""What every toxic shares: options, and a stage that passes everything on.

A toxic is options; a stage is what it does to one direction of one link. Bytes
go in with `Stage.data` and out with ``self.out.data``; in between a stage may
hold, cut, change or lose them. Most stages that hold something are a
`HoldingStage`: they say when each piece is due, and it does the rest.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any, ClassVar, Protocol

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txvaurien.interfaces import IStage, IToxic
from txvaurien.model import Ending
from txvaurien.options import DAY, Declared
from txvaurien.toxics.alarm import NEVER, Alarm

#: How much memory a stage takes before it pushes back, in bytes, in each direction of each link.
HOLD_LIMIT = 16 * 1024 * 1024

#: What keeping a piece takes besides its bytes, in bytes: many tiny pieces are a load, too.
PIECE_COST = 200

#: Toxiproxy's times are in milliseconds.
MILLISECOND = 0.001

#: An upper bound for every option that is a time in milliseconds: a day.
DAY_MILLISECONDS = int(DAY) * 1000

#: An upper bound for options that count bytes: what JSON keeps exactly everywhere.
MOST_BYTES = 2**53


class Out(Protocol):
    """Where a stage's bytes go: the next stage, or the connection. See `IStageOut`."""

    @property
    def full(self) -> bool:
        """What comes after takes no more for now."""

    def data(self, data: bytes) -> None:
        """Pass bytes on."""

    def end(self, ending: Ending) -> None:
        """Pass the end of the stream on."""

    def close(self) -> None:
        """End the link with FIN on both sides, after what was passed on."""

    def reset(self) -> None:
        """End the link with RST on both sides, after what was passed on."""


@implementer(IToxic)
class Toxic(Declared, frozen=True, kw_only=True):
    """Base class of toxics: a set of options, and the stage that they make."""

    #: The class of its stages, which is called as `stage` is.
    stages: ClassVar[type[Stage]]

    def stage(self, out: Out, clock: IReactorTime, random: random.Random) -> Stage:
        """The stage for one direction of one link."""
        return self.stages(self, out, clock, random)


@implementer(IStage)
class Stage:
    """One direction of one link, under a toxic. Passes everything on."""

    __slots__ = ("clock", "out", "random", "toxic")

    def __init__(self, toxic: Any, out: Out, clock: IReactorTime, random: random.Random) -> None:
        #: The options; `update` puts others in their place.
        self.toxic = toxic
        self.out = out
        self.clock = clock
        self.random = random

    @property
    def full(self) -> bool:
        """Whether it holds as much as it likes. What only passes on has the room that comes after it."""
        return self.out.full

    def data(self, data: bytes) -> None:
        """Bytes came; never empty."""
        self.out.data(data)

    def end(self, ending: Ending) -> None:
        """Nothing more will come."""
        self.out.end(ending)

    def room(self) -> None:
        """What comes after has room again."""

    def update(self, toxic: Any) -> None:
        """Go on with other options of the same toxic."""
        self.toxic = toxic

    def release(self) -> None:
        """The toxic is taken away: let go of what is held, now."""

    def drop(self) -> None:
        """Nobody is there any more to receive anything: hold nothing, wait for nothing."""


class HoldingStage(Stage):
    """Keeps what comes, in order, and passes it on when it is due.

    A piece is bytes as they came, or an `Ending`. One that is due later holds up all that
    come after it. A subclass says in `due` when the first piece may go, and in `portion` how
    much of it goes at once. Both are asked anew after each change of the options, so that a
    change holds for what is kept already.

    :ivar held: how much memory that takes, in bytes.
    :ivar last: when the portion before this one was due, or could go because there was room;
        ``-NEVER`` before the first.
    """

    __slots__ = ("_alarm", "_blocked", "_flowing", "_full", "_gone", "_pieces", "_roomy", "held", "last")

    def __init__(self, toxic: Any, out: Out, clock: IReactorTime, random: random.Random) -> None:
        super().__init__(toxic, out, clock, random)
        #: When each piece came, and the piece.
        self._pieces: deque[tuple[float, bytes | Ending]] = deque()
        #: How many bytes of the first piece have been passed on.
        self._gone = 0
        self._alarm = Alarm(clock, self.flow)
        self._flowing = False
        #: Something is due, and waits for room.
        self._blocked = False
        #: When there was room again for it.
        self._roomy = -NEVER
        self._full = False
        self.held = 0
        self.last = -NEVER

    @property
    def full(self) -> bool:
        """Whether more than `limit` is held; then until half of it is gone, or reading would stop and go."""
        return self._full

    # What a subclass says.

    @property
    def limit(self) -> int:
        """How much to hold before it pushes back, in bytes of memory."""
        return HOLD_LIMIT

    def due(self, came: float, left: int) -> float:
        """When the first piece may go, or its first portion, in seconds of the clock.

        :param came: when the piece came; for a rest, when its first bytes did.
        :param left: how many bytes of it are left; 0 for an `Ending`.
        """
        return came

    def portion(self, left: int) -> int:
        """How many bytes to pass on at once, of so many that are left. Asked once for each portion."""
        return left

    # What the chain says.

    def data(self, data: bytes) -> None:
        self._hold(data)

    def end(self, ending: Ending) -> None:
        self._hold(ending)

    def room(self) -> None:
        if self._blocked:
            self._blocked = False
            self._roomy = self.clock.seconds()
        self.flow()

    def update(self, toxic: Any) -> None:
        super().update(toxic)
        self._count(0)
        self.flow()

    def release(self) -> None:
        self._alarm.stop()
        # Whoever is given something may answer with more of it: that waits for its turn.
        self._flowing = True
        while self._pieces:
            self._send(self._take(self._left))
        self._flowing = False

    def drop(self) -> None:
        self._alarm.stop()
        self._pieces.clear()
        self._gone = self.held = 0
        self._full = False

    def flow(self) -> None:
        """Pass on what is due, and come back for the rest."""
        if self._flowing:
            return
        self._flowing = True
        try:
            due = self._pass_on()
        finally:
            self._flowing = False
        self._alarm.set(due)

    def _pass_on(self) -> float:
        """Pass on what is due. When the next is, if time is what it waits for: else `room` comes."""
        while self._pieces and not self.out.full:
            left = self._left
            due = self.due(self._pieces[0][0], left)
            if due > self._alarm.now():
                return due
            self.last = max(due, self._roomy)
            self._send(self._take(self.portion(left)))
        self._blocked = bool(self._pieces)
        return NEVER

    def _hold(self, piece: bytes | Ending) -> None:
        self._pieces.append((self.clock.seconds(), piece))
        self._count(PIECE_COST + _size(piece))
        self.flow()

    @property
    def _left(self) -> int:
        return _size(self._pieces[0][1]) - self._gone

    def _take(self, size: int) -> bytes | Ending:
        """The first `size` bytes of what is held, or the `Ending`, which is held no longer."""
        piece = self._pieces[0][1]
        begin, end = self._gone, self._gone + size
        whole = end >= _size(piece)
        if whole:
            self._pieces.popleft()
        self._gone = 0 if whole else end
        self._count(-size - (PIECE_COST if whole else 0))
        return piece if isinstance(piece, Ending) else piece[begin:end]

    def _send(self, piece: bytes | Ending) -> None:
        if isinstance(piece, Ending):
            self.out.end(piece)
        else:
            self.out.data(piece)

    def _count(self, more: int) -> None:
        self.held += more
        self._full = self.held > (self.limit // 2 if self._full else self.limit)


def _size(piece: bytes | Ending) -> int:
    return 0 if isinstance(piece, Ending) else len(piece)
