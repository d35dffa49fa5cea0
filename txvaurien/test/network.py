"""Parts of a network on loopback that a test decides about: who refuses, who does not answer."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from zope.interface import implementer


def closed_port() -> int:
    """A port of 127.0.0.1 where connections are refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class BlackHole:
    """Listens on 127.0.0.1 with a queue that is full, so that the kernel drops every further SYN."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._fillers = [self._filler()]
        while self._is_in(self._fillers[-1]):
            self._fillers.append(self._filler())

    def _filler(self) -> socket.socket:
        filler = socket.socket()
        filler.setblocking(False)
        code = filler.connect_ex(("127.0.0.1", self.port))
        assert code in {0, errno.EINPROGRESS}, code
        return filler

    def _is_in(self, filler: socket.socket) -> bool:
        return filler.connect_ex(("127.0.0.1", self.port)) != errno.EALREADY

    def stop(self) -> None:
        """There is no such port any more."""
        for each in (self._listener, *self._fillers):
            each.close()


@implementer(IHostnameResolver)
class Resolver:
    """Answers when the test wants it to."""

    def __init__(self, addresses: Sequence[str] = (), *, at_once: bool = True) -> None:
        self.addresses = addresses
        self.at_once = at_once
        self.asked: list[str] = []
        self._waiting: list[tuple[IResolutionReceiver, int]] = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """Somebody asks."""
        self.asked.append(hostName)
        self._waiting.append((resolutionReceiver, portNumber))
        if self.at_once:
            self.answer()

    def answer(self) -> None:
        """All who wait get what there is now."""
        waiting, self._waiting = self._waiting, []
        for receiver, port in waiting:
            for host in self.addresses:
                kind = IPv6Address if ":" in host else IPv4Address
                receiver.addressResolved(kind("TCP", host, port))
            receiver.resolutionComplete()
