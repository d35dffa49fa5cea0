"""Which behavior for which exchange: rules, the weighted mix, the seed.

A `Plan` is immutable and can be shared; an `ActivePlan` is a plan at work in
one proxy, with the counters that belong to this activation. Choosing is pure:
every draw is a function of (seed, proxy, link, exchange, rule), so the order in
which links speak changes nothing.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from txvaurien.behaviors.base import Behavior
from txvaurien.errors import ConfigError
from txvaurien.model import Exchange, Hook
from txvaurien.protocols.base import WireProtocol

if TYPE_CHECKING:
    from txvaurien.exchange import LiveExchange

_CONNECT = frozenset({Hook.CONNECT})
_UNASKED = frozenset({Hook.BETWEEN, Hook.AFTER})
_ASKED = _UNASKED | {Hook.BEFORE}


@dataclass(frozen=True, eq=False)
class Rule:
    """A behavior, which exchanges it is for, and when it fires.

    Two rules are the same rule only if they are the same object: a plan that
    keeps the object keeps its counters, a new object starts from zero.

    :param verbs: the verbs it is for, in upper case; none for all. Greetings,
        handshakes and what a server sends unasked are reached only by naming them.
    :param target: a glob over the targets, ``""`` for all.
    :param probability: from 0 (as if the rule were not there) to 1 (draws nothing).
    :param after: so many matches pass first; None takes the behavior's ``warmup``.
    :param times: fires at most so often; None takes the behavior's ``agitate``,
        and is unlimited where there is none.
    :param every: fires at the first match after `after`, then at each n-th.
    :param per: whether matches are counted over the proxy or for each link.
    """

    behavior: Behavior
    name: str = ""
    verbs: frozenset[str] = frozenset()
    target: str = ""
    probability: float = 1.0
    after: int | None = None
    times: int | None = None
    every: int = 1
    per: Literal["proxy", "link"] = "proxy"

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise ConfigError(
                "probability", f"{self.probability!r} will not do", "it is a number from 0 to 1"
            )
        if (self.after or 0) < 0 or (self.times or 0) < 0 or self.every < 1:
            raise ConfigError("rule", "a count is below its least value", "after, times >= 0; every >= 1")

    @property
    def first(self) -> int:
        """How many matches pass before it may fire."""
        return self.after if self.after is not None else int(getattr(self.behavior, "warmup", 0))

    @property
    def most(self) -> int | None:
        """How often it fires at most, None for without limit."""
        return self.times if self.times is not None else getattr(self.behavior, "agitate", None)


@dataclass(frozen=True)
class Share:
    """One part of the mix: of a hundred exchanges, `percent` are for `rule`."""

    percent: float
    rule: Rule


@dataclass(frozen=True)
class Plan:
    """What a proxy does now. The first rule that fires wins, then the mix decides.

    :param seed: None for one that is drawn when the plan is set.
    :raises ConfigError: the percentages of the mix add up to more than 100.
    """

    mix: tuple[Share, ...] = ()
    rules: tuple[Rule, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        _check_percentages([share.percent for share in self.mix], "behavior")

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


def parse_mix(text: str, where: str = "--behavior") -> list[tuple[float, str]]:
    """Read ``5:error,10:delay`` or ``delay`` into (percent, name) pairs.

    :raises ConfigError: not of that form, or more than 100 percent. Whether the
        names exist is for the registry to say.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and ":" not in text:
        return [(100.0, _name(text, text, where))]
    mix = [_share(part, where) for part in parts]
    _check_percentages([percent for percent, _ in mix], where)
    return mix


def _share(part: str, where: str) -> tuple[float, str]:
    percent, colon, name = part.partition(":")
    try:
        if not colon:
            raise ValueError
        return float(percent), _name(name, part, where)
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            where, f"{part!r} is not PERCENT:NAME", "write for example 5:error,10:delay"
        ) from None


def _name(name: str, part: str, where: str) -> str:
    if not name.strip():
        raise ConfigError(where, f"{part!r} names no behavior", "write for example 5:error,10:delay")
    return name.strip()


def _check_percentages(percentages: Iterable[float], where: str) -> None:
    total = 0.0
    for percent in percentages:
        if not 0.0 <= percent <= 100.0:
            raise ConfigError(where, f"{percent:g} is not a percentage", "each is a number from 0 to 100")
        total += percent
    # Percentages are written in decimals: 33.3 + 33.3 + 33.4 may miss 100 by a rounding error.
    if total > 100.0 + 1e-9:
        raise ConfigError(where, f"the percentages add up to {total:g}", "at most 100; the rest is dummy")


def new_seed() -> int:
    """A seed for a run that was given none; short enough to be typed again."""
    return random.SystemRandom().randrange(2**32)


