"""How clients come to a proxy on plain sockets: counted, asked for whom they come, and given a link."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

from twisted.logger import Logger

from txvaurien.link import Link
from txvaurien.model import Side, Then
from txvaurien.net.descriptors import exhausted
from txvaurien.net.peers import host_port_of
from txvaurien.net.pipe import Pipe
from txvaurien.net.polled import PolledPipe, make_polled

if TYPE_CHECKING:
    from txvaurien.net.arriving import Arrivals
    from txvaurien.net.proxyheader import Header
    from txvaurien.proxy import Proxy

_NO_HEADER = "have the load balancer send the header, or leave --accept-proxy out"


class Admission:
    """Works on behalf of one `Proxy`."""

    log = Logger()

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        #: Clients that have not said yet for whom they come; None before there is one.
        self._arrivals: Arrivals | None = None

    def welcome(self, client: socket.socket, address: str) -> None:
        """A client has come, on a plain socket that does not block; a poller has to be there."""
        proxy = self._proxy
        if not proxy.ends.accept_proxy:
            self._let_in(client, proxy.new_link(address))
            return
        number = proxy.count_client()
        try:
            self._ask_first(client, address, number)
        except OSError as error:
            client.close()
            self.turn_away(number, address, exhausted(error) or str(error))

    def _ask_first(self, client: socket.socket, address: str, number: int) -> None:
        """Have a client say first for whom it comes."""
        from txvaurien.net.arriving import Arrivals

        proxy = self._proxy
        if self._arrivals is None:
            assert proxy.poller is not None
            self._arrivals = Arrivals(proxy.poller, proxy.clock, proxy.timeout)

        def arrived(sock: socket.socket, header: Header) -> None:
            link = proxy.new_link(header.client or address, number)
            link.server = header.server
            self._let_in(sock, link)

        self._arrivals.ask(client, arrived, partial(proxy.turn_away, number, address))

    def turn_away(self, number: int, address: str, why: str) -> None:
        """A client has not said for whom it comes, and gets no link."""
        proxy = self._proxy
        proxy.reports.tell("turned-away", number, {"client": address, "why": why})
        proxy.advise(f"a client is turned away: {why}; {_NO_HEADER}")

    def _let_in(self, client: socket.socket, link: Link) -> None:
        proxy = self._proxy
        try:
            if proxy.ends.send_proxy != "off" and link.server is None:
                link.server = host_port_of(client.getsockname())
            pipe = self._pipe(client, link)
        except Exception as error:
            client.close()
            if isinstance(error, OSError):
                why = exhausted(error) or str(error)
                self.log.error("{name}: a client is sent away: {why}", name=proxy.name, why=why)
            else:
                self.log.failure("{name}: a client could not be served", name=proxy.name)
            proxy.link_ended(link)
            return
        try:
            link.begin(pipe)
        except Exception:
            self.log.failure("{name}: link {link} could not begin", name=proxy.name, link=link.number)
            link.kill(Then.RESET)

    def _pipe(self, client: socket.socket, link: Link) -> Pipe:
        proxy = self._proxy
        assert proxy.poller is not None
        if proxy.tls is None:
            return PolledPipe(client, proxy.clock, link, link.traffic, link.to_backend, proxy.poller)
        make = partial(make_polled, client, proxy.clock, link.to_backend, proxy.poller)
        return proxy.tls.wrap(Side.CLIENT, link, make)

    def stop(self) -> None:
        """Send those away that have not said anything."""
        if self._arrivals is not None:
            self._arrivals.stop()
