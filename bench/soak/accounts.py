"""The books: what clients have seen, what the journal says, and what does not go together."""

from __future__ import annotations

from pathlib import Path

from bench.soak.facts import Chronicle
from bench.soak.judge import Court, Deviation
from bench.soak.ledger import Ledger
from bench.soak.mail import PostOffice
from bench.soak.tail import Tail


class Accounts:
    """Judges links as they end.

    :ivar deviations: all until now.
    :ivar unclaimed: links that no client knows of: those that gave up in the kernel's queue.
    """

    def __init__(self, ledger: Ledger, office: PostOffice, journal: Tail) -> None:
        self.chronicle = Chronicle()
        self.court = Court(self.chronicle)
        self.ledger = ledger
        self.unclaimed = 0
        self.mails = 0
        self._office = office
        self._journal = journal
        self._wrong: list[Deviation] = []

    @property
    def deviations(self) -> list[Deviation]:
        """Everything that nothing explains."""
        return [*self._wrong, *self.court.deviations]

    def wrong(self, what: str, proxy: str = "") -> None:
        """Something that is not about a link."""
        self._wrong.append(Deviation(proxy, 0, what))

    def look(self, final: bool = False) -> None:
        """Read on in the journal, and judge what can be judged.

        :param final: all links have ended, and the journal has told of that.
        """
        for line in self._journal.lines():
            self.chronicle.tell(line)
        for odd in self.chronicle.strange:
            self.wrong(f"the journal says: {dict(odd)}")
        self.chronicle.strange.clear()
        self.ledger.waiting = self.court.sit(self.ledger.waiting, final)

    @property
    def standing(self) -> int:
        """How many links the journal has not seen end."""
        return len(self.chronicle.open)

    def close(self, mails: Path) -> None:
        """A quiet moment: everything is judged, and begins anew.

        :param mails: where the mail server keeps what it was given.
        """
        self.look(final=True)
        self.unclaimed += len(self.court.leftover())
        self.mails += len(self._office.mails)
        for what in self._office.count(mails, self.court.effects, "smtp" in self.chronicle.tainted):
            self.wrong(what, "smtp")
        if self.chronicle.missing:
            self.wrong(f"{self.chronicle.missing} records are missing in the journal's file")
        self.chronicle.missing = 0
        self.chronicle.tainted.clear()
        self.court.effects.clear()
