"""The HTTP side of the control server: its limits, and the end of its connections."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Site

from txvaurien.control.security import ControlRequest

#: How long a connection may be silent, within a request or between two, in seconds.
IDLE = 60.0

#: How long answers that are under way may take when the server stops, in seconds.
STOP_TIME = 0.3


class ControlSite(Site):
    """Bounded requests, and a line in the debug log for each."""

    noisy = False
    logger = Logger()

    def __init__(self, root: IResource, reactor: Any) -> None:
        Site.__init__(self, root, requestFactory=ControlRequest, timeout=IDLE, reactor=reactor)

    def log(self, request: Request) -> None:
        """The access log: where debugging is logged, and nowhere else."""
        self.logger.debug(
            "{method} {path} {code}",
            method=request.method.decode("ascii", "replace"),
            path=request.path.decode("ascii", "replace"),
            code=request.code,
        )


class ClosingFactory(WrappingFactory):
    """Knows its connections, so that none is left when the server has stopped."""

    noisy = False

    def __init__(self, site: Site) -> None:
        self.wrappedFactory = site
        self.protocols: dict[ProtocolWrapper, int] = {}
        self._gone: Deferred[None] | None = None

    def close(self, clock: IReactorTime) -> Deferred[None]:
        """End all connections, unsent answers first; fires when they are gone."""
        self._gone = gone = Deferred[None]()
        if not self.protocols:
            gone.callback(None)
            return gone
        for connection in list(self.protocols):
            connection.loseConnection()
        abort = clock.callLater(STOP_TIME, self._abort)
        return gone.addCallback(lambda _: abort.cancel() if abort.active() else None)

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """A connection is gone."""
        del self.protocols[p]
        if self._gone is not None and not self.protocols and not self._gone.called:
            self._gone.callback(None)

    def _abort(self) -> None:
        for connection in list(self.protocols):
            transport: Any = connection.transport
            transport.abortConnection()
