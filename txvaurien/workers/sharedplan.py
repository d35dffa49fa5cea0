"""A plan at work in several processes: what its rules count, they count together."""

from __future__ import annotations

from collections.abc import Callable

from txvaurien.exchange import LiveExchange
from txvaurien.model import Exchange
from txvaurien.plan import ActivePlan, Plan
from txvaurien.protocols.base import WireProtocol
from txvaurien.rules import Activation, Cap, LinkFacts, Rule, Tallies, Tally
from txvaurien.workers.counters import FaultCounter, SharedTally, Standing


class SharedActivation(Activation):
    """One rule at work, in one of several processes.

    :param shared: what it has counted in all of them.
    :param faults: counts the exchanges that it is doing something to; None where it does nothing.
    """

    def __init__(
        self,
        rule: Rule,
        key: str,
        protocol: WireProtocol,
        shared: SharedTally,
        faults: FaultCounter | None,
    ) -> None:
        super().__init__(rule, key, protocol)
        self.tally = self.shared = shared
        if faults is not None:
            self.live: set[LiveExchange] = Standing(faults)

    def count_match(self, tally: Tally, by: int = 1) -> None:
        """One more exchange that the rule is for; with -1, it is not for that one after all."""
        with self.shared.lock:
            super().count_match(tally, by)

    def count_fired(self, tally: Tally, by: int = 1) -> None:
        """It has fired; with -1, it has not after all."""
        with self.shared.lock:
            super().count_fired(tally, by)

    def count_misfire(self, tally: Tally, why: str) -> None:
        """It has fired, and what it was to say could not be said."""
        with self.shared.lock:
            super().count_misfire(tally, why)


class SharedPlan(ActivePlan):
    """An `ActivePlan` whose decisions that count are one at a time over all processes.

    :param tally_of: the counters of a rule.
    :param faults: as `SharedActivation` has it.
    """

    def __init__(
        self,
        plan: Plan,
        protocol: WireProtocol,
        proxy: str,
        previous: ActivePlan | None,
        cap: Cap,
        *,
        tally_of: Callable[[Rule], SharedTally],
        faults: FaultCounter | None = None,
    ) -> None:
        self._tally_of = tally_of
        self._faults = faults
        super().__init__(plan, protocol, proxy, previous, cap)

    def _make(self, rule: Rule, key: str) -> Activation:
        return SharedActivation(rule, key, self.protocol, self._tally_of(rule), self._faults)

    def _counts(self, activation: Activation, link: LinkFacts, exchange: Exchange, tallies: Tallies) -> bool:
        assert isinstance(activation, SharedActivation)
        with activation.shared.lock:
            return super()._counts(activation, link, exchange, tallies)