def _digest(seed: int, key: tuple[object, ...]) -> int:
    text = repr((seed, *key)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def draw(seed: int, *key: object) -> float:
    """A number from 0 up to but not 1 that depends on nothing but the arguments."""
    return (_digest(seed, key) >> 11) / float(1 << 53)


class Tally:
    """What one rule has counted."""

    __slots__ = ("fired", "matched")

    def __init__(self) -> None:
        self.matched = 0
        self.fired = 0


#: What a link counts for the rules that count ``per = link``.
Tallies = dict["Activation", Tally]


class Activation:
    """One rule at work: where it acts, what it has counted, what it holds now."""

    def __init__(self, rule: Rule, key: str, protocol: WireProtocol) -> None:
        self.rule = rule
        self.key = key
        self.acts = rule.behavior.acts(protocol)
        self.handshakes = rule.behavior.handshakes(protocol)
        self.tally = Tally()
        #: The exchanges that it is doing something to.
        self.live: set[LiveExchange] = set()

    def tally_of(self, tallies: Tallies) -> Tally:
        """The counters that hold for a link."""
        if self.rule.per == "proxy":
            return self.tally
        return tallies.setdefault(self, Tally())

    def release(self) -> None:
        """The rule is gone: let go of everything it holds, now."""
        for live in list(self.live):
            live.release()


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
    :raises ConfigError: a behavior does not fit the protocol.
    """

    plan: Plan
    protocol: WireProtocol
    proxy: str
    previous: ActivePlan | None = None
    seed: int = field(init=False)
    rules: list[Activation] = field(init=False)
    mix: list[tuple[float, Activation]] = field(init=False)
    #: Whether there is nothing at all to decide.
    idle: bool = field(init=False)

    def __post_init__(self) -> None:
        previous, self.previous = self.previous, None
        old = {each.rule: each for each in previous.activations()} if previous else {}
        self.seed = self._seed(previous)
        self.rules = [self._activate(rule, f"rule {n}", old) for n, rule in enumerate(self.plan.rules)]
        self.mix = []
        edge = 0.0
        for number, share in enumerate(self.plan.mix):
            edge += share.percent
            self.mix.append((edge / 100.0, self._activate(share.rule, f"mix {number}", old)))
        # Probability 0 is as if the rule were not there.
        self.idle = not any(each.acts and self.share_of(each) > 0.0 for each in self.activations())

    def _seed(self, previous: ActivePlan | None) -> int:
        if self.plan.seed is not None:
            return self.plan.seed
        return previous.seed if previous else new_seed()

    def _activate(self, rule: Rule, place: str, old: dict[Rule, Activation]) -> Activation:
        return old.get(rule) or Activation(rule, rule.name or f"{place} {rule.behavior.name}", self.protocol)

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

    def verdict(self, link: int, exchange: Exchange, tallies: Tallies) -> Verdict | None:
        """Which rule fires on this exchange of this link, None if none does."""
        if self.idle:
            return None
        hooks = _stage(exchange)
        verb = exchange.message.verb
        for activation in self.rules:
            if self._fires(activation, hooks, verb, link, exchange, tallies):
                return self._verdict(activation, link, exchange, tallies)
        return self._from_mix(hooks, link, exchange, tallies) if self.mix else None

    def _fires(
        self,
        activation: Activation,
        hooks: frozenset[Hook],
        verb: str,
        link: int,
        exchange: Exchange,
        tallies: Tallies,
    ) -> bool:
        rule = activation.rule
        if rule.verbs:
            if verb not in rule.verbs:
                return False
        elif not _is_for(activation, exchange) or (hooks is _CONNECT and Hook.CONNECT not in activation.acts):
            return False
        # A dummy acts nowhere and yet may fire: it keeps later rules away.
        if activation.acts and not activation.acts & hooks:
            return False
        if rule.target and not any(fnmatchcase(each, rule.target) for each in exchange.message.targets):
            return False
        return rule.probability > 0.0 and self._counts(activation, link, exchange, tallies)

    def _counts(self, activation: Activation, link: int, exchange: Exchange, tallies: Tallies) -> bool:
        """Count a match, and tell whether the rule fires at it."""
        rule = activation.rule
        tally = activation.tally_of(tallies)
        tally.matched += 1
        beyond = tally.matched - rule.first
        if beyond <= 0 or (beyond - 1) % rule.every:
            return False
        if rule.most is not None and tally.fired >= rule.most:
            return False
        if rule.probability < 1.0:
            drawn = draw(self.seed, self.proxy, link, _label(exchange), activation.key)
            if drawn >= rule.probability:
                return False
        tally.fired += 1
        return True

    def _from_mix(
        self, hooks: frozenset[Hook], link: int, exchange: Exchange, tallies: Tallies
    ) -> Verdict | None:
        picked = self._pick(link, exchange)
        chosen: Verdict | None = None
        for _, activation in self.mix:
            if not activation.acts & hooks or not _is_for(activation, exchange):
                continue
            if activation is picked:
                if self._counts(activation, link, exchange, tallies):
                    chosen = self._verdict(activation, link, exchange, tallies)
            else:
                activation.tally_of(tallies).matched += 1
        return chosen

    def _pick(self, link: int, exchange: Exchange) -> Activation | None:
        edge, first = self.mix[0]
        if edge >= 1.0:
            return first
        drawn = draw(self.seed, self.proxy, link, _label(exchange), "mix")
        return next((activation for upper, activation in self.mix if drawn < upper), None)

    def _verdict(self, activation: Activation, link: int, exchange: Exchange, tallies: Tallies) -> Verdict:
        entropy = _digest(self.seed, (self.proxy, link, _label(exchange), activation.key, "hook"))
        return Verdict(activation, activation.tally_of(tallies), entropy)


def _label(exchange: Exchange) -> str:
    """Names an exchange within its link; unasked messages have numbers of their own."""
    return f"u{exchange.number}" if exchange.unasked else str(exchange.number)


def _stage(exchange: Exchange) -> frozenset[Hook]:
    """The hooks that can still act."""
    if exchange.unasked:
        return _UNASKED
    return _CONNECT if exchange.number == 0 else _ASKED


def _is_for(activation: Activation, exchange: Exchange) -> bool:
    """Whether a rule is meant for an exchange of which it does not name the verb."""
    return not exchange.unasked and activation.handshakes == exchange.handshake
