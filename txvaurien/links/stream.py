"""The toxics of one direction of one link: a row of stages before the connection.

::

    lane -> stage -> stage -> connection
          (first toxic of the plan) ...

A `Chain` stands where the lane's pipe would be. Stages come and go while bytes
flow; what a stage holds goes on to those behind it, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger
from zope.interface import implementer

from txvaurien.interfaces import IStageOut
from txvaurien.model import Direction, Ending
from txvaurien.net.pipe import DRAIN_TIME, Pipe
from txvaurien.plan import PlacedToxic

if TYPE_CHECKING:
    from txvaurien.toxics.base import Stage


log = Logger()


class Sink(Protocol):
    """Where a lane writes: a pipe, or a chain that ends in one."""

    @property
    def full(self) -> bool:
        """Do not write more for now."""

    def data(self, data: bytes) -> None:
        """Send bytes, in order."""

    def end(self) -> None:
        """Send FIN after what was written; the other direction stays open."""


class ChainOwner(Protocol):
    """The link of a chain."""

    def make_stage(self, placed: PlacedToxic, out: Slot) -> Stage:
        """A stage for this toxic."""

    def toxic_taken(self, placed: PlacedToxic) -> None:
        """Its stage stands; whoever is told may change everything."""

    def chain_ends(self, direction: Direction, ending: Ending) -> None:
        """A toxic ends the link; in its own direction that is on its way already."""

    def chain_full(self, direction: Direction) -> None:
        """Stages hold as much as they like: read no further."""

    def chain_room(self, direction: Direction) -> None:
        """There is room again."""


class Tail:
    """The end of the row: the connection."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        #: How long the connection is drained when it is closed, in seconds.
        self.drain = DRAIN_TIME
        #: How many bytes have got here.
        self.passed = 0

    @property
    def full(self) -> bool:
        return self.pipe.full

    def data(self, data: bytes) -> None:
        self.passed += len(data)
        self.pipe.data(data)

    def end(self, ending: Ending) -> None:
        if ending is Ending.FIN:
            self.pipe.end()
        elif ending is Ending.CLOSE:
            self.pipe.close(self.drain)
        else:
            self.pipe.reset()

    def room(self) -> None:
        """The link tells the chain."""


@implementer(IStageOut)
class Slot:
    """One stage in the row, and what it knows of those behind it."""

    def __init__(self, chain: Chain, placed: PlacedToxic) -> None:
        self.chain = chain
        self.placed = placed
        self.next: Slot | Tail = chain.tail
        #: Nothing of what this stage does counts any more.
        self.gone = False
        self.stage = chain.owner.make_stage(placed, self)

    # What the stage sees.

    @property
    def full(self) -> bool:
        behind = self.next
        full = behind.full if isinstance(behind, Tail) else behind.stage.full
        if full:
            # Whoever asks will want to know when there is room.
            self.chain.awaited = True
        return full

    def data(self, data: bytes) -> None:
        if not self.gone and data:
            self.chain.pass_to(self.next, data)
            self.chain.moved(self)

    def end(self, ending: Ending) -> None:
        if not self.gone:
            self.chain.end_at(self.next, ending)

    def close(self) -> None:
        if not self.gone:
            self.chain.cut_after(self, Ending.CLOSE)

    def reset(self) -> None:
        if not self.gone:
            self.chain.cut_after(self, Ending.RESET)

    def drop(self) -> None:
        """The stage is out of the row."""
        self.gone = True
        self.stage.drop()


