"""Which behavior for which exchange, and which toxics for which link.

A `Plan` is immutable and can be shared; an `ActivePlan` is a plan at work in
one proxy, with the counters that belong to this activation. Choosing is pure:
every draw is a function of (seed, proxy, link, exchange, rule), so the order in
which links speak changes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from txvaurien.behaviors.base import Behavior
from txvaurien.errors import ConfigError
from txvaurien.model import Direction, Exchange, Hook
from txvaurien.options import plain_values
from txvaurien.planning.mix import Share, check_percentages
from txvaurien.planning.seeds import digest, draw, new_seed
from txvaurien.protocols.base import WireProtocol
from txvaurien.rules import ANSWERED, Activation, Cap, LinkFacts, Rule, Tallies, Tally, hooks_of, label_of
from txvaurien.toxics.base import Toxic

__all__ = ["ActivePlan", "PlacedToxic", "Plan", "Rule", "Share", "Verdict"]

#: What Toxiproxy calls the two directions.
STREAMS = {Direction.TO_BACKEND: "upstream", Direction.TO_CLIENT: "downstream"}


@dataclass(frozen=True, eq=False)
class PlacedToxic:
    """A toxic, with the direction and the share of links that it is for.

    :param name: unique within a plan; ``""`` for ``latency_downstream`` and the like. Another
        object of the same name and direction is the same toxic with other options.
    :param toxicity: the share of links, from 0 to 1.
    """

    toxic: Toxic
    direction: Direction = Direction.TO_CLIENT
    name: str = ""
    toxicity: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.toxicity <= 1.0:
            raise ConfigError("toxicity", f"{self.toxicity!r} will not do", "it is a number from 0 to 1")
        if not self.name:
            object.__setattr__(self, "name", f"{self.toxic.name}_{self.stream}")

    @property
    def stream(self) -> str:
        """The direction, in Toxiproxy's words."""
        return STREAMS[self.direction]

    def describe(self) -> dict[str, Any]:
        """As Toxiproxy's clients know it."""
        return {
            "name": self.name,
            "type": self.toxic.name,
            "stream": self.stream,
            "toxicity": self.toxicity,
            "attributes": plain_values(self.toxic),
        }


