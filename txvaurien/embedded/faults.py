"""Faults that `ChaosProxy` gives out: they stand until they are removed, and can be asked afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from txvaurien.clients.blockingproxy import ProxyCommands, Rule
from txvaurien.clients.vocabulary import Fields, VaurienError, is_gone

#: Gives the records of the journal after a number.
Records = Callable[[int], list[Fields]]


class ChaosFault(Rule):
    """A behavior that was added. It is removed at the end of a ``with`` block.

    What it has counted, and `exchanges`, can be asked for afterwards as well.

    :ivar errors: what a function of the test has raised (`ChaosProxy.on_request`). The end of the block
        raises the first of them, unless the block itself has raised.
    """

    def __init__(
        self,
        commands: ProxyCommands,
        name: str,
        records: Records,
        since: int,
        last: Callable[[], int],
        errors: Sequence[Exception] = (),
    ) -> None:
        super().__init__(commands, name)
        self.errors = errors
        self._records = records
        self._since = since
        self._last = last
        #: What it had counted when it was removed.
        self._counted: Fields | None = None
        #: The records that others of this name may have made begin behind this one.
        self._until: int | None = None

    @property
    def fired(self) -> int:
        """How often it has fired until now.

        Of one that `ChaosProxy.reset` or another plan has removed, only the journal knows.
        """
        try:
            return int(self._counts()["fired"])
        except VaurienError as error:
            if not is_gone(error):
                raise
        return len(self.exchanges)

    @property
    def matched(self) -> int:
        """How many exchanges it was for until now."""
        return int(self._counts()["matched"])

    @property
    def exchanges(self) -> list[Fields]:
        """The journal's records of the exchanges that it fired on, the oldest first."""
        records = self._records(self._since)
        own = [each for each in records if self._until is None or int(each["n"]) <= self._until]
        return fired_of(own, self.name)

    def remove(self) -> None:
        """Remove it; what it held is let go when this returns."""
        if self._counted is None:
            counted = self._client.rule(self.name)
            super().remove()
            self._until = self._last()
            self._counted = counted

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        if self.errors and not any(raised):
            raise self.errors[0]

    def _counts(self) -> Fields:
        return self._client.rule(self.name) if self._counted is None else self._counted


def fired_of(records: Iterable[Fields], rule: str) -> list[Fields]:
    """The records of what a rule fired on, without those where it turned out not to have fired."""
    found: dict[tuple[int, str], Fields] = {}
    for record in records:
        if record.get("rule") != rule:
            continue
        place = (int(record.get("link", 0)), str(record.get("exchange", "")))
        if record["event"] == "fired":
            found[place] = record
        elif record["event"] == "misfired":
            found.pop(place, None)
    return list(found.values())
