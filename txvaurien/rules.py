"""Rules: a behavior, which exchanges it is for, when it fires, and what it has counted."""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Literal, Protocol
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from txvaurien.behaviors.base import Behavior
from txvaurien.errors import ConfigError, RuleGone
from txvaurien.model import Exchange, Hook
from txvaurien.protocols.base import WireProtocol

if TYPE_CHECKING:
    from txvaurien.exchange import LiveExchange

_CONNECT = frozenset({Hook.CONNECT})
#: The hooks that can still act when a reply, or a message sent unasked, begins to come.
_ANSWERED = frozenset({Hook.BETWEEN, Hook.AFTER})
_ASKED = _ANSWERED | {Hook.BEFORE}

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class LinkFacts(Protocol):
    """What a rule may ask about the link of an exchange."""

    @property
    def number(self) -> int:
        """From 1, in the order in which clients came."""

    @property
    def client_ip(self) -> Address | None:
        """The client's address; None for a client that has none (a Unix socket)."""

    @property
    def age(self) -> float:
        """Seconds since the client came."""


@dataclass(frozen=True)
class Span:
    """A range of numbers, both ends included."""

    low: float = 0
    high: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        if self.high == math.inf:
            return f"{self.low:g}.."
        return f"{self.low:g}..{self.high:g}" if self.low else f"..{self.high:g}"


#: Every number.
EVERY = Span()


@dataclass(frozen=True, eq=False)
class Rule:
    """A behavior, which exchanges it is for, and when it fires.

    Two rules are the same rule only if they are the same object: a plan that
    keeps the object keeps its counters, a new object starts from zero.

    :param verbs: the verbs it is for, in upper case; none for all. Greetings,
        handshakes and what a server sends unasked are reached only by naming them.
    :param target: a glob over the targets, ``""`` for all.
    :param status: globs over the status of the reply, in upper case. Such a rule is
        decided when the reply begins to come, if no other has fired before.
    :param clients: the networks that the client's address may be in; none for all.
    :param link_age: how old the link may be, in seconds.
    :param message: which exchanges of a link it is for, by their numbers from 1.
    :param at: only these exchanges: the numbers of their links and their labels (`label_of`).
    :param probability: from 0 (as if the rule were not there) to 1 (draws nothing).
    :param after: so many matches pass first; None takes the behavior's ``warmup``.
    :param times: fires at most so often; None takes the behavior's ``agitate``,
        and is unlimited where there is none.
    :param every: fires at the first match after `after`, then at each n-th.
    :param per: whether matches are counted over the proxy or for each link.
    :param lifetime: seconds after which it fires no more and lets go of what it holds.
    """

    behavior: Behavior
    name: str = ""
    verbs: frozenset[str] = frozenset()
    target: str = ""
    status: tuple[str, ...] = ()
    clients: tuple[Network, ...] = ()
    link_age: Span = EVERY
    message: Span = EVERY
    at: frozenset[tuple[int, str]] = frozenset()
    probability: float = 1.0
    after: int | None = None
    times: int | None = None
    every: int = 1
    per: Literal["proxy", "link"] = "proxy"
    lifetime: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "clients", tuple(_unmapped(each) for each in self.clients))
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

    def is_about(self, link: LinkFacts, exchange: Exchange) -> bool:
        """Whether it is for this exchange, apart from its verb, its status and what it has counted."""
        if self.target and not any(fnmatchcase(each, self.target) for each in exchange.message.targets):
            return False
        if self.message is not EVERY and exchange.number not in self.message:
            return False
        if self.link_age is not EVERY and link.age not in self.link_age:
            return False
        if self.clients and not self._is_client(link.client_ip):
            return False
        return not self.at or (link.number, label_of(exchange)) in self.at

    def _is_client(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.clients)

    def is_status(self, exchange: Exchange) -> bool:
        """Whether it is for the reply that this exchange has got."""
        status = exchange.response.status.upper() if exchange.response is not None else ""
        return any(fnmatchcase(status, each) for each in self.status)


#: How many bits come before an IPv4 address that is written as IPv6.
_MAPPED = 96


