"""What `ChaosProxy` gives out: faults that stand until they are ended, and links as they are now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from txvaurien.blockingproxy import ProxyCommands, Rule
from txvaurien.vocabulary import Fields, VaurienError, is_gone

#: Gives the records of the journal after a number.
Records = Callable[[int], list[Fields]]


@dataclass(frozen=True)
class LinkInfo:
    """A link, as it was when it was asked for.

    :param number: from 1, in the order in which clients came.
    :param address: the client's, as ``host:port``.
    :param age: seconds since the client came.
    :param idle: seconds since the last byte.
    :param exchanges: how many requests the client has sent.
    :param opaque: why the stream is passed through unread; empty if it is not.
    """

    number: int
    address: str
    age: float
    idle: float
    exchanges: int
    bytes_to_backend: int
    bytes_to_client: int
    opaque: str = ""

    @property
    def bytes(self) -> int:
        """What came, both ways."""
        return self.bytes_to_backend + self.bytes_to_client

    @classmethod
    def of(cls, said: Fields) -> LinkInfo:
        """From what `ProxyCommands.links` says."""
        return cls(
            number=said["id"],
            address=said["client"],
            age=said["seconds"],
            idle=said["idle"],
            exchanges=said["exchanges"],
            bytes_to_backend=said["bytes_to_backend"],
            bytes_to_client=said["bytes_to_client"],
            opaque=said["opaque"],
        )


class ChaosFault(Rule):
    """A behavior that was added. It is removed at the end of a ``with`` block.

    What it has counted, and `exchanges`, can be asked for afterwards as well.
    """

    def __init__(self, commands: ProxyCommands, name: str, records: Records, since: int) -> None:
        super().__init__(commands, name)
        self._records = records
        self._since = since
        #: What it had counted when it was removed.
        self._counted: Fields | None = None

    @property
    def fired(self) -> int:
        """How often it has fired until now."""
        return int(self._counts()["fired"])

    @property
    def matched(self) -> int:
        """How many exchanges it was for until now."""
        return int(self._counts()["matched"])

    @property
    def exchanges(self) -> list[Fields]:
        """The journal's records of the exchanges that it fired on, the oldest first."""
        return fired_of(self._records(self._since), self.name)

    def remove(self) -> None:
        """Remove it; what it held is let go when this returns."""
        if self._counted is None:
            self._counted = self._client.rule(self.name)
            super().remove()

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


class Standing:
    """Something that stands until it is ended, at the latest at the end of a ``with`` block."""

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end
        self._over = False

    def end(self) -> None:
        """End it; it no longer holds when this returns. Nothing happens the second time."""
        if not self._over:
            self._over = True
            self._end()

    def __enter__(self) -> Standing:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def unless_gone(remove: Callable[[], object]) -> None:
    """Remove something that may have been removed already (`reset`)."""
    try:
        remove()
    except VaurienError as error:
        if not is_gone(error):
            raise
