"""The Twisted glue: client connections come in, backend connections go out.

`Proxy` is what a proxy is, apart from where it listens: a backend, a protocol
and the plan it follows now. `ProxyFactory` serves it on any endpoint::

    endpoint.listen(RedisFactory("localhost:6379", Plan.only(Delay(sleep=2))))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from msgspec import structs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from txvaurien.actions import Actions
from txvaurien.journals.reports import Reports, Stats, describe_links
from txvaurien.link import Link
from txvaurien.links.admission import Admission
from txvaurien.links.clientprotocol import ClientProtocol
from txvaurien.links.dialling import Dialler
from txvaurien.model import Side, Then
from txvaurien.net.addresses import Backend, parse_backend
from txvaurien.net.ends import Ends
from txvaurien.net.gate import Gate
from txvaurien.net.itself import refuse_itself
from txvaurien.net.pipe import Pipe
from txvaurien.net.poller import poller_of
from txvaurien.net.pool import Pool
from txvaurien.net.reach import CheckedReactor, Reach, Way
from txvaurien.plan import Plan
from txvaurien.planning.planfollower import PlanFollower
from txvaurien.protocols.base import WireProtocol
from txvaurien.rules import Cap
from txvaurien.tls.keeper import AuthorityKeeper

if TYPE_CHECKING:
    from txvaurien.metrics.figures import Figures
    from txvaurien.metrics.meter import Meter
    from txvaurien.net.tlsarguments import ListenTlsArguments
    from txvaurien.tls.linktls import LinkTls, MakePipe

#: How long a link may take to end when the proxy stops, in seconds.
STOP_TIME = 0.3


class Proxy(PlanFollower):
    """A backend, a protocol and a plan, under one name.

    :param backend: an address as users write it, or parsed.
    :param reactor: provides IReactorTime and what the backend's endpoint needs.
    :param timeout: seconds that connecting to the backend may take.
    :param idle_timeout: seconds without a byte after which a link is closed; None for never.
    :param pool_max_size: backend connections at most; None for without limit.
    :param pool_timeout: seconds that a client waits for one of them.
    :param on_desync: ``opaque`` passes a stream through unread that is not of the
        protocol, ``close`` ends such a link.
    :param max_active_faults: how many exchanges a rule may be doing something to, and links be
        under a toxic, at one time; None for without limit.
    :param ends: how clients and the backend are spoken to: TLS, the PROXY protocol.
    :param keeper: has the authority of ``--tls auto``; by default one that is made for this proxy.
    :param places: where a user has named what `ends` names, by the name of the flag, for errors.
    :param busy_poll: seconds to go on polling after an event before sleeping: lower latency for
        more work of the processor.
    :raises ConfigError: a behavior of the plan does not fit the protocol.
    """

    def __init__(
        self,
        backend: Backend | str,
        protocol: WireProtocol,
        plan: Plan | None = None,
        *,
        reactor: Any,
        name: str = "proxy",
        timeout: float = 30.0,
        idle_timeout: float | None = None,
        pool_max_size: int | None = None,
        pool_timeout: float = 30.0,
        on_desync: Literal["opaque", "close"] = "opaque",
        max_active_faults: int | None = None,
        ends: Ends | None = None,
        keeper: AuthorityKeeper | None = None,
        places: Mapping[str, str] | None = None,
        busy_poll: float = 0.0,
    ) -> None:
        self.name = name
        self.protocol = protocol
        self.reactor = reactor
        self.clock: IReactorTime = reactor
        #: What watches the sockets of links, where descriptors can be watched.
        self.poller = poller_of(reactor, busy_poll)
        self.timeout = timeout
        self.idle_timeout = idle_timeout
        self.close_on_desync = on_desync == "close"
        self.pool = Pool(self.clock, pool_max_size, pool_timeout)
        self.dialler = Dialler(self, self.pool)
        self.backend = parse_backend(backend) if isinstance(backend, str) else backend
        self.ends = Ends() if ends is None else ends
        self.keeper = AuthorityKeeper() if keeper is None else keeper
        self._places = places or {}
        #: Speaks TLS at the ends of links; None where nobody does.
        self.tls = self._tls_for(self.backend)
        self.reach: Reach | None = None
        #: What connections to the backend may lead to; None for anything.
        self.way: Way | None = None
        #: Where links connect to, as Twisted has it.
        self.endpoint = self._endpoint_to(self.backend)
        #: How many faults there may be at one time.
        self.cap = self._make_cap(max_active_faults)
        self.active = self._put_to_work(plan or Plan())
        self.links: dict[int, Link] = {}
        #: Notes what the metrics need; None where nobody reads them (`txvaurien.metrics`).
        self.meter: Meter | None = None
        self.reports = Reports(self)
        self.observers = self.reports.observers
        # What links say of themselves. See `txvaurien.links.proxyside.ProxySide`.
        self.event, self.fired = self.reports.event, self.reports.fired
        self.toxic_taken = self.reports.toxic_taken
        self.warn_of_misfire = self.reports.warn_of_misfire
        self.recognise, self.advise = self.reports.recognise, self.reports.advise
        self.heard_nothing = self.reports.heard_nothing
        self.admission = Admission(self)
        self.welcome, self.turn_away = self.admission.welcome, self.admission.turn_away
        #: Links are not connected to the backend, and their clients are not told.
        self.half_open = False
        self.actions = Actions(self)
        #: What a `ProxyService` listens with; None where it does not run, or there is none.
        self.gate: Gate | None = None
        self._all_gone: list[Deferred[None]] = []
        for activation in self.active.activations():
            self._activate(activation)

    @property
    def stats(self) -> Stats:
        """What it has counted."""
        return self.reports.stats

    # TLS.

    def _tls_for(self, backend: Backend) -> LinkTls | None:
        """What speaks TLS, where anybody does; the TLS library is imported then, and not before."""
        if self.ends.tls is None and backend.tls is None and not self.protocol.begins_tls:
            return None
        from txvaurien.tls.linktls import LinkTls

        return LinkTls(self.protocol, self.ends, backend, self.keeper, self._places)

    def listen_with(self, arguments: ListenTlsArguments) -> None:
        """Speak TLS with clients as an ``ssl:`` endpoint string says.

        :raises ConfigError: a file will not do.
        """
        ends = structs.replace(self.ends, tls=arguments.cert, tls_key=arguments.key)
        # Who made the proxy for this listener has said so already, and the files have been read.
        if ends != self.ends:
            self.ends = ends
            self.tls = self._tls_for(self.backend)

    def accept_header(self) -> None:
        """Have clients begin with a header of the PROXY protocol."""
        self.ends = structs.replace(self.ends, accept_proxy=True)

    def pipe_at(self, side: Side, link: Link, make: MakePipe) -> Pipe:
        """A connection at one end of a link.

        :param make: makes it for those who want to know what becomes of it, and what comes.
        """
        if self.tls is None:
            return make(link, link.traffic)
        return self.tls.wrap(side, link, make)

    async def settled(self) -> None:
        """Returns when all that has been set has taken effect; where there is one process, at once."""

    def _make_cap(self, most: int | None) -> Cap:
        return Cap(most)

    async def figures(self) -> Figures:
        """What the metrics say of it."""
        from txvaurien.metrics.figures import figures_of

        return figures_of(self)

    # The backend.

    def set_backend(self, backend: Backend | str, cut: bool = False) -> None:
        """Connect new links to another backend.

        :param cut: end the links that stand, too, with FIN; else they stay where they are.
        :raises ConfigError: it is no address, or not allowed, or leads back to the proxy itself.
        """
        parsed = parse_backend(backend) if isinstance(backend, str) else backend
        if self.gate is not None:
            refuse_itself(self.gate.address, parsed, "backend")
        if self.reach is not None:
            self.reach.check(parsed, "backend")
            if self.gate is not None:
                self.reach.check_circle(self, self.gate.address, parsed, "backend")
        self._connect_to(parsed)
        self.event("backend", None, backend=parsed.text, cut=cut)
        if cut:
            self.kill(Then.CLOSE)

    def restrict(self, reach: Reach) -> None:
        """From now on connect, and let the backend be set, only to what is allowed."""
        self.reach = reach
        self.endpoint = self._endpoint_to(self.backend)

    def others_changed(self) -> None:
        """Other proxies of the process listen or connect elsewhere now, which its way may depend on."""

    def _connect_to(self, backend: Backend) -> None:
        # Which may fail, and then all is as it was.
        self.tls = self._tls_for(backend)
        self.endpoint = self._endpoint_to(backend)
        self.backend = backend

    def _endpoint_to(self, backend: Backend) -> IStreamClientEndpoint:
        reactor = self.reactor
        self.way = None if self.reach is None else self.reach.way_to(backend, self)
        if self.way is not None:
            reactor = CheckedReactor(reactor, self.way)
        return backend.endpoint(reactor, self.timeout)

    async def describe_links(self, number: int | None = None) -> list[dict[str, Any]]:
        """The links, the oldest first, or only this one if it is there; see `describe_links`."""
        return describe_links(self.links, number)

    def kill(self, how: Then = Then.RESET, link: int | None = None) -> int:
        """End one link, or all, at once, whatever hooks and toxics hold.

        :param how: CLOSE for FIN, RESET for RST, on both sides.
        :return: how many there were.
        """
        chosen = [each for number, each in self.links.items() if link is None or number == link]
        standing = [each for each in chosen if not each.over]
        for each in standing:
            self.event("killed", each, how=how.value)
        # Those that have ended, too: toxics may hold what they said last.
        for each in chosen:
            each.kill(how)
        return len(standing)

    async def panic(self) -> None:
        """Do nothing to anybody any more: no mix, no rules, no toxics, no actions.

        What was held goes on, and what an action stopped works again, when this returns.
        """
        self.log.warn("{name}: panic stop: every fault is removed", name=self.name)
        self.set_plan(Plan(seed=self.seed))
        await self.actions.stop_all()
        await self.settled()

    # What links ask of their proxy (`txvaurien.links.proxyside.ProxySide`).

    def new_link(self, client_address: str, number: int = 0) -> Link:
        """A link for a client that has just come.

        :param number: what `count_client` gave, if it has been counted already.
        """
        link = Link(self, number or self.count_client(), client_address)
        self.links[link.number] = link
        return link

    def count_client(self) -> int:
        """A client has come; the number of its link."""
        self.stats.links += 1
        return self.stats.links

    def dial(self, link: Link) -> None:
        """Connect a link to the backend, as soon as the pool has a place."""
        if self.half_open:
            link.lose_backend()
        else:
            self.dialler.dial(link)

    def hang_up(self, link: Link) -> None:
        """Stop dialling for a link that has ended."""
        self.dialler.hang_up(link)

    def backend_lost(self, link: Link) -> None:
        """The connection of a link to the backend is gone."""
        self.dialler.give_place_back(link)

    def link_ended(self, link: Link) -> None:
        """Both connections of a link are gone."""
        self.links.pop(link.number, None)
        self.reports.count(link)
        if self.observers:
            self.event(
                "link-closed",
                link,
                client=link.client_address,
                backend=self.backend.text,
                seconds=round(link.age, 6),
                exchanges=link.exchanges,
                bytes_to_backend=link.to_backend.bytes,
                bytes_to_client=link.to_client.bytes,
                how=link.why,
            )
        self.dialler.link_ended(link)
        if not self.links:
            waiting, self._all_gone = self._all_gone, []
            for each in waiting:
                each.callback(None)

    # The end.

    def stop(self) -> Deferred[None]:
        """End all links; fires when they are gone, which takes a bounded time.

        Actions are ended by whoever began them, or by the `ProxyService`.
        """
        gone: Deferred[None] = Deferred()
        self.admission.stop()
        if self.links:
            self._all_gone.append(gone)
        else:
            gone.callback(None)
        for link in list(self.links.values()):
            link.kill(Then.CLOSE, "stopped", STOP_TIME)
        return gone


class ProxyProtocol(ClientProtocol):
    """The client's end of a link."""


class ProxyFactory(Factory):
    """Serves a proxy on whatever endpoint listens with it.

    Subclasses name the protocol they frame in `wire`. For options that are not
    here, make the `Proxy` yourself and use `ProxyFactory.serving`.

    :param backend: where to connect to, as users write it (``localhost:6379``).
    :param plan: what to do; nothing by default.
    :param reactor: the one that runs, by default.
    """

    noisy = False
    protocol = ProxyProtocol
    wire: ClassVar[WireProtocol]

    def __init__(self, backend: Backend | str, plan: Plan | None = None, *, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self.proxy = Proxy(backend, self.wire, plan, reactor=reactor)

    @classmethod
    def serving(cls, proxy: Proxy) -> ProxyFactory:
        """A factory for a proxy that exists."""
        factory = cls.__new__(cls)
        factory.proxy = proxy
        return factory

    def buildProtocol(self, addr: IAddress | None) -> ProxyProtocol:
        """The client's end of a new link."""
        built = self.protocol()
        built.factory, built.proxy = self, self.proxy
        return built
