"""A server to try things with, of Twisted's own: ``python table.py 10023``."""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.protocols.postfix import PostfixTCPMapDictServerFactory

TABLE = {b"alice": b"mail7.example.org", b"bob": b"mail8.example.org"}

if __name__ == "__main__":
    endpoint = TCP4ServerEndpoint(reactor, int(sys.argv[1]), interface="127.0.0.1")
    endpoint.listen(PostfixTCPMapDictServerFactory(TABLE))
    reactor.run()
