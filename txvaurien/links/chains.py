"""The toxics of one link: which of its directions has a chain, and what chains ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from txvaurien.links.lane import End, Lane
from txvaurien.links.stream import Chain, Sink, Slot
from txvaurien.model import Direction, Ending
from txvaurien.net.pipe import Pipe
from txvaurien.plan import STREAMS, PlacedToxic
from txvaurien.toxics.base import Stage

if TYPE_CHECKING:
    from txvaurien.link import Link


#: What a link has that is under no toxic.
_NO_CHAINS: Mapping[Direction, Chain] = MappingProxyType({})


class Chains:
    """Both directions' chains. Works on behalf of one `Link`."""

    __slots__ = ("_chains", "_link")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._chains: Mapping[Direction, Chain] = _NO_CHAINS

    def sink(self, lane: Lane, pipe: Pipe) -> Sink:
        """Where a lane writes whose connection has just come up."""
        wanted = self._wanted(lane.direction)
        if not wanted:
            return pipe
        chain = Chain(self, lane.direction, pipe)
        self._chains = {**self._chains, lane.direction: chain}
        chain.follow(wanted)
        self._note()
        if chain.empty:
            # Whoever was told of the toxics has taken them away, or ended the link.
            self._forget(lane.direction)
            return pipe
        return chain

    def way_out(self, lane: Lane, pipe: Pipe) -> Pipe | Chain:
        """What has to be told that this connection ends."""
        chain = self._chains.get(lane.direction)
        return pipe if chain is None or pipe.lost else chain

    def follow(self) -> None:
        """The plan has other toxics than before."""
        for lane, pipe in self._link.ways():
            wanted = self._wanted(lane.direction)
            chain = self._chains.get(lane.direction)
            if chain is not None:
                chain.follow(wanted)
                if chain.empty and lane.sink is chain:
                    lane.sink = chain.pipe
                    self._forget(lane.direction)
            elif wanted and lane.sink is pipe and pipe is not None and not self._link.over:
                lane.flush()
                lane.sink = self.sink(lane, pipe)
        self._note()

    def room(self, pipe: Pipe) -> None:
        """A connection takes more again."""
        if self._chains:
            for chain in list(self._chains.values()):
                if chain.pipe is pipe:
                    chain.room()

    def abandon(self, pipe: Pipe | None = None) -> None:
        """Forget what is held for a connection that is gone, or for both."""
        if not self._chains:
            return
        for direction, chain in list(self._chains.items()):
            if pipe is None or chain.pipe is pipe:
                chain.abandon()
                self._forget(direction)

    def held(self, direction: Direction) -> int:
        """How many bytes toxics hold in this direction."""
        chain = self._chains.get(direction)
        return 0 if chain is None else chain.held

    @property
    def holding(self) -> bool:
        """Whether toxics stand between the link and a connection."""
        return bool(self._chains)

    def over(self) -> None:
        """The link is gone."""
        self.abandon()
        self._link.proxy.active.cap.links.discard(self._link.number)

    def _forget(self, direction: Direction) -> None:
        # Letting go may have ended the link, which has forgotten it already.
        chain = self._chains.get(direction)
        self._chains = {each: kept for each, kept in self._chains.items() if each is not direction}
        if chain is not None and chain.pushing:
            self.chain_room(direction)

    def _wanted(self, direction: Direction) -> list[PlacedToxic]:
        active = self._link.proxy.active
        if not active.plan.toxics:
            return []
        wanted = active.toxics_for(self._link.number, direction)
        counted = self._link.number in active.cap.links
        if not wanted or counted or not active.crowded():
            return wanted
        self._link.proxy.event("capped", self._link, toxics=[each.name for each in wanted])
        return []

    def _note(self) -> None:
        """Whether the link is under a toxic, for the cap."""
        links = self._link.proxy.active.cap.links
        if any(not chain.empty for chain in self._chains.values()):
            links.add(self._link.number)
        else:
            links.discard(self._link.number)

    # What chains ask for. See `ChainOwner`.

    def make_stage(self, placed: PlacedToxic, out: Slot) -> Stage:
        """A stage for this toxic."""
        link = self._link
        return placed.toxic.stage(out, link.clock, link.proxy.active.randomness(link.number, placed))

    def toxic_taken(self, placed: PlacedToxic) -> None:
        """The journal is told of it."""
        self._link.proxy.toxic_taken(self._link, placed)

    def chain_ends(self, direction: Direction, ending: Ending) -> None:
        """A toxic ends the link."""
        end = End.RST if ending is Ending.RESET else End.FIN
        self._link.why = self._link.why or f"toxic on {STREAMS[direction]}"
        self._link.hang_up(end, end)

    def chain_full(self, direction: Direction) -> None:
        """Read no further."""
        source = self._link.source_of(direction)
        if source is not None:
            source.pause("toxics")

    def chain_room(self, direction: Direction) -> None:
        """Read on."""
        source = self._link.source_of(direction)
        if source is not None:
            source.resume("toxics")
        if direction is Direction.TO_CLIENT:
            self._link.answers_may_flow()
