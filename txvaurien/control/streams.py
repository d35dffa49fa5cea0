"""One stream of server-sent events: the records of the journal, for as long as somebody reads them.

The form is that of the WHATWG's HTML standard, "Server-sent events": of each record ``id`` is its number,
``event`` its event, ``data`` its JSON. A stream has a place in the journal and no queue of its own, so
that a client that reads slowly costs nothing: the journal is its queue. What has left the journal before
it could be told is one event ``lost``: ``{"event": "lost", "from": 17, "to": 250, "count": 234}``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.web.iweb import IRequest
from zope.interface import implementer

from txvaurien.control.journal import Since
from txvaurien.journal import Journal, encode

#: After how many seconds something is said in any case, so that both sides notice when the other is gone.
HEARTBEAT = 15.0

#: After how many milliseconds a browser comes again when the connection was lost.
RETRY = 2000

#: How many records are looked at for one write.
_BATCH = 64

_HEADERS = {
    b"content-type": b"text/event-stream",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
}


@implementer(IPushProducer)
class EventStream:
    """Tells one client of what happens.

    :param asked: which records it is for.
    :param position: the number of the last record that the client knows.
    """

    def __init__(
        self, request: IRequest, journal: Journal, clock: IReactorTime, asked: Since, position: int
    ) -> None:
        self._request: Any = request
        self._journal = journal
        self._asked = asked
        self._position = position
        self._paused = False
        self._waiting: Deferred[int] | None = None
        self._over: Deferred[None] = Deferred()
        self._beating = LoopingCall(self._beat)
        self._beating.clock = clock

    @staticmethod
    def head(request: IRequest) -> None:
        """Set the head of the answer."""
        request.setResponseCode(200)
        for name, value in _HEADERS.items():
            request.setHeader(name, value)

    async def run(self) -> None:
        """Return when it has been ended; to cancel this is to say that the client is gone."""
        self.head(self._request)
        self._request.registerProducer(self, True)
        self._request.write(b"retry: %d\n\n" % RETRY)
        self._beating.start(HEARTBEAT, now=False)
        self._pump()
        try:
            await self._over
            self._request.unregisterProducer()
        except CancelledError:
            # With the connection the producer is gone.
            raise
        finally:
            self._paused = True
            self._beating.stop()
            if self._waiting is not None:
                self._waiting.cancel()

    def end(self) -> None:
        """Say no more."""
        if not self._over.called:
            self._over.callback(None)

    # What the connection asks of a producer.

    def pauseProducing(self) -> None:
        """The client does not take what is written."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It takes more."""
        self._paused = False
        self._pump()

    def stopProducing(self) -> None:
        """The connection is lost."""
        self._paused = True

    # Telling.

    def _pump(self) -> None:
        """Say what there is, as long as it is taken; what comes is said when it comes."""
        while not self._paused and self._position < self._journal.last:
            said = self._next()
            if said:
                self._request.write(said)
        if not self._paused and self._waiting is None:
            self._waiting = self._journal.when_beyond(self._position)
            self._waiting.addCallbacks(self._on_more, lambda failure: failure.trap(CancelledError))

    def _on_more(self, last: int) -> None:
        self._waiting = None
        self._pump()

    def _next(self) -> bytes:
        """The next records in the form of a stream, if some of them were asked for."""
        said = []
        if self._position + 1 < self._journal.first:
            said.append(_lost(self._position + 1, self._journal.first - 1))
            self._position = self._journal.first - 1
        for record in self._journal.after(self._position, _BATCH):
            if self._asked.takes(record):
                said.append(_event(record.n, record.event, encode(record.as_json())))
            self._position = record.n
        return b"".join(said)

    def _beat(self) -> None:
        if not self._paused:
            # An id without data is no event; the client knows from it how far we are (HTML, 9.2.6).
            self._request.write(b":\nid: %d\n\n" % self._position)


def _event(number: int, event: str, data: bytes) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, event.encode(), data)


def _lost(first: int, last: int) -> bytes:
    data = {"event": "lost", "from": first, "to": last, "count": last + 1 - first}
    return _event(last, "lost", encode(data))
