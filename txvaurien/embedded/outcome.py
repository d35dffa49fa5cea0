"""Waiting for what another thread does, in a coroutine of asyncio, of trio or of Twisted.

Who waits may be cancelled; what has begun is completed all the same.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], *, shielded: bool = False) -> T:
    """Do what blocks in a thread that ends with it, and give its result.

    :param shielded: wait for it in a scope of trio that was cancelled, too.
    """
    future: Future[T] = Future()
    thread = threading.Thread(target=_run, args=(work, future), name="txvaurien call", daemon=True)
    thread.start()
    try:
        return await outcome(future, shielded=shielded)
    finally:
        if future.done():
            # It has nothing left to do but to end, and whoever counts threads is not to find it.
            thread.join()


async def begun(begin: Callable[[], T], end: Callable[[T], object]) -> T:
    """As `in_thread`, for what somebody has to end; it is ended if whoever would have been is cancelled."""
    beginning = _Beginning(begin, end)
    try:
        return await in_thread(beginning.run)
    except BaseException:
        beginning.abandon()
        raise


class _Beginning(Generic[T]):
    """What is begun in one thread, and may be abandoned in another."""

    def __init__(self, begin: Callable[[], T], end: Callable[[T], object]) -> None:
        self._begin = begin
        self._end = end
        self._lock = threading.Lock()
        self._abandoned = False
        #: What has begun, if anything has.
        self._begun: list[T] = []

    def run(self) -> T:
        """Begin, and end if it has been abandoned meanwhile."""
        begun = self._begin()
        with self._lock:
            self._begun.append(begun)
            late = self._abandoned
        if late:
            self._end(begun)
        return begun

    def abandon(self) -> None:
        """Nobody will end it."""
        with self._lock:
            self._abandoned = True
            left = list(self._begun)
        for begun in left:
            end = partial(self._end, begun)
            threading.Thread(target=end, name="txvaurien end", daemon=True).start()


def _run(work: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


async def outcome(future: Future[T], *, shielded: bool = False) -> T:
    """The result of a future, when it is there.

    :raises RuntimeError: nothing runs here that could wait.
    """
    trio: Any = sys.modules.get("trio")
    if trio is not None and _in_trio(trio):
        with trio.CancelScope(shield=shielded):
            await _done_in_trio(trio, future)
    elif _in_asyncio():
        await _done_in_asyncio(future)
    else:
        await _done_in_twisted(future)
    return future.result(0)


def _in_trio(trio: Any) -> bool:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


def _in_asyncio() -> bool:
    # A Twisted coroutine may run within asyncio's loop, but it is no task of it.
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


async def _done_in_trio(trio: Any, future: Future[Any]) -> None:
    done, token = trio.Event(), trio.lowlevel.current_trio_token()

    def tell(_: Future[Any]) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(done.set)

    future.add_done_callback(tell)
    await done.wait()


async def _done_in_asyncio(future: Future[Any]) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: Future[Any]) -> None:
        # The loop may be closed by now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(tell)
    await done.wait()


async def _done_in_twisted(future: Future[Any]) -> None:
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        raise RuntimeError("await this in a task of asyncio, in one of trio, or where Twisted's reactor runs")
    from twisted.internet.defer import Deferred

    done: Deferred[None] = Deferred(lambda _: None)

    def fire() -> None:
        if not done.called:
            done.callback(None)

    future.add_done_callback(lambda _: reactor.callFromThread(fire))
    await done
