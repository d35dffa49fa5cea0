"""The private reactor and its thread."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txvaurien.clients.vocabulary import VaurienError
from txvaurien.embedded.thread import ReactorThread
from txvaurien.test.embedded_support import threads


async def never() -> None:
    """Waits for what does not come."""
    await Deferred()


class ReactorThreadTests(SynchronousTestCase):
    """Work that is done in it."""

    def setUp(self) -> None:
        self.thread = ReactorThread("test")
        self.addCleanup(self.thread.stop)

    def test_result(self) -> None:
        """What a coroutine returns is given to who asked, from another thread."""

        async def who() -> str:
            return threading.current_thread().name

        self.assertEqual(self.thread.call(who), "txvaurien test")

    def test_error(self) -> None:
        """So is what it raises, be it a time-out of its own."""

        async def fail() -> None:
            raise TimeoutError("mine")

        error = self.assertRaises(TimeoutError, self.thread.call, fail)
        self.assertEqual(str(error), "mine")

    def test_takes_too_long(self) -> None:
        """Nobody waits without end."""
        error = self.assertRaises(VaurienError, self.thread.call, never, 0.01)
        self.assertIn("has not answered in 0.01 seconds", str(error))

    def test_stop(self) -> None:
        """What is under way at the end, and what comes after it, is refused; to stop twice is nothing."""
        waiting = self.thread.submit(never)
        self.thread.stop()
        self.thread.stop()
        self.assertIsInstance(waiting.exception(30), VaurienError)
        self.assertRaises(VaurienError, self.thread.submit, never)
        self.assertNotIn("txvaurien test", threads())

    def test_stuck(self) -> None:
        """A thread that does not end in time is an error, and ends when it can."""
        go_on = threading.Event()

        async def block() -> Any:
            go_on.wait(30)

        self.thread.submit(block)
        error = self.assertRaises(VaurienError, self.thread.stop, 0.01)
        self.assertIn("has not ended in 0.01 seconds", str(error))
        go_on.set()

    def test_works_for_itself(self) -> None:
        """Work that asks for more of it, and waits, would wait for ever: an error."""

        async def ask() -> None:
            self.thread.call(never)

        self.assertRaises(RuntimeError, self.thread.call, ask)
