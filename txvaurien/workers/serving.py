"""The proxy of a worker process."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import ensureDeferred

from txvaurien.actions import End
from txvaurien.journals.reports import describe_links
from txvaurien.metrics.figures import figures_of
from txvaurien.metrics.meter import Meter
from txvaurien.model import Then
from txvaurien.net.addresses import parse_backend
from txvaurien.net.connecting import makes_sockets
from txvaurien.net.ends import Ends
from txvaurien.net.peers import client_text
from txvaurien.net.reach import Reach, Said
from txvaurien.net.sockets import send_at_once
from txvaurien.plan import ActivePlan, Plan
from txvaurien.planning.faults import FaultReader
from txvaurien.proxy import Proxy, ProxyFactory
from txvaurien.rules import Activation, Cap
from txvaurien.tls.keeper import AuthorityKeeper
from txvaurien.workers import wire
from txvaurien.workers.counters import FaultCounter, PublishedStats, SharedCap
from txvaurien.workers.memory import Memory
from txvaurien.workers.plans import PlanReader, registry_at
from txvaurien.workers.sharedplan import SharedActivation, SharedPlan


class WorkerProxy(Proxy):
    """Serves the links that it is handed, under the plan of the master.

    What concerns the whole proxy (the plan, the time of a rule, an action) is told and
    journalled by the master, once.
    """

    def __init__(self, begin: wire.Begin, memory: Memory, reactor: Any) -> None:
        registry = registry_at(begin.classes)
        protocol = registry.protocol(begin.protocol, begin.protocol_options)
        self._faults = FaultReader(registry, protocol)
        self._reader = PlanReader(self._faults, memory)
        self._counter = FaultCounter(memory, begin.worker)
        self._number = 0
        self._ends: dict[str, End] = {}
        plan = self._reader.read(begin.plan)
        super().__init__(
            begin.backend,
            protocol,
            plan,
            reactor=reactor,
            name=begin.name,
            ends=Ends(**begin.ends),
            keeper=None if begin.authority is None else AuthorityKeeper.having(begin.authority),
            **begin.options,
        )
        self._keep_to(begin.reach)
        self.reports.stats = PublishedStats(memory, begin.worker)
        self._worker = begin.worker
        if begin.noting != "nothing":
            self.meter = Meter(protocol, exchanges=begin.noting == "exchanges")
        self._factory = ProxyFactory.serving(self)
        for placed in (*begin.plan.rules, *(part.rule for part in begin.plan.mix)):
            if placed.expired:
                self._expire_number(placed.number)
        for action in begin.actions:
            self._act(action, on=True)

    def _keep_to(self, said: Said | None) -> None:
        if said is not None:
            self.restrict(Reach.of(said))

    def serve(self, number: int, client: socket.socket) -> bool:
        """A client, and the number of its link. False if it has left already, and is still the caller's."""
        self._number = number
        try:
            client.setblocking(False)
            if self.poller is None or not makes_sockets(self.reactor):
                self.reactor.adoptStreamConnection(client.fileno(), client.family, self._factory)
                client.close()
                return True
            address = client_text(client.getpeername())
            send_at_once(client)
        except OSError:
            return False
        self.welcome(client, address)
        return True

    def obey(self, order: wire.Order) -> wire.Done | None:
        """Do what the master says, at once.

        :return: what it is to be answered.
        """
        if isinstance(order, wire.SetPlan):
            self._follow(order)
        elif isinstance(order, wire.Expire):
            self._expire_number(order.number)
        elif isinstance(order, wire.SetBackend):
            self._keep_to(order.reach)
            self._connect_to(parse_backend(order.backend))
        elif isinstance(order, wire.Kill):
            self.kill(Then(order.how), order.link)
        elif isinstance(order, wire.Act):
            self._act(order.action, on=order.on)
        elif isinstance(order, wire.Sync):
            return self._done(order)
        return None

    def _done(self, sync: wire.Sync) -> wire.Done:
        figures = None
        if sync.figures:
            figures = figures_of(self)
            figures.worker, figures.workers = self._worker, 1
        return wire.Done(sync.number, describe_links(self.links, sync.link) if sync.links else [], figures)

    def _follow(self, said: wire.SetPlan) -> None:
        before = self.active
        self.set_plan(self._reader.read(said))
        kept = set(self.active.activations())
        for activation in before.activations():
            if activation not in kept and isinstance(activation, SharedActivation):
                activation.shared.detach()

    def _expire_number(self, number: int) -> None:
        rule = self._reader.rule(number)
        for activation in self.active.activations():
            if activation.rule is rule:
                self._expire(activation)

    def _act(self, said: dict[str, Any], *, on: bool) -> None:
        if on:
            action = self._faults.action(said, where="action")
            beginning = ensureDeferred(action.begin(self))
            beginning.addCallback(lambda end: self._ends.__setitem__(action.name, end))
        else:
            self._ends.pop(said["action"])()

    # What differs from a proxy that is alone.

    def _make_cap(self, most: int | None) -> Cap:
        return SharedCap(most, self._counter)

    def _put_to_work(self, plan: Plan, before: ActivePlan | None = None) -> ActivePlan:
        return SharedPlan(
            plan,
            self.protocol,
            self.name,
            before,
            self.cap,
            tally_of=self._reader.tally_of,
            faults=self._counter,
        )

    def _tell_plan(self, plan: Plan) -> None:
        """The master has told of it."""

    def _activate(self, activation: Activation) -> None:
        super()._activate(activation)
        if activation.expiry is not None:
            # The master tells when the time is over.
            activation.expiry.cancel()
            activation.expiry = None

    def count_client(self) -> int:
        self.stats.links += 1
        return self._number
