"""A stream of server-sent events for programs on Twisted."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from txvaurien.clients.eventstream import SILENCE, EventParser, broken_off, get_events, is_last_page
from txvaurien.clients.vocabulary import Call, Fields

#: How many records may wait for who asked for them; then no more is read.
_MOST = 1000


class AsyncEvents:
    """Records, one by one, for ``async for``.

    To be closed, or used in an ``async with`` block, if it is left before its end.
    """

    def __aiter__(self) -> AsyncEvents:
        return self

    async def __anext__(self) -> Fields:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Ask for no more."""
        raise NotImplementedError

    async def __aenter__(self) -> AsyncEvents:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class AsyncPages(AsyncEvents):
    """All records that are there.

    :param carry: asks the server.
    """

    def __init__(
        self,
        carry: Callable[[Call[list[Fields]]], Awaitable[list[Fields]]],
        since: int,
        filters: Mapping[str, object],
    ) -> None:
        self._carry = carry
        self._since = since
        self._filters = filters
        self._page: deque[Fields] = deque()
        self._over = False

    async def begin(self) -> None:
        """Ask for the first of them."""
        await self._turn()

    async def _turn(self) -> None:
        page = await self._carry(get_events(self._since, self._filters))
        self._over = is_last_page(page, self._filters)
        self._page.extend(page)
        if page:
            self._since = int(page[-1]["n"])

    async def __anext__(self) -> Fields:
        if not self._page and not self._over:
            await self._turn()
        if not self._page:
            raise StopAsyncIteration
        return self._page.popleft()

    async def aclose(self) -> None:
        """Ask for no more."""
        self._page.clear()
        self._over = True


class AsyncStream(AsyncEvents, Protocol):
    """Records as they come; the body of a response is delivered to it.

    :param server: its URL, for errors.
    :param clock: provides IReactorTime.
    """

    def __init__(self, server: str, clock: Any) -> None:
        self._server = server
        self._clock = clock
        self._parser = EventParser()
        self._records: deque[Fields] = deque()
        self._waiting: Deferred[None] | None = None
        self._gone: Deferred[None] = Deferred()
        self._end: Exception | None = None
        self._silence: IDelayedCall | None = None
        self._paused = False

    def connectionMade(self) -> None:
        """The stream has begun."""
        self._listen()

    def dataReceived(self, data: bytes) -> None:
        """Some of it has come."""
        self._listen()
        try:
            self._records.extend(self._parser.feed(data))
        except ValueError as error:
            self._finish(broken_off(self._server, self._parser.last, error))
            self._close()
            return
        if len(self._records) > _MOST and not self._paused:
            self._paused = True
            self._stop_listening()
            self._transport.pauseProducing()
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over: in order, if the server says so."""
        self._stop_listening()
        if reason.check(ResponseDone):
            self._finish(StopAsyncIteration())
        else:
            self._finish(broken_off(self._server, self._parser.last, reason.getErrorMessage()))
        self._gone.callback(None)

    async def __anext__(self) -> Fields:
        while not self._records and self._end is None:
            self._waiting = Deferred()
            await self._waiting
        if not self._records:
            assert self._end is not None
            raise self._end
        record = self._records.popleft()
        if self._paused and not self._records:
            self._paused = False
            self._listen()
            self._transport.resumeProducing()
        return record

    async def aclose(self) -> None:
        """Ask for no more; returns when the connection is gone."""
        self._records.clear()
        self._finish(StopAsyncIteration())
        if not self._gone.called:
            self._close()
            await self._gone

    @property
    def _transport(self) -> Any:
        return self.transport

    def _close(self) -> None:
        self._stop_listening()
        self._transport.stopProducing()

    def _finish(self, end: Exception) -> None:
        if self._end is None:
            self._end = end
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def _listen(self) -> None:
        """Begin anew to wait for the next word."""
        self._stop_listening()
        self._silence = self._clock.callLater(SILENCE, self._is_silent)

    def _stop_listening(self) -> None:
        if self._silence is not None and self._silence.active():
            self._silence.cancel()

    def _is_silent(self) -> None:
        why = f"not a word in {SILENCE:g} seconds"
        self._finish(broken_off(self._server, self._parser.last, why))
        self._close()
