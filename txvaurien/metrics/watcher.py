"""The metrics of all proxies of a process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from txvaurien import __version__
from txvaurien.metrics import families
from txvaurien.metrics.families import FAMILIES, Collected, Family, Sample
from txvaurien.metrics.figures import Figures, Spread
from txvaurien.metrics.meter import Meter
from txvaurien.metrics.told import Told
from txvaurien.model import Direction
from txvaurien.net.peers import address_text
from txvaurien.plan import STREAMS
from txvaurien.proxy import Proxy

if TYPE_CHECKING:
    from txvaurien.journal import Journal
    from txvaurien.journals.journalfile import JournalFile
    from txvaurien.process.proxies import Proxies

#: What a proxy says of itself: the metric, the labels behind the name of the proxy, the number.
_Said = Iterator[tuple[Family, tuple[str, ...], float | Spread]]


class Metrics:
    """Watches proxies (`txvaurien.process.proxies.Watcher`), and says how things are when it is asked.

    :param journal: how many events it was told of.
    :param journal_file: how many lines it has dropped.
    :param exchanges: note each exchange, too: its verb, its status, its times.
    """

    def __init__(
        self,
        journal: Journal | None = None,
        journal_file: JournalFile | None = None,
        *,
        exchanges: bool = False,
    ) -> None:
        self._journal = journal
        self._journal_file = journal_file
        self._exchanges = exchanges
        self._watched: dict[Proxy, Watched] = {}

    @classmethod
    def of(cls, proxies: Proxies, journal: Journal | None = None) -> Metrics:
        """Those of these proxies, from now on, without their exchanges."""
        metrics = cls(journal)
        proxies.watch_with(metrics)
        return metrics

    def attach(self, proxy: Proxy, listen: str = "") -> None:
        """There is this proxy. Links that stand already are not followed into their exchanges.

        :param listen: where it listens, as users write it.
        """
        self._watched[proxy] = Watched(proxy, listen)
        proxy.meter = Meter(proxy.protocol, exchanges=self._exchanges)

    def detach(self, proxy: Proxy) -> None:
        """It is gone, and its series with it."""
        self._watched.pop(proxy).close()
        proxy.meter = None

    async def collect(self) -> list[Collected]:
        """Every metric, as it is now; those of which there is nothing to say are left out."""
        found = {family: Collected(family) for family in FAMILIES}
        for family, value in self._of_process():
            found[family].samples.append(value)
        for watched in list(self._watched.values()):
            figures = await watched.proxy.figures()
            # It may have been removed meanwhile.
            if watched.proxy in self._watched:
                for family, labels, number in watched.say(figures):
                    found[family].samples.append(Sample(labels, number))
        return [each for each in found.values() if each.samples]

    def _of_process(self) -> Iterator[tuple[Family, Sample]]:
        yield families.INFO, Sample((__version__,), 1)
        if self._journal is not None:
            yield families.JOURNAL_RECORDS, Sample((), self._journal.last)
        if self._journal_file is not None:
            yield families.JOURNAL_DROPPED, Sample((), self._journal_file.dropped)


class Watched:
    """One proxy, and what it has been heard to say."""

    def __init__(self, proxy: Proxy, listen: str) -> None:
        self.proxy = proxy
        self._listen = listen
        self._told = Told(proxy)
        self._told.listen()

    def close(self) -> None:
        """Listen no more."""
        self._told.close()

    @property
    def listen(self) -> str:
        """Where it listens: the real address, if there is one, else what was asked for."""
        gate = self.proxy.gate
        return (address_text(gate.address) if gate is not None else "") or self._listen

    def say(self, figures: Figures) -> _Said:
        """All series of this proxy."""
        name = self.proxy.name
        for part in (self._of_links, self._of_exchanges):
            for family, labels, number in part(figures):
                yield family, (name, *labels), number
        for family, labels, number in self._of_faults():
            yield family, (name, *labels), number
        if figures.workers or self._told.deaths:
            yield families.WORKERS, (name,), figures.workers
            yield families.WORKER_DEATHS, (name,), self._told.deaths
            yield families.EVENTS_LOST, (name,), self._told.lost
        yield from self._as_toxiproxy(figures.stats)

    def _of_links(self, figures: Figures) -> _Said:
        proxy, stats, noted = self.proxy, figures.stats, figures.noted
        yield families.PROXY_INFO, (proxy.protocol.name, self.listen, proxy.backend.text), 1
        yield families.LINKS, (), stats["links"]
        yield families.LINKS_OPEN, (), figures.open
        yield families.LINKS_OPAQUE, (), stats["opaque"]
        for direction in Direction:
            yield families.BYTES, (direction.value,), stats[f"bytes_{direction.value}"]
        yield families.EXCHANGES, (Direction.TO_BACKEND.value,), stats["exchanges"]
        yield families.EXCHANGES, (Direction.TO_CLIENT.value,), stats["unasked"]
        yield families.BROKEN, (), stats["broken"]
        yield families.TOXIC_LINKS_OPEN, (), figures.toxic
        yield families.CONNECT_SECONDS, (), noted.connects
        for reason, count in sorted(noted.errors.items()):
            yield families.CONNECT_ERRORS, (reason,), count

    def _of_exchanges(self, figures: Figures) -> _Said:
        if self.proxy.meter is None or not self.proxy.meter.exchanges:
            return
        noted = figures.noted
        for verb, answers in sorted(noted.answers.items()):
            for status, count in sorted(answers.items()):
                yield families.ANSWERS, (verb, status), count
        yield families.BACKEND_SECONDS, (), noted.backend
        yield families.PROXY_SECONDS, (), noted.proxy

    def _of_faults(self) -> _Said:
        for (rule, behavior), tally in self._told.tallies():
            yield families.FAULTS, (rule, behavior), tally.fired
            yield families.MISFIRED, (rule, behavior), tally.misfired
        yield from self._of_toxics()
        for action in self.proxy.actions.standing:
            yield families.ACTIONS, (action,), 1

    def _of_toxics(self) -> _Said:
        standing: dict[tuple[str, str], int] = {}
        for placed in self.proxy.plan.toxics:
            kind = (placed.toxic.name, placed.stream)
            standing[kind] = standing.get(kind, 0) + 1
        for kind, count in standing.items():
            yield families.TOXICS, kind, count
        for labels, taken in self._told.taken():
            yield families.TOXIC_LINKS, labels, taken

    def _as_toxiproxy(self, stats: Mapping[str, int]) -> _Said:
        where = (self.proxy.name, self.listen, self.proxy.backend.text)
        for family, counted in ((families.RECEIVED, "bytes"), (families.SENT, "sent")):
            for direction, stream in STREAMS.items():
                yield family, (stream, *where), stats[f"{counted}_{direction.value}"]