@dataclass(frozen=True)
class Plan:
    """What a proxy does now. The first rule that fires wins, then the mix decides.

    :param toxics: in each direction, the first one is nearest to the source.
    :param seed: None for one that is drawn when the plan is set.
    :raises ConfigError: the percentages of the mix add up to more than 100, or two rules or
        two toxics have the same name.
    """

    mix: tuple[Share, ...] = ()
    rules: tuple[Rule, ...] = ()
    toxics: tuple[PlacedToxic, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        check_percentages([share.percent for share in self.mix], "behavior")
        for what, named in (("rule", self.rules), ("toxic", self.toxics)):
            _check_names(what, [each.name for each in named if each.name])

    @classmethod
    def only(cls, behavior: Behavior, seed: int | None = None) -> Plan:
        """A plan that does the same to every exchange."""
        return cls(mix=(Share(100.0, Rule(behavior)),), seed=seed)

    @property
    def mix_text(self) -> str:
        """The mix in the words of ``--behavior``; ``dummy`` if there is none."""
        if len(self.mix) == 1 and self.mix[0].percent == 100:
            return self.mix[0].rule.behavior.name
        return ",".join(f"{share.percent:g}:{share.rule.behavior.name}" for share in self.mix) or "dummy"

    @property
    def text(self) -> str:
        """What it does, in a line for the log."""
        parts = [f"behavior {self.mix_text}"]
        if self.rules:
            parts.append("rules " + ", ".join(each.name or each.behavior.name for each in self.rules))
        if self.toxics:
            parts.append("toxics " + ", ".join(each.name for each in self.toxics))
        return "; ".join(parts)

    def with_rule(self, rule: Rule, position: int | None = None) -> Plan:
        """With one more rule, by default the last one; one without a name is given one.

        :raises ConfigError: there is one of this name.
        """
        rules = list(self.rules)
        named = rule if rule.name else replace(rule, name=self._free_name(rule.behavior.name))
        rules.insert(len(rules) if position is None else position, named)
        return replace(self, rules=tuple(rules))

    def _free_name(self, name: str) -> str:
        taken = {each.name for each in self.rules}
        numbers = (f"{name}-{number}" for number in range(1, len(taken) + 2))
        return next(each for each in numbers if each not in taken)


def _check_names(what: str, names: Sequence[str]) -> None:
    double = {name for name in names if names.count(name) > 1}
    if double:
        raise ConfigError(what, f"there are two called {min(double)!r}", "each has a name of its own")


@dataclass(frozen=True)
class Verdict:
    """A rule fired on an exchange."""

    activation: Activation
    tally: Tally
    #: Seeds what the behavior draws for this exchange.
    entropy: int


@dataclass
class ActivePlan:
    """A plan at work in one proxy.

    :param previous: the plan that it takes over from: rules that both have keep
        their activation.
    :param cap: how many faults there may be at one time.
    :raises ConfigError: a behavior does not fit the protocol.
    """

    plan: Plan
    protocol: WireProtocol
    proxy: str
    previous: ActivePlan | None = None
    cap: Cap = field(default_factory=Cap)
    seed: int = field(init=False)
    rules: list[Activation] = field(init=False)
    #: Those of the rules that are decided by the status of the reply.
    late: list[Activation] = field(init=False)
    mix: list[tuple[float, Activation]] = field(init=False)
    #: Whether there is nothing at all to decide about exchanges.
    idle: bool = field(init=False)
    #: Whether nothing is decided when a message of the backend comes.
    asks_clients_only: bool = field(init=False)

    def __post_init__(self) -> None:
        previous, self.previous = self.previous, None
        old = {each.rule: each for each in previous.activations()} if previous else {}
        self.seed = self._seed(previous)
        self.rules = [self._activate(rule, f"rule {n}", old) for n, rule in enumerate(self.plan.rules)]
        self.late = [each for each in self.rules if each.rule.status]
        self.mix = []
        edge = 0.0
        for number, share in enumerate(self.plan.mix):
            edge += share.percent
            self.mix.append((edge / 100.0, self._activate(share.rule, f"mix {number}", old)))
        self.reckon()

    def reckon(self) -> None:
        """See whether there is anything to decide."""
        # Probability 0 is as if the rule were not there.
        self.idle = not any(
            each.acts and not each.expired and self.share_of(each) > 0.0 for each in self.activations()
        )
        # What is sent unasked is for rules that name its verb, and for no others.
        self.asks_clients_only = not any(each.rule.status or each.rule.verbs for each in self.rules)

    def _seed(self, previous: ActivePlan | None) -> int:
        if self.plan.seed is not None:
            return self.plan.seed
        return previous.seed if previous else new_seed()

    def _activate(self, rule: Rule, place: str, old: dict[Rule, Activation]) -> Activation:
        return old.get(rule) or self._make(rule, rule.name or f"{place} {rule.behavior.name}")

    def _make(self, rule: Rule, key: str) -> Activation:
        return Activation(rule, key, self.protocol)

    def activations(self) -> Iterator[Activation]:
        """All rules at work, those of the mix last."""
        yield from self.rules
        for _, activation in self.mix:
            yield activation

    def share_of(self, activation: Activation) -> float:
        """The share of exchanges, from 0 to 1, that a rule is meant for."""
        edge = 0.0
        for upper, each in self.mix:
            if each is activation:
                return upper - edge
            edge = upper
        return activation.rule.probability

    # Exchanges.

    def verdict(
        self, link: LinkFacts, exchange: Exchange, tallies: Tallies, beyond: Activation | None = None
    ) -> Verdict | None:
        """Which rule fires when this exchange begins, None if none does.

        :param beyond: ask only those that come after this one, which has misfired.
        """
        if self.idle:
            return None
        hooks = hooks_of(exchange)
        rules = self.rules
        if beyond is not None:
            if beyond not in rules:
                # It is of the mix, which has had its say, or of a plan that is gone.
                return None
            rules = rules[rules.index(beyond) + 1 :]
        for activation in rules:
            # Only what is sent unasked begins with something that has a status.
            by_status = bool(activation.rule.status)
            if by_status and not (exchange.unasked and activation.rule.is_status(exchange)):
                continue
            if self._fires(activation, hooks, link, exchange, tallies):
                return self._verdict(activation, link, exchange, tallies)
        return self._from_mix(hooks, link, exchange, tallies) if self.mix else None

    def late_verdict(self, link: LinkFacts, exchange: Exchange, tallies: Tallies) -> Verdict | None:
        """Which of the rules with a status fires when the reply begins to come."""
        for activation in self.late:
            if activation.rule.is_status(exchange) and self._fires(
                activation, ANSWERED, link, exchange, tallies
            ):
                return self._verdict(activation, link, exchange, tallies)
        return None

    def _fires(
        self,
        activation: Activation,
        hooks: frozenset[Hook],
        link: LinkFacts,
        exchange: Exchange,
        tallies: Tallies,
    ) -> bool:
        rule = activation.rule
        if activation.expired or rule.probability == 0.0 or not activation.applies(hooks, exchange):
            return False
        return rule.is_about(link, exchange) and self._counts(activation, link, exchange, tallies)

    def _counts(self, activation: Activation, link: LinkFacts, exchange: Exchange, tallies: Tallies) -> bool:
        """Count a match, and tell whether the rule fires at it."""
        rule = activation.rule
        tally = activation.tally_of(tallies)
        activation.count_match(tally)
        beyond = tally.matched - rule.first
        if beyond <= 0 or (beyond - 1) % rule.every:
            return False
        if rule.most is not None and tally.fired >= rule.most:
            return False
        if rule.probability < 1.0:
            drawn = draw(self.seed, self.proxy, link.number, label_of(exchange), activation.key)
            if drawn >= rule.probability:
                return False
        if activation.acts and self.crowded():
            activation.tally.capped += 1
            return False
        activation.count_fired(tally)
        return True

    def crowded(self) -> bool:
        """Whether there are as many faults at this moment as there may be."""
        if self.cap.most is None:
            return False
        return self.cap.full(sum(len(each.live) for each in self.activations()))

    def _from_mix(
        self, hooks: frozenset[Hook], link: LinkFacts, exchange: Exchange, tallies: Tallies
    ) -> Verdict | None:
        picked = self._pick(link, exchange)
        chosen: Verdict | None = None
        for _, activation in self.mix:
            if not activation.acts & hooks or not activation.is_for(exchange):
                continue
            if activation is picked:
                if self._counts(activation, link, exchange, tallies):
                    chosen = self._verdict(activation, link, exchange, tallies)
            else:
                activation.count_match(activation.tally_of(tallies))
        return chosen

    def _pick(self, link: LinkFacts, exchange: Exchange) -> Activation | None:
        edge, first = self.mix[0]
        if edge >= 1.0:
            return first
        drawn = draw(self.seed, self.proxy, link.number, label_of(exchange), "mix")
        return next((activation for upper, activation in self.mix if drawn < upper), None)

    def _verdict(
        self, activation: Activation, link: LinkFacts, exchange: Exchange, tallies: Tallies
    ) -> Verdict:
        entropy = digest(self.seed, self.proxy, link.number, label_of(exchange), activation.key, "hook")
        return Verdict(activation, activation.tally_of(tallies), entropy)

    # Toxics.

    def toxics_for(self, link: int, direction: Direction) -> list[PlacedToxic]:
        """The toxics that one direction of a link gets, in their order."""
        return [
            each
            for each in self.plan.toxics
            if each.direction is direction and self._draws(link, "toxic", each.name, each.toxicity)
        ]

    def _draws(self, link: int, what: str, name: str, share: float) -> bool:
        return share >= 1.0 or (share > 0.0 and draw(self.seed, self.proxy, link, what, name) < share)

    def standing(self, link: int, activation: Activation) -> bool:
        """Whether a rule that has just been set is for this link, which was there before."""
        return self._draws(link, "activate", activation.key, self.share_of(activation))

    def randomness(self, link: int, placed: PlacedToxic) -> random.Random:
        """What a toxic draws from, for one link."""
        return random.Random(digest(self.seed, self.proxy, link, "toxic", placed.name, "stage"))
