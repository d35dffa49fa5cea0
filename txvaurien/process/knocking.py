"""The one attempt at each backend when its proxy begins, for a warning if it is down."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from txvaurien.proxy import Proxy

_log = Logger(namespace="txvaurien")


class Knocking:
    """Connects to backends, and leaves those that answer in peace at once."""

    def __init__(self) -> None:
        self._trying: list[Deferred[Any]] = []
        self._stopped = False

    def knock(self, proxy: Proxy) -> None:
        """Try the backend of a proxy."""
        self._stopped = False
        trying = proxy.endpoint.connect(_Knocks())
        self._trying.append(trying)
        trying.addErrback(self._is_down, proxy)
        trying.addBoth(lambda _: self._trying.remove(trying))

    def stop(self) -> None:
        """Give up what is being tried, without a word."""
        self._stopped = True
        for each in list(self._trying):
            each.cancel()

    def _is_down(self, failure: Failure, proxy: Proxy) -> None:
        # What was given up may fail with whatever its endpoint makes of that.
        if self._stopped:
            return
        _log.warn(
            "the backend {backend} cannot be reached now ({why}); each client tries it again",
            backend=proxy.backend.text,
            why=failure.getErrorMessage().rstrip("."),
        )


class _Knock(Protocol):
    """A connection that only finds out whether it is accepted."""

    def connectionMade(self) -> None:
        """That was all."""
        transport: Any = self.transport
        transport.loseConnection()


class _Knocks(Factory):
    noisy = False
    protocol = _Knock
