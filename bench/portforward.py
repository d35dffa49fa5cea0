"""Twisted's own port forwarder as a program: `python -m bench.portforward PORT BACKEND`."""

from __future__ import annotations

import sys

from twisted.internet import endpoints, reactor
from twisted.protocols.portforward import ProxyFactory

from bench.process import HOST


def main(port: int, backend: int) -> None:
    """Forward `port` to `backend` until the process is ended."""
    listening = endpoints.TCP4ServerEndpoint(reactor, port, backlog=1024, interface=HOST)
    listening.listen(ProxyFactory(HOST, backend))
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
