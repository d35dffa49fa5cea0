"""What a proxy is made of: its definition, wherever it comes from (command line, file, API)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import structs

from txvaurien.net.ends import Ends
from txvaurien.options import values_of
from txvaurien.plan import Plan
from txvaurien.process.limits import Limits
from txvaurien.proxy import Proxy
from txvaurien.service import BACKLOG, ProxyService

if TYPE_CHECKING:
    from txvaurien.net.addresses import Backend, Listen
    from txvaurien.plugins import Registry
    from txvaurien.protocols.base import WireProtocol
    from txvaurien.tls.keeper import AuthorityKeeper


@dataclass(frozen=True)
class Definition:
    """All that a proxy is made of.

    :param name: what it is called; draws depend on it.
    :param enabled: whether it listens from the start.
    :param backlog: connections that the kernel may hold before they are accepted.
    :param workers: processes that share its work.
    :param busy_poll: seconds to go on polling after an event.
    :param ends: how clients and the backend are spoken to.
    :param places: where a user has said what, for errors of the start: ``backend``, ``proxy``.
    """

    name: str
    listen: Listen
    backend: Backend
    protocol: WireProtocol
    plan: Plan = field(default_factory=Plan)
    enabled: bool = True
    limits: Limits = field(default_factory=Limits)
    backlog: int = BACKLOG
    workers: int = 1
    busy_poll: float = 0.0
    ends: Ends = field(default_factory=Ends)
    places: Mapping[str, str] = field(default_factory=dict, compare=False)

    def make(
        self,
        reactor: Any,
        registry: Registry,
        log_level: str = "info",
        keeper: AuthorityKeeper | None = None,
    ) -> Proxy:
        """The proxy; it does not listen.

        :param log_level: what its workers log at least, where it has some.
        :param keeper: has the authority of ``--tls auto``.
        :raises ConfigError: what is set does not fit together.
        """
        options = {
            "busy_poll": self.busy_poll,
            "ends": self._ends,
            "keeper": keeper,
            "places": self.places,
            **values_of(self.limits),
        }
        if self.workers == 1:
            return Proxy(self.backend, self.protocol, self.plan, reactor=reactor, name=self.name, **options)
        from txvaurien.workers.fleet import FleetProxy

        return FleetProxy(
            self.backend,
            self.protocol,
            self.plan,
            reactor=reactor,
            name=self.name,
            registry=registry,
            workers=self.workers,
            log_level=log_level,
            **options,
        )

    @property
    def _ends(self) -> Ends:
        """As `ends`, with what the listener's endpoint string says of TLS."""
        tls = self.listen.without_header().tls
        return self.ends if tls is None else structs.replace(self.ends, tls=tls.cert, tls_key=tls.key)

    def serve(self, proxy: Proxy, listen: Listen | None = None) -> ProxyService:
        """What listens for a proxy that `make` has made.

        :param listen: where, if elsewhere than at `self.listen`.
        """
        text = (listen or self.listen).text
        places = self.places if listen is None else {"proxy": "listen", "backend": "upstream"}
        if self.workers == 1:
            return ProxyService(proxy, text, backlog=self.backlog, places=places)
        from txvaurien.workers.fleet import FleetProxy, FleetService

        assert isinstance(proxy, FleetProxy)
        return FleetService(proxy, text, backlog=self.backlog, places=places)
