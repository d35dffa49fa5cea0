"""What the proxy's journal says was done to a link, as effects that excuse what a client has seen."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Line = Mapping[str, Any]


class Effect(enum.Flag):
    """What a fault may do to what passes."""

    NONE = 0
    #: It comes late, and whole.
    HOLD = enum.auto()
    #: It ends early: what came until then is right.
    CUT = enum.auto()
    #: Bytes are missing, on the way to the backend or to the client.
    LOSE_UP = enum.auto()
    LOSE_DOWN = enum.auto()
    #: Bytes are others.
    ALTER_UP = enum.auto()
    ALTER_DOWN = enum.auto()
    #: An exchange is answered by the proxy.
    SAY = enum.auto()
    #: A fault that this package does not know: it may do anything.
    UNKNOWN = enum.auto()


_LOSE = Effect.LOSE_UP | Effect.LOSE_DOWN
_ALTER = Effect.ALTER_UP | Effect.ALTER_DOWN

#: By type: what a toxic does to the direction that it has taken.
TOXIC_EFFECTS: Mapping[str, tuple[Effect, bool, bool]] = MappingProxyType(
    {
        # effects on the whole link, whether it loses, whether it changes
        "latency": (Effect.HOLD, False, False),
        "bandwidth": (Effect.HOLD, False, False),
        "slicer": (Effect.HOLD, False, False),
        "slow_close": (Effect.HOLD, False, False),
        "pause": (Effect.HOLD, False, False),
        "limit_data": (Effect.CUT, False, False),
        "timeout": (Effect.CUT, True, False),
        "reset_peer": (Effect.CUT, True, False),
        "blackhole": (Effect.NONE, True, False),
        "corrupt": (Effect.NONE, False, True),
    }
)

#: By name: what an action does to links that stand, or come, meanwhile.
ACTION_EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "disable": Effect.CUT,
        "deaf": Effect.HOLD,
        "slow_accept": Effect.HOLD,
        "half_open": Effect.CUT | _LOSE,
        # It tells of each link that it ends.
        "kill_idle": Effect.NONE,
    }
)

#: By name: what a behavior does to the link on which its rule fired.
BEHAVIOR_EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "dummy": Effect.NONE,
        "delay": Effect.HOLD,
        # A client that says FIN is taken for one that has gone.
        "hang": Effect.HOLD | Effect.CUT,
        "abort": Effect.CUT,
        "blackout": Effect.CUT,
        "truncate": Effect.CUT,
        "tls": Effect.CUT,
        # What they do is in their words.
        "error": Effect.NONE,
        "transient": Effect.NONE,
    }
)

#: Events of a link that end it.
_ENDS = frozenset({"killed", "idle", "handshake-failed"})

#: How many lines of a link are kept for a report.
_KEPT = 40


def effect_of_toxic(type_: str, stream: str) -> Effect:
    """What a toxic of this type does to the link whose `stream` it has taken."""
    if type_ not in TOXIC_EFFECTS:
        return Effect.UNKNOWN
    effect, loses, alters = TOXIC_EFFECTS[type_]
    up = stream == "upstream"
    if loses:
        effect |= Effect.LOSE_UP if up else Effect.LOSE_DOWN
    if alters:
        effect |= Effect.ALTER_UP if up else Effect.ALTER_DOWN
    return effect


def effect_of_words(behavior: str, did: Iterable[str], options: Mapping[str, Any]) -> Effect:
    """What a rule has done, by its own words."""
    effect = BEHAVIOR_EFFECTS.get(behavior, Effect.UNKNOWN)
    for word in did:
        first = word.split(" ")[0]
        if first == "refuse":
            # Some kinds end the connection, and say so with it.
            effect |= Effect.SAY | Effect.CUT
        elif first in ("close", "reset", "swallow"):
            effect |= Effect.CUT
        elif first == "reply":
            effect |= Effect.ALTER_DOWN | Effect.CUT
        elif first == "edit" and behavior != "truncate":
            effect |= Effect.ALTER_DOWN
    return effect | (Effect.ALTER_DOWN if options.get("inject") and "edit response" in did else Effect.NONE)


@dataclass
class Facts:
    """All that the journal has told of one link.

    :ivar effects: what was done to it, whenever.
    :ivar said: the exchanges that were answered by the proxy, and with which kinds of errors.
    :ivar closed: the ``link-closed`` line; None as long as the link stands.
    """

    proxy: str
    number: int
    client: str
    opened: float
    effects: Effect = Effect.NONE
    said: dict[str, str] = field(default_factory=dict)
    opaque: bool = False
    broken: str = ""
    closed: Line | None = None
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=_KEPT))

    @property
    def end(self) -> float:
        """When it closed, in seconds of the monotonic clock."""
        return float(self.closed["clock"]) if self.closed is not None else float("inf")

    def tell(self, line: Line) -> None:
        """One line about this link."""
        self.lines.append(line)
        event = line["event"]
        if event == "toxic":
            self.effects |= effect_of_toxic(line["type"], line["stream"])
        elif event in ("fired", "acted"):
            self._fired(line)
        elif event in _ENDS:
            self.effects |= Effect.CUT
        elif event in ("backend-refused", "silent"):
            self.effects |= Effect.CUT | Effect.SAY
            self.said["any"] = ""
        elif event == "misfired":
            self.said.pop(str(line["exchange"]), None)
        elif event == "opaque":
            self.opaque = True
        elif event == "broken":
            self.broken = str(line.get("why", ""))
        elif event == "link-closed":
            self.closed = line
            # What a rule does to links that stand when it is set has no line of its own.
            if str(line.get("how", "")).startswith("rule "):
                self.effects |= Effect.CUT

    def _fired(self, line: Line) -> None:
        words = line.get("did", ())
        # What is told later has no behavior: its first line had.
        behavior = line.get("behavior", "dummy")
        effect = effect_of_words(behavior, words, line.get("options", {}))
        self.effects |= effect
        for word in words:
            first, _, kind = word.partition(" ")
            if first == "refuse":
                self.said[str(line["exchange"])] = kind


@dataclass(frozen=True)
class Spell:
    """A time in which an action stood."""

    name: str
    begun: float
    ended: float = float("inf")

    @property
    def effect(self) -> Effect:
        """What it may do to the links of its proxy."""
        return ACTION_EFFECTS.get(self.name, Effect.UNKNOWN)

    def touches(self, begin: float, end: float, slack: float = 1.0) -> bool:
        """Whether it stood between these two times, or so nearly that nobody can tell."""
        return self.begun - slack <= end and begin <= self.ended + slack


class Chronicle:
    """Sorts the lines of a journal by link.

    :ivar missing: lines that are not there, by their numbers.
    :ivar closed: the links that have closed, until they are taken.
    :ivar strange: lines that nobody may see in a good run.
    """

    def __init__(self) -> None:
        self.missing = 0
        self.open: dict[tuple[str, int], Facts] = {}
        self.closed: list[Facts] = []
        self.spells: dict[str, list[Spell]] = {}
        self.counts: dict[str, int] = {}
        self.strange: list[Line] = []
        self.tainted: set[str] = set()
        self._last = 0

    def tell(self, line: Line) -> None:
        """One line of the journal, in order."""
        number = int(line.get("n", 0))
        if number:
            self.missing += max(0, number - self._last - 1)
            self._last = number
        event = str(line["event"])
        self._count(event, line)
        if line.get("link"):
            self._of_link(event, line)
        elif event == "action":
            self._action(line)
        elif event in ("dropped", "worker-died", "events-lost"):
            self.strange.append(line)

    def _count(self, event: str, line: Line) -> None:
        name = {"fired": "behavior", "toxic": "type", "action": "name"}.get(event)
        key = f"{event} {line[name]}" if name and name in line else event
        self.counts[key] = self.counts.get(key, 0) + 1

    def _of_link(self, event: str, line: Line) -> None:
        key = (str(line["proxy"]), int(line["link"]))
        if event == "link-opened":
            self.open[key] = Facts(*key, client=str(line["client"]), opened=float(line["clock"]))
        facts = self.open.get(key)
        if facts is None:
            self.strange.append(line)
            return
        facts.tell(line)
        if facts.effects & (Effect.ALTER_UP | Effect.LOSE_UP | Effect.UNKNOWN):
            self.tainted.add(facts.proxy)
        if event == "link-closed":
            del self.open[key]
            self.closed.append(facts)

    def _action(self, line: Line) -> None:
        spells = self.spells.setdefault(str(line["proxy"]), [])
        name, clock = str(line["name"]), float(line["clock"])
        if line["on"]:
            spells.append(Spell(name, clock))
            return
        for place, spell in enumerate(spells):
            if spell.name == name and spell.ended == float("inf"):
                spells[place] = Spell(name, spell.begun, clock)

    def spells_between(self, proxy: str, begin: float, end: float) -> list[Spell]:
        """The actions that stood on a proxy between two times."""
        return [spell for spell in self.spells.get(proxy, ()) if spell.touches(begin, end)]

    def effects_on(self, facts: Facts) -> Effect:
        """All that may have been done to a link, the actions of its proxy included."""
        effects = facts.effects
        # A client may have waited in the kernel's queue before it was a link.
        for spell in self.spells_between(facts.proxy, facts.opened - 1.0, facts.end):
            effects |= spell.effect
        return effects
