"""Which faults there are, and in which order they come: drawn from a seed and what the proxy offers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

#: An option as the control API describes it.
Option = Mapping[str, Any]

#: Numbers that do much in a short time, by the names of options; (lowest, highest).
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "sleep": (0.0, 1.0),
        "timeout": (1, 1500),
        "linger": (0.5, 3.0),
        "wait": (0.0, 1.0),
        "latency": (0, 400),
        "average-size": (1, 3000),
        "size-variation": (0, 3000),
        "bytes": (0, 300_000),
        "idle": (0.2, 3.0),
        "keep": (0, 3000),
    }
)
#: The same where the name is not enough.
_OF: Mapping[tuple[str, str], tuple[float, float]] = MappingProxyType(
    {
        ("hang", "timeout"): (0.0, 3.0),
        ("delay", "jitter"): (0.0, 0.3),
        ("latency", "jitter"): (0, 200),
        ("bandwidth", "rate"): (30, 30_000),
        ("corrupt", "rate"): (0.00001, 0.005),
        ("slicer", "delay"): (0, 1000),
        ("slow_close", "delay"): (0, 1500),
        ("slow_accept", "delay"): (1, 200),
    }
)
#: What is said to a client by name has to be a kind; these need words of the user's.
_WORDED = frozenset({"custom", "moved", "ask"})

#: How long a fault lasts, in seconds.
SHORTEST, LONGEST = 0.2, 4.0


@dataclass(frozen=True)
class Fault:
    """Something to be done to a proxy, and for how long.

    :ivar kind: ``rule``, ``mix``, ``toxic``, ``action``, ``kill``, ``backend`` or ``scenario``.
    :ivar name: of the behavior, the toxic or the action.
    :ivar body: what the control API is told.
    """

    kind: str
    name: str
    seconds: float
    body: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = " ".join(
            f"{name}={value}" for name, value in self.body.items() if name not in ("behavior", "type")
        )
        return f"{self.kind} {self.name} {words} for {self.seconds:.1f}s"


@dataclass(frozen=True)
class Offer:
    """What the faults of one proxy can be made of, as the control API tells it.

    :ivar verbs: those that the clients say.
    :ivar kinds: errors that the protocol can say without further words.
    """

    behaviors: Mapping[str, Sequence[Option]]
    toxics: Mapping[str, Sequence[Option]]
    actions: Mapping[str, Sequence[Option]]
    kinds: Sequence[str] = ()
    verbs: Sequence[str] = ()

    @classmethod
    def told(cls, behaviors: Mapping[str, Any], kinds: Sequence[str], verbs: Sequence[str]) -> Offer:
        """From what ``GET /behaviors`` answers."""
        return cls(
            behaviors=behaviors["options"],
            toxics=behaviors["toxics"]["options"],
            actions=behaviors["actions"]["options"],
            kinds=[kind for kind in kinds if kind not in _WORDED],
            verbs=verbs,
        )


class Deck:
    """Deals faults: every one that there is, in a drawn order, then all of them again with other options."""

    def __init__(self, offer: Offer, draw: random.Random) -> None:
        self._offer = offer
        self._draw = draw

    def __iter__(self) -> Iterator[Fault]:
        while True:
            cards = self._cards()
            self._draw.shuffle(cards)
            for kind, name in cards:
                yield self._fault(kind, name)

    def _cards(self) -> list[tuple[str, str]]:
        offer = self._offer
        return [
            *(("rule", name) for name in offer.behaviors for _ in range(3)),
            *(("mix", name) for name in offer.behaviors),
            *((stream, name) for name in offer.toxics for stream in ("upstream", "downstream")),
            *(("action", name) for name in offer.actions),
            *(("kill", how) for how in ("fin", "rst")),
            ("backend", "away"),
            ("scenario", "of three"),
        ]

    def _fault(self, kind: str, name: str) -> Fault:
        draw = self._draw
        seconds = round(min(LONGEST, SHORTEST + draw.expovariate(1.0)), 2)
        if kind == "rule":
            return Fault(kind, name, seconds, self._rule(name))
        if kind == "mix":
            share = {"name": name, "percent": draw.choice((2, 10, 40)), "options": self._behavior(name)}
            return Fault(kind, name, seconds, {"mix": [share]})
        if kind in ("upstream", "downstream"):
            return Fault("toxic", name, seconds, self._toxic(name, kind))
        if kind == "action":
            return Fault(kind, name, seconds, self._options(name, self._offer.actions[name]))
        if kind == "scenario":
            return Fault(kind, name, max(seconds, 1.0), {"scenario": self._scenario()})
        return Fault(kind, name, seconds)

    def _rule(self, name: str) -> dict[str, Any]:
        draw = self._draw
        rule = {"behavior": name, **self._behavior(name), "probability": draw.choice((0.02, 0.1, 0.3, 1.0))}
        for chance, key, values in (
            (0.4, "verb", self._offer.verbs),
            (0.2, "times", (1, 3, 20)),
            (0.2, "after", (1, 10)),
            (0.2, "every", (2, 7)),
            (0.2, "per", ("link",)),
            (0.1, "for", (0.3,)),
            (0.1, "link-age", ("<500ms", ">2")),
        ):
            if draw.random() < chance and values:
                rule[key] = draw.choice(list(values))
        return rule

    def _toxic(self, name: str, stream: str) -> dict[str, Any]:
        return {
            "type": name,
            "stream": stream,
            "toxicity": self._draw.choice((0.2, 0.5, 1.0)),
            "attributes": self._options(name, self._offer.toxics[name]),
        }

    def _behavior(self, name: str) -> dict[str, Any]:
        options = self._options(name, self._offer.behaviors[name])
        if options.get("garbage") and options.get("inject"):
            del options["inject"]
        return options

    def _options(self, name: str, options: Sequence[Option]) -> dict[str, Any]:
        """A value for about two of three options; the others stay at their default."""
        chosen = {
            option["name"]: option for option in options if self._draw.random() < 0.67 or _needed(option)
        }
        drawn = {key: self._value(name, option) for key, option in chosen.items()}
        return {key.replace("-", "_"): value for key, value in drawn.items() if value is not None}

    def _value(self, of: str, option: Option) -> Any:
        """A value that lets something happen soon; None for the default."""
        draw, name, type_ = self._draw, option["name"], option["type"]
        if option.get("choices"):
            return draw.choice(option["choices"])
        if type_ == "bool":
            return draw.random() < 0.3
        if name == "kind":
            return draw.choice(["any", *self._offer.kinds])
        if type_ not in ("int", "float"):
            return None
        bounds = _OF.get((of, name)) or _RANGES.get(name)
        if bounds is None:
            return draw.randint(0, 2) if name in ("warmup", "agitate") else None
        value = draw.uniform(*bounds)
        return round(value) if type_ == "int" else round(value, 6)

    def _scenario(self) -> str:
        """Three faults of a second, one after the other."""
        draw, offer = self._draw, self._offer
        faults = [
            f"delay sleep={draw.choice((0.05, 0.2))}",
            f"{draw.choice(list(offer.toxics))} stream={draw.choice(('upstream', 'downstream'))}",
            draw.choice(("slow_accept delay=50", "blackout", "kill_idle idle=0.3", "half_open", "deaf")),
        ]
        draw.shuffle(faults)
        steps = [f"at {place * 300}ms: {fault} for 500ms" for place, fault in enumerate(faults)]
        return "\n".join([*steps, "at 1500ms: end", "repeat 2"])


def _needed(option: Option) -> bool:
    """What the default of would stop everything, or do nothing."""
    return option["name"] in ("rate", "latency", "timeout", "sleep", "average-size")
