"""A hook at work that has to wait for something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


class Running:
    """The hook of an exchange that waits; at most one at a time."""

    __slots__ = ("_running", "_then")

    def __init__(self) -> None:
        self._running: Deferred[bool | None] | None = None
        self._then: Callable[[], None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a hook is waiting for something."""
        return self._running is not None

    def start(
        self,
        result: Awaitable[bool | None],
        settled: Callable[[bool | None], None],
        failed: Callable[[Failure], None],
        is_gone: Callable[[], bool],
    ) -> bool:
        """Run it as far as it goes.

        :param settled: called with what it returned; `failed` if it raised.
        :param is_gone: nobody needs it any more, because of what it has done itself.
        :return: whether it waits.
        """
        running = Deferred.fromCoroutine(_await(result))
        if is_gone():
            # It has ended its own link, and yet goes on.
            running.addErrback(lambda _: None)
            running.cancel()
            return False
        self._running = running
        running.addCallbacks(self._over, self._over, (running, settled), {}, (running, failed), {})
        return self._running is not None

    def and_then(self, then: Callable[[], None]) -> None:
        """What is to be done when it is over, and did not end by itself at once."""
        self._then = then

    def cancel(self) -> Callable[[], None] | None:
        """Nobody needs it any more, whatever comes of that; what would have been done after it."""
        (running, self._running), (then, self._then) = (self._running, None), (self._then, None)
        if running is not None:
            running.cancel()
        return then

    def detach(self) -> None:
        """Let it run out; nobody listens."""
        self._running = self._then = None

    def _over(
        self, outcome: bool | Failure | None, running: Deferred[bool | None], tell: Callable[..., None]
    ) -> None:
        # A hook that was cancelled may still end, in its own time; nobody listens then.
        if running is not self._running:
            return
        tell(outcome)
        then, self._then, self._running = self._then, None, None
        if then is not None:
            then()


async def _await(awaitable: Awaitable[bool | None]) -> bool | None:
    return await awaitable