class Chain:
    """The stages of one direction of one link. See `Sink`."""

    def __init__(self, owner: ChainOwner, direction: Direction, pipe: Pipe) -> None:
        self.owner = owner
        self.direction = direction
        self.pipe = pipe
        self.tail = Tail(pipe)
        self._slots: list[Slot] = []
        self._taken = 0
        #: Nothing goes in any more.
        self._closed = False
        #: A stage may wait for those behind it.
        self.awaited = False
        #: The source is not read, because stages hold too much.
        self.pushing = False

    # What the link sends.

    @property
    def full(self) -> bool:
        """Whether nothing more should come for now."""
        return self.pushing or self.pipe.full

    @property
    def held(self) -> int:
        """How many bytes have gone in and not come out; toxics pass on as many as they get."""
        return max(0, self._taken - self.tail.passed)

    @property
    def empty(self) -> bool:
        """Whether no toxic is left."""
        return not self._slots

    def data(self, data: bytes) -> None:
        """Send bytes, in order, through all stages."""
        if data and not self._closed:
            self._taken += len(data)
            self.pass_to(self._first, data)

    def end(self) -> None:
        """Send FIN after what was written."""
        if not self._closed:
            self.end_at(self._first, Ending.FIN)

    def close(self, drain: float = DRAIN_TIME) -> None:
        """End in an orderly way, after what was written."""
        self.tail.drain = drain
        self._finish(Ending.CLOSE)

    def reset(self) -> None:
        """End with RST, after what was written."""
        self._finish(Ending.RESET)

    def _finish(self, ending: Ending) -> None:
        if not self._closed:
            self._closed = True
            self.end_at(self._first, ending)

    def abandon(self) -> None:
        """Forget what is held: nobody needs it, or nobody is there to receive it."""
        self._closed = True
        slots, self._slots = self._slots, []
        for slot in slots:
            slot.drop()

    def room(self) -> None:
        """The connection has room again."""
        for slot in reversed(self._slots[:]):
            if not slot.gone and not slot.full:
                slot.stage.room()
        self._check()

    # What stages send.

    def moved(self, slot: Slot) -> None:
        """A stage has passed something on: those before it may have waited for that."""
        if self.awaited and slot in self._slots:
            self.awaited = False
            # One that only passes on is full when what comes after it is.
            for earlier in reversed(self._slots[: self._slots.index(slot)]):
                if earlier.full:
                    break
                earlier.stage.room()
        if self.pushing:
            self._check()

    @property
    def _first(self) -> Slot | Tail:
        return self._slots[0] if self._slots else self.tail

    def pass_to(self, slot: Slot | Tail, data: bytes) -> None:
        """Bytes for the stage at `slot`, or for the connection."""
        if isinstance(slot, Tail):
            slot.data(data)
            return
        slot.stage.data(data)
        if not self.pushing and slot.stage.full:
            self._check()

    def end_at(self, slot: Slot | Tail, ending: Ending) -> None:
        """The end, for the stage at `slot` or for the connection."""
        if isinstance(slot, Tail):
            slot.end(ending)
        else:
            slot.stage.end(ending)

    def cut_after(self, slot: Slot, ending: Ending) -> None:
        """A stage ends the link: forget what has not passed it, and end behind it."""
        self._closed = True
        number = self._slots.index(slot)
        before, self._slots = self._slots[: number + 1], self._slots[number + 1 :]
        for each in before:
            each.drop()
        self.end_at(self._first, ending)
        self.owner.chain_ends(self.direction, ending)

    # Toxics come and go.

    def follow(self, wanted: Sequence[PlacedToxic]) -> None:
        """Have these toxics from now on, and let go of what the others hold."""
        positions = {each.name: number for number, each in enumerate(wanted)}
        latest = -1
        for slot in self._slots[:]:
            position = positions.get(slot.placed.name, -1)
            # What one holds that comes sooner than before would be overtaken: it goes, and comes anew.
            if position <= latest or type(wanted[position].toxic) is not type(slot.placed.toxic):
                self._remove(slot)
            else:
                latest = position
        # Letting go may have ended the link, and the stages with it.
        standing = {slot.placed.name: slot for slot in self._slots}
        new: list[Slot] = []
        if not self._closed:
            slots = [standing.get(each.name) or Slot(self, each) for each in wanted]
            new = [slot for slot in slots if slot.placed.name not in standing]
            self._line_up(slots)
        for each in wanted:
            place_ = standing.get(each.name)
            if place_ is not None and place_.placed is not each and not place_.gone:
                place_.placed = each
                place_.stage.update(each.toxic)
        self._check()
        for slot in new:
            # The last thing: whoever is told may have the chain follow others.
            if not slot.gone:
                self.owner.toxic_taken(slot.placed)

    def _remove(self, slot: Slot) -> None:
        if slot in self._slots:
            try:
                slot.stage.release()
            except Exception:
                log.failure("toxic {name} failed while it was taken away", name=slot.placed.name)
        if slot in self._slots:
            slot.drop()
            self._line_up([each for each in self._slots if each is not slot])

    def _line_up(self, slots: list[Slot]) -> None:
        self._slots = slots
        behind: Slot | Tail = self.tail
        for slot in reversed(slots):
            slot.next = behind
            behind = slot

    def _check(self) -> None:
        """See whether the stages hold too much, or no longer do."""
        pushing = any(slot.stage.full for slot in self._slots)
        if pushing is self.pushing:
            return
        self.pushing = pushing
        (self.owner.chain_full if pushing else self.owner.chain_room)(self.direction)
