"""What is read off the events of a proxy: which rules it has had, which toxics took links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from txvaurien.proxy import Proxy
    from txvaurien.rules import Activation, Tally

#: How many rules, and toxics, that a proxy has no longer keep their series: those that came last.
MOST_GONE = 64

#: After so many activations of a rule that are gone the first ones are not looked at any more.
_SETTLED = 8

#: The rule and the behavior.
RuleKey = tuple[str, str]


class Count:
    """How often a rule has fired, and misfired."""

    __slots__ = ("fired", "misfired")

    def __init__(self) -> None:
        self.fired = 0
        self.misfired = 0

    def add(self, tally: Tally | Count) -> None:
        """What that has counted, too."""
        self.fired += tally.fired
        self.misfired += tally.misfired


class Told:
    """Listens to one proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._standing: list[Activation] = list(proxy.active.activations())
        #: By rule, those that came last at the end: what was counted for good, and who may count still
        #: (exchanges that are under way; other processes).
        self._gone: dict[RuleKey, tuple[Count, list[Tally]]] = {}
        self._taken: dict[tuple[str, str, str], int] = {}
        #: Workers that have died, and events of theirs that were lost.
        self.deaths = 0
        self.lost = 0

    def listen(self) -> None:
        """Begin."""
        self._proxy.observers.append(self._observe)

    def close(self) -> None:
        """End."""
        self._proxy.observers.remove(self._observe)

    def _observe(self, event: str, link: int, fields: dict[str, Any]) -> None:
        if event == "toxic":
            self._take(fields["name"], fields["type"], fields["stream"])
        elif event == "plan":
            self._follow()
        elif event == "worker-died":
            self.deaths += 1
        elif event == "events-lost":
            self.lost += fields["count"]

    # Rules.

    def _follow(self) -> None:
        """There is another plan: rules that are gone keep what they have counted."""
        now = list(self._proxy.active.activations())
        before, self._standing = self._standing, now
        for activation in before:
            if activation not in now:
                self._forget(activation)
        standing = {_key(each) for each in now}
        gone = [key for key in self._gone if key not in standing]
        for key in gone[: max(0, len(gone) - MOST_GONE)]:
            del self._gone[key]

    def _forget(self, activation: Activation) -> None:
        key = _key(activation)
        settled, tallies = self._gone.pop(key, (Count(), []))
        tallies.append(activation.tally)
        if len(tallies) > _SETTLED:
            settled.add(tallies.pop(0))
        self._gone[key] = settled, tallies

    def tallies(self) -> Iterator[tuple[RuleKey, Count]]:
        """Each rule that there is or was, and what has been counted under its name."""
        found: dict[RuleKey, Count] = {}
        for key, (settled, tallies) in self._gone.items():
            count = found.setdefault(key, Count())
            count.add(settled)
            for tally in tallies:
                count.add(tally)
        for activation in self._standing:
            # What does nothing, and has fired on nothing: the dummy of a proxy without faults.
            if not activation.acts and not activation.tally.fired:
                continue
            found.setdefault(_key(activation), Count()).add(activation.tally)
        yield from found.items()

    # Toxics.

    def _take(self, name: str, kind: str, stream: str) -> None:
        key = name, kind, stream
        # Those that take links come last.
        self._taken[key] = self._taken.pop(key, 0) + 1
        if len(self._taken) > MOST_GONE + len(self._proxy.plan.toxics):
            standing = {each.name for each in self._proxy.plan.toxics}
            gone = next((each for each in self._taken if each[0] not in standing), key)
            del self._taken[gone]

    def taken(self) -> Iterator[tuple[tuple[str, str, str], int]]:
        """Each toxic that has taken links, by name, type and stream, and how many."""
        yield from self._taken.items()


def _key(activation: Activation) -> RuleKey:
    return activation.key, activation.rule.behavior.name
