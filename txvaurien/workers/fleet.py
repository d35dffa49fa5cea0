"""A proxy whose links are in other processes: what the control API and everything else see of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger, LogLevel

from txvaurien.actions import Action, Actions, End, HalfOpen, KillIdle
from txvaurien.errors import ConfigError
from txvaurien.journals.reports import Stats
from txvaurien.metrics.figures import Figures
from txvaurien.model import Then
from txvaurien.net.addresses import Backend
from txvaurien.net.reach import Said
from txvaurien.options import plain_values, values_of
from txvaurien.plan import ActivePlan, Plan
from txvaurien.planning.faults import describe_action
from txvaurien.plugins import Registry
from txvaurien.protocols.base import WireProtocol
from txvaurien.proxy import Proxy
from txvaurien.rules import Activation
from txvaurien.service import BACKLOG, ProxyService
from txvaurien.workers import wire
from txvaurien.workers.census import Census
from txvaurien.workers.crew import Crew, Worker
from txvaurien.workers.handing import Handing, HandingFactory, hand_over
from txvaurien.workers.memory import Memory
from txvaurien.workers.plans import Ledger, places_of
from txvaurien.workers.sharedplan import SharedPlan

#: The actions that are done to links, where they are; the others are done to the listener.
_ON_LINKS = frozenset({HalfOpen.name, KillIdle.name})


#: Options of a proxy that workers are told of in another way, or not at all.
_OBJECTS = frozenset({"ends", "keeper", "places"})


class FleetProxy(Proxy):
    """Stands for one proxy in several processes.

    The plan that it has is a real one, with counters that all processes share. What is
    changed is changed here first, so that what cannot be is refused, and then in every
    worker: it has taken effect there when `settled` returns.

    :param workers: how many processes.
    :param log_level: what workers log at least, in the words of ``--log-level``.
    :raises ConfigError: a class cannot be imported by other processes, or the places of the pool
        are fewer than the workers.
    """

    def __init__(
        self,
        backend: Backend | str,
        protocol: WireProtocol,
        plan: Plan | None = None,
        *,
        reactor: Any,
        registry: Registry,
        workers: int,
        log_level: str = "info",
        name: str = "proxy",
        **options: Any,
    ) -> None:
        self._workers = workers
        self._log_level = log_level.replace("warning", "warn")
        self._options = {name: value for name, value in options.items() if name not in _OBJECTS}
        self._classes = places_of(registry, protocol)
        _check_pool(options, workers)
        self._memory = Memory.create()
        self._ledger = Ledger(self._memory)
        self._on_links: dict[str, Action] = {}
        #: What the workers know of where they may connect to; None if nothing.
        self._told: Said | None = None
        super().__init__(backend, protocol, plan, reactor=reactor, name=name, **options)
        self.actions = FleetActions(self)
        self._crew = Crew(reactor, workers, self._memory, self)
        self.handing = Handing(self.clock, self._crew.pick)
        self._census = Census(self._memory, workers)

    def start(self) -> None:
        """Start the workers; all can serve clients when that has `settled`."""
        self._crew.start()

    def stop(self) -> Deferred[None]:
        """End all links and all workers; fires when they are gone, which takes a bounded time."""
        self.handing.stop()
        return ensureDeferred(self._crew.stop())

    @property
    def stats(self) -> Stats:
        """What all workers have counted, also those that have died."""
        return self._memory.stats(self._workers)

    async def settled(self) -> None:
        """Returns when all that has been set has taken effect in every worker."""
        await self._crew.ask()

    async def describe_links(self, number: int | None = None) -> list[dict[str, Any]]:
        """The links of all workers, the oldest first, or only this one if it is there."""
        answers = await self._crew.ask(links=True, link=number)
        links = [link for answer in answers for link in answer.links]
        return sorted(links, key=lambda link: int(link["id"]))

    async def figures(self) -> Figures:
        """What the metrics say of all workers; of those that have died, what they had said before."""
        answers = await self._crew.ask(figures=True)
        return self._census.take(each.figures for each in answers if each.figures is not None)

    # What is set.

    def set_plan(self, plan: Plan) -> None:
        """Follow another plan, as `Proxy.set_plan` says, once it has `settled`."""
        try:
            super().set_plan(plan)
        except ConfigError:
            # Some of its rules may have got counters.
            self._ledger.give_back(self._ledger.keep(self.plan))
            raise
        # Whoever was told of it may have set another meanwhile.
        gone = self._ledger.keep(self.plan)
        self._crew.tell(self._ledger.write(self.active))
        if gone:
            ensureDeferred(self.settled()).addCallback(lambda _: self._ledger.give_back(gone))

    def _put_to_work(self, plan: Plan, before: ActivePlan | None = None) -> ActivePlan:
        tally_of = self._ledger.tally_of
        return SharedPlan(plan, self.protocol, self.name, before, self.cap, tally_of=tally_of)

    def _expire(self, activation: Activation) -> None:
        super()._expire(activation)
        self._crew.tell(wire.Expire(self._ledger.tally_of(activation.rule).slot))

    def _connect_to(self, backend: Backend) -> None:
        super()._connect_to(backend)
        self._crew.tell(wire.SetBackend(backend.text, self._reach_of(backend)))

    def others_changed(self) -> None:
        """Tell the workers, if connections come back to the proxy on other ways than before."""
        if self._told is not None and self._told != self._said_of(self.backend):
            self._crew.tell(wire.SetBackend(self.backend.text, self._reach_of(self.backend)))

    def _reach_of(self, backend: Backend) -> Said | None:
        self._told = self._said_of(backend)
        return self._told

    def _said_of(self, backend: Backend) -> Said | None:
        return None if self.reach is None else self.reach.said(backend, self)

    def kill(self, how: Then = Then.RESET, link: int | None = None) -> int:
        """End one link, or all, as `Proxy.kill` says, once it has `settled`.

        :return: how many there were.
        """
        if link is None:
            self.handing.drop()
        self._crew.tell(wire.Kill(how.value, link))
        return sum(
            len(worker.links) if link is None else link in worker.links
            for worker in self._crew.workers.values()
        )

    async def begin_on_links(self, action: Action) -> End:
        """Begin an action in every worker, and in each that is started while it stands."""
        self._on_links[action.name] = action
        self._crew.tell(wire.Act(describe_action(action), on=True))
        await self.settled()
        return partial(self._end_on_links, action)

    async def _end_on_links(self, action: Action) -> None:
        del self._on_links[action.name]
        self._crew.tell(wire.Act(describe_action(action), on=False))
        await self.settled()

    # What workers are told first, and what they say. See `txvaurien.workers.crew.Master`.

    def begin(self, number: int) -> wire.Begin:
        """All that a worker has to know."""
        return wire.Begin(
            worker=number,
            name=self.name,
            classes=self._classes,
            protocol=self.protocol.name,
            protocol_options=plain_values(self.protocol),
            backend=self.backend.text,
            options=_share_of_pool(self._options, number, self._workers),
            ends=values_of(self.ends),
            authority=None if self.tls is None else self.keeper.authority.dump(),
            log_level=self._log_level,
            plan=self._ledger.write(self.active),
            actions=[describe_action(action) for action in self._on_links.values()],
            reach=self._reach_of(self.backend),
            noting=self._noting,
        )

    @property
    def _noting(self) -> wire.Noting:
        if self.meter is None:
            return "nothing"
        return "exchanges" if self.meter.exchanges else "connects"

    def reported(self, worker: Worker, said: wire.Report) -> None:
        """A worker said something."""
        if isinstance(said, wire.Event):
            self._happened(worker, said)
        elif isinstance(said, wire.Logged):
            Logger(said.namespace).emit(LogLevel.levelWithName(said.level), "{text}", text=said.text)
        elif isinstance(said, wire.Gone):
            worker.links.discard(said.link)
        elif isinstance(said, wire.Ready):
            worker.ready = True
            self.handing.pass_on()
        elif isinstance(said, wire.Dropped):
            self._lost_events(worker, said.count)

    def _happened(self, worker: Worker, said: wire.Event) -> None:
        if said.event in wire.ENDS:
            worker.links.discard(said.link)
        elif said.event == "fired":
            self._tell_waiting(said.fields["rule"])
        elif said.event == "misfired":
            for activation in self.active.activations():
                if activation.key == said.fields["rule"]:
                    activation.misfire = said.fields["why"]
        for observer in self.observers:
            observer(said.event, said.link, said.fields)

    def _tell_waiting(self, rule: str | None = None) -> None:
        """Tell those who wait for a rule, or for any, to fire."""
        for activation in self.active.activations():
            if activation.awaited and rule in {None, activation.key}:
                # Not at once: it may turn out that it has not fired after all.
                self.clock.callLater(0, activation.tell_waiting)

    def _lost_events(self, worker: Worker, count: int) -> None:
        self.log.warn(
            "{name}: {count} events of worker {number} are not in the journal: there were too many",
            name=self.name,
            count=count,
            number=worker.number,
        )
        self.event("events-lost", None, worker=worker.number, count=count)
        self._tell_waiting()

    def died(self, worker: Worker, why: str) -> None:
        """A worker has ended, and its links with it."""
        self.log.error(
            "{name}: worker {number} has died ({why}) with {links} links; another one takes its place",
            name=self.name,
            number=worker.number,
            why=why,
            links=len(worker.links),
        )
        self._census.died(worker.number)
        self.event("worker-died", None, worker=worker.number, why=why, links=sorted(worker.links))


class FleetActions(Actions):
    """The actions of a proxy whose links are elsewhere."""

    def __init__(self, proxy: FleetProxy) -> None:
        super().__init__(proxy)
        self._fleet = proxy

    async def _begin(self, action: Action) -> End:
        if action.name in _ON_LINKS:
            return await self._fleet.begin_on_links(action)
        end = await super()._begin(action)
        # It may have cut links.
        await self._fleet.settled()
        return end


class FleetService(ProxyService):
    """Listens for clients, and gives them to workers."""

    proxy: FleetProxy

    def __init__(
        self,
        proxy: FleetProxy,
        listen: str | IStreamServerEndpoint,
        *,
        backlog: int = BACKLOG,
        places: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(proxy, listen, backlog=backlog, places=places)
        self._factory = HandingFactory()

    def startService(self) -> None:
        """Listen, and start the workers once the reactor runs; until then clients wait.

        :raises ListenError: nothing can listen there, and it is known at once.
        :raises ConfigError: the backend is where the proxy itself listens, or this listener
            cannot be shared.
        """
        self._listener.start(self._factory)
        Service.startService(self)
        self.proxy.reactor.callWhenRunning(self.proxy.start)

    def _listens(self, listening: Any) -> None:
        try:
            hand_over(listening, self._factory, self.proxy.handing)
        except ConfigError:
            ensureDeferred(self._listener.stop())
            raise
        super()._listens(listening)
        self.proxy.handing.gate = self.proxy.gate


def _check_pool(options: Mapping[str, Any], workers: int) -> None:
    places = options.get("pool_max_size")
    if places is not None and places < workers:
        raise ConfigError(
            "--pool-max-size",
            f"{workers} workers cannot share {places} backend connections",
            "each needs one at least",
        )


def _share_of_pool(options: Mapping[str, Any], number: int, workers: int) -> dict[str, Any]:
    """What one worker is given: of the places of the pool a part, of all else the same."""
    places = options.get("pool_max_size")
    if places is None:
        return dict(options)
    return {**options, "pool_max_size": places // workers + (number < places % workers)}
