"""What follows a plan: its rules and toxics, set all together or one by one, while links stand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txvaurien.interfaces import IStanding
from txvaurien.options import unknown
from txvaurien.plan import ActivePlan, PlacedToxic, Plan
from txvaurien.planning.faults import describe_plan
from txvaurien.protocols.base import WireProtocol
from txvaurien.rules import Activation, Cap, Rule

if TYPE_CHECKING:
    from txvaurien.journals.reports import Reports
    from txvaurien.link import Link


class PlanFollower:
    """The part of a `txvaurien.proxy.Proxy` that follows a plan. Who subclasses it sets what is named here.

    :ivar active: the plan, at work.
    :ivar cap: how many faults there may be at one time.
    """

    log = Logger()

    name: str
    protocol: WireProtocol
    clock: IReactorTime
    cap: Cap
    active: ActivePlan
    links: dict[int, Link]
    reports: Reports

    def _put_to_work(self, plan: Plan, before: ActivePlan | None = None) -> ActivePlan:
        return ActivePlan(plan, self.protocol, self.name, before, self.cap)

    @property
    def plan(self) -> Plan:
        """What the proxy does now."""
        return self.active.plan

    @property
    def seed(self) -> int:
        """What all draws depend on."""
        return self.active.seed

    def set_plan(self, plan: Plan) -> None:
        """Follow another plan, from the next exchange of every link on.

        Rules that both plans have keep their counters and what they hold. The
        others let go of what they hold before this returns; so do toxics, on every link.

        :raises ConfigError: a behavior does not fit the protocol; nothing has changed.
        """
        before = self.active
        self.active = active = self._put_to_work(plan, before)
        old, new = set(before.activations()), set(active.activations())
        for activation in before.activations():
            if activation not in new:
                activation.release()
        # A hook that was let go, or whoever is told, may set another plan: that one is told of last, and
        # has begun what is new in it.
        if self.active is active:
            self._tell_plan(plan)
        for activation in active.activations():
            if activation not in old and not activation.over:
                self._activate(activation)
        if before.plan.toxics != plan.toxics:
            for link in list(self.links.values()):
                link.chains.follow()

    def _tell_plan(self, plan: Plan) -> None:
        self.log.info("{name}: {plan}, seed {seed}", name=self.name, plan=plan.text, seed=self.seed)
        if self.reports.observers:
            self.reports.event("plan", None, **describe_plan(plan), seed=self.seed)

    def _activate(self, activation: Activation) -> None:
        if activation.rule.lifetime is not None:
            activation.expiry = self.clock.callLater(activation.rule.lifetime, self._expire, activation)
        self.reports.warn_of_verbs(activation)
        self.reports.warn_of_tls(activation)
        if not IStanding.providedBy(activation.rule.behavior):
            return
        for link in list(self.links.values()):
            if self.active.standing(link.number, activation):
                self._activate_on(link, activation)

    def _activate_on(self, link: Link, activation: Activation) -> None:
        behavior: Any = activation.rule.behavior
        # Said first: a link that is ended may be gone, and told of, before this returns.
        why, link.why = link.why, f"rule {activation.key}"
        try:
            behavior.on_activate(link)
        except Exception:
            self.log.failure("behavior {name} failed on a standing link", name=behavior.name)
            self.reports.event("broken", link, rule=activation.key, why="on_activate failed")
        if not link.over:
            link.why = why

    def _expire(self, activation: Activation) -> None:
        """The time of a rule is over: it stays in the plan, and does nothing any more."""
        activation.expired = True
        activation.release()
        self.active.reckon()
        self.reports.event("expired", None, rule=activation.key)

    def rule(self, name: str) -> Activation:
        """The rule of this name, at work.

        :raises ConfigError: there is none.
        """
        for activation in self.active.rules:
            if activation.rule.name == name:
                return activation
        raise unknown("rule", name, [each.name for each in self.plan.rules], where="rule")

    def add_rule(self, rule: Rule, position: int | None = None) -> Activation:
        """One more rule, by default the last; it is given a name if it has none.

        :raises ConfigError: there is one of this name, it does not fit the protocol, or whoever was
            told of it has taken it away again.
        """
        before, plan = set(self.plan.rules), self.plan.with_rule(rule, position)
        self.set_plan(plan)
        return self.rule(next(each.name for each in plan.rules if each not in before))

    def remove_rule(self, name: str) -> None:
        """Take a rule away; what it holds goes on.

        :raises ConfigError: there is none of this name.
        """
        gone = self.rule(name).rule
        self.set_plan(replace(self.plan, rules=tuple(each for each in self.plan.rules if each is not gone)))

    def toxic(self, name: str) -> PlacedToxic:
        """The toxic of this name.

        :raises ConfigError: there is none.
        """
        for placed in self.plan.toxics:
            if placed.name == name:
                return placed
        raise unknown("toxic", name, [each.name for each in self.plan.toxics], where="toxic")

    def add_toxic(self, placed: PlacedToxic) -> None:
        """One more toxic, nearest to the receiver, on standing links too.

        :raises ConfigError: there is one of this name.
        """
        self.set_plan(replace(self.plan, toxics=(*self.plan.toxics, placed)))

    def replace_toxic(self, placed: PlacedToxic) -> None:
        """Other options for the toxic of this name; standing links go on with them.

        :raises ConfigError: there is none of this name.
        """
        old = self.toxic(placed.name)
        toxics = tuple(placed if each is old else each for each in self.plan.toxics)
        self.set_plan(replace(self.plan, toxics=toxics))

    def remove_toxic(self, name: str) -> None:
        """Take a toxic away; what it holds goes on.

        :raises ConfigError: there is none of this name.
        """
        gone = self.toxic(name)
        kept = tuple(each for each in self.plan.toxics if each is not gone)
        self.set_plan(replace(self.plan, toxics=kept))
