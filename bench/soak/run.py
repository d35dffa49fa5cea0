"""A run: calm, chaos, quiet, and again, until the time is over."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.process import HOST
from bench.soak.accounts import Accounts
from bench.soak.chaos import Chaos, Told
from bench.soak.clients import VERBS, Clients
from bench.soak.conn import Warden
from bench.soak.control import Control, Refused
from bench.soak.faults import Deck, Offer
from bench.soak.gauge import Sample, descriptors_of, look
from bench.soak.proxied import Vaurien
from bench.soak.services import Services
from bench.soak.telling import told

#: How long the last clients may take without faults, and links and descriptors to be gone, in seconds.
_LAST_CLIENTS = 90.0
_SETTLE_LIMIT = 30.0
#: How often the process is looked at, and how long a quiet moment is, in seconds.
_EVERY = 2.0
_QUIET = 2.0
#: A round is at least so long: a fault that comes at its end has to end, too.
_SHORTEST = 10.0


@dataclass(frozen=True)
class Times:
    """How long things last, in seconds."""

    whole: float
    calm: float
    chaos: float

    @classmethod
    def of(cls, whole: float) -> Times:
        """For a run of this length: some twelve rounds, of half a minute to two and a half."""
        cycle = min(150.0, max(30.0, whole / 12))
        return cls(whole, calm=cycle * 0.2, chaos=cycle * 0.65)


@dataclass
class Outcome:
    """What was measured.

    :ivar first: before any traffic.
    :ivar quiet: one sample for each quiet moment.
    :ivar descriptors: at the start, and at the last quiet moment that had others.
    """

    first: Sample | None = None
    samples: list[Sample] = field(default_factory=list)
    quiet: list[Sample] = field(default_factory=list)
    descriptors: list[dict[str, str]] = field(default_factory=list)
    offers: dict[str, Offer] = field(default_factory=dict)
    told: Told = field(default_factory=Told)


class Run:
    """One run against a proxy that has been started.

    :param backends: what is behind the proxies, by name.
    :param say: told of progress, in lines.
    """

    def __init__(
        self,
        proxy: Vaurien,
        services: Services,
        backends: Mapping[str, str],
        warden: Warden,
        clients: Clients,
        accounts: Accounts,
        say: Callable[[str], None],
    ) -> None:
        self.outcome = Outcome()
        self._proxy = proxy
        self._services = services
        self._backends = backends
        self._warden = warden
        self._clients = clients
        self._accounts = accounts
        self._say = say
        self._control = Control(proxy.port)
        self._phase = "start"
        #: The deviations that have been told of.
        self._told: set[int] = set()
        self._begun = time.monotonic()

    async def run(self, times: Times, seed: int) -> None:
        """All rounds."""
        for name in self._backends:
            self.outcome.offers[name] = await self._offer(name)
        self.outcome.first = await self._settled()
        self.outcome.descriptors.append(descriptors_of(self._proxy.pid))
        chaos = [self._chaos(name, f"{seed} {name}") for name in self._backends]
        sampling = asyncio.create_task(self._sampling())
        self._begun = time.monotonic()
        number = 0
        try:
            while (left := times.whole - self._elapsed()) > _SHORTEST or not number:
                number += 1
                self._clients.start(f"{seed} {number}")
                await self._round(number, chaos, times, left)
        finally:
            sampling.cancel()
            self._clients.stop()

    async def _round(self, number: int, chaos: list[Chaos], times: Times, left: float) -> None:
        self._enter("calm", number)
        await asyncio.sleep(min(times.calm, left))
        self._enter("chaos", number)
        until = asyncio.get_running_loop().time() + min(times.chaos, max(0.0, left - times.calm))
        await asyncio.gather(*(each.run(until) for each in chaos))
        self._enter("ending", number)
        if left := await self._clients.end(_LAST_CLIENTS):
            self._accounts.wrong(f"{left:.0f} clients did not end in {_LAST_CLIENTS:.0f} s without faults")
        await self._quiet(number)

    async def _quiet(self, number: int) -> None:
        self._enter("quiet", number)
        sample = await self._settled()
        self.outcome.quiet.append(sample)
        first = self.outcome.first
        if first is not None and sample.descriptors != first.descriptors:
            self.outcome.descriptors[1:] = [descriptors_of(self._proxy.pid)]
        self._accounts.close(self._services.mail.folder)
        await asyncio.to_thread(self._services.empty)
        for alarm in self._proxy.alarms():
            self._accounts.wrong(alarm)

    async def _settled(self) -> Sample:
        """Wait, for a bounded time, until links and descriptors are as they were before all; then look."""
        deadline = time.monotonic() + _SETTLE_LIMIT
        await asyncio.sleep(_QUIET)
        while True:
            sample = await self._sample()
            self._accounts.look()
            first = self.outcome.first or sample
            settled = not sample.links and not self._accounts.standing and not self._warden.served
            if (settled and sample.descriptors == first.descriptors) or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.5)
        if self._accounts.standing:
            self._accounts.wrong(f"{self._accounts.standing} links have no link-closed in the journal")
        if self._warden.served:
            self._accounts.wrong(
                f"{self._warden.served} connections to backends of ours stand without a link"
            )
        return sample

    def _enter(self, phase: str, number: int) -> None:
        self._phase = phase
        found = self._accounts.deviations
        self._say(f"{self._elapsed():7.0f} s  round {number}: {phase}; deviations until now: {len(found)}")
        # At once: an hour is long, and what is wrong now can be looked at while it runs.
        for each in found:
            if id(each) not in self._told:
                self._told.add(id(each))
                self._say("\n".join(told(each)))
        if not self._proxy.running():
            raise RuntimeError(f"the proxy has ended: {self._proxy.said()}")

    # Faults.

    async def _offer(self, name: str) -> Offer:
        behaviors = await self._control.ask("GET", "/behaviors")
        protocols = (await self._control.ask("GET", "/protocols"))["protocols"]
        return Offer.told(behaviors, [kind["name"] for kind in protocols[name]["kinds"]], VERBS[name])

    def _chaos(self, name: str, seed: str) -> Chaos:
        # Of their own, so that the faults are the same whatever else is drawn between them.
        dealing, draw = random.Random(f"{seed} faults"), random.Random(f"{seed} chaos")
        backend, away = self._backends[name], f"{HOST}:1"
        faults = iter(Deck(self.outcome.offers[name], dealing))
        return Chaos(self._control, name, backend, away, faults, draw, self.outcome.told)

    # What is measured.

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun

    async def _sample(self) -> Sample:
        links = 0
        for name in self._backends:
            links += len((await self._control.ask("GET", f"/proxies/{name}/links"))["links"])
        return look(self._proxy.pid, self._elapsed(), self._phase, links)

    async def _sampling(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            try:
                self.outcome.samples.append(await self._sample())
            except (Refused, OSError) as error:
                self.outcome.told.strange.append(f"it could not be looked at: {error}")
            self._accounts.look()
