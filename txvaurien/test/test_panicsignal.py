"""SIGUSR1."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txvaurien.process.panicsignal import PanicSignal


class Reactor:
    """Takes what other threads, and signals, want done."""

    def __init__(self) -> None:
        self.calls: list[Callable[..., object]] = []

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """For later."""
        self.calls.append(callable)


class PanicSignalTests(SynchronousTestCase):
    """`PanicSignal`."""

    def setUp(self) -> None:
        self.heard: list[int] = []
        before = signal.signal(signal.SIGUSR1, lambda number, _: self.heard.append(number))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.reactor = Reactor()
        self.panicked: list[bool] = []
        self.panic = PanicSignal(self.reactor, lambda: self.panicked.append(True))
        self.addCleanup(self.panic.remove)

    def test_signal(self) -> None:
        """The reactor is told, in a turn of its own."""
        self.panic.install()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual((len(self.reactor.calls), self.panicked, self.heard), (1, [], []))
        self.reactor.calls[0]()
        self.assertEqual(self.panicked, [True])

    def test_put_back(self) -> None:
        """What handled the signal before handles it again, and removing twice is no harm."""
        self.panic.install()
        self.panic.remove()
        self.panic.remove()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual((self.reactor.calls, self.heard), ([], [signal.SIGUSR1]))

    def test_late(self) -> None:
        """What the reactor learns when it is over is for nobody."""
        self.panic.install()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.panic.remove()
        self.reactor.calls[0]()
        self.assertEqual(self.panicked, [])

    def test_no_such_signal(self) -> None:
        """Where there is no such signal nothing is done."""
        number = signal.SIGUSR1
        self.patch(signal, "SIGUSR1", number)
        delattr(signal, "SIGUSR1")
        self.panic.install()
        self.panic.remove()
        os.kill(os.getpid(), number)
        self.assertEqual(self.heard, [number])


class ThreadTests(TestCase):
    """In another thread than the first, which gets no signals."""

    async def test_thread(self) -> None:
        """Nothing is installed, and nothing fails."""
        before = signal.getsignal(signal.SIGUSR1)
        panic = PanicSignal(Reactor(), lambda: None)
        await deferToThread(panic.install)
        self.assertIs(signal.getsignal(signal.SIGUSR1), before)
        panic.remove()
