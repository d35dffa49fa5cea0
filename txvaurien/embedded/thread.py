"""A reactor of its own in a thread of its own.

It is never installed: `twisted.internet.reactor` stays what the application has, or has not. Each proxy
has one: none waits for another, none has to be counted, and all that belongs to one ends with it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, TimeoutError
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txvaurien.clients.vocabulary import VaurienError
from txvaurien.embedded.host import Gone, Owner

if sys.platform == "linux":
    from twisted.internet.epollreactor import EPollReactor as _Reactor
else:
    from twisted.internet.selectreactor import SelectReactor as _Reactor

T = TypeVar("T")

#: What is done in the reactor's thread.
Work = Callable[[], Coroutine[Any, Any, T]]

#: How long anything may take that is not told to wait, in seconds.
LIMIT = 30.0


class PrivateReactor(_Reactor):
    """A reactor that the process need not know of, and that leaves no descriptor open."""

    # That thread is the application's.
    _registerAsIOThread = False

    def __init__(self) -> None:
        _Reactor.__init__(self)

    def close(self) -> None:
        """Give its descriptors back; it has run."""
        for reader in list(self._internalReaders):
            _Reactor.removeReader(self, reader)
            reader.connectionLost(Failure(ConnectionError("the reactor has ended")))
        self._internalReaders.clear()
        poller = getattr(self, "_poller", None)
        if poller is not None:
            poller.close()


class ReactorThread:
    """Runs coroutines of Twisted for other threads.

    :ivar owner: the process that it is in.
    :ivar reactor: to be used in its thread only.
    """

    def __init__(self, name: str) -> None:
        self.owner = Owner()
        self.reactor = PrivateReactor()
        self._thread = threading.Thread(target=self._run, name=f"txvaurien {name}", daemon=True)
        self._lock = threading.Lock()
        self._under_way: set[Future[Any]] = set()
        #: It has been told to end; it has ended.
        self._ending = self._over = False
        self._thread.start()

    def call(self, work: Work[T], limit: float = LIMIT) -> T:
        """Do this in the thread, and give its result.

        :param limit: how long it may take, in seconds.
        :raises VaurienError: it takes longer, or the thread has ended.
        :raises RuntimeError: it is called in that thread, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("this waits for the proxy's thread, and so cannot be done in it")
        future = self.submit(work)
        try:
            return future.result(limit)
        except TimeoutError:
            # What is done may end with such an error itself; then it is told as it is.
            if future.done():
                raise
            raise VaurienError(f"the proxy's thread has not answered in {limit:g} seconds") from None

    def submit(self, work: Work[T]) -> Future[T]:
        """Do this in the thread.

        :raises Gone: the thread has ended, or is in the process that this one was forked from.
        """
        # Before the lock: a fork may have copied it while it was held.
        self.owner.check()
        future: Future[T] = Future()
        with self._lock:
            if self._over:
                raise _ended()
            self._under_way.add(future)
            self.reactor.callFromThread(self._begin, work, future)
        return future

    def stop(self, limit: float = LIMIT) -> None:
        """End the thread; what is still under way ends with an error.

        :raises VaurienError: it takes longer than `limit` seconds.
        """
        with self._lock:
            if not self._ending:
                self._ending = True
                self.reactor.callFromThread(self.reactor.stop)
        self._thread.join(limit)
        if self._thread.is_alive():
            raise VaurienError(f"the proxy's thread has not ended in {limit:g} seconds")

    def _begin(self, work: Work[T], future: Future[T]) -> None:
        Deferred.fromCoroutine(work()).addCallbacks(
            lambda result: self._settle(future, result, None),
            lambda failure: self._settle(future, None, failure.value),
        )

    def _settle(self, future: Future[Any], result: object, error: BaseException | None) -> None:
        with self._lock:
            if future not in self._under_way:
                return
            self._under_way.remove(future)
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _run(self) -> None:
        try:
            self.reactor.run(installSignalHandlers=False)
        finally:
            with self._lock:
                self._ending = self._over = True
                left, self._under_way = self._under_way, set()
                self.reactor.close()
            for future in left:
                future.set_exception(_ended())


def _ended() -> Gone:
    return Gone("the proxy has been closed")