def _unmapped(network: Network) -> Network:
    """An IPv4 network that is written as IPv6 (RFC 4291, 2.5.5.2) is the one that clients come from."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED))


class Tally:
    """What one rule has counted."""

    __slots__ = ("capped", "fired", "matched", "misfired")

    def __init__(self) -> None:
        self.matched = 0
        self.fired = 0
        #: How often it fired, and what it was to say could not be said.
        self.misfired = 0
        #: How often it would have fired, had there not been enough faults already.
        self.capped = 0


#: What a link counts for the rules that count ``per = link``.
Tallies = MutableMapping["Activation", Tally]


@dataclass
class Cap:
    """How many faults there may be at one time.

    :param most: None for without limit.
    :ivar links: the numbers of the links that are under a toxic.
    """

    most: int | None = None
    links: set[int] = field(default_factory=set)

    def full(self, exchanges: int) -> bool:
        """Whether there are as many as there may be, with so many exchanges under a rule."""
        return self.most is not None and len(self.links) + exchanges >= self.most


class Stalled(Protocol):
    """Something that does not go on as long as a rule stands."""

    def release(self) -> None:
        """Go on."""


class Activation:
    """One rule at work: where it acts, what it has counted, what it holds now.

    :raises ConfigError: its behavior does not fit the protocol, or has nothing to do where the
        rule is decided.
    """

    def __init__(self, rule: Rule, key: str, protocol: WireProtocol) -> None:
        self.rule = rule
        self.key = key
        self.acts = rule.behavior.acts(protocol)
        self.handshakes = rule.behavior.handshakes(protocol)
        #: Over all links, however it counts.
        self.tally = Tally()
        #: The exchanges that it is doing something to.
        self.live: set[LiveExchange] = set()
        #: The handshakes that it stalls.
        self.stalled: WeakSet[Stalled] = WeakSet()
        #: Why it misfired last.
        self.misfire = ""
        #: It fires no more: it was taken away, or has expired.
        self.over = False
        self.expired = False
        #: What makes it expire.
        self.expiry: IDelayedCall | None = None
        self._waiting: list[tuple[int, Deferred[int]]] = []
        if rule.status and self.acts and not self.acts & _ANSWERED:
            raise ConfigError(
                "status",
                f"{rule.behavior.name!r} acts before the backend has answered, when there is no status yet",
                "leave status out, or choose a behavior that acts on the reply",
            )

    def tally_of(self, tallies: Tallies) -> Tally:
        """The counters that hold for a link."""
        if self.rule.per == "proxy":
            return self.tally
        return tallies.setdefault(self, Tally())

    def count_match(self, tally: Tally, by: int = 1) -> None:
        """One more exchange that the rule is for; with -1, it is not for that one after all."""
        tally.matched += by
        if tally is not self.tally:
            self.tally.matched += by

    def count_fired(self, tally: Tally, by: int = 1) -> None:
        """It has fired; with -1, it has not after all."""
        tally.fired += by
        if tally is not self.tally:
            self.tally.fired += by

    def count_misfire(self, tally: Tally, why: str) -> None:
        """It has fired, and what it was to say could not be said."""
        self.count_fired(tally, -1)
        self.tally.misfired += 1
        self.misfire = why

    def when_fired(self, count: int) -> Deferred[int]:
        """Fires with the number of times that the rule has fired, once that is at least `count`.

        It may be cancelled. It fails with `RuleGone` when the rule can fire no more.
        """
        waiting: Deferred[int] = Deferred(lambda deferred: self._waiting.remove((count, deferred)))
        self._waiting.append((count, waiting))
        self.tell_waiting()
        return waiting

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for it to fire."""
        return bool(self._waiting)

    def tell_waiting(self) -> None:
        """Tell those whose count has been reached."""
        for each in list(self._waiting):
            count, waiting = each
            if each not in self._waiting:
                # One of those told before has cancelled it, or has had it told.
                continue
            if self.tally.fired >= count:
                self._waiting.remove(each)
                waiting.callback(self.tally.fired)
            elif self.over:
                self._waiting.remove(each)
                waiting.errback(
                    RuleGone(f"the rule {self.key!r} is gone; it has fired {self.tally.fired} times")
                )

    def release(self) -> None:
        """The rule is over: let go of everything it holds, now."""
        self.over = True
        if self.expiry is not None and self.expiry.active():
            self.expiry.cancel()
        self.expiry = None
        for live in list(self.live):
            live.release()
        for handshake in list(self.stalled):
            handshake.release()
        self.stalled.clear()
        self.tell_waiting()

    def applies(self, hooks: frozenset[Hook], exchange: Exchange) -> bool:
        """Whether it can act at one of these hooks of this exchange, and is meant to."""
        verbs = self.rule.verbs
        if verbs:
            if exchange.message.verb not in verbs:
                return False
        elif not self.is_for(exchange) or (hooks is _CONNECT and Hook.CONNECT not in self.acts):
            return False
        # A dummy acts nowhere and yet may fire: it keeps later rules away.
        return not self.acts or bool(self.acts & hooks)

    def is_for(self, exchange: Exchange) -> bool:
        """Whether it is meant for an exchange of which it does not name the verb."""
        return not exchange.unasked and self.handshakes == exchange.handshake


def hooks_of(exchange: Exchange) -> frozenset[Hook]:
    """The hooks that can still act when an exchange begins."""
    if exchange.unasked:
        return _ANSWERED
    return _CONNECT if exchange.number == 0 else _ASKED


#: The hooks that can still act when the status of the reply is known.
ANSWERED = _ANSWERED


def label_of(exchange: Exchange) -> str:
    """Names an exchange within its link; unasked messages have numbers of their own."""
    return f"u{exchange.number}" if exchange.unasked else str(exchange.number)
