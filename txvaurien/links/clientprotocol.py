"""The client's end of a link, where a transport of Twisted's brings the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure

from txvaurien.links.dialling import CLOSED, LinkProtocol
from txvaurien.model import Side
from txvaurien.net.peers import address_text, host_port_of

if TYPE_CHECKING:
    from txvaurien.net.arriving import HeaderWait
    from txvaurien.net.peers import HostPort
    from txvaurien.net.proxyheader import Header


class ClientProtocol(LinkProtocol):
    """What every such end does."""

    side = Side.CLIENT

    #: Waits for the client to say for whom it comes; None where it need not, or has.
    _waiting: HeaderWait | None = None
    _number = 0

    def connectionMade(self) -> None:
        """A client has come."""
        proxy = self.proxy
        self._number = proxy.count_client()
        if not proxy.ends.accept_proxy:
            self._begin("", None)
            return
        from txvaurien.net.arriving import HeaderWait

        self._waiting = HeaderWait(proxy.clock, proxy.timeout, self._introduced, self._turn_away)

    def _introduced(self, header: Header, rest: bytes) -> None:
        self._waiting = None
        self._begin(header.client, header.server)
        if rest:
            self.dataReceived(rest)

    def _begin(self, client: str, server: HostPort | None) -> None:
        transport: Any = self.transport
        self.link = self.proxy.new_link(client or address_text(transport.getPeer()), self._number)
        if server is None and self.proxy.ends.send_proxy != "off":
            host = transport.getHost()
            server = host_port_of((getattr(host, "host", None), getattr(host, "port", None)))
        self.link.server = server
        self.link.begin(self.make_pipe())

    def dataReceived(self, data: bytes) -> None:
        if self._waiting is None:
            super().dataReceived(data)
        else:
            self._waiting.data(data)

    def readConnectionLost(self) -> None:
        if self._waiting is None:
            super().readConnectionLost()
        else:
            self._waiting.left()

    def connectionLost(self, reason: Failure = CLOSED) -> None:
        if self._waiting is None:
            super().connectionLost(reason)
        else:
            self._waiting.left()

    def _turn_away(self, why: str) -> None:
        transport: Any = self.transport
        self.proxy.turn_away(self._number, address_text(transport.getPeer()), why)
        transport.abortConnection()
